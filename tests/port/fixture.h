/* SPDX-License-Identifier: MIT */
/* fixture.h - what the contract suite needs of a ground, besides its port.
 *
 * Model.  The suite plays the core: it calls the port's ops, and asks the fixture to
 * access memory as the program would.  A fixture stands on fresh ground for each clause.
 * Where the frames hold the bytes (no QUIRE_PORT_COPIES) the suite plays the tables too,
 * through map() and unmap(): before fill() and release(), as the core does.
 *
 * A new ground writes one of these, and adds it to the table in suite.c.  In a Linux
 * process an access runs in a thread of its own: the fixture reads the fault from the
 * userfaultfd, notes it, and breaks the thread off by a signal (probe) or leaves it
 * waiting (begin).
 */
#ifndef QUIRE_TESTS_PORT_FIXTURE_H
#define QUIRE_TESTS_PORT_FIXTURE_H

#include "quire/port.h"

/* How an access of the program ended. */
enum port_access {
	PORT_DONE,
	PORT_FAULT_READ,  /* it faults, as QUIRE_READ */
	PORT_FAULT_WRITE, /* it faults, as QUIRE_WRITE */
	PORT_DENIED,	  /* the ground signals the program */
};

/* What can be made to fail once, the next time. */
enum port_failure {
	PORT_FAIL_FILL,	 /* QUIRE_NO_MEMORY */
	PORT_FAIL_WRITE, /* QUIRE_IO */
	PORT_FAIL_FULL,	 /* QUIRE_NO_SPACE */
	PORT_FAIL_READ,	 /* QUIRE_IO */
};

/* Threads of the suite that access memory at the same time. */
#define PORT_THREADS 2u
/* Pages from base on, and frames from first_frame on, that are the suite's. */
#define PORT_PAGES  192u
#define PORT_FRAMES 192u

struct port_fixture {
	const struct quire_port *port;
	quire_vaddr base;
	uint32_t first_frame;

	/* One access of a byte.  Does not wait: says how it would fault.  thread tells
	 * callers apart that run at the same time, 0..PORT_THREADS - 1. */
	enum port_access (*load)(struct port_fixture *f, uint32_t thread, quire_vaddr va,
				 unsigned char *byte);
	enum port_access (*store)(struct port_fixture *f, uint32_t thread, quire_vaddr va,
				  unsigned char byte);
	/* A thread of the fixture's starts the same access, and waits in it as a program
	 * does.  One at a time.  A load's byte comes back from end(). */
	void (*begin)(struct port_fixture *f, quire_vaddr va, bool write,
		      unsigned char byte);
	/* Returns when the access has faulted nr times since begin(). */
	void (*await_faults)(struct port_fixture *f, uint32_t nr);
	unsigned char (*end)(struct port_fixture *f);

	/* NULL with QUIRE_PORT_COPIES. */
	void (*map)(struct port_fixture *f, quire_vaddr page, quire_pfn pfn,
		    bool writable);
	void (*unmap)(struct port_fixture *f, quire_vaddr page);

	/* A device takes hold of a mapped page; false where this ground cannot. */
	bool (*pin)(struct port_fixture *f, quire_vaddr page);
	void (*unpin)(struct port_fixture *f, quire_vaddr page);
	/* False where this ground cannot. */
	bool (*fail_next)(struct port_fixture *f, enum port_failure failure);

	/* Takes pages away as a program does behind the machine's back. */
	void (*lose)(struct port_fixture *f, quire_vaddr page, uint32_t nr);

	/* NULL, or what is still held: mapped pages, areas, waiters, pins. */
	const char *(*held)(struct port_fixture *f);
	void (*close)(struct port_fixture *f);
};

/* soft_fixture.c; NULL where it cannot be built. */
struct port_fixture *soft_fixture_plain(void);
struct port_fixture *soft_fixture_copies(void);

/* One clause of include/quire/port.h. */
struct port_clause {
	const char *name;
	void (*check)(struct port_fixture *f);
};
extern const struct port_clause port_clauses_pages[];
extern const uint32_t port_nr_clauses_pages;
extern const struct port_clause port_clauses_rest[];
extern const uint32_t port_nr_clauses_rest;

#endif
