/* SPDX-License-Identifier: MIT */
/* thread.h - threads and stacks without libc. */
#ifndef QUIRE_PORTS_LINUX_THREAD_H
#define QUIRE_PORTS_LINUX_THREAD_H

#include <stdint.h>

/* clone(2): run(arg) on the stack that ends at top (a multiple of 16), with tls as the
 * thread area.  Returns in the caller only: the thread's number, or -errno. */
long qr_thread_clone(unsigned long flags, void *top, void *tls, void (*run)(void *),
		     void *arg);

/* run(args) on the stack that ends at top (a multiple of 16). */
long qr_stack_call(void *top, long (*run)(const uint64_t *args), const uint64_t *args);

#endif
