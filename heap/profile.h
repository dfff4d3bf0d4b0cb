/* SPDX-License-Identifier: MIT */
/* profile.h - which stacks allocate how much: a sampling profiler.
 *
 * Model.
 *   sample   one block in about profile_rate bytes that are asked for: the gaps are
 *            exponential, so a block of s bytes is one with probability
 *            p = 1 - exp(-s / rate), whatever came before it (a Poisson process).
 *   weight   1 / p blocks and s / p bytes, which is what a sample stands for.  Sums of
 *            weights are unbiased.
 *   stack    where it was allocated.  A stack's sums are of all its samples (allocated)
 *            and of those whose block is live.
 * A sampled block is marked, in the state of its slot or in its span, so that no other
 * free has to look for it.
 *
 * Locking.  profile_mutex guards samples and stacks; it is taken last of all, and no
 * stack is unwound under it: unwinding waits for the dynamic linker, under whose lock
 * others allocate.
 */
#ifndef QUIRE_HEAP_PROFILE_H
#define QUIRE_HEAP_PROFILE_H

#include "heap/detour.h"

#define QR_STACK_DEPTH 64

/* What samples stand for.  Whole numbers, so that what a live block added its free
 * takes off again; counts of blocks in 1024ths. */
struct qr_weight {
	uint64_t blocks_1024, bytes;
};

struct qr_stack {
	struct qr_stack *next;	 /* of one hash */
	struct qr_stack *linked; /* every one there is */
	uint64_t hash;
	struct qr_weight allocated, live;
	uint32_t nr;
	uintptr_t pc[]; /* innermost first; return addresses, less one */
};

void qr_profile_start(void);
void qr_profile_lock(void);
void qr_profile_unlock(void);
/* The first of all; locked. */
struct qr_stack *qr_profile_stacks(void);

/* A small block, perhaps NULL, was allocated, and the lane's countdown has run out. */
void qr_profile_small(void *block, size_t bytes);

/* A small block, perhaps NULL, was allocated. */
static inline void qr_profile_count(struct qr_lane *lane, void *block, size_t bytes)
{
	lane->countdown -= (int64_t)bytes;
	if (QR_UNLIKELY(lane->countdown < 0))
		qr_profile_small(block, bytes);
}

/* A large block was allocated. */
void qr_profile_large(struct qr_span *span, size_t bytes);
/* A large block changed its size where it was, or moved with its pages. */
void qr_profile_resized(struct qr_span *span, const void *old, void *block, size_t bytes);
/* The marked block is no longer live. */
void qr_profile_forget(const void *block);

/* profile_math.c: both of 0 < x. */
double qr_profile_log(double x);
/* exp(-x) */
double qr_profile_decay(double x);

/* profile_dump.c */
void qr_profile_begin(void);
/* Writes what was sampled so far to path, in pprof's format, and beside it as folded
 * stacks; "%p" in path stands for the process.  False where that failed. */
bool qr_profile_dump(const char *path);
/* A request from elsewhere, such as a signal, is carried out here. */
void qr_profile_answer(void);

/* profile_names.c: what is where.  Made before profile_mutex is taken. */
#define QR_NR_MODULES  512u
#define QR_BUILD_ID    20u
#define QR_MODULE_PATH 512u

struct qr_module {
	uintptr_t base, start, end; /* of what is executable in it */
	uint64_t file_offset;
	char path[QR_MODULE_PATH];
	uint8_t build_id[QR_BUILD_ID];
	uint32_t build_id_bytes;
	/* Of the file, mapped when it is first asked for a name. */
	const unsigned char *file;
	size_t file_bytes;
	bool tried;
};

struct qr_modules {
	struct qr_module module[QR_NR_MODULES];
	unsigned nr;
};

/* NULL without memory. */
struct qr_modules *qr_modules_make(void);
void qr_modules_free(struct qr_modules *modules);
/* The one that holds an address, or NULL. */
struct qr_module *qr_module_at(struct qr_modules *modules, uintptr_t pc);
/* The function's name; NULL where the module's file names none there. */
const char *qr_module_name(struct qr_module *module, uintptr_t pc);

/* profile_proto.c and profile_folded.c; locked. */
struct qr_out;
void qr_profile_proto(struct qr_out *out, struct qr_modules *modules, uint64_t period,
		      uint64_t started_ns, uint64_t now_ns);
void qr_profile_folded(struct qr_out *out, struct qr_modules *modules, bool live);
/* The name of what is at pc, or its module and where it is in that. */
void qr_profile_frame(struct qr_out *out, struct qr_modules *modules, uintptr_t pc);

#endif
