/* SPDX-License-Identifier: MIT */
/* rig.h - a computer for a test, which ends by proving that nothing leaked.
 *
 * Failing allocations.  rig_inject(n) makes the n-th allocation of frames after every
 * rig_open() fail.  A call made through the rig that comes back with the documented error
 * for it is checked (areas, charges and contents as before) and made again: then it has
 * to succeed.  So a scenario is a test as it stands, and the test of failures is that
 * scenario for every n (rig_in_every_way).
 */
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
	bool is_armed; /* an allocation is going to fail */
};

/* config.vm's codec is set where it swaps. */
void rig_open(struct rig *rig, struct qr_computer_config config);
/* Validates, and checks that frames and charges are as at the start. */
void rig_close(struct rig *rig);
/* The core, the TLBs; fails the test with the invariant's name. */
void rig_validate(struct rig *rig);
struct quire_mm *rig_mm(struct rig *rig);
struct quire_mm_config rig_mm_config(void);

/* The n-th allocation fails from the next rig_open() on; 0: none. */
void rig_inject(uint64_t n);
/* Whether one is to fail, or did: counts of what happened may differ then. */
bool rig_is_injected(void);
/* Runs the test for every n that it comes to. */
void rig_in_every_way(void (*test)(void **state), void **state);
/* The same for the first, and then each step-th behind it. */
void rig_in_some_ways(void (*test)(void **state), void **state, uint64_t step);

/* The core's calls of the same names. */
enum quire_status rig_create(struct rig *rig, const struct quire_mm_config *config,
			     struct quire_mm **out);
enum quire_status rig_map(struct rig *rig, struct quire_mm *mm, uint64_t start,
			  uint64_t bytes, uint32_t prot, uint32_t flags, uint64_t *out);
enum quire_status rig_unmap(struct rig *rig, struct quire_mm *mm, uint64_t start,
			    uint64_t bytes);
enum quire_status rig_protect(struct rig *rig, struct quire_mm *mm, uint64_t start,
			      uint64_t bytes, uint32_t prot);
enum quire_status rig_remap(struct rig *rig, struct quire_mm *mm, uint64_t start,
			    uint64_t old_bytes, uint64_t new_bytes, uint32_t flags,
			    uint64_t target, uint64_t *out);
enum quire_status rig_advise(struct rig *rig, struct quire_mm *mm, uint64_t start,
			     uint64_t bytes, enum quire_mm_advice advice);
enum quire_status rig_lock(struct rig *rig, struct quire_mm *mm, uint64_t start,
			   uint64_t bytes, uint32_t flags);
enum quire_status rig_fork(struct rig *rig, struct quire_mm *mm, struct quire_mm **out);
enum quire_status rig_exec(struct rig *rig, struct quire_mm *mm,
			   const struct quire_mm_config *config);
uint64_t rig_brk(struct rig *rig, struct quire_mm *mm, uint64_t want);

/* bytes 1..64 to or from buf, or a fetch, as access says, on a CPU as it is. */
enum quire_status rig_access(struct rig *rig, uint32_t cpu, uint64_t va, void *buf,
			     uint32_t bytes, uint32_t access);
/* Loads and stores of a word on CPU 0, which switches to mm first. */
enum quire_status rig_store(struct rig *rig, struct quire_mm *mm, uint64_t va,
			    uint64_t value);
enum quire_status rig_load(struct rig *rig, struct quire_mm *mm, uint64_t va,
			   uint64_t *value);
/* Of the last of these: what the fault came to. */
extern struct quire_fault rig_fault;

/* The core's calls again, of files. */
enum quire_status rig_map_at(struct rig *rig, struct quire_mm *mm,
			     struct quire_file *file, uint64_t offset, uint64_t start,
			     uint64_t bytes, uint32_t prot, uint32_t flags,
			     uint64_t *out);
enum quire_status rig_sync(struct rig *rig, struct quire_mm *mm, uint64_t start,
			   uint64_t bytes, uint32_t flags);
enum quire_status rig_file_open(struct rig *rig, const struct quire_file_config *config,
				struct quire_file **out);
enum quire_status rig_file_read(struct rig *rig, struct quire_file *file, uint64_t at,
				void *buf, size_t bytes, size_t *done);
enum quire_status rig_file_write(struct rig *rig, struct quire_file *file, uint64_t at,
				 void *buf, size_t bytes, size_t *done);
enum quire_status rig_file_resize(struct rig *rig, struct quire_file *file,
				  uint64_t bytes);
enum quire_status rig_file_sync(struct rig *rig, struct quire_file *file);

/* A file on a store of its own: page i, as the store has it, begins with the word
 * RIG_WORD + i; the rest is zeros. */
#define RIG_WORD 0x5100000000000000ull
struct rig_file {
	struct qr_soft_store *store;
	struct quire_file *file;
	struct rig *rig;
};
struct rig_file rig_file(struct rig *rig, uint64_t pages);
/* Closes it, and checks that the machine has let go of it. */
void rig_file_close(struct rig_file *f);
/* The word at that place of the store. */
uint64_t rig_stored(const struct rig_file *f, uint64_t at);
/* The word at that place of the file, by a call. */
uint64_t rig_read(const struct rig_file *f, uint64_t at);
void rig_write(const struct rig_file *f, uint64_t at, uint64_t value);
uint64_t rig_map_file(struct quire_mm *mm, const struct rig_file *f, uint64_t first,
		      uint64_t pages, uint32_t prot, uint32_t flags);

#endif
