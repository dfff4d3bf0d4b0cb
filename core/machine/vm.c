/* SPDX-License-Identifier: MIT */
/* vm.c - builds a machine with many spaces in its port's frames.
 *
 * Layout, from frame 0: the frame table, struct quire_vm, the groups of mobility, the
 * workspace of swapping, the page of zeros, the ghosts of pages that went out; the rest is
 * free.
 */
#include "core/base/memory.h"
#include "core/reclaim/frame_clock.h"
#include "core/report/vm_validate.h"
#include "core/space/mm_hugetlb.h"

#define LEAST_WORKING_FRAMES 256u
#define MAX_AREAS_DEFAULT    65530u
#define STACK_GAP_DEFAULT    (256 * QUIRE_PAGE_BYTES)
#define CODEC_STATE_MAX	     32768u

/* Linux's. */
#define SWAPPINESS_DEFAULT	   60u
#define SWAPPINESS_MAX		   200u
#define PAGE_CLUSTER_DEFAULT	   3u
#define DIRTY_BACKGROUND_DEFAULT   10u
#define DIRTY_DEFAULT		   20u
#define DIRTY_EXPIRE_MS_DEFAULT	   30000u
#define DIRTY_WRITEBACK_MS_DEFAULT 5000u

static uint32_t frames_of(size_t bytes)
{
	return (uint32_t)((bytes + QUIRE_PAGE_BYTES - 1) >> QUIRE_PAGE_SHIFT);
}

static uint32_t codec_frames(const struct quire_vm_config *config)
{
	return config->codec == NULL ? 0 : frames_of(config->codec->state_bytes);
}

/* Packed bytes, an extent, the codec's state, zeros, ghosts. */
static uint32_t work_frames(const struct quire_vm_config *config, uint32_t nr_frames)
{
	return 1 + QUIRE_EXTENT_FRAMES + codec_frames(config) + 1 +
	       qr_workingset_frames(nr_frames);
}

static uint32_t group_frames(uint32_t nr_frames)
{
	return frames_of((nr_frames >> QUIRE_GROUP_SHIFT) + 1);
}

static uint32_t meta_frames(const struct quire_vm_config *config, uint32_t nr_frames)
{
	return qr_zone_table_frames(nr_frames) + frames_of(sizeof(struct quire_vm)) +
	       group_frames(nr_frames) + work_frames(config, nr_frames);
}

uint32_t quire_vm_frames_least(const struct quire_vm_config *config)
{
	uint32_t nr = LEAST_WORKING_FRAMES + meta_frames(config, LEAST_WORKING_FRAMES);

	return LEAST_WORKING_FRAMES + meta_frames(config, nr);
}

static bool is_valid(const struct quire_port *port, const struct quire_vm_config *config)
{
	if (port->version != QUIRE_PORT_VERSION || port->direct == NULL ||
	    (port->caps & QUIRE_PORT_COPIES) != 0 || config->stats == NULL ||
	    config->mmu == NULL || config->levels > QUIRE_LEVELS_MAX ||
	    (config->levels != 0 && config->levels < QUIRE_TABLE_LEVELS))
		return false;
	if ((config->swappiness > SWAPPINESS_MAX &&
	     config->swappiness != QUIRE_SWAPPINESS_NONE) ||
	    config->dirty_background_ratio > 100 || config->dirty_ratio > 100)
		return false;
	if (config->page_cluster > QR_AHEAD_ORDER_MAX &&
	    config->page_cluster != QUIRE_PAGE_CLUSTER_NONE)
		return false;
	if (config->swap != QUIRE_SWAP_NONE &&
	    (config->codec == NULL || config->codec->state_bytes > CODEC_STATE_MAX))
		return false;
	return config->swap != QUIRE_SWAP_FILE ||
	       (port->swap_open != NULL && port->swap_read != NULL &&
		port->swap_write != NULL);
}

static void set_default(uint32_t *setting, uint32_t value)
{
	if (*setting == 0)
		*setting = value;
}

static void set_defaults(struct quire_vm_config *config)
{
	if (config->levels == 0)
		config->levels = QUIRE_TABLE_LEVELS;
	if (config->max_areas == 0)
		config->max_areas = MAX_AREAS_DEFAULT;
	if (config->stack_gap == 0)
		config->stack_gap = STACK_GAP_DEFAULT;
	set_default(&config->swappiness, SWAPPINESS_DEFAULT);
	if (config->swappiness == QUIRE_SWAPPINESS_NONE)
		config->swappiness = 0;
	set_default(&config->page_cluster, PAGE_CLUSTER_DEFAULT);
	if (config->page_cluster == QUIRE_PAGE_CLUSTER_NONE)
		config->page_cluster = 0;
	set_default(&config->dirty_background_ratio, DIRTY_BACKGROUND_DEFAULT);
	set_default(&config->dirty_ratio, DIRTY_DEFAULT);
	set_default(&config->dirty_expire_ms, DIRTY_EXPIRE_MS_DEFAULT);
	set_default(&config->dirty_writeback_ms, DIRTY_WRITEBACK_MS_DEFAULT);
}

static void *carve(struct quire_vm *vm, uint32_t *next, uint32_t nr)
{
	void *at = vm->port->direct + ((size_t)*next << QUIRE_PAGE_SHIFT);

	*next += nr;
	return at;
}

static void init_work(struct quire_vm *vm, uint32_t next)
{
	vm->lane.packed = carve(vm, &next, 1);
	vm->lane.bounce.bytes = carve(vm, &next, QUIRE_EXTENT_FRAMES);
	vm->lane.bounce.nr = 1;
	vm->lane.codec_state = carve(vm, &next, codec_frames(&vm->config));
	vm->zero = (quire_pfn){next};
	memset(carve(vm, &next, 1), 0, QUIRE_PAGE_BYTES);
	qr_workingset_init(&vm->cache.workingset, &vm->zone,
			   carve(vm, &next, qr_workingset_frames(vm->port->nr_frames)),
			   vm->config.swap != QUIRE_SWAP_NONE);
}

static void init_cache(struct quire_vm *vm)
{
	qr_page_cache_init(&vm->cache, &vm->zone, &vm->objects);
	vm->cache.vm = vm;
	vm->cache.protect = qr_page_protect;
	vm->cache.let_go = qr_vm_let_go;
	vm->cache.take_back = qr_vm_take_back;
}

enum quire_status quire_vm_open(struct quire_vm **out, const struct quire_port *port,
				const struct quire_vm_config *config)
{
	_Atomic uint8_t *groups;
	uint32_t meta, next;
	struct quire_vm *vm;
	bool is_ready;

	if (!is_valid(port, config))
		return QUIRE_INVALID;
	if (port->nr_frames < quire_vm_frames_least(config))
		return QUIRE_NO_MEMORY;
	meta = meta_frames(config, port->nr_frames);
	next = qr_zone_table_frames(port->nr_frames);
	vm = (struct quire_vm *)(void *)(port->direct +
					 ((size_t)next << QUIRE_PAGE_SHIFT));
	memset(vm, 0, sizeof(*vm));
	vm->port = port;
	vm->config = *config;
	set_defaults(&vm->config);
	vm->stats = config->stats;
	vm->pressure = qr_frames_reclaim;
	vm->evict = qr_frames_evict;
	vm->huge.thp = (struct quire_thp){
		.enabled = vm->config.thp,
		.defrag = QUIRE_THP_MADVISE,
		.max_ptes_none = QUIRE_HUGE_PAGES - 1,
		.max_ptes_swap = QUIRE_HUGE_PAGES / 8,
		.max_ptes_shared = QUIRE_HUGE_PAGES / 2,
		.pages_to_scan = 8 * QUIRE_HUGE_PAGES,
	};
	qr_lock_init(&vm->turn, port);
	qr_lock_init(&vm->inner, port);
	next += frames_of(sizeof(*vm));
	groups = carve(vm, &next, group_frames(port->nr_frames));
	memset((void *)groups, 1, (port->nr_frames >> QUIRE_GROUP_SHIFT) + 1);
	qr_lock(&vm->inner);
	qr_zone_init_grouped(&vm->zone, port, vm->stats, meta, groups);
	init_work(vm, next);
	qr_swap_init(&vm->swap, &vm->zone, &vm->inner,
		     config->swap == QUIRE_SWAP_NONE ? NULL : config->codec,
		     config->swap == QUIRE_SWAP_FILE);
	qr_pool_init(&vm->objects, &vm->zone, sizeof(struct quire_object));
	init_cache(vm);
	qr_pool_init(&vm->families, &vm->zone, 2 * sizeof(uint32_t));
	is_ready = qr_swap_cache_open(vm);
	qr_unlock(&vm->inner);
	if (!is_ready)
		return QUIRE_NO_MEMORY;
	*out = vm;
	return QUIRE_OK;
}

void quire_vm_close(struct quire_vm *vm)
{
	qr_lock(&vm->inner);
	qr_page_cache_destroy(&vm->cache);
	qr_swap_cache_close(vm);
	qr_pool_destroy(&vm->objects);
	qr_pool_destroy(&vm->families);
	qr_swap_destroy(&vm->swap);
	qr_unlock(&vm->inner);
}

const char *quire_vm_validate(struct quire_vm *vm)
{
	const char *wrong;

	qr_lock(&vm->turn);
	qr_lock(&vm->inner);
	wrong = qr_zone_validate(&vm->zone);
	if (wrong == NULL)
		wrong = qr_pool_validate(&vm->objects);
	if (wrong == NULL)
		wrong = qr_pool_validate(&vm->families);
	if (wrong == NULL)
		wrong = qr_report_vm_validate(vm);
	if (wrong == NULL)
		wrong = qr_swap_validate(&vm->swap);
	qr_unlock(&vm->inner);
	qr_unlock(&vm->turn);
	return wrong;
}

static void count_objects(const struct quire_vm *vm, struct quire_vm_figures *out)
{
	for (uint32_t n = qr_pool_next(&vm->objects, 0); n != 0;
	     n = qr_pool_next(&vm->objects, n)) {
		const struct quire_object *object = qr_object_at(&vm->objects, n);

		if (n == vm->swap_cache.object)
			out->swap_cached = object->nr_resident;
		else if (object->has_store)
			out->file += object->nr_resident;
		else if (object->huge_marks == 0)
			out->shared += object->nr_resident;
	}
	for (uint32_t n = 0; n < vm->zone.buddy.nr_frames; n++) {
		const struct quire_frame *frame = &vm->zone.frames[n];

		out->mapped += frame->use == QUIRE_FRAME_MAPPED &&
			       qr_page_is(frame, QUIRE_PAGE_OF_OBJECT) &&
			       !qr_page_is_pooled(frame) && frame->nr_entries > 1;
	}
}

static void count_files(const struct quire_vm *vm, struct quire_vm_figures *out)
{
	const struct quire_workingset *ws = &vm->cache.workingset;

	out->active_anon = ws->nr_active[QR_ANON];
	out->active_file = ws->nr_active[QR_FILE];
	out->dirty = vm->cache.nr_dirty;
	out->writeback = vm->cache.nr_writeback;
	out->dirtied = vm->cache.dirtied;
	out->written = vm->cache.written;
	out->file_in = vm->cache.pages_in;
	out->file_out = vm->cache.pages_out;
	for (uint32_t kind = 0; kind < QR_KINDS; kind++) {
		out->refaults[kind] = ws->refaults[kind];
		out->activated[kind] = ws->activated[kind];
		out->restored[kind] = ws->restored[kind];
	}
}

void quire_vm_figures(struct quire_vm *vm, struct quire_vm_figures *out)
{
	qr_lock(&vm->turn);
	*out = vm->figures;
	out->file = 0;
	out->mapped = 0;
	out->total = vm->zone.buddy.nr_frames;
	out->free = qr_zone_free_frames(&vm->zone);
	out->tables = vm->stats->frames_table;
	out->store = vm->stats->frames_store;
	out->meta = vm->stats->frames_meta;
	out->committed = vm->committed;
	out->commit_limit = qr_vm_commit_limit(vm);
	out->swapped = vm->stats->stored_pages + vm->stats->spilled_pages;
	count_objects(vm, out);
	count_files(vm, out);
	out->hugetlb = qr_hugetlb_frames(vm);
	out->anon = vm->stats->frames_mapped - out->shared - out->file -
		    out->swap_cached - out->hugetlb;
	qr_unlock(&vm->turn);
}
