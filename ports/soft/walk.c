/* SPDX-License-Identifier: MIT */
/* walk.c - the page-table walk, as the processor does it.
 *
 * A second opinion: it shares no code and no constant with the core's tables, and is
 * written from the manual (Intel SDM volume 3, 4.5, paging of four and five levels).  Bit
 * 0 present, 1 writable, 2 user, 5 accessed, 6 dirty, 7 a large page in a table of the
 * second or third level, 12..51 the frame, 63 not for execution.  An access is allowed where every level allows it; A is
 * set at every level, D in the last one.  Both are set by one locked operation, which
 * fails where the entry has changed since it was read: then the walk starts again.
 */
#include "ports/soft/parts.h"

enum { P = 1, RW = 2, US = 4, A = 32, D = 64, PS = 128 };

#define NX	    (1ull << 63)
#define NR_LEVELS   4
#define LEVELS_MAX  5
#define LARGE_LEVEL 2 /* the highest table whose entries may be pages */
#define INDEX_BITS  9
#define FRAME_FIELD 0x000ffffffffff000ull
#define CANONICAL   (1ull << 47)

static _Atomic uint64_t *entry_at(struct qr_soft *soft, uint64_t table, uint64_t page,
				  int level)
{
	uint64_t index = page >> (12 + INDEX_BITS * level) & 511;
	unsigned char *frame;

	if (table >= soft->config.nr_frames)
		qr_soft_panic(soft, "a table entry names a frame that does not exist");
	frame = soft->port.direct + (table << 12);
	return (_Atomic uint64_t *)(void *)(frame + index * 8);
}

/* Sets bits in an entry that is still what was read of it. */
static bool update(_Atomic uint64_t *at, uint64_t seen, uint64_t bits)
{
	if ((seen & bits) == bits)
		return true;
	return atomic_compare_exchange_strong(at, &seen, seen | bits);
}

/* One walk.  mark: what to set at every level, mark_leaf: in the last one. */
enum walk_end { WALK_FAULT, WALK_DONE, WALK_AGAIN };

struct walk {
	uint64_t page;
	uint64_t root;
	int levels;
	bool is_access; /* rights are asked for, and A and D set */
	bool write, fetch;
	uint64_t mark, mark_leaf;
};

static bool is_allowed(const struct walk *walk, uint64_t rights)
{
	if (!walk->is_access)
		return true;
	return (rights & US) != 0 && (!walk->write || (rights & RW) != 0) &&
	       (!walk->fetch || (rights & NX) == 0);
}

static enum walk_end walk_once(struct qr_soft *soft, const struct walk *walk,
			       struct qr_soft_entry *out, uint64_t *leaf)
{
	_Atomic uint64_t *path[LEVELS_MAX];
	uint64_t seen[LEVELS_MAX];
	uint64_t table = walk->root, rights = RW | US;
	int level = walk->levels - 1;

	for (;; level--) {
		path[level] = entry_at(soft, table, walk->page, level);
		seen[level] = atomic_load(path[level]);
		if ((seen[level] & P) == 0)
			return WALK_FAULT;
		rights = (rights & seen[level] & (RW | US)) | (rights & NX) |
			 (seen[level] & NX);
		table = (seen[level] & FRAME_FIELD) >> 12;
		if (level == 0 || (level <= LARGE_LEVEL && (seen[level] & PS) != 0))
			break;
	}
	if (table >= soft->config.nr_frames)
		qr_soft_panic(soft, "a page's entry names a frame that does not exist");
	*out = (struct qr_soft_entry){
		.pfn = {(uint32_t)table},
		.is_present = true,
		.writable = (rights & (RW | US)) == (RW | US),
		.executable = (rights & NX) == 0,
		.shift = (uint32_t)(12 + INDEX_BITS * level),
		.leaf = path[level],
	};
	if (!is_allowed(walk, rights))
		return WALK_FAULT;
	for (int up = walk->levels - 1; up >= level; up--)
		if (!update(path[up], seen[up],
			    up == level ? walk->mark_leaf : walk->mark))
			return WALK_AGAIN;
	*leaf = seen[level] | walk->mark_leaf;
	return WALK_DONE;
}

static bool walk_until_done(struct qr_soft *soft, const struct walk *walk,
			    struct qr_soft_entry *out, uint64_t *leaf)
{
	enum walk_end end = WALK_FAULT;

	*out = (struct qr_soft_entry){.is_present = false};
	if (walk->page >= 1ull << (11 + INDEX_BITS * walk->levels))
		return false;
	do
		end = walk_once(soft, walk, out, leaf);
	while (end == WALK_AGAIN);
	return end == WALK_DONE;
}

bool qr_soft_walk(struct qr_soft *soft, uint64_t page, struct qr_soft_entry *out)
{
	struct walk walk = {.page = page, .root = soft->root.n, .levels = NR_LEVELS};
	uint64_t leaf;

	return soft->booted && walk_until_done(soft, &walk, out, &leaf);
}

bool qr_soft_walk_access(struct qr_soft *soft, uint64_t page, bool write,
			 struct qr_soft_translation *out)
{
	struct walk walk = {
		.page = page,
		.root = soft->root.n,
		.levels = NR_LEVELS,
		.is_access = true,
		.write = write,
		.mark = A,
		.mark_leaf = write ? A | D : A,
	};
	struct qr_soft_entry entry;
	uint64_t leaf;

	if (!soft->booted || !walk_until_done(soft, &walk, &entry, &leaf))
		return false;
	*out = (struct qr_soft_translation){
		.bytes = soft->port.direct + ((size_t)entry.pfn.n << 12),
		.writable = entry.writable,
		.dirty = (leaf & D) != 0,
	};
	return true;
}

bool qr_soft_walk_space(struct qr_soft *soft, const struct qr_soft_space *space,
			uint64_t page, uint32_t access, struct qr_soft_entry *out)
{
	bool write = (access & QUIRE_WRITE) != 0;
	struct walk walk = {
		.page = page,
		.root = space->root,
		.levels = (int)space->levels,
		.is_access = access != 0,
		.write = write,
		.fetch = (access & QUIRE_EXEC) != 0,
		.mark = access != 0 ? A : 0,
		.mark_leaf = access == 0 ? 0
			     : write	 ? A | D
					 : A,
	};
	uint64_t leaf = 0;
	bool done = walk_until_done(soft, &walk, out, &leaf);

	out->dirty = (leaf & D) != 0;
	return done;
}

/* The first address after page that the entry of that level does not cover. */
static uint64_t skip(uint64_t page, int level)
{
	uint64_t span = 1ull << (12 + INDEX_BITS * level);

	return (page & ~(span - 1)) + span;
}

/* The level whose entry for page is absent, or -1 where the page is there. */
static int absent_at(struct qr_soft *soft, uint64_t page)
{
	uint64_t table = soft->root.n;

	for (int level = NR_LEVELS - 1; level >= 0; level--) {
		uint64_t entry = atomic_load(entry_at(soft, table, page, level));

		if ((entry & P) == 0)
			return level;
		table = (entry & FRAME_FIELD) >> 12;
	}
	return -1;
}

void qr_soft_walk_all(struct qr_soft *soft, qr_soft_visit_fn *visit, void *ctx)
{
	uint64_t page = 0;

	while (soft->booted && page < CANONICAL) {
		struct qr_soft_entry entry;
		int level = absent_at(soft, page);

		if (level >= 0) {
			page = skip(page, level);
			continue;
		}
		if (qr_soft_walk(soft, page, &entry) && !visit(soft, ctx, page, &entry))
			return;
		page = skip(page, 0);
	}
}
