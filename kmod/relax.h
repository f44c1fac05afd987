/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loops over as many elements as users want
 *
 * Purpose: such loops must let others run, and some must end when the caller is being killed, but not
 * after each element: most are done in some dozens of instructions, most loops are over one element,
 * and cond_resched() takes ten.
 *
 * Context: may sleep; b1_relax_lock() with the lock as the only one that is held, apart from mutexes.
 */
#ifndef B1_RELAX_H
#define B1_RELAX_H

#include <linux/errno.h>
#include <linux/lockdep.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/spinlock.h>
#include <linux/types.h>

/* A power of two: also the most steps that are made while a lock is held that strangers may need. */
#define B1_RELAX_BATCH 64

static inline bool b1_relax_is_due(size_t i)
{
	return i % B1_RELAX_BATCH == B1_RELAX_BATCH - 1;
}

/**
 * b1_relax() - let others run now and then
 * @i:		number of the element that is done, from 0
 */
static inline void b1_relax(size_t i)
{
	/* only in kernels that debug: else the rare call below is all that is checked */
	__might_sleep(__FILE__, __LINE__);
	if (b1_relax_is_due(i))
		cond_resched();
}

/**
 * b1_relax_killable() - let others run now and then, in a loop that can be given up
 * @i:		number of the element that is done, from 0
 *
 * Return: 0, or -EINTR if the caller is being killed.
 */
static inline int b1_relax_killable(size_t i)
{
	b1_relax(i);
	return b1_relax_is_due(i) && fatal_signal_pending(current) ? -EINTR : 0;
}

/**
 * b1_relax_steps() - let others run now and then, in a loop around loops of any length
 * @done:	steps that have been made since others could run; 0 at first
 * @n:		steps that are made in this round; each B1_RELAX_BATCH of them have a b1_relax() already
 *
 * Return: true if others could run.
 */
static inline bool b1_relax_steps(size_t *done, size_t n)
{
	*done += n;
	if (likely(*done < B1_RELAX_BATCH))
		return false;
	*done = 0;
	cond_resched();
	return true;
}

/**
 * b1_relax_lock() - let others run, and take the lock, now and then
 * @i:		number of the element that is done, from 0
 * @lock:	shared lock that is held; may have been dropped for a moment
 */
static inline void b1_relax_lock(size_t i, raw_spinlock_t *lock)
{
	lockdep_assert_held(lock);
	if (b1_relax_is_due(i)) {
		raw_spin_unlock(lock);
		cond_resched();
		raw_spin_lock(lock);
	}
}

#endif /* B1_RELAX_H */
