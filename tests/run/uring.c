/* SPDX-License-Identifier: MIT */
/* io_uring: buffers that the kernel keeps pinned, and transfers that go on while the
 * program and the pager do something else.
 */
#define _GNU_SOURCE 1

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define PIECE_BYTES (64 * PAGE_BYTES)
#define NR_PIECES   16
#define BUF_BYTES   (NR_PIECES * PIECE_BYTES)

static bool open_ring(struct io_uring *ring, const char *trial)
{
	int error = io_uring_queue_init(NR_PIECES, ring, 0);

	CHECK(error == 0 || error == -ENOSYS || error == -EPERM || error == -ENOMEM);
	if (error) {
		qr_check_skip(trial);
		qr_check_skip(strerror(-error));
	}
	return error == 0;
}

static int pattern_file(uint64_t seed)
{
	int fd = memfd_create("pattern", MFD_CLOEXEC);
	char *at = malloc(BUF_BYTES);

	CHECK(fd >= 0 && at);
	qr_pages_fill(at, BUF_BYTES, seed);
	CHECK(pwrite(fd, at, BUF_BYTES, 0) == (ssize_t)BUF_BYTES);
	free(at);
	return fd;
}

static void await_pieces(struct io_uring *ring)
{
	for (size_t i = 0; i < NR_PIECES; i++) {
		struct io_uring_cqe *done;

		CHECK(io_uring_wait_cqe(ring, &done) == 0);
		CHECK(done->res == (int)PIECE_BYTES);
		io_uring_cqe_seen(ring, done);
	}
}

static void transfer(struct io_uring *ring, int fd, char *buf, bool fixed, bool write)
{
	for (unsigned i = 0; i < NR_PIECES; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
		char *at = buf + i * PIECE_BYTES;

		CHECK(sqe);
		if (fixed && write)
			io_uring_prep_write_fixed(sqe, fd, at, PIECE_BYTES,
						  i * PIECE_BYTES, 0);
		else if (fixed)
			io_uring_prep_read_fixed(sqe, fd, at, PIECE_BYTES,
						 i * PIECE_BYTES, 0);
		else if (write)
			io_uring_prep_write(sqe, fd, at, PIECE_BYTES, i * PIECE_BYTES);
		else
			io_uring_prep_read(sqe, fd, at, PIECE_BYTES, i * PIECE_BYTES);
	}
	CHECK(io_uring_submit(ring) == NR_PIECES);
}

static void try_plain(void)
{
	struct io_uring ring;
	char *buf;
	int fd;

	if (!open_ring(&ring, "plain: no io_uring here:"))
		return;
	fd = pattern_file(171);
	buf = qr_pages_map(BUF_BYTES);
	qr_pages_fill(buf, BUF_BYTES, 172);
	qr_pages_push_out(buf, BUF_BYTES);
	transfer(&ring, fd, buf, false, false);
	qr_pressure_apply();
	await_pieces(&ring);
	CHECK(qr_pages_match(buf, BUF_BYTES, 171));
	qr_pages_fill(buf, BUF_BYTES, 173);
	qr_pages_push_out(buf, BUF_BYTES);
	transfer(&ring, fd, buf, false, true);
	await_pieces(&ring);
	transfer(&ring, fd, buf, false, false);
	await_pieces(&ring);
	CHECK(qr_pages_match(buf, BUF_BYTES, 173));
	io_uring_queue_exit(&ring);
	close(fd);
	qr_pages_unmap(buf, BUF_BYTES);
}

/* Registered buffers stay pinned: the pages the program sees and the pages that the
 * kernel writes must stay the same ones under any pressure. */
static void try_registered(void)
{
	struct io_uring ring;
	struct iovec vec;
	char *buf;
	int fd;

	if (!open_ring(&ring, "registered: no io_uring here:"))
		return;
	fd = pattern_file(174);
	buf = qr_pages_map(BUF_BYTES);
	vec = (struct iovec){buf, BUF_BYTES};
	qr_pages_fill(buf, BUF_BYTES, 175);
	qr_pressure_apply();
	CHECK(io_uring_register_buffers(&ring, &vec, 1) == 0);
	for (uint64_t round = 0; round < 4; round++) {
		qr_pressure_apply();
		CHECK(qr_pages_match(buf, BUF_BYTES, 175 + round));
		transfer(&ring, fd, buf, true, false);
		await_pieces(&ring);
		CHECK(qr_pages_match(buf, BUF_BYTES, 174 + round));
		qr_pages_fill(buf, BUF_BYTES, 175 + round);
		qr_pressure_apply();
		transfer(&ring, fd, buf, true, true);
		await_pieces(&ring);
		qr_pages_fill(buf, BUF_BYTES, 176 + round);
	}
	CHECK(io_uring_unregister_buffers(&ring) == 0);
	qr_pages_push_out(buf, BUF_BYTES);
	CHECK(qr_pages_match(buf, BUF_BYTES, 179));
	io_uring_queue_exit(&ring);
	close(fd);
	qr_pages_unmap(buf, BUF_BYTES);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"plain", try_plain},
		{"registered", try_registered},
	};

	return TRIALS_RUN(trials, argc, argv);
}
