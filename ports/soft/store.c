/* SPDX-License-Identifier: MIT */
/* store.c - a sparse file in the host's memory. */
#include "ports/soft/store.h"

#include "ports/soft/parts.h"

#include <stdlib.h>
#include <string.h>

struct qr_soft_store {
	struct qr_soft *soft;
	unsigned char **pages; /* NULL: never written, or cut off */
	uint64_t nr_pages, bytes;
	bool is_released;
	struct qr_soft_store_counts counts;
};

static uint64_t pages_of(uint64_t bytes)
{
	return (bytes + QUIRE_PAGE_BYTES - 1) >> QUIRE_PAGE_SHIFT;
}

static size_t least(uint64_t a, uint64_t b)
{
	return (size_t)(a < b ? a : b);
}

/* Room for the pages of so many bytes; false where the host has none. */
static bool set_bytes(struct qr_soft_store *store, uint64_t bytes)
{
	uint64_t nr = pages_of(bytes);
	size_t used = bytes & (QUIRE_PAGE_BYTES - 1);

	for (uint64_t i = nr; i < store->nr_pages; i++) {
		free(store->pages[i]);
		store->pages[i] = NULL;
	}
	if (nr > store->nr_pages) {
		unsigned char **pages =
			realloc(store->pages, (size_t)nr * sizeof(*pages));

		if (pages == NULL)
			return false;
		memset(pages + store->nr_pages, 0,
		       (size_t)(nr - store->nr_pages) * sizeof(*pages));
		store->pages = pages;
	}
	store->nr_pages = nr;
	if (bytes < store->bytes && used != 0 && store->pages[nr - 1] != NULL)
		memset(store->pages[nr - 1] + used, 0, QUIRE_PAGE_BYTES - used);
	store->bytes = bytes;
	return true;
}

static void check(const struct qr_soft_store *store, uint64_t index, uint32_t nr)
{
	if (store->is_released)
		qr_soft_panic(store->soft, "a transfer of a file that was released");
	if (nr == 0 || nr > QUIRE_FILE_RUN || index + nr > store->nr_pages)
		qr_soft_panic(store->soft, "a transfer past the end of a file");
}

static bool fails(const struct qr_soft_store *store, enum qr_soft_site site)
{
	bool yes;

	pthread_mutex_lock(&store->soft->lock);
	yes = qr_soft_fails(store->soft, site);
	pthread_mutex_unlock(&store->soft->lock);
	return yes;
}

static enum quire_status store_read(void *ctx, uint64_t index, void *const *pages,
				    uint32_t nr)
{
	struct qr_soft_store *store = ctx;
	bool is_failing = fails(store, QR_SOFT_FILE_READ);

	check(store, index, nr);
	store->counts.reads++;
	store->counts.pages_read += nr;
	for (uint32_t i = 0; i < nr; i++) {
		const unsigned char *page = store->pages[index + i];

		if (page == NULL || is_failing)
			memset(pages[i], is_failing ? 0xee : 0, QUIRE_PAGE_BYTES);
		else
			memcpy(pages[i], page, QUIRE_PAGE_BYTES);
	}
	return is_failing ? QUIRE_IO : QUIRE_OK;
}

static void check_tail(const struct qr_soft_store *store, uint64_t index,
		       const unsigned char *page)
{
	uint64_t start = index << QUIRE_PAGE_SHIFT;
	size_t i = least(store->bytes - start, QUIRE_PAGE_BYTES);

	for (; i < QUIRE_PAGE_BYTES; i++)
		if (page[i] != 0)
			qr_soft_panic(store->soft,
				      "bytes are written behind the end of a file");
}

static bool put_page(struct qr_soft_store *store, uint64_t index, const void *page)
{
	unsigned char **at = &store->pages[index];

	if (*at == NULL)
		*at = malloc(QUIRE_PAGE_BYTES);
	if (*at != NULL)
		memcpy(*at, page, QUIRE_PAGE_BYTES);
	return *at != NULL;
}

/* Of a write that fails the first half may have come through. */
static enum quire_status store_write(void *ctx, uint64_t index, const void *const *pages,
				     uint32_t nr)
{
	struct qr_soft_store *store = ctx;
	bool is_failing = fails(store, QR_SOFT_FILE_WRITE);

	check(store, index, nr);
	store->counts.writes++;
	for (uint32_t i = 0; i < (is_failing ? nr / 2 : nr); i++) {
		check_tail(store, index + i, pages[i]);
		if (!put_page(store, index + i, pages[i]))
			return QUIRE_IO;
		store->counts.pages_written++;
	}
	return is_failing ? QUIRE_IO : QUIRE_OK;
}

static enum quire_status store_resize(void *ctx, uint64_t bytes)
{
	struct qr_soft_store *store = ctx;

	if (store->is_released)
		qr_soft_panic(store->soft, "a file that was released gets a size");
	if (fails(store, QR_SOFT_FILE_RESIZE) || !set_bytes(store, bytes))
		return QUIRE_IO;
	return QUIRE_OK;
}

static void store_release(void *ctx)
{
	struct qr_soft_store *store = ctx;

	if (store->is_released)
		qr_soft_panic(store->soft, "a file is released twice");
	store->is_released = true;
}

static const struct quire_file_ops store_ops = {
	.read = store_read,
	.write = store_write,
	.resize = store_resize,
	.release = store_release,
};

struct qr_soft_store *qr_soft_store_new(struct qr_soft *soft, uint64_t bytes)
{
	struct qr_soft_store *store = calloc(1, sizeof(*store));

	if (store == NULL)
		return NULL;
	store->soft = soft;
	if (set_bytes(store, bytes))
		return store;
	free(store);
	return NULL;
}

void qr_soft_store_delete(struct qr_soft_store *store)
{
	(void)set_bytes(store, 0);
	free(store->pages);
	free(store);
}

struct quire_file_config qr_soft_store_config(struct qr_soft_store *store,
					      const char *name)
{
	return (struct quire_file_config){
		.ops = &store_ops,
		.ctx = store,
		.name = name,
		.bytes = store->bytes,
		.major = 8,
		.minor = 1,
	};
}

bool qr_soft_store_is_released(const struct qr_soft_store *store)
{
	return store->is_released;
}

struct qr_soft_store_counts qr_soft_store_counts(const struct qr_soft_store *store)
{
	return store->counts;
}

uint64_t qr_soft_store_bytes(const struct qr_soft_store *store)
{
	return store->bytes;
}

void qr_soft_store_peek(const struct qr_soft_store *store, uint64_t at, void *buf,
			size_t bytes)
{
	unsigned char *to = buf;

	for (size_t i = 0; i < bytes; i++) {
		uint64_t index = (at + i) >> QUIRE_PAGE_SHIFT;
		const unsigned char *page =
			index < store->nr_pages ? store->pages[index] : NULL;

		to[i] = page == NULL ? 0 : page[(at + i) & (QUIRE_PAGE_BYTES - 1)];
	}
}

bool qr_soft_store_poke(struct qr_soft_store *store, uint64_t at, const void *buf,
			size_t bytes)
{
	const unsigned char *from = buf;

	for (size_t i = 0; i < bytes && at + i < store->bytes; i++) {
		unsigned char **page = &store->pages[(at + i) >> QUIRE_PAGE_SHIFT];

		if (*page == NULL)
			*page = calloc(1, QUIRE_PAGE_BYTES);
		if (*page == NULL)
			return false;
		(*page)[(at + i) & (QUIRE_PAGE_BYTES - 1)] = from[i];
	}
	return true;
}
