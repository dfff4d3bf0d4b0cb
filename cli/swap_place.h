/* SPDX-License-Identifier: MIT */
/* swap_place.h - where swap files may go, checked before the program starts. */
#ifndef QUIRE_CLI_SWAP_PLACE_H
#define QUIRE_CLI_SWAP_PLACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct qr_swap_place {
	char path[512];	 /* absolute: a folder, or a file that is not there yet */
	uint64_t free;	 /* bytes that its filesystem has free */
	bool in_memory;	 /* its filesystem lives in RAM, so that swapping frees nothing */
	bool direct;	 /* its filesystem takes O_DIRECT */
	char fault[640]; /* why it cannot be used */
};

/* A folder, or the name of a file to be made in one.  False with a line in fault. */
bool qr_swap_place_check(const char *path, struct qr_swap_place *out);

/* The same for the folder that is used when none is named: $TMPDIR; or /tmp, or /var/tmp
 * where /tmp lives in RAM. */
bool qr_swap_place_default(struct qr_swap_place *out);

#endif
