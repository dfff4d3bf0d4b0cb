/* SPDX-License-Identifier: MIT */
/* soft.c - a script run by the core on the software machine. */
#include "tests/oracle/script.h"

#include "ports/soft/computer.h"
#include "ports/soft/store.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

#define NR_FRAMES 8192u

struct soft_side {
	struct qr_computer *computer;
	struct quire_vm *vm;
	struct quire_mm *mm, *parent;
	uint64_t frames_free;
	struct quire_file *file;
	struct qr_soft_store *store;
	char text[160];
};

static const int64_t errors[] = {
	[QUIRE_OK] = 0,
	[QUIRE_NO_MEMORY] = -ENOMEM,
	[QUIRE_INVALID] = -EINVAL,
	[QUIRE_FAULT] = -EFAULT,
	[QUIRE_EXISTS] = -EEXIST,
	[QUIRE_BUSY] = -EBUSY,
	[QUIRE_AGAIN] = -EAGAIN,
	[QUIRE_DENIED] = -EPERM,
	[QUIRE_REFUSED] = -EACCES,
	[QUIRE_NO_FILE] = -EBADF,
	[QUIRE_OVERFLOW] = -EOVERFLOW,
	[QUIRE_UNSUPPORTED] = -EOPNOTSUPP,
	[QUIRE_PAST_END] = 0,
};

struct soft_side *soft_side_new(void)
{
	const struct qr_computer_config config = {
		.soft = {.nr_frames = NR_FRAMES},
		.vm = {.swap = QUIRE_SWAP_NONE},
	};
	struct soft_side *side = calloc(1, sizeof(*side));
	const struct quire_port *port;
	struct quire_vm_figures figures;

	side->computer = qr_computer_new(&config);
	if (side->computer == NULL)
		abort();
	port = qr_soft_port(qr_computer_soft(side->computer));
	/* Not in a child that is made later for the host's side. */
	if (madvise(port->direct, (size_t)NR_FRAMES << 12, MADV_DONTFORK) != 0)
		abort();
	side->vm = qr_computer_vm(side->computer);
	if (quire_vm_set_hugetlb(side->vm, QUIRE_HUGE_2M, POOL_PAGES) != POOL_PAGES)
		abort();
	quire_vm_figures(side->vm, &figures);
	side->frames_free = figures.free;
	return side;
}

void soft_side_delete(struct soft_side *side)
{
	qr_computer_delete(side->computer);
	free(side);
}

static uint32_t map_flags(uint32_t flags)
{
	static const struct {
		uint32_t from, to;
	} table[] = {
		{MAP_SHARED, QUIRE_MM_SHARED},
		{MAP_PRIVATE, QUIRE_MM_PRIVATE},
		{MAP_FIXED, QUIRE_MM_FIXED},
		{MAP_FIXED_NOREPLACE, QUIRE_MM_NOREPLACE},
		{MAP_GROWSDOWN, QUIRE_MM_GROWSDOWN},
		{MAP_LOCKED, QUIRE_MM_LOCKED},
		{MAP_NORESERVE, QUIRE_MM_NORESERVE},
		{MAP_POPULATE, QUIRE_MM_POPULATE},
		{MAP_HUGETLB, QUIRE_MM_HUGETLB},
	};
	uint32_t to = 0;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if ((flags & table[i].from) != 0)
			to |= table[i].to;
	return to;
}

static enum quire_status advise(struct quire_mm *mm, const struct step *s)
{
	static const uint8_t table[] = {
		[MADV_NORMAL] = QUIRE_MM_NORMAL,
		[MADV_RANDOM] = QUIRE_MM_RANDOM,
		[MADV_SEQUENTIAL] = QUIRE_MM_SEQUENTIAL,
		[MADV_WILLNEED] = QUIRE_MM_WILLNEED,
		[MADV_DONTNEED] = QUIRE_MM_DONTNEED,
		[MADV_FREE] = QUIRE_MM_FREE,
		[MADV_REMOVE] = QUIRE_MM_REMOVE,
		[MADV_DONTFORK] = QUIRE_MM_DONTFORK,
		[MADV_DOFORK] = QUIRE_MM_DOFORK,
		[MADV_WIPEONFORK] = QUIRE_MM_WIPEONFORK,
		[MADV_KEEPONFORK] = QUIRE_MM_KEEPONFORK,
		[MADV_HUGEPAGE] = QUIRE_MM_HUGEPAGE,
		[MADV_NOHUGEPAGE] = QUIRE_MM_NOHUGEPAGE,
		[MADV_COLD] = QUIRE_MM_COLD,
		[MADV_PAGEOUT] = QUIRE_MM_PAGEOUT,
		[MADV_POPULATE_READ] = QUIRE_MM_POPULATE_READ,
		[MADV_POPULATE_WRITE] = QUIRE_MM_POPULATE_WRITE,
		[77] = QUIRE_MM_ADVICES,
	};

	return quire_mm_advise(mm, s->addr, s->bytes,
			       (enum quire_mm_advice)table[s->flags]);
}

/* The kernel's numbers are the core's, but for the bit of ONFAULT. */
static uint32_t lock_all_flags(uint32_t flags)
{
	return ((flags & MCL_CURRENT) != 0 ? QUIRE_MM_LOCK_CURRENT : 0) |
	       ((flags & MCL_FUTURE) != 0 ? QUIRE_MM_LOCK_FUTURE : 0) |
	       ((flags & 4) != 0 ? QUIRE_MM_ONFAULT : 0) | (flags & 64);
}

static enum quire_status map(struct soft_side *side, const struct step *s, uint64_t *at)
{
	if (s->of_file)
		return quire_mm_map_file(side->mm, side->file, s->offset, s->addr,
					 s->bytes, s->prot, map_flags(s->flags), at);
	return quire_mm_map(side->mm, s->addr, s->bytes, s->prot, map_flags(s->flags),
			    at);
}

static void call_file(struct soft_side *side, const struct step *s, struct result *r)
{
	enum quire_status status;
	uint64_t value = s->kind == STEP_WRITE ? s->value : 0;
	size_t done = 0;

	if (s->kind == STEP_READ)
		status = quire_file_read(side->file, s->offset, &value, 8, &done);
	else if (s->kind == STEP_WRITE)
		status = quire_file_write(side->file, s->offset, &value, 8, &done);
	else
		status = quire_file_resize(side->file, s->offset);
	r->value = status == QUIRE_OK ? (int64_t)value : -9999;
	r->fault = (int64_t)done;
}

static int64_t call(struct soft_side *side, const struct step *s, struct result *r)
{
	struct quire_mm *mm = side->mm;
	unsigned char vec[INCORE_PAGES] = {0};
	enum quire_status status = QUIRE_OK;
	uint64_t at = ARENA_BASE;

	switch (s->kind) {
	case STEP_MAP:
		status = map(side, s, &at);
		break;
	case STEP_UNMAP:
		status = quire_mm_unmap(mm, s->addr, s->bytes);
		break;
	case STEP_PROTECT:
		status = quire_mm_protect(mm, s->addr, s->bytes, s->prot);
		break;
	case STEP_REMAP:
		status = quire_mm_remap(mm, s->addr, s->bytes, s->new_bytes, s->flags,
					s->target, &at);
		break;
	case STEP_BRK:
		at = quire_mm_brk(mm, s->addr);
		break;
	case STEP_ADVISE:
		status = advise(mm, s);
		break;
	case STEP_LOCK:
		status = quire_mm_lock(mm, s->addr, s->bytes, s->flags);
		break;
	case STEP_UNLOCK:
		status = quire_mm_unlock(mm, s->addr, s->bytes);
		break;
	case STEP_LOCK_ALL:
		status = quire_mm_lock_all(mm, lock_all_flags(s->flags));
		break;
	case STEP_UNLOCK_ALL:
		status = quire_mm_unlock_all(mm);
		break;
	case STEP_INCORE:
		status = quire_mm_incore(mm, s->addr, s->bytes, vec);
		for (uint32_t i = 0; i < INCORE_PAGES && status == QUIRE_OK; i++)
			r->incore |= (uint64_t)(vec[i] & 1) << i;
		break;
	case STEP_SYNC:
		status = quire_mm_sync(mm, s->addr, s->bytes, s->flags);
		break;
	default:
		abort();
	}
	if (status == QUIRE_OK)
		return (int64_t)(at - ARENA_BASE);
	/* What the table does not know is no answer of a system call. */
	return errors[status] != 0 ? errors[status] : -9999;
}

static void access_page(struct soft_side *side, const struct step *s, struct result *r)
{
	struct quire_fault fault;
	enum quire_status status;
	uint64_t value = s->value;

	if (s->kind == STEP_LOAD)
		status = qr_computer_load(side->computer, 0, s->addr, &value, 8, &fault);
	else
		status = qr_computer_store(side->computer, 0, s->addr, &value, 8, &fault);
	if (status == QUIRE_OK)
		r->value = (int64_t)value;
	else if (fault.kind == QUIRE_FAULT_MAPERR)
		r->fault = SIGSEGV << 8 | SEGV_MAPERR;
	else if (fault.kind == QUIRE_FAULT_ACCERR)
		r->fault = SIGSEGV << 8 | SEGV_ACCERR;
	else if (fault.kind == QUIRE_FAULT_BUS)
		r->fault = SIGBUS << 8 | BUS_ADRERR;
	else
		r->fault = -1;
}

static void note_areas(struct quire_mm *mm, struct result *r)
{
	struct quire_mm_area area;
	uint64_t at = 0;

	while (quire_mm_area_next(mm, at, &area)) {
		struct result_area *out = &r->areas[r->nr_areas];

		if (r->nr_areas++ < RESULT_AREAS)
			*out = (struct result_area){
				.start = (uint32_t)((area.range.start.a - ARENA_BASE) >>
						    12),
				.end = (uint32_t)((area.range.end.a - ARENA_BASE) >> 12),
				.prot = area.prot | (area.is_shared ? 8 : 0),
				.offset = (uint32_t)(area.offset >> 12),
			};
		at = area.range.end.a;
	}
}

static void do_fork(struct soft_side *side)
{
	struct quire_mm *child;

	if (quire_mm_fork(side->mm, &child) != QUIRE_OK)
		abort();
	side->parent = side->mm;
	side->mm = child;
	qr_computer_switch(side->computer, 0, child);
}

static void do_exit(struct soft_side *side)
{
	quire_mm_destroy(side->mm);
	side->mm = side->parent;
	side->parent = NULL;
	qr_computer_switch(side->computer, 0, side->mm);
}

/* Linux counts what it unlocks with MREMAP_DONTUNMAP as locked for ever: from there on the
 * limit is another. */
static bool leaks_lock(struct quire_mm *mm, const struct step *s, const struct result *r)
{
	struct quire_mm_area area;

	return s->kind == STEP_REMAP && (s->flags & 4) != 0 && r->value >= 0 &&
	       quire_mm_area_next(mm, ARENA_BASE + (uint64_t)r->value, &area) &&
	       area.is_locked;
}

static uint64_t huge_faults(struct soft_side *side)
{
	struct quire_huge_figures figures;

	quire_vm_huge_figures(side->vm, &figures);
	return figures.fault_alloc;
}

/* There is no huge page of zeros: what was read has a page of its own. */
static bool is_read(const struct step *s)
{
	return s->kind == STEP_LOAD ||
	       (s->kind == STEP_ADVISE && s->flags == MADV_POPULATE_READ);
}

static void run_step(struct soft_side *side, const struct step *s, struct result *r)
{
	struct quire_mm_figures before, after;
	uint64_t nr_huge = huge_faults(side);

	*r = (struct result){.was_run = true};
	quire_mm_figures(side->mm, &before);
	if (s->kind == STEP_FORK)
		do_fork(side);
	else if (s->kind == STEP_EXIT)
		do_exit(side);
	else if (s->kind == STEP_LOAD || s->kind == STEP_STORE)
		access_page(side, s, r);
	else if (s->kind >= STEP_READ && s->kind <= STEP_RESIZE)
		call_file(side, s, r);
	else
		r->value = call(side, s, r);
	r->is_tainting = leaks_lock(side->mm, s, r);
	r->is_known = r->is_tainting || (is_read(s) && huge_faults(side) > nr_huge);
	quire_mm_figures(side->mm, &after);
	if (s->kind != STEP_FORK && s->kind != STEP_EXIT)
		r->minor = (uint32_t)(after.minor_faults - before.minor_faults);
	note_areas(side->mm, r);
}

static const char *validate(struct soft_side *side)
{
	const char *wrong = quire_vm_validate(side->vm);

	if (wrong == NULL)
		wrong = qr_computer_validate(side->computer, side->text,
					     sizeof(side->text));
	return wrong;
}

static void open_file(struct soft_side *side, bool has_store)
{
	struct quire_file_config config = {.bytes = FILE_PAGES << 12};

	side->store = NULL;
	if (has_store) {
		side->store =
			qr_soft_store_new(qr_computer_soft(side->computer), config.bytes);
		if (side->store == NULL)
			abort();
		config = qr_soft_store_config(side->store, "file");
	}
	if (quire_file_open(side->vm, &config, &side->file) != QUIRE_OK)
		abort();
}

static void close_file(struct soft_side *side)
{
	quire_file_close(side->file);
	if (side->store != NULL)
		qr_soft_store_delete(side->store);
}

static void set_thp(struct soft_side *side, bool everywhere)
{
	struct quire_thp thp;

	quire_vm_thp(side->vm, &thp);
	thp.enabled = everywhere ? QUIRE_THP_ALWAYS : QUIRE_THP_NEVER;
	if (quire_vm_set_thp(side->vm, &thp) != QUIRE_OK)
		abort();
}

const char *soft_side_run(struct soft_side *side, const struct script *script,
			  struct result *results, bool validate_each)
{
	const struct quire_mm_config config = {
		.window = {{ARENA_BASE}, {ARENA_BASE + ARENA_BYTES}},
		.mmap_top = ARENA_BASE + ARENA_BYTES,
		.mmap_bottom = ARENA_BASE + ARENA_BYTES,
		.brk = {ARENA_BRK},
		.limits = {QUIRE_UNLIMITED, QUIRE_UNLIMITED, LIMIT_STACK, LIMIT_LOCKED},
	};
	struct quire_vm_figures figures;
	const char *wrong = NULL;

	if (quire_mm_create(side->vm, &config, &side->mm) != QUIRE_OK)
		return "quire_mm_create";
	open_file(side, script->has_store);
	set_thp(side, script->huge == HUGE_CORE);
	qr_computer_switch(side->computer, 0, side->mm);
	for (uint32_t i = 0; i < script->nr_steps && wrong == NULL; i++) {
		run_step(side, &script->steps[i], &results[i]);
		if (validate_each)
			wrong = validate(side);
	}
	if (wrong == NULL)
		wrong = validate(side);
	if (side->parent != NULL)
		do_exit(side);
	quire_mm_destroy(side->mm);
	qr_computer_switch(side->computer, 0, NULL);
	close_file(side);
	quire_vm_figures(side->vm, &figures);
	if (wrong == NULL && figures.free != side->frames_free)
		wrong = "frames leaked";
	if (wrong == NULL && figures.committed != 0)
		wrong = "charges leaked";
	return wrong;
}
