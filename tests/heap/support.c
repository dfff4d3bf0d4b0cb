/* SPDX-License-Identifier: MIT */
/* support.c - the counting page source, over the host's. */
#include "tests/heap/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static _Atomic unsigned nr_requests, fail_from;
static _Atomic size_t mapped, purged;

static bool fails(void)
{
	unsigned n = ++nr_requests;

	return fail_from != 0 && n >= fail_from;
}

static void *count_map(void *ctx, size_t bytes, size_t align)
{
	void *result = NULL;

	if (!fails())
		result = qr_heap_pages_host.map(ctx, bytes, align);
	if (result != NULL)
		mapped += bytes;
	return result;
}

static void count_unmap(void *ctx, void *addr, size_t bytes)
{
	mapped -= bytes;
	qr_heap_pages_host.unmap(ctx, addr, bytes);
}

static void *count_remap(void *ctx, void *old, size_t old_bytes, size_t new_bytes)
{
	void *result = NULL;

	if (!fails())
		result = qr_heap_pages_host.remap(ctx, old, old_bytes, new_bytes);
	if (result != NULL)
		mapped += new_bytes - old_bytes;
	return result;
}

static bool count_purge(void *ctx, void *addr, size_t bytes)
{
	purged += bytes;
	return qr_heap_pages_host.purge(ctx, addr, bytes);
}

static bool count_guard(void *ctx, void *addr, size_t bytes, bool on)
{
	return qr_heap_pages_host.guard(ctx, addr, bytes, on);
}

static size_t count_resident(void *ctx, const void *addr, size_t bytes)
{
	return qr_heap_pages_host.resident(ctx, addr, bytes);
}

static const struct qr_heap_pages counting = {
	.map = count_map,
	.unmap = count_unmap,
	.remap = count_remap,
	.purge = count_purge,
	.guard = count_guard,
	.resident = count_resident,
};

void support_init(void)
{
	qr_heap_set_pages(&counting);
}

void support_fail_from(unsigned n)
{
	nr_requests = 0;
	fail_from = n;
}

unsigned support_requests(void)
{
	return nr_requests;
}

size_t support_mapped(void)
{
	return mapped;
}

size_t support_purged(void)
{
	return purged;
}

/* Xorshift; Marsaglia 2003. */
uint64_t support_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

size_t support_blocks(void)
{
	struct qr_heap_account account;

	/* What other threads freed counts as used until it is gathered. */
	qr_heap_trim(0);
	qr_heap_account(&account);
	return account.blocks;
}

void support_check(size_t nr)
{
	const char *broken = qr_heap_validate();

	if (broken != NULL)
		fail_msg("%s", broken);
	assert_int_equal(support_blocks(), nr);
	broken = qr_heap_validate();
	if (broken != NULL)
		fail_msg("after a trim: %s", broken);
}
