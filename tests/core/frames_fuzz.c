/* SPDX-License-Identifier: MIT */
/* frames_fuzz.c - a fuzzer's bytes for choices: which machine, and what is asked of it; the
 * full walk over all invariants after every step.  (clang -fsanitize=fuzzer)
 *
 *     ninja -C build-clang tests/core/fuzz-frames
 *     build-clang/tests/core/fuzz-frames -max_total_time=60 */
#include "core/frames/frames_impl.h"
#include "tests/core/testport.h"

#include <stdlib.h>
#include <string.h>

#define MIB (1u << 20)

#define BYTES	  (8 * MIB)
#define NR_FRAMES (BYTES >> QUIRE_PAGE_SHIFT)
#define NR_SLOTS  256u

/* What was taken; a run where order is RUN. */
#define RUN 99u
struct slot {
	quire_pfn pfn;
	uint32_t order, nr;
};

struct source {
	const uint8_t *at;
	size_t left;
};

static uint32_t next(struct source *source)
{
	if (source->left == 0)
		return 0;
	source->left--;
	return *source->at++;
}

static uint32_t next_word(struct source *source)
{
	uint32_t high = next(source);

	return high << 8 | next(source);
}

static void need(bool holds)
{
	if (!holds)
		abort();
}

static void give(struct quire_frames *f, struct slot *slot)
{
	if (slot->nr == 0)
		return;
	if (slot->order == RUN)
		quire_frames_free_run(f, slot->pfn, slot->nr);
	else
		quire_frames_free(f, slot->pfn.n & 1, slot->pfn, slot->order);
	slot->nr = 0;
}

static uint32_t nr_retired(struct quire_frames *f)
{
	uint32_t sum = 0;

	for (uint32_t z = 0; z < QUIRE_ZONES; z++) {
		struct quire_zone_info info;

		if (quire_frames_info(f, (enum quire_zone_kind)z, &info))
			sum += info.uses[QUIRE_FRAME_BAD];
	}
	return sum;
}

static void step(struct quire_frames *f, struct slot *slots, struct source *source)
{
	uint32_t what = next(source);
	struct slot *slot = &slots[next(source) % NR_SLOTS];
	enum quire_frame_use use = (enum quire_frame_use)(QUIRE_FRAME_TABLE + what % 4);

	switch (what >> 5) {
	case 0:
	case 1:
	case 2:
		give(f, slot);
		slot->order = next(source) % 11;
		if (quire_frames_alloc(f, what & 1, use, slot->order, next(source) & 31,
				       &slot->pfn))
			slot->nr = 1u << slot->order;
		break;
	case 3:
		give(f, slot);
		slot->order = RUN;
		slot->nr = 1 + next_word(source) % 2000;
		if (!quire_frames_alloc_run(f, use, slot->nr, 1u << next(source) % 8,
					    next(source) & 31, &slot->pfn))
			slot->nr = 0;
		break;
	case 4:
		give(f, slot);
		break;
	case 5:
		quire_frames_drain(f, what & 1);
		break;
	case 6:
		/* Only free frames: one that is in use here would be freed again. */
		if ((what & 7) == 0) {
			quire_pfn pfn = {next_word(source) % f->nr_frames};

			if (quire_frames_use(f, pfn) == QUIRE_FRAME_FREE)
				need(quire_frames_retire(f, pfn));
		}
		break;
	default:
		(void)quire_frames_reclaim(f);
		break;
	}
}

/* The map is the fuzzer's too: it is put right, or refused. */
static bool open_machine(struct testport *tp, struct source *source,
			 struct quire_frames **out)
{
	struct quire_ram map[6];
	struct quire_frames_config config = {
		.port = &tp->port,
		.map = map,
		.nr_map = 1 + next(source) % 6,
		.nr_cpus = 2,
		.dma_end = (next(source) % 2) * 4 * MIB,
		.normal_end = next(source) % 2 == 0 ? 4 * MIB : 0,
		.flags = next(source) & QUIRE_FRAMES_GROUP,
		.fibonacci_lag = next(source) % 9,
		.min_free_kbytes = 128,
	};
	uint32_t bad;

	for (uint32_t i = 0; i < QUIRE_ZONES; i++)
		config.buddies[i] = (enum quire_buddy_kind)(next(source) % 4);
	map[0] = (struct quire_ram){0, BYTES, QUIRE_RAM_USABLE};
	for (uint32_t i = 1; i < config.nr_map; i++)
		map[i] = (struct quire_ram){(uint64_t)next_word(source) << 7,
					    (uint64_t)next_word(source) << 6,
					    (enum quire_ram_type)(next(source) % 4)};
	return quire_frames_open(out, &config, &bad) == QUIRE_OK;
}

static uint32_t free_frames(struct quire_frames *f)
{
	uint32_t sum = 0;

	for (uint32_t z = 0; z < QUIRE_ZONES; z++) {
		struct quire_zone_info info;

		if (quire_frames_info(f, (enum quire_zone_kind)z, &info))
			sum += info.free + info.cached + info.uses[QUIRE_FRAME_BAD];
	}
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static struct slot slots[NR_SLOTS];
	struct source source = {data, bytes};
	struct testport *tp = testport_new(NR_FRAMES, 0);
	struct quire_frames *f;

	memset(slots, 0, sizeof(slots));
	if (open_machine(tp, &source, &f)) {
		(void)quire_frames_reclaim(f);
		uint32_t before = free_frames(f);

		while (source.left > 0) {
			step(f, slots, &source);
			need(quire_frames_validate(f) == NULL);
		}
		for (uint32_t i = 0; i < NR_SLOTS; i++)
			give(f, &slots[i]);
		need(quire_frames_validate(f) == NULL);
		need(free_frames(f) == before && nr_retired(f) <= before);
	}
	testport_delete(tp);
	return 0;
}
