/* SPDX-License-Identifier: MIT */
/* pool.c - the host's pool of huge pages, made as large as the scripts need it where
 * QUIRE_ORACLE_POOL is set: it is the whole host's, and the kernel may not give back all
 * of it, for in some long runs it lost reservations. */
#include "tests/oracle/script.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"
#define LOCK "/tmp/quire-oracle-pool.lock"

static bool read_number(const char *path, uint64_t *out)
{
	FILE *file = fopen(path, "re");
	unsigned long long n;
	bool done;

	if (file == NULL)
		return false;
	done = fscanf(file, "%llu", &n) == 1;
	fclose(file);
	if (done)
		*out = n;
	return done;
}

static bool write_number(const char *path, uint64_t n)
{
	FILE *file = fopen(path, "we");
	bool done;

	if (file == NULL)
		return false;
	done = fprintf(file, "%llu\n", (unsigned long long)n) > 0;
	return fclose(file) == 0 && done;
}

/* Pages that a mapping can have; false where that is not known. */
static bool spare(uint64_t *out)
{
	uint64_t nr_free, reserved;

	if (!read_number(POOL "free_hugepages", &nr_free) ||
	    !read_number(POOL "resv_hugepages", &reserved))
		return false;
	*out = nr_free - reserved;
	return true;
}

bool pool_open(struct pool *pool)
{
	uint64_t had;

	*pool = (struct pool){.lock = -1};
	if (getenv("QUIRE_ORACLE_POOL") == NULL)
		return false;
	if (!read_number(POOL "nr_hugepages", &pool->nr_before) || !spare(&had))
		return false;
	/* Another run of this test waits: it would take what was counted. */
	pool->lock = open(LOCK, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (pool->lock < 0 || flock(pool->lock, LOCK_EX) != 0)
		return false;
	if (!read_number(POOL "nr_hugepages", &pool->nr_before) || !spare(&had))
		return false;
	pool->is_changed =
		had < POOL_PAGES &&
		write_number(POOL "nr_hugepages", pool->nr_before + POOL_PAGES - had);
	return spare(&had) && had == POOL_PAGES;
}

void pool_close(struct pool *pool)
{
	if (pool->is_changed && !write_number(POOL "nr_hugepages", pool->nr_before))
		perror("putting " POOL "nr_hugepages back");
	if (pool->lock >= 0)
		close(pool->lock);
}
