/* SPDX-License-Identifier: MIT */
/* What the programs under `quire run` share: checks, patterns, and pressure.
 *
 * Model.  A program runs once plain and once under Quire with little RAM, the same
 * binary, and must end with status 0 in both.  A trial is one named part of it.
 *   pattern   each 64-bit word follows from a seed and the word's place, so that
 *             a page that comes back zero, old, or in another's place is seen;
 *   pressure  other memory touched until the pages in question went out;
 *   absent    pages that the kernel's pagemap shows as not present.  Their number
 *             is printed at the end: under Quire it must not be zero, or the
 *             program has proved nothing.
 *
 * A failed check prints its place and ends the process at once with status 1, which
 * is safe in threads, in signal handlers and after fork.
 */
#ifndef QUIRE_TESTS_RUN_COMMON_H
#define QUIRE_TESTS_RUN_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE_BYTES ((size_t)4096)
#define MIB	   ((size_t)1 << 20)

#define CHECK(cond) ((cond) ? (void)0 : qr_check_fail(__FILE__, __LINE__, #cond))

struct trial {
	const char *name;
	void (*run)(void);
};

/* Marks the program as unable to test something here: prints why. */
void qr_check_skip(const char *why);
_Noreturn void qr_check_fail(const char *file, int line, const char *what);

/* Runs each trial, or only those named in argv; prints the absent pages. */
int qr_trials_run(const struct trial *trials, size_t nr, int argc, char **argv);
#define TRIALS_RUN(list, argc, argv)                                                     \
	qr_trials_run(list, sizeof(list) / sizeof((list)[0]), argc, argv)

/* The bound that the driver gives this run, from TEST_RAM_MIB; 16 MiB without. */
size_t qr_ram_bytes(void);

/* Private anonymous pages.  Never NULL. */
void *qr_pages_map(size_t bytes);
void qr_pages_unmap(void *at, size_t bytes);

/* A pattern that compresses well (a page repeats 64 words), and one that does not. */
void qr_pages_fill(void *at, size_t bytes, uint64_t seed);
void qr_noise_fill(void *at, size_t bytes, uint64_t seed);
/* The part of the first pattern from that page on. */
void qr_pages_fill_from(void *at, size_t bytes, uint64_t seed, size_t page);
bool qr_pages_match(const void *at, size_t bytes, uint64_t seed);
bool qr_noise_match(const void *at, size_t bytes, uint64_t seed);
bool qr_pages_are_zero(const void *at, size_t bytes);

/* How many of the pages the kernel's pagemap shows as present. */
size_t qr_pages_present(const void *at, size_t bytes);

/* Touches three times the bound in other memory. */
void qr_pressure_apply(void);

/* Pressure; then adds what is out of [at, at + bytes), all of it written before, to the
 * absent pages. */
void qr_pages_push_out(const void *at, size_t bytes);

/* xorshift64*, for each caller's own state, which must not be 0. */
uint64_t qr_random_next(uint64_t *state);

/* Waits for a child and returns its status as a shell gives it. */
int qr_child_wait(pid_t pid);

double qr_clock_seconds(void);

#endif
