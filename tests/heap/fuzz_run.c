/* SPDX-License-Identifier: MIT */
/* fuzz_run.c - the fuzzer's target, called with random bytes.
 *
 * QUIRE_SEED=n repeats a run.
 */
#include "tests/heap/support.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NR_INPUTS 40
#define INPUT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static uint64_t seed = 20;

static void any_bytes_leave_the_heap_whole(void **state)
{
	static uint8_t data[INPUT_MAX];
	size_t before = support_blocks();

	(void)state;
	for (int i = 0; i < NR_INPUTS; i++) {
		size_t bytes = support_random(&seed) % INPUT_MAX;

		for (size_t at = 0; at < bytes; at++)
			data[at] = (uint8_t)(support_random(&seed) >> 24);
		LLVMFuzzerTestOneInput(data, bytes);
	}
	support_check(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(any_bytes_leave_the_heap_whole),
	};
	const char *text = getenv("QUIRE_SEED");

	if (text != NULL)
		seed = strtoull(text, NULL, 10) | 1;
	printf("QUIRE_SEED=%llu\n", (unsigned long long)seed);
	support_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
