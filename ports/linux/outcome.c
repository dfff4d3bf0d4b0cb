/* SPDX-License-Identifier: MIT */
/* outcome.c - what becomes of the program after a fault: it goes on, is told by the host,
 * or ends with a line that says why. */
#include "ports/linux/outcome.h"

#include "ports/linux/ground.h"
#include "ports/linux/seat.h"
#include "ports/linux/sys.h"
#include "ports/linux/uffd.h"

static void add_amount(struct qr_text *text, const char *name, uint64_t bytes)
{
	const uint64_t kib = bytes >> 10, mib = bytes >> 20;

	qr_text_add(text, name);
	qr_text_char(text, ' ');
	qr_text_number(text, mib < 10 ? kib : mib);
	qr_text_add(text, mib < 10 ? " KiB" : " MiB");
}

static struct qr_text begin(void)
{
	struct qr_text text = qr_seat_text();

	qr_text_add(&text, "process ");
	qr_text_number(&text, (uint64_t)qr_host_getpid());
	qr_text_add(&text, " (");
	qr_text_add(&text, qr_ground.seat->name);
	qr_text_add(&text, ") ");
	return text;
}

_Noreturn static void end_out_of_memory(void)
{
	const struct quire_stats *s = &qr_ground.seat->stats;
	struct qr_text text = begin();

	qr_text_add(&text, "wanted a page and none could be freed: ");
	add_amount(&text, "RAM", s->nr_frames << QUIRE_PAGE_SHIFT);
	add_amount(&text, ", pages", s->frames_mapped << QUIRE_PAGE_SHIFT);
	add_amount(&text, ", compressed", s->frames_store << QUIRE_PAGE_SHIFT);
	add_amount(&text, ", tables",
		   (s->frames_table + s->frames_meta) << QUIRE_PAGE_SHIFT);
	add_amount(&text, ", locked", s->locked_bytes);
	add_amount(&text, ", in swap files", s->swap_extents << QUIRE_EXTENT_SHIFT);
	qr_seat_die(&text, QUIRE_END_OOM);
}

_Noreturn static void end_lost(enum quire_status status, quire_vaddr va)
{
	struct qr_text text = begin();

	qr_text_add(&text, "needs the page at address ");
	qr_text_number(&text, va.a);
	qr_text_add(&text, status == QUIRE_IO
				   ? ", which the swap device failed to read"
				   : ", which came back from swap with a wrong checksum");
	qr_seat_die(&text, QUIRE_END_CORRUPT);
}

void qr_outcome_settle(enum quire_status status, quire_vaddr va)
{
	switch (status) {
	case QUIRE_OK:
	case QUIRE_BUSY:
		return;
	case QUIRE_NO_MEMORY:
		end_out_of_memory();
	case QUIRE_IO:
	case QUIRE_CORRUPT:
		end_lost(status, va);
	default:
		/* The host's own protection forbids the access too: tried again, it is
		 * the program's fault, with all that a signal of the host's says. */
		qr_uffd_wake((struct quire_run){va, 1});
	}
}
