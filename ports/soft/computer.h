/* SPDX-License-Identifier: MIT */
/* computer.h - the software machine as a computer: processes, threads of control, CPUs.
 *
 * Model.  It has the RAM, the disks and the clock of a software machine (soft.h, plain),
 * a core that manages them (quire/vm.h), and CPUs.  A *CPU* runs in one address space at a
 * time and has a TLB: sets of a few ways for each page size, entries tagged with the
 * space's asid, so that a change of space flushes nothing.  A load or store of 1 to 64
 * bytes goes TLB, walk, fault, and tries again; one that crosses a page is two.
 *
 * One host thread runs it all, so a seed gives one history.  What the CPUs do next is
 * the caller's choice, step by step.
 *
 * A TLB entry is never older than the last flush of its page: computer_validate() holds
 * each against the tables.
 */
#ifndef QUIRE_PORTS_SOFT_COMPUTER_H
#define QUIRE_PORTS_SOFT_COMPUTER_H

#include "ports/soft/soft.h"
#include "quire/vm.h"

#define QR_COMPUTER_CPUS 16u

/* Sizes of pages, each with a TLB of its own. */
enum qr_page_size { QR_PAGE_4K, QR_PAGE_2M, QR_PAGE_1G, QR_PAGE_SIZES };

struct qr_tlb_shape {
	uint32_t sets, ways; /* powers of two */
};

struct qr_computer_config {
	struct qr_soft_config soft;		/* RAM and disks; the rest is set here */
	struct quire_vm_config vm;		/* mmu and stats are set here */
	uint32_t nr_cpus;			/* 1..QR_COMPUTER_CPUS */
	struct qr_tlb_shape tlb[QR_PAGE_SIZES]; /* 0: 16 x 4, 8 x 4, 1 x 4 */
	/* The page-out daemon has its turn before an access that follows a fault. */
	bool has_daemon;
	/* For the test that a TLB needs flushing: flushes are not carried out. */
	bool ignores_flushes;
};

struct qr_cpu_counts {
	uint64_t loads, stores, fetches;
	uint64_t hits[QR_PAGE_SIZES], misses, walks, faults;
	uint64_t flushes, flushed; /* calls, entries */
};

struct qr_computer;

struct qr_computer *qr_computer_new(const struct qr_computer_config *config);
/* Every mm is destroyed by now. */
void qr_computer_delete(struct qr_computer *computer);
struct quire_vm *qr_computer_vm(struct qr_computer *computer);
struct qr_soft *qr_computer_soft(struct qr_computer *computer);
const struct quire_stats *qr_computer_stats(const struct qr_computer *computer);

/* The CPU runs in mm from now on, or in none. */
void qr_computer_switch(struct qr_computer *computer, uint32_t cpu, struct quire_mm *mm);

/* bytes 1..64 at va.  Other than QUIRE_OK: what the fault came to, in *fault. */
enum quire_status qr_computer_load(struct qr_computer *computer, uint32_t cpu,
				   uint64_t va, void *buf, uint32_t bytes,
				   struct quire_fault *fault);
enum quire_status qr_computer_store(struct qr_computer *computer, uint32_t cpu,
				    uint64_t va, const void *buf, uint32_t bytes,
				    struct quire_fault *fault);
/* Whether an instruction at va could be fetched. */
enum quire_status qr_computer_fetch(struct qr_computer *computer, uint32_t cpu,
				    uint64_t va, struct quire_fault *fault);

/* What a walk by the MMU finds for va in mm, with no mark left: false where no page is
 * present. */
bool qr_computer_look(struct qr_computer *computer, const struct quire_mm *mm,
		      uint64_t va, quire_pfn *frame, bool *is_writable);

struct qr_cpu_counts qr_computer_counts(const struct qr_computer *computer, uint32_t cpu);
/* NULL, or the first TLB entry that the tables do not bear out, in buf. */
const char *qr_computer_validate(struct qr_computer *computer, char *buf, size_t bytes);

#endif
