/* SPDX-License-Identifier: MIT */
/* careful.c - releasing pages that a device may be writing to.
 *
 * A page that direct I/O or a registered buffer has pinned must keep its frame: what the
 * device writes would be lost with it.  Only one call tells: UFFDIO_MOVE refuses such a
 * page.  So each page is moved to the scratch addresses first, one by one, and what got
 * there is dropped together.  A page that may only be read cannot be the target of a
 * device's write, and the move refuses it for its own reasons (EINVAL): it is dropped.
 *
 * This costs, and is done from the moment on that there may be such pages: a descriptor
 * was opened past the page cache (names_open.c), or the kernel counts pages of this
 * process as pinned for good.  The latter is asked after the batch was protected: who
 * pins a page for writing later than that has to fault first.
 *
 * Without UFFDIO_MOVE (before Linux 6.8) nothing tells, and what may be written stays. */
#include "ports/linux/careful.h"

#include "core/base/lock.h"
#include "core/base/memory.h"
#include "ports/linux/ground.h"
#include "ports/linux/sys.h"
#include "ports/linux/uffd.h"

#include <errno.h>
#include <sys/mman.h>

/* One release at a time has the scratch addresses. */
static struct quire_lock lock;
static uint32_t nr_scratch;

void qr_careful_init(void)
{
	qr_lock_init(&lock, &qr_ground.port);
	nr_scratch = 0;
}

/* The number in "VmPin:\t  1234 kB" is not 0. */
static bool tells_of_pins(const char *text, const char *end)
{
	static const char head[] = "\nVmPin:";
	const size_t bytes = sizeof(head) - 1;

	while (text + bytes < end && memcmp(text, head, bytes) != 0)
		text++;
	for (text += bytes; text < end && *text != '\n'; text++)
		if (*text >= '1' && *text <= '9')
			return true;
	return false;
}

bool qr_careful_is_needed(void)
{
	char status[2048];
	long got;

	if (atomic_load_explicit(&qr_ground.has_devices, memory_order_relaxed))
		return true;
	got = qr_host_pread(qr_ground.fds.status, status, sizeof(status), 0);
	if (got <= 0 || !tells_of_pins(status, status + got))
		return false;
	atomic_store(&qr_ground.has_devices, true);
	return true;
}

static void drop_scratch(void)
{
	(void)qr_host_madvise((const void *)qr_ground.scratch,
			      nr_scratch * QUIRE_PAGE_BYTES, MADV_DONTNEED_LOCKED);
	nr_scratch = 0;
}

/* False when the page has to stay. */
static bool release_page(uint64_t va)
{
	uint64_t to = qr_ground.scratch + nr_scratch * QUIRE_PAGE_BYTES;
	long error = -EBUSY;

	if ((qr_ground.features & QUIRE_FEATURE_MOVE) != 0)
		error = qr_uffd_move(to, va);
	switch (error) {
	case 0:
		if (++nr_scratch == QUIRE_SCRATCH_PAGES)
			drop_scratch();
		return true;
	case -EBUSY:
		return false;
	default:
		(void)qr_host_madvise((const void *)va, QUIRE_PAGE_BYTES,
				      MADV_DONTNEED_LOCKED);
		return true;
	}
}

void qr_careful_release(const struct quire_run *runs, uint32_t nr, uint64_t *kept)
{
	uint64_t bit = 0;

	qr_lock(&lock);
	for (uint32_t i = 0; i < nr; i++) {
		for (uint64_t page = 0; page < runs[i].nr; page++, bit++)
			if (!release_page(runs[i].start.a + page * QUIRE_PAGE_BYTES))
				kept[bit / 64] |= UINT64_C(1) << bit % 64;
	}
	if (nr_scratch > 0)
		drop_scratch();
	qr_unlock(&lock);
}
