/* SPDX-License-Identifier: MIT */
/* soft.c - building the software machine; its clock, its sleepers, its end. */
#include "ports/soft/soft.h"

#include "core/machine/machine.h"
#include "ports/soft/parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WINDOW_START 0x100000000ull
#define WINDOW_BYTES 0x40000000ull
#define TLB_SETS     16u
#define TLB_WAYS     4u
/* What each look at the clock adds: enough that ages differ, from run to run the same. */
#define TICK_NS 100u

void qr_soft_panic(struct qr_soft *soft, const char *why)
{
	if (soft->config.panic != NULL)
		soft->config.panic(soft->config.panic_ctx, why);
	fprintf(stderr, "soft machine: %s\n", why);
	abort();
}

static void __attribute__((noreturn)) soft_panic(void *ctx, const char *why)
{
	qr_soft_panic(ctx, why);
}

static uint64_t soft_clock(void *ctx)
{
	struct qr_soft *soft = ctx;

	return atomic_fetch_add(&soft->ticks, 1) * TICK_NS;
}

static void soft_wait(void *ctx, _Atomic uint32_t *word, uint32_t value)
{
	struct qr_soft *soft = ctx;

	if (soft->config.alone && atomic_load(word) == value)
		qr_soft_panic(soft, "wait: there is nobody who could end it");
	pthread_mutex_lock(&soft->sleep_lock);
	if (atomic_load(word) == value)
		pthread_cond_wait(&soft->sleepers, &soft->sleep_lock);
	pthread_mutex_unlock(&soft->sleep_lock);
}

/* One queue for all words: whoever waits for another word returns early, which wait()
 * allows. */
static void soft_notify(void *ctx, _Atomic uint32_t *word, uint32_t nr)
{
	struct qr_soft *soft = ctx;

	(void)word;
	(void)nr;
	pthread_mutex_lock(&soft->sleep_lock);
	pthread_cond_broadcast(&soft->sleepers);
	pthread_mutex_unlock(&soft->sleep_lock);
}

static void set_defaults(struct qr_soft_config *config)
{
	if (config->nr_cpus == 0)
		config->nr_cpus = 1;
	if (config->nr_running == 0)
		config->nr_running = config->nr_cpus;
	if (config->tlb_sets == 0)
		config->tlb_sets = TLB_SETS;
	if (config->tlb_ways == 0)
		config->tlb_ways = TLB_WAYS;
	if (config->window.end.a == 0)
		config->window = (struct quire_range){{WINDOW_START},
						      {WINDOW_START + WINDOW_BYTES}};
}

static void make_port(struct qr_soft *soft, unsigned char *ram)
{
	struct quire_port *port = &soft->port;

	port->version = QUIRE_PORT_VERSION;
	port->caps = soft->config.copies ? QUIRE_PORT_COPIES : QUIRE_PORT_ACCESSED;
	port->ctx = soft;
	port->direct = ram;
	port->nr_frames = soft->config.nr_frames;
	port->window = soft->config.window;
	atomic_init(&port->nr_running, soft->config.nr_running);
	qr_soft_ops_install(port, &soft->config);
	qr_soft_disk_install(port);
	port->clock = soft_clock;
	port->wait = soft_wait;
	port->notify = soft_notify;
	port->panic = soft_panic;
}

static size_t ram_bytes(const struct qr_soft *soft)
{
	return (size_t)soft->config.nr_frames << QUIRE_PAGE_SHIFT;
}

static void init_locks(struct qr_soft *soft)
{
	pthread_mutex_init(&soft->lock, NULL);
	pthread_cond_init(&soft->woken, NULL);
	pthread_mutex_init(&soft->sleep_lock, NULL);
	pthread_cond_init(&soft->sleepers, NULL);
	for (uint32_t i = 0; i < soft->config.nr_cpus; i++)
		pthread_mutex_init(&soft->cpus[i].lock, NULL);
}

static bool init_parts(struct qr_soft *soft)
{
	const struct qr_soft_config *config = &soft->config;

	for (uint32_t i = 0; i < config->nr_cpus; i++)
		if (!qr_soft_tlb_init(&soft->cpus[i].tlb, config->tlb_sets,
				      config->tlb_ways))
			return false;
	return qr_soft_shadow_init(&soft->shadow, config->nr_frames);
}

struct qr_soft *qr_soft_new(const struct qr_soft_config *config)
{
	struct qr_soft *soft = calloc(1, sizeof(*soft));
	unsigned char *ram;

	if (soft == NULL)
		return NULL;
	soft->config = *config;
	set_defaults(&soft->config);
	init_locks(soft);
	ram = mmap(NULL, ram_bytes(soft), PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ram != MAP_FAILED)
		make_port(soft, ram);
	if (ram == MAP_FAILED || !init_parts(soft)) {
		qr_soft_destroy(soft);
		return NULL;
	}
	return soft;
}

void qr_soft_destroy(struct qr_soft *soft)
{
	qr_soft_disks_destroy(soft);
	if (soft->shadow.buckets != NULL)
		qr_soft_shadow_destroy(&soft->shadow);
	for (uint32_t i = 0; i < soft->config.nr_cpus; i++) {
		free(soft->cpus[i].tlb.entries);
		pthread_mutex_destroy(&soft->cpus[i].lock);
	}
	free(soft->areas.at);
	if (soft->port.direct != NULL)
		munmap(soft->port.direct, ram_bytes(soft));
	pthread_mutex_destroy(&soft->lock);
	pthread_cond_destroy(&soft->woken);
	pthread_mutex_destroy(&soft->sleep_lock);
	pthread_cond_destroy(&soft->sleepers);
	free(soft);
}

const struct quire_port *qr_soft_port(const struct qr_soft *soft)
{
	return &soft->port;
}

static enum quire_status machine_fault(void *ctx, uint32_t cpu, quire_vaddr page,
				       uint32_t access)
{
	return quire_fault(ctx, cpu, page, access);
}

void qr_soft_attach(struct qr_soft *soft, struct quire *q)
{
	qr_soft_boot(soft, qr_machine_root(q), machine_fault, q);
}

void qr_soft_boot(struct qr_soft *soft, quire_pfn root, qr_soft_fault_fn *fault,
		  void *fault_ctx)
{
	soft->root = root;
	soft->booted = true;
	soft->fault = fault;
	soft->fault_ctx = fault_ctx;
}
