/* SPDX-License-Identifier: MIT */
/* support.h - what the heap's tests share: a page source that counts and that can fail,
 * and the proof at each test's end that nothing leaked. */
#ifndef QUIRE_TESTS_HEAP_SUPPORT_H
#define QUIRE_TESTS_HEAP_SUPPORT_H

#include "heap/heap.h"

/* Makes the counting source the heap's; first of all. */
void support_init(void);
/* The n-th request for pages from now on fails, and all that follow; 0: none does. */
void support_fail_from(unsigned n);
/* Requests for pages since support_fail_from(). */
unsigned support_requests(void);
/* Bytes that the source has handed out and not got back; bytes purged, ever. */
size_t support_mapped(void);
size_t support_purged(void);

uint64_t support_random(uint64_t *state);

/* Blocks in use now; compared by support_check() at the end. */
size_t support_blocks(void);
/* Fails the test unless nr blocks are in use and all invariants hold. */
void support_check(size_t nr);

#endif
