/* SPDX-License-Identifier: MIT */
/* vmalloc.c - areas of the kernel's own addresses over scattered frames.
 *
 * Model.  Areas are nodes of one tree (area_tree.h), each with its guard page as a part of
 * it.  The entry of a page is *present*, or *lazy*: not present for the MMU, but it still
 * names its frame, so that freeing needs no memory to remember frames in.  Lazy areas are
 * in the tree, so that nobody gets their addresses, and on a chain besides.
 *
 * Invariants.  quire_vmalloc_validate() names the first that does not hold.
 *   A1  areas lie in the window, in order; the tree is as area.h says, A1 to A3;
 *   A2  the entries of an area in use are present, those of a lazy one lazy, and no other
 *       entry of the window is anything;
 *   A3  areas, pages and lazy pages are as many as counted, and each lazy area is on the
 *       chain.
 *
 * Locking.  lock guards all of it; inside it the zone's.  Records of areas come and go
 * with it not held, as that may call for reclaim, and reclaim flushes what is lazy.
 *
 * Cost.  A page costs a walk of four levels and a frame.  Of n areas one is found, and the
 * lowest room for one, in O(log n); a flush looks at lazy areas alone.
 */
#include "quire/vmalloc.h"

#include "core/base/assert.h"
#include "core/base/text.h"
#include "core/objects/cache.h"
#include "core/paging/tables.h"
#include "core/space/area_tree.h"

/* Not present for the MMU.  The bit keeps the entry from being empty. */
#define ENTRY_LAZY QUIRE_ENTRY_WANTED

#define GUARD_PAGES    1u
#define LAZY_MAX_USUAL ((32u << 20) / QUIRE_PAGE_BYTES)
#define WINDOW_END     (1ull << 47)

struct area {
	struct quire_area range; /* the guard included; first: its address is ours */
	struct area *next_lazy;
	bool is_lazy;
	bool is_borrowed; /* the frames are the caller's */
};

struct quire_vmalloc {
	struct quire_objects *objects;
	struct quire_zone *zone;
	struct quire_kmem_cache *records;
	uint64_t lazy_max;
	struct quire_shrinker shrinker;

	struct quire_lock lock;
	struct quire_tables tables;
	struct quire_areas areas; /* their records are the cache's */
	struct area *lazy;
	uint64_t nr_areas, nr_pages, nr_lazy, nr_flushes;
};

static struct area *area_of(struct quire_area *range)
{
	return (struct area *)(void *)range;
}

/* Pages, without the guard. */
static uint64_t nr_of(const struct area *area)
{
	return ((area->range.end - area->range.start) >> QUIRE_PAGE_SHIFT) - GUARD_PAGES;
}

static quire_vaddr page_of(const struct area *area, uint64_t i)
{
	return (quire_vaddr){area->range.start + (i << QUIRE_PAGE_SHIFT)};
}

/* Puts the area where room for it and its guard is lowest. */
static bool place(struct quire_vmalloc *v, struct area *area, uint64_t nr)
{
	uint64_t bytes = (nr + GUARD_PAGES) << QUIRE_PAGE_SHIFT;
	uint64_t start = qr_areas_gap(&v->areas, bytes, QUIRE_PAGE_BYTES);

	if (start == 0)
		return false;
	area->range.start = start;
	area->range.end = start + bytes;
	qr_area_link(&v->areas, &area->range);
	return true;
}

static void unlink(struct quire_vmalloc *v, const struct area *area)
{
	(void)qr_area_unlink(&v->areas, area->range.start);
}

/* The area in use that starts there, or NULL. */
static struct area *find(struct quire_vmalloc *v, uint64_t start)
{
	struct quire_area *range = qr_areas_find(&v->areas, start);

	if (range == NULL || range->start != start || area_of(range)->is_lazy)
		return NULL;
	return area_of(range);
}

static uint32_t zone_flags(uint32_t flags)
{
	return ((flags & QUIRE_GFP_ATOMIC) != 0 ? QUIRE_ALLOC_RESERVE : 0) |
	       ((flags & QUIRE_GFP_ZERO) != 0 ? QUIRE_ALLOC_ZERO : 0);
}

/* Unmaps the first nr pages, for good; their frames go back where they are the zone's
 * own.  The zone's lock is held. */
static void drop_pages(struct quire_vmalloc *v, const struct area *area, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++) {
		quire_vaddr va = page_of(area, i);
		struct qr_leaf leaf;
		quire_pfn pfn;

		QUIRE_ASSERT(qr_tables_leaf(&v->tables, va, &leaf));
		pfn = qr_entry_pfn(leaf.entries[qr_leaf_index(va)]);
		qr_leaf_set(&v->tables, &leaf, qr_leaf_index(va), (quire_entry){0});
		if (!area->is_borrowed)
			qr_zone_free(v->zone, pfn);
		if (i + 1 == nr ||
		    qr_leaf_index(page_of(area, i + 1)) < qr_leaf_index(va))
			qr_tables_prune(&v->tables, va);
	}
}

/* The zone's lock is held. */
static bool map_page(struct quire_vmalloc *v, quire_vaddr va, const quire_pfn *given,
		     uint32_t flags)
{
	struct qr_leaf leaf;
	quire_pfn pfn;

	if (!qr_tables_make_leaf(&v->tables, va, flags & QUIRE_ALLOC_RESERVE, &leaf))
		return false;
	if (given != NULL)
		pfn = *given;
	else if (!qr_zone_alloc(v->zone, QUIRE_FRAME_TABLE, flags, &pfn)) {
		qr_tables_prune(&v->tables, va);
		return false;
	}
	qr_leaf_set(&v->tables, &leaf, qr_leaf_index(va),
		    qr_entry_present(pfn, QUIRE_ENTRY_WRITABLE));
	return true;
}

/* All pages of the area, or none.  Others may have the zone between two pages. */
static bool map_pages(struct quire_vmalloc *v, const struct area *area,
		      const quire_pfn *pfns, uint32_t flags)
{
	uint64_t done = 0, nr = nr_of(area);
	bool is_mapped = true;

	while (done < nr && is_mapped) {
		qr_objects_lock_zone(v->objects, v->zone);
		is_mapped = map_page(v, page_of(area, done),
				     pfns != NULL ? &pfns[done] : NULL, flags);
		qr_objects_unlock_zone(v->objects, v->zone);
		done += is_mapped;
	}
	if (is_mapped)
		return true;
	qr_objects_lock_zone(v->objects, v->zone);
	drop_pages(v, area, done);
	qr_objects_unlock_zone(v->objects, v->zone);
	return false;
}

/* Every CPU forgets the lazy areas; the lock is held. */
static void forget_lazy(struct quire_vmalloc *v)
{
	const struct quire_port *port = v->zone->port;
	struct quire_run runs[64];
	uint32_t nr = 0;

	for (const struct area *area = v->lazy; area != NULL; area = area->next_lazy) {
		runs[nr++] = (struct quire_run){page_of(area, 0), nr_of(area)};
		if (nr == sizeof(runs) / sizeof(runs[0])) {
			port->release(port->ctx, runs, nr, QUIRE_RELEASE_FORCE, NULL);
			nr = 0;
		}
	}
	if (nr > 0)
		port->release(port->ctx, runs, nr, QUIRE_RELEASE_FORCE, NULL);
	v->nr_flushes++;
}

/* Lazy areas end; returns the chain of their records.  The lock is held. */
static struct area *end_lazy(struct quire_vmalloc *v)
{
	struct area *dead = v->lazy;

	if (dead == NULL)
		return NULL;
	forget_lazy(v);
	qr_objects_lock_zone(v->objects, v->zone);
	for (struct area *area = dead; area != NULL; area = area->next_lazy) {
		drop_pages(v, area, nr_of(area));
		unlink(v, area);
	}
	qr_objects_unlock_zone(v->objects, v->zone);
	v->lazy = NULL;
	v->nr_lazy = 0;
	return dead;
}

static void bury(struct quire_vmalloc *v, struct area *dead)
{
	while (dead != NULL) {
		struct area *next = dead->next_lazy;

		qr_cache_free_direct(v->records, QR_CPU_NONE, dead, NULL);
		dead = next;
	}
}

uint64_t quire_vmalloc_flush(struct quire_vmalloc *v)
{
	struct area *dead;
	uint64_t nr;

	qr_lock(&v->lock);
	nr = v->nr_lazy;
	dead = end_lazy(v);
	qr_unlock(&v->lock);
	bury(v, dead);
	return nr;
}

static uint64_t shrink_count(void *ctx)
{
	struct quire_vmalloc *v = ctx;
	uint64_t nr;

	qr_lock(&v->lock);
	nr = v->nr_lazy;
	qr_unlock(&v->lock);
	return nr;
}

/* A flush costs the same for all as for some. */
static uint64_t shrink_scan(void *ctx, uint64_t nr)
{
	uint64_t flushed = quire_vmalloc_flush(ctx);

	(void)nr;
	return flushed != 0 ? flushed : QUIRE_SHRINK_STOP;
}

enum quire_status quire_vmalloc_open(struct quire_vmalloc **out,
				     const struct quire_vmalloc_config *config)
{
	struct quire_objects *objects = config->objects;
	const struct quire_kmem_cache_args records = {.name = "vmap_area",
						      .size = sizeof(struct area)};
	uint64_t edges = config->window.start.a | config->window.end.a;
	struct quire_vmalloc *v;
	bool has_tables;

	if (config->window.start.a == 0 || edges % QUIRE_PAGE_BYTES != 0 ||
	    config->window.end.a <= config->window.start.a ||
	    config->window.end.a > WINDOW_END)
		return QUIRE_INVALID;
	if ((objects->zone->port->caps & QUIRE_PORT_COPIES) != 0)
		return QUIRE_UNSUPPORTED;
	v = quire_kzalloc(objects, 0, sizeof(*v), 0);
	if (v == NULL)
		return QUIRE_NO_MEMORY;
	*v = (struct quire_vmalloc){
		.objects = objects,
		.zone = objects->zone,
		.lazy_max = config->lazy_max != 0 ? config->lazy_max : LAZY_MAX_USUAL,
		.shrinker = {.count = shrink_count,
			     .scan = shrink_scan,
			     .ctx = v,
			     .batch = 1},
	};
	qr_lock_init(&v->lock, v->zone->port);
	qr_areas_init(&v->areas, v->zone, config->window.start.a, config->window.end.a);
	if (quire_kmem_cache_create(objects, &records, &v->records) != QUIRE_OK) {
		quire_kfree(objects, 0, v);
		return QUIRE_NO_MEMORY;
	}
	qr_objects_lock_zone(objects, v->zone);
	has_tables = qr_tables_init(&v->tables, v->zone);
	qr_objects_unlock_zone(objects, v->zone);
	if (!has_tables) {
		quire_kmem_cache_destroy(v->records, NULL, NULL);
		quire_kfree(objects, 0, v);
		return QUIRE_NO_MEMORY;
	}
	quire_shrinker_register(objects, &v->shrinker);
	*out = v;
	return QUIRE_OK;
}

enum quire_status quire_vmalloc_close(struct quire_vmalloc *v)
{
	struct quire_objects *objects = v->objects;

	if (v->nr_areas != 0)
		return QUIRE_BUSY;
	quire_shrinker_unregister(objects, &v->shrinker);
	quire_vmalloc_flush(v);
	qr_objects_lock_zone(objects, v->zone);
	qr_tables_destroy(&v->tables);
	qr_objects_unlock_zone(objects, v->zone);
	quire_kmem_cache_destroy(v->records, NULL, NULL);
	quire_kfree(objects, 0, v);
	return QUIRE_OK;
}

quire_pfn quire_vmalloc_root(const struct quire_vmalloc *v)
{
	return v->tables.root;
}

/* One try to place and map the area. */
static bool try_map(struct quire_vmalloc *v, struct area *area, uint64_t nr,
		    const quire_pfn *pfns, uint32_t flags)
{
	struct area *dead = NULL;
	bool is_placed, is_mapped;

	qr_lock(&v->lock);
	is_placed = place(v, area, nr);
	if (!is_placed) {
		dead = end_lazy(v);
		is_placed = dead != NULL && place(v, area, nr);
	}
	is_mapped = is_placed && map_pages(v, area, pfns, zone_flags(flags));
	if (is_placed && !is_mapped)
		unlink(v, area);
	if (is_mapped) {
		v->nr_areas++;
		v->nr_pages += nr;
	}
	qr_unlock(&v->lock);
	bury(v, dead);
	return is_mapped;
}

static quire_vaddr map(struct quire_vmalloc *v, uint32_t cpu, uint64_t nr,
		       const quire_pfn *pfns, uint32_t flags)
{
	uint64_t nr_window = (v->areas.ceiling - v->areas.floor) >> QUIRE_PAGE_SHIFT;
	struct area *area;

	if (nr == 0 || nr >= nr_window || (pfns == NULL && nr > v->zone->port->nr_frames))
		return (quire_vaddr){0};
	area = qr_cache_alloc_direct(v->records, cpu, flags, NULL);
	if (area == NULL)
		return (quire_vaddr){0};
	*area = (struct area){.is_borrowed = pfns != NULL};
	for (uint32_t attempt = 0; !try_map(v, area, nr, pfns, flags); attempt++) {
		if (!qr_objects_reclaim(v->objects, cpu, flags, (uint32_t)nr, attempt)) {
			qr_cache_free_direct(v->records, cpu, area, NULL);
			return (quire_vaddr){0};
		}
	}
	qr_objects_watch(v->objects, v->zone);
	return page_of(area, 0);
}

quire_vaddr quire_vmalloc(struct quire_vmalloc *v, uint32_t cpu, uint64_t bytes,
			  uint32_t flags)
{
	uint64_t nr = bytes / QUIRE_PAGE_BYTES + (bytes % QUIRE_PAGE_BYTES != 0);

	return map(v, cpu, nr, NULL, flags);
}

quire_vaddr quire_vzalloc(struct quire_vmalloc *v, uint32_t cpu, uint64_t bytes,
			  uint32_t flags)
{
	return quire_vmalloc(v, cpu, bytes, flags | QUIRE_GFP_ZERO);
}

quire_vaddr quire_vmap(struct quire_vmalloc *v, uint32_t cpu, const quire_pfn *pfns,
		       uint32_t nr, uint32_t flags)
{
	return map(v, cpu, nr, pfns, flags);
}

static __attribute__((noreturn)) void refuse(struct quire_vmalloc *v, quire_vaddr start)
{
	const struct quire_port *port = v->zone->port;
	char line[96];
	struct qr_text text;

	qr_text_init(&text, line, sizeof(line));
	qr_text_string(&text, "vmalloc: free of ", 0);
	qr_text_hex(&text, start.a);
	qr_text_string(&text, ", where no area in use starts", 0);
	port->panic(port->ctx, line);
}

static void make_lazy(struct quire_vmalloc *v, struct area *area)
{
	uint64_t nr = nr_of(area);

	for (uint64_t i = 0; i < nr; i++) {
		quire_vaddr va = page_of(area, i);
		struct qr_leaf leaf;
		uint64_t number;

		QUIRE_ASSERT(qr_tables_leaf(&v->tables, va, &leaf));
		number = leaf.entries[qr_leaf_index(va)].bits & QUIRE_ENTRY_NUMBER;
		qr_leaf_set(&v->tables, &leaf, qr_leaf_index(va),
			    (quire_entry){number | ENTRY_LAZY});
	}
	area->is_lazy = true;
	area->next_lazy = v->lazy;
	v->lazy = area;
	v->nr_areas--;
	v->nr_pages -= nr;
	v->nr_lazy += nr;
}

void quire_vfree(struct quire_vmalloc *v, quire_vaddr start)
{
	struct area *area, *dead = NULL;

	if (start.a == 0)
		return;
	qr_lock(&v->lock);
	area = find(v, start.a);
	if (area == NULL)
		refuse(v, start);
	make_lazy(v, area);
	if (v->nr_lazy > v->lazy_max)
		dead = end_lazy(v);
	qr_unlock(&v->lock);
	bury(v, dead);
}

bool quire_vmalloc_to_page(struct quire_vmalloc *v, quire_vaddr va, quire_pfn *out)
{
	struct qr_leaf leaf;
	bool is_there;

	if (va.a < v->areas.floor || va.a >= v->areas.ceiling)
		return false;
	qr_lock(&v->lock);
	is_there = qr_tables_leaf(&v->tables, va, &leaf) &&
		   qr_entry_is_present(leaf.entries[qr_leaf_index(va)]);
	if (is_there)
		*out = qr_entry_pfn(leaf.entries[qr_leaf_index(va)]);
	qr_unlock(&v->lock);
	return is_there;
}

struct quire_vmalloc_info quire_vmalloc_info(struct quire_vmalloc *v)
{
	struct quire_vmalloc_info info;

	qr_lock(&v->lock);
	info = (struct quire_vmalloc_info){.areas = v->nr_areas,
					   .pages = v->nr_pages,
					   .lazy_pages = v->nr_lazy,
					   .flushes = v->nr_flushes};
	qr_unlock(&v->lock);
	return info;
}

/* Entries of an area that are what its state says. */
static bool entries_agree(const struct quire_vmalloc *v, const struct area *area)
{
	for (uint64_t i = 0; i < nr_of(area); i++) {
		quire_vaddr va = page_of(area, i);
		struct qr_leaf leaf;
		quire_entry entry;

		if (!qr_tables_leaf(&v->tables, va, &leaf))
			return false;
		entry = leaf.entries[qr_leaf_index(va)];
		if (qr_entry_is_present(entry) == area->is_lazy ||
		    qr_entry_has(entry, ENTRY_LAZY) != area->is_lazy)
			return false;
	}
	return true;
}

static uint64_t count_entries(const struct quire_vmalloc *v)
{
	struct quire_range range = {{v->areas.floor}, {v->areas.ceiling}};
	struct qr_leaf leaf;
	uint64_t nr = 0;

	while (range.start.a < range.end.a &&
	       qr_tables_next_leaf(&v->tables, range, &leaf)) {
		nr += qr_zone_frame(v->zone, leaf.table)->nr_entries;
		range.start.a = leaf.base + QUIRE_LEAF_BYTES;
	}
	return nr;
}

static uint64_t chain_length(const struct quire_vmalloc *v)
{
	uint64_t nr = 0;

	for (const struct area *area = v->lazy; area != NULL; area = area->next_lazy)
		nr += area->is_lazy;
	return nr;
}

const char *quire_vmalloc_validate(struct quire_vmalloc *v)
{
	const char *wrong = qr_areas_validate_tree(&v->areas);
	uint64_t at = v->areas.floor;
	uint64_t nr_areas = 0, nr_pages = 0, nr_lazy_areas = 0, nr_lazy = 0;
	struct quire_area *range;

	if (wrong != NULL)
		return wrong;
	while ((range = qr_areas_first(&v->areas, at)) != NULL) {
		const struct area *area = area_of(range);

		if (!entries_agree(v, area))
			return "A2: an area's entries are not what its state says";
		*(area->is_lazy ? &nr_lazy_areas : &nr_areas) += 1;
		*(area->is_lazy ? &nr_lazy : &nr_pages) += nr_of(area);
		at = range->end;
	}
	if (count_entries(v) != nr_pages + nr_lazy)
		return "A2: an entry belongs to no area";
	if (nr_areas != v->nr_areas || nr_pages != v->nr_pages || nr_lazy != v->nr_lazy ||
	    nr_lazy_areas != chain_length(v))
		return "A3: areas or pages are not as many as counted";
	return NULL;
}
