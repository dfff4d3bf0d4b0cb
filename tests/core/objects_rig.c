/* SPDX-License-Identifier: MIT */
/* objects_rig.c - builds and takes down what objects_rig.h says. */
#include "tests/core/objects_rig.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void insist(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "objects: %s\n", what);
	abort();
}

void objects_rig_open(struct objects_rig *rig, uint32_t nr_frames,
		      const struct quire_objects_config *wish, bool is_dma)
{
	struct quire_objects_config config = *wish;

	memset(rig, 0, sizeof(*rig));
	rig->tp = testport_new(nr_frames, 0);
	qr_zone_init(&rig->zone, &rig->tp->port, &rig->tp->stats,
		     qr_zone_table_frames(nr_frames));
	qr_lock_init(&rig->zone_lock, &rig->tp->port);
	rig->free_at_start = (uint32_t)qr_zone_free_frames(&rig->zone);
	config.zone = &rig->zone;
	config.dma_zone = is_dma ? &rig->zone : NULL;
	config.zone_lock = &rig->zone_lock;
	if (config.nr_cpus == 0)
		config.nr_cpus = 1;
	insist(quire_objects_open(&rig->objects, &config) == QUIRE_OK,
	       "no allocator opened");
	objects_rig_validate(rig);
}

void objects_rig_validate(struct objects_rig *rig)
{
	const char *wrong = quire_objects_validate(rig->objects);

	if (wrong == NULL)
		wrong = qr_zone_validate(&rig->zone);
	insist(wrong == NULL, wrong);
}

void objects_rig_close(struct objects_rig *rig)
{
	objects_rig_validate(rig);
	insist(quire_objects_close(rig->objects, NULL, NULL) == 0, "objects leaked");
	insist(qr_zone_validate(&rig->zone) == NULL, "the zone is not sound");
	insist(qr_zone_free_frames(&rig->zone) == rig->free_at_start, "frames leaked");
	testport_delete(rig->tp);
}

struct quire_slabinfo objects_rig_info(struct objects_rig *rig, const char *name)
{
	struct quire_slabinfo info;

	for (uint32_t i = 0; quire_slabinfo(rig->objects, i, &info); i++) {
		if (strcmp(info.name, name) == 0)
			return info;
	}
	insist(false, "no cache of that name");
	return info;
}

uint32_t objects_rig_slabs(const struct objects_rig *rig)
{
	return (uint32_t)rig->zone.counts[QUIRE_FRAME_SLAB];
}
