/* SPDX-License-Identifier: MIT */
/* space.h - one address space: its areas, its tables, and the faults in it.
 *
 * Model.  Areas say what may be; entries say what is.  A call that changes the space
 * holds the lock throughout.  A fault lets go of it while bytes move: the entries it
 * works on are BUSY, and everybody else leaves BUSY entries alone: another fault marks
 * them WANTED and is woken later; a call on the range waits for the event settled.
 *
 * A *lane* is the workspace of one fault in progress.
 *
 * Invariants.  qr_report_validate() names the first that does not hold.
 *   V1  every present entry names a MAPPED frame whose owner is that address, and no two
 *       name the same; every MAPPED frame is named;
 *   V2  every entry that is not empty lies in an area that is not foreign;
 *   V3  an entry is WRITABLE exactly when its frame has no slot, but for pages that were
 *       protected and then not taken;
 *   V4  with nobody at work no entry is BUSY or WANTED.
 *
 * Locking.  The machine's lock, unless a function says that it lets go of it.
 */
#ifndef QUIRE_CORE_SPACE_SPACE_H
#define QUIRE_CORE_SPACE_SPACE_H

#include "core/base/lock.h"
#include "core/paging/tables.h"
#include "core/space/area.h"
#include "core/space/copies.h"
#include "core/swap/swap.h"
#include "quire/machine.h"

/* The last extents that came from a device, whole: pages of a stream were packed next to
 * one another, but by size, so several extents take turns. */
#define QUIRE_BOUNCE_EXTENTS 8u

struct quire_bounce {
	unsigned char *bytes;
	uint32_t nr;   /* extents that there is room for, 1..QUIRE_BOUNCE_EXTENTS */
	uint32_t next; /* where the next one goes */
	struct {
		uint32_t area, extent;
		uint32_t turn;	/* of the swap, before it was read */
		bool is_loaded; /* all of it */
	} held[QUIRE_BOUNCE_EXTENTS];
};

/* What a fault, or an eviction, works with.  Lives in frames of its own. */
struct quire_lane {
	unsigned char *staging; /* nr_staging pages: bytes on their way to fill() */
	unsigned char *packed;	/* one page: packed bytes */
	struct quire_bounce bounce;
	void *codec_state;
	struct qr_batch *batch; /* the eviction in progress; core/reclaim's */
	uint32_t nr_staging;
};

/* Streams: faults that follow one another. */
#define QUIRE_STREAMS 8u

struct quire_stream {
	uint64_t next;	/* the address that would continue it */
	uint32_t ahead; /* pages to bring in at once */
	uint32_t used;	/* the turn of its last use */
};

struct quire_space {
	struct quire_lock *lock;
	struct quire_zone *zone;
	struct quire_swap *swap;
	const struct quire_port *port;
	struct quire_stats *stats;
	struct quire_event settled; /* entries stopped being BUSY */
	struct quire_tables tables;
	struct quire_areas areas;
	struct quire_range brk; /* start fixed, end is the break */
	uint64_t brk_limit;
	uint32_t marks_future; /* of areas to come: mlock_all */
	struct quire_stream streams[QUIRE_STREAMS];
	uint32_t stream_turn;
	struct quire_lane lanes[QUIRE_LANES_MAX + 1]; /* the daemon's behind the others */
	uint32_t nr_lanes;			      /* without the daemon's */
	bool is_changing; /* a call that changes areas has let go of the lock */
	/* The upcall for frames: true when it is worth trying again.  Lets go of the lock. */
	bool (*pressure)(void *ctx, uint32_t lane);
	void *pressure_ctx;
	struct quire_copies copies;
	/* When a page went out, as a stamp; and whether it came back soon. */
	uint64_t nr_evicted;
	uint32_t stamp_shift; /* evictions a stamp's unit */
};

enum quire_status qr_space_init(struct quire_space *space, struct quire_range window);
void qr_space_destroy(struct quire_space *space);

/* Half open, page aligned; checked against the window. */
bool qr_space_range(const struct quire_space *space, quire_vaddr start, uint64_t bytes,
		    struct quire_range *out);

/* map.c.  Callers wait first until no other call is_changing. */
void qr_space_wait_turn(struct quire_space *space);
enum quire_status qr_space_map(struct quire_space *space, quire_vaddr hint,
			       uint64_t bytes, uint32_t prot, uint32_t flags,
			       uint64_t align, quire_vaddr *out);
enum quire_status qr_space_unmap(struct quire_space *space, struct quire_range range);
enum quire_status qr_space_protect(struct quire_space *space, struct quire_range range,
				   uint32_t prot);
/* Where bytes bytes may go: as qr_space_map, which is this and then insert. */
enum quire_status qr_space_place(struct quire_space *space, quire_vaddr hint,
				 uint64_t bytes, uint32_t flags, uint64_t align,
				 uint64_t *at);
enum quire_status qr_space_insert(struct quire_space *space, struct quire_range range,
				  uint32_t prot, uint32_t marks);
enum quire_status qr_space_brk(struct quire_space *space, quire_vaddr want,
			       quire_vaddr *out);

/* pages.c */

/* Waits until no entry of the range is BUSY; lets go of the lock meanwhile. */
void qr_space_settle(struct quire_space *space, struct quire_range range);
/* The same, and no other call is_changing when it returns. */
void qr_space_settle_turn(struct quire_space *space, struct quire_range range);
/* Drops the contents of a settled range: frames, slots, and what the ground holds. */
void qr_space_drop(struct quire_space *space, struct quire_range range);
/* Where the ground walks the tables: it finds no page of the settled range any more, and
 * the entries keep what they name; off takes that back. */
void qr_space_hide(struct quire_space *space, struct quire_range range, bool on);
/* The same where the ground has let go of the pages already. */
void qr_space_forget(struct quire_space *space, struct quire_range range);
/* Calls visit for each entry of the range that is not empty. */
void qr_space_each(struct quire_space *space, struct quire_range range,
		   void (*visit)(void *ctx, const struct qr_leaf *leaf, uint32_t index),
		   void *ctx);
/* Gives back the tables of the range that are empty. */
void qr_space_prune(struct quire_space *space, struct quire_range range);
/* True when every page of the range is in an area that is not foreign. */
bool qr_space_is_covered(struct quire_space *space, struct quire_range range);

/* remap.c */
enum quire_status qr_space_remap(struct quire_space *space, struct quire_lane *lane,
				 quire_vaddr start, uint64_t old_bytes,
				 uint64_t new_bytes, uint32_t flags, quire_vaddr target,
				 quire_vaddr *out);

/* advise.c */
enum quire_status qr_space_advise(struct quire_space *space, struct quire_range range,
				  enum quire_advice advice);
enum quire_status qr_space_mlock(struct quire_space *space, struct quire_range range,
				 bool on);
enum quire_status qr_space_mlock_all(struct quire_space *space, bool current,
				     bool future);
/* The most bytes that may be locked at a time. */
uint64_t qr_space_lockable(const struct quire_space *space);
/* Residence of at most 64 pages from start, bit i for page i. */
enum quire_status qr_space_resident(struct quire_space *space, struct quire_range range,
				    uint64_t *bits);

/* fault.c */
enum quire_status qr_space_fault(struct quire_space *space, uint32_t lane, quire_vaddr va,
				 uint32_t access);

/* load.c */

/* Brings the packed bytes of slot back to dst, one page.  Called and returns with the
 * lock held; lets go of it meanwhile; the slot must be held by a BUSY entry. */
enum quire_status qr_space_load(struct quire_swap *swap, struct quire_lane *lane,
				quire_slot slot, void *dst, bool is_stream);

/* Gives up the copy that swap has of a present page's bytes, if there is one. */
void qr_space_drop_copy(struct quire_space *space, quire_pfn pfn);
/* Takes the present page of an entry out of the account: frame and copy. */
void qr_space_release_frame(struct quire_space *space, quire_pfn pfn);

/* The stamp of now. */
static inline uint32_t qr_space_stamp(const struct quire_space *space)
{
	return (uint32_t)(space->nr_evicted >> space->stamp_shift) & QUIRE_CREDIT_MAX;
}

#endif
