/* SPDX-License-Identifier: MIT */
/* kernel_fuzz.c - a fuzzer's bytes for choices (clang -fsanitize=fuzzer): frames, objects
 * and areas of one kernel that runs short, every invariant walked after each step. */
#include "quire/kernel.h"
#include "tests/core/testport.h"
#include "tests/model/source.h"

#include <stdlib.h>
#include <string.h>

#define NR_FRAMES 1536u
#define NR_SLOTS  64u
#define NR_CPUS	  2u

/* Of each kind as many are held at most. */
struct fuzzed {
	struct quire_kernel *kernel;
	quire_pfn frames[NR_SLOTS];
	uint32_t orders[NR_SLOTS];
	bool has_frames[NR_SLOTS];
	unsigned char *objects[NR_SLOTS];
	quire_vaddr areas[NR_SLOTS];
};

static void need(bool holds)
{
	if (!holds)
		abort();
}

static void release(void *ctx, const struct quire_run *runs, uint32_t nr, uint32_t flags,
		    uint64_t *kept)
{
	(void)ctx;
	(void)runs;
	(void)nr;
	(void)flags;
	(void)kept;
}

static void give_frames(struct fuzzed *z, uint32_t cpu, uint32_t i)
{
	if (z->has_frames[i])
		quire_frames_free(quire_kernel_frames(z->kernel), cpu, z->frames[i],
				  z->orders[i]);
	z->has_frames[i] = false;
}

static void frames_step(struct fuzzed *z, uint32_t cpu, uint32_t i, struct source *source)
{
	give_frames(z, cpu, i);
	z->orders[i] = source_below(source, 11);
	z->has_frames[i] = quire_frames_alloc(
		quire_kernel_frames(z->kernel), cpu, QUIRE_FRAME_TABLE, z->orders[i],
		source_below(source, 2) * QUIRE_ALLOC_RESERVE, &z->frames[i]);
}

/* What an object holds is its slot's number, through every change of its size. */
static void object_step(struct fuzzed *z, uint32_t cpu, uint32_t i, struct source *source)
{
	struct quire_objects *objects = quire_kernel_objects(z->kernel);
	size_t bytes = source_below(source, 65536) >> source_below(source, 16);
	uint32_t flags = source_below(source, 8);
	unsigned char *object = z->objects[i];

	if (object != NULL && quire_ksize(objects, object) > 0)
		need(object[0] == i);
	if (flags >= 4 || object == NULL) {
		quire_kfree(objects, cpu, object);
		object = quire_kmalloc(objects, cpu, bytes,
				       flags & (QUIRE_GFP_ATOMIC | QUIRE_GFP_DMA));
	} else {
		unsigned char *other = quire_krealloc(objects, cpu, object, bytes, flags);

		object = other != NULL ? other : object;
	}
	z->objects[i] = object;
	if (object != NULL && quire_ksize(objects, object) > 0)
		memset(object, (int)i, quire_ksize(objects, object));
}

static void area_step(struct fuzzed *z, uint32_t cpu, uint32_t i, struct source *source)
{
	struct quire_vmalloc *v = quire_kernel_vmalloc(z->kernel);
	quire_pfn pfn;

	quire_vfree(v, z->areas[i]);
	z->areas[i] =
		quire_vmalloc(v, cpu, (uint64_t)source_below(source, 65536) << 4, 0);
	need(z->areas[i].a == 0 || quire_vmalloc_to_page(v, z->areas[i], &pfn));
}

static void step(struct fuzzed *z, struct source *source)
{
	uint32_t what = source_below(source, 16);
	uint32_t cpu = source_below(source, NR_CPUS);
	uint32_t i = source_below(source, NR_SLOTS);

	if (what < 5)
		frames_step(z, cpu, i, source);
	else if (what < 10)
		object_step(z, cpu, i, source);
	else if (what < 12)
		area_step(z, cpu, i, source);
	else if (what == 12)
		(void)quire_kernel_balance(z->kernel, cpu);
	else if (what == 13)
		(void)quire_objects_shrink(quire_kernel_objects(z->kernel), cpu,
					   source_below(source, 13));
	else if (what == 14)
		quire_frames_fail_in(quire_kernel_frames(z->kernel),
				     source_below(source, 8));
	else
		quire_objects_drain(quire_kernel_objects(z->kernel), cpu);
	need(quire_kernel_validate(z->kernel) == NULL);
}

static void close_kernel(struct fuzzed *z)
{
	struct quire_frames *f = quire_kernel_frames(z->kernel);
	struct quire_zone_info info;

	for (uint32_t i = 0; i < NR_SLOTS; i++) {
		give_frames(z, 0, i);
		quire_kfree(quire_kernel_objects(z->kernel), 0, z->objects[i]);
		quire_vfree(quire_kernel_vmalloc(z->kernel), z->areas[i]);
	}
	need(quire_kernel_validate(z->kernel) == NULL);
	need(quire_kernel_close(z->kernel, NULL, NULL) == QUIRE_OK);
	for (uint32_t cpu = 0; cpu < NR_CPUS; cpu++)
		quire_frames_drain(f, cpu);
	for (uint32_t kind = 0; kind < QUIRE_ZONES; kind++)
		if (quire_frames_info(f, (enum quire_zone_kind)kind, &info))
			need(info.free == info.managed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const struct quire_ram map = {.bytes = (uint64_t)NR_FRAMES << QUIRE_PAGE_SHIFT};
	struct source source = source_data(data, bytes);
	struct quire_kernel_config config = {
		.frames = {.map = &map,
			   .nr_map = 1,
			   .nr_cpus = NR_CPUS,
			   .dma_end = 4u << 20,
			   .min_free_kbytes = 128},
		.window = {{1ull << 40}, {(1ull << 40) + (8u << 20)}},
		.lazy_max = 100,
	};
	struct fuzzed z = {0};
	struct testport *tp;
	uint32_t bad;

	if (bytes < 4)
		return -1;
	tp = testport_new(NR_FRAMES, 0);
	tp->port.release = release;
	config.frames.port = &tp->port;
	config.frames.flags = source_below(&source, 2) * QUIRE_FRAMES_GROUP;
	for (uint32_t i = 0; i < 2; i++)
		config.frames.buddies[i] =
			(enum quire_buddy_kind)source_below(&source, QUIRE_BUDDY_KINDS);
	need(quire_kernel_open(&z.kernel, &config, &bad) == QUIRE_OK);
	while (!source_is_over(&source))
		step(&z, &source);
	close_kernel(&z);
	testport_delete(tp);
	return 0;
}
