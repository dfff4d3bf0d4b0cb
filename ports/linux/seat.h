/* SPDX-License-Identifier: MIT */
/* seat.h - this process's place in the supervisor's segment, and how it ends there. */
#ifndef QUIRE_PORTS_LINUX_SEAT_H
#define QUIRE_PORTS_LINUX_SEAT_H

#include "ports/linux/segment.h"
#include "ports/linux/settings.h"
#include "ports/linux/text.h"

/* Maps the segment and takes a seat.  Without either the process has a seat of its own
 * that nobody sees, and the segment, if there is one, counts it. */
void qr_seat_attach(const struct quire_settings *settings);
/* A fork's child: a seat of its own.  The old one's account is copied. */
void qr_seat_succeed(void);
/* Notes in the segment that a process runs without a machine. */
void qr_seat_leave(const char *why);

/* A line for the seat, or for stderr where nobody else could tell. */
struct qr_text qr_seat_text(void);
void qr_seat_say(struct qr_text *text, enum quire_seat_end end);
/* Says the line and kills the process. */
_Noreturn void qr_seat_die(struct qr_text *text, enum quire_seat_end end);

#endif
