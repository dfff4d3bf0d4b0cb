/* SPDX-License-Identifier: MIT */
/* handover.c - swap areas on their way to a fork's child.
 *
 * Only handlers have the areas open, and only what is in the program's table is copied by
 * a fork.  So a handler opens each anew and sends the descriptors through a socket, for
 * which the thread that forks has made the pair.  No path is looked up in the program's
 * view of the file system, which may have neither /proc nor the right. */
#include "ports/linux/handover.h"

#include "ports/linux/doorbell.h"
#include "ports/linux/ground.h"
#include "ports/linux/swapfile.h"
#include "ports/linux/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* A message of one byte, and descriptors beside it. */
struct parcel {
	struct msghdr header;
	struct iovec vec;
	char byte;
	union {
		char bytes[CMSG_SPACE(QUIRE_SWAPFILES * sizeof(int))];
		struct cmsghdr align;
	} control;
};

static void wrap(struct parcel *parcel, size_t control_bytes)
{
	*parcel = (struct parcel){.byte = 0};
	parcel->vec = (struct iovec){&parcel->byte, 1};
	parcel->header = (struct msghdr){
		.msg_iov = &parcel->vec,
		.msg_iovlen = 1,
		.msg_control = parcel->control.bytes,
		.msg_controllen = control_bytes,
	};
}

static long send_fds(int socket, const int *fds, uint32_t nr)
{
	size_t bytes = nr * sizeof(int);
	struct cmsghdr *control;
	struct parcel parcel;

	wrap(&parcel, CMSG_SPACE(bytes));
	control = CMSG_FIRSTHDR(&parcel.header);
	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(bytes);
	memcpy(CMSG_DATA(control), fds, bytes);
	return qr_sys(SYS_sendmsg, socket, qr_address(&parcel.header), MSG_NOSIGNAL, 0, 0,
		      0);
}

/* Descriptors taken, or -errno. */
static int receive_fds(int socket, int *fds)
{
	const struct cmsghdr *control;
	struct parcel parcel;
	size_t bytes;
	long got;

	wrap(&parcel, sizeof(parcel.control.bytes));
	got = qr_sys(SYS_recvmsg, socket, qr_address(&parcel.header),
		     MSG_CMSG_CLOEXEC | MSG_DONTWAIT, 0, 0, 0);
	if (got < 0)
		return (int)got;
	control = CMSG_FIRSTHDR(&parcel.header);
	if (control == NULL || control->cmsg_type != SCM_RIGHTS)
		return -EMFILE;
	bytes = control->cmsg_len - CMSG_LEN(0);
	memcpy(fds, CMSG_DATA(control), bytes);
	return (int)(bytes / sizeof(int));
}

/* args: the number of the socket in the program's table. */
static long send_areas(uint32_t lane, const uint64_t *args)
{
	int fds[QUIRE_SWAPFILES];
	long socket, sent = -ENOMEM;
	int nr;

	(void)lane;
	socket = qr_sys(SYS_pidfd_getfd, qr_ground.fds.self, (long)args[0], 0, 0, 0, 0);
	if (socket < 0)
		return socket;
	nr = qr_swapfile_dup(fds);
	if (nr > 0)
		sent = send_fds((int)socket, fds, (uint32_t)nr);
	(void)qr_host_close(socket);
	if (nr > 0)
		qr_handover_close(fds, (uint32_t)nr);
	return sent < 0 ? sent : nr;
}

static int take_through(const int pair[2], int *fds)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {(uint64_t)pair[1]};
	long sent = qr_doorbell_ring(send_areas, args);
	int nr;

	if (sent < 0)
		return (int)sent;
	nr = receive_fds(pair[0], fds);
	if (nr < 0 || nr == sent)
		return nr;
	qr_handover_close(fds, (uint32_t)nr);
	return -EMFILE;
}

int qr_handover_take(int *fds)
{
	int pair[2], nr;
	long error;

	if (qr_swapfile_count() == 0)
		return 0;
	error = qr_sys(SYS_socketpair, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0,
		       qr_address(pair), 0, 0);
	if (error < 0)
		return (int)error;
	nr = take_through(pair, fds);
	(void)qr_host_close(pair[0]);
	(void)qr_host_close(pair[1]);
	return nr;
}

void qr_handover_close(const int *fds, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		(void)qr_host_close(fds[i]);
}
