/* SPDX-License-Identifier: MIT */
/* frames_picture.c - a zone's frames as rows of cells, for a terminal or as SVG. */
#include "core/base/assert.h"
#include "core/base/text.h"
#include "core/frames/frames_impl.h"

#define ROWS	   32u
#define CELL_PIXEL 6u

/* How a use is shown. */
static const struct {
	char letter;
	const char *colour, *name;
} looks[QUIRE_FRAME_USES] = {
	[QUIRE_FRAME_TAIL] = {'?', "#000000", "none"},
	[QUIRE_FRAME_FREE] = {'.', "#e8e8e8", "free"},
	[QUIRE_FRAME_WARM] = {'w', "#f3d9b1", "warm"},
	[QUIRE_FRAME_META] = {'#', "#555555", "meta"},
	[QUIRE_FRAME_TABLE] = {'T', "#8e6bbf", "table"},
	[QUIRE_FRAME_STORE] = {'S', "#d98c3f", "store"},
	[QUIRE_FRAME_MAPPED] = {'M', "#4a90d9", "mapped"},
	[QUIRE_FRAME_SLAB] = {'O', "#57a773", "slab"},
	[QUIRE_FRAME_TAKEN] = {'t', "#000000", "taken"},
	[QUIRE_FRAME_CACHED] = {'c', "#bcd7ef", "cached"},
	[QUIRE_FRAME_RESERVED] = {'x', "#aaaaaa", "reserved"},
	[QUIRE_FRAME_BAD] = {'!', "#d0342c", "bad"},
};

/* A walk over the zone's frames, block by block. */
struct walk {
	const struct quire_buddy *buddy;
	uint32_t next; /* the first frame not seen */
	uint32_t end;  /* of the block that it lies in */
	uint32_t use;
};

static uint32_t next_use(struct walk *walk)
{
	struct quire_frame frame;
	bool is_block;

	if (walk->next == walk->end) {
		frame = qr_frame_peek(&walk->buddy->frames[walk->next]);
		is_block =
			frame.use == QUIRE_FRAME_FREE || qr_frame_is_handed_out(&frame);
		walk->use = frame.use;
		walk->end += is_block && frame.order < walk->buddy->nr_orders
				     ? walk->buddy->sizes[frame.order]
				     : 1;
	}
	walk->next++;
	return walk->use;
}

/* What most of the next frames are used for. */
static uint32_t next_cell(struct walk *walk, uint32_t frames)
{
	uint32_t counts[QUIRE_FRAME_USES] = {0};
	uint32_t most = 0;

	for (uint32_t i = 0; i < frames && walk->next < walk->buddy->nr_frames; i++)
		counts[next_use(walk)]++;
	for (uint32_t use = 1; use < QUIRE_FRAME_USES; use++)
		if (counts[use] > counts[most])
			most = use;
	return most;
}

static void add_rectangle(struct qr_text *text, uint32_t x, uint32_t y, uint32_t nr,
			  uint32_t use)
{
	qr_text_string(text, "<rect x=\"", 0);
	qr_text_number(text, x * CELL_PIXEL, 0);
	qr_text_string(text, "\" y=\"", 0);
	qr_text_number(text, y * CELL_PIXEL, 0);
	qr_text_string(text, "\" width=\"", 0);
	qr_text_number(text, nr * CELL_PIXEL, 0);
	qr_text_string(text, "\" height=\"", 0);
	qr_text_number(text, CELL_PIXEL, 0);
	qr_text_string(text, "\" fill=\"", 0);
	qr_text_string(text, looks[use].colour, 0);
	qr_text_string(text, "\"><title>", 0);
	qr_text_string(text, looks[use].name, 0);
	qr_text_string(text, "</title></rect>\n", 0);
}

/* Neighbours alike are one rectangle. */
static void add_svg_row(struct qr_text *text, struct walk *walk, uint32_t y,
			uint32_t columns, uint32_t frames)
{
	uint32_t start = 0, last = 0, x = 0;

	for (; x < columns && walk->next < walk->buddy->nr_frames; x++) {
		uint32_t use = next_cell(walk, frames);

		if (x > 0 && use != last) {
			add_rectangle(text, start, y, x - start, last);
			start = x;
		}
		last = use;
	}
	if (x > start)
		add_rectangle(text, start, y, x - start, last);
}

static void add_letters(struct qr_text *text, struct walk *walk, uint32_t columns,
			uint32_t frames)
{
	for (uint32_t x = 0; x < columns && walk->next < walk->buddy->nr_frames; x++)
		qr_text_char(text, looks[next_cell(walk, frames)].letter);
	qr_text_char(text, '\n');
}

static void add_legend(struct qr_text *text, uint32_t frames)
{
	for (uint32_t use = QUIRE_FRAME_FREE; use < QUIRE_FRAME_USES; use++) {
		if (use == QUIRE_FRAME_TAKEN || use == QUIRE_FRAME_WARM)
			continue;
		qr_text_char(text, looks[use].letter);
		qr_text_char(text, ' ');
		qr_text_string(text, looks[use].name, 0);
		qr_text_string(text, ", ", 0);
	}
	qr_text_string(text, "frames a cell: ", 0);
	qr_text_number(text, frames, 0);
	qr_text_char(text, '\n');
}

size_t quire_frames_picture(struct quire_frames *f, const struct quire_picture *picture,
			    char *bytes, size_t room)
{
	struct quire_locked_zone *z = &f->zones[picture->zone];
	const struct quire_buddy *buddy = &z->zone.buddy;
	struct walk walk = {.buddy = buddy};
	uint32_t frames = picture->frames;
	uint32_t rows = ROWS;
	struct qr_text text;

	QUIRE_ASSERT(picture->columns >= 1 && picture->columns <= 1u << 16);
	qr_text_init(&text, bytes, room);
	if (!z->exists)
		return 0;
	if (frames == 0)
		frames = (buddy->nr_frames - 1) / (picture->columns * ROWS) + 1;
	else
		rows = (uint32_t)((buddy->nr_frames - 1) /
				  ((uint64_t)picture->columns * frames)) +
		       1;
	if (picture->svg) {
		qr_text_string(&text,
			       "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", 0);
		qr_text_number(&text, picture->columns * CELL_PIXEL, 0);
		qr_text_string(&text, "\" height=\"", 0);
		qr_text_number(&text, (uint64_t)rows * CELL_PIXEL, 0);
		qr_text_string(&text, "\">\n", 0);
	}
	qr_lock(&z->lock);
	for (uint32_t y = 0; walk.next < buddy->nr_frames; y++) {
		if (picture->svg)
			add_svg_row(&text, &walk, y, picture->columns, frames);
		else
			add_letters(&text, &walk, picture->columns, frames);
	}
	qr_unlock(&z->lock);
	if (picture->svg)
		qr_text_string(&text, "</svg>\n", 0);
	else
		add_legend(&text, frames);
	return text.length;
}
