/* SPDX-License-Identifier: MIT */
/* frames_check.c - what is remembered of frames and looked for in them, where debugging
 * is on, and how misuse is reported. */
#include "core/base/memory.h"
#include "core/base/text.h"
#include "core/frames/frames_impl.h"

/* Eight of these are no address on any processor of 64 bits that Quire knows. */
#define POISON 0x6b

static unsigned char *bytes_of(const struct quire_frames *f, quire_pfn pfn)
{
	return f->port->direct + ((size_t)pfn.n << QUIRE_PAGE_SHIFT);
}

static void add_caller(struct qr_text *text, const char *what, uint64_t caller)
{
	if (caller == 0)
		return;
	qr_text_string(text, what, 0);
	qr_text_hex(text, caller);
}

void qr_frames_misuse(const struct quire_frames *f, quire_pfn pfn, const char *what,
		      uint64_t caller)
{
	char line[256];
	struct qr_text text;

	qr_text_init(&text, line, sizeof(line));
	qr_text_string(&text, "frames: ", 0);
	qr_text_string(&text, what, 0);
	qr_text_string(&text, ": frame ", 0);
	qr_text_hex(&text, pfn.n);
	add_caller(&text, ", by ", caller);
	if (f->trace != NULL) {
		add_caller(&text, "; taken by ", f->trace[pfn.n].taken);
		add_caller(&text, "; freed by ", f->trace[pfn.n].freed);
	}
	f->port->panic(f->port->ctx, line);
}

static void look_for_writes(const struct quire_frames *f, quire_pfn pfn, uint64_t caller)
{
	const unsigned char *bytes = bytes_of(f, pfn);

	for (size_t i = 0; i < QUIRE_PAGE_BYTES; i++)
		if (bytes[i] != POISON)
			qr_frames_misuse(f, pfn, "a frame was written to while free",
					 caller);
}

void qr_frames_check_out(struct quire_frames *f, quire_pfn pfn, uint32_t nr,
			 uint64_t caller)
{
	for (uint32_t i = 0; i < nr; i++) {
		quire_pfn at = {pfn.n + i};

		if (f->poison)
			look_for_writes(f, at, caller);
		if (f->trace != NULL)
			f->trace[at.n].taken = caller;
	}
}

void qr_frames_check_in(struct quire_frames *f, quire_pfn pfn, uint32_t nr,
			uint64_t caller)
{
	for (uint32_t i = 0; i < nr; i++) {
		quire_pfn at = {pfn.n + i};

		if (f->poison)
			memset(bytes_of(f, at), POISON, QUIRE_PAGE_BYTES);
		if (f->trace != NULL)
			f->trace[at.n].freed = caller;
	}
}

void qr_frames_poison(struct quire_frames *f, uint32_t first, uint32_t end)
{
	for (uint32_t n = first; f->poison && n < end; n++)
		if (f->frames[n].use <= QUIRE_FRAME_FREE)
			memset(bytes_of(f, (quire_pfn){n}), POISON, QUIRE_PAGE_BYTES);
}
