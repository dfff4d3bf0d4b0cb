/* SPDX-License-Identifier: MIT */
/* mm.h - the address spaces of a machine that has many: what the files of vm.h share.
 *
 * Model.  A *vm* holds what all spaces share; an *mm* is one space.  Areas say what may
 * be, entries what is.  Areas that touch and differ in nothing are one; whether their
 * anonymous pages can have a common history is asked as Linux asks it (struct vma_merge),
 * so that /proc/PID/maps would show the same lines.  Page numbers stand for addresses in
 * area offsets: of a private area the address at which its first page came.
 *
 * A *family* is a set of spaces that fork made of one another; see page.h for how the
 * entries of a page are found.
 *
 * Invariants.  quire_vm_validate() names the first that does not hold.
 *   M1  an entry that is not empty lies in an area, allows no more than it, and its
 *       frame's owner is the area's object or the mm's family, and the right page;
 *   M2  rss, swapped and the sizes in an mm are what areas and entries say;
 *   M3  committed is the sum over charged areas and charged objects;
 *   M4  an object's nr_areas is the number of areas that show it, 0 only of a file;
 *   M5  a page in a writable entry of a private area is named by no other entry.
 *
 * Locking.  Every call holds turn, the machine's lock, and lets go of it only for a free
 * write back or to wait for one (mm_writeback.c); inner is the swap store's, let go of
 * while it transfers.  A frame that is freed is handed out again only under turn, and
 * turn is let go of only after the flush, so no CPU has an old translation of it by then.
 */
#ifndef QUIRE_CORE_SPACE_MM_H
#define QUIRE_CORE_SPACE_MM_H

#include "core/base/lock.h"
#include "core/files/cache.h"
#include "core/space/area_tree.h"
#include "core/space/mm_huge.h"
#include "core/space/space.h"
#include "core/space/swap_cache.h"
#include "quire/vm.h"

/* Spaces at a time; what a TLB of 12 bits can tell apart (Intel SDM volume 3, 4.10.1). */
#define QUIRE_ASIDS 4095u

struct quire_vm {
	struct quire_lock turn, inner;
	struct quire_zone zone;
	struct quire_swap swap;
	const struct quire_port *port;
	struct quire_vm_config config;
	struct quire_stats *stats;
	struct quire_pool objects, families;
	struct quire_page_cache cache;
	struct qr_swap_cache swap_cache;
	struct quire_mm *mms; /* all of them */
	quire_pfn zero;	      /* the page of zeros that reads share */
	uint32_t next_anon, next_asid;
	uint64_t committed; /* pages */
	struct quire_lane lane;
	uint32_t hands[QR_KINDS]; /* the frames that reclaim looks at next */
	bool is_daemon;		  /* it is the page-out daemon that reclaims */
	struct quire_vm_figures figures;
	struct qr_huge huge;
	/* The upcall for frames: true when it is worth trying again. */
	bool (*pressure)(struct quire_vm *vm);
	/* The upcall for one page that somebody wants out: whether it went. */
	bool (*evict)(struct quire_vm *vm, quire_pfn pfn);
};

struct quire_mm {
	struct quire_vm *vm;
	struct quire_mm *next, *prev;
	struct quire_tables tables;
	struct quire_areas areas;
	struct quire_mm_config config;
	uint32_t asid, family;
	uint32_t
		parent; /* the asid of the space that forked it, 0: none, or it is gone */
	bool has_moved; /* an area may have pages that first came elsewhere */
	/* Large pages; of these the transparent ones; the first of their spare tables,
	 * linked by slot, 0: none. */
	uint32_t nr_large, nr_huge, deposit;
	uint32_t marks_next; /* of areas to come: mlockall */
	quire_vaddr brk;     /* the break; it starts at config.brk */
	struct quire_mm_figures figures;
};

/* ---- mm.c */

/* NULL where frames are lacking; family 0: a new one. */
struct quire_mm *qr_mm_new(struct quire_vm *vm, const struct quire_mm_config *config,
			   uint32_t family);
void qr_mm_delete(struct quire_mm *mm);

/* ---- mm_areas.c */

/* What is to become part of the space, or to change. */
struct qr_proposal {
	uint64_t start, end;
	uint32_t prot, marks;
	uint64_t offset;
	uint32_t anon, object;
	bool is_forked;	  /* anon is a forked child's, and this is copied from it */
	bool only_extend; /* brk: nothing is joined behind it */
	bool is_free;	  /* mmap: nothing is there */
	bool is_file;	  /* mmap: object and offset are a file's */
};

static inline uint64_t qr_pages(uint64_t bytes)
{
	return bytes >> QUIRE_PAGE_SHIFT;
}

struct quire_area *qr_mm_area(struct quire_mm *mm, uint64_t va);
struct quire_area *qr_mm_before(struct quire_mm *mm, uint64_t va);
struct quire_area *qr_mm_from(struct quire_mm *mm, uint64_t va);
/* A new area where nothing is: joined with its neighbours where they allow it. */
struct quire_area *qr_mm_add(struct quire_mm *mm, const struct qr_proposal *p);
/* The same, joined with nothing: a copy of an area is an area. */
struct quire_area *qr_mm_copy_in(struct quire_mm *mm, const struct qr_proposal *p);
/* The part [start, end) of area gets prot and marks: joined, or split off.  Three records
 * are reserved. */
struct quire_area *qr_mm_modify(struct quire_mm *mm, struct quire_area *area,
				uint64_t start, uint64_t end, uint32_t prot,
				uint32_t marks);
/* Cuts area in two at va, which lies inside; returns the upper part. */
struct quire_area *qr_mm_split(struct quire_mm *mm, struct quire_area *area, uint64_t va);
/* Takes the record out; pages are gone or elsewhere. */
void qr_mm_forget(struct quire_mm *mm, struct quire_area *area);
/* The area starts lower from now on. */
void qr_mm_grow_down(struct quire_mm *mm, struct quire_area *area, uint64_t start);
/* The id under which the area's anonymous pages are known; made where it has none. */
void qr_mm_prepare_anon(struct quire_mm *mm, struct quire_area *area);
/* Records for nr more areas, reclaiming for them if need be: the next so many cannot fail. */
bool qr_mm_reserve(struct quire_mm *mm, uint32_t nr);

static inline uint32_t qr_mm_nr_areas(const struct quire_mm *mm)
{
	return qr_areas_count(&mm->areas);
}

static inline bool qr_area_is(const struct quire_area *area, uint32_t marks)
{
	return (area->marks & marks) == marks;
}

/* ---- mm_commit.c */

/* Whether so many pages more may be charged. */
bool qr_vm_may_charge(const struct quire_vm *vm, int64_t pages);
bool qr_vm_charge(struct quire_vm *vm, uint64_t pages);
void qr_vm_uncharge(struct quire_vm *vm, uint64_t pages);
uint64_t qr_vm_commit_limit(const struct quire_vm *vm);
/* Whether areas of that kind may grow by so many pages. */
bool qr_mm_may_expand(const struct quire_mm *mm, uint32_t prot, uint32_t marks,
		      int64_t pages);
bool qr_mm_may_lock(const struct quire_mm *mm, uint32_t marks, uint64_t pages);
/* Counts pages of such an area in (or, negative, out). */
void qr_mm_account(struct quire_mm *mm, uint32_t prot, uint32_t marks, int64_t pages);

/* ---- mm_place.c */

/* As Linux's get_unmapped_area. */
enum quire_status qr_mm_place(struct quire_mm *mm, uint64_t hint, uint64_t bytes,
			      bool fixed, uint64_t *out);
/* The same, not fixed, at a multiple of align; hint is one, or 0. */
enum quire_status qr_mm_place_aligned(struct quire_mm *mm, uint64_t hint, uint64_t bytes,
				      uint64_t align, uint64_t *out);
/* The same, at a multiple of 2 MiB where there is room. */
enum quire_status qr_mm_place_huge(struct quire_mm *mm, uint64_t bytes, uint64_t *out);
/* The same as Linux does it, for private anonymous areas: at such a multiple where the
 * length is one and nothing is said of where. */
static inline enum quire_status qr_mm_place_near(struct quire_mm *mm, uint64_t hint,
						 uint64_t bytes, bool is_anon,
						 uint64_t *out)
{
	if (is_anon && hint == 0 && (bytes & (QUIRE_HUGE_BYTES - 1)) == 0)
		return qr_mm_place_huge(mm, bytes, out);
	return qr_mm_place(mm, hint, bytes, false, out);
}
/* Where an area's addresses begin, the gap below a stack included. */
uint64_t qr_area_gap_start(const struct quire_mm *mm, const struct quire_area *area);

/* ---- mm_map.c */

/* [start, end) loses its areas and pages.  QUIRE_NO_MEMORY: nothing changed. */
enum quire_status qr_mm_unmap_range(struct quire_mm *mm, uint64_t start, uint64_t end);

/* ---- mm_fault.c */

/* Brings in the pages of [start, end), as far as that goes; false where it did not, and
 * ignore was not said. */
enum quire_status qr_mm_populate(struct quire_mm *mm, uint64_t start, uint64_t end,
				 bool ignore);
/* The same for a part of one area, for reading or writing as want says. */
enum quire_status qr_mm_populate_part(struct quire_mm *mm, uint64_t start, uint64_t end,
				      bool for_write);

/* ---- mm_pages.c */

/* A frame for a page; the caller says whose. */
bool qr_vm_take(struct quire_vm *vm, quire_pfn *out);
/* One entry less names it. */
void qr_vm_put(struct quire_vm *vm, quire_pfn pfn);
/* Empties the entries of [start, end), and flushes. */
void qr_mm_zap(struct quire_mm *mm, uint64_t start, uint64_t end);
/* The leaf of va, made if need be; false where no frame can be had. */
bool qr_mm_leaf(struct quire_mm *mm, uint64_t va, struct qr_leaf *out);
void qr_mm_flush(struct quire_mm *mm, uint64_t start, uint64_t end);
/* The account of one entry that came to mm, or, by = UINT64_MAX, left it. */
void qr_mm_count(struct quire_mm *mm, quire_entry e, uint64_t by);
/* Sets the entry of va, and accounts for the old one and the new. */
void qr_mm_set(struct quire_mm *mm, struct qr_leaf *leaf, uint64_t va, quire_entry e);
/* So many pages more (or, negative, fewer) are in memory. */
void qr_mm_count_rss(struct quire_mm *mm, int64_t pages);
/* Whether entries for the page may be writable. */
bool qr_mm_may_write(const struct quire_vm *vm, const struct quire_area *area,
		     quire_entry e);
/* The flags of entries in such an area, as far as protection decides them. */
uint64_t qr_area_flags(const struct quire_area *area);
/* Protections of the present entries of [start, end) as the area has them now. */
void qr_mm_reprotect(struct quire_mm *mm, const struct quire_area *area, uint64_t start,
		     uint64_t end);
/* Takes one area's mark off its object, and the object away with the last. */
void qr_vm_put_object(struct quire_vm *vm, uint32_t number);
/* Drops what the object has at [first, last). */
void qr_object_truncate(struct quire_vm *vm, struct quire_object *object, uint64_t first,
			uint64_t last);

/* ---- mm_file.c */

/* NULL: shared memory without a name. */
struct quire_file *qr_object_file(const struct quire_vm *vm,
				  const struct quire_object *object);
/* NULL where the area shows no file. */
const char *qr_area_file_name(const struct quire_vm *vm, const struct quire_area *area);
/* The flags of an entry by which area shows a page of its object. */
uint64_t qr_object_flags(const struct quire_vm *vm, const struct quire_area *area,
			 bool for_write);
/* The object's page is in memory afterwards, and *out its frame; *was_out: it had to be
 * fetched.  index lies within the object. */
enum quire_status qr_object_page(struct quire_vm *vm, uint32_t number, uint64_t index,
				 enum qr_fetch how, quire_pfn *out, bool *was_out);
/* No entry names those pages of the object any more; copies_too: nor the private copies
 * of them. */
void qr_object_unmap(struct quire_vm *vm, uint32_t number, uint64_t first, uint64_t last,
		     bool copies_too);
/* [first, last) of the object reads as zeros from now on; private copies stay. */
enum quire_status qr_object_punch(struct quire_vm *vm, uint32_t number, uint64_t first,
				  uint64_t last);
/* The upcall of the page cache. */
void qr_page_protect(struct quire_vm *vm, quire_pfn pfn);
/* The file may have lost its last user. */
void qr_file_settle(struct quire_vm *vm, struct quire_file *file);
/* Somebody is about to make a page dirty: keeps the dirty ones below dirty_ratio. */
void qr_vm_balance_dirty(struct quire_vm *vm);
/* Keeps them below dirty_background_ratio. */
void qr_vm_write_background(struct quire_vm *vm);
/* status, or QUIRE_IO for a failure that was not reported yet. */
enum quire_status qr_file_report(struct quire_file *file, enum quire_status status);
/* What msync does for the part of one area. */
enum quire_status qr_mm_sync_area(struct quire_mm *mm, const struct quire_area *area,
				  uint64_t start, uint64_t end);
/* What MADV_WILLNEED does for the part of one area. */
void qr_mm_will_need(struct quire_mm *mm, const struct quire_area *area, uint64_t start,
		     uint64_t end);

/* ---- mm_ahead.c */

/* Whether the page that a fault brings back will not come alone. */
bool qr_mm_reads_ahead(const struct quire_area *area);
/* The page of va, or of the object, came back from swap: reads its neighbours ahead where
 * it had to be read itself.  Takes nothing that is in use. */
void qr_mm_swapped_in(struct quire_mm *mm, struct quire_area *area, uint64_t va,
		      enum qr_swap_found found);
void qr_object_swapped_in(struct quire_vm *vm, struct quire_object *object,
			  uint64_t index, enum qr_fetch how, enum qr_swap_found found);
/* What MADV_WILLNEED does for what is out of the part of one area. */
void qr_mm_swap_will_need(struct quire_mm *mm, const struct quire_area *area,
			  uint64_t start, uint64_t end);

/* ---- mm_writeback.c: each of these that waits lets go of the lock meanwhile */

void qr_vm_let_go(struct quire_vm *vm);
void qr_vm_take_back(struct quire_vm *vm);
/* No transfer is under way with the lock let go of. */
void qr_vm_wait_written(struct quire_vm *vm);
/* Nobody is about to write the file back; it stays, for the caller has it. */
void qr_file_wait_written(struct quire_file *file);
/* The page of the file may be changed, by a write up to byte end. */
void qr_file_wait_page(struct quire_file *file, uint64_t index, uint64_t end);
/* Whether a write at va had to wait: the area may be gone. */
bool qr_mm_waits(struct quire_vm *vm, const struct quire_area *area, uint64_t va);

/* ---- mm_rmap.c */

/* Calls visit for every entry that names the frame, until it says false.  For a large page
 * leaf is the one entry alone, at index 0, and its base the page's address. */
typedef bool qr_rmap_visit_fn(void *ctx, struct quire_mm *mm,
			      const struct quire_area *area, const struct qr_leaf *leaf,
			      uint32_t index);
void qr_rmap_walk(struct quire_vm *vm, quire_pfn pfn, qr_rmap_visit_fn *visit, void *ctx);

static inline bool qr_is_private(const struct quire_area *area)
{
	return (area->marks & QUIRE_AREA_SHARED) == 0;
}

static inline void qr_mm_enter(struct quire_mm *mm)
{
	qr_lock(&mm->vm->turn);
	qr_lock(&mm->vm->inner);
}

static inline void qr_mm_leave(struct quire_mm *mm)
{
	qr_unlock(&mm->vm->inner);
	qr_unlock(&mm->vm->turn);
}

#endif
