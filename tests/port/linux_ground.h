/* SPDX-License-Identifier: MIT */
/* linux_ground.h - a test's own process as a Linux ground.
 *
 * The ground has the userfaultfd in the test's descriptor table and no handlers: threads
 * of the test, its *monitors*, read the faults.  There is one at a time in a process. */
#ifndef QUIRE_TESTS_PORT_LINUX_GROUND_H
#define QUIRE_TESTS_PORT_LINUX_GROUND_H

#include "ports/linux/ground.h"
#include "ports/linux/uffd_abi.h"

#include <pthread.h>

struct linux_ground_config {
	uint64_t ram_bytes;
	uint64_t swap_bytes; /* bound of what all swap files hold */
	uint32_t without;    /* QUIRE_FEATURE_* not to be used */
};

/* Makes qr_ground; NULL, or what this host lacks.  Drop it in either case. */
const char *linux_ground_make(const struct linux_ground_config *config);
void linux_ground_drop(void);

/* The next fault, as it comes; false when the monitors are to end. */
bool linux_ground_next_fault(struct uffd_msg *msg);
/* QUIRE_READ or QUIRE_WRITE. */
uint32_t linux_ground_access(const struct uffd_msg *msg);
/* Ends the monitors, all of them, and returns when they have ended. */
void linux_ground_end(const pthread_t *monitors, uint32_t nr);

/* What can be made to fail: a transfer. */
enum linux_transfer {
	LINUX_WRITE, /* QUIRE_IO */
	LINUX_READ,  /* QUIRE_IO */
	LINUX_FLIP,  /* a read: QUIRE_OK, and one bit is wrong */
	LINUX_TRANSFERS,
};
/* The nth from now on fails, 1 is the next; 0: none does. */
void linux_ground_fail(enum linux_transfer transfer, uint64_t nth);
/* Whether it has come. */
bool linux_ground_failed(enum linux_transfer transfer);

#endif
