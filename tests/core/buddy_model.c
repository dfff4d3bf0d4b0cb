/* SPDX-License-Identifier: MIT */
/* buddy_model.c - see buddy_model.h. */
#include "tests/core/buddy_model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

const struct model_system model_systems[MODEL_SYSTEMS] = {
	{"binary", &qr_buddy_binary, 0},
	{"fibonacci", &qr_buddy_fibonacci, 2},
	{"fibonacci, lag 3", &qr_buddy_fibonacci, 3},
	{"weighted", &qr_buddy_weighted, 0},
	{"tertiary", &qr_buddy_tertiary, 0},
};

static uint32_t fibonacci(uint32_t lag, uint32_t term)
{
	return term < lag ? 1 : fibonacci(lag, term - 1) + fibonacci(lag, term - lag);
}

static bool is_power(uint32_t size)
{
	return (size & (size - 1)) == 0;
}

/* The sizes that a block splits into, left to right, by the papers' rules. */
static uint32_t rule(const struct model_system *system, uint32_t size, uint32_t sizes[3])
{
	bool is_small = size <= (system->ops == &qr_buddy_tertiary ? 4 : 2);

	if (size == 1)
		return 0;
	if (!is_power(size)) {
		sizes[0] = size / 3 * 2;
		sizes[1] = size / 3;
		return 2;
	}
	if (system->ops == &qr_buddy_binary || is_small) {
		sizes[0] = sizes[1] = size / 2;
		return 2;
	}
	if (system->ops == &qr_buddy_weighted) {
		sizes[0] = size / 4 * 3;
		sizes[1] = size / 4;
		return 2;
	}
	sizes[0] = size / 2;
	sizes[1] = size / 8 * 3;
	sizes[2] = size / 8;
	return 3;
}

static int32_t add_node(struct model *m, int32_t parent, uint32_t start, uint32_t size,
			uint32_t term)
{
	uint32_t i = 0;

	while (i < m->nr_nodes && m->nodes[i].is_live)
		i++;
	assert_true(i < MODEL_NODES);
	if (i == m->nr_nodes)
		m->nr_nodes++;
	m->nodes[i] = (struct model_node){
		.start = start,
		.size = size,
		.term = term,
		.parent = parent,
		.is_live = true,
	};
	return (int32_t)i;
}

static void split(struct model *m, int32_t i)
{
	struct model_node *node = &m->nodes[i];
	uint32_t sizes[3], terms[3] = {0};
	uint32_t start = node->start;

	if (m->system->lag != 0) {
		node->nr_children = node->term < m->system->lag ? 0 : 2;
		terms[0] = node->term - 1;
		terms[1] = node->term - m->system->lag;
		for (uint32_t k = 0; k < node->nr_children; k++)
			sizes[k] = fibonacci(m->system->lag, terms[k]);
	} else {
		node->nr_children = rule(m->system, node->size, sizes);
	}
	for (uint32_t k = 0; k < node->nr_children; k++) {
		node->children[k] = add_node(m, i, start, sizes[k], terms[k]);
		start += sizes[k];
	}
	if (node->nr_children > 0)
		assert_int_equal(start, node->start + node->size);
}

static bool is_leaf(const struct model_node *node)
{
	return node->is_live && node->nr_children == 0;
}

static int32_t leaf_at(const struct model *m, uint32_t n)
{
	for (uint32_t i = 0; i < m->nr_nodes; i++) {
		const struct model_node *node = &m->nodes[i];

		if (is_leaf(node) && n >= node->start && n < node->start + node->size)
			return (int32_t)i;
	}
	return -1;
}

/* The roots are wherever the system put them; that they cover the zone is checked. */
static void read_roots(struct model *m)
{
	for (uint32_t n = m->first; n < m->nr_frames;) {
		uint32_t order = m->frames[n].order;
		uint32_t term = m->system->lag != 0 ? order : 0;

		assert_int_equal(m->frames[n].use, QUIRE_FRAME_FREE);
		add_node(m, -1, n, m->buddy.sizes[order], term);
		n += m->buddy.sizes[order];
		assert_true(n <= m->nr_frames);
	}
}

void model_init(struct model *m, const struct model_system *system, uint32_t nr_frames,
		uint32_t first, bool is_grouped)
{
	const struct quire_buddy_config config = {
		.ops = system->ops,
		.most = MODEL_FRAMES,
		.lag = system->lag,
		.groups = is_grouped ? m->groups : NULL,
	};

	memset(m->frames, 0, nr_frames * sizeof(m->frames[0]));
	for (uint32_t i = 0; i < MODEL_FRAMES / QUIRE_GROUP_FRAMES; i++)
		m->groups[i] = 0;
	m->system = system;
	m->nr_nodes = 0;
	m->nr_blocks = 0;
	m->nr_frames = nr_frames;
	m->first = first;
	m->nr_free = nr_frames - first;
	for (uint32_t n = 0; n < first; n++)
		m->frames[n].use = QUIRE_FRAME_META;
	qr_buddy_init(&m->buddy, &config, m->frames, nr_frames);
	qr_buddy_add(&m->buddy, first, nr_frames);
	read_roots(m);
}

/* The size of the smallest free block for nr frames; 0: there is none. */
static uint32_t best_fit(const struct model *m, uint32_t nr)
{
	uint32_t best = 0;

	for (uint32_t i = 0; i < m->nr_nodes; i++) {
		const struct model_node *node = &m->nodes[i];

		if (is_leaf(node) && !node->is_taken && node->size >= nr &&
		    (best == 0 || node->size < best))
			best = node->size;
	}
	return best;
}

/* Follows the block that was given down the tree: where it was split, the part gone on
 * with is the smallest that is large enough; at the end none is. */
static void follow(struct model *m, uint32_t n, uint32_t nr)
{
	int32_t at = leaf_at(m, n);

	assert_true(at >= 0 && !m->nodes[at].is_taken);
	/* With groups, the group's own blocks come before smaller ones of others. */
	if (m->buddy.groups == NULL)
		assert_int_equal(m->nodes[at].size, best_fit(m, nr));
	for (;;) {
		struct model_node *node = &m->nodes[at];
		int32_t next = -1;
		uint32_t best = UINT32_MAX;

		split(m, at);
		for (uint32_t k = 0; k < node->nr_children; k++)
			if (m->nodes[node->children[k]].size >= nr &&
			    m->nodes[node->children[k]].size < best)
				best = m->nodes[node->children[k]].size;
		for (uint32_t k = 0; k < node->nr_children; k++) {
			const struct model_node *child = &m->nodes[node->children[k]];

			if (n >= child->start && n < child->start + child->size)
				next = node->children[k];
		}
		if (best == UINT32_MAX) {
			for (uint32_t k = 0; k < node->nr_children; k++)
				m->nodes[node->children[k]].is_live = false;
			node->nr_children = 0;
			break;
		}
		assert_int_equal(m->nodes[next].size, best);
		at = next;
	}
	assert_int_equal(m->nodes[at].start, n);
	assert_int_equal(m->nodes[at].size, m->buddy.sizes[m->frames[n].order]);
	m->nodes[at].is_taken = true;
	m->nr_free -= m->nodes[at].size;
	m->blocks[m->nr_blocks++] = n;
}

void model_take(struct model *m, uint32_t nr, uint32_t group)
{
	uint32_t order = qr_buddy_order(&m->buddy, nr);
	quire_pfn pfn;
	bool given;

	assert_true(order != QUIRE_NO_ORDER);
	given = qr_buddy_alloc(&m->buddy, order, group, &pfn);
	assert_int_equal(given, best_fit(m, nr) != 0);
	if (given)
		follow(m, pfn.n, nr);
}

void model_pick(struct model *m, uint32_t n)
{
	int32_t at = leaf_at(m, n);

	if (at < 0 || m->nodes[at].is_taken)
		return;
	while (m->nodes[at].size > 1) {
		split(m, at);
		at = leaf_at(m, n);
	}
	m->nodes[at].is_taken = true;
	m->nr_free--;
	m->blocks[m->nr_blocks++] = n;
	qr_buddy_take(&m->buddy, n, n + 1);
	assert_int_equal(m->frames[n].use, QUIRE_FRAME_TAKEN);
}

static bool can_merge(const struct model *m, const struct model_node *node)
{
	for (uint32_t k = 0; k < node->nr_children; k++) {
		const struct model_node *child = &m->nodes[node->children[k]];

		if (child->nr_children != 0 || child->is_taken)
			return false;
	}
	return true;
}

/* Binary roots are buddies of one another where their numbers say so. */
static void merge_roots(struct model *m)
{
	for (uint32_t i = 0; i < m->nr_nodes; i++) {
		struct model_node *a = &m->nodes[i];

		for (uint32_t k = 0; k < m->nr_nodes; k++) {
			struct model_node *b = &m->nodes[k];

			if (i != k && is_leaf(a) && is_leaf(b) && a->parent < 0 &&
			    b->parent < 0 && !a->is_taken && !b->is_taken &&
			    a->size == b->size && a->start % (2 * a->size) == 0 &&
			    a->start + a->size == b->start) {
				a->size *= 2;
				b->is_live = false;
				i = 0;
			}
		}
	}
}

void model_give(struct model *m, uint32_t i)
{
	uint32_t n = m->blocks[i];
	int32_t at = leaf_at(m, n);

	m->blocks[i] = m->blocks[--m->nr_blocks];
	assert_true(m->nodes[at].is_taken);
	m->nodes[at].is_taken = false;
	m->nr_free += m->nodes[at].size;
	while (m->nodes[at].parent >= 0 && can_merge(m, &m->nodes[m->nodes[at].parent])) {
		at = m->nodes[at].parent;
		for (uint32_t k = 0; k < m->nodes[at].nr_children; k++)
			m->nodes[m->nodes[at].children[k]].is_live = false;
		m->nodes[at].nr_children = 0;
	}
	if (m->system->ops == &qr_buddy_binary)
		merge_roots(m);
	qr_buddy_free(&m->buddy, (quire_pfn){n});
}

void model_give_all(struct model *m)
{
	while (m->nr_blocks > 0)
		model_give(m, m->nr_blocks - 1);
	model_check(m);
	assert_int_equal(m->nr_free, m->nr_frames - m->first);
}

void model_check(const struct model *m)
{
	uint32_t nr_leaves = 0, nr_lists = 0;
	const char *wrong = qr_buddy_validate(&m->buddy);

	if (wrong != NULL)
		fail_msg("%s: %s", m->system->name, wrong);
	assert_int_equal(m->buddy.nr_free, m->nr_free);
	for (uint32_t i = 0; i < m->nr_nodes; i++) {
		const struct model_node *node = &m->nodes[i];
		const struct quire_frame *frame = &m->frames[node->start];

		if (!is_leaf(node))
			continue;
		assert_int_equal(frame->use,
				 node->is_taken ? QUIRE_FRAME_TAKEN : QUIRE_FRAME_FREE);
		assert_int_equal(m->buddy.sizes[frame->order], node->size);
		nr_leaves += !node->is_taken;
	}
	for (uint32_t group = 0; group < QUIRE_GROUPS; group++)
		for (uint32_t order = 0; order < m->buddy.nr_orders; order++)
			nr_lists += qr_buddy_count(&m->buddy, group, order);
	assert_int_equal(nr_lists, nr_leaves);
}
