/* SPDX-License-Identifier: MIT */
/* swap_model.h - a swap store over a test port, and an array that remembers what is in
 * it: for each slot a seed, from which its bytes are made again and compared. */
#ifndef QUIRE_TESTS_CORE_SWAP_MODEL_H
#define QUIRE_TESTS_CORE_SWAP_MODEL_H

#include "core/swap/swap.h"
#include "tests/core/testport.h"

#define MODEL_PAGES 8192u

struct model_page {
	quire_slot slot;
	uint32_t count;
	uint32_t bytes;
	uint64_t seed;
};

struct model {
	struct testport *tp;
	struct quire_zone zone;
	struct quire_lock lock;
	struct quire_swap swap;
	struct model_page pages[MODEL_PAGES];
	uint32_t nr;
	uint32_t free_at_start;
	uint64_t seed; /* of everything random in the test */
};

/* nr_frames of memory; the lock is held from here on. */
struct model *model_new(uint32_t nr_frames, bool has_device, uint64_t seed);
/* Drops what is left, proves that nothing leaked, and ends. */
void model_delete(struct model *m);

/* Every walk there is; fails the test on the first invariant broken. */
void model_validate(struct model *m);
/* A page of this packed size; QUIRE_NO_MEMORY must have changed nothing. */
enum quire_status model_put(struct model *m, uint32_t bytes);
/* The bytes of page i are what was put, wherever they are. */
void model_check(struct model *m, uint32_t i);
void model_check_all(struct model *m);
/* One entry more or fewer for page i. */
void model_dup(struct model *m, uint32_t i);
void model_drop(struct model *m, uint32_t i);
void model_drop_all(struct model *m);

/* A packed size as pages have them: mostly about a third, some whole, some tiny. */
uint32_t model_random_bytes(struct model *m);
uint32_t model_random_index(struct model *m);

#endif
