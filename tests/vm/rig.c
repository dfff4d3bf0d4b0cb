/* SPDX-License-Identifier: MIT */
/* rig.c - opening, checking and closing of a computer under test. */
#include "tests/vm/rig.h"

#include "ports/codec/lz4.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct quire_fault rig_fault;

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

	assert_int_equal(quire_mm_create(rig->vm, &config, &mm), QUIRE_OK);
	return mm;
}

enum quire_status rig_store(struct rig *rig, struct quire_mm *mm, uint64_t va,
			    uint64_t value)
{
	qr_computer_switch(rig->computer, 0, mm);
	return qr_computer_store(rig->computer, 0, va, &value, sizeof(value), &rig_fault);
}

enum quire_status rig_load(struct rig *rig, struct quire_mm *mm, uint64_t va,
			   uint64_t *value)
{
	qr_computer_switch(rig->computer, 0, mm);
	return qr_computer_load(rig->computer, 0, va, value, sizeof(*value), &rig_fault);
}

struct rig_file rig_file(struct rig *rig, uint64_t pages)
{
	struct quire_file_config config;
	struct rig_file f;

	f.store = qr_soft_store_new(qr_computer_soft(rig->computer), pages * PAGE);
	assert_non_null(f.store);
	for (uint64_t i = 0; i < pages; i++) {
		uint64_t word = RIG_WORD + i;

		assert_true(qr_soft_store_poke(f.store, i * PAGE, &word, sizeof(word)));
	}
	config = qr_soft_store_config(f.store, "/data/file");
	assert_int_equal(quire_file_open(rig->vm, &config, &f.file), QUIRE_OK);
	return f;
}

void rig_file_close(struct rig_file *f)
{
	quire_file_close(f->file);
	assert_true(qr_soft_store_is_released(f->store));
	qr_soft_store_delete(f->store);
}

uint64_t rig_stored(const struct rig_file *f, uint64_t at)
{
	uint64_t word;

	qr_soft_store_peek(f->store, at, &word, sizeof(word));
	return word;
}

uint64_t rig_read(const struct rig_file *f, uint64_t at)
{
	uint64_t word = 0;
	size_t done;

	assert_int_equal(quire_file_read(f->file, at, &word, sizeof(word), &done),
			 QUIRE_OK);
	assert_int_equal(done, sizeof(word));
	return word;
}

void rig_write(const struct rig_file *f, uint64_t at, uint64_t value)
{
	size_t done;

	assert_int_equal(quire_file_write(f->file, at, &value, sizeof(value), &done),
			 QUIRE_OK);
	assert_int_equal(done, sizeof(value));
}

uint64_t rig_map(struct quire_mm *mm, const struct rig_file *f, uint64_t first,
		 uint64_t pages, uint32_t prot, uint32_t flags)
{
	uint64_t at;

	assert_int_equal(quire_mm_map_file(mm, f->file, first * PAGE, 0, pages * PAGE,
					   prot, flags, &at),
			 QUIRE_OK);
	return at;
}
