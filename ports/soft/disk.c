/* SPDX-License-Identifier: MIT */
/* disk.c - swap disks: sparse, in memory that copies of the process share.
 *
 * A map says of each sector (a page) whether it was written; a read of one that was not
 * is a mistake of the core's, and stops the machine.  After a write that failed the
 * sectors count as not written: nobody may look at them.
 */
#include "ports/soft/parts.h"

#include <string.h>
#include <sys/mman.h>

#define SHARES_BYTES QUIRE_PAGE_BYTES

static void *device_memory(const struct qr_soft *soft, size_t bytes)
{
	int sharing = soft->config.disks_are_copied ? MAP_PRIVATE : MAP_SHARED;
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static size_t data_bytes(const struct qr_soft *soft)
{
	return (size_t)soft->config.disk_extents << QUIRE_EXTENT_SHIFT;
}

static void disk_close(struct qr_soft *soft, struct qr_soft_disk *disk)
{
	if (disk->shares != NULL) {
		atomic_fetch_sub(disk->shares, 1);
		munmap(disk->shares, SHARES_BYTES);
	}
	if (disk->data != NULL)
		munmap(disk->data, data_bytes(soft));
	if (disk->sectors != NULL)
		munmap(disk->sectors, (size_t)soft->config.disk_extents);
	*disk = (struct qr_soft_disk){0};
}

static enum quire_status disk_open(struct qr_soft *soft, struct qr_soft_disk *disk)
{
	disk->shares = device_memory(soft, SHARES_BYTES);
	disk->data = device_memory(soft, data_bytes(soft));
	disk->sectors = device_memory(soft, (size_t)soft->config.disk_extents);
	if (disk->shares == NULL || disk->data == NULL || disk->sectors == NULL) {
		if (disk->shares != NULL)
			atomic_fetch_add(disk->shares, 1);
		disk_close(soft, disk);
		return QUIRE_IO;
	}
	atomic_fetch_add(disk->shares, 1);
	disk->open = true;
	return QUIRE_OK;
}

static enum quire_status soft_swap_open(void *ctx, uint32_t area, uint64_t *nr_extents)
{
	struct qr_soft *soft = ctx;
	enum quire_status status = QUIRE_NO_SPACE;

	pthread_mutex_lock(&soft->lock);
	if (area < soft->config.nr_disks) {
		if (soft->disks[area].open || (area > 0 && !soft->disks[area - 1].open))
			qr_soft_panic(soft, "swap_open: not the next area");
		status = qr_soft_fails(soft, QR_SOFT_OPEN)
				 ? QUIRE_IO
				 : disk_open(soft, &soft->disks[area]);
	}
	if (status == QUIRE_OK)
		*nr_extents = soft->config.disk_extents;
	pthread_mutex_unlock(&soft->lock);
	return status;
}

/* The disk of an area; the transfer ends before the extent end. */
static struct qr_soft_disk *disk_at(struct qr_soft *soft, uint32_t area, uint64_t end)
{
	if (area >= soft->config.nr_disks || !soft->disks[area].open)
		qr_soft_panic(soft, "a transfer to an area that is not open");
	if (end > soft->config.disk_extents)
		qr_soft_panic(soft, "a transfer past the end of the device");
	return &soft->disks[area];
}

static uint64_t extents_of(uint64_t pages)
{
	return (pages + QUIRE_EXTENT_FRAMES - 1) / QUIRE_EXTENT_FRAMES;
}

/* Extents of [extent, end) that were never written. */
static uint64_t count_new(const struct qr_soft_disk *disk, uint64_t extent, uint64_t end)
{
	uint64_t nr = 0;

	for (; extent < end; extent++)
		nr += disk->sectors[extent] == 0;
	return nr;
}

static void mark_written(struct qr_soft_disk *disk, uint64_t extent, uint32_t nr)
{
	for (; nr > QUIRE_EXTENT_FRAMES; nr -= QUIRE_EXTENT_FRAMES)
		disk->sectors[extent++] = (1u << QUIRE_EXTENT_FRAMES) - 1;
	disk->sectors[extent] = (uint8_t)((1u << nr) - 1);
}

/* Takes the sectors for a write.  The machine's lock is held. */
static enum quire_status begin_write(struct qr_soft *soft, struct qr_soft_disk *disk,
				     uint64_t extent, uint32_t nr)
{
	uint64_t end = extent + extents_of(nr), room = soft->config.disk_room;
	uint64_t nr_new = count_new(disk, extent, end);
	bool fails_full = qr_soft_fails(soft, QR_SOFT_FULL);
	bool fails = qr_soft_fails(soft, QR_SOFT_WRITE);

	if (nr_new != 0 &&
	    (fails_full || (room != 0 && disk->nr_written + nr_new > room)))
		return QUIRE_NO_SPACE;
	disk->nr_written += nr_new;
	if (fails) {
		disk->nr_written -= end - extent;
		memset(disk->sectors + extent, 0, end - extent);
		return QUIRE_IO;
	}
	mark_written(disk, extent, nr);
	soft->counts.transfers_out++;
	return QUIRE_OK;
}

static enum quire_status soft_swap_write(void *ctx, uint32_t area, uint64_t extent,
					 const quire_pfn *pfns, uint32_t nr)
{
	struct qr_soft *soft = ctx;
	struct qr_soft_disk *disk;
	enum quire_status status;

	if (nr == 0 || nr > QUIRE_TRANSFER_FRAMES)
		qr_soft_panic(soft, "swap_write: not 1..QUIRE_TRANSFER_FRAMES frames");
	pthread_mutex_lock(&soft->lock);
	disk = disk_at(soft, area, extent + extents_of(nr));
	status = begin_write(soft, disk, extent, nr);
	pthread_mutex_unlock(&soft->lock);
	for (uint32_t i = 0; i < nr && status == QUIRE_OK; i++) {
		if (pfns[i].n >= soft->config.nr_frames)
			qr_soft_panic(soft, "swap_write: no such frame");
		memcpy(disk->data + (extent << QUIRE_EXTENT_SHIFT) + i * QUIRE_PAGE_BYTES,
		       soft->port.direct + ((size_t)pfns[i].n << QUIRE_PAGE_SHIFT),
		       QUIRE_PAGE_BYTES);
	}
	return status;
}

static void check_read(struct qr_soft *soft, const struct qr_soft_disk *disk,
		       uint64_t byte, const void *buf, size_t bytes)
{
	uint64_t page_mask = QUIRE_PAGE_BYTES - 1;
	uint64_t page = byte >> QUIRE_PAGE_SHIFT;
	uint64_t end = page + (bytes >> QUIRE_PAGE_SHIFT);

	if (bytes == 0 || end - page > QUIRE_TRANSFER_FRAMES)
		qr_soft_panic(soft, "swap_read: not 1..QUIRE_TRANSFER_FRAMES pages");
	if (((byte | bytes | (uintptr_t)buf) & page_mask) != 0)
		qr_soft_panic(soft, "swap_read: not whole, aligned pages");
	for (; page < end; page++)
		if ((disk->sectors[page / QUIRE_EXTENT_FRAMES] >>
			     page % QUIRE_EXTENT_FRAMES &
		     1) == 0)
			qr_soft_panic(soft, "swap_read: a sector that was never written");
}

static enum quire_status soft_swap_read(void *ctx, uint32_t area, uint64_t byte,
					void *buf, size_t bytes)
{
	struct qr_soft *soft = ctx;
	const struct qr_soft_disk *disk;
	unsigned char *to = buf;
	bool fails, flips;

	pthread_mutex_lock(&soft->lock);
	disk = disk_at(soft, area, extents_of((byte + bytes) >> QUIRE_PAGE_SHIFT));
	check_read(soft, disk, byte, buf, bytes);
	soft->counts.transfers_in++;
	fails = qr_soft_fails(soft, QR_SOFT_READ);
	flips = qr_soft_fails(soft, QR_SOFT_FLIP);
	pthread_mutex_unlock(&soft->lock);
	if (fails) {
		memset(to, QR_SOFT_RUBBISH, bytes);
		return QUIRE_IO;
	}
	memcpy(to, disk->data + byte, bytes);
	/* Not the first bits of an object alone: one in each page, at different places. */
	for (size_t at = 0; at < bytes && flips; at += QUIRE_PAGE_BYTES)
		for (size_t i = at + 2; i < at + QUIRE_PAGE_BYTES; i += 61)
			to[i] ^= (unsigned char)(1u << i % 8);
	return QUIRE_OK;
}

/* True once every copy of the process that shared the area has let go of it. */
static bool soft_swap_sole(void *ctx, uint32_t area)
{
	struct qr_soft *soft = ctx;
	bool sole;

	pthread_mutex_lock(&soft->lock);
	sole = atomic_load(disk_at(soft, area, 0)->shares) == 1;
	pthread_mutex_unlock(&soft->lock);
	return sole;
}

void qr_soft_fork_prepare(struct qr_soft *soft)
{
	for (uint32_t i = 0; i < soft->config.nr_disks; i++)
		if (soft->disks[i].open)
			atomic_fetch_add(soft->disks[i].shares, 1);
}

void qr_soft_disks_destroy(struct qr_soft *soft)
{
	for (uint32_t i = 0; i < soft->config.nr_disks; i++)
		disk_close(soft, &soft->disks[i]);
}

void qr_soft_disk_install(struct quire_port *port)
{
	port->swap_open = soft_swap_open;
	port->swap_write = soft_swap_write;
	port->swap_read = soft_swap_read;
	port->swap_sole = soft_swap_sole;
}
