/* SPDX-License-Identifier: MIT */
/* inject.c - calls that fail on command: a countdown per site. */
#include "ports/soft/parts.h"

bool qr_soft_fails(struct qr_soft *soft, enum qr_soft_site site)
{
	struct qr_soft_injection *injection = &soft->injections[site];

	if (injection->nth == 0)
		return false;
	if (injection->nth > 1) {
		injection->nth--;
		return false;
	}
	if (--injection->nr == 0)
		injection->nth = 0;
	injection->failed++;
	return true;
}

void qr_soft_fail(struct qr_soft *soft, enum qr_soft_site site, uint64_t nth, uint64_t nr)
{
	pthread_mutex_lock(&soft->lock);
	soft->injections[site].nth = nr == 0 ? 0 : nth;
	soft->injections[site].nr = nr;
	pthread_mutex_unlock(&soft->lock);
}

uint64_t qr_soft_failed(struct qr_soft *soft, enum qr_soft_site site)
{
	uint64_t failed;

	pthread_mutex_lock(&soft->lock);
	failed = soft->injections[site].failed;
	pthread_mutex_unlock(&soft->lock);
	return failed;
}
