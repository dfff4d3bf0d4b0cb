/* SPDX-License-Identifier: MIT */
/* settings.h - what `quire run` tells the library in the environment variable QUIRE_RUN.
 *
 * The text is "key=value" pairs parted by commas; in a value a comma, an equals sign and
 * a percent sign are written as %XX.  Both sides use the two functions below, so that
 * there is one home for the format. */
#ifndef QUIRE_PORTS_LINUX_SETTINGS_H
#define QUIRE_PORTS_LINUX_SETTINGS_H

#include "quire/machine.h"

#define QUIRE_SETTINGS_VARIABLE "QUIRE_RUN"
#define QUIRE_SETTINGS_BYTES	2048u

struct quire_settings {
	uint64_t ram_bytes;
	uint64_t store_bytes; /* 0: by what pays */
	enum quire_swap_mode swap;
	char swap_path[512];	 /* a folder, or a file; empty: $TMPDIR or /tmp */
	uint64_t swap_bytes;	 /* 0: as far as the disk goes */
	uint32_t without;	 /* QUIRE_FEATURE_* not to be used */
	int32_t supervisor;	 /* pid */
	int32_t segment_fd;	 /* in the supervisor */
	uint32_t wants_heap;	 /* 1: the heap's account at exit */
	uint64_t fail_swap_read; /* for tests: the n-th transfer fails; 0 never */
	uint64_t fail_swap_write;
	uint64_t
		flip_swap_read; /* for tests: the n-th read comes back with a bit wrong */
};

/* Writes the text and a final 0; false when it does not fit. */
bool qr_settings_format(const struct quire_settings *settings, char *text, size_t bytes);
/* NULL, or the key at fault; settings are then undefined.  No libc state is used. */
const char *qr_settings_parse(struct quire_settings *settings, const char *text);

#endif
