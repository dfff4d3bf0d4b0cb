/* SPDX-License-Identifier: MIT */
/* misuse.h - what the programs of the misuse set share.
 *
 * Each program commits one misuse, on a block whose size is in the range that its
 * argument names, and says with its exit status what came of it.  A process that was
 * stopped says nothing.
 */
#ifndef QUIRE_TESTS_HEAP_MISUSE_H
#define QUIRE_TESTS_HEAP_MISUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#define PAGE ((size_t)4096)

/* Exit statuses: the misuse went unnoticed; it did, and did no harm, as nothing of what
 * the block held before was to be read. */
#define MISSED	 0
#define HARMLESS 3

#define NR_BLOCKS 8

/* The misuse, by each program. */
int misuse(size_t bytes);

/* The block, filled with what nobody else may see. */
char *fill(char *block, size_t bytes);
/* Whether some of that is to be read there. */
bool seen(char *block, size_t bytes);
/* Changes each of these bytes, whatever it is. */
void flip(char *at, size_t nr);
/* Reads a byte. */
void use(char *at);
/* Where realloc moved the block to, which it did. */
char *grow(char *block, size_t bytes);
void free_in_thread(char *block);
/* Blocks of the size are filled and freed. */
void free_secrets(size_t bytes);

#endif
