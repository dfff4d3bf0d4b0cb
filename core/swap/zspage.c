/* SPDX-License-Identifier: MIT */
/* zspage.c - objects cut from zspages, and the lists that zspages are on. */
#include "core/swap/zspage.h"

#include "core/base/assert.h"
#include "core/base/memory.h"

struct qr_zspage *qr_zspage_at(const struct quire_swap *swap, uint32_t number)
{
	return qr_pool_at(&swap->zspages, number);
}

/* Behind the zspage after, or first where that is 0. */
static void list_insert(struct quire_swap *swap, struct qr_zspage_list *list,
			uint32_t after, uint32_t number)
{
	struct qr_zspage *z = qr_zspage_at(swap, number);

	z->prev = after;
	z->next = after != 0 ? qr_zspage_at(swap, after)->next : list->first;
	if (after != 0)
		qr_zspage_at(swap, after)->next = number;
	else
		list->first = number;
	if (z->next != 0)
		qr_zspage_at(swap, z->next)->prev = number;
	else
		list->last = number;
}

static void list_remove(struct quire_swap *swap, struct qr_zspage_list *list,
			const struct qr_zspage *z)
{
	if (z->prev != 0)
		qr_zspage_at(swap, z->prev)->next = z->next;
	else
		list->first = z->next;
	if (z->next != 0)
		qr_zspage_at(swap, z->next)->prev = z->prev;
	else
		list->last = z->prev;
}

static struct qr_zspage_list *list_of(struct quire_swap *swap, const struct qr_zspage *z)
{
	if (z->state == QUIRE_ZSPAGE_OPEN)
		return &swap->open[z->size_class];
	QUIRE_EXPECT(z->state == QUIRE_ZSPAGE_FULL);
	return qr_zspage_is_raw(z) ? &swap->full_raw : &swap->full;
}

/* The zspage that is still being cut stays first, so that pages that go out together
 * lie together; behind it comes the one that has had a death most recently. */
static void open_insert(struct quire_swap *swap, uint32_t number)
{
	struct qr_zspage *z = qr_zspage_at(swap, number);
	struct qr_zspage_list *list = &swap->open[z->size_class];
	uint32_t after = list->first;

	z->state = QUIRE_ZSPAGE_OPEN;
	if (after != 0 &&
	    qr_zspage_at(swap, after)->bump == qr_class_objects(z->size_class))
		after = 0;
	list_insert(swap, list, after, number);
}

static void full_append(struct quire_swap *swap, uint32_t number)
{
	struct qr_zspage *z = qr_zspage_at(swap, number);
	struct qr_zspage_list *list;

	z->state = QUIRE_ZSPAGE_FULL;
	list = list_of(swap, z);
	list_insert(swap, list, list->last, number);
}

static bool frame_add(struct quire_swap *swap, struct qr_zspage *z, uint32_t i)
{
	quire_pfn pfn;

	if (!qr_zone_alloc(swap->zone, QUIRE_FRAME_STORE, QUIRE_ALLOC_RESERVE, &pfn))
		return false;
	z->frames[i] = pfn.n;
	swap->frames_raw += qr_zspage_is_raw(z);
	return true;
}

static void frame_remove(struct quire_swap *swap, struct qr_zspage *z, uint32_t i)
{
	qr_zone_free(swap->zone, (quire_pfn){z->frames[i]});
	z->frames[i] = QUIRE_NO_FRAME;
	swap->frames_raw -= qr_zspage_is_raw(z);
}

uint32_t qr_zspage_free_frames(struct quire_swap *swap, struct qr_zspage *z)
{
	uint32_t nr = 0;

	for (uint32_t i = 0; i < QUIRE_EXTENT_FRAMES; i++) {
		if (z->frames[i] == QUIRE_NO_FRAME)
			continue;
		frame_remove(swap, z, i);
		nr++;
	}
	return nr;
}

static unsigned char *piece_at(const struct quire_swap *swap, const struct qr_zspage *z,
			       uint32_t offset, uint32_t *room)
{
	uint32_t within = offset & (QUIRE_PAGE_BYTES - 1);
	quire_pfn pfn = {z->frames[offset >> QUIRE_PAGE_SHIFT]};

	QUIRE_ASSERT(pfn.n != QUIRE_NO_FRAME);
	*room = (uint32_t)QUIRE_PAGE_BYTES - within;
	return (unsigned char *)qr_zone_address(swap->zone, pfn) + within;
}

void qr_zspage_read(const struct quire_swap *swap, const struct qr_zspage *z,
		    uint32_t offset, void *dst, uint32_t bytes)
{
	unsigned char *to = dst;

	while (bytes > 0) {
		uint32_t room;
		const unsigned char *from = piece_at(swap, z, offset, &room);
		uint32_t part = room < bytes ? room : bytes;

		memcpy(to, from, part);
		to += part;
		offset += part;
		bytes -= part;
	}
}

void qr_zspage_write(const struct quire_swap *swap, const struct qr_zspage *z,
		     uint32_t offset, const void *src, uint32_t bytes)
{
	const unsigned char *from = src;

	while (bytes > 0) {
		uint32_t room;
		unsigned char *to = piece_at(swap, z, offset, &room);
		uint32_t part = room < bytes ? room : bytes;

		memcpy(to, from, part);
		from += part;
		offset += part;
		bytes -= part;
	}
}

void qr_zspage_copy(const struct quire_swap *swap, const struct qr_zspage *to,
		    uint32_t to_offset, const struct qr_zspage *from,
		    uint32_t from_offset, uint32_t bytes)
{
	while (bytes > 0) {
		uint32_t room;
		const unsigned char *src = piece_at(swap, from, from_offset, &room);
		uint32_t part = room < bytes ? room : bytes;

		qr_zspage_write(swap, to, to_offset, src, part);
		to_offset += part;
		from_offset += part;
		bytes -= part;
	}
}

/* The two bytes at an object's start: its length, or the next free object. */
static uint16_t word_get(const struct quire_swap *swap, const struct qr_zspage *z,
			 uint32_t index)
{
	uint16_t word;

	qr_zspage_read(swap, z, qr_object_offset(z, index), &word, sizeof(word));
	return word;
}

uint32_t qr_object_length(const struct quire_swap *swap, const struct qr_zspage *z,
			  uint32_t index)
{
	uint32_t length;

	if (qr_zspage_is_raw(z))
		return QUIRE_PAGE_BYTES;
	length = word_get(swap, z, index);
	if (length == 0 || length > qr_class_bytes(z->size_class) - sizeof(uint16_t))
		swap->port->panic(swap->port->ctx,
				  "swap: an object's length is overwritten");
	return length;
}

static uint32_t zspage_alloc(struct quire_swap *swap, uint32_t size_class)
{
	uint32_t number = qr_pool_alloc(&swap->zspages, QUIRE_ALLOC_RESERVE);
	struct qr_zspage *z;

	if (number == 0)
		return 0;
	if (number >= QUIRE_ZSPAGE_LIMIT) {
		qr_pool_free(&swap->zspages, number);
		return 0;
	}
	z = qr_zspage_at(swap, number);
	*z = (struct qr_zspage){
		.size_class = (uint8_t)size_class,
		.free_head = QUIRE_NO_OBJECT,
	};
	for (uint32_t i = 0; i < QUIRE_EXTENT_FRAMES; i++)
		z->frames[i] = QUIRE_NO_FRAME;
	list_insert(swap, &swap->open[size_class], 0, number);
	return number;
}

/* A zspage that is on a list and holds nothing goes. */
static void zspage_free(struct quire_swap *swap, uint32_t number)
{
	struct qr_zspage *z = qr_zspage_at(swap, number);

	list_remove(swap, list_of(swap, z), z);
	qr_zspage_free_frames(swap, z);
	qr_pool_free(&swap->zspages, number);
}

/* The frame under the end of the next object to be cut.  The one under its start is the
 * same, or is there: objects lie end to end and are smaller than a frame, so one that
 * reaches into the next frame begins behind another in its own. */
static bool cut_reserve(struct quire_swap *swap, struct qr_zspage *z)
{
	uint32_t start = qr_object_offset(z, z->bump);
	uint32_t end = start + qr_class_bytes(z->size_class);
	uint32_t last = (end - 1) >> QUIRE_PAGE_SHIFT;

	QUIRE_EXPECT(start >> QUIRE_PAGE_SHIFT == last ||
		     z->frames[start >> QUIRE_PAGE_SHIFT] != QUIRE_NO_FRAME);
	return z->frames[last] != QUIRE_NO_FRAME || frame_add(swap, z, last);
}

static bool cut(struct quire_swap *swap, struct qr_zspage *z, uint32_t *index)
{
	if (z->bump == qr_class_objects(z->size_class) || !cut_reserve(swap, z))
		return false;
	*index = z->bump++;
	return true;
}

static bool take_freed(struct quire_swap *swap, struct qr_zspage *z, uint32_t *index)
{
	if (z->free_head == QUIRE_NO_OBJECT)
		return false;
	*index = z->free_head;
	z->free_head = word_get(swap, z, *index);
	QUIRE_ASSERT(z->free_head == QUIRE_NO_OBJECT || z->free_head < z->bump);
	return true;
}

/* In the raw class an object is free where its frame is missing. */
static bool take_raw(struct quire_swap *swap, struct qr_zspage *z, uint32_t *index)
{
	uint32_t i = 0;

	while (i < QUIRE_EXTENT_FRAMES && z->frames[i] != QUIRE_NO_FRAME)
		i++;
	if (i == QUIRE_EXTENT_FRAMES || !frame_add(swap, z, i))
		return false;
	if (i >= z->bump)
		z->bump = (uint16_t)(i + 1);
	*index = i;
	return true;
}

static bool take_any(struct quire_swap *swap, struct qr_zspage *z, uint32_t *index)
{
	if (qr_zspage_is_raw(z))
		return take_raw(swap, z, index);
	return take_freed(swap, z, index) || cut(swap, z, index);
}

/* The index is the object's from here on. */
static uint32_t object_taken(struct quire_swap *swap, uint32_t number, uint32_t index)
{
	struct qr_zspage *z = qr_zspage_at(swap, number);

	z->nr_live++;
	if (qr_zspage_is_full(z)) {
		list_remove(swap, &swap->open[z->size_class], z);
		full_append(swap, number);
	}
	return number << QUIRE_OBJECTS_SHIFT | index;
}

bool qr_object_take_freed(struct quire_swap *swap, uint32_t size_class, uint32_t *object)
{
	uint32_t number = swap->open[size_class].first;
	uint32_t index;

	while (number != 0 && !take_freed(swap, qr_zspage_at(swap, number), &index))
		number = qr_zspage_at(swap, number)->next;
	if (number == 0)
		return false;
	*object = object_taken(swap, number, index);
	return true;
}

bool qr_object_take(struct quire_swap *swap, uint32_t size_class, uint32_t *object)
{
	uint32_t number = swap->open[size_class].first;
	uint32_t index;

	if (number == 0)
		number = zspage_alloc(swap, size_class);
	if (number == 0)
		return false;
	if (!take_any(swap, qr_zspage_at(swap, number), &index)) {
		if (qr_zspage_at(swap, number)->nr_live == 0)
			zspage_free(swap, number);
		return qr_object_take_freed(swap, size_class, object);
	}
	*object = object_taken(swap, number, index);
	return true;
}

/* The object can be taken again. */
static void object_free(struct quire_swap *swap, struct qr_zspage *z, uint32_t index)
{
	if (qr_zspage_is_raw(z)) {
		frame_remove(swap, z, index);
		return;
	}
	qr_zspage_write(swap, z, qr_object_offset(z, index), &z->free_head,
			sizeof(z->free_head));
	z->free_head = (uint16_t)index;
}

static void give_in_ram(struct quire_swap *swap, uint32_t number, uint32_t index)
{
	struct qr_zspage *z = qr_zspage_at(swap, number);

	if (z->nr_live == 0) {
		zspage_free(swap, number);
		return;
	}
	object_free(swap, z, index);
	if (z->state == QUIRE_ZSPAGE_FULL) {
		list_remove(swap, list_of(swap, z), z);
		open_insert(swap, number);
	}
}

void qr_object_give(struct quire_swap *swap, uint32_t object)
{
	uint32_t number = qr_object_zspage(object);
	struct qr_zspage *z = qr_zspage_at(swap, number);

	QUIRE_ASSERT(z->nr_live > 0);
	z->nr_live--;
	if (z->state == QUIRE_ZSPAGE_SEALED)
		return;
	if (z->state != QUIRE_ZSPAGE_ON_DEVICE) {
		give_in_ram(swap, number, qr_object_index(object));
	} else if (z->nr_live == 0) {
		qr_extent_give(swap, z->area, z->extent);
		qr_pool_free(&swap->zspages, number);
	}
}

void qr_zspage_seal(struct quire_swap *swap, uint32_t number)
{
	struct qr_zspage *z = qr_zspage_at(swap, number);

	list_remove(swap, list_of(swap, z), z);
	z->state = QUIRE_ZSPAGE_SEALED;
}

/* Deaths were only counted: which objects they were is known from the slots that are
 * left.  This is the way of a failed transfer alone, so it may cost a walk. */
static void free_list_rebuild(struct quire_swap *swap, uint32_t number)
{
	struct qr_zspage *z = qr_zspage_at(swap, number);
	uint64_t live[(1u << QUIRE_OBJECTS_SHIFT) / 64] = {0};

	for (uint32_t n = qr_pool_next(&swap->slots, 0); n != 0;
	     n = qr_pool_next(&swap->slots, n)) {
		uint32_t object = *qr_slot_object(swap, n);
		uint32_t i = qr_object_index(object);

		if (qr_object_zspage(object) == number)
			live[i / 64] |= (uint64_t)1 << (i % 64);
	}
	z->free_head = QUIRE_NO_OBJECT;
	for (uint32_t i = z->bump; i-- > 0;) {
		bool is_live = (live[i / 64] >> (i % 64) & 1) != 0;

		if (!is_live && !(qr_zspage_is_raw(z) && z->frames[i] == QUIRE_NO_FRAME))
			object_free(swap, z, i);
	}
}

void qr_zspage_unseal(struct quire_swap *swap, uint32_t number, bool has_losses)
{
	struct qr_zspage *z = qr_zspage_at(swap, number);

	QUIRE_ASSERT(z->state == QUIRE_ZSPAGE_SEALED && z->nr_live > 0);
	if (has_losses)
		free_list_rebuild(swap, number);
	if (!qr_zspage_is_full(z)) {
		open_insert(swap, number);
		return;
	}
	/* It was the oldest. */
	z->state = QUIRE_ZSPAGE_FULL;
	list_insert(swap, list_of(swap, z), 0, number);
}

uint32_t qr_zspage_dispose(struct quire_swap *swap, uint32_t number)
{
	struct qr_zspage *z = qr_zspage_at(swap, number);
	uint32_t nr = qr_zspage_free_frames(swap, z);

	QUIRE_ASSERT(z->state == QUIRE_ZSPAGE_SEALED && z->nr_live == 0);
	qr_pool_free(&swap->zspages, number);
	return nr;
}
