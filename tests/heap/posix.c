/* SPDX-License-Identifier: MIT */
/* posix.c - what the manual pages say of malloc and its kin, case by case.
 *
 * Prints one line a case; posix.sh runs it on the C library's malloc and on Quire's, and
 * compares.  Each case is also checked by itself: the exit status counts the failures.
 */
#include <errno.h>
#include <malloc.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int nr_failed;
/* Keeps the compiler from knowing what these functions do. */
static void *(*volatile do_malloc)(size_t) = malloc;
static void *(*volatile do_calloc)(size_t, size_t) = calloc;
static void *(*volatile do_realloc)(void *, size_t) = realloc;
static void *(*volatile do_reallocarray)(void *, size_t, size_t) = reallocarray;
static void *(*volatile do_memalign)(size_t, size_t) = memalign;
static void *(*volatile do_aligned)(size_t, size_t) = aligned_alloc;
static int (*volatile do_posix)(void **, size_t, size_t) = posix_memalign;
static void (*volatile do_free)(void *) = free;

static void expect(const char *what, bool holds)
{
	printf("%-50s %s\n", what, holds ? "yes" : "NO");
	nr_failed += !holds;
}

/* Whether an allocation was refused as it should be. */
static bool refused(void *block)
{
	bool right = block == NULL && errno == ENOMEM;

	do_free(block);
	errno = 0;
	return right;
}

static bool aligned(const void *block, size_t align)
{
	return block != NULL && (uintptr_t)block % align == 0;
}

static void zero_sizes(void)
{
	void *one = do_malloc(0), *other = do_malloc(0);
	void *none = do_calloc(0, 5);

	expect("malloc(0) is a block", one != NULL);
	expect("malloc(0) twice are two blocks", one != other);
	expect("calloc(0, n) is a block", none != NULL);
	errno = 7;
	expect("realloc(p, 0) is NULL", do_realloc(one, 0) == NULL);
	expect("realloc(p, 0) leaves errno", errno == 7);
	one = do_realloc(NULL, 0);
	expect("realloc(NULL, 0) is a block", one != NULL);
	do_free(one);
	do_free(other);
	do_free(none);
	do_free(NULL);
	expect("free leaves errno", errno == 7);
	expect("malloc_usable_size(NULL) is 0", malloc_usable_size(NULL) == 0);
	errno = 0;
}

static void sizes_too_large(void)
{
	const size_t most = PTRDIFF_MAX;
	void *block = do_malloc(10);

	expect("malloc(SIZE_MAX)", refused(do_malloc(SIZE_MAX)));
	expect("malloc(PTRDIFF_MAX + 1)", refused(do_malloc(most + 1)));
	expect("calloc(SIZE_MAX, 2)", refused(do_calloc(SIZE_MAX, 2)));
	expect("calloc of a product that wraps", refused(do_calloc(most, 4)));
	expect("realloc(NULL, SIZE_MAX)", refused(do_realloc(NULL, SIZE_MAX)));
	expect("realloc(p, SIZE_MAX) keeps p", refused(do_realloc(block, SIZE_MAX)));
	expect("reallocarray that wraps keeps p",
	       refused(do_reallocarray(block, SIZE_MAX / 4, 8)));
	strcpy(block, "still");
	expect("p is still there", strcmp(block, "still") == 0);
	expect("memalign of too much", refused(do_memalign(64, SIZE_MAX - 32)));
	expect("pvalloc that wraps", refused(pvalloc(SIZE_MAX - 10)));
	do_free(block);
}

static void alignments(void)
{
	for (size_t align = 1; align <= 65536; align *= 2) {
		void *block = do_memalign(align, 100);
		char what[64];

		snprintf(what, sizeof(what), "memalign(%zu, 100)", align);
		expect(what, aligned(block, align));
		do_free(block);
		block = do_aligned(align, align);
		snprintf(what, sizeof(what), "aligned_alloc(%zu, %zu)", align, align);
		expect(what, aligned(block, align));
		do_free(block);
	}
	for (size_t bytes = 1; bytes < 3000; bytes += 97) {
		void *block = do_malloc(bytes);

		expect("malloc is aligned for all types",
		       aligned(block, _Alignof(max_align_t)));
		expect("usable size is enough", malloc_usable_size(block) >= bytes);
		do_free(block);
	}
}

static void odd_alignments(void)
{
	void *block = do_memalign(24, 100);

	expect("memalign(24, n) rounds up to 32", aligned(block, 32));
	do_free(block);
	errno = 0;
	block = do_memalign(SIZE_MAX, 8);
	expect("memalign(SIZE_MAX, n) is EINVAL", block == NULL && errno == EINVAL);
	block = valloc(1);
	expect("valloc is on a page", aligned(block, 4096));
	do_free(block);
	block = pvalloc(1);
	expect("pvalloc is on a page", aligned(block, 4096));
	expect("pvalloc has a whole page", malloc_usable_size(block) >= 4096);
	do_free(block);
}

static void posix_memaligns(void)
{
	void *const kept = &nr_failed;
	void *block = kept;

	errno = 7;
	expect("posix_memalign(3)", do_posix(&block, 3, 8) == EINVAL);
	expect("posix_memalign(4)", do_posix(&block, 4, 8) == EINVAL);
	expect("posix_memalign(0)", do_posix(&block, 0, 8) == EINVAL);
	expect("posix_memalign(24)", do_posix(&block, 24, 8) == EINVAL);
	expect("its errors leave the pointer", block == kept);
	expect("its errors leave errno", errno == 7);
	expect("posix_memalign of too much", do_posix(&block, 64, SIZE_MAX) == ENOMEM);
	expect("that, too, leaves the pointer", block == kept);
	expect("posix_memalign(256, 0)", do_posix(&block, 256, 0) == 0);
	expect("is aligned", block == NULL || aligned(block, 256));
	do_free(block);
}

static void contents(void)
{
	unsigned char *block = do_malloc(1000);
	bool same = true;

	for (int i = 0; i < 1000; i++)
		block[i] = (unsigned char)i;
	block = do_realloc(block, 200000);
	for (int i = 0; i < 1000; i++)
		same = same && block[i] == (unsigned char)i;
	expect("realloc keeps what it held, larger", same);
	block = do_realloc(block, 100);
	for (int i = 0; i < 100; i++)
		same = same && block[i] == (unsigned char)i;
	expect("realloc keeps what it held, smaller", same);
	do_free(block);
	block = do_realloc(NULL, 50);
	expect("realloc(NULL, n) is malloc(n)", block != NULL);
	do_free(block);
}

static void settings(void)
{
	FILE *out = tmpfile();

	expect("mallopt(M_MXFAST, 0)", mallopt(M_MXFAST, 0) == 1);
	expect("mallopt(M_MXFAST, too much)", mallopt(M_MXFAST, 1000) == 0);
	expect("mallopt(M_MMAP_THRESHOLD)", mallopt(M_MMAP_THRESHOLD, 1 << 20) == 1);
	expect("mallopt(M_TRIM_THRESHOLD)", mallopt(M_TRIM_THRESHOLD, 1 << 20) == 1);
	expect("mallopt(M_MMAP_MAX)", mallopt(M_MMAP_MAX, 1000) == 1);
	expect("mallopt(M_TOP_PAD)", mallopt(M_TOP_PAD, 1 << 16) == 1);
	expect("mallopt(M_CHECK_ACTION)", mallopt(M_CHECK_ACTION, 3) == 1);
	expect("mallopt(M_PERTURB)", mallopt(M_PERTURB, 0) == 1);
	expect("mallopt(M_ARENA_TEST)", mallopt(M_ARENA_TEST, 2) == 1);
	expect("mallopt(M_ARENA_MAX)", mallopt(M_ARENA_MAX, 4) == 1);
	expect("mallopt of something unknown", mallopt(-1000, 1) == 1);
	errno = 0;
	expect("malloc_info(1)", malloc_info(1, out) == EINVAL);
	expect("malloc_info(0)", malloc_info(0, out) == 0 && ftell(out) > 0);
	fclose(out);
}

static bool all_are(const unsigned char *block, size_t bytes, unsigned char value)
{
	for (size_t i = 0; i < bytes; i++) {
		if (block[i] != value)
			return false;
	}
	return true;
}

/* Of sizes that glibc does not keep for each thread: there it does not look at the
 * setting. */
static void perturbed(void)
{
	const size_t sizes[] = {1601, 20000, 100000, 3000000};
	void *zeroed;

	mallopt(M_PERTURB, 0x5a);
	for (size_t i = 0; i < 4; i++) {
		void *block = do_malloc(sizes[i]);

		expect("M_PERTURB fills new blocks", all_are(block, sizes[i], 0xa5));
		do_free(block);
		zeroed = calloc(1, sizes[i] + 64);
		expect("but not those of calloc", all_are(zeroed, sizes[i] + 64, 0));
		do_free(zeroed);
	}
	mallopt(M_PERTURB, 0);
}

static void figures(void)
{
	struct mallinfo2 before = mallinfo2(), after;
	void *small = do_malloc(5000), *huge = do_malloc((size_t)64 << 20);

	after = mallinfo2();
	expect("mallinfo2 counts used bytes", after.uordblks >= before.uordblks + 5000);
	expect("mallinfo2 counts mappings",
	       after.hblks == before.hblks + 1 && after.hblkhd >= (size_t)64 << 20);
	do_free(small);
	do_free(huge);
	after = mallinfo2();
	expect("and what was freed", after.hblks == before.hblks);
	expect("malloc_trim says 0 or 1", (malloc_trim(0) & ~1) == 0);
}

int main(void)
{
	zero_sizes();
	sizes_too_large();
	alignments();
	odd_alignments();
	posix_memaligns();
	contents();
	figures();
	settings();
	perturbed();
	return nr_failed;
}
