/* SPDX-License-Identifier: MIT */
/* calls.c - mmap, munmap, mprotect, madvise and brk against the model. */
#include "tests/model/driver.h"

static uint64_t bytes_of(struct driver *d, uint32_t nr)
{
	/* A length is rounded up to pages: not all of the last page is named. */
	return ((uint64_t)nr << QUIRE_PAGE_SHIFT) -
	       (source_one_in(d->source, 4) ? source_below(d->source, 4096) : 0);
}

/* A record or a table was refused, and may have been. */
static bool is_lacking(struct driver *d, enum quire_status status)
{
	return status == QUIRE_NO_MEMORY && driver_may_lack(d);
}

static void expect(struct driver *d, const char *call, enum quire_status status,
		   enum quire_status expected)
{
	if (status != expected)
		rig_fail(d->rig, "%s: status %d, the model says %d", call, (int)status,
			 (int)expected);
}

struct mmap_call {
	struct driver_range range; /* hint and length */
	uint32_t prot, flags;
	uint64_t align;
};

static struct mmap_call choose_mmap(struct driver *d)
{
	struct mmap_call call = {
		.range = driver_choose(d),
		.prot = driver_choose_prot(d),
	};

	switch (source_below(d->source, 8)) {
	case 0:
		call.flags = QUIRE_MAP_FIXED;
		break;
	case 1:
		call.flags = QUIRE_MAP_NOREPLACE;
		break;
	case 2:
		call.align = QUIRE_PAGE_BYTES << source_below(d->source, 10);
		break;
	default:
		break;
	}
	if (d->is_shared && call.flags == 0) {
		call.flags = QUIRE_MAP_FIXED;
		call.align = 0;
	}
	/* Not among the break's addresses, which the machine keeps in the same way. */
	if (source_one_in(d->source, 24) && call.range.first >= d->rig->brk_pages)
		call.flags |= QUIRE_MAP_FOREIGN;
	else if (!d->is_shared && source_one_in(d->source, 24))
		call.flags |= QUIRE_MAP_LOCKED;
	return call;
}

static bool is_exact(const struct mmap_call *call)
{
	return (call->flags & (QUIRE_MAP_FIXED | QUIRE_MAP_NOREPLACE)) != 0;
}

/* A search for an aligned place may ask for a gap in which any start leaves room to
 * align, as Linux's does: narrower ones it finds or not. */
static uint32_t searched_pages(const struct mmap_call *call)
{
	uint64_t align = call->align != 0 ? call->align : QUIRE_PAGE_BYTES;

	return call->range.nr + (uint32_t)(align >> QUIRE_PAGE_SHIFT) - 1;
}

/* What has to come out, as far as the model can tell. */
static enum quire_status mmap_outcome(struct driver *d, const struct mmap_call *call)
{
	uint64_t align = call->align != 0 ? call->align : QUIRE_PAGE_BYTES;
	bool is_free =
		flat_is_all(&d->flat, call->range.first, call->range.nr, FLAT_FREE);

	if ((call->flags & QUIRE_MAP_NOREPLACE) != 0)
		return is_free ? QUIRE_OK : QUIRE_EXISTS;
	if ((call->flags & QUIRE_MAP_FIXED) != 0)
		return QUIRE_OK;
	return flat_has_gap(&d->flat, call->range.nr, align) ? QUIRE_OK : QUIRE_NO_MEMORY;
}

static void check_place(struct driver *d, const struct mmap_call *call, quire_vaddr out,
			quire_vaddr hint)
{
	uint32_t page = flat_number(&d->flat, out);
	uint64_t align = call->align != 0 ? call->align : QUIRE_PAGE_BYTES;

	if (out.a < d->flat.base || page + call->range.nr > d->flat.nr_pages ||
	    out.a % align != 0)
		rig_fail(d->rig, "mmap: %#llx is outside the window or not aligned",
			 (unsigned long long)out.a);
	if (is_exact(call) && out.a != hint.a)
		rig_fail(d->rig, "mmap: not where it was told to");
	if ((call->flags & QUIRE_MAP_FIXED) == 0 &&
	    !flat_is_all(&d->flat, page, call->range.nr, FLAT_FREE))
		rig_fail(d->rig, "mmap: over areas that are there");
}

void driver_mmap(struct driver *d)
{
	struct mmap_call call = choose_mmap(d);
	bool has_hint = is_exact(&call) || source_one_in(d->source, 2);
	quire_vaddr hint =
		has_hint ? flat_va(&d->flat, call.range.first) : (quire_vaddr){0};
	bool is_foreign = (call.flags & QUIRE_MAP_FOREIGN) != 0;
	bool locks =
		!is_foreign && (d->locks_future || (call.flags & QUIRE_MAP_LOCKED) != 0);
	enum quire_status status, expected = mmap_outcome(d, &call);
	quire_vaddr out;

	status = quire_mmap(d->rig->q, hint, bytes_of(d, call.range.nr), call.prot,
			    call.flags, call.align, &out);
	/* Locking may be refused, as mlock. */
	if (is_lacking(d, status) || (status == QUIRE_NO_MEMORY && locks))
		return;
	if (status == QUIRE_NO_MEMORY && expected == QUIRE_OK && !is_exact(&call) &&
	    !flat_has_gap(&d->flat, searched_pages(&call), QUIRE_PAGE_BYTES))
		return;
	expect(d, "mmap", status, expected);
	if (status != QUIRE_OK)
		return;
	check_place(d, &call, out, hint);
	call.range.first = flat_number(&d->flat, out);
	driver_forget_pins(d, call.range.first, call.range.nr);
	flat_set(&d->flat, call.range.first, call.range.nr,
		 (struct flat_page){
			 .kind = is_foreign ? FLAT_FOREIGN : FLAT_OURS,
			 .prot = (uint8_t)call.prot,
			 .locked = locks,
		 });
}

void driver_munmap(struct driver *d)
{
	struct driver_range range = driver_choose_ours(d);
	enum quire_status status = quire_munmap(d->rig->q, flat_va(&d->flat, range.first),
						bytes_of(d, range.nr));

	if (is_lacking(d, status))
		return;
	expect(d, "munmap", status, QUIRE_OK);
	driver_forget_pins(d, range.first, range.nr);
	flat_set(&d->flat, range.first, range.nr, (struct flat_page){0});
}

void driver_mprotect(struct driver *d)
{
	struct driver_range range = driver_choose_ours(d);
	uint32_t prot = driver_choose_prot(d);
	bool covered = flat_is_all(&d->flat, range.first, range.nr, FLAT_OURS);
	enum quire_status status = quire_mprotect(
		d->rig->q, flat_va(&d->flat, range.first), bytes_of(d, range.nr), prot);

	if (is_lacking(d, status))
		return;
	expect(d, "mprotect", status, covered ? QUIRE_OK : QUIRE_NO_MEMORY);
	for (uint32_t i = 0; i < range.nr && covered; i++)
		d->flat.pages[range.first + i].prot = (uint8_t)prot;
}

static void advise_pages(struct driver *d, struct driver_range range,
			 enum quire_advice advice)
{
	for (uint32_t i = range.first; i < range.first + range.nr; i++) {
		struct flat_page *page = &d->flat.pages[i];

		if (advice == QUIRE_ADVICE_FREE)
			page->may_be_zero = page->bytes != NULL;
		else if (advice <= QUIRE_ADVICE_SEQUENTIAL)
			page->reading = (uint8_t)advice;
	}
	if (advice == QUIRE_ADVICE_DONTNEED || advice == QUIRE_ADVICE_FREE)
		driver_forget_pins(d, range.first, range.nr);
	if (advice == QUIRE_ADVICE_DONTNEED)
		flat_clear(&d->flat, range.first, range.nr);
}

void driver_madvise(struct driver *d)
{
	struct driver_range range = driver_choose_ours(d);
	enum quire_advice advice =
		(enum quire_advice)source_below(d->source, QUIRE_ADVICE_PAGEOUT + 1);
	bool drops = advice == QUIRE_ADVICE_DONTNEED || advice == QUIRE_ADVICE_FREE;
	enum quire_status status, expected = QUIRE_OK;

	if (!flat_is_all(&d->flat, range.first, range.nr, FLAT_OURS))
		expected = QUIRE_NO_MEMORY;
	else if (drops && flat_has_locked(&d->flat, range.first, range.nr))
		expected = QUIRE_INVALID;
	status = quire_madvise(d->rig->q, flat_va(&d->flat, range.first),
			       bytes_of(d, range.nr), advice);
	if (is_lacking(d, status))
		return;
	expect(d, "madvise", status, expected);
	if (status == QUIRE_OK)
		advise_pages(d, range, advice);
}

static uint32_t pages_up(const struct driver *d, quire_vaddr va)
{
	return (uint32_t)((va.a - d->flat.base + QUIRE_PAGE_BYTES - 1) >>
			  QUIRE_PAGE_SHIFT);
}

static void set_break(struct driver *d, uint32_t old, uint32_t new)
{
	const struct flat_page ours = {
		.kind = FLAT_OURS,
		.prot = QUIRE_READ | QUIRE_WRITE,
		.locked = d->locks_future,
	};

	if (new > old) {
		flat_set(&d->flat, old, new - old, ours);
		return;
	}
	driver_forget_pins(d, new, old - new);
	flat_set(&d->flat, new, old - new, (struct flat_page){.kind = FLAT_FOREIGN});
}

void driver_brk(struct driver *d)
{
	uint64_t limit = (uint64_t)(d->rig->brk_pages + 4) << QUIRE_PAGE_SHIFT;
	quire_vaddr want = {d->flat.base}, out;
	uint32_t old = pages_up(d, d->brk), new;
	enum quire_status status, expected = QUIRE_OK;

	if (d->is_shared)
		return;
	want.a += (uint64_t)source_below(d->source, (uint32_t)(limit >> 8)) << 8;
	new = pages_up(d, want);
	if (new > d->rig->brk_pages ||
	    (new > old && !flat_is_all(&d->flat, old, new - old, FLAT_FOREIGN)))
		expected = QUIRE_NO_MEMORY;
	status = quire_brk(d->rig->q, want, &out);
	if (is_lacking(d, status) ||
	    (status == QUIRE_NO_MEMORY && new > old && d->locks_future))
		return;
	expect(d, "brk", status, expected);
	if (status != QUIRE_OK)
		return;
	if (out.a != want.a)
		rig_fail(d->rig, "brk: not where it was told to");
	set_break(d, old, new);
	d->brk = want;
}
