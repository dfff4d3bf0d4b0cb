/* SPDX-License-Identifier: MIT */
/* pool.c - the leaves, the directory and the free numbers of pool.h.
 *
 * Model.  A leaf starts with a header and a bitmap of the numbers in use; leaves that
 * have a free number are on the *partial* list.  A directory entry is a leaf's frame
 * number, or a mark and the next entry without a leaf: those that are given back are
 * found again with no search.  Frame 0 is never a leaf, it holds the frame table.
 */
#include "core/objects/pool.h"

#include "core/base/assert.h"
#include "core/base/memory.h"

#define NO_LEAF	     UINT32_MAX
#define ENTRY_ABSENT 0x80000000u /* the other bits: the next absent entry */
#define ABSENT_END   0x7fffffffu

#define DIRECTORY_SHIFT 10 /* entries of four bytes in a frame */
#define DIRECTORY_MASK	((1u << DIRECTORY_SHIFT) - 1)

struct leaf {
	uint32_t next, prev; /* on the partial list; NO_LEAF at its ends */
	uint32_t nr_used;
	uint32_t padding; /* records of eight bytes start aligned */
	uint64_t used[];  /* a bit for each number; then the records */
};

static uint32_t nr_words(const struct quire_pool *pool)
{
	return (pool->per_leaf + 63) / 64;
}

static uint32_t *directory_entry(const struct quire_pool *pool, uint32_t leaf)
{
	quire_pfn pfn = {pool->roots[leaf >> DIRECTORY_SHIFT]};
	uint32_t *entries;

	QUIRE_EXPECT(pfn.n != QUIRE_NO_FRAME);
	entries = qr_zone_address(pool->zone, pfn);
	return &entries[leaf & DIRECTORY_MASK];
}

/* NULL when there is none. */
static struct leaf *leaf_at(const struct quire_pool *pool, uint32_t n)
{
	uint32_t entry;

	if (n >= pool->nr_leaves)
		return NULL;
	entry = *directory_entry(pool, n);
	if ((entry & ENTRY_ABSENT) != 0)
		return NULL;
	return qr_zone_address(pool->zone, (quire_pfn){entry});
}

static void *record_at(const struct quire_pool *pool, struct leaf *leaf, uint32_t i)
{
	unsigned char *records = (unsigned char *)&leaf->used[nr_words(pool)];

	return records + (size_t)i * pool->bytes;
}

static bool number_is_used(const struct leaf *leaf, uint32_t i)
{
	return (leaf->used[i / 64] >> (i % 64) & 1) != 0;
}

static void partial_push(struct quire_pool *pool, struct leaf *leaf, uint32_t n)
{
	leaf->next = pool->partial;
	leaf->prev = NO_LEAF;
	if (leaf->next != NO_LEAF)
		leaf_at(pool, leaf->next)->prev = n;
	pool->partial = n;
}

static void partial_remove(struct quire_pool *pool, struct leaf *leaf)
{
	if (leaf->next != NO_LEAF)
		leaf_at(pool, leaf->next)->prev = leaf->prev;
	if (leaf->prev != NO_LEAF)
		leaf_at(pool, leaf->prev)->next = leaf->next;
	else
		pool->partial = leaf->next;
}

void qr_pool_init(struct quire_pool *pool, struct quire_zone *zone, uint32_t bytes)
{
	uint32_t room = (uint32_t)(QUIRE_PAGE_BYTES - sizeof(struct leaf));

	QUIRE_ASSERT(bytes >= 4 && bytes <= 1024 && bytes % 4 == 0);
	*pool = (struct quire_pool){
		.zone = zone,
		.bytes = bytes,
		.per_leaf = room / bytes,
		.partial = NO_LEAF,
		.absent = ABSENT_END,
	};
	while (nr_words(pool) * 8 + pool->per_leaf * bytes > room)
		pool->per_leaf--;
	for (uint32_t i = 0; i < QUIRE_POOL_ROOTS; i++)
		pool->roots[i] = QUIRE_NO_FRAME;
}

/* Number 0 counts as used in the bitmap, but not in nr_used. */
static void leaf_init(struct quire_pool *pool, struct leaf *leaf, uint32_t n)
{
	leaf->nr_used = 0;
	for (uint32_t i = 0; i < nr_words(pool); i++)
		leaf->used[i] = 0;
	if (n == 0)
		leaf->used[0] = 1;
	partial_push(pool, leaf, n);
}

static uint32_t leaf_capacity(const struct quire_pool *pool, uint32_t n)
{
	return n == 0 ? pool->per_leaf - 1 : pool->per_leaf;
}

/* The directory frame for entry n is there afterwards. */
static bool directory_reserve(struct quire_pool *pool, uint32_t n, uint32_t flags)
{
	uint32_t *root;
	quire_pfn pfn;

	if (n >> DIRECTORY_SHIFT >= QUIRE_POOL_ROOTS)
		return false;
	root = &pool->roots[n >> DIRECTORY_SHIFT];
	if (*root != QUIRE_NO_FRAME)
		return true;
	if (!qr_zone_alloc(pool->zone, QUIRE_FRAME_TABLE, flags, &pfn))
		return false;
	*root = pfn.n;
	return true;
}

/* Returns how many frames that were. */
static uint32_t directory_free(struct quire_pool *pool)
{
	uint32_t i = 0;

	for (; i < QUIRE_POOL_ROOTS && pool->roots[i] != QUIRE_NO_FRAME; i++) {
		qr_zone_free(pool->zone, (quire_pfn){pool->roots[i]});
		pool->roots[i] = QUIRE_NO_FRAME;
	}
	pool->nr_leaves = 0;
	pool->absent = ABSENT_END;
	return i;
}

/* Puts a new leaf on the partial list. */
static bool leaf_alloc(struct quire_pool *pool, uint32_t flags)
{
	bool is_new = pool->absent == ABSENT_END;
	uint32_t n = is_new ? pool->nr_leaves : pool->absent;
	quire_pfn pfn;

	flags &= ~QUIRE_ALLOC_ZERO;
	if (!directory_reserve(pool, n, flags))
		return false;
	if (!qr_zone_alloc(pool->zone, QUIRE_FRAME_TABLE, flags, &pfn)) {
		if (pool->nr_used == 0)
			(void)directory_free(pool);
		return false;
	}
	if (is_new)
		pool->nr_leaves++;
	else
		pool->absent = *directory_entry(pool, n) & ~ENTRY_ABSENT;
	*directory_entry(pool, n) = pfn.n;
	leaf_init(pool, qr_zone_address(pool->zone, pfn), n);
	return true;
}

static void leaf_free(struct quire_pool *pool, uint32_t n)
{
	uint32_t *entry = directory_entry(pool, n);
	quire_pfn pfn = {*entry};

	*entry = ENTRY_ABSENT | pool->absent;
	pool->absent = n;
	qr_zone_free(pool->zone, pfn);
}

static uint32_t lowest_free(const struct quire_pool *pool, const struct leaf *leaf)
{
	for (uint32_t i = 0; i < nr_words(pool); i++) {
		if (~leaf->used[i] != 0)
			return i * 64 + (uint32_t)__builtin_ctzll(~leaf->used[i]);
	}
	return pool->per_leaf;
}

uint32_t qr_pool_alloc(struct quire_pool *pool, uint32_t flags)
{
	struct leaf *leaf;
	uint32_t n, i;

	if (pool->partial == NO_LEAF && !leaf_alloc(pool, flags))
		return 0;
	n = pool->partial;
	leaf = leaf_at(pool, n);
	i = lowest_free(pool, leaf);
	QUIRE_ASSERT(i < pool->per_leaf);

	leaf->used[i / 64] |= (uint64_t)1 << (i % 64);
	leaf->nr_used++;
	pool->nr_used++;
	if (leaf->nr_used == leaf_capacity(pool, n))
		partial_remove(pool, leaf);
	memset(record_at(pool, leaf, i), 0, pool->bytes);
	return n * pool->per_leaf + i;
}

uint32_t qr_pool_free(struct quire_pool *pool, uint32_t number)
{
	uint32_t n = number / pool->per_leaf;
	uint32_t i = number % pool->per_leaf;
	uint32_t nr_frames = 0;
	struct leaf *leaf = leaf_at(pool, n);

	if (number == 0 || leaf == NULL || !number_is_used(leaf, i))
		pool->zone->port->panic(pool->zone->port->ctx,
					"pool: a record is freed twice");
	leaf->used[i / 64] &= ~((uint64_t)1 << (i % 64));
	if (leaf->nr_used == leaf_capacity(pool, n))
		partial_push(pool, leaf, n);
	leaf->nr_used--;
	pool->nr_used--;
	if (leaf->nr_used == 0) {
		partial_remove(pool, leaf);
		leaf_free(pool, n);
		nr_frames++;
	}
	if (pool->nr_used == 0)
		nr_frames += directory_free(pool);
	return nr_frames;
}

void *qr_pool_at(const struct quire_pool *pool, uint32_t number)
{
	uint32_t i = number % pool->per_leaf;
	struct leaf *leaf = leaf_at(pool, number / pool->per_leaf);

	QUIRE_ASSERT(number != 0 && leaf != NULL && number_is_used(leaf, i));
	return record_at(pool, leaf, i);
}

/* The first number in use of the leaf that is not below i, or per_leaf. */
static uint32_t first_used(const struct quire_pool *pool, const struct leaf *leaf,
			   uint32_t i)
{
	while (i < pool->per_leaf) {
		uint64_t word = leaf->used[i / 64] >> (i % 64);

		if (word != 0)
			return i + (uint32_t)__builtin_ctzll(word);
		i = (i / 64 + 1) * 64;
	}
	return pool->per_leaf;
}

uint32_t qr_pool_next(const struct quire_pool *pool, uint32_t number)
{
	uint32_t i = (number + 1) % pool->per_leaf;

	for (uint32_t n = (number + 1) / pool->per_leaf; n < pool->nr_leaves; n++) {
		const struct leaf *leaf = leaf_at(pool, n);

		if (leaf != NULL) {
			i = first_used(pool, leaf, i);
			if (i < pool->per_leaf)
				return n * pool->per_leaf + i;
		}
		i = 0;
	}
	return 0;
}

void qr_pool_destroy(struct quire_pool *pool)
{
	for (uint32_t n = 0; n < pool->nr_leaves; n++) {
		if (leaf_at(pool, n) != NULL)
			leaf_free(pool, n);
	}
	(void)directory_free(pool);
	pool->nr_used = 0;
	pool->partial = NO_LEAF;
}

/* The number of leaves with room on the partial list, or UINT32_MAX. */
static uint32_t validate_partial(const struct quire_pool *pool)
{
	uint32_t prev = NO_LEAF;
	uint32_t nr = 0;

	for (uint32_t n = pool->partial; n != NO_LEAF;) {
		const struct leaf *leaf = leaf_at(pool, n);

		if (leaf == NULL || leaf->prev != prev || nr++ >= pool->nr_leaves)
			return UINT32_MAX;
		prev = n;
		n = leaf->next;
	}
	return nr;
}

/* The length of the list of entries without a leaf, or UINT32_MAX. */
static uint32_t validate_absent(const struct quire_pool *pool)
{
	uint32_t nr = 0;

	for (uint32_t n = pool->absent; n != ABSENT_END;) {
		if (n >= pool->nr_leaves || leaf_at(pool, n) != NULL ||
		    nr++ >= pool->nr_leaves)
			return UINT32_MAX;
		n = *directory_entry(pool, n) & ~ENTRY_ABSENT;
	}
	return nr;
}

/* The numbers in use by the bitmap, number 0 not counted. */
static uint32_t count_used(const struct quire_pool *pool, const struct leaf *leaf,
			   uint32_t n)
{
	uint32_t nr = 0;

	for (uint32_t i = first_used(pool, leaf, n == 0 ? 1 : 0); i < pool->per_leaf;
	     i = first_used(pool, leaf, i + 1))
		nr++;
	return nr;
}

const char *qr_pool_validate(const struct quire_pool *pool)
{
	uint32_t nr_partial = 0;
	uint32_t nr_absent = 0;
	uint32_t nr_used = 0;

	for (uint32_t n = 0; n < pool->nr_leaves; n++) {
		const struct leaf *leaf = leaf_at(pool, n);

		if (leaf == NULL) {
			nr_absent++;
			continue;
		}
		if (leaf->nr_used == 0 || leaf->nr_used != count_used(pool, leaf, n))
			return "pool: a leaf's count is not what its bitmap says";
		nr_used += leaf->nr_used;
		nr_partial += leaf->nr_used < leaf_capacity(pool, n);
	}
	if (nr_used != pool->nr_used)
		return "pool: nr_used is not the sum over the leaves";
	if (validate_partial(pool) != nr_partial)
		return "pool: a leaf with room is not on the partial list, or a full one is";
	if (validate_absent(pool) != nr_absent)
		return "pool: an entry without a leaf is not on the list of those";
	if (pool->nr_used == 0 && pool->roots[0] != QUIRE_NO_FRAME)
		return "pool: an empty pool holds frames";
	return NULL;
}
