/* SPDX-License-Identifier: MIT */
/* rig_fail.h - what a space is like, to be compared after a call that failed. */
#ifndef QUIRE_TESTS_VM_RIG_FAIL_H
#define QUIRE_TESTS_VM_RIG_FAIL_H

#include "tests/vm/rig.h"

#define RIG_STATE_AREAS 1024u
#define RIG_STATE_PAGES 8192u

struct rig_area {
	uint64_t start, end, prot, is_shared, is_locked;
};

struct rig_page {
	uint64_t va, hash;
	bool is_present;
};

struct rig_state {
	uint64_t committed, spaces;
	uint32_t nr_areas, nr_pages;
	struct rig_area areas[RIG_STATE_AREAS];
	struct rig_page pages[RIG_STATE_PAGES];
};

/* The machine is told which allocation fails. */
void rig_arm(struct rig *rig);
/* Whether it just did: true once. */
bool rig_has_failed(struct rig *rig);
/* mm NULL: of the machine alone.  To be freed. */
struct rig_state *rig_state_of(const struct rig *rig, struct quire_mm *mm);
/* It is as it was; may_differ: but for areas and pages. */
void rig_expect_state(const struct rig *rig, struct quire_mm *mm,
		      const struct rig_state *before, bool may_differ);

#endif
