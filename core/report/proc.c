/* SPDX-License-Identifier: MIT */
/* proc.c - what /proc/PID says of one process: maps, smaps, status, pagemap. */
#include "core/base/text.h"
#include "core/space/mm_hugetlb.h"

#define KIB_A_PAGE (QUIRE_PAGE_BYTES / 1024)

/* Column of the name in a line of maps. */
#define NAME_COLUMN 73u

/* Of one area, or of several together; bytes. */
struct usage {
	uint64_t size, rss, pss, anon, huge, referenced, swap, locked;
	uint64_t shared_hugetlb, private_hugetlb;
	uint64_t shared_clean, shared_dirty, private_clean, private_dirty;
};

static const char *name_of(const struct quire_mm *mm, const struct quire_area *a)
{
	const char *file = qr_area_file_name(mm->vm, a);

	if (file != NULL)
		return file;
	if (qr_area_is_hugetlb(a))
		return "/anon_hugepage (deleted)";
	if (a->object != 0)
		return "/dev/zero (deleted)";
	if (qr_area_is(a, QUIRE_AREA_GROWSDOWN))
		return "[stack]";
	if (a->start < mm->brk.a && a->end > mm->config.brk.a)
		return "[heap]";
	return NULL;
}

/* Offset, device and inode. */
static void put_place(struct qr_text *text, const struct quire_mm *mm,
		      const struct quire_area *a)
{
	const struct quire_file *file = NULL;

	if (a->object != 0)
		file = qr_object_file(mm->vm, qr_object_at(&mm->vm->objects, a->object));
	qr_text_digits(text, a->object == 0 ? 0 : a->offset << QUIRE_PAGE_SHIFT, 8);
	qr_text_char(text, ' ');
	qr_text_digits(text, file == NULL ? 0 : file->config.major, 2);
	qr_text_char(text, ':');
	qr_text_digits(text, file == NULL ? a->object != 0 : file->config.minor, 2);
	qr_text_char(text, ' ');
	qr_text_number(text, file == NULL ? a->object : file->config.inode, 1);
	qr_text_char(text, ' ');
}

static void put_line(struct qr_text *text, const struct quire_mm *mm,
		     const struct quire_area *a)
{
	const char *name = name_of(mm, a);
	size_t start = text->length;

	qr_text_digits(text, a->start, 8);
	qr_text_char(text, '-');
	qr_text_digits(text, a->end, 8);
	qr_text_char(text, ' ');
	qr_text_char(text, (a->prot & QUIRE_READ) != 0 ? 'r' : '-');
	qr_text_char(text, (a->prot & QUIRE_WRITE) != 0 ? 'w' : '-');
	qr_text_char(text, (a->prot & QUIRE_EXEC) != 0 ? 'x' : '-');
	qr_text_char(text, qr_is_private(a) ? 'p' : 's');
	qr_text_char(text, ' ');
	put_place(text, mm, a);
	if (name != NULL) {
		qr_text_column(text, start, NAME_COLUMN);
		qr_text_put(text, name);
	}
	qr_text_char(text, '\n');
}

/* Whether the page of a store was written to, be it by another process. */
static bool is_dirty(const struct quire_vm *vm, const struct quire_frame *frame)
{
	const struct quire_object *object;

	if (!qr_page_has(frame, QUIRE_PAGE_FILE))
		return false;
	object = qr_object_at(&vm->objects, qr_page_id(frame));
	return qr_entry_has(qr_object_get(object, qr_page_index(frame)),
			    QUIRE_ENTRY_DIRTY);
}

static void count_present(struct usage *u, const struct quire_vm *vm, quire_entry e,
			  uint64_t bytes)
{
	const struct quire_frame *frame = qr_zone_frame(&vm->zone, qr_entry_pfn(e));
	bool of_object = qr_page_is(frame, QUIRE_PAGE_OF_OBJECT);
	uint32_t nr = frame->nr_entries - (of_object ? 1u : 0u);
	bool dirty = qr_entry_has(e, QUIRE_ENTRY_DIRTY) || is_dirty(vm, frame);

	if (qr_entry_pfn(e).n == vm->zero.n)
		return;
	u->rss += bytes;
	u->pss += bytes / nr;
	if (!of_object)
		u->anon += bytes;
	if (qr_entry_has(e, QUIRE_ENTRY_ACCESSED))
		u->referenced += bytes;
	if (nr > 1 && dirty)
		u->shared_dirty += bytes;
	else if (nr > 1)
		u->shared_clean += bytes;
	else if (dirty)
		u->private_dirty += bytes;
	else
		u->private_clean += bytes;
}

static void add_large(struct usage *u, const struct quire_mm *mm,
		      const struct quire_area *a)
{
	struct quire_range left = {{a->start}, {a->end}};
	struct qr_large at;

	while (left.start.a < a->end && qr_tables_next_large(&mm->tables, left, &at)) {
		const struct quire_frame *frame =
			qr_zone_frame(&mm->vm->zone, qr_entry_pfn(*at.entry));

		left.start.a = at.base + at.bytes;
		if (!qr_page_is_pooled(frame)) {
			count_present(u, mm->vm, *at.entry, at.bytes);
			u->huge += at.bytes;
		} else if (frame->nr_entries - (a->object != 0 ? 1u : 0u) > 1) {
			u->shared_hugetlb += at.bytes;
		} else {
			u->private_hugetlb += at.bytes;
		}
	}
}

static void add_usage(struct usage *u, const struct quire_mm *mm,
		      const struct quire_area *a)
{
	uint64_t before = u->pss;

	u->size += a->end - a->start;
	add_large(u, mm, a);
	for (uint64_t va = a->start; va < a->end; va += QUIRE_PAGE_BYTES) {
		struct qr_leaf leaf;
		quire_entry e;

		if (!qr_tables_leaf(&mm->tables, (quire_vaddr){va}, &leaf)) {
			va |= QUIRE_LEAF_BYTES - QUIRE_PAGE_BYTES;
			continue;
		}
		e = leaf.entries[qr_leaf_index((quire_vaddr){va})];
		if (qr_entry_is_present(e))
			count_present(u, mm->vm, e, QUIRE_PAGE_BYTES);
		else if (qr_entry_is_swapped(e))
			u->swap += QUIRE_PAGE_BYTES;
	}
	if (qr_area_is(a, QUIRE_AREA_LOCKED))
		u->locked += u->pss - before;
}

static void put_kib(struct qr_text *text, const char *name, uint64_t bytes)
{
	size_t start = text->length;

	qr_text_put(text, name);
	qr_text_char(text, ':');
	qr_text_column(text, start, 16);
	qr_text_number(text, bytes / 1024, 8);
	qr_text_put(text, " kB\n");
}

static void put_usage(struct qr_text *text, const struct usage *u)
{
	put_kib(text, "Rss", u->rss);
	put_kib(text, "Pss", u->pss);
	put_kib(text, "Shared_Clean", u->shared_clean);
	put_kib(text, "Shared_Dirty", u->shared_dirty);
	put_kib(text, "Private_Clean", u->private_clean);
	put_kib(text, "Private_Dirty", u->private_dirty);
	put_kib(text, "Referenced", u->referenced);
	put_kib(text, "Anonymous", u->anon);
	put_kib(text, "AnonHugePages", u->huge);
	put_kib(text, "Shared_Hugetlb", u->shared_hugetlb);
	put_kib(text, "Private_Hugetlb", u->private_hugetlb);
	put_kib(text, "Swap", u->swap);
	put_kib(text, "Locked", u->locked);
}

static void put_flags(struct qr_text *text, const struct quire_area *a)
{
	static const struct {
		uint32_t marks;
		char name[4];
	} names[] = {
		{QUIRE_AREA_GROWSDOWN, "gd "},	{QUIRE_AREA_LOCKED, "lo "},
		{QUIRE_AREA_SEQUENTIAL, "sr "}, {QUIRE_AREA_RANDOM, "rr "},
		{QUIRE_AREA_DONTFORK, "dc "},	{QUIRE_AREA_CHARGED, "ac "},
		{QUIRE_AREA_NORESERVE, "nr "},	{QUIRE_AREA_WIPEONFORK, "wf "},
		{QUIRE_AREA_HUGETLB, "ht "},	{QUIRE_AREA_HUGE, "hg "},
		{QUIRE_AREA_NOHUGE, "nh "},
	};

	qr_text_put(text, "VmFlags: ");
	qr_text_put(text, (a->prot & QUIRE_READ) != 0 ? "rd " : "");
	qr_text_put(text, (a->prot & QUIRE_WRITE) != 0 ? "wr " : "");
	qr_text_put(text, (a->prot & QUIRE_EXEC) != 0 ? "ex " : "");
	qr_text_put(text, qr_is_private(a) ? "" : "sh ");
	qr_text_put(text, "mr ");
	qr_text_put(text, qr_area_is(a, QUIRE_AREA_READONLY) ? "" : "mw ");
	qr_text_put(text, "me ");
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (qr_area_is(a, names[i].marks))
			qr_text_put(text, names[i].name);
	qr_text_char(text, '\n');
}

size_t quire_report_maps(struct quire_mm *mm, char *at, size_t room)
{
	struct qr_text text;

	qr_text_init(&text, at, room);
	qr_mm_enter(mm);
	for (const struct quire_area *a = qr_mm_from(mm, 0); a != NULL;
	     a = qr_mm_from(mm, a->end))
		put_line(&text, mm, a);
	qr_mm_leave(mm);
	return text.length;
}

static uint64_t page_bytes(const struct quire_area *a)
{
	return qr_area_is_hugetlb(a) ? qr_hugetlb_bytes(a->marks) : QUIRE_PAGE_BYTES;
}

size_t quire_report_smaps(struct quire_mm *mm, char *at, size_t room)
{
	struct qr_text text;

	qr_text_init(&text, at, room);
	qr_mm_enter(mm);
	for (const struct quire_area *a = qr_mm_from(mm, 0); a != NULL;
	     a = qr_mm_from(mm, a->end)) {
		struct usage u = {0};

		add_usage(&u, mm, a);
		put_line(&text, mm, a);
		put_kib(&text, "Size", u.size);
		put_kib(&text, "KernelPageSize", page_bytes(a));
		put_kib(&text, "MMUPageSize", page_bytes(a));
		put_usage(&text, &u);
		put_flags(&text, a);
	}
	qr_mm_leave(mm);
	return text.length;
}

size_t quire_report_smaps_rollup(struct quire_mm *mm, char *at, size_t room)
{
	struct qr_text text;
	struct usage u = {0};
	uint64_t start = 0, end = 0;
	size_t line;

	qr_text_init(&text, at, room);
	qr_mm_enter(mm);
	for (const struct quire_area *a = qr_mm_from(mm, 0); a != NULL;
	     a = qr_mm_from(mm, a->end)) {
		if (u.size == 0)
			start = a->start;
		add_usage(&u, mm, a);
		end = a->end;
	}
	qr_mm_leave(mm);
	line = text.length;
	qr_text_digits(&text, start, 8);
	qr_text_char(&text, '-');
	qr_text_digits(&text, end, 8);
	qr_text_put(&text, " ---p 00000000 00:00 0 ");
	qr_text_column(&text, line, NAME_COLUMN);
	qr_text_put(&text, "[rollup]\n");
	put_usage(&text, &u);
	return text.length;
}

static void put_status(struct qr_text *text, const char *name, uint64_t pages)
{
	qr_text_put(text, name);
	qr_text_put(text, ":\t");
	qr_text_number(text, pages * KIB_A_PAGE, 8);
	qr_text_put(text, " kB\n");
}

size_t quire_report_status(struct quire_mm *mm, char *at, size_t room)
{
	struct qr_text text;
	struct quire_mm_figures f;

	qr_text_init(&text, at, room);
	quire_mm_figures(mm, &f);
	qr_text_put(&text, "Name:\t");
	qr_text_put(&text, mm->config.name);
	qr_text_put(&text, "\nPid:\t");
	qr_text_number(&text, mm->config.pid, 1);
	qr_text_char(&text, '\n');
	put_status(&text, "VmPeak", f.peak_total);
	put_status(&text, "VmSize", f.total);
	put_status(&text, "VmLck", f.locked);
	put_status(&text, "VmHWM", f.peak_rss);
	put_status(&text, "VmRSS", f.rss_anon + f.rss_file + f.rss_shared);
	put_status(&text, "RssAnon", f.rss_anon);
	put_status(&text, "RssFile", f.rss_file);
	put_status(&text, "RssShmem", f.rss_shared);
	put_status(&text, "VmData", f.data);
	put_status(&text, "VmStk", f.stack);
	put_status(&text, "VmPTE", f.tables);
	put_status(&text, "VmSwap", f.swapped);
	put_status(&text, "HugetlbPages", f.hugetlb);
	return text.length;
}

/* Bits of pagemap's word.  (Linux, Documentation/admin-guide/mm/pagemap.rst.) */
#define PAGEMAP_EXCLUSIVE (1ull << 56)
#define PAGEMAP_SHARED	  (1ull << 61)
#define PAGEMAP_SWAPPED	  (1ull << 62)
#define PAGEMAP_PRESENT	  (1ull << 63)
#define PAGEMAP_SLOT	  5 /* the swap area's number comes below */

static uint64_t pagemap(struct quire_mm *mm, uint64_t va)
{
	const struct quire_frame *frame;
	struct qr_large large;
	struct qr_leaf leaf;
	uint64_t word, inside = 0;
	quire_entry e;

	if (qr_tables_large(&mm->tables, (quire_vaddr){va}, &large)) {
		e = *large.entry;
		inside = qr_pages(va - large.base);
	} else if (qr_tables_leaf(&mm->tables, (quire_vaddr){va}, &leaf)) {
		e = leaf.entries[qr_leaf_index((quire_vaddr){va})];
	} else {
		return 0;
	}
	if (qr_entry_is_swapped(e))
		return PAGEMAP_SWAPPED | (uint64_t)qr_entry_number(e) << PAGEMAP_SLOT;
	if (!qr_entry_is_present(e))
		return 0;
	word = PAGEMAP_PRESENT | (qr_entry_pfn(e).n + inside);
	if (qr_entry_pfn(e).n == mm->vm->zero.n)
		return word;
	frame = qr_zone_frame(&mm->vm->zone, qr_entry_pfn(e));
	if (qr_page_is(frame, QUIRE_PAGE_OF_OBJECT))
		return word | PAGEMAP_SHARED |
		       (frame->nr_entries == 2 ? PAGEMAP_EXCLUSIVE : 0);
	return word | (frame->nr_entries == 1 ? PAGEMAP_EXCLUSIVE : 0);
}

uint64_t quire_report_pagemap(struct quire_mm *mm, uint64_t va)
{
	uint64_t word;

	qr_mm_enter(mm);
	word = pagemap(mm, va);
	qr_mm_leave(mm);
	return word;
}
