/* SPDX-License-Identifier: MIT */
/* window.c - pool, reserve and zeros: three mappings of the host's.
 *
 * The pool holds the machine's frames; the ones never written cost nothing.  The reserve
 * costs nothing but page tables where areas are.  Huge pages are kept out of both: the
 * machine counts, fills and releases single pages. */
#include "ports/linux/window.h"

#include "ports/linux/ground.h"
#include "ports/linux/sys.h"
#include "ports/linux/uffd.h"

#include <sys/mman.h>
#include <sys/resource.h>

#define RESERVE_LEAST (UINT64_C(1) << 30)

/* Under a limit of addresses the reserve takes a half: the host's mappings need theirs. */
static uint64_t limited(uint64_t bytes)
{
	struct rlimit limit;

	if (qr_sys(SYS_prlimit64, 0, RLIMIT_AS, 0, qr_address(&limit), 0, 0) == 0)
		while (bytes > limit.rlim_cur / 2)
			bytes /= 2;
	return bytes;
}

static bool make_reserve(uint64_t most)
{
	for (uint64_t bytes = limited(most); bytes >= RESERVE_LEAST; bytes /= 2) {
		long at =
			qr_host_mmap(NULL, bytes, PROT_NONE,
				     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		uint64_t start = (uint64_t)at;

		if (qr_failed(at))
			continue;
		(void)qr_host_madvise((const void *)at, bytes, MADV_NOHUGEPAGE);
		qr_ground.reserve = (struct quire_range){{start}, {start + bytes}};
		qr_ground.doorbell = start;
		qr_ground.scratch = start + QUIRE_HEAD_BYTES - QUIRE_SCRATCH_BYTES;
		return qr_host_mprotect((const void *)at, QUIRE_HEAD_BYTES,
					PROT_READ | PROT_WRITE) == 0;
	}
	return false;
}

static bool make_pool(uint64_t bytes)
{
	long at = qr_host_mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (qr_failed(at))
		return false;
	(void)qr_host_madvise((const void *)at, bytes, MADV_NOHUGEPAGE);
	qr_ground.port.direct = (unsigned char *)at;
	qr_ground.port.nr_frames = (uint32_t)(bytes >> QUIRE_PAGE_SHIFT);
	return true;
}

/* Reading what was never written reads the host's one page of zeros. */
static bool make_zeros(void)
{
	size_t bytes = QUIRE_FILL_MAX * QUIRE_PAGE_BYTES;
	long at =
		qr_host_mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (qr_failed(at))
		return false;
	(void)qr_host_madvise((const void *)at, bytes, MADV_NOHUGEPAGE);
	qr_ground.zeros = (const unsigned char *)at;
	return true;
}

bool qr_window_make(uint64_t ram_bytes, uint64_t reserve_bytes)
{
	const uint64_t pages = ram_bytes >> QUIRE_PAGE_SHIFT;

	if (pages == 0 || pages > UINT32_MAX)
		return false;
	if (!make_pool(pages << QUIRE_PAGE_SHIFT) || !make_zeros() ||
	    !make_reserve(reserve_bytes))
		return false;
	qr_ground.port.window = (struct quire_range){
		{qr_ground.reserve.start.a + QUIRE_HEAD_BYTES}, qr_ground.reserve.end};
	return true;
}

long qr_window_restore(struct quire_range range)
{
	size_t bytes = range.end.a - range.start.a;
	long at = qr_host_mmap((const void *)range.start.a, bytes, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
			       -1, 0);

	if (qr_failed(at))
		return at;
	(void)qr_host_madvise((const void *)at, bytes, MADV_NOHUGEPAGE);
	return 0;
}

long qr_window_register(void)
{
	struct quire_range left = qr_ground.reserve, foreign;

	while (left.start.a < left.end.a) {
		struct quire_range part = left;
		long error;

		if (qr_ranges_first(&qr_ground.foreign, left, &foreign)) {
			part.end = foreign.start;
			left.start = foreign.end;
		} else {
			left.start = left.end;
		}
		if (part.start.a == part.end.a)
			continue;
		error = qr_uffd_register(part);
		if (error != 0)
			return error;
	}
	return 0;
}
