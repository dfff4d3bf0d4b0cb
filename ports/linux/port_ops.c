/* SPDX-License-Identifier: MIT */
/* port_ops.c - fill, protect, release, look and the small ops.
 *
 * fill, protect and wake are for handlers, which have the userfaultfd; the core calls
 * them only from lanes.  The others may also come from a thread of the program. */
#include "ports/linux/port_ops.h"

#include "core/base/assert.h"
#include "ports/linux/area.h"
#include "ports/linux/careful.h"
#include "ports/linux/ground.h"
#include "ports/linux/handler.h"
#include "ports/linux/seat.h"
#include "ports/linux/swapfile.h"
#include "ports/linux/sys.h"
#include "ports/linux/uffd.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <time.h>

static enum quire_status fill(void *ctx, quire_vaddr va, uint32_t nr, const void *src,
			      uint32_t flags)
{
	(void)ctx;
	return qr_uffd_copy(va, nr, src != NULL ? src : qr_ground.zeros,
			    (flags & QUIRE_FILL_READONLY) != 0);
}

static void protect(void *ctx, const struct quire_run *runs, uint32_t nr, bool on)
{
	(void)ctx;
	for (uint32_t i = 0; i < nr; i++)
		qr_uffd_protect(runs[i], on);
	if (on)
		qr_careful_ask();
}

static void wake(void *ctx, struct quire_run run)
{
	(void)ctx;
	qr_uffd_wake(run);
}

static size_t run_bytes(struct quire_run run)
{
	return run.nr << QUIRE_PAGE_SHIFT;
}

static void drop_each(const struct iovec *vec, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		(void)qr_host_madvise(vec[i].iov_base, vec[i].iov_len,
				      MADV_DONTNEED_LOCKED);
}

/* One call for all, where the kernel has it, since each costs the other processors an
 * interrupt.  The pidfd is in the handlers' table alone. */
static void drop_ranges(const struct iovec *vec, uint32_t nr)
{
	uint32_t done = 0;

	if (nr == 1 || (qr_ground.features & QUIRE_FEATURE_RELEASE_VECTOR) == 0 ||
	    !qr_handler_is_here()) {
		drop_each(vec, nr);
		return;
	}
	while (done < nr) {
		long got = qr_host_process_madvise(qr_ground.fds.self, vec + done,
						   nr - done, MADV_DONTNEED_LOCKED);

		if (got <= 0) {
			drop_each(vec + done, 1);
			done++;
			continue;
		}
		while (done < nr && (size_t)got >= vec[done].iov_len)
			got -= (long)vec[done++].iov_len;
	}
}

static void release(void *ctx, const struct quire_run *runs, uint32_t nr, uint32_t flags,
		    uint64_t *kept)
{
	struct iovec vec[QUIRE_RUNS_MAX];

	/* What is pinned does not get here: look() said so (careful.c). */
	(void)ctx;
	(void)flags;
	(void)kept;
	for (uint32_t i = 0; i < nr; i++)
		vec[i] = (struct iovec){(void *)runs[i].start.a, run_bytes(runs[i])};
	drop_ranges(vec, nr);
}

/* The page is mapped and protected, and its area cannot change while it is BUSY, so where
 * the program may read it this thread may too. */
static const void *look(void *ctx, quire_vaddr va, uint32_t prot, void *scratch)
{
	long got;

	(void)ctx;
	if (qr_careful_is_needed()) {
		enum qr_careful_answer answer = qr_careful_look(va, scratch);

		if (answer != QR_CAREFUL_CANNOT_BE)
			return answer == QR_CAREFUL_READ ? scratch : NULL;
	}
	if ((prot & QUIRE_READ) != 0)
		return (const void *)va.a;
	got = qr_host_pread(qr_ground.fds.memory, scratch, QUIRE_PAGE_BYTES, va.a);
	return got == (long)QUIRE_PAGE_BYTES ? scratch : NULL;
}

static unsigned char *frame_at(quire_pfn pfn)
{
	return qr_ground.port.direct + ((size_t)pfn.n << QUIRE_PAGE_SHIFT);
}

static void discard(void *ctx, const quire_pfn *pfns, uint32_t nr)
{
	struct iovec vec[QUIRE_RUNS_MAX];
	uint32_t nr_vec = 0;

	(void)ctx;
	for (uint32_t i = 0; i < nr; i++) {
		if (i > 0 && pfns[i].n == pfns[i - 1].n + 1)
			vec[nr_vec - 1].iov_len += QUIRE_PAGE_BYTES;
		else
			vec[nr_vec++] =
				(struct iovec){frame_at(pfns[i]), QUIRE_PAGE_BYTES};
	}
	drop_ranges(vec, nr_vec);
}

static uint64_t read_clock(void *ctx)
{
	struct timespec ts;

	(void)ctx;
	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static void wait_word(void *ctx, _Atomic uint32_t *word, uint32_t value)
{
	(void)ctx;
	(void)qr_sys(SYS_futex, qr_address((const void *)word), FUTEX_WAIT_PRIVATE,
		     (long)value, 0, 0, 0);
}

static void notify_word(void *ctx, _Atomic uint32_t *word, uint32_t nr)
{
	(void)ctx;
	(void)qr_sys(SYS_futex, qr_address((const void *)word), FUTEX_WAKE_PRIVATE,
		     nr > INT_MAX ? INT_MAX : (long)nr, 0, 0, 0);
}

__attribute__((noreturn)) static void panic(void *ctx, const char *why)
{
	struct qr_text text = qr_seat_text();

	(void)ctx;
	qr_text_add(&text, why);
	qr_seat_die(&text, QUIRE_END_PANIC);
}

void qr_assert_failed(const char *where, const char *condition)
{
	struct qr_text text = qr_seat_text();

	qr_text_add(&text, where);
	qr_text_add(&text, ": ");
	qr_text_add(&text, condition);
	qr_seat_die(&text, QUIRE_END_PANIC);
}

void qr_port_ops_set(struct quire_port *port)
{
	port->version = QUIRE_PORT_VERSION;
	port->caps = QUIRE_PORT_COPIES;
	port->fill = fill;
	port->protect = protect;
	port->release = release;
	port->wake = wake;
	port->look = look;
	port->discard = discard;
	port->area_set = qr_area_set;
	port->swap_open = qr_swapfile_open;
	port->swap_write = qr_swapfile_write;
	port->swap_read = qr_swapfile_read;
	port->swap_sole = qr_swapfile_sole;
	port->clock = read_clock;
	port->wait = wait_word;
	port->notify = notify_word;
	port->panic = panic;
}
