/* SPDX-License-Identifier: MIT */
/* assert.c - what a failed assertion of the core does on a hosted ground. */
#include "core/base/assert.h"

#include <stdio.h>
#include <stdlib.h>

void qr_assert_failed(const char *where, const char *condition)
{
	fprintf(stderr, "%s: %s\n", where, condition);
	abort();
}
