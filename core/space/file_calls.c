/* SPDX-License-Identifier: MIT */
/* file_calls.c - files as those who open, read, write and cut them see them. */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/space/mm.h"

/* What one pread or pwrite has come to. */
struct transfer {
	struct quire_vm *vm;
	struct quire_file *file;
	uint64_t at, end;
	unsigned char *to;
	const unsigned char *from;
};

static void enter(struct quire_vm *vm)
{
	qr_lock(&vm->turn);
	qr_lock(&vm->inner);
}

static void leave(struct quire_vm *vm)
{
	qr_unlock(&vm->inner);
	qr_unlock(&vm->turn);
}

static bool is_valid(const struct quire_file_config *config)
{
	return config->ops == NULL ||
	       (config->ops->read != NULL &&
		(config->is_readonly ||
		 (config->ops->write != NULL && config->ops->resize != NULL)));
}

enum quire_status quire_file_open(struct quire_vm *vm,
				  const struct quire_file_config *config,
				  struct quire_file **out)
{
	struct quire_file *file;

	if (!is_valid(config))
		return QUIRE_INVALID;
	if (config->bytes > QR_FILE_BYTES_MAX)
		return QUIRE_OVERFLOW;
	enter(vm);
	do
		file = qr_file_new(&vm->cache, config);
	while (file == NULL && vm->pressure(vm));
	leave(vm);
	if (file == NULL)
		return QUIRE_NO_MEMORY;
	*out = file;
	return QUIRE_OK;
}

void quire_file_close(struct quire_file *file)
{
	struct quire_vm *vm = file->cache->vm;

	enter(vm);
	file->is_open = false;
	qr_file_settle(vm, file);
	leave(vm);
}

uint64_t quire_file_bytes(struct quire_file *file)
{
	struct quire_vm *vm = file->cache->vm;
	uint64_t bytes;

	enter(vm);
	bytes = file->bytes;
	leave(vm);
	return bytes;
}

/* Bytes of the transfer that lie in the page at t->at. */
static size_t part_of(const struct transfer *t)
{
	uint64_t left = QUIRE_PAGE_BYTES - (t->at & (QUIRE_PAGE_BYTES - 1));

	return (size_t)(left < t->end - t->at ? left : t->end - t->at);
}

static void *place(const struct transfer *t, quire_pfn pfn)
{
	unsigned char *page = qr_zone_address(&t->vm->zone, pfn);

	qr_page_touch(&t->vm->cache.workingset, qr_zone_frame(&t->vm->zone, pfn));
	return page + (t->at & (QUIRE_PAGE_BYTES - 1));
}

static enum quire_status read_page(struct transfer *t)
{
	uint64_t index = qr_pages(t->at);
	enum quire_status status;
	quire_pfn pfn;
	bool was_out;

	/* A hole of a memory file has no page for being read. */
	if (qr_file_is_memory(t->file) &&
	    qr_entry_is_empty(qr_object_get(qr_file_object(t->file), index))) {
		memset(t->to, 0, part_of(t));
		return QUIRE_OK;
	}
	status = qr_object_page(t->vm, t->file->object, index, QR_FETCH_AHEAD, &pfn,
				&was_out);
	if (status == QUIRE_OK)
		memcpy(t->to, place(t, pfn), part_of(t));
	return status;
}

/* The page that is going to be written to at t->at. */
static enum quire_status page_for_write(struct transfer *t, quire_pfn *out)
{
	uint64_t index = qr_pages(t->at);
	struct quire_file *file = t->file;
	bool was_out, is_new;

	/* What is there of the page stays. */
	if (qr_file_is_memory(file) ||
	    (part_of(t) < QUIRE_PAGE_BYTES && index << QUIRE_PAGE_SHIFT < file->bytes))
		return qr_object_page(t->vm, file->object, index, QR_FETCH_ALONE, out,
				      &was_out);
	is_new = !qr_entry_is_present(qr_object_get(qr_file_object(file), index));
	if (!qr_file_make(file, index, out))
		return QUIRE_NO_MEMORY;
	if (is_new && part_of(t) < QUIRE_PAGE_BYTES)
		memset(qr_zone_address(&t->vm->zone, *out), 0, QUIRE_PAGE_BYTES);
	return QUIRE_OK;
}

/* Behind the end of a store's file are zeros: when it grows they are seen. */
static void clear_tail(struct quire_file *file)
{
	size_t used = file->bytes & (QUIRE_PAGE_BYTES - 1);
	quire_entry e = qr_object_get(qr_file_object(file), qr_pages(file->bytes));

	if (used != 0 && qr_entry_is_present(e))
		memset((unsigned char *)qr_zone_address(file->cache->zone,
							qr_entry_pfn(e)) +
			       used,
		       0, QUIRE_PAGE_BYTES - used);
}

static enum quire_status grow(struct quire_file *file, uint64_t bytes)
{
	const struct quire_file_ops *ops = file->config.ops;
	enum quire_status status = QUIRE_OK;

	if (ops == NULL) {
		qr_file_set_bytes(file, bytes);
		return QUIRE_OK;
	}
	status = ops->resize(file->config.ctx, bytes);
	if (status != QUIRE_OK)
		return status;
	clear_tail(file);
	qr_file_set_bytes(file, bytes);
	return QUIRE_OK;
}

static enum quire_status write_page(struct transfer *t)
{
	uint64_t index = qr_pages(t->at), end = t->at + part_of(t);
	struct quire_file *file = t->file;
	enum quire_status status;
	quire_pfn pfn;

	qr_vm_balance_dirty(t->vm);
	status = page_for_write(t, &pfn);
	if (status == QUIRE_OK && end > file->bytes)
		status = grow(file, end);
	if (status != QUIRE_OK) {
		/* The page may be there already, behind the end. */
		if (!qr_file_is_memory(file))
			qr_file_cut(file, qr_file_object(file)->nr_pages);
		return status;
	}
	memcpy(place(t, pfn), t->from, part_of(t));
	if (!qr_file_is_memory(file))
		qr_file_set_dirty(file, index);
	return QUIRE_OK;
}

/* Page after page; what was done before a failure is done. */
static enum quire_status run(struct transfer *t, size_t *done)
{
	enum quire_status (*step)(struct transfer * t) =
		t->to != NULL ? read_page : write_page;
	uint64_t start = t->at;
	enum quire_status status = QUIRE_OK;

	while (t->at < t->end) {
		size_t part = part_of(t);

		do
			status = step(t);
		while (status == QUIRE_NO_MEMORY && t->vm->pressure(t->vm));
		if (status != QUIRE_OK)
			break;
		t->at += part;
		if (t->to != NULL)
			t->to += part;
		else
			t->from += part;
	}
	*done = (size_t)(t->at - start);
	return *done > 0 ? QUIRE_OK : status;
}

enum quire_status quire_file_read(struct quire_file *file, uint64_t at, void *buf,
				  size_t bytes, size_t *done)
{
	struct transfer t = {.vm = file->cache->vm, .file = file, .at = at, .to = buf};
	enum quire_status status;

	enter(t.vm);
	t.end = at;
	if (at < file->bytes)
		t.end = bytes < file->bytes - at ? at + bytes : file->bytes;
	status = run(&t, done);
	leave(t.vm);
	return status;
}

enum quire_status quire_file_write(struct quire_file *file, uint64_t at, const void *buf,
				   size_t bytes, size_t *done)
{
	struct transfer t = {.vm = file->cache->vm, .file = file, .at = at, .from = buf};
	enum quire_status status;

	if (file->config.is_readonly)
		return QUIRE_NO_FILE;
	if (at >= QR_FILE_BYTES_MAX && bytes > 0)
		return QUIRE_OVERFLOW;
	t.end = bytes < QR_FILE_BYTES_MAX - at ? at + bytes : QR_FILE_BYTES_MAX;
	enter(t.vm);
	status = run(&t, done);
	leave(t.vm);
	return status;
}

/* The last page that stays has to be in memory to lose its tail. */
static enum quire_status load_tail(struct quire_vm *vm, struct quire_file *file,
				   uint64_t bytes)
{
	uint64_t index = qr_pages(bytes);
	enum quire_status status;
	quire_pfn pfn;
	bool was_out;

	if ((bytes & (QUIRE_PAGE_BYTES - 1)) == 0 ||
	    !qr_entry_is_swapped(qr_object_get(qr_file_object(file), index)))
		return QUIRE_OK;
	do
		status = qr_object_page(vm, file->object, index, QR_FETCH_ALONE, &pfn,
					&was_out);
	while (status == QUIRE_NO_MEMORY && vm->pressure(vm));
	return status;
}

static enum quire_status shrink(struct quire_vm *vm, struct quire_file *file,
				uint64_t bytes)
{
	const struct quire_file_ops *ops = file->config.ops;
	struct quire_object *object = qr_file_object(file);
	uint64_t old_pages = object->nr_pages;
	enum quire_status status;

	status = ops == NULL ? load_tail(vm, file, bytes)
			     : ops->resize(file->config.ctx, bytes);
	if (status != QUIRE_OK)
		return status;
	qr_file_set_bytes(file, bytes);
	qr_object_unmap(vm, file->object, object->nr_pages, UINT64_MAX, true);
	if (ops == NULL)
		qr_object_truncate(vm, object, object->nr_pages, old_pages);
	else
		qr_file_cut(file, object->nr_pages);
	clear_tail(file);
	return QUIRE_OK;
}

enum quire_status quire_file_resize(struct quire_file *file, uint64_t bytes)
{
	struct quire_vm *vm = file->cache->vm;
	enum quire_status status = QUIRE_OK;

	if (file->config.is_readonly)
		return QUIRE_INVALID;
	if (bytes > QR_FILE_BYTES_MAX)
		return QUIRE_OVERFLOW;
	enter(vm);
	if (bytes > file->bytes)
		status = grow(file, bytes);
	else
		status = shrink(vm, file, bytes);
	leave(vm);
	return status;
}

enum quire_status quire_file_sync(struct quire_file *file)
{
	struct quire_vm *vm = file->cache->vm;
	enum quire_status status = QUIRE_OK;

	enter(vm);
	if (!qr_file_is_memory(file))
		status = qr_file_report(
			file, qr_file_write_back(file, 0, UINT64_MAX, UINT64_MAX));
	leave(vm);
	return status;
}

void quire_file_figures(struct quire_file *file, struct quire_file_figures *out)
{
	struct quire_vm *vm = file->cache->vm;
	const struct quire_object *object;

	enter(vm);
	object = qr_file_object(file);
	*out = (struct quire_file_figures){
		.resident = object->nr_resident,
		.dirty = file->nr_dirty,
		.swapped = object->nr_swapped,
		.areas = object->nr_areas,
	};
	leave(vm);
}

void quire_vm_tick(struct quire_vm *vm, uint64_t now_ms)
{
	struct quire_page_cache *cache = &vm->cache;

	enter(vm);
	cache->now_ms = now_ms;
	if (now_ms >= cache->next_writeback_ms) {
		cache->next_writeback_ms = now_ms + vm->config.dirty_writeback_ms;
		(void)qr_page_cache_write_old(cache, vm->config.dirty_expire_ms);
		qr_vm_write_background(vm);
	}
	leave(vm);
}

enum quire_status quire_vm_sync(struct quire_vm *vm)
{
	enum quire_status status;

	enter(vm);
	status = qr_page_cache_write_old(&vm->cache, 0);
	leave(vm);
	return status;
}
