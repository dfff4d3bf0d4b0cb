/* SPDX-License-Identifier: MIT */
/* frames_threads.c - several CPUs, a thread each, over the same zones: frames taken here
 * and freed there, until nothing is left and all adds up. */
#include "tests/core/frames_rig.h"

#define NR_THREADS 4u
#define NR_STEPS   20000u
#define NR_SHARED  512u

struct worker {
	struct rig *rig;
	uint32_t cpu;
	uint64_t seed;
	pthread_t thread;
};

/* Frames on their way from one thread to another; 0: none. */
static _Atomic uint64_t shared[NR_SHARED];

static uint64_t packed(quire_pfn pfn, uint32_t order)
{
	return (uint64_t)pfn.n << 8 | order << 1 | 1;
}

static void give_packed(const struct worker *w, uint64_t word)
{
	if (word != 0)
		quire_frames_free(w->rig->f, w->cpu, (quire_pfn){(uint32_t)(word >> 8)},
				  (uint32_t)(word & 255) >> 1);
}

static void *work(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < NR_STEPS; i++) {
		uint64_t r = testport_random(&w->seed);
		uint32_t order = (r & 15) == 0 ? (uint32_t)(r >> 8) % 4 : 0;
		uint32_t flags =
			(uint32_t)(r >> 16) &
			(QUIRE_ALLOC_MOVABLE | QUIRE_ALLOC_HIGH | QUIRE_ALLOC_RESERVE);
		_Atomic uint64_t *slot = &shared[(r >> 32) % NR_SHARED];
		uint64_t word = 0;
		quire_pfn pfn;

		if (quire_frames_alloc(w->rig->f, w->cpu, QUIRE_FRAME_MAPPED, order,
				       flags, &pfn)) {
			/* Of two users each gives up its own. */
			quire_frames_get(w->rig->f, pfn);
			assert_false(quire_frames_put(w->rig->f, w->cpu, pfn));
			word = packed(pfn, order);
		}
		give_packed(w, atomic_exchange(slot, word));
		if ((r >> 48) % 1024 == 0)
			quire_frames_drain(w->rig->f, w->cpu);
	}
	return NULL;
}

static void threads_share_the_zones(void **state)
{
	struct worker workers[NR_THREADS];
	struct rig rig;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){.nr_cpus = NR_THREADS,
						    .flags = QUIRE_FRAMES_GROUP});
	for (uint32_t i = 0; i < NR_THREADS; i++) {
		workers[i] = (struct worker){&rig, i, i + testport_seed(), 0};
		assert_int_equal(
			pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	for (uint32_t i = 0; i < NR_THREADS; i++)
		assert_int_equal(pthread_join(workers[i].thread, NULL), 0);
	rig_check(&rig);
	for (uint32_t i = 0; i < NR_SHARED; i++)
		give_packed(&workers[0], shared[i]);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(threads_share_the_zones),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
