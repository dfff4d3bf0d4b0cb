/* SPDX-License-Identifier: MIT */
/* rig.c - opening, checking and closing of a computer under test. */
#include "tests/vm/rig_fail.h"

#include "ports/codec/lz4.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

void rig_open(struct rig *rig, struct qr_computer_config config)
{
	struct quire_vm_figures figures;

	if (config.vm.swap != QUIRE_SWAP_NONE)
		config.vm.codec = qr_codec_lz4();
	rig->computer = qr_computer_new(&config);
	assert_non_null(rig->computer);
	rig->vm = qr_computer_vm(rig->computer);
	quire_vm_figures(rig->vm, &figures);
	rig->frames_free = figures.free;
	rig_arm(rig);
}

void rig_validate(struct rig *rig)
{
	const char *wrong = quire_vm_validate(rig->vm);
	char text[160];

	if (wrong == NULL)
		wrong = qr_computer_validate(rig->computer, text, sizeof(text));
	if (wrong != NULL)
		fail_msg("%s", wrong);
}

void rig_close(struct rig *rig)
{
	struct quire_vm_figures figures;

	(void)rig_has_failed(rig);
	rig->vm->zone.fail_in = 0;
	(void)quire_vm_set_hugetlb(rig->vm, QUIRE_HUGE_2M, 0);
	(void)quire_vm_set_hugetlb(rig->vm, QUIRE_HUGE_1G, 0);
	rig_validate(rig);
	quire_vm_figures(rig->vm, &figures);
	assert_int_equal(figures.spaces, 0);
	assert_int_equal(figures.committed, 0);
	assert_int_equal(figures.swapped, 0);
	assert_int_equal(figures.file, 0);
	assert_int_equal(figures.active_anon + figures.active_file, 0);
	assert_int_equal(figures.free, rig->frames_free);
	qr_computer_delete(rig->computer);
}

struct quire_mm_config rig_mm_config(void)
{
	return (struct quire_mm_config){
		.window = {{RIG_BASE}, {RIG_BASE + RIG_PAGES * PAGE}},
		.mmap_top = RIG_BASE + RIG_PAGES * PAGE,
		.mmap_bottom = RIG_BASE + RIG_PAGES * PAGE / 2,
		.brk = {RIG_BASE},
		.limits = {QUIRE_UNLIMITED, QUIRE_UNLIMITED, QUIRE_UNLIMITED,
			   QUIRE_UNLIMITED},
	};
}

struct quire_mm *rig_mm(struct rig *rig)
{
	struct quire_mm_config config = rig_mm_config();
	struct quire_mm *mm;

	assert_int_equal(rig_create(rig, &config, &mm), QUIRE_OK);
	return mm;
}
