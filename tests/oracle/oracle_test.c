/* SPDX-License-Identifier: MIT */
/* oracle_test.c - 10,000 random scripts of memory calls, on the host and on the core.
 *
 * QUIRE_SCRIPTS=n runs n of them, QUIRE_SEED_FIRST=s from seed s on.  A script that
 * disagrees is printed step by step with both results; "test-oracle SEED" runs it alone.
 * A host under pressure may take pages away or fault on its own, and what Linux miscounts in
 * one script (see leaks_lock) it still has in the next: a script that disagrees is run
 * again in a fresh child, and has to agree in one of RETRIES turns.
 */
#include "tests/oracle/script.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SCRIPTS 10000u
#define RETRIES 8u
/* The core is validated after each step of one script in so many. */
#define VALIDATE_EVERY 16u

struct run {
	struct host_side *host;
	struct soft_side *soft;
	struct script scripts[HOST_BATCH];
	struct result batch[HOST_BATCH * SCRIPT_STEPS];
	struct result host_results[SCRIPT_STEPS]; /* of one that is run again */
	struct result soft_results[SCRIPT_STEPS];
	uint64_t nr_steps, nr_retried;
	bool has_pool;
	bool is_tainted; /* the child's count of locked memory is not what is locked */
};

static bool areas_agree(const struct result *a, const struct result *b)
{
	uint32_t nr = a->nr_areas < RESULT_AREAS ? a->nr_areas : RESULT_AREAS;

	return a->nr_areas == b->nr_areas &&
	       memcmp(a->areas, b->areas, nr * sizeof(a->areas[0])) == 0;
}

static bool agree(const struct script *script, const struct result *a,
		  const struct result *b)
{
	bool is_exact = !script->has_store && script->huge != HUGE_CORE;

	return a->was_run == b->was_run && a->value == b->value && a->fault == b->fault &&
	       (!is_exact || (a->incore == b->incore && a->minor == b->minor)) &&
	       areas_agree(a, b);
}

static void print_result(const char *who, const struct result *r)
{
	printf("  %s: %lld (%#llx) fault %#llx incore %#llx minor %u;", who,
	       (long long)r->value, (unsigned long long)r->value,
	       (unsigned long long)r->fault, (unsigned long long)r->incore, r->minor);
	for (uint32_t i = 0; i < r->nr_areas && i < RESULT_AREAS; i++)
		printf(" %u-%u:%u+%u", r->areas[i].start, r->areas[i].end,
		       r->areas[i].prot, r->areas[i].offset);
	putchar('\n');
}

static void explain(const struct script *script, const struct result *host,
		    const struct result *soft)
{
	printf("seed %llu disagrees\n", (unsigned long long)script->seed);
	for (uint32_t i = 0; i < script->nr_steps; i++) {
		script_print_step(&script->steps[i]);
		print_result("host", &host[i]);
		if (agree(script, &host[i], &soft[i]))
			continue;
		print_result("core", &soft[i]);
		return;
	}
}

static bool compare(struct run *run, const struct script *script,
		    const struct result *host)
{
	for (uint32_t i = 0; i < script->nr_steps; i++) {
		const struct result *soft = &run->soft_results[i];

		if (!agree(script, &host[i], soft))
			return false;
		run->is_tainted |= soft->is_tainting;
		if (soft->is_known)
			return true;
	}
	return true;
}

static void renew_host(struct run *run)
{
	run->is_tainted = false;
	host_side_delete(run->host);
	run->host = host_side_new();
}

static bool retry(struct run *run, const struct script *script)
{
	run->nr_retried++;
	for (uint32_t turn = 0; turn < RETRIES; turn++) {
		renew_host(run);
		if (host_side_run(run->host, script, 1, run->host_results) &&
		    compare(run, script, run->host_results))
			return true;
	}
	explain(script, run->host_results, run->soft_results);
	return false;
}

static bool check(struct run *run, const struct script *script, struct result *host)
{
	const char *wrong;

	wrong = soft_side_run(run->soft, script, run->soft_results,
			      script->seed % VALIDATE_EVERY == 0);
	if (wrong != NULL) {
		printf("seed %llu: the core says: %s\n", (unsigned long long)script->seed,
		       wrong);
		return false;
	}
	run->nr_steps += script->nr_steps;
	return compare(run, script, host) || retry(run, script);
}

static bool run_batch(struct run *run, uint64_t first, uint32_t nr)
{
	struct script *scripts = run->scripts;

	for (uint32_t i = 0; i < nr; i++)
		scripts[i] = script_make(first + i, host_side_has_brk(run->host),
					 host_side_has_holes(run->host), run->has_pool);
	if (!host_side_run(run->host, scripts, nr, run->batch)) {
		printf("the host's child died in seeds %llu..%llu\n",
		       (unsigned long long)first, (unsigned long long)first + nr - 1);
		return false;
	}
	for (uint32_t i = 0; i < nr; i++)
		if (!check(run, &scripts[i], &run->batch[i * SCRIPT_STEPS]))
			return false;
	if (run->is_tainted)
		renew_host(run);
	return true;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 10);
}

/* Not in the child, which copies all that it has with each fork. */
static struct run *make_run(void)
{
	size_t bytes = sizeof(struct run);
	struct run *run = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (run == MAP_FAILED || madvise(run, bytes, MADV_DONTFORK) != 0)
		abort();
	return run;
}

int main(int argc, char **argv)
{
	struct run *run = make_run();
	uint64_t first = setting("QUIRE_SEED_FIRST", 1);
	uint64_t left = setting("QUIRE_SCRIPTS", SCRIPTS);
	struct pool pool;
	bool fine = true;

	if (argc > 1) {
		first = strtoull(argv[1], NULL, 10);
		left = 1;
	}
	run->has_pool = pool_open(&pool);
	if (!run->has_pool)
		printf("without MAP_HUGETLB: QUIRE_ORACLE_POOL is not set, or the pool cannot "
		       "be\n");
	run->host = host_side_new();
	run->soft = soft_side_new();
	if (!host_side_has_brk(run->host))
		printf("without brk: the host does not let its place be set (PR_SET_MM_MAP)\n");
	if (!host_side_has_holes(run->host))
		printf("without MADV_REMOVE of a file on a disk: the file system has no holes\n");
	while (left > 0 && fine) {
		uint32_t nr = left < HOST_BATCH ? (uint32_t)left : HOST_BATCH;

		fine = run_batch(run, first, nr);
		first += nr;
		left -= nr;
	}
	printf("%llu steps agreed; %llu scripts were run again\n",
	       (unsigned long long)run->nr_steps, (unsigned long long)run->nr_retried);
	soft_side_delete(run->soft);
	host_side_delete(run->host);
	pool_close(&pool);
	return fine ? 0 : 1;
}
