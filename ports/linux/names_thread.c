/* SPDX-License-Identifier: MIT */
/* names_thread.c - the calls whose outcome a pinned thread would colour: what it starts
 * inherits its CPUs, and what it asks about them must not be the pin (pin.h). */
#include "ports/linux/ground.h"
#include "ports/linux/next.h"
#include "ports/linux/pin.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

QR_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
			     void *(*run)(void *), void *arg)
{
	int error;

	qr_pin_hold();
	error = QR_NEXT(pthread_create)(thread, attributes, run, arg);
	qr_pin_release();
	return error;
}

QR_EXPORT int system(const char *command)
{
	int status;

	qr_pin_hold();
	status = QR_NEXT(system)(command);
	qr_pin_release();
	return status;
}

QR_EXPORT FILE *popen(const char *command, const char *mode)
{
	FILE *file;

	qr_pin_hold();
	file = QR_NEXT(popen)(command, mode);
	qr_pin_release();
	return file;
}

QR_EXPORT int sched_getaffinity(pid_t tid, size_t bytes, cpu_set_t *set)
{
	int error;

	qr_pin_hold();
	error = QR_NEXT(sched_getaffinity)(tid, bytes, set);
	qr_pin_release();
	return error;
}

QR_EXPORT int sched_setaffinity(pid_t tid, size_t bytes, const cpu_set_t *set)
{
	int error;

	qr_pin_hold();
	error = QR_NEXT(sched_setaffinity)(tid, bytes, set);
	qr_pin_release();
	return error;
}

QR_EXPORT int pthread_getaffinity_np(pthread_t thread, size_t bytes, cpu_set_t *set)
{
	int error;

	qr_pin_hold();
	error = QR_NEXT(pthread_getaffinity_np)(thread, bytes, set);
	qr_pin_release();
	return error;
}

QR_EXPORT int pthread_setaffinity_np(pthread_t thread, size_t bytes, const cpu_set_t *set)
{
	int error;

	qr_pin_hold();
	error = QR_NEXT(pthread_setaffinity_np)(thread, bytes, set);
	qr_pin_release();
	return error;
}
