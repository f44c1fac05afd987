/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_SPINLOCK_H
#define SHIM_SPINLOCK_H

#include <linux/lockdep.h>
#include <linux/types.h>
#include <pthread.h>

/* A mutex as well: two threads on one processor would spin for a whole time slice. */
typedef struct spinlock {
	pthread_mutex_t pthread;
	struct shim_lock shim;
} spinlock_t;

#define spin_lock_init(_lock)								\
	do {										\
		static struct shim_lock_class shim_class;				\
		shim_spin_lock_init((_lock), &shim_class);				\
	} while (0)

static inline void shim_spin_lock_init(spinlock_t *lock, struct shim_lock_class *class)
{
	pthread_mutex_init(&lock->pthread, NULL);
	shim_lock_init(&lock->shim, class);
}

static inline void spin_lock(spinlock_t *lock)
{
	shim_lock_acquire(&lock->shim);
	pthread_mutex_lock(&lock->pthread);
	shim_lock_acquired(&lock->shim);
	shim_atomic_begin();
}

static inline void spin_unlock(spinlock_t *lock)
{
	shim_atomic_end();
	shim_lock_release(&lock->shim);
	pthread_mutex_unlock(&lock->pthread);
	shim_at(SHIM_UNLOCK, lock);
}

#endif /* SHIM_SPINLOCK_H */
