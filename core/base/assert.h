/* SPDX-License-Identifier: MIT */
/* assert.h - what must hold, at three costs.
 *
 * QUIRE_ASSERT    a caller's bug; cheap, always compiled in.
 * QUIRE_EXPECT    an invariant of the same function; compiled in with QUIRE_CHECKS >= 1.
 * QUIRE_VALIDATE  walks a structure; compiled in with QUIRE_CHECKS >= 2.
 *
 * qr_assert_failed is the one function that the core asks of the link rather than of
 * the port: a failed assertion has no machine at hand.  Each ground defines it.
 */
#ifndef QUIRE_CORE_BASE_ASSERT_H
#define QUIRE_CORE_BASE_ASSERT_H

#ifndef QUIRE_CHECKS
#define QUIRE_CHECKS 0
#endif

/* Reports "file:line: condition" and stops. */
void qr_assert_failed(const char *where, const char *condition) __attribute__((noreturn));

#define QUIRE_STRING_(x) #x
#define QUIRE_STRING(x)	 QUIRE_STRING_(x)
#define QUIRE_WHERE	 __FILE__ ":" QUIRE_STRING(__LINE__)

#define QUIRE_ASSERT(cond) ((cond) ? (void)0 : qr_assert_failed(QUIRE_WHERE, #cond))

#if QUIRE_CHECKS >= 1
#define QUIRE_EXPECT(cond) QUIRE_ASSERT(cond)
#else
#define QUIRE_EXPECT(cond) ((void)0)
#endif

#if QUIRE_CHECKS >= 2
#define QUIRE_VALIDATE(cond) QUIRE_ASSERT(cond)
#else
#define QUIRE_VALIDATE(cond) ((void)0)
#endif

#endif
