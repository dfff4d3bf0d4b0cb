/* SPDX-License-Identifier: MIT */
/* calls_map.c - mmap, munmap, mprotect and brk.
 *
 * Private anonymous memory is the machine's; everything else is left with the host.  A
 * host mapping can be put inside the window (MAP_FIXED): it is made elsewhere first, so
 * that whatever the host has against it comes up before anything is lost, and then
 * moved. */
#include "ports/linux/calls.h"
#include "ports/linux/sys.h"

#include <errno.h>
#include <sys/mman.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000
#endif

#define PROT_ALL ((uint64_t)(QUIRE_READ | QUIRE_WRITE | QUIRE_EXEC))

/* mmap's arguments. */
struct request {
	uint64_t addr, bytes, prot, flags, fd, offset;
	struct quire_range range; /* fixed ones: where; others: from addr on */
};

static bool is_private_anonymous(const struct request *r)
{
	return (r->flags & MAP_TYPE) == MAP_PRIVATE && (r->flags & MAP_ANONYMOUS) != 0;
}

static bool is_ours(const struct request *r)
{
	return is_private_anonymous(r) &&
	       (r->flags & (MAP_32BIT | MAP_HUGETLB | MAP_GROWSDOWN)) == 0;
}

static bool is_fixed(const struct request *r)
{
	return (r->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;
}

static void note_host_bytes(void)
{
	qr_ground.seat->foreign_bytes = qr_ranges_bytes(&qr_ground.host_anon);
}

static long map_host(const struct request *r)
{
	long at;

	if (is_private_anonymous(r) && !qr_ranges_reserve(&qr_ground.host_anon))
		return -ENOMEM;
	at = qr_sys(SYS_mmap, (long)r->addr, (long)r->bytes, (long)r->prot,
		    (long)r->flags, (long)r->fd, (long)r->offset);
	if (qr_failed(at) || !is_private_anonymous(r))
		return at;
	if (is_fixed(r))
		qr_ranges_remove(&qr_ground.host_anon, r->range);
	qr_ranges_add(&qr_ground.host_anon,
		      (struct quire_range){
			      {(uint64_t)at},
			      {(uint64_t)at + (r->range.end.a - r->range.start.a)}});
	note_host_bytes();
	return at;
}

static uint32_t map_flags(const struct request *r)
{
	uint32_t flags = 0;

	if ((r->flags & MAP_FIXED_NOREPLACE) != 0)
		flags |= QUIRE_MAP_NOREPLACE;
	else if ((r->flags & MAP_FIXED) != 0)
		flags |= QUIRE_MAP_FIXED;
	if ((r->flags & MAP_LOCKED) != 0)
		flags |= QUIRE_MAP_LOCKED;
	return flags;
}

static bool replaces(const struct request *r)
{
	return (r->flags & MAP_FIXED) != 0 && (r->flags & MAP_FIXED_NOREPLACE) == 0;
}

/* What MAP_LOCKED and MAP_POPULATE ask for once the area is there.  Populating is done as
 * far as it goes, as on the host. */
static long complete(const struct request *r, struct quire_range range)
{
	size_t bytes = range.end.a - range.start.a;
	long error = 0;

	if ((r->flags & MAP_LOCKED) != 0 || qr_ground.locks_future)
		error = qr_lock_new(range);
	else if ((r->flags & MAP_POPULATE) != 0)
		(void)qr_host_madvise((const void *)range.start.a, bytes,
				      (r->prot & PROT_WRITE) != 0 ? MADV_POPULATE_WRITE
								  : MADV_POPULATE_READ);
	if (error == 0)
		return (long)range.start.a;
	(void)quire_munmap(qr_ground.q, range.start, bytes);
	return error;
}

static long map_ours(const struct request *r)
{
	uint64_t bytes = r->range.end.a - r->range.start.a;
	enum quire_status status;
	quire_vaddr at;
	long error = 0;

	if (replaces(r))
		error = qr_foreign_restore(r->range);
	if (error != 0)
		return error;
	status = quire_mmap(qr_ground.q, r->range.start, bytes,
			    (uint32_t)(r->prot & PROT_ALL), map_flags(r), 0, &at);
	if (status != QUIRE_OK)
		return qr_status_error(status);
	return complete(r, (struct quire_range){at, {at.a + bytes}});
}

static long put_foreign(const struct request *r, const void *made)
{
	const void *to = (const void *)r->range.start.a;
	size_t bytes = r->range.end.a - r->range.start.a;
	enum quire_status status;
	quire_vaddr at;
	long moved;

	status = quire_mmap(qr_ground.q, r->range.start, bytes, 0,
			    QUIRE_MAP_FOREIGN | (map_flags(r) & ~QUIRE_MAP_LOCKED), 0,
			    &at);
	if (status != QUIRE_OK)
		return qr_status_error(status);
	moved = qr_host_mremap(made, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, to);
	if (qr_failed(moved))
		(void)quire_munmap(qr_ground.q, r->range.start, bytes);
	else
		qr_ranges_add(&qr_ground.foreign, r->range);
	return moved;
}

static long map_foreign(const struct request *r)
{
	const uint64_t fixed = MAP_FIXED | MAP_FIXED_NOREPLACE;
	long made, error = 0;

	if (!qr_ranges_reserve(&qr_ground.foreign))
		return -ENOMEM;
	made = qr_sys(SYS_mmap, 0, (long)r->bytes, (long)r->prot,
		      (long)(r->flags & ~fixed), (long)r->fd, (long)r->offset);
	if (qr_failed(made))
		return made;
	if (replaces(r))
		error = qr_foreign_restore(r->range);
	if (error == 0)
		error = put_foreign(r, (const void *)made);
	if (qr_failed(error))
		(void)qr_host_munmap((const void *)made, r->bytes);
	return error;
}

long qr_call_mmap(const uint64_t *a)
{
	struct request r = {a[0], a[1], a[2], a[3], a[4], a[5], {{0}, {0}}};
	uint64_t skew = r.addr & (QUIRE_PAGE_BYTES - 1);

	/* The host knows best how to refuse. */
	if (r.bytes == 0 || (is_fixed(&r) && skew != 0) ||
	    !qr_pages_of(r.addr - skew, r.bytes, &r.range))
		return map_host(&r);
	if (!is_fixed(&r))
		return is_ours(&r) ? map_ours(&r) : map_host(&r);
	if (!qr_touches_reserve(r.range))
		return map_host(&r);
	if (!qr_is_in_window(r.range))
		return replaces(&r) ? -ENOMEM : -EEXIST;
	return is_ours(&r) ? map_ours(&r) : map_foreign(&r);
}

static long unmap_host(struct quire_range range)
{
	size_t bytes = range.end.a - range.start.a;
	long error;

	if (qr_touches_reserve(range))
		return -EINVAL;
	error = qr_host_munmap((const void *)range.start.a, bytes);
	if (error == 0 && qr_ground.host_anon.nr > 0) {
		qr_ranges_remove(&qr_ground.host_anon, range);
		note_host_bytes();
	}
	return error;
}

static long unmap_piece(const struct qr_piece *piece)
{
	size_t bytes = piece->range.end.a - piece->range.start.a;

	if (piece->side == QR_HOST)
		return unmap_host(piece->range);
	return qr_status_error(quire_munmap(qr_ground.q, piece->range.start, bytes));
}

long qr_call_munmap(const uint64_t *a)
{
	struct quire_range left;
	struct qr_piece piece;
	long error;

	if ((a[0] & (QUIRE_PAGE_BYTES - 1)) != 0 || a[1] == 0 ||
	    !qr_pages_of(a[0], a[1], &left))
		return -EINVAL;
	error = qr_foreign_restore(left);
	while (error == 0 && qr_piece_next(&left, &piece))
		error = unmap_piece(&piece);
	return error;
}

static long protect_piece(const struct qr_piece *piece, uint64_t prot)
{
	size_t bytes = piece->range.end.a - piece->range.start.a;

	if (piece->side != QR_MACHINE)
		return qr_host_mprotect((const void *)piece->range.start.a, bytes,
					(int)prot);
	if ((prot & (PROT_GROWSDOWN | PROT_GROWSUP)) != 0)
		return -EINVAL;
	return qr_status_error(quire_mprotect(qr_ground.q, piece->range.start, bytes,
					      (uint32_t)(prot & PROT_ALL)));
}

static long protect_all(uint64_t addr, uint64_t bytes, uint64_t prot)
{
	struct quire_range left;
	struct qr_piece piece;
	long error = 0;

	if ((addr & (QUIRE_PAGE_BYTES - 1)) != 0)
		return -EINVAL;
	if (!qr_pages_of(addr, bytes, &left))
		return -ENOMEM;
	while (error == 0 && qr_piece_next(&left, &piece))
		error = protect_piece(&piece, prot);
	return error;
}

long qr_call_mprotect(const uint64_t *a)
{
	return protect_all(a[0], a[1], a[2]);
}

/* The key is the host's business alone; it goes first, since it can refuse. */
long qr_call_pkey_mprotect(const uint64_t *a)
{
	long error = qr_sys(SYS_pkey_mprotect, (long)a[0], (long)a[1], (long)a[2],
			    (long)a[3], 0, 0);

	return error != 0 ? error : protect_all(a[0], a[1], a[2]);
}

/* As the kernel's: the break, moved or not. */
long qr_call_brk(const uint64_t *a)
{
	quire_vaddr at = {0};

	if (a[0] == 0 || quire_brk(qr_ground.q, (quire_vaddr){a[0]}, &at) != QUIRE_OK)
		(void)quire_brk(qr_ground.q, (quire_vaddr){0}, &at);
	return (long)at.a;
}
