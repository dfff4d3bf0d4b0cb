/* SPDX-License-Identifier: MIT */
/* report_json.c - the account of a run as JSON, written and read.
 *
 * Tables name each number and each text once, for both directions.  Numbers are written
 * as JSON integers, which hold 63 bits; no figure comes near. */
#include "cli/report_json.h"

#include "ports/linux/features.h"
#include "ports/linux/segment.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct number {
	const char *name;
	size_t offset; /* of a uint64_t */
};

struct text {
	const char *name;
	size_t offset, bytes;
};

#define RUN(f)	   offsetof(struct qr_report, f)
#define PROCESS(f) offsetof(struct qr_process, f)

static const struct number run_numbers[] = {
	{"status", RUN(status)},	  {"ns", RUN(ns)},
	{"ram_bytes", RUN(ram_bytes)},	  {"store_bytes", RUN(store_bytes)},
	{"swap_bytes", RUN(swap_bytes)},  {"processes_refused", RUN(nr_refused)},
	{"processes", RUN(nr_processes)}, {NULL, 0},
};

static const struct text run_texts[] = {
	{"command", RUN(command), sizeof(((struct qr_report *)NULL)->command)},
	{"swap", RUN(swap), sizeof(((struct qr_report *)NULL)->swap)},
	{"swap_path", RUN(swap_path), sizeof(((struct qr_report *)NULL)->swap_path)},
	{NULL, 0, 0},
};

static const struct number process_numbers[] = {
	{"pid", PROCESS(pid)},
	{"parent", PROCESS(parent)},
	{"started_ns", PROCESS(started_ns)},
	{"startup_ns", PROCESS(startup_ns)},
	{"foreign_bytes", PROCESS(foreign_bytes)},
	{"peak_resident_anon", PROCESS(peak.anon)},
	{"peak_resident_file", PROCESS(peak.file)},
	{"peak_resident_shmem", PROCESS(peak.shmem)},
	{"peak_outside", PROCESS(peak_outside)},
	{NULL, 0},
};

#define HEAP(f) offsetof(struct quire_heap_stats, f)

static const struct number heap_numbers[] = {
	{"nr_blocks", HEAP(nr_blocks)},
	{"asked_bytes", HEAP(asked_bytes)},
	{"rounding_bytes", HEAP(rounding_bytes)},
	{"usable_bytes", HEAP(usable_bytes)},
	{"unused_bytes", HEAP(unused_bytes)},
	{"span_bytes", HEAP(span_bytes)},
	{"free_bytes", HEAP(free_bytes)},
	{"returned_bytes", HEAP(returned_bytes)},
	{"record_bytes", HEAP(record_bytes)},
	{"held_bytes", HEAP(held_bytes)},
	{"resident_bytes", HEAP(resident_bytes)},
	{"absent_bytes", HEAP(absent_bytes)},
	{NULL, 0},
};

static const struct text process_texts[] = {
	{"name", PROCESS(name), sizeof(((struct qr_process *)NULL)->name)},
	{"text", PROCESS(text), sizeof(((struct qr_process *)NULL)->text)},
	{NULL, 0, 0},
};

static const char *const end_names[] = {
	[QUIRE_END_NONE] = "own",	 [QUIRE_END_OOM] = "out of memory",
	[QUIRE_END_CORRUPT] = "lost",	 [QUIRE_END_PANIC] = "failed",
	[QUIRE_END_REFUSED] = "refused",
};

#define NR_END_NAMES (sizeof(end_names) / sizeof(end_names[0]))

/* Writing. */

static void put_numbers(json_t *to, const struct number *numbers, const void *record)
{
	for (; numbers->name; numbers++) {
		uint64_t value;

		memcpy(&value, (const char *)record + numbers->offset, sizeof(value));
		(void)json_object_set_new(to, numbers->name,
					  json_integer((json_int_t)value));
	}
}

/* A name from a program may be no UTF-8; then its strange bytes become '?'. */
static json_t *text_of(const char *text)
{
	json_t *json = json_string(text);
	char plain[1024];
	size_t i;

	if (json)
		return json;
	for (i = 0; text[i] && i + 1 < sizeof(plain); i++)
		plain[i] = (char)((unsigned char)text[i] < 0x80 ? text[i] : '?');
	plain[i] = '\0';
	return json_string(plain);
}

static void put_texts(json_t *to, const struct text *texts, const void *record)
{
	for (; texts->name; texts++)
		(void)json_object_set_new(to, texts->name,
					  text_of((const char *)record + texts->offset));
}

static json_t *stats_to_json(const struct quire_stats *stats)
{
	json_t *to = json_object();

	for (const struct qr_figure *f = qr_figures; f->name; f++)
		(void)json_object_set_new(
			to, f->name, json_integer((json_int_t)qr_figure_get(stats, f)));
	return to;
}

static json_t *features_to_json(uint64_t features)
{
	json_t *to = json_array();

	for (const struct quire_feature_name *n = qr_feature_names; n->bit; n++)
		if (features & n->bit)
			(void)json_array_append_new(to, json_string(n->name));
	return to;
}

static json_t *process_to_json(const struct qr_process *process)
{
	size_t end = process->end < NR_END_NAMES ? process->end : QUIRE_END_PANIC;
	json_t *to = json_object();

	put_texts(to, process_texts, process);
	put_numbers(to, process_numbers, process);
	(void)json_object_set_new(to, "running", json_boolean(process->running));
	(void)json_object_set_new(to, "end", json_string(end_names[end]));
	(void)json_object_set_new(to, "features", features_to_json(process->features));
	(void)json_object_set_new(to, "stats", stats_to_json(&process->stats));
	if (process->heap.held_bytes != 0) {
		json_t *heap = json_object();

		put_numbers(heap, heap_numbers, &process->heap);
		(void)json_object_set_new(to, "heap", heap);
	}
	return to;
}

json_t *qr_report_to_json(const struct qr_report *report)
{
	json_t *to = json_object();
	json_t *others = json_array();

	put_texts(to, run_texts, report);
	put_numbers(to, run_numbers, report);
	(void)json_object_set_new(to, "total", stats_to_json(&report->total));
	if (report->has_main)
		(void)json_object_set_new(to, "main", process_to_json(&report->main));
	for (size_t i = 0; i < report->nr_others; i++)
		(void)json_array_append_new(others, process_to_json(&report->others[i]));
	(void)json_object_set_new(to, "others", others);
	return to;
}

/* Reading. */

static bool get_number(const json_t *json, void *to)
{
	uint64_t value;

	if (!json_is_integer(json) || json_integer_value(json) < 0)
		return false;
	value = (uint64_t)json_integer_value(json);
	memcpy(to, &value, sizeof(value));
	return true;
}

static const char *get_numbers(const json_t *from, const struct number *numbers,
			       void *record)
{
	for (; numbers->name; numbers++)
		if (!get_number(json_object_get(from, numbers->name),
				(char *)record + numbers->offset))
			return numbers->name;
	return NULL;
}

static const char *get_texts(const json_t *from, const struct text *texts, void *record)
{
	for (; texts->name; texts++) {
		const char *text = json_string_value(json_object_get(from, texts->name));

		if (!text || strlen(text) >= texts->bytes)
			return texts->name;
		memcpy((char *)record + texts->offset, text, strlen(text) + 1);
	}
	return NULL;
}

static const char *stats_from_json(const json_t *in, const char *name,
				   struct quire_stats *stats)
{
	const json_t *from = json_object_get(in, name);

	if (!json_is_object(from))
		return name;
	for (const struct qr_figure *f = qr_figures; f->name; f++) {
		uint64_t value;

		if (!get_number(json_object_get(from, f->name), &value))
			return f->name;
		qr_figure_set(stats, f, value);
	}
	return NULL;
}

/* A name that this version does not know is passed over. */
static uint64_t features_from_json(const json_t *from)
{
	uint64_t features = 0;
	const json_t *one;
	size_t i;

	json_array_foreach(from, i, one)
	{
		const char *name = json_string_value(one);

		for (const struct quire_feature_name *n = qr_feature_names; n->bit; n++)
			if (name && strcmp(n->name, name) == 0)
				features |= n->bit;
	}
	return features;
}

static bool end_from_json(const json_t *from, uint64_t *end)
{
	const char *name = json_string_value(from);

	for (size_t i = 0; name && i < NR_END_NAMES; i++) {
		if (strcmp(end_names[i], name) == 0) {
			*end = i;
			return true;
		}
	}
	return false;
}

/* Only where the program ended by exit(3). */
static const char *heap_from_json(const json_t *from, struct quire_heap_stats *heap)
{
	return from == NULL ? NULL : get_numbers(from, heap_numbers, heap);
}

static const char *process_from_json(const json_t *from, struct qr_process *process)
{
	const char *wrong = get_texts(from, process_texts, process);

	if (!wrong)
		wrong = get_numbers(from, process_numbers, process);
	if (!wrong && !end_from_json(json_object_get(from, "end"), &process->end))
		wrong = "end";
	if (!wrong)
		wrong = stats_from_json(from, "stats", &process->stats);
	if (!wrong)
		wrong = heap_from_json(json_object_get(from, "heap"), &process->heap);
	process->running = json_is_true(json_object_get(from, "running"));
	process->features = features_from_json(json_object_get(from, "features"));
	return wrong;
}

static const char *others_from_json(const json_t *from, struct qr_report *report)
{
	size_t nr = json_array_size(from);

	if (!json_is_array(from))
		return "others";
	if (nr == 0)
		return NULL;
	report->others = calloc(nr, sizeof(*report->others));
	if (!report->others)
		return "others: memory";
	for (size_t i = 0; i < nr; i++) {
		const char *wrong =
			process_from_json(json_array_get(from, i), &report->others[i]);

		if (wrong)
			return wrong;
	}
	report->nr_others = nr;
	return NULL;
}

/* The file says which column stands where; one that is not known here is passed over. */
static const struct qr_column *column_named(const char *name)
{
	const struct qr_column *column = qr_sample_columns;

	while (column->name && (!name || strcmp(column->name, name) != 0))
		column++;
	return column->name ? column : NULL;
}

static bool sample_from_json(const json_t *from, const json_t *columns,
			     struct qr_sample *sample)
{
	const json_t *name;
	size_t i;

	if (json_array_size(from) != json_array_size(columns))
		return false;
	json_array_foreach(columns, i, name)
	{
		const struct qr_column *column = column_named(json_string_value(name));

		if (column &&
		    !get_number(json_array_get(from, i), (char *)sample + column->offset))
			return false;
	}
	return true;
}

static const char *samples_from_json(const json_t *json, struct qr_report *report)
{
	const json_t *columns = json_object_get(json, "sample_columns");
	const json_t *samples = json_object_get(json, "samples");
	size_t nr = json_array_size(samples);

	if (!json_is_array(columns))
		return "sample_columns";
	if (!json_is_array(samples))
		return "samples";
	if (nr == 0)
		return NULL;
	report->samples = calloc(nr, sizeof(*report->samples));
	if (!report->samples)
		return "samples: memory";
	for (size_t i = 0; i < nr; i++)
		if (!sample_from_json(json_array_get(samples, i), columns,
				      &report->samples[i]))
			return "samples";
	report->nr_samples = nr;
	return NULL;
}

const char *qr_report_from_json(const json_t *json, struct qr_report *report)
{
	const json_t *main = json_object_get(json, "main");
	const char *wrong;

	*report = (struct qr_report){0};
	if (json_integer_value(json_object_get(json, "quire_report")) !=
	    QR_REPORT_VERSION)
		return "quire_report";
	wrong = get_texts(json, run_texts, report);
	if (!wrong)
		wrong = get_numbers(json, run_numbers, report);
	if (!wrong)
		wrong = stats_from_json(json, "total", &report->total);
	if (!wrong && main)
		wrong = process_from_json(main, &report->main);
	report->has_main = main != NULL;
	if (!wrong)
		wrong = others_from_json(json_object_get(json, "others"), report);
	if (!wrong)
		wrong = samples_from_json(json, report);
	return wrong;
}
