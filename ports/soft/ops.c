/* SPDX-License-Identifier: MIT */
/* ops.c - the port's ops on pages: fill, protect, release, wake, look, discard, areas. */
#include "ports/soft/parts.h"

#include <sched.h>
#include <string.h>

/* Tables are compared with a released run of at most this many pages. */
#define CHECKED_PAGES_MAX 4096u

static uint64_t page_at(quire_vaddr va, uint64_t i)
{
	return va.a + (i << QUIRE_PAGE_SHIFT);
}

/* Whether the whole range still belongs to areas; the machine's lock is held. */
static bool range_has_areas(struct qr_soft *soft, quire_vaddr va, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		if (qr_soft_areas_find(&soft->areas, page_at(va, i)) == NULL)
			return false;
	return true;
}

static void check_fill(struct qr_soft *soft, quire_vaddr va, uint32_t nr, const void *src)
{
	const struct quire_range *window = &soft->port.window;

	if (nr == 0 || nr > QUIRE_FILL_MAX || (va.a & (QUIRE_PAGE_BYTES - 1)) != 0)
		qr_soft_panic(soft, "fill: not 1..QUIRE_FILL_MAX whole pages");
	if (va.a < window->start.a || page_at(va, nr) > window->end.a)
		qr_soft_panic(soft, "fill: outside the window");
	if (!soft->config.copies && src != NULL)
		qr_soft_panic(soft, "fill: bytes for a ground that does not copy");
}

static void fill_shadow(struct qr_soft *soft, quire_vaddr va, uint32_t nr,
			const unsigned char *src, uint32_t flags)
{
	bool protected = (flags & QUIRE_FILL_READONLY) != 0;

	for (uint32_t i = 0; i < nr; i++)
		if (qr_soft_shadow_find(&soft->shadow, page_at(va, i)) != NULL)
			qr_soft_panic(soft, "fill: the page is mapped already");
	for (uint32_t i = 0; i < nr; i++)
		qr_soft_shadow_add(soft, page_at(va, i),
				   src == NULL ? NULL : src + i * QUIRE_PAGE_BYTES,
				   protected);
}

static enum quire_status soft_fill(void *ctx, quire_vaddr va, uint32_t nr,
				   const void *src, uint32_t flags)
{
	struct qr_soft *soft = ctx;
	enum quire_status status = QUIRE_OK;

	check_fill(soft, va, nr, src);
	pthread_mutex_lock(&soft->lock);
	soft->counts.fills++;
	if (qr_soft_fails(soft, QR_SOFT_FILL))
		status = QUIRE_NO_MEMORY;
	else if (!range_has_areas(soft, va, nr))
		status = QUIRE_FAULT;
	if (status == QUIRE_FAULT)
		soft->counts.fills_gone++;
	if (status == QUIRE_OK) {
		soft->counts.filled_pages += nr;
		if (soft->config.copies)
			fill_shadow(soft, va, nr, src, flags);
		qr_soft_wake_run(soft, (struct quire_run){va, nr});
	}
	pthread_mutex_unlock(&soft->lock);
	return status;
}

static void soft_protect(void *ctx, const struct quire_run *runs, uint32_t nr, bool on)
{
	struct qr_soft *soft = ctx;

	if (nr > QUIRE_RUNS_MAX)
		qr_soft_panic(soft, "protect: more than QUIRE_RUNS_MAX runs");
	/* On other grounds this takes its time, in which others run. */
	if (soft->config.nr_cpus > 1)
		(void)sched_yield();
	pthread_mutex_lock(&soft->lock);
	soft->counts.protects++;
	for (uint32_t r = 0; r < nr && soft->config.copies; r++)
		qr_soft_shadow_protect(&soft->shadow, runs[r], on);
	pthread_mutex_unlock(&soft->lock);
	qr_soft_tlb_flush(soft, runs, nr);
	if (on)
		return;
	pthread_mutex_lock(&soft->lock);
	for (uint32_t r = 0; r < nr; r++)
		qr_soft_wake_run(soft, runs[r]);
	pthread_mutex_unlock(&soft->lock);
}

static bool keep_pinned(void *ctx, uint64_t page)
{
	return qr_soft_is_pinned(ctx, page);
}

/* Sets the bits of the pinned pages of a run whose first page has number first. */
static void note_kept(struct qr_soft *soft, struct quire_run run, uint64_t first,
		      uint64_t *kept)
{
	for (uint32_t i = 0; i < soft->nr_pins; i++) {
		uint64_t bit;

		if (!qr_soft_run_has(run, soft->pins[i]))
			continue;
		bit = first + ((soft->pins[i] - run.start.a) >> QUIRE_PAGE_SHIFT);
		kept[bit / 64] |= 1ull << bit % 64;
	}
}

/* Plain, one thread: what is released must be absent from the tables, or the next access
 * would not fault. */
static void check_released(struct qr_soft *soft, struct quire_run run)
{
	struct qr_soft_entry entry;

	for (uint64_t i = 0; i < run.nr && run.nr <= CHECKED_PAGES_MAX; i++)
		if (!qr_soft_is_pinned(soft, page_at(run.start, i)) &&
		    qr_soft_walk(soft, page_at(run.start, i), &entry))
			qr_soft_panic(soft, "release: the tables still have the page");
}

static void soft_release(void *ctx, const struct quire_run *runs, uint32_t nr,
			 uint32_t flags, uint64_t *kept)
{
	struct qr_soft *soft = ctx;
	struct qr_soft_shadow_page *dead = NULL;
	bool force = (flags & QUIRE_RELEASE_FORCE) != 0;
	uint64_t first = 0;

	if (nr > QUIRE_RUNS_MAX || force != (kept == NULL))
		qr_soft_panic(soft,
			      "release: too many runs, or kept where it has no use");
	pthread_mutex_lock(&soft->lock);
	soft->counts.releases++;
	for (uint32_t r = 0; r < nr; r++) {
		if (force)
			qr_soft_pins_drop(soft, runs[r]);
		else
			note_kept(soft, runs[r], first, kept);
		if (soft->config.copies)
			qr_soft_shadow_take(&soft->shadow, runs[r],
					    force ? NULL : keep_pinned, soft, &dead);
		else if (soft->config.alone)
			check_released(soft, runs[r]);
		first += runs[r].nr;
	}
	pthread_mutex_unlock(&soft->lock);
	qr_soft_tlb_flush(soft, runs, nr);
	qr_soft_shadow_bury(dead);
}

static void soft_wake(void *ctx, struct quire_run run)
{
	struct qr_soft *soft = ctx;

	pthread_mutex_lock(&soft->lock);
	soft->counts.wakes++;
	qr_soft_wake_run(soft, run);
	pthread_mutex_unlock(&soft->lock);
}

static const void *soft_look(void *ctx, quire_vaddr va, uint32_t prot, void *scratch)
{
	struct qr_soft *soft = ctx;
	const struct qr_soft_shadow_page *page;
	const struct qr_soft_area *area;
	const void *bytes = NULL;

	pthread_mutex_lock(&soft->lock);
	soft->counts.looks++;
	page = qr_soft_shadow_find(&soft->shadow, va.a);
	area = qr_soft_areas_find(&soft->areas, va.a);
	if (page != NULL && !page->protected && area != NULL &&
	    (area->prot & QUIRE_WRITE) != 0)
		qr_soft_panic(soft, "look: the page can still be written");
	/* What a device may still be writing is not what will be there at the release. */
	if (page != NULL && !qr_soft_is_pinned(soft, va.a) &&
	    !qr_soft_fails(soft, QR_SOFT_LOOK)) {
		bytes = page->bytes;
		/* Where the program may not read, a process could not look in place. */
		if ((prot & QUIRE_READ) == 0)
			bytes = memcpy(scratch, page->bytes, QUIRE_PAGE_BYTES);
	}
	pthread_mutex_unlock(&soft->lock);
	return bytes;
}

static void soft_discard(void *ctx, const quire_pfn *pfns, uint32_t nr)
{
	struct qr_soft *soft = ctx;

	pthread_mutex_lock(&soft->lock);
	soft->counts.discards++;
	for (uint32_t i = 0; i < nr; i++) {
		if (nr > QUIRE_RUNS_MAX || pfns[i].n >= soft->config.nr_frames)
			qr_soft_panic(soft, "discard: no such frame, or too many");
		memset(soft->port.direct + ((size_t)pfns[i].n << QUIRE_PAGE_SHIFT),
		       QR_SOFT_RUBBISH, QUIRE_PAGE_BYTES);
	}
	pthread_mutex_unlock(&soft->lock);
}

static enum quire_status soft_area_set(void *ctx, struct quire_range range, uint32_t prot)
{
	struct qr_soft *soft = ctx;
	uint64_t nr_pages = (range.end.a - range.start.a) >> QUIRE_PAGE_SHIFT;
	struct quire_run run = {range.start, nr_pages};
	struct qr_soft_shadow_page *dead = NULL;
	bool done;

	if (range.start.a >= range.end.a || range.start.a < soft->port.window.start.a ||
	    range.end.a > soft->port.window.end.a ||
	    ((range.start.a | range.end.a) & (QUIRE_PAGE_BYTES - 1)) != 0)
		qr_soft_panic(soft, "area_set: not whole pages inside the window");
	pthread_mutex_lock(&soft->lock);
	done = !qr_soft_fails(soft, QR_SOFT_AREA_SET) &&
	       qr_soft_areas_set(&soft->areas, range, prot);
	if (done && prot == QUIRE_PROT_GONE) {
		qr_soft_pins_drop(soft, run);
		qr_soft_shadow_take(&soft->shadow, run, NULL, NULL, &dead);
	}
	pthread_mutex_unlock(&soft->lock);
	if (done)
		qr_soft_tlb_flush(soft, &run, 1);
	qr_soft_shadow_bury(dead);
	return done ? QUIRE_OK : QUIRE_NO_MEMORY;
}

void qr_soft_ops_install(struct quire_port *port, const struct qr_soft_config *config)
{
	port->fill = soft_fill;
	port->protect = soft_protect;
	port->release = soft_release;
	port->wake = soft_wake;
	port->look = soft_look;
	port->discard = config->no_discard && !config->copies ? NULL : soft_discard;
	port->area_set = soft_area_set;
}
