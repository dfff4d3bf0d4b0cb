/* SPDX-License-Identifier: MIT */
/* out.c - a buffer that grows by doubling. */
#include "heap/out.h"

#include "heap/pages.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define ROOM_MIN ((size_t)64 << 10)

static bool grow(struct qr_out *out, size_t bytes)
{
	const struct qr_heap_pages *pages = &qr_heap_pages_host;
	size_t room = out->room != 0 ? out->room * 2 : ROOM_MIN;
	void *data;

	while (room < out->length + bytes)
		room *= 2;
	if (out->data == NULL)
		data = pages->map(NULL, room, ROOM_MIN);
	else
		data = pages->remap(NULL, out->data, out->room, room);
	if (data == NULL)
		return false;
	out->data = data;
	out->room = room;
	return true;
}

void qr_out_bytes(struct qr_out *out, const void *data, size_t bytes)
{
	if (out->failed || (out->length + bytes > out->room && !grow(out, bytes))) {
		out->failed = true;
		return;
	}
	memcpy(out->data + out->length, data, bytes);
	out->length += bytes;
}

void qr_out_text(struct qr_out *out, const char *text)
{
	qr_out_bytes(out, text, strlen(text));
}

void qr_out_number(struct qr_out *out, uint64_t n, unsigned base)
{
	char digits[64];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[n % base];
		n /= base;
	} while (n != 0);
	qr_out_bytes(out, &digits[at], sizeof(digits) - at);
}

static bool send_all(const struct qr_out *out, int fd)
{
	size_t sent = 0;

	while (sent < out->length) {
		ssize_t nr = write(fd, out->data + sent, out->length - sent);

		if (nr < 0 && errno == EINTR)
			continue;
		if (nr <= 0)
			return false;
		sent += (size_t)nr;
	}
	return true;
}

void qr_out_drop(struct qr_out *out)
{
	if (out->data != NULL)
		qr_heap_pages_host.unmap(NULL, out->data, out->room);
	*out = (struct qr_out){.data = NULL};
}

bool qr_out_send(struct qr_out *out, int fd)
{
	bool done = !out->failed && send_all(out, fd);

	qr_out_drop(out);
	return done;
}

bool qr_out_write(struct qr_out *out, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	bool done = qr_out_send(out, fd);

	return fd >= 0 && close(fd) == 0 && done;
}
