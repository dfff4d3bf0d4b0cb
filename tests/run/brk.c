/* SPDX-License-Identifier: MIT */
/* brk and sbrk: the oldest way to memory, paged like the rest. */
#define _GNU_SOURCE 1

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

static char *page_aligned_break(void)
{
	char *now = sbrk(0);
	size_t over = (uintptr_t)now % PAGE_BYTES;

	CHECK(now != (char *)-1);
	if (over)
		CHECK(sbrk((intptr_t)(PAGE_BYTES - over)) == now);
	return sbrk(0);
}

static void try_grow(void)
{
	size_t bytes = 3 * qr_ram_bytes();
	char *start = page_aligned_break();

	CHECK(sbrk((intptr_t)bytes) == start);
	CHECK(sbrk(0) == start + bytes);
	CHECK(qr_pages_are_zero(start, bytes));
	qr_pages_fill(start, bytes, 141);
	qr_pages_push_out(start, bytes);
	CHECK(qr_pages_match(start, bytes, 141));
	CHECK(brk(start) == 0);
	CHECK(sbrk(0) == start);
}

/* What was given back must read as zero when it is taken again. */
static void try_shrink(void)
{
	char *start = page_aligned_break();

	CHECK(sbrk(4 * (intptr_t)MIB) == start);
	qr_pages_fill(start, 4 * MIB, 142);
	qr_pages_push_out(start, 4 * MIB);
	CHECK(sbrk(-3 * (intptr_t)MIB) == start + 4 * MIB);
	CHECK(sbrk(3 * (intptr_t)MIB) == start + MIB);
	CHECK(qr_pages_match(start, MIB, 142));
	CHECK(qr_pages_are_zero(start + MIB, 3 * MIB));
	CHECK(brk(start) == 0);
}

/* By single bytes over a page's end: the break is a byte, mappings are pages. */
static void try_bytes(void)
{
	char *start = page_aligned_break();

	for (size_t i = 0; i < 2 * PAGE_BYTES; i += 512) {
		char *at = sbrk(512);

		CHECK(at == start + i);
		memset(at, (int)(i / 512) + 1, 512);
	}
	qr_pressure_apply();
	for (size_t i = 0; i < 2 * PAGE_BYTES; i++)
		CHECK(start[i] == (char)(i / 512 + 1));
	CHECK(brk(start + PAGE_BYTES / 2) == 0);
	CHECK(start[PAGE_BYTES / 2 - 1] == 4);
	CHECK(brk(start) == 0);
}

static void try_fork(void)
{
	char *start = page_aligned_break();
	pid_t pid;

	CHECK(sbrk((intptr_t)MIB) == start);
	qr_pages_fill(start, MIB, 143);
	qr_pages_push_out(start, MIB);
	pid = fork();
	if (pid == 0) {
		CHECK(qr_pages_match(start, MIB, 143));
		CHECK(sbrk((intptr_t)MIB) == start + MIB);
		qr_pages_fill(start, 2 * MIB, 144);
		CHECK(qr_pages_match(start, 2 * MIB, 144));
		_exit(0);
	}
	CHECK(qr_child_wait(pid) == 0);
	CHECK(sbrk(0) == start + MIB);
	CHECK(qr_pages_match(start, MIB, 143));
	CHECK(brk(start) == 0);
}

/* malloc works beside a program that moves the break itself. */
static void try_beside_malloc(void)
{
	char *block[64], *piece[64];

	for (size_t i = 0; i < 64; i++) {
		block[i] = malloc(50000);
		piece[i] = sbrk(48 * 1024);
		CHECK(block[i] && piece[i] != (char *)-1);
		memset(block[i], (int)i, 50000);
		memset(piece[i], (int)i + 64, 48 * 1024);
	}
	qr_pressure_apply();
	for (size_t i = 0; i < 64; i++) {
		CHECK(block[i][0] == (char)i && block[i][49999] == (char)i);
		CHECK(piece[i][0] == (char)(i + 64));
		CHECK(piece[i][48 * 1024 - 1] == (char)(i + 64));
		free(block[i]);
	}
}

static void try_errors(void)
{
	char *now = sbrk(0);

	CHECK(sbrk(INTPTR_MAX) == (void *)-1 && errno == ENOMEM);
	CHECK(sbrk(0) == now);
	/* libc compares with the break that the kernel answers, which is higher. */
	CHECK(brk((void *)(uintptr_t)PAGE_BYTES) == 0);
	CHECK(sbrk(0) == now);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"grow", try_grow},	{"shrink", try_shrink},
		{"bytes", try_bytes},	{"fork", try_fork},
		{"errors", try_errors}, {"beside-malloc", try_beside_malloc},
	};

	return TRIALS_RUN(trials, argc, argv);
}
