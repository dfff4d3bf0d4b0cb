/* SPDX-License-Identifier: MIT */
/* assert.c - what a failed assertion of the core does in the command, which asks the core
 * for figures only: there is no machine to stop, so it is one more failure of its own. */
#include "core/base/assert.h"

#include "cli/cli.h"

#include <unistd.h>

void qr_assert_failed(const char *where, const char *condition)
{
	(void)qr_cli_fail(0, "%s: %s", where, condition);
	_exit(QR_EXIT_QUIRE);
}
