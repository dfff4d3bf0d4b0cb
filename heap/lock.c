/* SPDX-License-Identifier: MIT */
/* lock.c - the two locks of the heap, and what fork does with them. */
#include "heap/heap.h"
#include "heap/profile.h"

#include <pthread.h>

static pthread_mutex_t heap_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t late_mutex = PTHREAD_MUTEX_INITIALIZER;

void qr_heap_lock(void)
{
	pthread_mutex_lock(&heap_mutex);
}

void qr_heap_unlock(void)
{
	pthread_mutex_unlock(&heap_mutex);
}

void qr_late_lock(void)
{
	pthread_mutex_lock(&late_mutex);
}

void qr_late_unlock(void)
{
	pthread_mutex_unlock(&late_mutex);
}

void qr_heap_fork_prepare(void)
{
	qr_several_fork_prepare();
	qr_late_lock();
	qr_heap_lock();
	qr_profile_lock();
}

void qr_heap_fork_parent(void)
{
	qr_profile_unlock();
	qr_heap_unlock();
	qr_late_unlock();
	qr_several_fork_end();
}

/* The caches of the threads that the child does not have stay as they are: their
 * owners may have been in the middle of a change.  Their blocks can be used and freed;
 * their free slots are lost to the child. */
void qr_heap_fork_child(void)
{
	qr_heap_fork_parent();
}
