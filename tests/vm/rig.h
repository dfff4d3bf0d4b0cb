/* SPDX-License-Identifier: MIT */
/* rig.h - a computer for a test, which ends by proving that nothing leaked. */
#ifndef QUIRE_TESTS_VM_RIG_H
#define QUIRE_TESTS_VM_RIG_H

#include "core/space/mm.h"
#include "ports/soft/computer.h"
#include "ports/soft/store.h"

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
/* A file on a store of its own: page i, as the store has it, begins with the word
 * RIG_WORD + i; the rest is zeros. */
#define RIG_WORD 0x5100000000000000ull
struct rig_file {
	struct qr_soft_store *store;
	struct quire_file *file;
};
struct rig_file rig_file(struct rig *rig, uint64_t pages);
/* Closes it, and checks that the machine has let go of it. */
void rig_file_close(struct rig_file *f);
/* The word at that place of the store. */
uint64_t rig_stored(const struct rig_file *f, uint64_t at);
/* The word at that place of the file, by a call. */
uint64_t rig_read(const struct rig_file *f, uint64_t at);
void rig_write(const struct rig_file *f, uint64_t at, uint64_t value);
uint64_t rig_map(struct quire_mm *mm, const struct rig_file *f, uint64_t first,
		 uint64_t pages, uint32_t prot, uint32_t flags);

/* Of the last of these: what the fault came to. */
extern struct quire_fault rig_fault;

#endif
