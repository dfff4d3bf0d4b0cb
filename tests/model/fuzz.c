/* SPDX-License-Identifier: MIT */
/* fuzz.c - the same steps with a fuzzer's bytes for choices (clang -fsanitize=fuzzer).
 *
 * The first byte says which machine; the others are the source of the choices.
 */
#include "tests/model/driver.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	struct rig_config config = {
		.lanes = 1,
		.disk = 1024,
		.steps = UINT32_MAX,
		.fail = RIG_NONE,
	};
	struct source source;
	struct driver driver;
	struct rig rig;

	if (bytes < 2)
		return -1;
	config.copies = (data[0] & 1) != 0;
	config.swap = (data[0] >> 1) % 3;
	config.store = (data[0] & 8) != 0 ? 64 : 0;
	config.frames = (data[0] & 16) != 0 ? 256 : 0;
	source = source_data(data + 1, bytes - 1);
	if (!rig_open(&rig, &config))
		return -1;
	driver_init_alone(&driver, &rig, &source);
	driver.is_child = true; /* no forks: the fuzzer's process stays one */
	driver_run(&driver, config.steps);
	driver_finish(&driver);
	rig_close(&rig);
	return 0;
}
