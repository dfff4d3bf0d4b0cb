/* SPDX-License-Identifier: MIT */
/* mmu.c - loads and stores: TLB, then tables or shadow, then the fault handler.
 *
 * Waiting.  A thread that faults is on the list of waiters from before its fault is
 * reported until the handler has said QUIRE_OK, or somebody wakes its page: as a thread
 * of a Linux process that met a userfaultfd is.  So no wake is lost that comes after the
 * handler looked at the page.
 */
#include "ports/soft/parts.h"

#include <string.h>

/* Turns after which an access that is told "it is there" each time is going in circles.
 * Each turn lost to an eviction in between costs the evictor more than it costs us. */
#define TURNS_MAX 100000u

struct access {
	uint64_t page;
	uint32_t offset, bytes;
	bool write;
	unsigned char *buf; /* read only for a store */
};

/* As x86-64 has it: what can be written or executed can be read. */
static bool allows(const struct qr_soft_area *area, bool write)
{
	return area != NULL && (area->prot & (write ? QUIRE_WRITE : ~0u)) != 0;
}

/* From the shadow; the CPU's lock is held. */
static bool translate_shadow(struct qr_soft *soft, uint64_t page, bool write,
			     struct qr_soft_translation *out)
{
	const struct qr_soft_area *area;
	struct qr_soft_shadow_page *at;
	bool found;

	pthread_mutex_lock(&soft->lock);
	area = qr_soft_areas_find(&soft->areas, page);
	at = qr_soft_shadow_find(&soft->shadow, page);
	found = at != NULL && allows(area, write);
	if (found)
		*out = (struct qr_soft_translation){
			.bytes = at->bytes,
			.writable = !at->protected && (area->prot & QUIRE_WRITE) != 0,
			.dirty = true,
		};
	pthread_mutex_unlock(&soft->lock);
	return found && (!write || out->writable);
}

static bool translate(struct qr_soft *soft, struct qr_soft_cpu *cpu, uint64_t page,
		      bool write, struct qr_soft_translation *out)
{
	struct qr_soft_tlb_entry *hit = qr_soft_tlb_find(&cpu->tlb, page);

	/* A write through a clean or read-only entry looks again, so that D is set and a
	 * right that was given since is seen. */
	if (hit != NULL && (!write || (hit->to.writable && hit->to.dirty))) {
		cpu->tlb.hits++;
		*out = hit->to;
		return true;
	}
	cpu->tlb.misses++;
	if (soft->config.copies) {
		if (!translate_shadow(soft, page, write, out))
			return false;
	} else if (!qr_soft_walk_access(soft, page, write, out)) {
		return false;
	}
	qr_soft_tlb_insert(&cpu->tlb, page, *out);
	return true;
}

/* One try; false when it faults. */
static bool try_access(struct qr_soft *soft, struct qr_soft_cpu *cpu,
		       const struct access *access)
{
	struct qr_soft_translation to;
	bool done;

	pthread_mutex_lock(&cpu->lock);
	done = translate(soft, cpu, access->page, access->write, &to);
	if (done && access->write)
		memcpy(to.bytes + access->offset, access->buf, access->bytes);
	else if (done)
		memcpy(access->buf, to.bytes + access->offset, access->bytes);
	if (!done)
		cpu->faults++;
	else if (access->write)
		cpu->stores++;
	else
		cpu->loads++;
	pthread_mutex_unlock(&cpu->lock);
	return done;
}

/* Whether the ground itself refuses: a process is signalled, nobody is asked. */
static bool ground_forbids(struct qr_soft *soft, const struct access *access)
{
	const struct qr_soft_area *area;
	bool forbids;

	if (!soft->config.copies)
		return false;
	pthread_mutex_lock(&soft->lock);
	area = qr_soft_areas_find(&soft->areas, access->page);
	forbids = !allows(area, access->write);
	pthread_mutex_unlock(&soft->lock);
	return forbids;
}

static void waiter_add(struct qr_soft *soft, struct qr_soft_waiter *waiter, uint64_t page)
{
	waiter->page = page;
	waiter->woken = false;
	pthread_mutex_lock(&soft->lock);
	waiter->next = soft->waiters;
	soft->waiters = waiter;
	soft->counts.waiters++;
	pthread_mutex_unlock(&soft->lock);
}

/* Off the list; first waits to be woken where wait says so. */
static void waiter_remove(struct qr_soft *soft, struct qr_soft_waiter *waiter, bool wait)
{
	struct qr_soft_waiter **link = &soft->waiters;

	pthread_mutex_lock(&soft->lock);
	while (wait && !waiter->woken)
		pthread_cond_wait(&soft->woken, &soft->lock);
	while (*link != waiter)
		link = &(*link)->next;
	*link = waiter->next;
	soft->counts.waiters--;
	pthread_mutex_unlock(&soft->lock);
}

void qr_soft_wake_run(struct qr_soft *soft, struct quire_run run)
{
	bool any = false;

	for (struct qr_soft_waiter *at = soft->waiters; at != NULL; at = at->next)
		if (!at->woken && qr_soft_run_has(run, at->page))
			at->woken = any = true;
	if (any)
		pthread_cond_broadcast(&soft->woken);
}

/* Asks the handler.  QUIRE_OK: try again. */
static enum quire_status fault(struct qr_soft *soft, uint32_t cpu,
			       const struct access *access)
{
	struct qr_soft_waiter waiter;
	enum quire_status status;
	bool wait;

	if (soft->fault == NULL)
		return QUIRE_FAULT;
	if (ground_forbids(soft, access))
		return QUIRE_FAULT;
	waiter_add(soft, &waiter, access->page);
	status = soft->fault(soft->fault_ctx, cpu, (quire_vaddr){access->page},
			     access->write ? QUIRE_WRITE : QUIRE_READ);
	wait = status == QUIRE_BUSY && !soft->config.alone;
	waiter_remove(soft, &waiter, wait);
	if (!wait)
		return status;
	pthread_mutex_lock(&soft->cpus[cpu].lock);
	soft->cpus[cpu].waits++;
	pthread_mutex_unlock(&soft->cpus[cpu].lock);
	return QUIRE_OK;
}

static enum quire_status access_page(struct qr_soft *soft, uint32_t cpu,
				     const struct access *access)
{
	for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
		enum quire_status status;

		if (try_access(soft, &soft->cpus[cpu], access))
			return QUIRE_OK;
		status = fault(soft, cpu, access);
		if (status != QUIRE_OK)
			return status;
	}
	qr_soft_panic(soft,
		      "an access goes in circles: the handler says that the page is "
		      "there, and it is not");
}

static enum quire_status access_range(struct qr_soft *soft, uint32_t cpu, uint64_t va,
				      unsigned char *buf, size_t bytes, bool write)
{
	while (bytes > 0) {
		uint32_t offset = (uint32_t)(va & (QUIRE_PAGE_BYTES - 1));
		size_t room = QUIRE_PAGE_BYTES - offset;
		struct access access = {
			.page = va - offset,
			.offset = offset,
			.bytes = (uint32_t)(bytes < room ? bytes : room),
			.write = write,
			.buf = buf,
		};
		enum quire_status status = access_page(soft, cpu, &access);

		if (status != QUIRE_OK)
			return status;
		va += access.bytes;
		buf += access.bytes;
		bytes -= access.bytes;
	}
	return QUIRE_OK;
}

enum quire_status qr_soft_load(struct qr_soft *soft, uint32_t cpu, quire_vaddr va,
			       void *buf, size_t bytes)
{
	return access_range(soft, cpu, va.a, buf, bytes, false);
}

enum quire_status qr_soft_store(struct qr_soft *soft, uint32_t cpu, quire_vaddr va,
				const void *buf, size_t bytes)
{
	/* A store only reads the buffer: access.write says so. */
	return access_range(soft, cpu, va.a, (unsigned char *)(uintptr_t)buf, bytes,
			    true);
}
