/* SPDX-License-Identifier: MIT */
/* doorbell.c - work that a thread of the program has done by a handler.
 *
 * Only handlers have the userfaultfd and a lane.  A thread that needs them writes what it
 * wants into the mailbox and reads the doorbell page, which is never there: it sleeps in
 * a fault, as it would for any page, until a handler has done the work and fills the
 * page in.
 *
 * A thread that is stopped and continued faults anew and so rings twice; the state says
 * which ring has been answered. */
#include "ports/linux/doorbell.h"

#include "core/base/lock.h"
#include "ports/linux/ground.h"
#include "ports/linux/sys.h"
#include "ports/linux/uffd.h"

enum { IDLE, ASKED, AT_WORK, DONE };

static struct {
	struct quire_lock lock; /* one caller at a time */
	_Atomic uint32_t state;
	long (*run)(uint32_t lane, const uint64_t *args);
	uint64_t args[QUIRE_CALL_ARGS];
	long result;
} mailbox;

void qr_doorbell_init(void)
{
	qr_lock_init(&mailbox.lock, &qr_ground.port);
	atomic_store(&mailbox.state, IDLE);
}

static void take_page(void)
{
	(void)qr_host_madvise((const void *)qr_ground.doorbell, QUIRE_PAGE_BYTES,
			      MADV_DONTNEED_LOCKED);
}

/* The answer to a second ring can come so late that it fills the page in under the next
 * caller, who then has to ring once more. */
static void wait_for_answer(void)
{
	for (;;) {
		(void)*(const volatile unsigned char *)qr_ground.doorbell;
		if (atomic_load(&mailbox.state) == DONE)
			return;
		take_page();
	}
}

long qr_doorbell_ring(long (*run)(uint32_t lane, const uint64_t *args),
		      const uint64_t args[QUIRE_CALL_ARGS])
{
	long result;

	qr_lock(&mailbox.lock);
	mailbox.run = run;
	for (uint32_t i = 0; i < QUIRE_CALL_ARGS; i++)
		mailbox.args[i] = args[i];
	atomic_store(&mailbox.state, ASKED);
	wait_for_answer();
	result = mailbox.result;
	atomic_store(&mailbox.state, IDLE);
	take_page();
	qr_unlock(&mailbox.lock);
	return result;
}

void qr_doorbell_answer(uint32_t lane)
{
	uint32_t state = ASKED;

	if (atomic_compare_exchange_strong(&mailbox.state, &state, AT_WORK)) {
		mailbox.result = mailbox.run(lane, mailbox.args);
		atomic_store(&mailbox.state, DONE);
		state = DONE;
	}
	if (state == DONE)
		(void)qr_uffd_copy((quire_vaddr){qr_ground.doorbell}, 1, qr_ground.zeros,
				   false);
}
