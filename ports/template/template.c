/* SPDX-License-Identifier: MIT */
/* template.c - every op, what it is for, and the least that it may do.
 *
 * Copy this folder, then fill the ops in from top to bottom; tests/port runs the clauses
 * of the contract on the result.  include/quire/port.h is the contract itself.
 */
#include "ports/template/template.h"

#include <stdatomic.h>

/* Addresses that the ground has to give away.  A kernel takes the user half; a process
 * reserves a part of its own space. */
#define WINDOW_START 0x100000000ull
#define WINDOW_END   0x200000000ull

/* A fault is being resolved: pages become accessible.
 * A processor of our own: nothing to copy, nothing to flush (an absent entry is in no
 * TLB); wake the threads that wait for the pages.  A process: give the pages to the
 * host, with their bytes. */
static enum quire_status template_fill(void *ctx, quire_vaddr va, uint32_t nr,
				       const void *src, uint32_t flags)
{
	(void)ctx;
	(void)va;
	(void)nr;
	(void)src;
	(void)flags;
	return QUIRE_UNSUPPORTED;
}

/* Pages are about to be read for the last time, or are not after all.
 * A processor of our own: the entries say so already; flush the runs from every TLB. */
static void template_protect(void *ctx, const struct quire_run *runs, uint32_t nr,
			     bool on)
{
	(void)ctx;
	(void)runs;
	(void)nr;
	(void)on;
}

/* Pages go.  A processor of our own: flush the runs from every TLB.  Bits of kept are set
 * for pages that a device is still writing to; this ground has no devices. */
static void template_release(void *ctx, const struct quire_run *runs, uint32_t nr,
			     uint32_t flags, uint64_t *kept)
{
	(void)ctx;
	(void)runs;
	(void)nr;
	(void)flags;
	(void)kept;
}

/* Threads that wait for a page of the run are to try again.  Nobody waits here: no page
 * was ever filled. */
static void template_wake(void *ctx, struct quire_run run)
{
	(void)ctx;
	(void)run;
}

/* Only with QUIRE_PORT_COPIES: where a mapped page's bytes can be read.  NULL leaves the
 * page where it is. */
static const void *template_look(void *ctx, quire_vaddr va, uint32_t prot, void *scratch)
{
	(void)ctx;
	(void)va;
	(void)prot;
	(void)scratch;
	return NULL;
}

/* An area begins, changes or ends.  Refused, so that no area is ever made whose pages
 * could not be filled. */
static enum quire_status template_area_set(void *ctx, struct quire_range range,
					   uint32_t prot)
{
	(void)ctx;
	(void)range;
	(void)prot;
	return QUIRE_UNSUPPORTED;
}

/* A swap area is asked for, with its size.  Refusing it is what a ground without devices
 * does: everything stays in the compressed store. */
static enum quire_status template_swap_open(void *ctx, uint32_t area,
					    uint64_t *nr_extents)
{
	(void)ctx;
	(void)area;
	(void)nr_extents;
	return QUIRE_UNSUPPORTED;
}

/* nr frames from the start of an extent on. */
static enum quire_status template_swap_write(void *ctx, uint32_t area, uint64_t extent,
					     const quire_pfn *pfns, uint32_t nr)
{
	(void)ctx;
	(void)area;
	(void)extent;
	(void)pfns;
	(void)nr;
	return QUIRE_UNSUPPORTED;
}

/* Whole pages. */
static enum quire_status template_swap_read(void *ctx, uint32_t area, uint64_t byte,
					    void *buf, size_t bytes)
{
	(void)ctx;
	(void)area;
	(void)byte;
	(void)buf;
	(void)bytes;
	return QUIRE_UNSUPPORTED;
}

/* Nanoseconds since any moment.  A clock that stands still never goes back. */
static uint64_t template_clock(void *ctx)
{
	(void)ctx;
	return 0;
}

/* Sleep while the word has the value.  Coming back at once is allowed: whoever waits
 * looks again.  A ground with threads puts them to sleep. */
static void template_wait(void *ctx, _Atomic uint32_t *word, uint32_t value)
{
	(void)ctx;
	(void)atomic_load(word);
	(void)value;
}

/* Wake those who sleep on the word: nobody does. */
static void template_notify(void *ctx, _Atomic uint32_t *word, uint32_t nr)
{
	(void)ctx;
	(void)word;
	(void)nr;
}

/* Corruption was found.  Print why where it can be read, then stop for good. */
static void __attribute__((noreturn)) template_panic(void *ctx, const char *why)
{
	(void)ctx;
	(void)why;
	__builtin_trap();
}

void qr_template_port(struct quire_port *port, unsigned char *ram, uint32_t nr_frames)
{
	*port = (struct quire_port){
		.version = QUIRE_PORT_VERSION,
		.caps = 0, /* frames hold the bytes; nobody sets A and D */
		.direct = ram,
		.nr_frames = nr_frames,
		.window = {{WINDOW_START}, {WINDOW_END}},
		.fill = template_fill,
		.protect = template_protect,
		.release = template_release,
		.wake = template_wake,
		.look = template_look,
		.discard = NULL, /* frames cost the same, used or free */
		.area_set = template_area_set,
		.swap_open = template_swap_open,
		.swap_write = template_swap_write,
		.swap_read = template_swap_read,
		.swap_sole = NULL, /* nothing is ever shared */
		.clock = template_clock,
		.wait = template_wait,
		.notify = template_notify,
		.panic = template_panic,
	};
}
