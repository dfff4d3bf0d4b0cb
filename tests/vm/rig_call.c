/* SPDX-License-Identifier: MIT */
/* rig_call.c - the core's calls, made again after an allocation of theirs failed. */
#include "tests/vm/rig_fail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum kind {
	CREATE,
	MAP,
	UNMAP,
	PROTECT,
	REMAP,
	ADVISE,
	LOCK,
	FORK,
	EXEC,
	BRK,
	ACCESS,
	MAP_FILE,
	SYNC,
	FILE_OPEN,
	FILE_READ,
	FILE_WRITE,
	FILE_RESIZE,
	FILE_SYNC,
};

struct call {
	enum kind kind;
	struct quire_mm *mm;
	uint64_t start, bytes, new_bytes, target;
	uint32_t prot, flags, cpu;
	const struct quire_mm_config *config;
	uint64_t *out;
	struct quire_mm **mm_out;
	void *buf;
	struct quire_file *file;
	const struct quire_file_config *file_config;
	struct quire_file **file_out;
	size_t *done;
};

/* An access takes no more frames, or it has reclaimed: then there is no state to hold. */
#define ACCESS_TAKES 64u

struct quire_fault rig_fault;

static enum quire_status access_bytes(struct rig *rig, const struct call *c)
{
	uint32_t bytes = (uint32_t)c->bytes;

	if (c->flags == QUIRE_WRITE)
		return qr_computer_store(rig->computer, c->cpu, c->start, c->buf, bytes,
					 &rig_fault);
	if (c->flags == QUIRE_READ)
		return qr_computer_load(rig->computer, c->cpu, c->start, c->buf, bytes,
					&rig_fault);
	return qr_computer_fetch(rig->computer, c->cpu, c->start, &rig_fault);
}

static enum quire_status perform_on_file(struct rig *rig, const struct call *c)
{
	switch (c->kind) {
	case FILE_OPEN:
		return quire_file_open(rig->vm, c->file_config, c->file_out);
	case FILE_READ:
		return quire_file_read(c->file, c->start, c->buf, c->bytes, c->done);
	case FILE_WRITE:
		return quire_file_write(c->file, c->start, c->buf, c->bytes, c->done);
	case FILE_RESIZE:
		return quire_file_resize(c->file, c->bytes);
	case FILE_SYNC:
		return quire_file_sync(c->file);
	default:
		return QUIRE_INVALID;
	}
}

static enum quire_status perform(struct rig *rig, const struct call *c)
{
	switch (c->kind) {
	case CREATE:
		return quire_mm_create(rig->vm, c->config, c->mm_out);
	case MAP:
		return quire_mm_map(c->mm, c->start, c->bytes, c->prot, c->flags, c->out);
	case UNMAP:
		return quire_mm_unmap(c->mm, c->start, c->bytes);
	case PROTECT:
		return quire_mm_protect(c->mm, c->start, c->bytes, c->prot);
	case REMAP:
		return quire_mm_remap(c->mm, c->start, c->bytes, c->new_bytes, c->flags,
				      c->target, c->out);
	case ADVISE:
		return quire_mm_advise(c->mm, c->start, c->bytes,
				       (enum quire_mm_advice)c->flags);
	case LOCK:
		return quire_mm_lock(c->mm, c->start, c->bytes, c->flags);
	case FORK:
		return quire_mm_fork(c->mm, c->mm_out);
	case EXEC:
		return quire_mm_exec(c->mm, c->config);
	case BRK:
		*c->out = quire_mm_brk(c->mm, c->start);
		return *c->out == c->start ? QUIRE_OK : QUIRE_NO_MEMORY;
	case ACCESS:
		return access_bytes(rig, c);
	case MAP_FILE:
		return quire_mm_map_file(c->mm, c->file, c->target, c->start, c->bytes,
					 c->prot, c->flags, c->out);
	case SYNC:
		return quire_mm_sync(c->mm, c->start, c->bytes, c->flags);
	default:
		return perform_on_file(rig, c);
	}
}

/* Linux does these area by area, marks before it brings pages in, or clears the target
 * before it moves; a stack grows before its page comes: what was done when memory ran out stays done. */
static bool may_be_half_done(const struct call *c)
{
	if (c->kind == ACCESS)
		return rig_fault.grew_stack;
	return c->kind == PROTECT || c->kind == ADVISE || c->kind == LOCK ||
	       (c->kind == REMAP && (c->flags & QUIRE_REMAP_FIXED) != 0);
}

/* What is left of a move of several areas: those that have gone are gone. */
static struct call rest_of(const struct call *c)
{
	struct call rest = *c;
	struct quire_mm_area area;

	if (c->kind != REMAP || (c->flags & QUIRE_REMAP_FIXED) == 0 ||
	    !quire_mm_area_next(c->mm, c->start, &area) ||
	    area.range.start.a <= c->start || area.range.start.a >= c->start + c->bytes)
		return rest;
	rest.start = area.range.start.a;
	rest.target += rest.start - c->start;
	rest.bytes -= rest.start - c->start;
	rest.new_bytes -= rest.start - c->start;
	return rest;
}

/* A transfer may end early where something fails after its first page. */
static bool is_short(const struct call *c, enum quire_status status)
{
	return (c->kind == FILE_READ || c->kind == FILE_WRITE) && status == QUIRE_OK &&
	       *c->done < c->bytes;
}

/* Whether the allocation that fails may be one of this access. */
static bool may_be_the_one(const struct rig *rig, const struct call *c)
{
	bool is_writable;
	quire_pfn frame;

	if (rig->vm->zone.fail_in > ACCESS_TAKES)
		return false;
	return c->mm == NULL ||
	       !qr_computer_look(rig->computer, c->mm, c->start, &frame, &is_writable) ||
	       (c->flags == QUIRE_WRITE && !is_writable);
}

static enum quire_status make(struct rig *rig, const struct call *c)
{
	struct rig_state *before;
	enum quire_status status;
	struct call rest;

	if (!rig->is_armed)
		return perform(rig, c);
	before = NULL;
	if (c->kind != ACCESS || may_be_the_one(rig, c))
		before = rig_state_of(rig, c->mm);
	status = perform(rig, c);
	if (rig_has_failed(rig) && (status == QUIRE_NO_MEMORY || is_short(c, status))) {
		if (c->kind == ACCESS)
			assert_int_equal(rig_fault.kind, QUIRE_FAULT_OOM);
		rig_validate(rig);
		if (before != NULL)
			rig_expect_state(rig, c->mm, before, may_be_half_done(c));
		rest = rest_of(c);
		status = perform(rig, &rest);
	}
	free(before);
	return status;
}

enum quire_status rig_create(struct rig *rig, const struct quire_mm_config *config,
			     struct quire_mm **out)
{
	return make(rig, &(struct call){CREATE, .config = config, .mm_out = out});
}

enum quire_status rig_map(struct rig *rig, struct quire_mm *mm, uint64_t start,
			  uint64_t bytes, uint32_t prot, uint32_t flags, uint64_t *out)
{
	return make(rig,
		    &(struct call){MAP, mm, start, bytes, 0, 0, prot, flags, .out = out});
}

enum quire_status rig_unmap(struct rig *rig, struct quire_mm *mm, uint64_t start,
			    uint64_t bytes)
{
	return make(rig, &(struct call){UNMAP, mm, .start = start, .bytes = bytes});
}

enum quire_status rig_protect(struct rig *rig, struct quire_mm *mm, uint64_t start,
			      uint64_t bytes, uint32_t prot)
{
	return make(rig, &(struct call){PROTECT, mm, start, bytes, .prot = prot});
}

enum quire_status rig_remap(struct rig *rig, struct quire_mm *mm, uint64_t start,
			    uint64_t old_bytes, uint64_t new_bytes, uint32_t flags,
			    uint64_t target, uint64_t *out)
{
	return make(rig, &(struct call){REMAP, mm, start, old_bytes, new_bytes, target, 0,
					flags, .out = out});
}

enum quire_status rig_advise(struct rig *rig, struct quire_mm *mm, uint64_t start,
			     uint64_t bytes, enum quire_mm_advice advice)
{
	return make(rig, &(struct call){ADVISE, mm, start, bytes, .flags = advice});
}

enum quire_status rig_lock(struct rig *rig, struct quire_mm *mm, uint64_t start,
			   uint64_t bytes, uint32_t flags)
{
	return make(rig, &(struct call){LOCK, mm, start, bytes, .flags = flags});
}

enum quire_status rig_fork(struct rig *rig, struct quire_mm *mm, struct quire_mm **out)
{
	return make(rig, &(struct call){FORK, mm, .mm_out = out});
}

enum quire_status rig_exec(struct rig *rig, struct quire_mm *mm,
			   const struct quire_mm_config *config)
{
	return make(rig, &(struct call){EXEC, mm, .config = config});
}

uint64_t rig_brk(struct rig *rig, struct quire_mm *mm, uint64_t want)
{
	uint64_t at = 0;

	(void)make(rig, &(struct call){BRK, mm, want, .out = &at});
	return at;
}

enum quire_status rig_access(struct rig *rig, uint32_t cpu, uint64_t va, void *buf,
			     uint32_t bytes, uint32_t access)
{
	return make(rig, &(struct call){ACCESS, NULL, va, bytes, .flags = access,
					.cpu = cpu, .buf = buf});
}

enum quire_status rig_store(struct rig *rig, struct quire_mm *mm, uint64_t va,
			    uint64_t value)
{
	qr_computer_switch(rig->computer, 0, mm);
	return make(rig, &(struct call){ACCESS, mm, va, 8, .flags = QUIRE_WRITE,
					.buf = &value});
}

enum quire_status rig_load(struct rig *rig, struct quire_mm *mm, uint64_t va,
			   uint64_t *value)
{
	qr_computer_switch(rig->computer, 0, mm);
	return make(rig,
		    &(struct call){ACCESS, mm, va, 8, .flags = QUIRE_READ, .buf = value});
}

enum quire_status rig_map_at(struct rig *rig, struct quire_mm *mm,
			     struct quire_file *file, uint64_t offset, uint64_t start,
			     uint64_t bytes, uint32_t prot, uint32_t flags, uint64_t *out)
{
	return make(rig, &(struct call){MAP_FILE, mm, start, bytes, .target = offset,
					.prot = prot, .flags = flags, .file = file,
					.out = out});
}

enum quire_status rig_sync(struct rig *rig, struct quire_mm *mm, uint64_t start,
			   uint64_t bytes, uint32_t flags)
{
	return make(rig, &(struct call){SYNC, mm, start, bytes, .flags = flags});
}

enum quire_status rig_file_open(struct rig *rig, const struct quire_file_config *config,
				struct quire_file **out)
{
	return make(rig,
		    &(struct call){FILE_OPEN, .file_config = config, .file_out = out});
}

enum quire_status rig_file_read(struct rig *rig, struct quire_file *file, uint64_t at,
				void *buf, size_t bytes, size_t *done)
{
	return make(rig, &(struct call){FILE_READ, NULL, at, bytes, .buf = buf,
					.file = file, .done = done});
}

enum quire_status rig_file_write(struct rig *rig, struct quire_file *file, uint64_t at,
				 void *buf, size_t bytes, size_t *done)
{
	return make(rig, &(struct call){FILE_WRITE, NULL, at, bytes, .buf = buf,
					.file = file, .done = done});
}

enum quire_status rig_file_resize(struct rig *rig, struct quire_file *file,
				  uint64_t bytes)
{
	return make(rig, &(struct call){FILE_RESIZE, .bytes = bytes, .file = file});
}

enum quire_status rig_file_sync(struct rig *rig, struct quire_file *file)
{
	return make(rig, &(struct call){FILE_SYNC, .file = file});
}
