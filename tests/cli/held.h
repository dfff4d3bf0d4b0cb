/* SPDX-License-Identifier: MIT */
/* held.h - what a test holds of the process, so that its end can prove that nothing of it
 * leaked: heap bytes and descriptors. */
#ifndef QUIRE_TESTS_CLI_HELD_H
#define QUIRE_TESTS_CLI_HELD_H

/* For cmocka_unit_test_setup_teardown(). */
int held_note(void **state);
int held_check(void **state);

#endif
