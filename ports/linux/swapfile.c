/* SPDX-License-Identifier: MIT */
/* swapfile.c - swap areas: files without a name, in the folder of the settings.
 *
 * Model.  Each process writes areas of its own.  A fork's child reads its parent's areas
 * through descriptions of its own; each description holds a shared lock on the whole
 * file, so that who asks whether it could have the file for itself learns whether there
 * is another reader left, however that one ended.
 *
 * The page cache would be memory that nobody counts: areas are read and written past it
 * (O_DIRECT), and where a filesystem does not do that, its pages are dropped at once. */
#include "ports/linux/swapfile.h"

#include "ports/linux/ground.h"
#include "ports/linux/sys.h"
#include "ports/linux/text.h"

#include <errno.h>
#include <fcntl.h>

#define PATH_BYTES 600u

struct swapfile {
	int fd;
	bool is_cached;		     /* without O_DIRECT */
	_Atomic uint64_t nr_extents; /* as far as this process has written it */
};

static struct swapfile files[QUIRE_SWAPFILES];
static _Atomic uint32_t nr_files;
/* What this process has made its files grow to, together: the bound is on that. */
static _Atomic uint64_t own_extents;
/* Transfers so far, for the failures that tests ask for. */
static _Atomic uint64_t nr_reads, nr_writes;

static long open_unnamed(int extra)
{
	return qr_host_open(qr_ground.swap_folder,
			    O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC | extra, 0600);
}

/* For filesystems without O_TMPFILE. */
static long open_unlinked(uint32_t area, int extra)
{
	char path[PATH_BYTES];
	struct qr_text text = {.at = path, .room = sizeof(path)};
	long fd;

	qr_text_add(&text, qr_ground.swap_folder);
	qr_text_add(&text, "/quire-");
	qr_text_number(&text, (uint64_t)qr_host_getpid());
	qr_text_char(&text, '-');
	qr_text_number(&text, area);
	qr_text_char(&text, '-');
	qr_text_number(&text, qr_ground.seat->started_ns);
	fd = qr_host_open(qr_text_end(&text),
			  O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | extra, 0600);
	if (fd >= 0)
		(void)qr_host_unlink(path);
	return fd;
}

static long open_either(uint32_t area, int extra)
{
	long fd = open_unnamed(extra);

	return fd == -EOPNOTSUPP || fd == -EISDIR || fd == -ENOENT
		       ? open_unlinked(area, extra)
		       : fd;
}

static void hold(long fd)
{
	struct flock lock = {.l_type = F_RDLCK};

	(void)qr_host_fcntl(fd, F_OFD_SETLK, qr_address(&lock));
}

/* Nobody can find the file but through this process; a child that gave up its privilege
 * must still be able to open it through /proc. */
static void open_to_children(long fd)
{
	(void)qr_sys(SYS_fchmod, fd, 0666, 0, 0, 0, 0);
}

enum quire_status qr_swapfile_open(void *ctx, uint32_t area, uint64_t *nr_extents)
{
	const uint64_t limit = qr_ground.settings.swap_bytes >> QUIRE_EXTENT_SHIFT;
	bool is_cached;
	long fd;

	(void)ctx;
	if (area != nr_files || area >= QUIRE_SWAPFILES ||
	    (limit != 0 && own_extents >= limit))
		return QUIRE_NO_SPACE;
	fd = open_either(area, O_DIRECT);
	is_cached = fd == -EINVAL;
	if (is_cached)
		fd = open_either(area, 0);
	if (fd < 0)
		return fd == -ENOSPC || fd == -EDQUOT ? QUIRE_NO_SPACE : QUIRE_IO;
	open_to_children(fd);
	hold(fd);
	files[area].fd = (int)fd;
	files[area].is_cached = is_cached;
	files[area].nr_extents = 0;
	nr_files++;
	*nr_extents = limit != 0 ? limit : UINT32_MAX;
	return QUIRE_OK;
}

static enum quire_status status_of(long error)
{
	switch (error) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
		return QUIRE_NO_SPACE;
	default:
		return QUIRE_IO;
	}
}

static void drop_cache(const struct swapfile *file, uint64_t start, size_t bytes)
{
	if (!file->is_cached)
		return;
	(void)qr_sys(SYS_sync_file_range, file->fd, (long)start, (long)bytes,
		     SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
			     SYNC_FILE_RANGE_WAIT_AFTER,
		     0, 0);
	(void)qr_sys(SYS_fadvise64, file->fd, (long)start, (long)bytes,
		     POSIX_FADV_DONTNEED, 0, 0);
}

/* Passes over what has been transferred; the vector may be cut anywhere. */
static uint32_t advance(struct iovec *vec, uint32_t nr, size_t bytes)
{
	uint32_t i = 0;

	while (i < nr && bytes >= vec[i].iov_len)
		bytes -= vec[i++].iov_len;
	if (i < nr) {
		vec[i].iov_base = (char *)vec[i].iov_base + bytes;
		vec[i].iov_len -= bytes;
	}
	return i;
}

static enum quire_status transfer(long call, const struct swapfile *file,
				  struct iovec *vec, uint32_t nr, uint64_t start)
{
	uint32_t i = 0;

	while (i < nr) {
		long got = qr_sys(call, file->fd, qr_address(vec + i), nr - i,
				  (long)start, 0, 0);

		if (got == -EINTR || got == -EAGAIN)
			continue;
		if (got <= 0)
			return got < 0 ? status_of(got) : QUIRE_IO;
		start += (uint64_t)got;
		i += advance(vec + i, nr - i, (size_t)got);
	}
	return QUIRE_OK;
}

/* Lets the file grow to extent, as far as the bound goes; lanes may ask at a time. */
static bool may_grow(struct swapfile *file, uint64_t extent)
{
	const uint64_t limit = qr_ground.settings.swap_bytes >> QUIRE_EXTENT_SHIFT;
	uint64_t had = file->nr_extents;

	while (extent >= had) {
		uint64_t more = extent + 1 - had;

		if (limit != 0 && own_extents + more > limit)
			return false;
		if (!atomic_compare_exchange_strong(&file->nr_extents, &had, extent + 1))
			continue;
		own_extents += more;
		break;
	}
	return true;
}

enum quire_status qr_swapfile_write(void *ctx, uint32_t area, uint64_t extent,
				    const quire_pfn *pfns, uint32_t nr)
{
	const uint64_t start = extent << QUIRE_EXTENT_SHIFT;
	const uint64_t last = extent + (nr - 1) / QUIRE_EXTENT_FRAMES;
	struct iovec vec[QUIRE_TRANSFER_FRAMES];
	enum quire_status status;

	(void)ctx;
	if (++nr_writes == qr_ground.settings.fail_swap_write)
		return QUIRE_IO;
	if (!may_grow(&files[area], last))
		return QUIRE_NO_SPACE;
	for (uint32_t i = 0; i < nr; i++)
		vec[i] = (struct iovec){qr_ground.port.direct +
						((size_t)pfns[i].n << QUIRE_PAGE_SHIFT),
					QUIRE_PAGE_BYTES};
	status = transfer(SYS_pwritev, &files[area], vec, nr, start);
	if (status == QUIRE_OK)
		drop_cache(&files[area], start, nr * QUIRE_PAGE_BYTES);
	return status;
}

enum quire_status qr_swapfile_read(void *ctx, uint32_t area, uint64_t byte, void *buf,
				   size_t bytes)
{
	const uint64_t turn = ++nr_reads;
	struct iovec vec = {buf, bytes};
	enum quire_status status;

	(void)ctx;
	if (turn == qr_ground.settings.fail_swap_read)
		return QUIRE_IO;
	status = transfer(SYS_preadv, &files[area], &vec, 1, byte);
	if (status == QUIRE_OK)
		drop_cache(&files[area], byte, bytes);
	if (turn == qr_ground.settings.flip_swap_read)
		((unsigned char *)buf)[bytes / 2] ^= 1;
	return status;
}

bool qr_swapfile_sole(void *ctx, uint32_t area)
{
	struct flock lock = {.l_type = F_WRLCK};

	(void)ctx;
	return qr_host_fcntl(files[area].fd, F_OFD_GETLK, qr_address(&lock)) == 0 &&
	       lock.l_type == F_UNLCK;
}

uint32_t qr_swapfile_count(void)
{
	return nr_files;
}

int qr_swapfile_dup(int fds[QUIRE_SWAPFILES])
{
	const uint32_t nr = nr_files;

	for (uint32_t i = 0; i < nr; i++) {
		char path[64];
		struct qr_text text = {.at = path, .room = sizeof(path)};
		int extra = files[i].is_cached ? 0 : O_DIRECT;
		long fd;

		qr_text_add(&text, "/proc/thread-self/fd/");
		qr_text_number(&text, (uint64_t)files[i].fd);
		fd = qr_host_open(qr_text_end(&text), O_RDWR | O_CLOEXEC | extra, 0);
		if (fd < 0) {
			while (i > 0)
				(void)qr_host_close(fds[--i]);
			return (int)fd;
		}
		hold(fd);
		fds[i] = (int)fd;
	}
	return (int)nr;
}

void qr_swapfile_adopt(const int *fds, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		files[i].fd = fds[i];
	nr_files = nr;
	own_extents = 0;
}
