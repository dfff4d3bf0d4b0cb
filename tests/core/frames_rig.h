/* SPDX-License-Identifier: MIT */
/* frames_rig.h - a machine of several zones over a test port. */
#ifndef QUIRE_TESTS_CORE_FRAMES_RIG_H
#define QUIRE_TESTS_CORE_FRAMES_RIG_H

#include "core/frames/frames_impl.h"
#include "tests/core/testport.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (1u << 20)

struct taken {
	quire_pfn pfn;
	uint32_t order;
};

struct rig {
	struct testport *tp;
	struct quire_frames *f;
	struct taken *taken;
	uint32_t nr_taken, room;
	uint32_t free_at_start;
};

static inline uint32_t rig_free(const struct rig *rig)
{
	uint32_t sum = 0;

	for (uint32_t z = 0; z < QUIRE_ZONES; z++) {
		struct quire_zone_info info;

		if (quire_frames_info(rig->f, (enum quire_zone_kind)z, &info))
			sum += info.free + info.cached;
	}
	return sum;
}

static inline void rig_check(const struct rig *rig)
{
	const char *wrong = quire_frames_validate(rig->f);

	if (wrong != NULL)
		fail_msg("%s", wrong);
}

/* Opens 24 MiB with DMA to 4 MiB and NORMAL to 16; what config leaves at 0 is filled in. */
static inline void rig_open(struct rig *rig, struct quire_frames_config config)
{
	static const struct quire_ram all = {0, 24 * MIB, QUIRE_RAM_USABLE};
	uint32_t bad;

	memset(rig, 0, sizeof(*rig));
	rig->tp = testport_new(24 * MIB >> QUIRE_PAGE_SHIFT, 0);
	config.port = &rig->tp->port;
	if (config.nr_cpus == 0)
		config.nr_cpus = 1;
	if (config.map == NULL) {
		config.map = &all;
		config.nr_map = 1;
	}
	if (config.dma_end == 0)
		config.dma_end = 4 * MIB;
	if (config.normal_end == 0)
		config.normal_end = 16 * MIB;
	if (config.min_free_kbytes == 0)
		config.min_free_kbytes = 256;
	assert_int_equal(quire_frames_open(&rig->f, &config, &bad), QUIRE_OK);
	rig->room = 24 * MIB >> QUIRE_PAGE_SHIFT;
	rig->taken = calloc(rig->room, sizeof(rig->taken[0]));
	assert_non_null(rig->taken);
	rig->free_at_start = rig_free(rig);
	rig_check(rig);
}

static inline bool rig_take(struct rig *rig, enum quire_frame_use use, uint32_t order,
			    uint32_t flags)
{
	quire_pfn pfn;

	if (!quire_frames_alloc(rig->f, 0, use, order, flags, &pfn))
		return false;
	assert_int_equal(quire_frames_use(rig->f, pfn), use);
	rig->taken[rig->nr_taken++] = (struct taken){pfn, order};
	return true;
}

static inline void rig_give(struct rig *rig, uint32_t i)
{
	struct taken taken = rig->taken[i];

	rig->taken[i] = rig->taken[--rig->nr_taken];
	quire_frames_free(rig->f, 0, taken.pfn, taken.order);
}

/* Gives all back; what is free and what is on the lists is what there was. */
static inline void rig_close(struct rig *rig)
{
	while (rig->nr_taken > 0)
		rig_give(rig, rig->nr_taken - 1);
	rig_check(rig);
	assert_int_equal(rig_free(rig), rig->free_at_start);
	for (uint32_t cpu = 0; cpu < rig->f->nr_cpus; cpu++)
		quire_frames_drain(rig->f, cpu);
	rig_check(rig);
	assert_int_equal(rig_free(rig), rig->free_at_start);
	free(rig->taken);
	testport_delete(rig->tp);
}

#endif
