/* SPDX-License-Identifier: MIT */
/* calls_advise.c - madvise and mincore.
 *
 * What the host is told as well: populating, which it does by faults that come back here,
 * and what is to become of pages in a fork's child.  Advice about huge pages, dumps and
 * merging means nothing for memory that is paged singly: it is accepted. */
#include "ports/linux/calls.h"
#include "ports/linux/sys.h"

#include <errno.h>
#include <sys/mman.h>

enum answer { TO_CORE, TO_HOST, TO_CHILDREN, ACCEPTED };

static const struct advice {
	int theirs;
	enum answer answer;
	enum quire_advice ours;
} advices[] = {
	{MADV_NORMAL, TO_CORE, QUIRE_ADVICE_NORMAL},
	{MADV_RANDOM, TO_CORE, QUIRE_ADVICE_RANDOM},
	{MADV_SEQUENTIAL, TO_CORE, QUIRE_ADVICE_SEQUENTIAL},
	{MADV_DONTNEED, TO_CORE, QUIRE_ADVICE_DONTNEED},
	{MADV_DONTNEED_LOCKED, TO_CORE, QUIRE_ADVICE_DONTNEED},
	{MADV_FREE, TO_CORE, QUIRE_ADVICE_FREE},
	{MADV_COLD, TO_CORE, QUIRE_ADVICE_COLD},
	{MADV_PAGEOUT, TO_CORE, QUIRE_ADVICE_PAGEOUT},
	{MADV_POPULATE_READ, TO_HOST, QUIRE_ADVICE_NORMAL},
	{MADV_POPULATE_WRITE, TO_HOST, QUIRE_ADVICE_NORMAL},
	{MADV_DONTFORK, TO_CHILDREN, QUIRE_ADVICE_NORMAL},
	{MADV_DOFORK, TO_CHILDREN, QUIRE_ADVICE_NORMAL},
	{MADV_WIPEONFORK, TO_CHILDREN, QUIRE_ADVICE_NORMAL},
	{MADV_KEEPONFORK, TO_CHILDREN, QUIRE_ADVICE_NORMAL},
	{MADV_WILLNEED, ACCEPTED, QUIRE_ADVICE_NORMAL},
	{MADV_HUGEPAGE, ACCEPTED, QUIRE_ADVICE_NORMAL},
	{MADV_NOHUGEPAGE, ACCEPTED, QUIRE_ADVICE_NORMAL},
	{MADV_DONTDUMP, ACCEPTED, QUIRE_ADVICE_NORMAL},
	{MADV_DODUMP, ACCEPTED, QUIRE_ADVICE_NORMAL},
	{MADV_MERGEABLE, ACCEPTED, QUIRE_ADVICE_NORMAL},
	{MADV_UNMERGEABLE, ACCEPTED, QUIRE_ADVICE_NORMAL},
};

static const struct advice *find_advice(int theirs)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (advices[i].theirs == theirs)
			return &advices[i];
	return NULL;
}

static size_t bytes_of(struct quire_range range)
{
	return range.end.a - range.start.a;
}

static long host_advise(struct quire_range range, int advice)
{
	return qr_host_madvise((const void *)range.start.a, bytes_of(range), advice);
}

/* The child learns from these sets what to do; see fork.c. */
static long advise_children(struct quire_range range, int advice)
{
	bool wipe = advice == MADV_WIPEONFORK || advice == MADV_KEEPONFORK;
	struct qr_ranges *set = wipe ? &qr_ground.wipe_fork : &qr_ground.no_fork;
	long error;

	if (!qr_areas_cover(range) || !qr_ranges_reserve(set))
		return -ENOMEM;
	error = host_advise(range, advice);
	if (error != 0)
		return error;
	qr_ranges_remove(set, range);
	if (advice == MADV_WIPEONFORK || advice == MADV_DONTFORK)
		qr_ranges_add(set, range);
	return 0;
}

static long advise_area(struct quire_range range, const struct advice *advice)
{
	switch (advice->answer) {
	case TO_CORE:
		return qr_status_error(quire_madvise(qr_ground.q, range.start,
						     bytes_of(range), advice->ours));
	case TO_HOST:
		return host_advise(range, advice->theirs);
	case TO_CHILDREN:
		return advise_children(range, advice->theirs);
	default:
		return qr_areas_cover(range) ? 0 : -ENOMEM;
	}
}

/* As the kernel: what is not mapped is passed over, and told at the end. */
long qr_call_madvise(const uint64_t *a)
{
	const struct advice *advice = find_advice((int)a[2]);
	struct quire_range left;
	struct qr_piece piece;
	bool is_unmapped = false;

	if ((a[0] & (QUIRE_PAGE_BYTES - 1)) != 0 || !qr_pages_of(a[0], a[1], &left))
		return -EINVAL;
	while (qr_piece_next(&left, &piece)) {
		long error;

		if (piece.side != QR_MACHINE)
			error = host_advise(piece.range, (int)a[2]);
		else
			error = advice == NULL ? -EINVAL
					       : advise_area(piece.range, advice);
		if (error != 0 && error != -ENOMEM)
			return error;
		is_unmapped |= error == -ENOMEM;
	}
	return is_unmapped ? -ENOMEM : 0;
}

/* A page is resident for the host exactly when it is mapped; what the host does not know
 * is which addresses of the reserve are in no area. */
long qr_call_mincore(const uint64_t *a)
{
	unsigned char *vec = (unsigned char *)a[2];
	struct quire_range left;
	struct qr_piece piece;

	if ((a[0] & (QUIRE_PAGE_BYTES - 1)) != 0)
		return -EINVAL;
	if (!qr_pages_of(a[0], a[1], &left))
		return -ENOMEM;
	while (qr_piece_next(&left, &piece)) {
		size_t bytes = bytes_of(piece.range);
		long error;

		if (piece.side == QR_MACHINE && !qr_areas_cover(piece.range))
			return -ENOMEM;
		error = qr_host_mincore((const void *)piece.range.start.a, bytes, vec);
		if (error != 0)
			return error;
		vec += bytes >> QUIRE_PAGE_SHIFT;
	}
	return 0;
}
