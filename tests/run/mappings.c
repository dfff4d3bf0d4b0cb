/* SPDX-License-Identifier: MIT */
/* Mappings in all shapes: sparse reservations, MAP_FIXED over parts, mincore, and the
 * files and shared memory beside them that Quire leaves to the host.
 */
#define _GNU_SOURCE 1

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define GIB	   ((size_t)1 << 30)
#define DATA_BYTES (4 * MIB)

/* 256 GiB of addresses of which a page each 256 MiB is used: each costs tables of its
 * own, which must fit in the bound as well. */
static void try_sparse(void)
{
	size_t bytes = 256 * GIB, step = 256 * MIB;
	char *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	CHECK(at != MAP_FAILED);
	for (size_t i = 0; i < bytes; i += step)
		qr_pages_fill(at + i, PAGE_BYTES, i + 1);
	qr_pressure_apply();
	for (size_t i = 0; i < bytes; i += step) {
		CHECK(qr_pages_match(at + i, PAGE_BYTES, i + 1));
		if (i % GIB == 0)
			CHECK(qr_pages_are_zero(at + i + step / 2, PAGE_BYTES));
	}
	qr_pages_unmap(at, bytes);
}

/* Reads of what was never written: the zero page, not a frame for each. */
static void try_read_only_touch(void)
{
	size_t bytes = 8 * qr_ram_bytes();
	char *at = qr_pages_map(bytes);

	CHECK(qr_pages_are_zero(at, bytes));
	for (size_t i = 0; i < bytes; i += 16 * PAGE_BYTES)
		at[i + 5] = 1;
	for (size_t i = 0; i < bytes; i += PAGE_BYTES)
		CHECK(at[i + 5] == (i % (16 * PAGE_BYTES) == 0));
	qr_pages_unmap(at, bytes);
}

/* A new mapping over the middle of an old one, whose ends keep their bytes. */
static void try_fixed_part(void)
{
	char *at = qr_pages_map(DATA_BYTES), *middle = at + MIB;

	qr_pages_fill(at, DATA_BYTES, 151);
	qr_pages_push_out(at, DATA_BYTES);
	CHECK(mmap(middle, MIB, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == middle);
	CHECK(qr_pages_are_zero(middle, MIB));
	CHECK(qr_pages_match(at, MIB, 151));
	qr_pages_fill(middle, MIB, 152);
	qr_pages_push_out(at, DATA_BYTES);
	CHECK(qr_pages_match(middle, MIB, 152));
	CHECK(mmap(middle, MIB, PROT_READ,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		   0) == MAP_FAILED &&
	      errno == EEXIST);
	CHECK(qr_pages_match(middle, MIB, 152));
	qr_pages_unmap(at, DATA_BYTES);
}

/* A file over a part, and anonymous memory over the file again. */
static void try_file_part(void)
{
	char *at = qr_pages_map(DATA_BYTES), *middle = at + MIB;
	int fd = memfd_create("file", MFD_CLOEXEC);

	qr_pages_fill(at, DATA_BYTES, 153);
	CHECK(fd >= 0 && pwrite(fd, at, MIB, 0) == (ssize_t)MIB);
	CHECK(mmap(middle, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0) ==
	      middle);
	qr_pages_push_out(at, MIB);
	CHECK(qr_pages_match(middle, MIB, 153));
	qr_pages_fill(middle, MIB, 154);
	qr_pressure_apply();
	CHECK(qr_pages_match(middle, MIB, 154));
	CHECK(qr_pages_match(at, MIB, 153));
	CHECK(mmap(middle, MIB, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == middle);
	CHECK(qr_pages_are_zero(middle, MIB));
	qr_pages_fill(middle, MIB, 155);
	qr_pages_push_out(middle, MIB);
	CHECK(qr_pages_match(middle, MIB, 155));
	close(fd);
	qr_pages_unmap(at, DATA_BYTES);
}

/* Two views of one shared file, which must stay one. */
static void try_shared_file(void)
{
	int fd = memfd_create("shared", MFD_CLOEXEC);
	char *a, *b;

	CHECK(fd >= 0 && ftruncate(fd, (off_t)MIB) == 0);
	a = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	b = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(a != MAP_FAILED && b != MAP_FAILED);
	qr_pages_fill(a, MIB, 156);
	qr_pressure_apply();
	CHECK(qr_pages_match(b, MIB, 156));
	qr_pages_unmap(a, MIB);
	qr_pages_unmap(b, MIB);
	close(fd);
}

/* One munmap over several mappings and the holes between them. */
static void try_unmap_across(void)
{
	char *at = qr_pages_map(DATA_BYTES);

	qr_pages_fill(at, DATA_BYTES, 157);
	qr_pages_push_out(at, DATA_BYTES);
	for (size_t i = MIB; i < 3 * MIB; i += 64 * PAGE_BYTES)
		CHECK(munmap(at + i, 8 * PAGE_BYTES) == 0);
	CHECK(munmap(at + MIB / 2, 2 * MIB) == 0);
	CHECK(qr_pages_match(at, MIB / 2, 157));
	qr_pages_unmap(at, DATA_BYTES);
	CHECK(munmap(at + 1, PAGE_BYTES) == -1 && errno == EINVAL);
	CHECK(munmap(at, 0) == -1 && errno == EINVAL);
}

static void try_populate(void)
{
	char *at = mmap(NULL, DATA_BYTES, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	CHECK(at != MAP_FAILED);
	CHECK(qr_pages_are_zero(at, DATA_BYTES));
	qr_pages_fill(at, DATA_BYTES, 158);
	qr_pages_push_out(at, DATA_BYTES);
	CHECK(madvise(at, DATA_BYTES, MADV_WILLNEED) == 0);
	CHECK(qr_pages_match(at, DATA_BYTES, 158));
	qr_pages_unmap(at, DATA_BYTES);
}

/* mincore says 1 for what the kernel has present, and never for what is not there. */
static void try_mincore(void)
{
	static unsigned char vec[DATA_BYTES / PAGE_BYTES];
	char *at = qr_pages_map(DATA_BYTES);

	CHECK(mincore(at, DATA_BYTES, vec) == 0);
	for (size_t i = 0; i < sizeof(vec); i++)
		CHECK(!(vec[i] & 1));
	qr_pages_fill(at, 4 * PAGE_BYTES, 159);
	CHECK(mincore(at, DATA_BYTES, vec) == 0);
	for (size_t i = 0; i < 4; i++)
		CHECK(vec[i] & 1);
	for (size_t i = sizeof(vec) / 2; i < sizeof(vec); i++)
		CHECK(!(vec[i] & 1));
	CHECK(mincore(at + 1, PAGE_BYTES, vec) == -1 && errno == EINVAL);
	CHECK(munmap(at + PAGE_BYTES, PAGE_BYTES) == 0);
	CHECK(mincore(at, 3 * PAGE_BYTES, vec) == -1 && errno == ENOMEM);
	qr_pages_unmap(at, PAGE_BYTES);
	qr_pages_unmap(at + 2 * PAGE_BYTES, DATA_BYTES - 2 * PAGE_BYTES);
}

/* Far more mappings than pages of one, in and out of order. */
static void try_many(void)
{
	enum { NR = 3000 };
	static char *at[NR];
	uint64_t random = 5;

	for (size_t i = 0; i < NR; i++) {
		at[i] = qr_pages_map((1 + i % 7) * PAGE_BYTES);
		qr_pages_fill(at[i], (1 + i % 7) * PAGE_BYTES, i + 1);
		if (i % 2)
			CHECK(mprotect(at[i], PAGE_BYTES, PROT_READ) == 0);
	}
	for (size_t i = 0; i < 4 * NR; i++) {
		size_t which = qr_random_next(&random) % NR;

		if (!at[which])
			continue;
		CHECK(qr_pages_match(at[which], (1 + which % 7) * PAGE_BYTES, which + 1));
		qr_pages_unmap(at[which], (1 + which % 7) * PAGE_BYTES);
		at[which] = NULL;
	}
	for (size_t i = 0; i < NR; i++)
		if (at[i])
			qr_pages_unmap(at[i], (1 + i % 7) * PAGE_BYTES);
}

/* Areas that are made and not touched while every frame is taken: their records need
 * frames too, and pages that can go out must go for them. */
static void try_untouched(void)
{
	enum { NR = 16000 };
	size_t bytes = qr_ram_bytes();
	char *full = qr_pages_map(bytes), *at = qr_pages_map(2 * NR * PAGE_BYTES);

	qr_pages_fill(full, bytes, 161);
	for (size_t i = 0; i < NR; i++)
		CHECK(mprotect(at + 2 * i * PAGE_BYTES, PAGE_BYTES, PROT_READ) == 0);
	CHECK(qr_pages_match(full, bytes, 161));
	qr_pages_unmap(at, 2 * NR * PAGE_BYTES);
	qr_pages_unmap(full, bytes);
}

/* Errors as the manual page has them, with nothing changed. */
static void try_errors(void)
{
	const int flags = MAP_PRIVATE | MAP_ANONYMOUS;

	CHECK(mmap(NULL, 0, PROT_READ, flags, -1, 0) == MAP_FAILED && errno == EINVAL);
	CHECK(mmap(NULL, SIZE_MAX - PAGE_BYTES, PROT_READ, flags, -1, 0) == MAP_FAILED &&
	      errno == ENOMEM);
	CHECK(mmap(NULL, PAGE_BYTES, PROT_READ, MAP_ANONYMOUS, -1, 0) == MAP_FAILED &&
	      errno == EINVAL);
	CHECK(mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE, 9999, 0) == MAP_FAILED &&
	      errno == EBADF);
	CHECK(madvise((void *)PAGE_BYTES, PAGE_BYTES, MADV_DONTNEED) == -1 &&
	      errno == ENOMEM);
	CHECK(madvise((void *)(PAGE_BYTES + 1), PAGE_BYTES, MADV_DONTNEED) == -1 &&
	      errno == EINVAL);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"sparse", try_sparse},
		{"read-only-touch", try_read_only_touch},
		{"fixed-part", try_fixed_part},
		{"file-part", try_file_part},
		{"shared-file", try_shared_file},
		{"unmap-across", try_unmap_across},
		{"populate", try_populate},
		{"mincore", try_mincore},
		{"many", try_many},
		{"untouched", try_untouched},
		{"errors", try_errors},
	};

	return TRIALS_RUN(trials, argc, argv);
}
