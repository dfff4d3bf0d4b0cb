/* SPDX-License-Identifier: MIT */
/* careful.c - pages that a device may be writing to are left alone.
 *
 * A page that direct I/O or a registered buffer has pinned must keep its frame, and no
 * protection stops a device.  Only one call tells: UFFDIO_MOVE refuses such a page.  So
 * once it is protected, and before its bytes are read, each page is moved to a scratch
 * address, and its bytes are put back as a fresh, protected page: whoever pins that one
 * for writing has to fault first, and then it stays.  Pages whose copy is still good have
 * been protected since they were filled, so no device writes to them.  A page that may
 * only be read cannot be the target of a device's write; the move refuses it for its own
 * reasons (EINVAL), and it is read where it is.
 *
 * This costs, and is done from the moment on that there may be such pages: a descriptor
 * was opened past the page cache (names_open.c), or the kernel counts pages of this
 * process as pinned for good.  The latter is asked after the batch was protected.
 *
 * Without UFFDIO_MOVE (before Linux 6.8) the kernel does not tell.  The buffers of reads
 * in progress are known then (hold.c), and stay; once pages may be pinned for longer than
 * a call lasts (asynchronous I/O, registered buffers), all that may be written stays. */
#include "ports/linux/careful.h"

#include "core/base/lock.h"
#include "core/base/memory.h"
#include "ports/linux/ground.h"
#include "ports/linux/hold.h"
#include "ports/linux/sys.h"
#include "ports/linux/uffd.h"

#include <errno.h>
#include <sys/mman.h>

/* Who looks at a page has the scratch address. */
static struct quire_lock lock;

void qr_careful_init(void)
{
	qr_lock_init(&lock, &qr_ground.port);
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
	return atomic_load_explicit(&qr_ground.has_devices, memory_order_relaxed);
}

void qr_careful_ask(void)
{
	char status[2048];
	long got;

	if (qr_careful_is_needed())
		return;
	got = qr_host_pread(qr_ground.fds.status, status, sizeof(status), 0);
	if (got > 0 && tells_of_pins(status, status + got))
		qr_careful_begin(true);
}

void qr_careful_begin(bool is_async)
{
	if (is_async)
		atomic_store(&qr_ground.has_async_devices, true);
	atomic_store(&qr_ground.has_devices, true);
}

/* The page's bytes, proven to be nobody's target; -EBUSY, or what the move said. */
static long exchange(quire_vaddr va, void *bytes)
{
	const void *from = (const void *)qr_ground.scratch;
	long error = qr_uffd_move(qr_ground.scratch, va.a);

	if (error != 0)
		return error;
	memcpy(bytes, from, QUIRE_PAGE_BYTES);
	if (qr_uffd_copy(va, 1, bytes, true) != QUIRE_OK)
		qr_ground.port.panic(
			qr_ground.port.ctx,
			"the host has no memory for a page that was looked at");
	(void)qr_host_madvise(from, QUIRE_PAGE_BYTES, MADV_DONTNEED_LOCKED);
	return 0;
}

enum qr_careful_answer qr_careful_look(quire_vaddr va, void *bytes)
{
	long error = -EBUSY;

	if ((qr_ground.features & QUIRE_FEATURE_MOVE) != 0) {
		qr_lock(&lock);
		error = exchange(va, bytes);
		qr_unlock(&lock);
	} else if (!qr_ground.has_async_devices && !qr_hold_has(va)) {
		return QR_CAREFUL_CANNOT_BE;
	}
	if (error == 0)
		return QR_CAREFUL_READ;
	return error == -EBUSY ? QR_CAREFUL_PINNED : QR_CAREFUL_CANNOT_BE;
}
