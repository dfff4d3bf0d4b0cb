/* SPDX-License-Identifier: MIT */
/* host.c - scripts run by the host's Linux, in a child process that is made for it.
 *
 * The child plugs every gap of its address space but the arena, so that the kernel
 * places there what has no address, and moves its break into it.  It allocates nothing
 * afterwards.  Before each step it makes its own pages present and its own, so that the
 * minor faults counted are the step's.
 */
#include "tests/oracle/script.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NR_OWN	   64u
#define MAPS_BYTES 65536u
#define TASK_TOP   0x7ffffffff000ull
/* What the kernel keeps free below a stack, and what this stack may still grow. */
#define STACK_GAP (1u << 20)

/* A mapping of the process's own. */
struct own {
	uint64_t start, end;
	bool writable;
};

struct shared {
	struct script scripts[HOST_BATCH];
	struct result results[HOST_BATCH * SCRIPT_STEPS];
	uint32_t nr;
	bool has_brk, has_holes;
};

struct host_side {
	struct shared *shared;
	pid_t pid;
	int go, done; /* pipes */
};

/* The child's, one process: what a handler and a fork need. */
static struct own own[NR_OWN];
static uint32_t nr_own;
static sigjmp_buf escape;
static volatile int64_t caught;
static char maps[MAPS_BYTES];

/* PROCMAP_QUERY of linux/fs.h, which headers before 6.11 do not have. */
struct query {
	uint64_t size, flags, addr;
	uint64_t vma_start, vma_end, vma_flags, page_bytes, offset, inode;
	uint32_t major, minor, name_bytes, build_id_bytes;
	uint64_t name, build_id;
};
#define QUERY_AREA    _IOWR('f', 17, struct query)
#define QUERY_OR_NEXT 0x10u

static void die(const char *why)
{
	fprintf(stderr, "oracle child: %s: %s\n", why, strerror(errno));
	_exit(3);
}

static uint64_t hex(const char **at)
{
	uint64_t n = 0;

	for (;; ++*at) {
		char c = **at;

		if (c >= '0' && c <= '9')
			n = n * 16 + (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			n = n * 16 + (uint64_t)(c - 'a' + 10);
		else
			return n;
	}
}

struct line {
	uint64_t start, end, offset;
	char prot[5];
	const char *name;
};

/* Reads one line of maps; NULL at the end. */
static const char *parse(const char *at, struct line *line)
{
	const char *newline = strchr(at, '\n');

	if (newline == NULL)
		return NULL;
	line->start = hex(&at);
	at++;
	line->end = hex(&at);
	memcpy(line->prot, at + 1, 4);
	line->prot[4] = 0;
	at += 6;
	line->offset = hex(&at);
	line->name = memchr(at, '[', (size_t)(newline - at));
	return newline + 1;
}

static int maps_fd = -1;

/* Up to room bytes of maps, from its beginning. */
static void read_maps(size_t room)
{
	size_t got = 0;

	if (lseek(maps_fd, 0, SEEK_SET) != 0)
		die("maps");
	while (got < room) {
		ssize_t n = read(maps_fd, maps + got, room - got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	maps[got] = 0;
}

static void open_maps(void)
{
	if (maps_fd >= 0)
		close(maps_fd);
	maps_fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (maps_fd < 0)
		die("/proc/self/maps");
}

/* MADV_DONTDUMP: no script makes an area that could become one with it. */
static void plug(uint64_t start, uint64_t end)
{
	void *at = (void *)(uintptr_t)start;

	if (start >= end)
		return;
	if (mmap(at, end - start, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
		 0) != at ||
	    madvise(at, end - start, MADV_DONTDUMP) != 0)
		die("a plug");
}

static uint64_t least_address(void)
{
	char text[32] = "";
	int fd = open("/proc/sys/vm/mmap_min_addr", O_RDONLY | O_CLOEXEC);
	uint64_t least;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		die("mmap_min_addr");
	close(fd);
	least = strtoull(text, NULL, 10);
	return least < 4096 ? 4096 : (least + 4095) & ~4095ull;
}

static void note_own(const struct line *line)
{
	bool is_stack = line->name != NULL && memcmp(line->name, "[stack", 6) == 0;
	uint64_t here = (uint64_t)(uintptr_t)__builtin_frame_address(0);

	if (line->prot[0] != 'r' || nr_own == NR_OWN ||
	    (line->name != NULL && memcmp(line->name, "[v", 2) == 0))
		return;
	own[nr_own++] = (struct own){
		.start = is_stack ? (here & ~4095ull) - 8 * 4096 : line->start,
		.end = is_stack ? (here & ~4095ull) + 8192 : line->end,
		.writable = line->prot[1] == 'w' && line->prot[3] == 'p',
	};
}

/* Plugs between what is mapped now; the arena stays free. */
static void plug_all(void)
{
	static struct {
		uint64_t start, end;
	} gaps[NR_OWN];
	uint32_t nr = 0;
	uint64_t floor = least_address();
	const char *at = maps;
	struct line line;

	open_maps();
	read_maps(MAPS_BYTES - 1);
	while ((at = parse(at, &line)) != NULL && line.start < TASK_TOP) {
		bool is_stack = line.name != NULL && memcmp(line.name, "[stack", 6) == 0;

		note_own(&line);
		if (nr == NR_OWN)
			die("too many mappings");
		gaps[nr].start = floor;
		gaps[nr++].end = is_stack ? line.start - STACK_GAP : line.start;
		floor = line.end;
	}
	for (uint32_t i = 0; i < nr; i++) {
		if (gaps[i].start < ARENA_BASE && gaps[i].end > ARENA_BASE) {
			plug(gaps[i].start, ARENA_BASE);
			plug(ARENA_BASE + ARENA_BYTES, gaps[i].end);
		} else {
			plug(gaps[i].start, gaps[i].end);
		}
	}
	plug(floor, TASK_TOP);
}

/* What /proc/self/stat says of the process's layout, fields numbered from 1. */
static bool read_layout(struct prctl_mm_map *map)
{
	char text[2048] = "", *at;
	uint64_t fields[64] = {0};
	int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return false;
	close(fd);
	at = strrchr(text, ')');
	for (uint32_t i = 3; at != NULL && i < 64; i++) {
		at = strchr(at, ' ');
		if (at != NULL)
			fields[i] = strtoull(++at, NULL, 10);
	}
	*map = (struct prctl_mm_map){
		.start_code = fields[26],
		.end_code = fields[27],
		.start_stack = fields[28],
		.start_data = fields[45],
		.end_data = fields[46],
		.arg_start = fields[48],
		.arg_end = fields[49],
		.env_start = fields[50],
		.env_end = fields[51],
		.start_brk = ARENA_BRK,
		.brk = ARENA_BRK,
		.exe_fd = (uint32_t)-1,
	};
	return true;
}

static struct prctl_mm_map layout;

static bool set_brk(void)
{
	return prctl(PR_SET_MM, PR_SET_MM_MAP, &layout, sizeof(layout), 0) == 0;
}

/* Every page of the process's own is present, and no longer common with another's. */
static void warm(void)
{
	for (uint32_t i = 0; i < nr_own; i++)
		for (uint64_t at = own[i].start; at < own[i].end; at += 4096) {
			volatile char *byte = (volatile char *)(uintptr_t)at;
			char was = *byte;

			if (own[i].writable)
				*byte = was;
		}
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	caught = (int64_t)number << 8 | info->si_code;
	siglongjmp(escape, 1);
}

static long raw(long nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
		uint64_t f)
{
	long result = syscall(nr, a, b, c, d, e, f);

	return result == -1 ? -errno : result;
}

static int64_t relative(long result)
{
	return result < 0 && result > -4096 ? result
					    : (int64_t)((uint64_t)result - ARENA_BASE);
}

/* The file of the scripts that run, one of two. */
static int file_fd, memory_fd, disk_fd;

static void open_files(void)
{
	char name[] = "/tmp/quire-oracle-XXXXXX";

	memory_fd = memfd_create("oracle", MFD_CLOEXEC);
	disk_fd = mkostemp(name, O_CLOEXEC);
	if (memory_fd < 0 || disk_fd < 0 || unlink(name) != 0)
		die("a file");
}

static bool can_punch(int fd)
{
	return ftruncate(fd, FILE_PAGES << 12) == 0 &&
	       fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096) == 0;
}

static void choose_file(const struct script *script)
{
	file_fd = script->has_store ? disk_fd : memory_fd;
	if (ftruncate(file_fd, 0) != 0 || ftruncate(file_fd, FILE_PAGES << 12) != 0)
		die("emptying the file");
}

static void call_file(const struct step *s, struct result *r)
{
	uint64_t value = s->kind == STEP_WRITE ? s->value : 0;
	long done;

	if (s->kind == STEP_RESIZE)
		done = raw(SYS_ftruncate, (uint64_t)file_fd, s->offset, 0, 0, 0, 0);
	else
		done = raw(s->kind == STEP_READ ? SYS_pread64 : SYS_pwrite64,
			   (uint64_t)file_fd, (uint64_t)(uintptr_t)&value, 8, s->offset,
			   0, 0);
	r->value = done >= 0 ? (int64_t)value : done;
	r->fault = done;
}

static int64_t call(const struct step *s, struct result *r)
{
	static unsigned char vec[INCORE_PAGES];
	long result;

	switch (s->kind) {
	case STEP_MAP:
		return relative(raw(SYS_mmap, s->addr, s->bytes, s->prot, s->flags,
				    s->of_file ? (uint64_t)file_fd : (uint64_t)-1,
				    s->offset));
	case STEP_UNMAP:
		return raw(SYS_munmap, s->addr, s->bytes, 0, 0, 0, 0);
	case STEP_PROTECT:
		return raw(SYS_mprotect, s->addr, s->bytes, s->prot, 0, 0, 0);
	case STEP_REMAP:
		return relative(raw(SYS_mremap, s->addr, s->bytes, s->new_bytes, s->flags,
				    s->target, 0));
	case STEP_BRK:
		return relative(raw(SYS_brk, s->addr, 0, 0, 0, 0, 0));
	case STEP_ADVISE:
		return raw(SYS_madvise, s->addr, s->bytes, s->flags, 0, 0, 0);
	case STEP_LOCK:
		return raw(SYS_mlock2, s->addr, s->bytes, s->flags, 0, 0, 0);
	case STEP_UNLOCK:
		return raw(SYS_munlock, s->addr, s->bytes, 0, 0, 0, 0);
	case STEP_LOCK_ALL:
		return raw(SYS_mlockall, s->flags, 0, 0, 0, 0, 0);
	case STEP_UNLOCK_ALL:
		return raw(SYS_munlockall, 0, 0, 0, 0, 0, 0);
	case STEP_INCORE:
		memset(vec, 0, sizeof(vec));
		result = raw(SYS_mincore, s->addr, s->bytes, (uint64_t)(uintptr_t)vec, 0,
			     0, 0);
		for (uint32_t i = 0; i < INCORE_PAGES && result == 0; i++)
			r->incore |= (uint64_t)(vec[i] & 1) << i;
		return result;
	case STEP_SYNC:
		return raw(SYS_msync, s->addr, s->bytes, s->flags, 0, 0, 0);
	default:
		abort();
	}
}

static void access_page(const struct step *s, struct result *r)
{
	volatile uint64_t *at = (volatile uint64_t *)(uintptr_t)s->addr;

	caught = 0;
	if (sigsetjmp(escape, 1) == 0) {
		if (s->kind == STEP_STORE)
			*at = s->value;
		r->value = s->kind == STEP_STORE ? (int64_t)s->value : (int64_t)*at;
	}
	r->fault = caught;
	if (caught != 0)
		r->value = 0;
}

static void note_area(struct result *r, const struct result_area *area)
{
	if (r->nr_areas++ < RESULT_AREAS)
		r->areas[r->nr_areas - 1] = *area;
}

static uint32_t arena_page(uint64_t va)
{
	return (uint32_t)((va - ARENA_BASE) >> 12);
}

/* Linux 6.11: a question for each area; false where the kernel does not know it. */
static bool ask_areas(struct result *r)
{
	struct query query = {.size = sizeof(query), .flags = QUERY_OR_NEXT};

	for (query.addr = ARENA_BASE;; query.addr = query.vma_end) {
		struct result_area area;

		if (query.addr >= ARENA_BASE + ARENA_BYTES)
			return true;
		if (ioctl(maps_fd, QUERY_AREA, &query) != 0)
			return errno == ENOENT;
		if (query.vma_start >= ARENA_BASE + ARENA_BYTES)
			return true;
		area = (struct result_area){
			.start = arena_page(query.vma_start),
			.end = arena_page(query.vma_end),
			.prot = (uint32_t)query.vma_flags & 15,
		};
		/* Private ones of a pool are files to Linux alone. */
		if ((area.prot & 8) != 0 ||
		    (query.inode != 0 && query.page_bytes <= 4096))
			area.offset = (uint32_t)(query.offset >> 12);
		note_area(r, &area);
	}
}

static uint32_t prot_of(const char *letters)
{
	uint32_t prot = 0;

	prot |= letters[0] == 'r' ? 1 : 0;
	prot |= letters[1] == 'w' ? 2 : 0;
	prot |= letters[2] == 'x' ? 4 : 0;
	prot |= letters[3] == 's' ? 8 : 0;
	return prot;
}

static void read_areas(struct result *r)
{
	const char *at = maps;
	struct line line;

	/* The arena's lines come second, after the plug below it. */
	read_maps(4095);
	while ((at = parse(at, &line)) != NULL && line.start < ARENA_BASE + ARENA_BYTES) {
		struct result_area area = {
			.start = arena_page(line.start),
			.end = arena_page(line.end),
			.prot = prot_of(line.prot),
			.offset = (uint32_t)(line.offset >> 12),
		};

		if (line.start >= ARENA_BASE)
			note_area(r, &area);
	}
}

static void note_areas(struct result *r)
{
	if (!ask_areas(r)) {
		r->nr_areas = 0;
		read_areas(r);
	}
}

static long minor_faults(void)
{
	static struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

static void run_step(const struct step *s, struct result *r)
{
	long before;

	before = minor_faults();
	if (s->kind == STEP_LOAD || s->kind == STEP_STORE)
		access_page(s, r);
	else if (s->kind >= STEP_READ && s->kind <= STEP_RESIZE)
		call_file(s, r);
	else
		r->value = call(s, r);
	r->minor = (uint32_t)(minor_faults() - before);
	r->was_run = true;
	note_areas(r);
}

/* The steps from first on; a child of the script's own runs up to STEP_EXIT. */
static void run_script(const struct script *script, struct result *results)
{
	static uint32_t i;
	int status;
	pid_t pid;

	for (i = 0; i < script->nr_steps; i++) {
		const struct step *s = &script->steps[i];

		if (s->kind == STEP_EXIT)
			_exit(0);
		if (s->kind != STEP_FORK) {
			run_step(s, &results[i]);
			continue;
		}
		pid = (pid_t)raw(SYS_fork, 0, 0, 0, 0, 0, 0);
		if (pid < 0)
			die("fork");
		if (pid == 0) {
			warm();
			open_maps();
			note_areas(&results[i]);
			results[i].was_run = true;
			warm();
			continue;
		}
		while (waitpid(pid, &status, 0) < 0)
			;
		if (status != 0)
			die("a child of a script died");
		warm();
		while (script->steps[i].kind != STEP_EXIT)
			i++;
		note_areas(&results[i]);
		results[i].was_run = true;
	}
}

static void reset(bool has_brk)
{
	raw(SYS_munlockall, 0, 0, 0, 0, 0, 0);
	if (munmap((void *)(uintptr_t)ARENA_BASE, ARENA_BYTES) != 0)
		die("emptying the arena");
	if (has_brk && !set_brk())
		die("setting the break back");
}

static void set_limits(void)
{
	const struct rlimit locked = {LIMIT_LOCKED, LIMIT_LOCKED};
	const struct rlimit stack = {LIMIT_STACK, LIMIT_STACK};
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	if (setrlimit(RLIMIT_MEMLOCK, &locked) != 0 ||
	    setrlimit(RLIMIT_STACK, &stack) != 0)
		die("setrlimit");
	if (syscall(SYS_capget, &header, data) != 0)
		die("capget");
	data[0].effective &= ~(1u << CAP_IPC_LOCK);
	data[0].permitted &= ~(1u << CAP_IPC_LOCK);
	if (syscall(SYS_capset, &header, data) != 0)
		die("capset");
}

static void serve(struct host_side *side)
{
	struct shared *shared = side->shared;
	struct sigaction action = {.sa_sigaction = on_fault,
				   .sa_flags = SA_SIGINFO | SA_NODEFER};
	char byte;

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	if (prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0) != 0)
		die("PR_SET_THP_DISABLE");
	memset((void *)(uintptr_t)maps, 0, sizeof(maps));
	open_files();
	shared->has_holes = can_punch(disk_fd);
	plug_all();
	shared->has_brk = read_layout(&layout) && set_brk();
	set_limits();
	warm();
	if (write(side->done, "r", 1) != 1)
		_exit(3);
	while (read(side->go, &byte, 1) == 1) {
		warm();
		for (uint32_t i = 0; i < shared->nr; i++) {
			choose_file(&shared->scripts[i]);
			run_script(&shared->scripts[i],
				   &shared->results[i * SCRIPT_STEPS]);
			reset(shared->has_brk);
		}
		if (write(side->done, "d", 1) != 1)
			break;
	}
	_exit(0);
}

struct host_side *host_side_new(void)
{
	struct host_side *side = calloc(1, sizeof(*side));
	int go[2], done[2];
	char byte;

	side->shared = mmap(NULL, sizeof(*side->shared), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (side->shared == MAP_FAILED || pipe2(go, O_CLOEXEC) != 0 ||
	    pipe2(done, O_CLOEXEC) != 0)
		abort();
	fflush(NULL);
	side->pid = fork();
	if (side->pid == 0) {
		side->go = go[0];
		side->done = done[1];
		close(go[1]);
		close(done[0]);
		serve(side);
	}
	side->go = go[1];
	side->done = done[0];
	close(go[0]);
	close(done[1]);
	if (side->pid < 0 || read(side->done, &byte, 1) != 1)
		abort();
	return side;
}

void host_side_delete(struct host_side *side)
{
	int status;

	close(side->go);
	waitpid(side->pid, &status, 0);
	close(side->done);
	munmap(side->shared, sizeof(*side->shared));
	free(side);
}

bool host_side_has_brk(const struct host_side *side)
{
	return side->shared->has_brk;
}

bool host_side_has_holes(const struct host_side *side)
{
	return side->shared->has_holes;
}

bool host_side_run(struct host_side *side, const struct script *scripts, uint32_t nr,
		   struct result *results)
{
	size_t bytes = sizeof(*results) * SCRIPT_STEPS * nr;
	char byte;

	memcpy(side->shared->scripts, scripts, nr * sizeof(*scripts));
	memset(side->shared->results, 0, bytes);
	side->shared->nr = nr;
	if (write(side->go, "g", 1) != 1 || read(side->done, &byte, 1) != 1)
		return false;
	memcpy(results, side->shared->results, bytes);
	return true;
}
