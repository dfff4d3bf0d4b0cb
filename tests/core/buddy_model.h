/* SPDX-License-Identifier: MIT */
/* buddy_model.h - a buddy system as a drawing of its tree: too simple to be wrong, and
 * sharing nothing with the one that it judges but the rules of the papers.
 *
 * Each block is a node with its start and its size; a block that was split has children.
 * Nothing is remembered of how a block came to be but the tree itself. */
#ifndef QUIRE_TESTS_CORE_BUDDY_MODEL_H
#define QUIRE_TESTS_CORE_BUDDY_MODEL_H

#include "core/frames/buddy.h"

#define MODEL_FRAMES 1024u
#define MODEL_NODES  (4 * MODEL_FRAMES)
#define MODEL_BLOCKS MODEL_FRAMES

struct model_node {
	uint32_t start, size;
	uint32_t term; /* Fibonacci: which term of the recurrence the size is */
	int32_t parent, children[3];
	uint32_t nr_children;
	bool is_live, is_taken;
};

struct model_system {
	const char *name;
	const struct quire_buddy_ops *ops;
	uint32_t lag;
};
#define MODEL_SYSTEMS 5
extern const struct model_system model_systems[MODEL_SYSTEMS];

struct model {
	const struct model_system *system;
	struct quire_buddy buddy;
	struct quire_frame frames[MODEL_FRAMES];
	_Atomic uint8_t groups[MODEL_FRAMES / QUIRE_GROUP_FRAMES];
	struct model_node nodes[MODEL_NODES];
	uint32_t nr_nodes;
	uint32_t blocks[MODEL_BLOCKS]; /* starts of those taken */
	uint32_t nr_blocks, nr_frames, nr_free, first;
};

/* A zone of nr_frames frames, the first of which are somebody else's. */
void model_init(struct model *m, const struct model_system *system, uint32_t nr_frames,
		uint32_t first, bool is_grouped);
/* Takes a block for nr frames; whether there was one is checked, and its size. */
void model_take(struct model *m, uint32_t nr, uint32_t group);
/* Takes that very frame out of the block that it is in, if it is free. */
void model_pick(struct model *m, uint32_t n);
/* Gives back the i-th block that is taken. */
void model_give(struct model *m, uint32_t i);
void model_give_all(struct model *m);
/* The lists are the tree's free leaves, and all invariants hold. */
void model_check(const struct model *m);

#endif
