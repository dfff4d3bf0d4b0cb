/* SPDX-License-Identifier: MIT */
/* machine.c - builds one machine in its port's frames.
 *
 * Layout, from frame 0: the frame table, struct quire, the lanes; the rest is free.
 * None of it is touched before it is used, so that a large machine starts as fast as a
 * small one.
 */
#include "core/machine/machine.h"

#include "core/base/memory.h"

/* Frames for the program, tables and the store, without which nothing useful runs. */
#define LEAST_WORKING_FRAMES 768u

/* Pages of staging in a lane: on a small machine they would be too much of it. */
#define STAGING_PAGES	    64u
#define STAGING_PAGES_SMALL 16u
/* Extents that a lane keeps as they came from a device. */
#define BOUNCE_EXTENTS	     QUIRE_BOUNCE_EXTENTS
#define BOUNCE_EXTENTS_SMALL 2u
#define SMALL_MACHINE_FRAMES 16384u

#define CODEC_STATE_MAX 32768u

static uint32_t frames_of(size_t bytes)
{
	return (uint32_t)((bytes + QUIRE_PAGE_BYTES - 1) >> QUIRE_PAGE_SHIFT);
}

static uint32_t staging_pages(uint32_t nr_frames)
{
	return nr_frames < SMALL_MACHINE_FRAMES ? STAGING_PAGES_SMALL : STAGING_PAGES;
}

static uint32_t bounce_extents(uint32_t nr_frames)
{
	return nr_frames < SMALL_MACHINE_FRAMES ? BOUNCE_EXTENTS_SMALL : BOUNCE_EXTENTS;
}

static uint32_t codec_frames(const struct quire_config *config)
{
	return config->codec == NULL ? 0 : frames_of(config->codec->state_bytes);
}

static uint32_t lane_frames(const struct quire_config *config, uint32_t nr_frames)
{
	return staging_pages(nr_frames) + 1 +
	       bounce_extents(nr_frames) * QUIRE_EXTENT_FRAMES + codec_frames(config) +
	       qr_reclaim_batch_frames();
}

/* The daemon takes pages out and brings none in. */
static uint32_t daemon_frames(const struct quire_config *config)
{
	if (!config->has_daemon)
		return 0;
	return 2 + codec_frames(config) + qr_reclaim_batch_frames();
}

static uint32_t meta_frames(const struct quire_config *config, uint32_t nr_frames)
{
	return qr_zone_table_frames(nr_frames) + frames_of(sizeof(struct quire)) +
	       config->nr_lanes * lane_frames(config, nr_frames) + daemon_frames(config);
}

uint32_t quire_frames_least(const struct quire_config *config)
{
	uint32_t nr = LEAST_WORKING_FRAMES + meta_frames(config, LEAST_WORKING_FRAMES);

	return LEAST_WORKING_FRAMES + meta_frames(config, nr);
}

static bool is_valid_port(const struct quire_port *port)
{
	const struct quire_range w = port->window;
	const uint64_t in_page = QUIRE_PAGE_BYTES - 1;

	return port->version == QUIRE_PORT_VERSION && port->direct != NULL &&
	       ((w.start.a | w.end.a) & in_page) == 0 && w.start.a > 0 &&
	       w.start.a < w.end.a && w.end.a <= 1ull << 47 && port->fill != NULL &&
	       port->protect != NULL && port->release != NULL && port->wake != NULL &&
	       port->area_set != NULL && port->clock != NULL && port->wait != NULL &&
	       port->notify != NULL && port->panic != NULL &&
	       ((port->caps & QUIRE_PORT_COPIES) == 0 || port->look != NULL);
}

static bool is_valid(const struct quire_port *port, const struct quire_config *config)
{
	bool has_codec =
		config->codec != NULL && config->codec->state_bytes <= CODEC_STATE_MAX;

	if (!is_valid_port(port) || config->stats == NULL)
		return false;
	if (config->nr_lanes < 1 || config->nr_lanes > QUIRE_LANES_MAX)
		return false;
	if (config->swap != QUIRE_SWAP_NONE && !has_codec)
		return false;
	return config->swap != QUIRE_SWAP_FILE ||
	       (port->swap_open != NULL && port->swap_read != NULL &&
		port->swap_write != NULL);
}

/* Hands out frames one after another while the machine is laid out. */
static void *carve(const struct quire_port *port, uint32_t *next, uint32_t nr)
{
	void *at = port->direct + ((size_t)*next << QUIRE_PAGE_SHIFT);

	*next += nr;
	return at;
}

static void init_lane(struct quire_lane *lane, const struct quire_port *port,
		      const struct quire_config *config, uint32_t *next)
{
	lane->nr_staging = staging_pages(port->nr_frames);
	lane->staging = carve(port, next, lane->nr_staging);
	lane->packed = carve(port, next, 1);
	lane->bounce.nr = bounce_extents(port->nr_frames);
	lane->bounce.bytes = carve(port, next, lane->bounce.nr * QUIRE_EXTENT_FRAMES);
	lane->codec_state = carve(port, next, codec_frames(config));
	lane->batch = carve(port, next, qr_reclaim_batch_frames());
}

static void init_daemon_lane(struct quire_lane *lane, const struct quire_port *port,
			     const struct quire_config *config, uint32_t *next)
{
	lane->nr_staging = 1;
	lane->staging = carve(port, next, 1);
	lane->packed = carve(port, next, 1);
	lane->codec_state = carve(port, next, codec_frames(config));
	lane->batch = carve(port, next, qr_reclaim_batch_frames());
}

/* A stamp's unit: 256 of them span four times all frames, so that a stamp is not taken
 * for a younger one before its page is surely cold. */
static uint32_t stamp_shift(uint32_t nr_frames)
{
	uint32_t shift = 0;

	while (nr_frames >> shift > 64)
		shift++;
	return shift;
}

static void init_space(struct quire *q, const struct quire_config *config, uint32_t next)
{
	struct quire_space *space = &q->space;

	space->lock = &q->lock;
	space->zone = &q->zone;
	space->swap = &q->swap;
	space->port = q->port;
	space->stats = config->stats;
	space->nr_lanes = config->nr_lanes;
	space->stamp_shift = stamp_shift(q->port->nr_frames);
	space->pressure = qr_reclaim_pressure;
	space->pressure_ctx = &q->reclaim;
	for (uint32_t i = 0; i < space->nr_lanes; i++)
		init_lane(&space->lanes[i], q->port, config, &next);
	if (config->has_daemon)
		init_daemon_lane(&space->lanes[space->nr_lanes], q->port, config, &next);
}

static uint32_t store_frames(const struct quire_config *config)
{
	uint64_t frames = (config->store_bytes >> QUIRE_PAGE_SHIFT) +
			  ((config->store_bytes & (QUIRE_PAGE_BYTES - 1)) != 0);

	return frames < UINT32_MAX ? (uint32_t)frames : UINT32_MAX;
}

enum quire_status quire_open(struct quire **out, const struct quire_port *port,
			     const struct quire_config *config)
{
	uint32_t next = 0;
	enum quire_status status;
	struct quire *q;

	if (!is_valid(port, config))
		return QUIRE_INVALID;
	if (port->nr_frames < quire_frames_least(config))
		return QUIRE_NO_MEMORY;
	next = qr_zone_table_frames(port->nr_frames);
	q = carve(port, &next, frames_of(sizeof(struct quire)));
	memset(q, 0, sizeof(*q));
	q->port = port;
	qr_lock_init(&q->lock, port);
	qr_lock(&q->lock);
	qr_zone_init(&q->zone, port, config->stats, meta_frames(config, port->nr_frames));
	qr_swap_init(&q->swap, &q->zone, &q->lock,
		     config->swap == QUIRE_SWAP_NONE ? NULL : config->codec,
		     config->swap == QUIRE_SWAP_FILE);
	init_space(q, config, next);
	status = qr_space_init(&q->space, port->window);
	if (status == QUIRE_OK) {
		qr_reclaim_init(&q->reclaim, &q->space, store_frames(config));
		q->reclaim.has_writer = config->has_writer;
		q->reclaim.has_daemon = config->has_daemon;
		*out = q;
	}
	qr_unlock(&q->lock);
	return status;
}

void quire_close(struct quire *q)
{
	qr_lock(&q->lock);
	qr_space_destroy(&q->space);
	qr_swap_destroy(&q->swap);
	qr_unlock(&q->lock);
}

quire_pfn qr_machine_root(struct quire *q)
{
	return q->space.tables.root;
}

struct quire_zone *qr_machine_zone(struct quire *q)
{
	return &q->zone;
}
