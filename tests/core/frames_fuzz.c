/* SPDX-License-Identifier: MIT */
/* frames_fuzz.c - a fuzzer's bytes for choices: which machine, and what is asked of it; the
 * full walk over all invariants after every step.  (clang -fsanitize=fuzzer)
 *
 *     ninja -C build-clang tests/core/fuzz-frames
 *     build-clang/tests/core/fuzz-frames -max_total_time=60 */
#include "core/frames/frames_impl.h"
#include "tests/core/testport.h"
#include "tests/model/source.h"

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

static uint32_t next(struct source *source)
{
	return source_below(source, 256);
}

static uint32_t next_word(struct source *source)
{
	return source_below(source, 65536);
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

/* Who has frames writes to them. */
static void write_to(const struct quire_frames *f, const struct slot *slot)
{
	for (uint32_t i = 0; i < slot->nr; i++)
		f->port->direct[(size_t)(slot->pfn.n + i) << QUIRE_PAGE_SHIFT] = 1;
}

static void take(struct quire_frames *f, struct slot *slot, struct source *source)
{
	uint32_t what = next(source);
	enum quire_frame_use use = (enum quire_frame_use)(QUIRE_FRAME_TABLE + what % 4);

	give(f, slot);
	slot->order = next(source) % 11;
	if (quire_frames_alloc(f, what & 1, use, slot->order, next(source) & 63,
			       &slot->pfn))
		slot->nr = 1u << slot->order;
	write_to(f, slot);
}

static void take_run(struct quire_frames *f, struct slot *slot, struct source *source)
{
	enum quire_frame_use use =
		(enum quire_frame_use)(QUIRE_FRAME_TABLE + next(source) % 4);

	give(f, slot);
	slot->order = RUN;
	slot->nr = 1 + next_word(source) % 2000;
	if (!quire_frames_alloc_run(f, use, slot->nr, 1u << next(source) % 8,
				    next(source) & 63, &slot->pfn))
		slot->nr = 0;
	write_to(f, slot);
}

/* One user more, and one less. */
static void share(struct quire_frames *f, const struct slot *slot)
{
	if (slot->nr != 1 || slot->order != 0 ||
	    quire_frames_use(f, slot->pfn) == QUIRE_FRAME_TABLE)
		return;
	quire_frames_get(f, slot->pfn);
	need(quire_frames_users(f, slot->pfn) == 2);
	need(!quire_frames_put(f, 0, slot->pfn));
	need(quire_frames_users(f, slot->pfn) == 1);
}

/* Only free frames: one that is in use here would be freed again. */
static void retire(struct quire_frames *f, struct source *source)
{
	quire_pfn pfn = {next_word(source) % f->nr_frames};

	if (quire_frames_use(f, pfn) == QUIRE_FRAME_FREE)
		need(quire_frames_retire(f, pfn));
}

/* Every text, cut anywhere. */
static void show(struct quire_frames *f, struct source *source)
{
	char text[256];
	size_t room = 1 + next(source);
	struct quire_picture picture = {
		.zone = (enum quire_zone_kind)(next(source) % QUIRE_ZONES),
		.columns = 1 + next(source),
		.frames = next(source),
		.svg = next(source) % 2 == 0};

	need(strnlen(text, (quire_frames_buddyinfo(f, text, room), room)) < room);
	need(strnlen(text, (quire_frames_zoneinfo(f, text, room), room)) < room);
	need(strnlen(text, (quire_frames_pagetypeinfo(f, text, room), room)) < room);
	need(strnlen(text, (quire_frames_picture(f, &picture, text, room), room)) < room);
}

/* ctx: the slots. */
static bool move(void *ctx, quire_pfn from, quire_pfn to)
{
	struct slot *slots = ctx;

	for (uint32_t i = 0; i < NR_SLOTS; i++)
		if (slots[i].nr == 1 && slots[i].order == 0 && slots[i].pfn.n == from.n) {
			slots[i].pfn = to;
			return true;
		}
	return false;
}

static void step(struct quire_frames *f, struct slot *slots, struct source *source)
{
	uint32_t what = next(source) % 16;
	struct slot *slot = &slots[next(source) % NR_SLOTS];

	switch (what) {
	case 0:
	case 1:
		take_run(f, slot, source);
		break;
	case 2:
	case 3:
	case 4:
		give(f, slot);
		break;
	case 5:
		quire_frames_drain(f, next(source) & 1);
		break;
	case 6:
		retire(f, source);
		break;
	case 7:
		(void)quire_frames_reclaim(f);
		break;
	case 8:
		share(f, slot);
		break;
	case 9:
		(void)quire_frames_compact(f, next(source) % 11);
		break;
	case 10:
		quire_frames_fail_in(f, next(source) % 8);
		break;
	case 11:
		show(f, source);
		break;
	default:
		take(f, slot, source);
		break;
	}
}

/* The map is the fuzzer's too: it is put right, or refused. */
static bool open_machine(struct testport *tp, struct slot *slots, struct source *source,
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
		.flags = next(source) &
			 (QUIRE_FRAMES_TRACE | QUIRE_FRAMES_POISON | QUIRE_FRAMES_GROUP),
		.ctx = slots,
		.move = move,
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
	struct source source = source_data(data, bytes);
	struct testport *tp;
	struct quire_frames *f;

	if (bytes == 0)
		return 0;
	tp = testport_new(NR_FRAMES, 0);
	memset(slots, 0, sizeof(slots));
	if (open_machine(tp, slots, &source, &f)) {
		uint32_t before;

		(void)quire_frames_reclaim(f);
		before = free_frames(f);

		while (!source_is_over(&source)) {
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
