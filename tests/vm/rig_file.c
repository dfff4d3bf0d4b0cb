/* SPDX-License-Identifier: MIT */
/* rig_file.c - files of a computer under test. */
#include "tests/vm/rig_fail.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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
	assert_int_equal(rig_file_open(rig, &config, &f.file), QUIRE_OK);
	f.rig = rig;
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

	assert_int_equal(rig_file_read(f->rig, f->file, at, &word, sizeof(word), &done),
			 QUIRE_OK);
	assert_int_equal(done, sizeof(word));
	return word;
}

void rig_write(const struct rig_file *f, uint64_t at, uint64_t value)
{
	size_t done;

	assert_int_equal(
		rig_file_write(f->rig, f->file, at, &value, sizeof(value), &done),
		QUIRE_OK);
	assert_int_equal(done, sizeof(value));
}

uint64_t rig_map_file(struct quire_mm *mm, const struct rig_file *f, uint64_t first,
		      uint64_t pages, uint32_t prot, uint32_t flags)
{
	uint64_t at;

	assert_int_equal(rig_map_at(f->rig, mm, f->file, first * PAGE, 0, pages * PAGE,
				    prot, flags, &at),
			 QUIRE_OK);
	return at;
}
