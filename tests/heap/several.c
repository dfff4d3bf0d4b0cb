/* SPDX-License-Identifier: MIT */
/* several.c - heaps beside malloc's, from one thread and from several. */
#include "quire/heap.h"
#include "tests/heap/support.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NR 3000

static size_t size_of(size_t i)
{
	if (i % 1000 == 999)
		return (size_t)33 << 20;
	return i % 50 == 0 ? i * 100 : i % 900;
}

static void fill(struct quire_heap *heap, unsigned char **blocks, unsigned char mark)
{
	for (size_t i = 0; i < NR; i++) {
		blocks[i] = quire_heap_malloc(heap, size_of(i));
		assert_non_null(blocks[i]);
		if (size_of(i) != 0)
			blocks[i][0] = blocks[i][size_of(i) - 1] = mark;
	}
}

static void check(unsigned char **blocks, unsigned char mark)
{
	for (size_t i = 0; i < NR; i++) {
		if (size_of(i) != 0 &&
		    (blocks[i][0] != mark || blocks[i][size_of(i) - 1] != mark))
			fail_msg("block %zu was written over", i);
	}
}

static size_t in_use(void)
{
	struct qr_heap_account account;

	qr_heap_account(&account);
	return account.held - account.free_dirty - account.free_clean - account.records;
}

static void destroying_frees_all(void **state)
{
	static unsigned char *one[NR], *other[NR];
	size_t before = support_blocks();
	size_t used = in_use();
	struct quire_heap *a = quire_heap_create(), *b = quire_heap_create();

	(void)state;
	assert_non_null(a);
	assert_non_null(b);
	fill(a, one, 1);
	fill(b, other, 2);
	assert_int_equal(support_blocks(), before + 2 * NR);
	quire_heap_destroy(a);
	assert_null(qr_heap_validate());
	assert_int_equal(support_blocks(), before + NR);
	check(other, 2);
	a = quire_heap_create();
	fill(a, one, 3);
	check(other, 2);
	quire_heap_destroy(b);
	check(one, 3);
	quire_heap_destroy(a);
	quire_heap_destroy(NULL);
	assert_true(in_use() <= used);
	support_check(before);
}

static void blocks_are_freed_one_by_one(void **state)
{
	static unsigned char *blocks[NR];
	size_t before = support_blocks();
	struct quire_heap *heap = quire_heap_create();

	(void)state;
	fill(heap, blocks, 1);
	for (size_t i = 0; i < NR; i++) {
		/* free() takes blocks of any heap. */
		if (i % 3 == 0)
			qr_heap_free(blocks[i]);
		else
			quire_heap_free(heap, blocks[i]);
	}
	quire_heap_free(heap, NULL);
	/* What free() took is gathered when the heap next wants it. */
	fill(heap, blocks, 2);
	check(blocks, 2);
	quire_heap_destroy(heap);
	support_check(before);
}

static void contents_are_kept_and_zeroed(void **state)
{
	size_t before = support_blocks();
	struct quire_heap *heap = quire_heap_create();
	unsigned char *block = NULL;
	size_t old = 0;

	(void)state;
	for (size_t bytes = 1; bytes < (size_t)60 << 20; bytes = bytes * 7 / 4 + 1) {
		block = quire_heap_realloc(heap, block, bytes);
		assert_non_null(block);
		for (size_t i = 0; i < old; i += 1 + i / 64)
			assert_int_equal(block[i], (unsigned char)(i * 7 + 1));
		for (size_t i = old; i < bytes; i++)
			block[i] = (unsigned char)(i * 7 + 1);
		old = bytes;
	}
	for (size_t bytes = (size_t)20 << 20; bytes > 0; bytes /= 3) {
		block = quire_heap_realloc(heap, block, bytes);
		assert_true(qr_heap_usable(block) >= bytes);
	}
	assert_null(quire_heap_realloc(heap, block, 0));
	for (size_t bytes = 0; bytes < 1 << 20; bytes = bytes * 2 + 7) {
		block = quire_heap_calloc(heap, 1, bytes);
		for (size_t i = 0; i < bytes; i++)
			assert_int_equal(block[i], 0);
		memset(block, 0xff, bytes);
		quire_heap_free(heap, block);
	}
	quire_heap_destroy(heap);
	support_check(before);
}

static void what_cannot_be_is_refused(void **state)
{
	size_t before = support_blocks();
	struct quire_heap *heap = quire_heap_create();

	(void)state;
	for (size_t align = 1; align <= (size_t)1 << 21; align *= 2) {
		void *block = quire_heap_aligned(heap, align, align * 3 / 2);

		assert_int_equal((uintptr_t)block % align, 0);
		assert_non_null(block);
	}
	errno = 0;
	assert_null(quire_heap_aligned(heap, 24, 100));
	assert_int_equal(errno, EINVAL);
	assert_null(quire_heap_malloc(heap, SIZE_MAX));
	assert_int_equal(errno, ENOMEM);
	assert_null(quire_heap_calloc(heap, SIZE_MAX / 2, 3));
	quire_heap_destroy(heap);
	support_check(before);
}

static void any_page_request_may_fail(void **state)
{
	size_t before = support_blocks();
	unsigned n = 0;

	(void)state;
	do {
		struct quire_heap *heap;

		support_fail_from(++n);
		heap = quire_heap_create();
		for (size_t i = 0; heap != NULL && i < 100; i++) {
			void *block = quire_heap_malloc(heap, i << 9);

			(void)quire_heap_realloc(heap, block, i << 11 | 1);
		}
		quire_heap_destroy(heap);
		support_check(before);
	} while (support_requests() >= n);
	support_fail_from(0);
	support_check(before);
}

/* What ends a process is tried in a child. */
static int status_of(void (*act)(struct quire_heap *, struct quire_heap *))
{
	struct quire_heap *a = quire_heap_create(), *b = quire_heap_create();
	int status;
	pid_t child = fork();

	if (child == 0) {
		close(STDERR_FILENO);
		act(a, b);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	quire_heap_destroy(a);
	quire_heap_destroy(b);
	return status;
}

static void free_to_other(struct quire_heap *a, struct quire_heap *b)
{
	quire_heap_free(b, quire_heap_malloc(a, 100));
}

static void free_large_to_other(struct quire_heap *a, struct quire_heap *b)
{
	quire_heap_free(b, quire_heap_malloc(a, 100000));
}

static void free_of_malloc(struct quire_heap *a, struct quire_heap *b)
{
	(void)a;
	quire_heap_free(b, qr_heap_malloc(100));
}

static void realloc_of_other(struct quire_heap *a, struct quire_heap *b)
{
	(void)quire_heap_realloc(b, quire_heap_malloc(a, 100), 200);
}

static void free_twice(struct quire_heap *a, struct quire_heap *b)
{
	void *block = quire_heap_malloc(a, 100);

	(void)b;
	quire_heap_free(a, block);
	quire_heap_free(a, block);
}

static void misuse_ends_the_process(void **state)
{
	size_t before = support_blocks();

	(void)state;
	assert_true(WIFSIGNALED(status_of(free_to_other)));
	assert_true(WIFSIGNALED(status_of(free_large_to_other)));
	assert_true(WIFSIGNALED(status_of(free_of_malloc)));
	assert_true(WIFSIGNALED(status_of(realloc_of_other)));
	assert_true(WIFSIGNALED(status_of(free_twice)));
	support_check(before);
}

#define NR_THREADS 4
#define NR_ROUNDS  20000
#define NR_SHARED  512

/* One heap for all, and one for each. */
static struct quire_heap *shared;
static _Atomic(unsigned char *) board[NR_SHARED];

/* A block of the shared heap in exchange for what another thread left there. */
static void trade(uint64_t *seed)
{
	uint64_t r = support_random(seed);
	size_t bytes = 1 + (r >> 20) % (r % 64 == 0 ? 60000 : 500);
	unsigned char *block = quire_heap_malloc(shared, bytes);

	assert_non_null(block);
	block[0] = block[bytes - 1] = 77;
	block = atomic_exchange(&board[r % NR_SHARED], block);
	if (block == NULL)
		return;
	assert_int_equal(block[0], 77);
	if (r % 5 == 0)
		qr_heap_free(block);
	else if (r % 5 == 1)
		quire_heap_free(shared, quire_heap_realloc(shared, block, 2 * bytes));
	else
		quire_heap_free(shared, block);
}

static void *work(void *arg)
{
	uint64_t seed = 0x5eed + (uintptr_t)arg;
	struct quire_heap *own = quire_heap_create();

	assert_non_null(own);
	for (int i = 0; i < NR_ROUNDS; i++) {
		trade(&seed);
		(void)quire_heap_malloc(own, support_random(&seed) % 300);
		if (i % 5000 == 4999) {
			quire_heap_destroy(own);
			own = quire_heap_create();
		}
	}
	quire_heap_destroy(own);
	return NULL;
}

static void threads_share_a_heap(void **state)
{
	size_t before = support_blocks();
	pthread_t threads[NR_THREADS];

	(void)state;
	shared = quire_heap_create();
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, work, (void *)i), 0);
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_null(qr_heap_validate());
	quire_heap_destroy(shared);
	support_check(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_page_request_may_fail),
		cmocka_unit_test(destroying_frees_all),
		cmocka_unit_test(blocks_are_freed_one_by_one),
		cmocka_unit_test(contents_are_kept_and_zeroed),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(misuse_ends_the_process),
		cmocka_unit_test(threads_share_a_heap),
	};

	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
