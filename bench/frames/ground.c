/* SPDX-License-Identifier: MIT */
/* ground.c - see ground.h. */
#include "bench/frames/ground.h"

#include "core/base/assert.h"

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static __attribute__((noreturn)) void end(const char *where, const char *why)
{
	fprintf(stderr, "frames: %s: %s\n", where, why);
	exit(1);
}

void qr_assert_failed(const char *where, const char *condition)
{
	end(where, condition);
}

static __attribute__((noreturn)) void panic(void *ctx, const char *why)
{
	(void)ctx;
	end("panic", why);
}

static void wait_for(void *ctx, _Atomic uint32_t *word, uint32_t value)
{
	(void)ctx;
	(void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void notify(void *ctx, _Atomic uint32_t *word, uint32_t nr)
{
	(void)ctx;
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, nr, NULL, NULL, 0);
}

void ground_open(struct ground *ground, uint64_t bytes)
{
	void *direct = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (direct == MAP_FAILED)
		end("mmap", "no addresses");
	ground->bytes = bytes;
	ground->port.version = QUIRE_PORT_VERSION;
	ground->port.direct = direct;
	ground->port.nr_frames = (uint32_t)(bytes >> QUIRE_PAGE_SHIFT);
	ground->port.wait = wait_for;
	ground->port.notify = notify;
	ground->port.panic = panic;
}

void ground_use_large_pages(struct ground *ground)
{
	/* Without them it is slower. */
	(void)madvise(ground->port.direct, ground->bytes, MADV_HUGEPAGE);
}

void ground_close(struct ground *ground)
{
	(void)munmap(ground->port.direct, ground->bytes);
}

struct quire_frames *ground_frames(struct ground *ground, uint32_t nr_cpus,
				   enum quire_buddy_kind buddy)
{
	const struct quire_ram all = {0, ground->bytes, QUIRE_RAM_USABLE};
	struct quire_frames_config config = {
		.port = &ground->port,
		.map = &all,
		.nr_map = 1,
		.nr_cpus = nr_cpus,
		.buddies = {buddy, buddy, buddy},
		.dma_end = 4u << 20,
	};
	struct quire_frames *f;
	uint32_t bad;

	if (quire_frames_open(&f, &config, &bad) != QUIRE_OK)
		end("open", "no machine");
	return f;
}
