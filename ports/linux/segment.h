/* SPDX-License-Identifier: MIT */
/* segment.h - what a tree of processes under `quire run` shows to its supervisor.
 *
 * Model.  The command makes one memfd, the *segment*; each process of the tree maps it
 * (through /proc/SUPERVISOR/fd/N) and takes one *seat*, in which its machine keeps its
 * account.  A seat outlives its process, so that the account can be printed after the
 * end, whatever the program did to its own descriptors.  An exec keeps the process's
 * seat and starts a new machine in a new seat (the old one then reads as ended).
 *
 * A seat is taken by a compare-and-swap of state from FREE; everything else in it is
 * written by its owner alone, except that the supervisor sets state to FREE when all
 * seats are used and this one's account has been added to the total of ended ones.
 */
#ifndef QUIRE_PORTS_LINUX_SEGMENT_H
#define QUIRE_PORTS_LINUX_SEGMENT_H

#include "quire/heap.h"
#include "quire/stats.h"

#include <stdatomic.h>

#define QUIRE_SEGMENT_MAGIC   0x315e657269757121ull
#define QUIRE_SEGMENT_VERSION 2u
#define QUIRE_SEATS	      1024u
#define QUIRE_SEAT_NAME_BYTES 32u
#define QUIRE_SEAT_TEXT_BYTES 256u

enum quire_seat_state {
	QUIRE_SEAT_FREE,
	QUIRE_SEAT_LIVE,
	QUIRE_SEAT_EXITED,
};

/* How a machine came to its end, when not by the program's own. */
enum quire_seat_end {
	QUIRE_END_NONE,
	QUIRE_END_OOM,	   /* out of memory and swap: killed by SIGKILL, status 137 */
	QUIRE_END_CORRUPT, /* a page's contents were lost: status 125 */
	QUIRE_END_PANIC,   /* an invariant of Quire's own: status 125 */
	QUIRE_END_REFUSED, /* the machine could not be built: status 125 */
};

struct quire_seat {
	_Atomic uint32_t state; /* enum quire_seat_state */
	_Atomic uint32_t end;	/* enum quire_seat_end; text says why */
	int32_t pid, parent;
	uint32_t features; /* QUIRE_FEATURE_* in use */
	uint32_t unused;
	uint64_t started_ns;	/* CLOCK_MONOTONIC */
	uint64_t startup_ns;	/* spent in building the machine */
	uint64_t foreign_bytes; /* private anonymous mappings left with the host */
	char name[QUIRE_SEAT_NAME_BYTES]; /* of the program, as in /proc/PID/comm */
	char text[QUIRE_SEAT_TEXT_BYTES];
	struct quire_stats stats;
	/* At the end of a program that ended by exit(3); held_bytes 0: not known. */
	struct quire_heap_stats heap;
} __attribute__((aligned(64)));

struct quire_segment {
	uint64_t magic;
	uint32_t version;
	_Atomic uint32_t
		nr_refused; /* processes that found no seat, or could not attach */
	struct quire_seat seats[QUIRE_SEATS];
};

#endif
