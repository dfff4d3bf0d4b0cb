/* SPDX-License-Identifier: MIT */
/* frames_map.c - memory maps as firmware gives them, the zones that come of them, and the
 * watermarks beside those of the host's own kernel. */
#include "core/frames/watermark.h"
#include "tests/core/frames_rig.h"

#include <stdio.h>

#define PAGE QUIRE_PAGE_BYTES

static void expect_sorted(const struct quire_ram *map, uint32_t nr,
			  const struct quire_ram *expected, uint32_t nr_expected)
{
	struct quire_ram out[QUIRE_RAM_MAX];
	uint32_t nr_out = QUIRE_RAM_MAX, bad;

	assert_int_equal(quire_ram_sort(map, nr, out, &nr_out, &bad), QUIRE_OK);
	assert_int_equal(nr_out, nr_expected);
	for (uint32_t i = 0; i < nr_out; i++) {
		assert_int_equal(out[i].base, expected[i].base);
		assert_int_equal(out[i].bytes, expected[i].bytes);
		assert_int_equal(out[i].type, expected[i].type);
	}
}

static void unsorted_and_touching_entries_are_joined(void **state)
{
	static const struct quire_ram map[] = {
		{8 * PAGE, 2 * PAGE, QUIRE_RAM_USABLE},
		{0, 3 * PAGE, QUIRE_RAM_USABLE},
		{5 * PAGE, PAGE, QUIRE_RAM_RESERVED},
		{3 * PAGE, 2 * PAGE, QUIRE_RAM_USABLE},
		{20 * PAGE, 0, QUIRE_RAM_RESERVED},
	};
	static const struct quire_ram expected[] = {
		{0, 5 * PAGE, QUIRE_RAM_USABLE},
		{5 * PAGE, PAGE, QUIRE_RAM_RESERVED},
		{8 * PAGE, 2 * PAGE, QUIRE_RAM_USABLE},
	};

	(void)state;
	expect_sorted(map, 5, expected, 3);
}

static void the_stricter_type_holds_where_entries_overlap(void **state)
{
	static const struct quire_ram map[] = {
		{0, 100 * PAGE, QUIRE_RAM_USABLE},
		{10 * PAGE, 10 * PAGE, QUIRE_RAM_RECLAIMABLE},
		{15 * PAGE, 10 * PAGE, QUIRE_RAM_RESERVED},
		{90 * PAGE, 20 * PAGE, QUIRE_RAM_USABLE},
	};
	static const struct quire_ram expected[] = {
		{0, 10 * PAGE, QUIRE_RAM_USABLE},
		{10 * PAGE, 5 * PAGE, QUIRE_RAM_RECLAIMABLE},
		{15 * PAGE, 10 * PAGE, QUIRE_RAM_RESERVED},
		{25 * PAGE, 85 * PAGE, QUIRE_RAM_USABLE},
	};

	(void)state;
	expect_sorted(map, 4, expected, 4);
}

static void odd_edges_become_whole_pages(void **state)
{
	static const struct quire_ram map[] = {
		{1, 4 * PAGE, QUIRE_RAM_USABLE},	 /* pages 1 to 3 */
		{10 * PAGE + 1, 2, QUIRE_RAM_RESERVED},	 /* page 10 */
		{12 * PAGE + 1, PAGE, QUIRE_RAM_USABLE}, /* no whole page */
		{~0ull - 1, 2, QUIRE_RAM_RESERVED},	 /* the very end */
	};
	static const struct quire_ram expected[] = {
		{PAGE, 3 * PAGE, QUIRE_RAM_USABLE},
		{10 * PAGE, PAGE, QUIRE_RAM_RESERVED},
	};

	(void)state;
	expect_sorted(map, 4, expected, 2);
}

static void what_cannot_be_put_right_is_named(void **state)
{
	static const struct quire_ram past[] = {
		{0, PAGE, QUIRE_RAM_USABLE},
		{~0ull - PAGE, 2 * PAGE, QUIRE_RAM_USABLE},
	};
	static const struct quire_ram type[] = {
		{0, PAGE, QUIRE_RAM_USABLE},
		{0, PAGE, QUIRE_RAM_USABLE},
		{0, PAGE, (enum quire_ram_type)77},
	};
	static const struct quire_ram two[] = {
		{4 * PAGE, PAGE, QUIRE_RAM_USABLE},
		{0, PAGE, QUIRE_RAM_USABLE},
	};
	struct quire_ram out[1];
	uint32_t nr = 1, bad;

	(void)state;
	assert_int_equal(quire_ram_sort(past, 2, out, &nr, &bad), QUIRE_INVALID);
	assert_int_equal(bad, 1);
	assert_int_equal(quire_ram_sort(type, 3, out, &nr, &bad), QUIRE_INVALID);
	assert_int_equal(bad, 2);
	assert_int_equal(quire_ram_sort(two, 2, out, &nr, &bad), QUIRE_NO_SPACE);
	assert_int_equal(bad, 0);
}

#define MODEL_PAGES 64u

/* Page by page: the strictest entry that touches it, or holds all of it. */
static int model_type(const struct quire_ram *map, uint32_t nr, uint64_t page)
{
	int type = -1;

	for (uint32_t i = 0; i < nr; i++) {
		uint64_t start = map[i].base, end = start + map[i].bytes;
		uint64_t first = page * PAGE, last = first + PAGE;
		bool touches = start < last && end > first && map[i].bytes > 0;
		bool holds = start <= first && end >= last;

		if ((map[i].type == QUIRE_RAM_RESERVED ? touches : holds) &&
		    (int)map[i].type > type)
			type = (int)map[i].type;
	}
	return type;
}

static void random_maps_agree_with_a_page_by_page_model(void **state)
{
	uint64_t seed = testport_seed();

	(void)state;
	for (uint32_t round = 0; round < 2000; round++) {
		struct quire_ram map[6], out[QUIRE_RAM_MAX];
		uint32_t nr_out = QUIRE_RAM_MAX, bad, at = 0;

		for (uint32_t i = 0; i < 6; i++)
			map[i] = (struct quire_ram){
				testport_random(&seed) % (MODEL_PAGES * PAGE / 2),
				testport_random(&seed) % (MODEL_PAGES * PAGE / 2),
				(enum quire_ram_type)(testport_random(&seed) % 3)};
		assert_int_equal(quire_ram_sort(map, 6, out, &nr_out, &bad), QUIRE_OK);
		for (uint64_t page = 0; page < MODEL_PAGES; page++) {
			int expected = model_type(map, 6, page);
			int found = -1;

			while (at < nr_out && out[at].base + out[at].bytes <= page * PAGE)
				at++;
			if (at < nr_out && out[at].base <= page * PAGE)
				found = (int)out[at].type;
			assert_int_equal(found, expected);
		}
	}
}

static void zones_follow_the_edges(void **state)
{
	static const struct quire_ram map[] = {
		{640 * 1024, 384 * 1024, QUIRE_RAM_RESERVED},
		{0, 24 * MIB, QUIRE_RAM_USABLE},
		{6 * MIB, MIB, QUIRE_RAM_RECLAIMABLE},
	};
	struct rig rig;
	struct quire_zone_info dma, normal, high;

	(void)state;
	rig_open(&rig, (struct quire_frames_config){.map = map, .nr_map = 3});
	assert_true(quire_frames_info(rig.f, QUIRE_ZONE_DMA, &dma));
	assert_true(quire_frames_info(rig.f, QUIRE_ZONE_NORMAL, &normal));
	assert_true(quire_frames_info(rig.f, QUIRE_ZONE_HIGHMEM, &high));
	assert_int_equal(dma.start, 0);
	assert_int_equal(dma.spanned, 1024);
	assert_int_equal(dma.present, 1024 - 96);
	assert_int_equal(dma.managed, 1024 - 96);
	assert_int_equal(normal.start, 1024);
	assert_int_equal(normal.spanned, 3072);
	assert_int_equal(normal.present, 3072);
	assert_int_equal(normal.uses[QUIRE_FRAME_RESERVED], 256);
	assert_true(normal.uses[QUIRE_FRAME_META] > 0);
	assert_int_equal(high.start, 4096);
	assert_int_equal(high.managed, 2048);
	assert_int_equal(high.free, 2048);

	/* What the loader left becomes usable. */
	assert_int_equal(quire_frames_reclaim(rig.f), 256);
	assert_int_equal(quire_frames_reclaim(rig.f), 0);
	rig_check(&rig);
	rig.free_at_start += 256;
	assert_int_equal(rig_free(&rig), rig.free_at_start);
	rig_close(&rig);
}

static void a_machine_needs_memory_and_sane_edges(void **state)
{
	static const struct quire_ram none = {0, 24 * MIB, QUIRE_RAM_RESERVED};
	static const struct quire_ram broken[] = {{0, 24 * MIB, QUIRE_RAM_USABLE},
						  {PAGE, ~0ull, QUIRE_RAM_USABLE}};
	struct testport *tp = testport_new(1024, 0);
	struct quire_frames_config config = {
		.port = &tp->port, .map = &none, .nr_map = 1, .nr_cpus = 1};
	struct quire_frames *f;
	uint32_t bad;

	(void)state;
	assert_int_equal(quire_frames_open(&f, &config, &bad), QUIRE_NO_MEMORY);
	config.map = broken;
	config.nr_map = 2;
	assert_int_equal(quire_frames_open(&f, &config, &bad), QUIRE_INVALID);
	assert_int_equal(bad, 1);
	config.nr_map = 1;
	config.dma_end = 5 * PAGE;
	assert_int_equal(quire_frames_open(&f, &config, &bad), QUIRE_INVALID);
	assert_int_equal(bad, 1);
	config.dma_end = 0;
	config.nr_cpus = 0;
	assert_int_equal(quire_frames_open(&f, &config, &bad), QUIRE_INVALID);
	/* The map says 24 MiB, the port has four: the map is cut. */
	config.nr_cpus = 1;
	assert_int_equal(quire_frames_open(&f, &config, &bad), QUIRE_OK);
	assert_int_equal(f->nr_frames, 1024);
	assert_null(quire_frames_validate(f));
	testport_delete(tp);
}

#define HOST_ZONES 8u

struct host {
	char names[HOST_ZONES][32];
	uint64_t managed[HOST_ZONES], min[HOST_ZONES], low[HOST_ZONES], high[HOST_ZONES];
	uint64_t boost[HOST_ZONES], protection[HOST_ZONES][HOST_ZONES];
	uint32_t nr, ratios[HOST_ZONES];
	uint64_t min_free_kbytes;
	uint32_t scale;
};

static bool read_number(const char *path, uint64_t *out)
{
	FILE *file = fopen(path, "r");
	unsigned long long number;
	bool is_read = file != NULL && fscanf(file, "%llu", &number) == 1;

	if (file != NULL)
		fclose(file);
	if (is_read)
		*out = number;
	return is_read;
}

static void read_protection(struct host *host, const char *at)
{
	for (uint32_t j = 0; j < HOST_ZONES && *at != '\0' && *at != ')'; j++) {
		char *end;

		host->protection[host->nr - 1][j] = strtoull(at + 1, &end, 10);
		at = end;
	}
}

static void read_line(struct host *host, const char *line)
{
	static const char *const fields[] = {"managed", "min", "low", "high", "boost"};
	uint64_t *const values[] = {host->managed, host->min, host->low, host->high,
				    host->boost};
	uint32_t zone = host->nr - 1;
	char name[32];
	unsigned long long value;

	if (sscanf(line, "Node 0, zone %31s", name) == 1 && host->nr < HOST_ZONES) {
		strcpy(host->names[host->nr++], name);
		return;
	}
	if (host->nr == 0)
		return;
	if (strstr(line, "protection: (") != NULL)
		read_protection(host, strchr(line, '('));
	if (sscanf(line, " %31s %llu", name, &value) != 2)
		return;
	for (uint32_t i = 0; i < 5; i++)
		if (strcmp(name, fields[i]) == 0)
			values[i][zone] = value;
}

/* Whether this host shows its first node's zones, and has no other. */
static bool read_host(struct host *host)
{
	FILE *file = fopen("/proc/zoneinfo", "r");
	FILE *ratios = fopen("/proc/sys/vm/lowmem_reserve_ratio", "r");
	uint64_t scale = 0;
	char line[256];
	bool is_one = true;

	memset(host, 0, sizeof(*host));
	while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
		is_one = is_one && strncmp(line, "Node 1", 6) != 0;
		read_line(host, line);
	}
	for (uint32_t i = 0; ratios != NULL && i < HOST_ZONES; i++)
		if (fscanf(ratios, "%u", &host->ratios[i]) != 1)
			break;
	if (file != NULL)
		fclose(file);
	if (ratios != NULL)
		fclose(ratios);
	if (!is_one ||
	    !read_number("/proc/sys/vm/min_free_kbytes", &host->min_free_kbytes) ||
	    !read_number("/proc/sys/vm/watermark_scale_factor", &scale))
		return false;
	host->scale = (uint32_t)scale;
	return host->nr > 0;
}

static void watermarks_are_those_of_the_hosts_kernel(void **state)
{
	struct host host;
	uint64_t lowmem = 0;

	(void)state;
	if (!read_host(&host)) {
		print_message("skipped: one node's /proc/zoneinfo and the settings of "
			      "/proc/sys/vm were not to be had\n");
		skip();
	}
	for (uint32_t i = 0; i < host.nr; i++)
		if (strcmp(host.names[i], "HighMem") != 0 &&
		    strcmp(host.names[i], "Movable") != 0)
			lowmem += host.managed[i];
	for (uint32_t i = 0; i < host.nr; i++) {
		bool is_high = strcmp(host.names[i], "HighMem") == 0 ||
			       strcmp(host.names[i], "Movable") == 0;
		struct qr_watermarks marks =
			qr_watermarks(host.managed[i], lowmem, host.min_free_kbytes / 4,
				      host.scale, is_high);

		if (host.managed[i] == 0)
			continue;
		print_message("%-8s managed %8llu  min %6llu  low %6llu  high %6llu\n",
			      host.names[i], (unsigned long long)host.managed[i],
			      (unsigned long long)marks.min,
			      (unsigned long long)marks.low,
			      (unsigned long long)marks.high);
		assert_int_equal(marks.min + host.boost[i], host.min[i]);
		assert_int_equal(marks.low + host.boost[i], host.low[i]);
		assert_int_equal(marks.high + host.boost[i], host.high[i]);
		for (uint32_t j = i + 1; j < host.nr; j++)
			assert_int_equal(
				qr_lowmem_reserve(host.managed, i, j, host.ratios[i]),
				host.protection[i][j]);
	}
}

static void the_formula_for_min_free_is_clamped(void **state)
{
	(void)state;
	assert_int_equal(qr_min_free_kbytes(0), 128);
	assert_int_equal(qr_min_free_kbytes(1024), 128);
	assert_int_equal(qr_min_free_kbytes(1u << 20), 4096);
	assert_int_equal(qr_min_free_kbytes((1u << 20) - 1), 4095);
	assert_int_equal(qr_min_free_kbytes(16ull << 20), 16384);
	assert_int_equal(qr_min_free_kbytes(1ull << 40), 262144);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(unsorted_and_touching_entries_are_joined),
		cmocka_unit_test(the_stricter_type_holds_where_entries_overlap),
		cmocka_unit_test(odd_edges_become_whole_pages),
		cmocka_unit_test(what_cannot_be_put_right_is_named),
		cmocka_unit_test(random_maps_agree_with_a_page_by_page_model),
		cmocka_unit_test(zones_follow_the_edges),
		cmocka_unit_test(a_machine_needs_memory_and_sane_edges),
		cmocka_unit_test(watermarks_are_those_of_the_hosts_kernel),
		cmocka_unit_test(the_formula_for_min_free_is_clamped),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
