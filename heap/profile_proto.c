/* SPDX-License-Identifier: MIT */
/* profile_proto.c - pprof's profile.proto, encoded by hand.
 *
 * A message is a row of fields, each a key (number << 3 | type) and a value: a varint
 * (type 0), or a length and that many bytes (type 2).  A message within another is
 * written first and its length put in afterwards, as a varint of a fixed four bytes.
 * Numbers and names of fields are those of github.com/google/pprof/proto/profile.proto.
 */
#include "heap/out.h"
#include "heap/pages.h"
#include "heap/profile.h"

#include <string.h>

enum {
	PROFILE_SAMPLE_TYPE = 1,
	PROFILE_SAMPLE,
	PROFILE_MAPPING,
	PROFILE_LOCATION,
	PROFILE_FUNCTION,
	PROFILE_STRING,
	PROFILE_TIME = 9,
	PROFILE_DURATION,
	PROFILE_PERIOD_TYPE,
	PROFILE_PERIOD,
	PROFILE_DEFAULT_TYPE = 14
};
enum { TYPE_TYPE = 1, TYPE_UNIT };
enum { SAMPLE_LOCATION = 1, SAMPLE_VALUE };
enum {
	MAPPING_ID = 1,
	MAPPING_START,
	MAPPING_LIMIT,
	MAPPING_OFFSET,
	MAPPING_FILE,
	MAPPING_BUILD_ID,
	MAPPING_HAS_FUNCTIONS
};
enum { LOCATION_ID = 1, LOCATION_MAPPING, LOCATION_ADDRESS, LOCATION_LINE };
enum { LINE_FUNCTION = 1 };
enum { FUNCTION_ID = 1, FUNCTION_NAME, FUNCTION_SYSTEM_NAME };

#define LENGTH_BYTES 4u

/* Where in the file a program counter is; open addressing. */
struct place {
	uintptr_t pc;
	uint64_t id;
};

struct proto {
	struct qr_out *out;
	struct qr_modules *modules;
	uint64_t nr_strings, nr_locations;
	struct place *places;
	size_t nr_places; /* a power of two */
};

static void put_varint(struct qr_out *out, uint64_t n)
{
	unsigned char bytes[10];
	size_t nr = 0;

	do {
		bytes[nr] = (unsigned char)(n & 127);
		n >>= 7;
		bytes[nr++] |= n != 0 ? 128 : 0;
	} while (n != 0);
	qr_out_bytes(out, bytes, nr);
}

static void put_number(struct qr_out *out, unsigned field, uint64_t n)
{
	put_varint(out, field << 3);
	put_varint(out, n);
}

static void put_bytes(struct qr_out *out, unsigned field, const void *data, size_t bytes)
{
	put_varint(out, field << 3 | 2);
	put_varint(out, bytes);
	qr_out_bytes(out, data, bytes);
}

/* Begins a message; returns where. */
static size_t begin(struct qr_out *out, unsigned field)
{
	static const unsigned char length[LENGTH_BYTES];

	put_varint(out, field << 3 | 2);
	qr_out_bytes(out, length, LENGTH_BYTES);
	return out->length;
}

static void end(struct qr_out *out, size_t start)
{
	size_t length = out->length - start;

	if (out->failed)
		return;
	for (unsigned i = 0; i < LENGTH_BYTES; i++, length >>= 7)
		out->data[start - LENGTH_BYTES + i] =
			(unsigned char)((length & 127) |
					(i != LENGTH_BYTES - 1 ? 128u : 0u));
}

/* Fields of one kind may stand anywhere between others, in the order that counts. */
static uint64_t add_string_of(struct proto *p, const char *text, size_t bytes)
{
	put_bytes(p->out, PROFILE_STRING, text, bytes);
	return p->nr_strings++;
}

static uint64_t add_string(struct proto *p, const char *text)
{
	return add_string_of(p, text, strlen(text));
}

static void add_type(struct proto *p, unsigned field, const char *type, const char *unit)
{
	uint64_t type_string = add_string(p, type), unit_string = add_string(p, unit);
	size_t at = begin(p->out, field);

	put_number(p->out, TYPE_TYPE, type_string);
	put_number(p->out, TYPE_UNIT, unit_string);
	end(p->out, at);
}

static void add_mapping(struct proto *p, unsigned i)
{
	const struct qr_module *module = &p->modules->module[i];
	char build_id[2 * QR_BUILD_ID];
	uint64_t path, id;
	size_t at;

	for (unsigned k = 0; k < module->build_id_bytes; k++) {
		build_id[2 * k] = "0123456789abcdef"[module->build_id[k] >> 4];
		build_id[2 * k + 1] = "0123456789abcdef"[module->build_id[k] & 15];
	}
	path = add_string(p, module->path);
	id = add_string_of(p, build_id, (size_t)2 * module->build_id_bytes);
	at = begin(p->out, PROFILE_MAPPING);
	put_number(p->out, MAPPING_ID, i + 1);
	put_number(p->out, MAPPING_START, module->start);
	put_number(p->out, MAPPING_LIMIT, module->end);
	put_number(p->out, MAPPING_OFFSET, module->file_offset);
	put_number(p->out, MAPPING_FILE, path);
	put_number(p->out, MAPPING_BUILD_ID, id);
	put_number(p->out, MAPPING_HAS_FUNCTIONS, 1);
	end(p->out, at);
}

static void add_function(struct proto *p, uint64_t id, const char *name)
{
	uint64_t string = add_string(p, name);
	size_t at = begin(p->out, PROFILE_FUNCTION);

	put_number(p->out, FUNCTION_ID, id);
	put_number(p->out, FUNCTION_NAME, string);
	put_number(p->out, FUNCTION_SYSTEM_NAME, string);
	end(p->out, at);
}

static void add_location(struct proto *p, uint64_t id, uintptr_t pc)
{
	struct qr_module *module = qr_module_at(p->modules, pc);
	const char *name = module != NULL ? qr_module_name(module, pc) : NULL;
	size_t at, line;

	if (name != NULL)
		add_function(p, id, name);
	at = begin(p->out, PROFILE_LOCATION);
	put_number(p->out, LOCATION_ID, id);
	if (module != NULL)
		put_number(p->out, LOCATION_MAPPING,
			   (uint64_t)(module - p->modules->module) + 1);
	put_number(p->out, LOCATION_ADDRESS, pc);
	if (name != NULL) {
		line = begin(p->out, LOCATION_LINE);
		put_number(p->out, LINE_FUNCTION, id);
		end(p->out, line);
	}
	end(p->out, at);
}

/* The location's number; it is added if this is the first time. */
static uint64_t locate(struct proto *p, uintptr_t pc)
{
	size_t i = (size_t)((pc * 0x9e3779b97f4a7c15u) >> 32) & (p->nr_places - 1);

	while (p->places[i].id != 0 && p->places[i].pc != pc)
		i = (i + 1) & (p->nr_places - 1);
	if (p->places[i].id == 0) {
		p->places[i].pc = pc;
		p->places[i].id = ++p->nr_locations;
		add_location(p, p->nr_locations, pc);
	}
	return p->places[i].id;
}

static uint64_t whole_blocks(struct qr_weight weight)
{
	return (weight.blocks_1024 + 512) / 1024;
}

static void add_sample(struct proto *p, const struct qr_stack *stack)
{
	uint64_t id[QR_STACK_DEPTH];
	size_t at;

	for (uint32_t i = 0; i < stack->nr; i++)
		id[i] = locate(p, stack->pc[i]);
	at = begin(p->out, PROFILE_SAMPLE);
	for (uint32_t i = 0; i < stack->nr; i++)
		put_number(p->out, SAMPLE_LOCATION, id[i]);
	put_number(p->out, SAMPLE_VALUE, whole_blocks(stack->allocated));
	put_number(p->out, SAMPLE_VALUE, stack->allocated.bytes);
	put_number(p->out, SAMPLE_VALUE, whole_blocks(stack->live));
	put_number(p->out, SAMPLE_VALUE, stack->live.bytes);
	end(p->out, at);
}

static bool make_places(struct proto *p)
{
	size_t nr = 0;

	for (struct qr_stack *s = qr_profile_stacks(); s != NULL; s = s->linked)
		nr += s->nr;
	p->nr_places = QR_PAGE_BYTES;
	while (p->nr_places < 2 * nr)
		p->nr_places *= 2;
	p->places = qr_heap_pages_host.map(NULL, p->nr_places * sizeof(*p->places),
					   QR_PAGE_BYTES);
	return p->places != NULL;
}

void qr_profile_proto(struct qr_out *out, struct qr_modules *modules, uint64_t period,
		      uint64_t started_ns, uint64_t now_ns)
{
	struct proto p = {.out = out, .modules = modules};
	uint64_t live_string;

	if (!make_places(&p)) {
		out->failed = true;
		return;
	}
	/* The first string is the empty one. */
	(void)add_string(&p, "");
	add_type(&p, PROFILE_SAMPLE_TYPE, "alloc_objects", "count");
	add_type(&p, PROFILE_SAMPLE_TYPE, "alloc_space", "bytes");
	add_type(&p, PROFILE_SAMPLE_TYPE, "inuse_objects", "count");
	live_string = p.nr_strings;
	add_type(&p, PROFILE_SAMPLE_TYPE, "inuse_space", "bytes");
	for (unsigned i = 0; i < modules->nr; i++)
		add_mapping(&p, i);
	for (struct qr_stack *s = qr_profile_stacks(); s != NULL; s = s->linked)
		add_sample(&p, s);
	add_type(&p, PROFILE_PERIOD_TYPE, "space", "bytes");
	put_number(out, PROFILE_PERIOD, period);
	put_number(out, PROFILE_TIME, started_ns);
	put_number(out, PROFILE_DURATION, now_ns - started_ns);
	put_number(out, PROFILE_DEFAULT_TYPE, live_string);
	qr_heap_pages_host.unmap(NULL, p.places, p.nr_places * sizeof(*p.places));
}
