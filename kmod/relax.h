/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Long loops
 *
 * Purpose: loops over as many elements as users like must let others run, and end when the caller is
 * being killed. Most of these loops are over one element, and would pay more for that than for what
 * they do: so only every 64th time.
 *
 * Context: may sleep.
 */
#ifndef B1_RELAX_H
#define B1_RELAX_H

#include <linux/errno.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>
#include <linux/types.h>

/* elements that are done in one go */
#define B1_RELAX_BATCH 64

/**
 * b1_relax() - let others run
 * @i:		elements done before this one
 */
static inline void b1_relax(size_t i)
{
	if (unlikely(i % B1_RELAX_BATCH == B1_RELAX_BATCH - 1))
		cond_resched();
}

/**
 * b1_relax_killable() - let others run, in a loop that can be given up
 * @i:		elements done before this one
 *
 * Return: 0, or -EINTR if the caller is being killed.
 */
static inline int b1_relax_killable(size_t i)
{
	if (likely(i % B1_RELAX_BATCH != B1_RELAX_BATCH - 1))
		return 0;
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

#endif /* B1_RELAX_H */
