/* SPDX-License-Identifier: MIT */
/* System calls that read from and write to pages that are out.
 *
 * The kernel touches user memory on the program's behalf: a page that it misses must
 * be brought in for it, as for the program, and an address that is not mapped must
 * fail with EFAULT as without Quire.
 */
#define _GNU_SOURCE 1

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "common.h"

#define BUF_PAGES 256
#define BUF_BYTES (BUF_PAGES * PAGE_BYTES)

/* Pages that hold a pattern of their own and went out. */
static char *absent_buffer(uint64_t seed)
{
	char *buf = qr_pages_map(BUF_BYTES);

	qr_pages_fill(buf, BUF_BYTES, seed);
	qr_pages_push_out(buf, BUF_BYTES);
	return buf;
}

/* A file that holds a pattern, in memory of the host's.  What of it is mapped counts as
 * this process's, so it is little at a time. */
static int pattern_file(size_t bytes, uint64_t seed)
{
	int fd = memfd_create("pattern", MFD_CLOEXEC);

	CHECK(fd >= 0);
	CHECK(ftruncate(fd, (off_t)bytes) == 0);
	for (size_t done = 0; done < bytes; done += BUF_BYTES) {
		char *at = mmap(NULL, BUF_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
				(off_t)done);

		CHECK(at != MAP_FAILED);
		qr_pages_fill_from(at, BUF_BYTES, seed, done / PAGE_BYTES);
		CHECK(munmap(at, BUF_BYTES) == 0);
	}
	return fd;
}

static void try_read(void)
{
	int fd = pattern_file(BUF_BYTES, 7);
	char *buf = absent_buffer(8);
	char *file = mmap(NULL, BUF_BYTES, PROT_READ, MAP_SHARED, fd, 0);

	CHECK(file != MAP_FAILED);
	CHECK(read(fd, buf, BUF_BYTES) == (ssize_t)BUF_BYTES);
	CHECK(qr_pages_match(buf, BUF_BYTES, 7));
	qr_pages_fill(buf, BUF_BYTES, 8);
	qr_pages_push_out(buf, BUF_BYTES);
	CHECK(pread(fd, buf + 100, BUF_BYTES - 200, 100) == (ssize_t)BUF_BYTES - 200);
	CHECK(!memcmp(buf + 100, file + 100, BUF_BYTES - 200));
	memcpy(buf, file, 100);
	memcpy(buf + BUF_BYTES - 100, file + BUF_BYTES - 100, 100);
	CHECK(qr_pages_match(buf, BUF_BYTES, 7));
	CHECK(munmap(file, BUF_BYTES) == 0);
	close(fd);
	qr_pages_unmap(buf, BUF_BYTES);
}

static void try_write(void)
{
	int fd = pattern_file(BUF_BYTES, 1);
	char *buf = absent_buffer(9), *back;

	CHECK(write(fd, buf, BUF_BYTES) == (ssize_t)BUF_BYTES);
	back = mmap(NULL, BUF_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	CHECK(back != MAP_FAILED);
	CHECK(qr_pages_match(back, BUF_BYTES, 9));
	CHECK(munmap(back, BUF_BYTES) == 0);
	close(fd);
	qr_pages_unmap(buf, BUF_BYTES);
}

/* The vectors themselves are in absent pages, each piece in another one. */
static void set_vectors(struct iovec *vec, char *buf, size_t nr)
{
	for (size_t i = 0; i < nr; i++)
		vec[i] = (struct iovec){buf + i * PAGE_BYTES, PAGE_BYTES};
}

static void try_vectors(void)
{
	int fd = pattern_file(BUF_BYTES, 11);
	char *buf = absent_buffer(12), *list = qr_pages_map(4 * PAGE_BYTES);
	struct iovec *vec = (struct iovec *)(void *)(list + 2 * PAGE_BYTES - 64);

	set_vectors(vec, buf, 128);
	qr_pages_push_out(list, 4 * PAGE_BYTES);
	CHECK(readv(fd, vec, 128) == (ssize_t)(128 * PAGE_BYTES));
	CHECK(qr_pages_match(buf, 128 * PAGE_BYTES, 11));
	qr_pages_push_out(buf, BUF_BYTES);
	CHECK(lseek(fd, 0, SEEK_SET) == 0);
	qr_pages_fill(buf, BUF_BYTES, 13);
	qr_pages_push_out(buf, BUF_BYTES);
	CHECK(pwritev(fd, vec, 128, 0) == (ssize_t)(128 * PAGE_BYTES));
	qr_pages_fill(buf, BUF_BYTES, 14);
	CHECK(preadv(fd, vec, 128, 0) == (ssize_t)(128 * PAGE_BYTES));
	CHECK(qr_pages_match(buf, 128 * PAGE_BYTES, 13));
	close(fd);
	qr_pages_unmap(list, 4 * PAGE_BYTES);
	qr_pages_unmap(buf, BUF_BYTES);
}

/* A message header, its vector, its control bytes and its data, each in a page. */
static struct msghdr *message_in(char *at, size_t data_bytes)
{
	struct msghdr *msg = (struct msghdr *)(void *)at;
	struct iovec *vec = (struct iovec *)(void *)(at + PAGE_BYTES);

	vec[0] = (struct iovec){at + 3 * PAGE_BYTES, data_bytes};
	*msg = (struct msghdr){.msg_iov = vec,
			       .msg_iovlen = 1,
			       .msg_control = at + 2 * PAGE_BYTES,
			       .msg_controllen = CMSG_SPACE(sizeof(int))};
	return msg;
}

static void put_descriptor(struct msghdr *msg, int fd)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(msg);

	control->cmsg_level = SOL_SOCKET;
	control->cmsg_type = SCM_RIGHTS;
	control->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(control), &fd, sizeof(fd));
}

static int taken_descriptor(struct msghdr *msg)
{
	struct cmsghdr *control = CMSG_FIRSTHDR(msg);
	int fd;

	CHECK(control && control->cmsg_type == SCM_RIGHTS);
	memcpy(&fd, CMSG_DATA(control), sizeof(fd));
	return fd;
}

static void try_messages(void)
{
	size_t bytes = 16 * PAGE_BYTES, data = 8 * PAGE_BYTES;
	char *out = qr_pages_map(bytes), *in = qr_pages_map(bytes);
	struct msghdr *send_msg = message_in(out, data), *recv_msg = message_in(in, data);
	int pair[2], fd;

	CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	qr_pages_fill(out + 3 * PAGE_BYTES, data, 15);
	put_descriptor(send_msg, pair[0]);
	qr_pages_push_out(out, bytes);
	CHECK(sendmsg(pair[0], send_msg, 0) == (ssize_t)data);
	qr_pages_push_out(in, bytes);
	CHECK(recvmsg(pair[1], recv_msg, MSG_WAITALL) == (ssize_t)data);
	CHECK(qr_pages_match(in + 3 * PAGE_BYTES, data, 15));
	fd = taken_descriptor(recv_msg);
	CHECK(fcntl(fd, F_GETFD) >= 0);
	close(fd);
	close(pair[0]);
	close(pair[1]);
	qr_pages_unmap(in, bytes);
	qr_pages_unmap(out, bytes);
}

static void try_getrandom(void)
{
	char *buf = absent_buffer(16);
	size_t nr_zero = 0;

	CHECK(getrandom(buf, 65536, 0) == 65536);
	CHECK(!qr_pages_match(buf, PAGE_BYTES, 16));
	for (size_t i = 0; i < 65536; i++)
		nr_zero += buf[i] == 0;
	CHECK(nr_zero < 1024);
	qr_pages_fill(buf, 65536, 16);
	CHECK(qr_pages_match(buf, BUF_BYTES, 16));
	qr_pages_unmap(buf, BUF_BYTES);
}

/* Structures that the kernel writes, one a page, all pages out. */
static void try_structures(void)
{
	char *at = absent_buffer(17);
	struct stat *st = (struct stat *)(void *)at;
	struct utsname *name = (struct utsname *)(void *)(at + 2 * PAGE_BYTES - 100);
	struct rlimit *limit = (struct rlimit *)(void *)(at + 4 * PAGE_BYTES);
	struct timespec *spec = (struct timespec *)(void *)(at + 6 * PAGE_BYTES);
	char *cwd = at + 8 * PAGE_BYTES - 2, *link = at + 10 * PAGE_BYTES - 3;
	int *fds = (int *)(void *)(at + 12 * PAGE_BYTES - 4);

	CHECK(stat("/proc/self/exe", st) == 0 && S_ISREG(st->st_mode));
	CHECK(uname(name) == 0 && !strcmp(name->sysname, "Linux"));
	CHECK(getrlimit(RLIMIT_NOFILE, limit) == 0 && limit->rlim_cur > 0);
	CHECK(syscall(SYS_clock_gettime, CLOCK_REALTIME, spec) == 0 && spec->tv_sec > 0);
	CHECK(getcwd(cwd, 4096) && cwd[0] == '/');
	CHECK(readlink("/proc/self/exe", link, 4096) > 0 && link[0] == '/');
	CHECK(pipe(fds) == 0 && fds[0] != fds[1]);
	CHECK(write(fds[1], "x", 1) == 1);
	close(fds[0]);
	close(fds[1]);
	qr_pages_unmap(at, BUF_BYTES);
}

static void try_waiting(void)
{
	char *at = absent_buffer(18);
	struct epoll_event *event = (struct epoll_event *)(void *)(at + 5);
	struct pollfd *poll_fd = (struct pollfd *)(void *)(at + 2 * PAGE_BYTES - 8);
	fd_set *set = (fd_set *)(void *)(at + 4 * PAGE_BYTES - 16);
	int fds[2], epoll = epoll_create1(EPOLL_CLOEXEC);

	CHECK(pipe(fds) == 0 && epoll >= 0);
	CHECK(write(fds[1], "x", 1) == 1);
	event->events = EPOLLIN;
	event->data.u64 = 42;
	CHECK(epoll_ctl(epoll, EPOLL_CTL_ADD, fds[0], event) == 0);
	poll_fd[0] = poll_fd[1] = (struct pollfd){.fd = fds[0], .events = POLLIN};
	FD_ZERO(set);
	FD_SET(fds[0], set);
	qr_pages_push_out(at, BUF_BYTES);
	CHECK(epoll_wait(epoll, event, 1, 1000) == 1 && event->data.u64 == 42);
	CHECK(poll(poll_fd, 2, 1000) == 2 && poll_fd[1].revents == POLLIN);
	CHECK(select(fds[0] + 1, set, NULL, NULL, NULL) == 1 && FD_ISSET(fds[0], set));
	close(fds[0]);
	close(fds[1]);
	close(epoll);
	qr_pages_unmap(at, BUF_BYTES);
}

static void try_names(void)
{
	char *at = absent_buffer(19), *dir = at + 2 * PAGE_BYTES - 3;
	char *const entries = at + 4 * PAGE_BYTES;
	int fd;

	strcpy(dir, "/proc/self/task");
	qr_pages_push_out(at, BUF_BYTES);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(fd >= 0);
	CHECK(syscall(SYS_getdents64, fd, entries, 8 * PAGE_BYTES) > 0);
	close(fd);
	strcpy(dir, "/nonexistent/name");
	qr_pages_push_out(at, BUF_BYTES);
	CHECK(open(dir, O_RDONLY) < 0 && errno == ENOENT);
	qr_pages_unmap(at, BUF_BYTES);
}

/* The kernel reads the words of an exec from the old image's pages. */
static void try_exec_words(void)
{
	char *at = absent_buffer(20);
	char **argv = (char **)(void *)(at + 2 * PAGE_BYTES - 16);
	pid_t pid;

	argv[0] = strcpy(at + 4 * PAGE_BYTES - 2, "sh");
	argv[1] = strcpy(at + 6 * PAGE_BYTES - 1, "-c");
	argv[2] = strcpy(at + 8 * PAGE_BYTES - 5, "test \"$WORD\" = sesame && exit 9");
	argv[3] = NULL;
	argv[4] = strcpy(at + 10 * PAGE_BYTES - 3, "WORD=sesame");
	argv[5] = NULL;
	qr_pages_push_out(at, BUF_BYTES);
	pid = fork();
	if (pid == 0) {
		execve("/bin/sh", argv, argv + 4);
		_exit(1);
	}
	CHECK(qr_child_wait(pid) == 9);
	qr_pages_unmap(at, BUF_BYTES);
}

static void try_errors(void)
{
	char *buf = absent_buffer(21);
	int fd = pattern_file(BUF_BYTES, 22);

	CHECK(mprotect(buf, PAGE_BYTES, PROT_READ) == 0);
	CHECK(mprotect(buf + PAGE_BYTES, PAGE_BYTES, PROT_NONE) == 0);
	CHECK(munmap(buf + 8 * PAGE_BYTES, PAGE_BYTES) == 0);
	CHECK(read(fd, buf, PAGE_BYTES) == -1 && errno == EFAULT);
	CHECK(read(fd, buf + PAGE_BYTES, PAGE_BYTES) == -1 && errno == EFAULT);
	CHECK(write(fd, buf + PAGE_BYTES, PAGE_BYTES) == -1 && errno == EFAULT);
	CHECK(read(fd, buf + 8 * PAGE_BYTES, 16) == -1 && errno == EFAULT);
	CHECK(pread(fd, buf + 6 * PAGE_BYTES, 4 * PAGE_BYTES, 6 * PAGE_BYTES) ==
	      2 * PAGE_BYTES);
	CHECK(qr_pages_match(buf, PAGE_BYTES, 21));
	CHECK(mprotect(buf, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE) == 0);
	CHECK(qr_pages_match(buf, 6 * PAGE_BYTES, 21));
	close(fd);
	qr_pages_unmap(buf, BUF_BYTES);
}

/* One call over four times the bound: pages go out while it runs. */
static void try_larger_than_ram(void)
{
	size_t bytes = 4 * qr_ram_bytes();
	char *buf = qr_pages_map(bytes);
	int fd = pattern_file(bytes, 23);

	for (size_t done = 0; done < bytes;) {
		ssize_t got = read(fd, buf + done, bytes - done);

		CHECK(got > 0);
		done += (size_t)got;
	}
	CHECK(qr_pages_match(buf, bytes, 23));
	qr_pages_fill(buf, bytes, 24);
	CHECK(pwrite(fd, buf, bytes, 0) == (ssize_t)bytes);
	memset(buf, 0, bytes);
	CHECK(pread(fd, buf, bytes, 0) == (ssize_t)bytes);
	CHECK(qr_pages_match(buf, bytes, 24));
	close(fd);
	qr_pages_unmap(buf, bytes);
}

/* What a debugger uses: another way into the same pages.  /proc/PID/mem is left out: the
 * kernel does not let it wait for a page, and answers EIO where one is out. */
static void try_remote(void)
{
	char *buf = absent_buffer(25), *copy = malloc(BUF_BYTES);
	struct iovec here = {copy, BUF_BYTES}, there = {buf, BUF_BYTES};

	CHECK(copy);
	CHECK(process_vm_readv(getpid(), &here, 1, &there, 1, 0) == (ssize_t)BUF_BYTES);
	CHECK(qr_pages_match(copy, BUF_BYTES, 25));
	qr_pages_fill(copy, BUF_BYTES, 26);
	qr_pages_push_out(buf, BUF_BYTES);
	CHECK(process_vm_writev(getpid(), &here, 1, &there, 1, 0) == (ssize_t)BUF_BYTES);
	CHECK(qr_pages_match(buf, BUF_BYTES, 26));
	free(copy);
	qr_pages_unmap(buf, BUF_BYTES);
}

/* Pages that a pipe holds by reference keep what they held when they were put in. */
static void try_vmsplice(void)
{
	char *buf = absent_buffer(27), *back = qr_pages_map(8 * PAGE_BYTES);
	struct iovec vec = {buf, 8 * PAGE_BYTES};
	int fds[2];

	CHECK(pipe(fds) == 0);
	CHECK(vmsplice(fds[1], &vec, 1, 0) == (ssize_t)vec.iov_len);
	qr_pages_push_out(back, 8 * PAGE_BYTES);
	CHECK(read(fds[0], back, vec.iov_len) == (ssize_t)vec.iov_len);
	CHECK(qr_pages_match(back, 8 * PAGE_BYTES, 27));
	CHECK(qr_pages_match(buf, BUF_BYTES, 27));
	close(fds[0]);
	close(fds[1]);
	qr_pages_unmap(back, 8 * PAGE_BYTES);
	qr_pages_unmap(buf, BUF_BYTES);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"read", try_read},
		{"write", try_write},
		{"vectors", try_vectors},
		{"messages", try_messages},
		{"getrandom", try_getrandom},
		{"structures", try_structures},
		{"waiting", try_waiting},
		{"names", try_names},
		{"exec-words", try_exec_words},
		{"errors", try_errors},
		{"larger-than-ram", try_larger_than_ram},
		{"remote", try_remote},
		{"vmsplice", try_vmsplice},
	};

	return TRIALS_RUN(trials, argc, argv);
}
