/* SPDX-License-Identifier: MIT */
/* hard.h - the hardened heap: misuse that the plain one would not notice is caught.
 *
 * Model.
 *   slot        of n bytes asked for; behind them a canary, and in the slot's last eight
 *               bytes the trailer, which holds n.  Both depend on a secret of the
 *               process and on the address.  Checked when the block is freed or resized,
 *               and at exit.
 *   free slot   all zero: the free writes it so, and whoever allocates it next, or the
 *               check at exit, finds what was written to it since.  A block's contents
 *               are zero when it is handed out.
 *   rest        what a thread frees goes to a random place in a list of its own, and
 *               whatever rested there goes to the bin.
 *   random      bins are filled in random order, from a random group; spans lie at a
 *               random distance in their run.
 *   guard       a page that faults: on both sides of the slots of each span and of a
 *               block with pages of its own, which ends where the guard begins.  Freed
 *               ones become guards as a whole, and rest, the oldest first to go.
 *   sampled     one small block in guard_sample has pages of its own, too.
 * Free lists need not be encoded: the heap's lists are out of line, nothing in or
 * beside a block leads anywhere.
 *
 * Spans that the plain heap made before the settings were read stay plain, and so do
 * heaps of quire_heap_create().
 *
 * Locking.  A free slot of any span belongs to the thread that freed it until it is in a
 * bin or remote.  Large blocks at rest are guarded by qr_heap_lock.
 */
#ifndef QUIRE_HEAP_HARD_H
#define QUIRE_HEAP_HARD_H

#include "heap/detour.h"

/* Before the detour is on. */
void qr_hard_start(void);

/* A block, zeroed; NULL without memory, and errno says so. */
void *qr_hard_alloc(size_t align, size_t bytes);
/* The block of a hard span of slots. */
void qr_hard_free(void *block, struct qr_span *span);
/* What was asked for of a block of a hard span of slots; checks the canaries. */
size_t qr_hard_asked(const struct qr_span *span, const void *block);
/* Whether the block now has so many bytes where it is. */
bool qr_hard_resize(struct qr_span *span, void *block, size_t bytes);
/* How many slots of a class rest with the cache. */
size_t qr_hard_resting(const struct qr_cache *cache, unsigned cls);
/* What rests goes where it belongs: the cache's thread is at its end. */
void qr_hard_flush(struct qr_cache *cache);

/* Pages for a hard span of slots, zeroed, the last one a guard, as is the one before
 * the first; and the way back.  Locked. */
bool qr_hard_take(size_t nr_pages, struct qr_run *run);
void qr_hard_give(struct qr_span *span);
/* Has the slots' pages in memory; before anybody has a slot. */
void qr_hard_touch(const struct qr_span *span);
/* The bin was filled from the group that this chose. */
unsigned qr_hard_group(uint64_t groups);
void qr_hard_shuffle(struct qr_bin *bin);

/* hard_large.c */
/* With room to grow to, or bytes itself. */
void *qr_hard_large(size_t align, size_t bytes, size_t room);
bool qr_hard_resize_large(struct qr_span *span, size_t bytes);
void qr_hard_free_large(struct qr_span *span);
/* Ends the process where bytes around the block were written to. */
void qr_hard_check_large(const struct qr_span *span);
/* What rests, for the account. */
struct qr_hard_rest {
	size_t large_pages, huge_pages, blocks, huge_blocks;
};
extern struct qr_hard_rest qr_hard_rest;

/* A word that stands for an address, and that nobody can foretell. */
uint64_t qr_hard_word(uintptr_t address);
bool qr_hard_is_zero(const void *block, size_t bytes);

/* hard_check.c: the report of faults, and the check at exit. */
void qr_hard_watch(void);

#endif
