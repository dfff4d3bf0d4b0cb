/* SPDX-License-Identifier: MIT */
/* template_test.c - the template port is as polite as its header says. */
#include "ports/template/template.h"
#include "quire/quire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct quire_config config_for(struct quire_stats *stats)
{
	return (struct quire_config){
		.swap = QUIRE_SWAP_NONE,
		.nr_lanes = 1,
		.stats = stats,
	};
}

static void opens_with_ram_and_refuses_areas(void **state)
{
	struct quire_stats stats = {0};
	struct quire_config config = config_for(&stats);
	uint32_t nr_frames = quire_frames_least(&config);
	size_t bytes = (size_t)nr_frames << QUIRE_PAGE_SHIFT;
	unsigned char *ram = aligned_alloc(QUIRE_PAGE_BYTES, bytes);
	quire_vaddr out = {7}, window;
	uint64_t frames_free;
	struct quire_port port;
	struct quire *q;

	(void)state;
	assert_non_null(ram);
	memset(ram, 0, bytes);
	qr_template_port(&port, ram, nr_frames);
	window = port.window.start;
	assert_int_equal(quire_open(&q, &port, &config), QUIRE_OK);
	frames_free = stats.frames_free;
	assert_int_equal(quire_mmap(q, (quire_vaddr){0}, 4096, QUIRE_READ, 0, 0, &out),
			 QUIRE_UNSUPPORTED);
	assert_int_equal(out.a, 7);
	assert_int_equal(quire_brk(q, (quire_vaddr){window.a + 1}, &out),
			 QUIRE_UNSUPPORTED);
	assert_int_equal(quire_fault(q, 0, (quire_vaddr){window.a}, QUIRE_READ),
			 QUIRE_FAULT);
	assert_false(quire_balance(q, 0));
	assert_null(quire_validate(q));
	assert_int_equal(stats.frames_free, frames_free);
	quire_close(q);
	assert_int_equal(stats.frames_free + stats.frames_meta, nr_frames);
	free(ram);
}

static void needs_ram(void **state)
{
	static _Alignas(4096) unsigned char page[QUIRE_PAGE_BYTES];
	struct quire_stats stats = {0};
	struct quire_config config = config_for(&stats);
	struct quire_port port;
	struct quire *q;

	(void)state;
	qr_template_port(&port, page, 1);
	assert_int_equal(quire_open(&q, &port, &config), QUIRE_NO_MEMORY);
	qr_template_port(&port, NULL, 0);
	assert_int_equal(quire_open(&q, &port, &config), QUIRE_INVALID);
}

/* Each op on its own: what copies of this port start from. */
static void says_unsupported(void **state)
{
	static _Alignas(4096) unsigned char page[QUIRE_PAGE_BYTES];
	const quire_pfn pfn = {0};
	const quire_vaddr va = {0x100000000};
	const struct quire_range range = {va, {va.a + QUIRE_PAGE_BYTES}};
	_Atomic uint32_t word = 3;
	struct quire_port port;
	uint64_t nr_extents;

	(void)state;
	qr_template_port(&port, page, 1);
	assert_int_equal(port.version, QUIRE_PORT_VERSION);
	assert_int_equal(port.fill(port.ctx, va, 1, NULL, 0), QUIRE_UNSUPPORTED);
	assert_int_equal(port.area_set(port.ctx, range, QUIRE_READ), QUIRE_UNSUPPORTED);
	assert_int_equal(port.swap_open(port.ctx, 0, &nr_extents), QUIRE_UNSUPPORTED);
	assert_int_equal(port.swap_write(port.ctx, 0, 0, &pfn, 1), QUIRE_UNSUPPORTED);
	assert_int_equal(port.swap_read(port.ctx, 0, 0, page, QUIRE_PAGE_BYTES),
			 QUIRE_UNSUPPORTED);
	assert_null(port.look(port.ctx, va, QUIRE_READ, page));
	assert_true(port.clock(port.ctx) <= port.clock(port.ctx));
	port.wait(port.ctx, &word, 3); /* comes back though nobody notifies */
	port.notify(port.ctx, &word, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(opens_with_ram_and_refuses_areas),
		cmocka_unit_test(needs_ram),
		cmocka_unit_test(says_unsupported),
	};

	return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
