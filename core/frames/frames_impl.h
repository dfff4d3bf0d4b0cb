/* SPDX-License-Identifier: MIT */
/* frames_impl.h - the zones of a machine, and the lists that each CPU has before them.
 *
 * Invariants.  quire_frames_validate() names the first that does not hold.
 *   M1  a zone's count of a use is what its frame table says, its own counts and those of
 *       all CPUs added: each CPU counts what passes through its lists, and a CPU's count
 *       alone may be below 0 (modulo 2^32);
 *   M2  a frame is CACHED exactly while one list of one CPU names it: their number is the
 *       sum of the lists;
 *   M3  a list holds frames of its own zone, at most QUIRE_LIST_HIGH.
 *
 * Locking.  Each zone's lock guards the zone.  A CPU's lists belong to whoever runs on that
 * CPU; others read their lengths and counts, which are written by plain atomic stores, and
 * ask for them back by a bit of `attention`.  The locks of two zones are never held at a time.
 */
#ifndef QUIRE_CORE_FRAMES_FRAMES_IMPL_H
#define QUIRE_CORE_FRAMES_FRAMES_IMPL_H

#include "core/base/lock.h"
#include "core/frames/buddy_list.h"
#include "core/frames/zone.h"

/* Frames taken from and given to the zone at a time: a whole block of the binary system,
 * so that one call of it, or few, serves them all.  A list holds at most two batches less
 * the room of its length. */
#define QUIRE_LIST_BATCH_ORDER 5u
#define QUIRE_LIST_BATCH       (1u << QUIRE_LIST_BATCH_ORDER)
#define QUIRE_LIST_HIGH	       (2 * QUIRE_LIST_BATCH - 1)

struct quire_list {
	_Atomic uint32_t nr;
	uint32_t frames[QUIRE_LIST_HIGH];
};

#define ATTENTION_DRAIN 1u /* another CPU needs what this one's lists hold */
#define ATTENTION_CHECK 2u /* traces, poison or failures on command */

struct quire_cpu {
	/* Not 0: the next call on this CPU cannot take the quick way.  Bits ATTENTION_. */
	_Alignas(64) _Atomic uint32_t attention;
	_Atomic uint32_t counts[QUIRE_ZONES][QUIRE_FRAME_USES];
	struct quire_list lists[QUIRE_ZONES][QUIRE_GROUPS];
};

struct quire_locked_zone {
	struct quire_lock lock;
	struct quire_zone zone;
	uint32_t reserve[QUIRE_ZONES];
	uint32_t present;
	bool exists;
};

/* Who had a frame last: return addresses. */
struct quire_trace {
	uint64_t taken, freed;
};

struct quire_frames {
	struct quire_frame *frames;
	uint32_t nr_frames; /* of the table */
	uint32_t starts
		[QUIRE_ZONES]; /* first frame of each zone; nr_frames where absent */
	uint32_t nr_cpus;
	bool is_checked; /* trace, poison or fail_in */
	struct quire_cpu *cpus;
	struct quire_trace *trace; /* NULL: not remembered */
	bool poison, group;
	_Atomic uint64_t fail_in;
	const struct quire_port *port;
	struct quire_frames_config config;
	struct quire_locked_zone zones[QUIRE_ZONES];
	uint32_t nr_map;
	struct quire_ram map[QUIRE_RAM_MAX];
};

static inline enum quire_zone_kind qr_frames_zone_of(const struct quire_frames *f,
						     uint32_t n)
{
	return (enum quire_zone_kind)((n >= f->starts[QUIRE_ZONE_NORMAL]) +
				      (n >= f->starts[QUIRE_ZONE_HIGHMEM]));
}

/* Uneven systems have several orders of one frame. */
static inline bool qr_frames_is_single(const struct quire_frames *f, quire_pfn pfn)
{
	uint32_t order = f->frames[pfn.n].order;
	const struct quire_locked_zone *z;

	if (order == 0)
		return true;
	z = &f->zones[qr_frames_zone_of(f, pfn.n)];
	return order < z->zone.buddy.nr_orders && z->zone.buddy.sizes[order] == 1;
}

/* Counts and lengths have one writer: no locked instruction is needed. */
static inline void qr_count(_Atomic uint32_t *count, uint32_t by)
{
	uint32_t now = atomic_load_explicit(count, memory_order_relaxed);

	atomic_store_explicit(count, now + by, memory_order_relaxed);
}

/* The group whose list a frame goes to. */
static inline uint32_t qr_frames_group_of(const struct quire_locked_zone *z, uint32_t n)
{
	return qr_group_of(&z->zone.buddy, n - z->zone.base);
}

/* Each CPU empties its lists when it next takes or frees a frame. */
void qr_frames_ask_to_drain(struct quire_frames *f);
/* All lists of the CPU go to their zones. */
void qr_frames_drain_cpu(struct quire_frames *f, struct quire_cpu *cpu);
/* Gives the lowest nr entries of the list back; the zone's lock is held. */
void qr_frames_flush(struct quire_frames *f, enum quire_zone_kind kind,
		     struct quire_list *list, uint32_t nr);

/* What is done about a block of nr frames on its way out and in, where that is asked for:
 * poison, traces.  caller is a return address. */
void qr_frames_check_out(struct quire_frames *f, quire_pfn pfn, uint32_t nr,
			 uint64_t caller);
void qr_frames_check_in(struct quire_frames *f, quire_pfn pfn, uint32_t nr,
			uint64_t caller);
/* Fills the free frames of [first, end), where that is asked for. */
void qr_frames_poison(struct quire_frames *f, uint32_t first, uint32_t end);
/* Stops the machine: the frame was not taken so. */
void qr_frames_misuse(const struct quire_frames *f, quire_pfn pfn, const char *what,
		      uint64_t caller) __attribute__((noreturn));

#endif
