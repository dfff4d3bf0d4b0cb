/* SPDX-License-Identifier: MIT */
/* rig.h - a computer for a test, which ends by proving that nothing leaked. */
#ifndef QUIRE_TESTS_VM_RIG_H
#define QUIRE_TESTS_VM_RIG_H

#include "core/space/mm.h"
#include "ports/soft/computer.h"

#define RIG_BASE  0x100000000ull
#define RIG_PAGES 65536u
#define PAGE	  4096ull

struct rig {
	struct qr_computer *computer;
	struct quire_vm *vm;
	uint64_t frames_free;
};

/* config.vm's codec is set where it swaps. */
void rig_open(struct rig *rig, struct qr_computer_config config);
/* Validates, and checks that frames and charges are as at the start. */
void rig_close(struct rig *rig);
/* The core, the TLBs; fails the test with the invariant's name. */
void rig_validate(struct rig *rig);
struct quire_mm *rig_mm(struct rig *rig);
struct quire_mm_config rig_mm_config(void);

/* Loads and stores of a word on CPU 0, which switches to mm first. */
enum quire_status rig_store(struct rig *rig, struct quire_mm *mm, uint64_t va,
			    uint64_t value);
enum quire_status rig_load(struct rig *rig, struct quire_mm *mm, uint64_t va,
			   uint64_t *value);
/* Of the last of these: what the fault came to. */
extern struct quire_fault rig_fault;

#endif
