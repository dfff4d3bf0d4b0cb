/* SPDX-License-Identifier: MIT */
/* mprotect: data survives each protection, and a forbidden access is told as such. */
#define _GNU_SOURCE 1

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common.h"

#define DATA_BYTES (2 * MIB)

static sigjmp_buf back;
static siginfo_t seen;

static void leave(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	seen = *info;
	siglongjmp(back, 1);
}

/* True when the access raises SIGSEGV at that very address with that code. */
static bool access_faults(volatile char *at, bool write, int code)
{
	if (sigsetjmp(back, 1) == 0) {
		if (write)
			*at = 1;
		else
			(void)*at;
		return false;
	}
	return seen.si_signo == SIGSEGV && seen.si_addr == at && seen.si_code == code;
}

static void catch_faults(struct sigaction *old)
{
	struct sigaction action = {.sa_sigaction = leave, .sa_flags = SA_SIGINFO};

	CHECK(sigaction(SIGSEGV, &action, old) == 0);
}

static void try_none(void)
{
	char *at = qr_pages_map(DATA_BYTES);
	struct sigaction old;

	catch_faults(&old);
	qr_pages_fill(at, DATA_BYTES, 131);
	CHECK(mprotect(at, DATA_BYTES, PROT_NONE) == 0);
	CHECK(access_faults(at + 17, false, SEGV_ACCERR));
	CHECK(access_faults(at + DATA_BYTES - 3, true, SEGV_ACCERR));
	qr_pages_push_out(at, DATA_BYTES);
	CHECK(access_faults(at + PAGE_BYTES, false, SEGV_ACCERR));
	CHECK(mprotect(at, DATA_BYTES, PROT_READ | PROT_WRITE) == 0);
	CHECK(qr_pages_match(at, DATA_BYTES, 131));
	CHECK(sigaction(SIGSEGV, &old, NULL) == 0);
	qr_pages_unmap(at, DATA_BYTES);
}

/* Out while it is writable, then protected, then read. */
static void try_read_only(void)
{
	char *at = qr_pages_map(DATA_BYTES);
	struct sigaction old;

	catch_faults(&old);
	qr_pages_fill(at, DATA_BYTES, 132);
	qr_pages_push_out(at, DATA_BYTES);
	CHECK(mprotect(at, DATA_BYTES, PROT_READ) == 0);
	CHECK(access_faults(at + PAGE_BYTES + 5, true, SEGV_ACCERR));
	CHECK(qr_pages_match(at, DATA_BYTES, 132));
	qr_pages_push_out(at, DATA_BYTES);
	CHECK(access_faults(at + DATA_BYTES / 2, true, SEGV_ACCERR));
	CHECK(qr_pages_match(at, DATA_BYTES, 132));
	CHECK(mprotect(at, DATA_BYTES, PROT_READ | PROT_WRITE) == 0);
	at[0]++;
	at[0]--;
	CHECK(qr_pages_match(at, DATA_BYTES, 132));
	CHECK(sigaction(SIGSEGV, &old, NULL) == 0);
	qr_pages_unmap(at, DATA_BYTES);
}

static void try_unmapped(void)
{
	char *at = qr_pages_map(DATA_BYTES);
	struct sigaction old;

	catch_faults(&old);
	qr_pages_fill(at, DATA_BYTES, 133);
	qr_pages_push_out(at, DATA_BYTES);
	CHECK(munmap(at + MIB, PAGE_BYTES) == 0);
	CHECK(access_faults(at + MIB + 9, false, SEGV_MAPERR));
	CHECK(access_faults(at + MIB + 9, true, SEGV_MAPERR));
	CHECK(access_faults((char *)(uintptr_t)64, false, SEGV_MAPERR));
	CHECK(qr_pages_match(at, MIB, 133));
	qr_pages_unmap(at, MIB);
	CHECK(access_faults(at, false, SEGV_MAPERR));
	CHECK(sigaction(SIGSEGV, &old, NULL) == 0);
	qr_pages_unmap(at + MIB + PAGE_BYTES, DATA_BYTES - MIB - PAGE_BYTES);
}

/* Every second page another protection: many mappings of one page each. */
static void try_stripes(void)
{
	char *at = qr_pages_map(DATA_BYTES);
	struct sigaction old;

	catch_faults(&old);
	qr_pages_fill(at, DATA_BYTES, 134);
	for (size_t i = 0; i < DATA_BYTES; i += 2 * PAGE_BYTES)
		CHECK(mprotect(at + i, PAGE_BYTES, PROT_READ) == 0);
	qr_pages_push_out(at, DATA_BYTES);
	CHECK(qr_pages_match(at, DATA_BYTES, 134));
	for (size_t i = 0; i < DATA_BYTES; i += 32 * PAGE_BYTES) {
		CHECK(access_faults(at + i, true, SEGV_ACCERR));
		CHECK(!access_faults(at + i + PAGE_BYTES, true, SEGV_ACCERR));
	}
	CHECK(mprotect(at, DATA_BYTES, PROT_READ | PROT_WRITE) == 0);
	qr_pages_fill(at, DATA_BYTES, 135);
	CHECK(qr_pages_match(at, DATA_BYTES, 135));
	CHECK(sigaction(SIGSEGV, &old, NULL) == 0);
	qr_pages_unmap(at, DATA_BYTES);
}

/* A reservation that is made usable piece by piece, as garbage collectors do. */
static void try_reserved(void)
{
	size_t bytes = 4 * qr_ram_bytes();
	char *at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct sigaction old;

	CHECK(at != MAP_FAILED);
	catch_faults(&old);
	CHECK(access_faults(at, false, SEGV_ACCERR));
	for (size_t i = 0; i < bytes; i += MIB) {
		CHECK(mprotect(at + i, MIB, PROT_READ | PROT_WRITE) == 0);
		qr_pages_fill(at + i, MIB, i + 1);
	}
	for (size_t i = 0; i < bytes; i += MIB)
		CHECK(qr_pages_match(at + i, MIB, i + 1));
	CHECK(madvise(at, bytes, MADV_DONTNEED) == 0);
	CHECK(mprotect(at, bytes, PROT_NONE) == 0);
	CHECK(access_faults(at + bytes / 2, true, SEGV_ACCERR));
	CHECK(mprotect(at, bytes, PROT_READ) == 0);
	CHECK(qr_pages_are_zero(at, bytes));
	CHECK(sigaction(SIGSEGV, &old, NULL) == 0);
	qr_pages_unmap(at, bytes);
}

/* Code made at run time: written, made executable, pushed, run. */
static void try_code(void)
{
	static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
	char *at = qr_pages_map(PAGE_BYTES);
	int (*function)(void);

	for (size_t i = 0; i < sizeof(code); i++)
		at[i] = (char)code[i];
	CHECK(mprotect(at, PAGE_BYTES, PROT_READ | PROT_EXEC) == 0);
	qr_pressure_apply();
	function = (int (*)(void))(uintptr_t)at;
	CHECK(function() == 42);
	qr_pages_unmap(at, PAGE_BYTES);
}

static void try_errors(void)
{
	char *at = qr_pages_map(4 * PAGE_BYTES);

	CHECK(mprotect(at + 1, PAGE_BYTES, PROT_READ) == -1 && errno == EINVAL);
	CHECK(munmap(at + 2 * PAGE_BYTES, PAGE_BYTES) == 0);
	CHECK(mprotect(at, 4 * PAGE_BYTES, PROT_READ) == -1 && errno == ENOMEM);
	qr_pages_unmap(at, 2 * PAGE_BYTES);
	qr_pages_unmap(at + 3 * PAGE_BYTES, PAGE_BYTES);
}

int main(int argc, char **argv)
{
	static const struct trial trials[] = {
		{"none", try_none},	    {"read-only", try_read_only},
		{"unmapped", try_unmapped}, {"stripes", try_stripes},
		{"reserved", try_reserved}, {"code", try_code},
		{"errors", try_errors},
	};

	return TRIALS_RUN(trials, argc, argv);
}
