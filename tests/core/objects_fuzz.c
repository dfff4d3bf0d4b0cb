/* SPDX-License-Identifier: MIT */
/* objects_fuzz.c - the steps of objects_driver.h with a fuzzer's bytes for choices (clang
 * -fsanitize=fuzzer), every invariant walked after each.  The first byte says which kinds
 * of caches. */
#include "tests/core/objects_driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const uint32_t flags[] = {
		0,
		QUIRE_SLAB_NO_MAGAZINE,
		QUIRE_SLAB_RANDOM | QUIRE_SLAB_ENCODED,
		QUIRE_SLAB_DEBUG,
	};
	struct objects_driver_config config = {.nr_frames = 160};
	struct objects_driver driver;
	struct source source;

	if (bytes < 2)
		return -1;
	for (uint32_t i = 0; i < DRIVER_CACHES; i++)
		config.flags[i] = flags[data[0] >> (2 * i) & 3];
	config.kmalloc_flags = flags[data[0] >> 6];
	source = source_data(data + 1, bytes - 1);
	objects_driver_open(&driver, &config);
	while (!source_is_over(&source)) {
		objects_driver_step(&driver, &source);
		objects_rig_validate(&driver.rig);
	}
	objects_driver_close(&driver);
	return 0;
}
