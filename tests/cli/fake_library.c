/* SPDX-License-Identifier: MIT */
/* fake_library.c - stands in for libquire.so: takes a seat as it must be taken, writes an
 * account of known figures, and does no paging.
 *
 * So the supervisor is tested by itself, with ends that are hard to bring about otherwise.
 * QUIRE_FAKE names one: oom, corrupt, panic, refuse, silent (no seat); else none. */
#include "ports/linux/segment.h"
#include "ports/linux/settings.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static struct quire_segment *attach(const struct quire_settings *settings)
{
	char path[64];
	void *map;
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", settings->supervisor,
		       settings->segment_fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return NULL;
	map = mmap(NULL, sizeof(struct quire_segment), PROT_READ | PROT_WRITE, MAP_SHARED,
		   fd, 0);
	(void)close(fd);
	return map == MAP_FAILED ? NULL : map;
}

static struct quire_seat *take(struct quire_segment *segment)
{
	if (segment->magic != QUIRE_SEGMENT_MAGIC ||
	    segment->version != QUIRE_SEGMENT_VERSION)
		return NULL;
	for (size_t i = 0; i < QUIRE_SEATS; i++) {
		uint32_t is_free = QUIRE_SEAT_FREE;

		if (atomic_compare_exchange_strong(&segment->seats[i].state, &is_free,
						   QUIRE_SEAT_LIVE))
			return &segment->seats[i];
	}
	atomic_fetch_add(&segment->nr_refused, 1);
	return NULL;
}

static void fill(struct quire_seat *seat, const struct quire_settings *settings)
{
	struct quire_stats *s = &seat->stats;
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	seat->started_ns = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	seat->startup_ns = 1500000;
	seat->foreign_bytes = 3 << 20;
	seat->features = ~settings->without & 0x7u;
	(void)prctl(PR_GET_NAME, seat->name);
	seat->parent = getppid();
	s->nr_frames = settings->ram_bytes / QUIRE_PAGE_BYTES;
	s->frames_mapped = s->peak_mapped = 1024;
	s->frames_store = s->peak_store = 512;
	s->frames_table = s->peak_table = 256;
	s->frames_meta = 128;
	s->peak_used = 1920;
	s->frames_free = s->nr_frames - s->peak_used;
	s->faults = 100;
	s->faults_zero = 40;
	s->faults_major = 30;
	s->faults_minor = 20;
	s->faults_protect = 10;
	s->pages_out = 2560;
	s->packed_in = 2560 * 4096;
	s->packed_out = 1280 * 4096;
	/* Last: from here on the seat tells something. */
	seat->pid = getpid();
}

static void end(struct quire_seat *seat, const char *how)
{
	static const struct {
		const char *name;
		enum quire_seat_end end;
		const char *text;
	} ends[] = {
		{"oom", QUIRE_END_OOM, "out of memory: wanted a page"},
		{"corrupt", QUIRE_END_CORRUPT, "page 0x1000 came back\nwrong"},
		{"panic", QUIRE_END_PANIC, "B1 does not hold"},
		{"refuse", QUIRE_END_REFUSED, "no machine could be built"},
	};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		if (strcmp(ends[i].name, how) != 0)
			continue;
		memcpy(seat->text, ends[i].text, strlen(ends[i].text) + 1);
		atomic_store(&seat->end, ends[i].end);
		if (ends[i].end == QUIRE_END_REFUSED)
			_exit(125);
		(void)raise(SIGKILL);
	}
}

__attribute__((constructor)) static void start(void)
{
	const char *text = getenv(QUIRE_SETTINGS_VARIABLE), *how = getenv("QUIRE_FAKE");
	struct quire_settings settings;
	struct quire_segment *segment;
	struct quire_seat *seat;

	if (!text || qr_settings_parse(&settings, text))
		return;
	if (how && strcmp(how, "silent") == 0)
		return;
	segment = attach(&settings);
	seat = segment ? take(segment) : NULL;
	if (!seat)
		return;
	fill(seat, &settings);
	if (how)
		end(seat, how);
}
