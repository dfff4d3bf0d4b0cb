/* SPDX-License-Identifier: MIT */
/* library.h - finds libquire.so. */
#ifndef QUIRE_CLI_LIBRARY_H
#define QUIRE_CLI_LIBRARY_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

/* The file named by QUIRE_LIBRARY; or libquire.so beside this executable, in the lib
 * folder beside its folder, or where it was installed to.  False with a line in why. */
bool qr_library_find(char path[PATH_MAX], char *why, size_t bytes);

#endif
