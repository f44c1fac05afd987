/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_MUTEX_H
#define SHIM_MUTEX_H

#include <linux/errno.h>
#include <linux/lockdep.h>
#include <linux/types.h>
#include <pthread.h>

struct mutex {
	pthread_mutex_t pthread;
	struct shim_lock shim;
};

/* the locks that are set up at one place are of one class */
#define mutex_init(_mutex)								\
	do {										\
		static struct shim_lock_class shim_class;				\
		shim_mutex_init((_mutex), &shim_class);					\
	} while (0)

static inline void shim_mutex_init(struct mutex *mutex, struct shim_lock_class *class)
{
	pthread_mutex_init(&mutex->pthread, NULL);
	shim_lock_init(&mutex->shim, class);
}

static inline void mutex_destroy(struct mutex *mutex)
{
	WARN_ON(mutex->shim.holder);
	pthread_mutex_destroy(&mutex->pthread);
}

static inline void mutex_lock(struct mutex *mutex)
{
	shim_might_sleep("mutex_lock()");
	shim_at(SHIM_LOCK, mutex);
	shim_lock_acquire(&mutex->shim);
	pthread_mutex_lock(&mutex->pthread);
	shim_lock_acquired(&mutex->shim);
}

/* Fails whenever the caller is being killed: as if another thread always had the mutex then. */
static inline int mutex_lock_killable(struct mutex *mutex)
{
	shim_might_sleep("mutex_lock_killable()");
	if (shim_killed)
		return -EINTR;
	mutex_lock(mutex);
	return 0;
}

static inline void mutex_unlock(struct mutex *mutex)
{
	shim_lock_release(&mutex->shim);
	pthread_mutex_unlock(&mutex->pthread);
	shim_at(SHIM_UNLOCK, mutex);
}

#endif /* SHIM_MUTEX_H */
