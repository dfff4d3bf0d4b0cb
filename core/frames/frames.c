/* SPDX-License-Identifier: MIT */
/* frames.c - frames taken and freed: through a CPU's own list where one frame is wanted,
 * by watermark from the zones where it is empty or more is wanted. */
#include "core/base/assert.h"
#include "core/base/memory.h"
#include "core/frames/frames_impl.h"

/* How far down an attempt may take a zone. */
enum mark { MARK_LOW, MARK_MIN, MARK_HALF, MARK_NONE };

static uint32_t keep_of(const struct quire_zone *zone, enum mark mark)
{
	if (mark == MARK_LOW)
		return zone->low;
	return mark == MARK_MIN ? zone->min : zone->min / 2;
}

static bool is_above(const struct quire_locked_zone *z, enum mark mark, uint32_t wanted,
		     uint32_t nr)
{
	uint64_t keep = 0;

	if (mark != MARK_NONE)
		keep = (uint64_t)keep_of(&z->zone, mark) + z->reserve[wanted];
	return qr_zone_free_frames(&z->zone) >= keep + nr;
}

static enum quire_zone_kind highest_zone(const struct quire_frames *f, uint32_t flags)
{
	if ((flags & QUIRE_ALLOC_DMA) != 0)
		return QUIRE_ZONE_DMA;
	if ((flags & QUIRE_ALLOC_HIGH) != 0 && f->zones[QUIRE_ZONE_HIGHMEM].exists)
		return QUIRE_ZONE_HIGHMEM;
	return QUIRE_ZONE_NORMAL;
}

/* How many of the frames, from the first on, are neighbours upwards or downwards. */
static uint32_t run_length(const uint32_t *frames, uint32_t nr)
{
	uint32_t step = nr > 1 ? frames[1] - frames[0] : 0;
	uint32_t next = frames[0];
	uint32_t length = 0;

	if (step != 1 && step != UINT32_MAX)
		return 1;
	for (; length < nr && frames[length] == next; length++)
		next += step;
	return length;
}

/* Frees neighbouring frames of the binary system as the blocks that they would merge
 * into. */
static void free_neighbours(struct quire_buddy *buddy, uint32_t first, uint32_t nr)
{
	for (uint32_t end = first + nr, order; first < end; first += 1u << order) {
		for (order = 0; order < QUIRE_ORDER_MAX && (first >> order & 1) == 0 &&
				end - first >= 2u << order;)
			order++;
		for (uint32_t n = first + (1u << order); --n > first;)
			qr_frame_set_head(&buddy->frames[n], QUIRE_FRAME_TAIL);
		qr_frame_set_head(&buddy->frames[first],
				  qr_head_of(QUIRE_FRAME_CACHED, order, 0));
		qr_buddy_free(buddy, (quire_pfn){first});
	}
}

void qr_frames_flush(struct quire_frames *f, enum quire_zone_kind kind,
		     struct quire_list *list, uint32_t nr)
{
	struct quire_zone *zone = &f->zones[kind].zone;
	uint32_t length = atomic_load_explicit(&list->nr, memory_order_relaxed);
	uint32_t *frames = list->frames;
	bool is_binary = zone->buddy.ops == &qr_buddy_binary;

	for (uint32_t i = 0, run; i < nr; i += run) {
		uint32_t last;

		run = is_binary ? run_length(frames + i, nr - i) : 1;
		last = frames[i + run - 1];
		if (run == 1)
			qr_buddy_free(&zone->buddy, (quire_pfn){last - zone->base});
		else
			free_neighbours(
				&zone->buddy,
				(frames[i] < last ? frames[i] : last) - zone->base, run);
	}
	memmove(frames, frames + nr, (length - nr) * sizeof(frames[0]));
	atomic_store_explicit(&list->nr, length - nr, memory_order_relaxed);
}

void qr_frames_drain_cpu(struct quire_frames *f, struct quire_cpu *cpu)
{
	for (uint32_t kind = 0; kind < QUIRE_ZONES; kind++) {
		struct quire_locked_zone *z = &f->zones[kind];

		if (!z->exists)
			continue;
		qr_lock(&z->lock);
		for (uint32_t group = 0; group < QUIRE_GROUPS; group++) {
			struct quire_list *list = &cpu->lists[kind][group];

			qr_frames_flush(
				f, (enum quire_zone_kind)kind, list,
				atomic_load_explicit(&list->nr, memory_order_relaxed));
		}
		qr_unlock(&z->lock);
	}
}

/* Another CPU needed what this one has: it is given when this one comes by. */
static void answer_drain(struct quire_frames *f, struct quire_cpu *cpu)
{
	uint32_t seen = atomic_load_explicit(&cpu->attention, memory_order_relaxed);

	if ((seen & ATTENTION_DRAIN) == 0)
		return;
	atomic_fetch_and_explicit(&cpu->attention, ~ATTENTION_DRAIN,
				  memory_order_relaxed);
	qr_frames_drain_cpu(f, cpu);
}

void qr_frames_ask_to_drain(struct quire_frames *f)
{
	for (uint32_t i = 0; i < f->nr_cpus; i++)
		atomic_fetch_or_explicit(&f->cpus[i].attention, ATTENTION_DRAIN,
					 memory_order_relaxed);
}

void quire_frames_drain(struct quire_frames *f, uint32_t cpu)
{
	QUIRE_ASSERT(cpu < f->nr_cpus);
	qr_frames_drain_cpu(f, &f->cpus[cpu]);
}

static uint32_t log2_of(uint32_t n)
{
	return 31u - (uint32_t)__builtin_clz(n);
}

/* The records of the frames that the next batch will be are on their way until then. */
static void foresee_batch(const struct quire_buddy *buddy, uint32_t group)
{
	uint32_t order = qr_list_find(buddy, group, 0);
	uint32_t per_line = 64 / sizeof(struct quire_frame);
	const struct quire_frame *first;

	if (order < QUIRE_LIST_BATCH_ORDER || order == QUIRE_NO_ORDER)
		return;
	first = &buddy->frames[buddy->heads[group][order]];
	for (uint32_t i = 0; i < QUIRE_LIST_BATCH; i += per_line)
		__builtin_prefetch(first + i, 1);
}

/* Each frame of a block, whose records start at first, is on a list from now on.  The list
 * names them downwards, since the last of it is taken first. */
static void put_on_list(struct quire_frame *first, uint32_t size, uint32_t n,
			uint32_t *frames)
{
	const struct quire_frame *end = first + size;

	n += size;
	if (size == 1) {
		/* A frame of an uneven system may have an order, and a tag. */
		qr_frame_set_use(first, QUIRE_FRAME_CACHED);
		*frames = n - 1;
		return;
	}
	do {
		qr_frame_set_head(first++, QUIRE_FRAME_CACHED);
		*frames++ = --n;
	} while (first != end);
}

/* Single frames for a list, at most nr.  The smallest free blocks go first, and each is
 * split into frames at once.  One that is larger than what is left to take is only cut when
 * nothing is taken yet: batches then stay whole blocks, and two of them in turn are more
 * than nr. */
static uint32_t take_batch(struct quire_zone *zone, uint32_t group, uint32_t nr,
			   uint32_t *frames)
{
	struct quire_buddy *buddy = &zone->buddy;
	uint32_t taken = 0;

	while (taken < nr) {
		uint32_t order = zone->orders[0], size = 1;
		quire_pfn pfn;

		/* A block of the binary system is as many single frames as it has. */
		if (buddy->ops == &qr_buddy_binary && buddy->filled[group] != 0) {
			uint32_t most = log2_of(nr - taken);

			order = qr_list_find(buddy, group, 0);
			if (order > most && taken > 0)
				break;
			order = order < most ? order : most;
			size = 1u << order;
		}
		if (!qr_buddy_alloc(buddy, order, group, &pfn))
			break;
		put_on_list(&buddy->frames[pfn.n], size, pfn.n + zone->base,
			    frames + taken);
		taken += size;
	}
	return taken;
}

/* Fills the CPU's list from the zone. */
static void refill(struct quire_frames *f, struct quire_cpu *cpu,
		   enum quire_zone_kind kind, uint32_t group, uint32_t nr)
{
	struct quire_zone *zone = &f->zones[kind].zone;
	struct quire_list *list = &cpu->lists[kind][group];
	uint32_t length = atomic_load_explicit(&list->nr, memory_order_relaxed);

	length += take_batch(zone, group, nr, &list->frames[length]);
	if (zone->buddy.ops == &qr_buddy_binary)
		foresee_batch(&zone->buddy, group);
	atomic_store_explicit(&list->nr, length, memory_order_relaxed);
}

/* What is asked for. */
struct request {
	enum quire_frame_use use;
	uint32_t order, flags, group;
	enum quire_zone_kind zone; /* the highest that will do */
};

/* The frame that was freed last, from the CPU's list: it is warm in the CPU's caches. */
static bool pop(struct quire_frames *f, struct quire_cpu *cpu, enum quire_zone_kind kind,
		const struct request *r, quire_pfn *out)
{
	struct quire_list *list = &cpu->lists[kind][r->group];
	uint32_t length = atomic_load_explicit(&list->nr, memory_order_relaxed);
	struct quire_frame *frame;
	uint32_t n;

	if (length == 0)
		return false;
	n = list->frames[length - 1];
	atomic_store_explicit(&list->nr, length - 1, memory_order_relaxed);
	frame = &f->frames[n];
	if (frame->use != QUIRE_FRAME_CACHED)
		qr_frames_misuse(f, (quire_pfn){n}, "a free frame's record was changed",
				 0);
	qr_frame_hand_out(frame, qr_frame_head(frame), r->use);
	qr_count(&cpu->counts[kind][r->use], 1);
	*out = (quire_pfn){n};
	return true;
}

/* From the zone; its lock is held. */
static bool take(struct quire_frames *f, struct quire_cpu *cpu, enum quire_zone_kind kind,
		 const struct request *r, enum mark mark, quire_pfn *out)
{
	struct quire_locked_zone *z = &f->zones[kind];

	if (!is_above(z, mark, r->zone, 1u << r->order))
		return false;
	if (r->order > 0)
		return qr_zone_alloc_block(
			&z->zone, r->use, r->order,
			(r->flags & QUIRE_ALLOC_MOVABLE) | QUIRE_ALLOC_RESERVE, out);
	refill(f, cpu, kind, r->group,
	       is_above(z, mark, r->zone, QUIRE_LIST_BATCH) ? QUIRE_LIST_BATCH : 1);
	return pop(f, cpu, kind, r, out);
}

static bool take_from_zones(struct quire_frames *f, struct quire_cpu *cpu,
			    const struct request *r, enum mark mark, quire_pfn *out)
{
	for (uint32_t i = (uint32_t)r->zone + 1; i-- > 0;) {
		struct quire_locked_zone *z = &f->zones[i];
		bool taken;

		if (!z->exists)
			continue;
		/* Frames on our own list have passed the mark already. */
		if (r->order == 0 && pop(f, cpu, (enum quire_zone_kind)i, r, out))
			return true;
		qr_lock(&z->lock);
		taken = take(f, cpu, (enum quire_zone_kind)i, r, mark, out);
		qr_unlock(&z->lock);
		if (taken)
			return true;
	}
	return false;
}

static enum mark last_mark(uint32_t flags)
{
	if ((flags & QUIRE_ALLOC_RESERVE) != 0)
		return MARK_NONE;
	return (flags & QUIRE_ALLOC_URGENT) != 0 ? MARK_HALF : MARK_MIN;
}

static uint32_t cpu_number(const struct quire_frames *f, const struct quire_cpu *cpu)
{
	return (uint32_t)(cpu - f->cpus);
}

/* Below low the daemon is woken and callers go on to min; below that, what lies idle on
 * lists is fetched, blocks are made by moving pages, and at last memory is reclaimed. */
static __attribute__((noinline)) bool take_slowly(struct quire_frames *f,
						  struct quire_cpu *cpu,
						  const struct request *r, quire_pfn *out)
{
	const struct quire_frames_config *config = &f->config;
	enum mark mark = last_mark(r->flags);

	if (take_from_zones(f, cpu, r, MARK_LOW, out))
		return true;
	if (config->wake != NULL)
		config->wake(config->ctx);
	if (take_from_zones(f, cpu, r, mark, out))
		return true;
	qr_frames_ask_to_drain(f);
	answer_drain(f, cpu);
	if (take_from_zones(f, cpu, r, mark, out))
		return true;
	if (r->order > 0 && quire_frames_compact(f, r->order) &&
	    take_from_zones(f, cpu, r, mark, out))
		return true;
	while (config->pressure != NULL &&
	       config->pressure(config->ctx, cpu_number(f, cpu), r->order)) {
		answer_drain(f, cpu);
		if (take_from_zones(f, cpu, r, mark, out))
			return true;
	}
	return false;
}

static bool fails_on_command(struct quire_frames *f)
{
	uint64_t left = atomic_load_explicit(&f->fail_in, memory_order_relaxed);

	while (left != 0 && !atomic_compare_exchange_weak_explicit(
				    &f->fail_in, &left, left - 1, memory_order_relaxed,
				    memory_order_relaxed))
		;
	return left == 1;
}

/* All but the quickest way. */
static __attribute__((noinline)) bool alloc_any(struct quire_frames *f, uint32_t cpu,
						enum quire_frame_use use, uint32_t order,
						uint32_t flags, uint64_t caller,
						quire_pfn *out)
{
	struct quire_cpu *own = &f->cpus[cpu];
	struct request r = {
		.use = use,
		.order = order,
		.flags = flags,
		.group = f->group && (flags & QUIRE_ALLOC_MOVABLE) != 0 ? 1 : 0,
		.zone = highest_zone(f, flags),
	};
	quire_pfn pfn;

	QUIRE_ASSERT(cpu < f->nr_cpus && order <= QUIRE_ORDER_MAX);
	QUIRE_ASSERT(qr_use_is_handed_out(use));
	if (f->is_checked && fails_on_command(f))
		return false;
	answer_drain(f, own);
	if ((order != 0 || !pop(f, own, r.zone, &r, &pfn)) &&
	    !take_slowly(f, own, &r, &pfn))
		return false;
	if (f->is_checked)
		qr_frames_check_out(f, pfn, 1u << order, caller);
	if ((flags & QUIRE_ALLOC_ZERO) != 0)
		memset(f->port->direct + ((size_t)pfn.n << QUIRE_PAGE_SHIFT), 0,
		       QUIRE_PAGE_BYTES << order);
	*out = pfn;
	return true;
}

/* What is_quick() leaves to say: a frame of NORMAL, from a list that has one, with a
 * record as it should be.  Anything else goes the other way, which looks again. */
static inline bool pop_quickly(struct quire_frames *f, struct quire_cpu *cpu,
			       struct quire_list *list, enum quire_frame_use use,
			       quire_pfn *out)
{
	uint32_t length = atomic_load_explicit(&list->nr, memory_order_relaxed);
	struct quire_frame *frame;
	uint32_t n, head;

	if (__builtin_expect(length == 0, false))
		return false;
	n = list->frames[length - 1];
	frame = &f->frames[n];
	head = qr_frame_head(frame);
	/* Of order 0, and without a tag. */
	if (__builtin_expect(head != QUIRE_FRAME_CACHED, false))
		return false;
	atomic_store_explicit(&list->nr, length - 1, memory_order_relaxed);
	qr_frame_hand_out(frame, head, use);
	qr_count(&cpu->counts[QUIRE_ZONE_NORMAL][use], 1);
	*out = (quire_pfn){n};
	return true;
}

/* A single frame, and nothing is asked of this CPU but to use its lists. */
static inline bool is_quick(const struct quire_cpu *cpu, uint32_t order)
{
	return (order | atomic_load_explicit(&cpu->attention, memory_order_relaxed)) == 0;
}

bool quire_frames_alloc(struct quire_frames *f, uint32_t cpu, enum quire_frame_use use,
			uint32_t order, uint32_t flags, quire_pfn *out)
{
	struct quire_cpu *own = &f->cpus[cpu];
	uint32_t unusual = order | (flags & ~QUIRE_ALLOC_MOVABLE);

	if (__builtin_expect(cpu < f->nr_cpus && is_quick(own, unusual) &&
				     qr_use_is_handed_out(use),
			     true)) {
		struct quire_list *lists = own->lists[QUIRE_ZONE_NORMAL];
		struct quire_list *list = f->group && flags != 0 ? &lists[1] : &lists[0];

		if (__builtin_expect(pop_quickly(f, own, list, use, out), true))
			return true;
	}
	return alloc_any(f, cpu, use, order, flags,
			 (uint64_t)(uintptr_t)__builtin_return_address(0), out);
}

static void free_block(struct quire_frames *f, quire_pfn pfn, uint32_t order)
{
	struct quire_locked_zone *z = &f->zones[qr_frames_zone_of(f, pfn.n)];

	qr_lock(&z->lock);
	qr_zone_free_block(&z->zone, pfn, order);
	qr_unlock(&z->lock);
}

/* The list that a free frame goes to. */
static inline struct quire_list *list_of(const struct quire_frames *f,
					 struct quire_cpu *cpu, enum quire_zone_kind kind,
					 uint32_t n)
{
	return &cpu->lists[kind][f->group ? qr_frames_group_of(&f->zones[kind], n) : 0];
}

/* How many of a full list's frames to give to the zone: a batch, or less where that would
 * cut neighbours apart that merge into a block. */
static uint32_t batch_of(const struct quire_list *list)
{
	uint32_t next = list->frames[QUIRE_LIST_BATCH];
	uint32_t step = next - list->frames[QUIRE_LIST_BATCH - 1];

	if (step == 1)
		return QUIRE_LIST_BATCH - next % QUIRE_LIST_BATCH;
	if (step == UINT32_MAX)
		return QUIRE_LIST_BATCH - ~next % QUIRE_LIST_BATCH;
	return QUIRE_LIST_BATCH;
}

/* To the CPU's list; a full one gives a batch to the zone first. */
static void push(struct quire_frames *f, struct quire_cpu *cpu, quire_pfn pfn)
{
	struct quire_frame *frame = &f->frames[pfn.n];
	enum quire_zone_kind kind = qr_frames_zone_of(f, pfn.n);
	struct quire_locked_zone *z = &f->zones[kind];
	struct quire_list *list = list_of(f, cpu, kind, pfn.n);
	uint32_t length = atomic_load_explicit(&list->nr, memory_order_relaxed);

	if (length == QUIRE_LIST_HIGH) {
		uint32_t nr = batch_of(list);

		qr_lock(&z->lock);
		qr_frames_flush(f, kind, list, nr);
		qr_unlock(&z->lock);
		length -= nr;
	}
	qr_count(&cpu->counts[kind][frame->use], UINT32_MAX);
	qr_frame_set_use(frame, QUIRE_FRAME_CACHED);
	list->frames[length] = pfn.n;
	atomic_store_explicit(&list->nr, length + 1, memory_order_relaxed);
}

/* Whether the record is that of a block of this order, in use by one. */
static const char *what_is_wrong(struct quire_frames *f, quire_pfn pfn, uint32_t order)
{
	const struct quire_frame *frame = &f->frames[pfn.n];
	const struct quire_zone *zone;
	uint32_t given = frame->order;

	enum quire_frame_use whole = quire_frames_use(f, pfn);

	if (whole == QUIRE_FRAME_CACHED || whole == QUIRE_FRAME_FREE) {
		if (f->trace == NULL)
			return "a frame is freed that is free";
		return f->trace[pfn.n].freed != 0
			       ? "a frame is freed twice"
			       : "a frame is freed that was never given";
	}
	if (whole < QUIRE_FRAME_TABLE || whole > QUIRE_FRAME_SLAB)
		return "a frame is freed that was never given";
	if (!qr_frame_is_handed_out(frame) || given == QUIRE_ORDER_PART)
		return "a frame is freed from the middle of a block";
	zone = &f->zones[qr_frames_zone_of(f, pfn.n)].zone;
	if (given < zone->orders[order] ||
	    (given > zone->orders[order] && zone->buddy.ops == &qr_buddy_binary))
		return "a block is freed with another order";
	/* A TABLE's count is of its entries, not of its users. */
	if (frame->use != QUIRE_FRAME_TABLE &&
	    atomic_load_explicit(&frame->refs, memory_order_relaxed) != 0)
		return "a frame is freed that has other users";
	return NULL;
}

/* All but the quickest way. */
static __attribute__((noinline)) void free_any(struct quire_frames *f, uint32_t cpu,
					       quire_pfn pfn, uint32_t order,
					       uint64_t caller)
{
	struct quire_cpu *own = &f->cpus[cpu];
	const char *wrong;

	QUIRE_ASSERT(cpu < f->nr_cpus && order <= QUIRE_ORDER_MAX);
	QUIRE_ASSERT(pfn.n < f->nr_frames);
	wrong = what_is_wrong(f, pfn, order);
	if (wrong != NULL)
		qr_frames_misuse(f, pfn, wrong, caller);
	answer_drain(f, own);
	if (f->is_checked)
		qr_frames_check_in(f, pfn, 1u << order, caller);
	if (order == 0 && qr_frames_is_single(f, pfn))
		push(f, own, pfn);
	else
		free_block(f, pfn, order);
}

/* What is_quick() leaves to say: a frame of NORMAL, in use, of order 0, without a tag and
 * with no other users, and room on its list. */
static inline bool push_quickly(struct quire_frames *f, struct quire_cpu *cpu,
				quire_pfn pfn)
{
	uint32_t start = f->starts[QUIRE_ZONE_NORMAL];
	struct quire_list *list = cpu->lists[QUIRE_ZONE_NORMAL];
	struct quire_frame *frame = &f->frames[pfn.n];
	uint32_t length, use;

	if (pfn.n - start >= f->starts[QUIRE_ZONE_HIGHMEM] - start)
		return false;
	if (f->group)
		list += qr_frames_group_of(&f->zones[QUIRE_ZONE_NORMAL], pfn.n);
	length = atomic_load_explicit(&list->nr, memory_order_relaxed);
	/* All else than a use is 0. */
	use = qr_frame_state(frame);
	if (length >= QUIRE_LIST_HIGH || !qr_use_is_handed_out(use))
		return false;
	list->frames[length] = pfn.n;
	atomic_store_explicit(&list->nr, length + 1, memory_order_relaxed);
	qr_frame_set_head(frame, QUIRE_FRAME_CACHED);
	qr_count(&cpu->counts[QUIRE_ZONE_NORMAL][use], UINT32_MAX);
	return true;
}

void quire_frames_free(struct quire_frames *f, uint32_t cpu, quire_pfn pfn,
		       uint32_t order)
{
	struct quire_cpu *own = &f->cpus[cpu];

	if (__builtin_expect(cpu < f->nr_cpus && is_quick(own, order) &&
				     push_quickly(f, own, pfn),
			     true))
		return;
	free_any(f, cpu, pfn, order, (uint64_t)(uintptr_t)__builtin_return_address(0));
}

void quire_frames_get(struct quire_frames *f, quire_pfn pfn)
{
	struct quire_frame *frame = &f->frames[pfn.n];
	uint16_t refs = atomic_load_explicit(&frame->refs, memory_order_relaxed);

	QUIRE_ASSERT(pfn.n < f->nr_frames && qr_frame_is_handed_out(frame));
	while (refs != QUIRE_REFS_MAX &&
	       !atomic_compare_exchange_weak_explicit(
		       &frame->refs, &refs, (uint16_t)(refs + 1), memory_order_relaxed,
		       memory_order_relaxed))
		;
}

bool quire_frames_put(struct quire_frames *f, uint32_t cpu, quire_pfn pfn)
{
	struct quire_frame *frame = &f->frames[pfn.n];
	uint16_t refs;

	QUIRE_ASSERT(pfn.n < f->nr_frames);
	/* Acquire: what the others did with the frame comes before its next use. */
	refs = atomic_load_explicit(&frame->refs, memory_order_acquire);
	while (refs != 0 && refs != QUIRE_REFS_MAX)
		if (atomic_compare_exchange_weak_explicit(
			    &frame->refs, &refs, (uint16_t)(refs - 1),
			    memory_order_acq_rel, memory_order_acquire))
			return false;
	if (refs == QUIRE_REFS_MAX)
		return false;
	free_any(f, cpu, pfn, 0, (uint64_t)(uintptr_t)__builtin_return_address(0));
	return true;
}

uint32_t quire_frames_users(const struct quire_frames *f, quire_pfn pfn)
{
	const struct quire_frame *frame = &f->frames[pfn.n];

	QUIRE_ASSERT(pfn.n < f->nr_frames);
	if (!qr_frame_is_handed_out(frame))
		return 0;
	return 1u + atomic_load_explicit(&frame->refs, memory_order_relaxed);
}

void quire_frames_fail_in(struct quire_frames *f, uint64_t n)
{
	atomic_store_explicit(&f->fail_in, n, memory_order_relaxed);
	f->is_checked = n != 0 || f->trace != NULL || f->poison;
	for (uint32_t i = 0; i < f->nr_cpus; i++)
		atomic_store_explicit(&f->cpus[i].attention,
				      f->is_checked ? ATTENTION_CHECK : 0,
				      memory_order_relaxed);
}
