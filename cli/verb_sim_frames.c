/* SPDX-License-Identifier: MIT */
/* verb_sim_frames.c - `quire sim frames`: what the frames and objects of a busy kernel
 * look like, as Linux prints them, as a picture, or as values. */
#include "cli/cli.h"
#include "cli/sim.h"
#include "cli/sim_kernel.h"
#include "core/report/slabinfo.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What writes a text of any length into the room that there is. */
typedef size_t show_fn(struct quire_kernel *k, char *text, size_t room);

static size_t show_buddyinfo(struct quire_kernel *k, char *text, size_t room)
{
	return quire_frames_buddyinfo(quire_kernel_frames(k), text, room);
}

static size_t show_zoneinfo(struct quire_kernel *k, char *text, size_t room)
{
	return quire_frames_zoneinfo(quire_kernel_frames(k), text, room);
}

static size_t show_pagetypeinfo(struct quire_kernel *k, char *text, size_t room)
{
	return quire_frames_pagetypeinfo(quire_kernel_frames(k), text, room);
}

static size_t show_slabinfo(struct quire_kernel *k, char *text, size_t room)
{
	struct qr_text it;

	qr_text_init(&it, text, room);
	qr_report_slabinfo(&it, quire_kernel_objects(k));
	return it.length;
}

static size_t show_picture(struct quire_kernel *k, char *text, size_t room)
{
	const struct quire_picture picture = {.zone = QUIRE_ZONE_NORMAL, .columns = 64};

	return quire_frames_picture(quire_kernel_frames(k), &picture, text, room);
}

static size_t show_svg(struct quire_kernel *k, char *text, size_t room)
{
	const struct quire_picture picture = {
		.zone = QUIRE_ZONE_NORMAL, .columns = 64, .svg = true};

	return quire_frames_picture(quire_kernel_frames(k), &picture, text, room);
}

static const struct {
	const char *name;
	show_fn *show;
	bool is_alone; /* only shown when it is asked for */
} views[] = {
	{"buddyinfo", show_buddyinfo, false},	    {"zoneinfo", show_zoneinfo, true},
	{"pagetypeinfo", show_pagetypeinfo, false}, {"slabinfo", show_slabinfo, false},
	{"picture", show_picture, false},	    {"svg", show_svg, true},
};
#define NR_VIEWS (sizeof(views) / sizeof(views[0]))

bool qr_sim_view_exists(const char *name)
{
	for (size_t i = 0; i < NR_VIEWS; i++)
		if (strcmp(views[i].name, name) == 0)
			return true;
	return false;
}

/* False: no memory. */
static bool print_view(struct quire_kernel *k, show_fn *show)
{
	char nothing[1], *text;
	size_t length = show(k, nothing, sizeof(nothing));

	text = malloc(length + 1);
	if (text == NULL)
		return false;
	(void)show(k, text, length + 1);
	(void)fputs(text, stdout);
	free(text);
	return true;
}

static void print_account(const struct qr_sim_account *a)
{
	(void)printf("%llu steps: %llu pages cached, %llu evicted, %llu moved; "
		     "%llu dentries, %llu shrunk;\n%llu objects, %llu areas; the daemon "
		     "woken %llu times, %llu turns; %llu allocations refused\n",
		     (unsigned long long)a->steps, (unsigned long long)a->pages,
		     (unsigned long long)a->pages_evicted,
		     (unsigned long long)a->pages_moved, (unsigned long long)a->dentries,
		     (unsigned long long)a->dentries_shrunk,
		     (unsigned long long)a->objects, (unsigned long long)a->areas,
		     (unsigned long long)a->wakes, (unsigned long long)a->turns,
		     (unsigned long long)a->refused);
}

static bool print_text(struct quire_kernel *k, const struct qr_sim_account *account,
		       const char *view)
{
	bool is_done = true;

	if (view == NULL)
		print_account(account);
	for (size_t i = 0; i < NR_VIEWS && is_done; i++) {
		if (view != NULL ? strcmp(views[i].name, view) != 0 : views[i].is_alone)
			continue;
		if (view == NULL)
			(void)printf("\n%s\n", views[i].name);
		is_done = print_view(k, views[i].show);
	}
	return is_done;
}

static json_t *zones_json(struct quire_frames *f)
{
	json_t *zones = json_array();
	struct quire_zone_info z;

	for (uint32_t kind = 0; kind < QUIRE_ZONES; kind++) {
		json_t *blocks;

		if (!quire_frames_info(f, (enum quire_zone_kind)kind, &z))
			continue;
		blocks = json_array();
		for (uint32_t order = 0; order < z.nr_orders; order++)
			(void)json_array_append_new(
				blocks,
				json_pack("{s:i,s:i}", "frames", z.sizes[order], "free",
					  z.blocks[0][order] + z.blocks[1][order]));
		(void)json_array_append_new(
			zones,
			json_pack("{s:s,s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:o}", "name",
				  z.name, "buddy", z.buddy, "spanned", z.spanned,
				  "present", z.present, "managed", z.managed, "free",
				  z.free, "cached", z.cached, "min", z.min, "low", z.low,
				  "high", z.high, "blocks", blocks));
	}
	return zones;
}

static json_t *caches_json(struct quire_objects *objects)
{
	json_t *caches = json_array();
	struct quire_slabinfo info;

	for (uint32_t i = 0; quire_slabinfo(objects, i, &info); i++)
		(void)json_array_append_new(
			caches,
			json_pack("{s:s,s:I,s:I,s:i,s:i,s:i,s:I,s:I}", "name", info.name,
				  "active_objs", (json_int_t)info.active_objs, "num_objs",
				  (json_int_t)info.num_objs, "objsize", info.objsize,
				  "objperslab", info.objperslab, "pagesperslab",
				  info.pagesperslab, "active_slabs",
				  (json_int_t)info.active_slabs, "num_slabs",
				  (json_int_t)info.num_slabs));
	return caches;
}

static bool print_json(struct quire_kernel *k, const struct qr_sim_account *a)
{
	json_t *all = json_pack(
		"{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:o,s:o}", "steps",
		(json_int_t)a->steps, "pages", (json_int_t)a->pages, "pages_evicted",
		(json_int_t)a->pages_evicted, "pages_moved", (json_int_t)a->pages_moved,
		"dentries", (json_int_t)a->dentries, "dentries_shrunk",
		(json_int_t)a->dentries_shrunk, "objects", (json_int_t)a->objects,
		"areas", (json_int_t)a->areas, "wakes", (json_int_t)a->wakes, "turns",
		(json_int_t)a->turns, "refused", (json_int_t)a->refused, "zones",
		zones_json(quire_kernel_frames(k)), "caches",
		caches_json(quire_kernel_objects(k)));
	bool is_done = all != NULL && json_dumpf(all, stdout, JSON_INDENT(1)) == 0;

	(void)putchar('\n');
	json_decref(all);
	return is_done;
}

static int run(const struct qr_sim_options *options)
{
	struct qr_sim_kernel *sim =
		qr_sim_kernel_new(options->ram, options->buddy, options->seed);
	struct qr_sim_account account;
	struct quire_kernel *k;
	const char *wrong;
	bool is_done;

	if (sim == NULL)
		return qr_cli_fail(QR_EXIT_QUIRE, "sim frames: no memory");
	account = qr_sim_kernel_account(sim);
	k = qr_sim_kernel_of(sim);
	is_done = options->json ? print_json(k, &account)
				: print_text(k, &account, options->view);
	wrong = qr_sim_kernel_delete(sim);
	if (wrong != NULL)
		return qr_cli_fail(QR_EXIT_QUIRE, "sim frames: %s", wrong);
	return is_done ? 0 : qr_cli_fail(QR_EXIT_QUIRE, "sim frames: no memory");
}

const struct qr_sim_subject qr_sim_frames = {.name = "frames", .run = run};
