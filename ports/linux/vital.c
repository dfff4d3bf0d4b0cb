/* SPDX-License-Identifier: MIT */
/* vital.c - the paged memory that a fork touches while nobody answers faults. */
#include "ports/linux/vital.h"

#include "ports/linux/enter.h"
#include "ports/linux/ground.h"
#include "ports/linux/sys.h"
#include "ports/linux/text.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>

/* libc's own, exported but in no header. */
extern FILE *_IO_list_all;
void _IO_list_lock(void);
void _IO_list_unlock(void);

#define PAGES_MAX 1024u

/* Stack that is in use above this frame, and that the calls to come may use below. */
#define STACK_ABOVE ((uint64_t)16 << 10)
#define STACK_BELOW ((uint64_t)48 << 10)
/* libc keeps its record of a thread at the thread pointer, thread-local data below. */
#define AREA_ABOVE ((uint64_t)4 << 10)
#define AREA_BELOW ((uint64_t)4 << 10)

/* Of a word of /proc/PID/pagemap. */
#define PAGEMAP_PRESENT	  (UINT64_C(1) << 63)
#define PAGEMAP_PROTECTED (UINT64_C(1) << 57)

/* One fork is prepared at a time. */
static uint64_t pages[PAGES_MAX];
static uint32_t nr_pages;

static void add_page(uint64_t va)
{
	va &= ~(uint64_t)(QUIRE_PAGE_BYTES - 1);
	if (!qr_range_has(qr_ground.port.window, va))
		return;
	for (uint32_t i = nr_pages; i > 0; i--)
		if (pages[i - 1] == va)
			return;
	if (nr_pages < PAGES_MAX)
		pages[nr_pages++] = va;
}

/* Pages around va, as far as its area goes. */
static void add_around(uint64_t va, uint64_t below, uint64_t above)
{
	struct quire_area_info area;
	uint64_t start = va - below, end = va + above;

	if (!qr_range_has(qr_ground.port.window, va) ||
	    !quire_area_next(qr_ground.q, (quire_vaddr){va}, &area) ||
	    area.range.start.a > va || (area.prot & QUIRE_WRITE) == 0)
		return;
	start = start > area.range.start.a ? start : area.range.start.a;
	end = end < area.range.end.a ? end : area.range.end.a;
	for (uint64_t page = start; page < end; page += QUIRE_PAGE_BYTES)
		add_page(page);
	add_page(end - 1);
}

static void add_streams(void)
{
	_IO_list_lock();
	for (FILE *f = _IO_list_all; f != NULL; f = f->_chain) {
		add_page((uint64_t)(uintptr_t)f);
		add_page((uint64_t)(uintptr_t)(f + 1));
		add_page((uint64_t)(uintptr_t)f->_lock);
	}
	_IO_list_unlock();
}

/* The core is asked on the private stack; the streams are walked on the thread's. */
static long add_known(const uint64_t *args)
{
	add_around(args[0], STACK_BELOW, STACK_ABOVE);
	add_around(args[1], AREA_BELOW, AREA_ABOVE);
	if (args[2] != 0)
		add_around(args[2] - 1, STACK_BELOW, 1);
	return 0;
}

void qr_vital_list(uint64_t child_stack)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {
		(uint64_t)(uintptr_t)__builtin_frame_address(0), (uint64_t)pthread_self(),
		child_stack};

	nr_pages = 0;
	(void)qr_enter_blocked(add_known, args);
	add_streams();
}

void qr_vital_touch(void)
{
	for (uint32_t i = 0; i < nr_pages; i++) {
		_Atomic unsigned char *byte = (_Atomic unsigned char *)pages[i];

		(void)atomic_fetch_or(byte, 0);
	}
}

static bool page_is_ready(long pagemap, uint64_t va)
{
	uint64_t word = 0;
	unsigned char resident = 0;

	if (qr_host_mincore((const void *)va, QUIRE_PAGE_BYTES, &resident) != 0 ||
	    (resident & 1) == 0)
		return false;
	if (pagemap < 0 ||
	    qr_host_pread(pagemap, &word, sizeof(word),
			  va / QUIRE_PAGE_BYTES * sizeof(word)) != (long)sizeof(word))
		return true;
	return (word & PAGEMAP_PRESENT) != 0 && (word & PAGEMAP_PROTECTED) == 0;
}

bool qr_vital_present(void)
{
	bool ready = true;
	long pagemap;

	if (nr_pages == 0)
		return true;
	pagemap = qr_host_open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC, 0);
	for (uint32_t i = 0; i < nr_pages && ready; i++)
		ready = page_is_ready(pagemap, pages[i]);
	if (pagemap >= 0)
		(void)qr_host_close(pagemap);
	return ready;
}
