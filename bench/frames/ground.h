/* SPDX-License-Identifier: MIT */
/* ground.h - memory to run the frames of a machine on: reserved, and backed by the host
 * where the frame table is written. */
#ifndef QUIRE_BENCH_FRAMES_GROUND_H
#define QUIRE_BENCH_FRAMES_GROUND_H

#include "quire/frames.h"

struct ground {
	struct quire_port port;
	size_t bytes;
};

/* Ends the program where the host gives no addresses. */
void ground_open(struct ground *ground, uint64_t bytes);
/* The host backs it with pages of 2 MiB, as a kernel's direct map is, where it can. */
void ground_use_large_pages(struct ground *ground);
void ground_close(struct ground *ground);

/* A machine of one zone on it. */
struct quire_frames *ground_frames(struct ground *ground, uint32_t nr_cpus,
				   enum quire_buddy_kind buddy);

#endif
