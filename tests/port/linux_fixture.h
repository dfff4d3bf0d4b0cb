/* SPDX-License-Identifier: MIT */
/* linux_fixture.h - a Linux process as ground for the contract suite. */
#ifndef QUIRE_TESTS_PORT_LINUX_FIXTURE_H
#define QUIRE_TESTS_PORT_LINUX_FIXTURE_H

#include "tests/port/fixture.h"

/* NULL where the host does not let a process handle its faults; says why. */
struct port_fixture *linux_fixture(void);
/* The same without what kernels before 6.8 lack. */
struct port_fixture *linux_fixture_old(void);

#endif
