/* SPDX-License-Identifier: MIT */
/* machine.c - what a load costs on the software machine: from the TLB, and by a walk.
 * Prints JSON, ns a load. */
#include "bench/vm/bench.h"
#include "ports/soft/computer.h"

#include <stdlib.h>

#define BASE   0x100000000ull
#define PAGES  4096u
#define FEW    32u
#define LOADS  200000u
#define FRAMES 8192u

struct bed {
	struct qr_computer *computer;
	uint64_t at;
	uint32_t pages; /* that the loads go round */
	uint32_t bytes;
};

static double loads(void *ctx)
{
	struct bed *bed = ctx;
	struct quire_fault fault;
	uint64_t value[8], page = 0;
	double start = bench_now();

	for (uint32_t i = 0; i < LOADS; i++) {
		if (qr_computer_load(bed->computer, 0, bed->at + (page << 12), value,
				     bed->bytes, &fault) != QUIRE_OK)
			abort();
		page = page + 1 == bed->pages ? 0 : page + 1;
	}
	return (bench_now() - start) / LOADS;
}

int main(void)
{
	const struct qr_computer_config config = {.soft = {.nr_frames = FRAMES}};
	const struct quire_mm_config space = {
		.window = {{BASE}, {BASE + (1ull << 30)}},
		.mmap_top = BASE + (1ull << 30),
		.mmap_bottom = BASE,
		.brk = {BASE},
		.limits = {QUIRE_UNLIMITED, QUIRE_UNLIMITED, QUIRE_UNLIMITED,
			   QUIRE_UNLIMITED},
	};
	struct bed bed = {.computer = qr_computer_new(&config)};
	struct quire_mm *mm;

	if (bed.computer == NULL ||
	    quire_mm_create(qr_computer_vm(bed.computer), &space, &mm) != QUIRE_OK ||
	    quire_mm_map(mm, 0, PAGES << 12, QUIRE_READ | QUIRE_WRITE,
			 QUIRE_MM_PRIVATE | QUIRE_MM_POPULATE, &bed.at) != QUIRE_OK)
		abort();
	qr_computer_switch(bed.computer, 0, mm);
	bed.pages = FEW;
	bed.bytes = 8;
	bench_print("load, hit", bench_measure(loads, &bed));
	bed.bytes = 64;
	bench_print("load of 64 bytes, hit", bench_measure(loads, &bed));
	bed.pages = PAGES;
	bed.bytes = 8;
	bench_print("load, walk", bench_measure(loads, &bed));
	bench_end();
	quire_mm_destroy(mm);
	qr_computer_delete(bed.computer);
	return 0;
}
