/* SPDX-License-Identifier: MIT */
/* profile_folded.c - folded stacks: a line each, outermost function first, then bytes. */
#include "heap/out.h"
#include "heap/profile.h"

#include <string.h>

static void add_unnamed(struct qr_out *out, const struct qr_module *module, uintptr_t pc)
{
	const char *slash;

	qr_out_text(out, "[");
	if (module != NULL) {
		slash = strrchr(module->path, '/');
		qr_out_text(out, slash != NULL ? slash + 1 : module->path);
		qr_out_text(out, "+");
		pc -= module->base;
	}
	qr_out_text(out, "0x");
	qr_out_number(out, pc, 16);
	qr_out_text(out, "]");
}

void qr_profile_frame(struct qr_out *out, struct qr_modules *modules, uintptr_t pc)
{
	struct qr_module *module = qr_module_at(modules, pc);
	const char *name = module != NULL ? qr_module_name(module, pc) : NULL;

	if (name != NULL)
		qr_out_text(out, name);
	else
		add_unnamed(out, module, pc);
}

void qr_profile_folded(struct qr_out *out, struct qr_modules *modules, bool live)
{
	for (struct qr_stack *stack = qr_profile_stacks(); stack != NULL;
	     stack = stack->linked) {
		uint64_t bytes = live ? stack->live.bytes : stack->allocated.bytes;

		if (bytes == 0)
			continue;
		for (uint32_t i = stack->nr; i-- > 0;) {
			qr_profile_frame(out, modules, stack->pc[i]);
			qr_out_text(out, i != 0 ? ";" : " ");
		}
		qr_out_number(out, bytes, 10);
		qr_out_text(out, "\n");
	}
}
