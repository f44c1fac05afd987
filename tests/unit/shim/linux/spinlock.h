/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw spinlocks: the only ones that the module has. While one is held nothing may sleep, allocate
 * or free, and no other lock may be taken.
 */
#ifndef SHIM_SPINLOCK_H
#define SHIM_SPINLOCK_H

#include <linux/lockdep.h>
#include <linux/types.h>
#include <pthread.h>

/* A mutex as well: two threads on one processor would spin for a whole time slice. */
typedef struct raw_spinlock {
	pthread_mutex_t pthread;
	struct shim_lock shim;
} raw_spinlock_t;

#define DEFINE_RAW_SPINLOCK(_name)							\
	raw_spinlock_t _name = {							\
		.pthread = PTHREAD_MUTEX_INITIALIZER,					\
		.shim = { .class = &(struct shim_lock_class){} },			\
	}

/* the locks that are set up at one place are of one class */
#define raw_spin_lock_init(_lock)							\
	do {										\
		static struct shim_lock_class shim_class;				\
		shim_raw_spin_lock_init((_lock), &shim_class);				\
	} while (0)

static inline void shim_raw_spin_lock_init(raw_spinlock_t *lock, struct shim_lock_class *class)
{
	pthread_mutex_init(&lock->pthread, NULL);
	shim_lock_init(&lock->shim, class);
}

static inline void raw_spin_lock(raw_spinlock_t *lock)
{
	shim_at(SHIM_LOCK, lock);
	shim_atomic_begin();
	shim_lock_acquire(&lock->shim);
	pthread_mutex_lock(&lock->pthread);
	shim_lock_acquired(&lock->shim);
}

static inline void raw_spin_unlock(raw_spinlock_t *lock)
{
	shim_lock_release(&lock->shim);
	pthread_mutex_unlock(&lock->pthread);
	shim_atomic_end();
	shim_at(SHIM_UNLOCK, lock);
}

#endif /* SHIM_SPINLOCK_H */
