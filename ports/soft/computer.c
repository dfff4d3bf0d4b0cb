/* SPDX-License-Identifier: MIT */
/* computer.c - CPUs at work: TLB, walk, fault, retry. */
#include "ports/soft/computer.h"

#include "ports/soft/cpu_tlb.h"
#include "ports/soft/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Turns after which an access that is told "try again" is going in circles. */
#define TURNS_MAX 1000u

#define LEVELS_DEFAULT 4u

struct cpu {
	struct quire_mm *mm;
	uint32_t asid;
	struct qr_soft_space space;
	struct qr_tlb tlb[QR_PAGE_SIZES];
	struct qr_cpu_counts counts;
};

struct qr_computer {
	bool is_daemons_turn;
	struct qr_computer_config config;
	struct qr_soft *soft;
	struct quire_vm *vm;
	struct quire_mmu mmu;
	struct quire_stats stats;
	struct cpu cpus[QR_COMPUTER_CPUS];
};

static const struct qr_tlb_shape shapes[QR_PAGE_SIZES] = {{16, 4}, {8, 4}, {1, 4}};
static const uint32_t shifts[QR_PAGE_SIZES] = {12, 21, 30};

/* Shootdown: every CPU drops what it knows of the run. */
static void flush(void *ctx, uint32_t asid, struct quire_run run)
{
	struct qr_computer *computer = ctx;

	if (computer->config.ignores_flushes)
		return;
	for (uint32_t i = 0; i < computer->config.nr_cpus; i++) {
		struct cpu *cpu = &computer->cpus[i];

		cpu->counts.flushes++;
		for (uint32_t size = 0; size < QR_PAGE_SIZES; size++)
			cpu->counts.flushed += qr_tlb_flush(&cpu->tlb[size], asid, run);
	}
}

static bool init_cpu(struct cpu *cpu, const struct qr_computer_config *config)
{
	for (uint32_t size = 0; size < QR_PAGE_SIZES; size++) {
		struct qr_tlb_shape shape = config->tlb[size];

		if (shape.sets == 0)
			shape = shapes[size];
		if (!qr_tlb_init(&cpu->tlb[size], shape, shifts[size]))
			return false;
	}
	return true;
}

static bool open_vm(struct qr_computer *computer)
{
	struct quire_vm_config *config = &computer->config.vm;

	computer->mmu = (struct quire_mmu){computer, flush};
	config->mmu = &computer->mmu;
	if (config->levels == 0)
		config->levels = LEVELS_DEFAULT;
	config->stats = &computer->stats;
	return quire_vm_open(&computer->vm, qr_soft_port(computer->soft), config) ==
	       QUIRE_OK;
}

struct qr_computer *qr_computer_new(const struct qr_computer_config *config)
{
	struct qr_computer *computer = calloc(1, sizeof(*computer));
	bool done;

	if (computer == NULL)
		return NULL;
	computer->config = *config;
	computer->config.soft.copies = false;
	computer->config.soft.alone = true;
	computer->config.soft.no_discard = true;
	if (computer->config.nr_cpus == 0)
		computer->config.nr_cpus = 1;
	computer->soft = qr_soft_new(&computer->config.soft);
	done = computer->soft != NULL && open_vm(computer);
	for (uint32_t i = 0; i < computer->config.nr_cpus && done; i++)
		done = init_cpu(&computer->cpus[i], config);
	if (done)
		return computer;
	qr_computer_delete(computer);
	return NULL;
}

void qr_computer_delete(struct qr_computer *computer)
{
	if (computer->vm != NULL)
		quire_vm_close(computer->vm);
	if (computer->soft != NULL)
		qr_soft_destroy(computer->soft);
	for (uint32_t i = 0; i < computer->config.nr_cpus; i++)
		for (uint32_t size = 0; size < QR_PAGE_SIZES; size++)
			qr_tlb_destroy(&computer->cpus[i].tlb[size]);
	free(computer);
}

struct quire_vm *qr_computer_vm(struct qr_computer *computer)
{
	return computer->vm;
}

struct qr_soft *qr_computer_soft(struct qr_computer *computer)
{
	return computer->soft;
}

const struct quire_stats *qr_computer_stats(const struct qr_computer *computer)
{
	return &computer->stats;
}

void qr_computer_switch(struct qr_computer *computer, uint32_t cpu, struct quire_mm *mm)
{
	struct cpu *at = &computer->cpus[cpu];

	at->mm = mm;
	at->asid = mm == NULL ? 0 : quire_mm_asid(mm);
	if (mm != NULL)
		at->space = (struct qr_soft_space){quire_mm_root(mm),
						   computer->config.vm.levels};
}

static bool serves(const struct qr_tlb_entry *entry, uint32_t access)
{
	if ((access & QUIRE_WRITE) != 0)
		return entry->writable && entry->dirty;
	return (access & QUIRE_EXEC) == 0 || entry->executable;
}

/* The host address of va, or NULL; a miss walks. */
static unsigned char *translate_large(struct cpu *cpu, uint64_t va, uint32_t access)
{
	for (uint32_t size = QR_PAGE_2M; size < QR_PAGE_SIZES; size++) {
		struct qr_tlb *tlb = &cpu->tlb[size];
		struct qr_tlb_entry *entry = qr_tlb_find(tlb, cpu->asid, va);

		if (entry == NULL || !serves(entry, access))
			continue;
		cpu->counts.hits[size]++;
		return entry->bytes + (va & ((1ull << tlb->shift) - 1));
	}
	return NULL;
}

static enum qr_page_size size_of(uint32_t shift)
{
	return shift == 12 ? QR_PAGE_4K : shift == 21 ? QR_PAGE_2M : QR_PAGE_1G;
}

static unsigned char *walk(struct qr_computer *computer, struct cpu *cpu, uint64_t va,
			   uint32_t access, bool *was_present)
{
	struct qr_tlb_entry *entry;
	struct qr_soft_entry found;
	struct qr_tlb *tlb;

	cpu->counts.walks++;
	if (!qr_soft_walk_space(computer->soft, &cpu->space, va, access, &found)) {
		*was_present = found.is_present;
		return NULL;
	}
	tlb = &cpu->tlb[size_of(found.shift)];
	entry = qr_tlb_place(tlb, cpu->asid, va);
	entry->bytes =
		computer->soft->port.direct + ((size_t)found.pfn.n << QUIRE_PAGE_SHIFT);
	entry->writable = found.writable;
	entry->executable = found.executable;
	entry->dirty = found.dirty;
	return entry->bytes + (va & ((1ull << tlb->shift) - 1));
}

static uint32_t code_of(uint32_t access, bool was_present)
{
	return QUIRE_PF_USER | (was_present ? QUIRE_PF_PRESENT : 0) |
	       ((access & QUIRE_WRITE) != 0 ? QUIRE_PF_WRITE : 0) |
	       ((access & QUIRE_EXEC) != 0 ? QUIRE_PF_FETCH : 0);
}

/* What the TLB did not have: by walking, and by faults until the walk succeeds. */
static unsigned char *miss(struct qr_computer *computer, struct cpu *cpu, uint64_t va,
			   uint32_t access, struct quire_fault *fault,
			   enum quire_status *status)
{
	unsigned char *at = translate_large(cpu, va, access);

	*status = QUIRE_OK;
	if (at != NULL)
		return at;
	cpu->counts.misses++;
	for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
		bool was_present = false;

		if (cpu->mm == NULL) {
			*status = QUIRE_FAULT;
			return NULL;
		}
		at = walk(computer, cpu, va, access, &was_present);
		if (at != NULL)
			return at;
		cpu->counts.faults++;
		computer->is_daemons_turn = computer->config.has_daemon;
		*status =
			quire_mm_fault(cpu->mm, va, code_of(access, was_present), fault);
		if (*status != QUIRE_OK)
			return NULL;
	}
	qr_soft_panic(computer->soft, "an access goes in circles");
}

static inline unsigned char *translate(struct qr_computer *computer, struct cpu *cpu,
				       uint64_t va, uint32_t access,
				       struct quire_fault *fault,
				       enum quire_status *status)
{
	struct qr_tlb_entry *entry = qr_tlb_find(&cpu->tlb[QR_PAGE_4K], cpu->asid, va);

	if (entry != NULL && serves(entry, access)) {
		cpu->counts.hits[QR_PAGE_4K]++;
		return entry->bytes + (va & (QUIRE_PAGE_BYTES - 1));
	}
	return miss(computer, cpu, va, access, fault, status);
}

static uint32_t first_part(uint64_t va, uint32_t bytes)
{
	uint64_t left = QUIRE_PAGE_BYTES - (va & (QUIRE_PAGE_BYTES - 1));

	return left < bytes ? (uint32_t)left : bytes;
}

/* A copy of the sizes that instructions have needs no call. */
static inline void copy_bytes(void *to, const void *from, uint32_t bytes)
{
	if (bytes == 8)
		memcpy(to, from, 8);
	else if (bytes == 4)
		memcpy(to, from, 4);
	else if (bytes == 1)
		memcpy(to, from, 1);
	else if (bytes == 64)
		memcpy(to, from, 64);
	else
		memcpy(to, from, bytes);
}

/* Between two accesses nobody has half of one. */
static inline void let_daemon_work(struct qr_computer *computer)
{
	if (computer->is_daemons_turn) {
		computer->is_daemons_turn = false;
		(void)quire_vm_balance(computer->vm);
	}
}

static enum quire_status load_slowly(struct qr_computer *computer, struct cpu *at,
				     uint64_t va, void *buf, uint32_t bytes,
				     struct quire_fault *fault)
{
	uint32_t part = first_part(va, bytes);
	enum quire_status status = QUIRE_OK;
	const unsigned char *from, *rest = NULL;

	let_daemon_work(computer);
	if (part != bytes) {
		rest = translate(computer, at, va + part, QUIRE_READ, fault, &status);
		if (rest == NULL)
			return status;
	}
	from = translate(computer, at, va, QUIRE_READ, fault, &status);
	if (from == NULL)
		return status;
	/* The fault on the first page may have taken the second one's away. */
	if (part != bytes)
		rest = translate(computer, at, va + part, QUIRE_READ, fault, &status);
	if (status != QUIRE_OK)
		return status;
	memcpy(buf, from, part);
	if (part != bytes)
		memcpy((unsigned char *)buf + part, rest, bytes - part);
	return QUIRE_OK;
}

enum quire_status qr_computer_load(struct qr_computer *computer, uint32_t cpu,
				   uint64_t va, void *buf, uint32_t bytes,
				   struct quire_fault *fault)
{
	struct cpu *at = &computer->cpus[cpu];
	uint64_t offset = va & (QUIRE_PAGE_BYTES - 1);
	const struct qr_tlb_entry *entry =
		qr_tlb_find(&at->tlb[QR_PAGE_4K], at->asid, va);

	at->counts.loads++;
	if (entry == NULL || offset + bytes > QUIRE_PAGE_BYTES)
		return load_slowly(computer, at, va, buf, bytes, fault);
	at->counts.hits[QR_PAGE_4K]++;
	copy_bytes(buf, entry->bytes + offset, bytes);
	return QUIRE_OK;
}

enum quire_status qr_computer_store(struct qr_computer *computer, uint32_t cpu,
				    uint64_t va, const void *buf, uint32_t bytes,
				    struct quire_fault *fault)
{
	struct cpu *at = &computer->cpus[cpu];
	uint32_t part = first_part(va, bytes);
	enum quire_status status = QUIRE_OK;
	unsigned char *to;

	at->counts.stores++;
	let_daemon_work(computer);
	/* Nothing is written unless all of it can be. */
	if (part != bytes &&
	    translate(computer, at, va + part, QUIRE_WRITE, fault, &status) == NULL)
		return status;
	to = translate(computer, at, va, QUIRE_WRITE, fault, &status);
	if (to == NULL)
		return status;
	copy_bytes(to, buf, part);
	if (part == bytes)
		return QUIRE_OK;
	to = translate(computer, at, va + part, QUIRE_WRITE, fault, &status);
	if (to != NULL)
		memcpy(to, (const unsigned char *)buf + part, bytes - part);
	return status;
}

enum quire_status qr_computer_fetch(struct qr_computer *computer, uint32_t cpu,
				    uint64_t va, struct quire_fault *fault)
{
	struct cpu *at = &computer->cpus[cpu];
	enum quire_status status = QUIRE_OK;

	at->counts.fetches++;
	let_daemon_work(computer);
	(void)translate(computer, at, va, QUIRE_EXEC, fault, &status);
	return status;
}

bool qr_computer_look(struct qr_computer *computer, const struct quire_mm *mm,
		      uint64_t va, quire_pfn *frame, bool *is_writable)
{
	const struct qr_soft_space space = {quire_mm_root(mm),
					    computer->config.vm.levels};
	struct qr_soft_entry found;

	if (!qr_soft_walk_space(computer->soft, &space, va, 0, &found))
		return false;
	*frame = found.pfn;
	frame->n += (uint32_t)((va & ((1ull << found.shift) - 1)) >> QUIRE_PAGE_SHIFT);
	*is_writable = found.writable;
	return true;
}

struct qr_cpu_counts qr_computer_counts(const struct qr_computer *computer, uint32_t cpu)
{
	return computer->cpus[cpu].counts;
}

/* The root of the space with that asid, among those that a CPU has run in and others. */
static bool root_of(struct qr_computer *computer, uint32_t asid,
		    struct qr_soft_space *space)
{
	uint64_t root;

	if (!quire_vm_root(computer->vm, asid, &root))
		return false;
	*space = (struct qr_soft_space){root, computer->config.vm.levels};
	return true;
}

static const char *judge(struct qr_computer *computer, const struct qr_tlb *tlb,
			 const struct qr_tlb_entry *entry)
{
	uint64_t va = entry->tag >> QR_TLB_ASID_BITS << tlb->shift;
	uint32_t asid = entry->tag & ((1u << QR_TLB_ASID_BITS) - 1);
	struct qr_soft_space space;
	struct qr_soft_entry found;

	if (!root_of(computer, asid, &space))
		return "of a space that is gone";
	if (!qr_soft_walk_space(computer->soft, &space, va, 0, &found))
		return "the tables do not have";
	if (found.shift != tlb->shift)
		return "whose size is another";
	if (computer->soft->port.direct + ((size_t)found.pfn.n << QUIRE_PAGE_SHIFT) !=
	    entry->bytes)
		return "whose frame is another";
	if (entry->writable && !found.writable)
		return "that may not be written";
	if (entry->executable && !found.executable)
		return "that may not be executed";
	return NULL;
}

const char *qr_computer_validate(struct qr_computer *computer, char *buf, size_t bytes)
{
	for (uint32_t i = 0; i < computer->config.nr_cpus; i++) {
		for (uint32_t size = 0; size < QR_PAGE_SIZES; size++) {
			const struct qr_tlb *tlb = &computer->cpus[i].tlb[size];

			for (uint32_t k = 0; k < tlb->sets * tlb->ways; k++) {
				const struct qr_tlb_entry *entry = &tlb->entries[k];
				const char *wrong = NULL;

				if (entry->tag != 0)
					wrong = judge(computer, tlb, entry);
				if (wrong == NULL)
					continue;
				snprintf(buf, bytes,
					 "CPU %u: the TLB has a page %s, %#llx", i, wrong,
					 (unsigned long long)entry->tag);
				return buf;
			}
		}
	}
	return NULL;
}
