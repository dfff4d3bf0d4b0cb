/* SPDX-License-Identifier: MIT */
/* names_signal.c - sigaction(2), so that a handler of SIGSEGV learns what it would learn
 * without the machine.
 *
 * Addresses of the reserve that are in no area are mapped for the host, only not
 * accessible: it says SEGV_ACCERR where the program must hear SEGV_MAPERR.  So a handler
 * that asks for the information is called through one that puts it right. */
#include "ports/linux/calls.h"
#include "ports/linux/enter.h"
#include "ports/linux/next.h"

#include <signal.h>

static _Atomic(void (*)(int, siginfo_t *, void *)) program_handler;

static long is_unmapped(const uint64_t *a)
{
	struct quire_range left = {{a[0]}, {a[0] + 1}};
	struct qr_piece piece;

	return qr_piece_next(&left, &piece) && piece.side == QR_MACHINE &&
	       !qr_areas_cover(piece.range);
}

static void tell(int number, siginfo_t *info, void *context)
{
	const uint64_t args[QUIRE_CALL_ARGS] = {(uint64_t)(uintptr_t)info->si_addr};

	if (info->si_code == SEGV_ACCERR && qr_is_managed() &&
	    qr_enter(is_unmapped, args) != 0)
		info->si_code = SEGV_MAPERR;
	atomic_load (&program_handler)(number, info, context);
}

static bool wants_information(const struct sigaction *action)
{
	return action != NULL && (action->sa_flags & SA_SIGINFO) != 0 &&
	       action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

QR_EXPORT int sigaction(int number, const struct sigaction *restrict action,
			struct sigaction *restrict old)
{
	struct sigaction ours, before;
	void (*handler_before)(int, siginfo_t *, void *) = atomic_load(&program_handler);
	int result;

	if (!qr_is_managed() || number != SIGSEGV)
		return QR_NEXT(sigaction)(number, action, old);
	if (wants_information(action)) {
		ours = *action;
		atomic_store(&program_handler, action->sa_sigaction);
		ours.sa_sigaction = tell;
		action = &ours;
	}
	result = QR_NEXT(sigaction)(number, action, &before);
	if (result != 0 || old == NULL)
		return result;
	if (before.sa_sigaction == tell)
		before.sa_sigaction = handler_before;
	*old = before;
	return 0;
}
