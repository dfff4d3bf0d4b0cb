/* SPDX-License-Identifier: MIT */
/* sim_kernel.c - the kernel of sim_kernel.h: a page cache, dentries with a shrinker,
 * kmalloc of all sizes, vmalloc, and a daemon that is called when it is woken.
 *
 * Its memory is the host's, which gives a page when it is first touched. */
#include "cli/sim_kernel.h"

#include "cli/sim.h"

#include "core/base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define NR_CPUS	   2u
#define NR_OBJECTS 4096u
#define NR_AREAS   64u
#define EVICT_MOST 64u
#define NOBODY	   UINT32_MAX

struct qr_sim_kernel {
	struct quire_port port;
	struct quire_kernel *kernel;
	struct quire_kmem_cache *dentry_cache;
	struct quire_shrinker shrinker;
	struct qr_sim_account account;
	uint64_t seed;
	uint32_t cpu;
	bool is_woken;
	/* The page cache: a ring of frames in order of age, and the place of each frame. */
	quire_pfn *pages;
	uint32_t *places;
	uint32_t oldest_page;
	/* The same of dentries. */
	void **dentries;
	uint32_t nr_dentries_most, oldest_dentry;
	void *objects[NR_OBJECTS];
	quire_vaddr areas[NR_AREAS];
};

static uint32_t draw(struct qr_sim_kernel *sim, uint32_t below)
{
	return (uint32_t)(qr_sim_random(&sim->seed) >> 32) % below;
}

/* One thread has it all: nobody is waited for. */
static void wait_for(void *ctx, _Atomic uint32_t *word, uint32_t value)
{
	(void)ctx;
	QUIRE_ASSERT(*word != value);
}

static void notify(void *ctx, _Atomic uint32_t *word, uint32_t nr)
{
	(void)ctx;
	(void)word;
	(void)nr;
}

/* There is no MMU that could remember anything. */
static void release(void *ctx, const struct quire_run *runs, uint32_t nr, uint32_t flags,
		    uint64_t *kept)
{
	(void)ctx;
	(void)runs;
	(void)nr;
	(void)flags;
	(void)kept;
}

static __attribute__((noreturn)) void panic(void *ctx, const char *why)
{
	(void)ctx;
	(void)fprintf(stderr, "quire: sim frames: %s\n", why);
	abort();
}

static uint32_t place_of(const struct qr_sim_kernel *sim, uint64_t i)
{
	return (uint32_t)((sim->oldest_page + i) % sim->port.nr_frames);
}

static void evict_page(struct qr_sim_kernel *sim)
{
	quire_pfn pfn = sim->pages[sim->oldest_page];

	sim->places[pfn.n] = NOBODY;
	sim->oldest_page = place_of(sim, 1);
	sim->account.pages--;
	quire_frames_free(quire_kernel_frames(sim->kernel), sim->cpu, pfn, 0);
}

static void on_wake(void *ctx)
{
	struct qr_sim_kernel *sim = ctx;

	sim->is_woken = true;
	sim->account.wakes++;
}

static bool on_pressure(void *ctx, uint32_t cpu, uint32_t order)
{
	struct qr_sim_kernel *sim = ctx;
	uint32_t nr = 0;

	(void)cpu;
	(void)order;
	for (; nr < EVICT_MOST && sim->account.pages > 0; nr++)
		evict_page(sim);
	sim->account.pages_evicted += nr;
	return nr > 0;
}

static bool on_move(void *ctx, quire_pfn from, quire_pfn to)
{
	struct qr_sim_kernel *sim = ctx;
	uint32_t place = sim->places[from.n];

	if (place == NOBODY)
		return false;
	sim->places[from.n] = NOBODY;
	sim->places[to.n] = place;
	sim->pages[place] = to;
	sim->account.pages_moved++;
	return true;
}

static uint64_t count_dentries(void *ctx)
{
	return ((const struct qr_sim_kernel *)ctx)->account.dentries;
}

static void free_dentry(struct qr_sim_kernel *sim)
{
	quire_kmem_cache_free(sim->dentry_cache, sim->cpu,
			      sim->dentries[sim->oldest_dentry]);
	sim->oldest_dentry = (sim->oldest_dentry + 1) % sim->nr_dentries_most;
	sim->account.dentries--;
}

static uint64_t scan_dentries(void *ctx, uint64_t nr)
{
	struct qr_sim_kernel *sim = ctx;
	uint64_t freed = 0;

	for (; freed < nr && sim->account.dentries > 0; freed++)
		free_dentry(sim);
	sim->account.dentries_shrunk += freed;
	return freed;
}

static void add_page(struct qr_sim_kernel *sim)
{
	quire_pfn pfn;
	uint32_t place;

	if (!quire_frames_alloc(quire_kernel_frames(sim->kernel), sim->cpu,
				QUIRE_FRAME_MAPPED, 0, QUIRE_ALLOC_MOVABLE, &pfn)) {
		sim->account.refused++;
		return;
	}
	place = place_of(sim, sim->account.pages++);
	sim->pages[place] = pfn;
	sim->places[pfn.n] = place;
}

static void add_dentry(struct qr_sim_kernel *sim)
{
	uint32_t place;
	void *dentry;

	if (sim->account.dentries == sim->nr_dentries_most)
		free_dentry(sim);
	dentry = quire_kmem_cache_alloc(sim->dentry_cache, sim->cpu, 0);
	if (dentry == NULL) {
		sim->account.refused++;
		return;
	}
	place = (uint32_t)((sim->oldest_dentry + sim->account.dentries++) %
			   sim->nr_dentries_most);
	sim->dentries[place] = dentry;
}

/* Each octave of sizes half as often as the one below. */
static void replace_object(struct qr_sim_kernel *sim)
{
	struct quire_objects *objects = quire_kernel_objects(sim->kernel);
	void **object = &sim->objects[draw(sim, NR_OBJECTS)];
	uint32_t octave = 0;

	while (octave < 11 && draw(sim, 2) == 0)
		octave++;
	if (*object != NULL)
		sim->account.objects--;
	quire_kfree(objects, sim->cpu, *object);
	*object = quire_kmalloc(objects, sim->cpu, (16u << octave) + draw(sim, 16),
				draw(sim, 32) == 0 ? QUIRE_GFP_DMA : 0);
	*(*object != NULL ? &sim->account.objects : &sim->account.refused) += 1;
}

static void replace_area(struct qr_sim_kernel *sim)
{
	struct quire_vmalloc *v = quire_kernel_vmalloc(sim->kernel);
	quire_vaddr *area = &sim->areas[draw(sim, NR_AREAS)];

	if (area->a != 0)
		sim->account.areas--;
	quire_vfree(v, *area);
	*area = quire_vmalloc(v, sim->cpu, (1 + draw(sim, 16)) * QUIRE_PAGE_BYTES, 0);
	*(area->a != 0 ? &sim->account.areas : &sim->account.refused) += 1;
}

static void step(struct qr_sim_kernel *sim)
{
	uint32_t what = draw(sim, 64);

	sim->cpu = draw(sim, NR_CPUS);
	sim->account.steps++;
	if (what == 0)
		replace_area(sim);
	else if (what < 16)
		replace_object(sim);
	else if (what < 32)
		add_dentry(sim);
	else
		add_page(sim);
	if (sim->is_woken) {
		sim->is_woken = false;
		sim->account.turns++;
		(void)quire_kernel_balance(sim->kernel, sim->cpu);
	}
}

static bool open_kernel(struct qr_sim_kernel *sim, enum quire_buddy_kind buddy)
{
	const struct quire_ram all = {.bytes = (uint64_t)sim->port.nr_frames
					       << QUIRE_PAGE_SHIFT};
	const struct quire_kmem_cache_args dentry = {
		.name = "dentry", .size = 192, .flags = QUIRE_SLAB_NO_MERGE};
	const struct quire_kernel_config config = {
		.frames = {.port = &sim->port,
			   .map = &all,
			   .nr_map = 1,
			   .nr_cpus = NR_CPUS,
			   .flags = QUIRE_FRAMES_GROUP,
			   .dma_end = 4u << 20,
			   .buddies = {buddy, buddy, buddy},
			   .ctx = sim,
			   .wake = on_wake,
			   .pressure = on_pressure,
			   .move = on_move},
		.secret = sim->seed,
		.window = {{1ull << 40}, {1ull << 41}},
	};
	uint32_t bad;

	if (quire_kernel_open(&sim->kernel, &config, &bad) != QUIRE_OK)
		return false;
	if (quire_kmem_cache_create(quire_kernel_objects(sim->kernel), &dentry,
				    &sim->dentry_cache) != QUIRE_OK)
		return false;
	sim->shrinker = (struct quire_shrinker){
		.count = count_dentries, .scan = scan_dentries, .ctx = sim, .seeks = 2};
	quire_shrinker_register(quire_kernel_objects(sim->kernel), &sim->shrinker);
	return true;
}

static bool reserve(struct qr_sim_kernel *sim, uint64_t ram)
{
	uint32_t nr = (uint32_t)(ram >> QUIRE_PAGE_SHIFT);

	sim->port = (struct quire_port){.version = QUIRE_PORT_VERSION,
					.nr_frames = nr,
					.wait = wait_for,
					.notify = notify,
					.release = release,
					.panic = panic};
	sim->port.direct = mmap(NULL, (size_t)ram, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (sim->port.direct == MAP_FAILED)
		return false;
	sim->nr_dentries_most = 4 * nr;
	sim->pages = calloc(nr, sizeof(sim->pages[0]));
	sim->places = malloc(nr * sizeof(sim->places[0]));
	sim->dentries = calloc(sim->nr_dentries_most, sizeof(sim->dentries[0]));
	for (uint32_t n = 0; sim->places != NULL && n < nr; n++)
		sim->places[n] = NOBODY;
	return sim->pages != NULL && sim->places != NULL && sim->dentries != NULL;
}

static void dispose(struct qr_sim_kernel *sim)
{
	if (sim->port.direct != NULL && sim->port.direct != MAP_FAILED)
		(void)munmap(sim->port.direct,
			     (size_t)sim->port.nr_frames << QUIRE_PAGE_SHIFT);
	free(sim->pages);
	free(sim->places);
	free(sim->dentries);
	free(sim);
}

struct qr_sim_kernel *qr_sim_kernel_new(uint64_t ram, enum quire_buddy_kind buddy,
					uint64_t seed)
{
	struct qr_sim_kernel *sim = calloc(1, sizeof(*sim));

	if (sim == NULL)
		return NULL;
	sim->seed = seed;
	if (!reserve(sim, ram) || !open_kernel(sim, buddy)) {
		dispose(sim);
		return NULL;
	}
	/* Half of the steps add a page: memory is full after two for each frame. */
	for (uint64_t i = 0; i < 4 * (uint64_t)sim->port.nr_frames; i++)
		step(sim);
	return sim;
}

struct quire_kernel *qr_sim_kernel_of(struct qr_sim_kernel *sim)
{
	return sim->kernel;
}

struct qr_sim_account qr_sim_kernel_account(const struct qr_sim_kernel *sim)
{
	return sim->account;
}

const char *qr_sim_kernel_delete(struct qr_sim_kernel *sim)
{
	struct quire_objects *objects = quire_kernel_objects(sim->kernel);
	const char *wrong = quire_kernel_validate(sim->kernel);

	while (sim->account.pages > 0)
		evict_page(sim);
	while (sim->account.dentries > 0)
		free_dentry(sim);
	for (uint32_t i = 0; i < NR_OBJECTS; i++)
		quire_kfree(objects, 0, sim->objects[i]);
	for (uint32_t i = 0; i < NR_AREAS; i++)
		quire_vfree(quire_kernel_vmalloc(sim->kernel), sim->areas[i]);
	if (wrong == NULL)
		wrong = quire_kernel_validate(sim->kernel);
	/* An object that is left stops it with its name. */
	quire_shrinker_unregister(objects, &sim->shrinker);
	if (quire_kernel_close(sim->kernel, NULL, NULL) != QUIRE_OK && wrong == NULL)
		wrong = "an area is left";
	dispose(sim);
	return wrong;
}
