/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_SCHED_H
#define SHIM_SCHED_H

#include "../shim.h"

/* nobody looks into it */
#define current NULL

static inline void cond_resched(void)
{
	shim_might_sleep("cond_resched()");
}

#define __might_sleep(_file, _line) shim_might_sleep("b1_relax()")

/* with the lock as the only one that is held */
#define cond_resched_lock(_lock)							\
	do {										\
		spin_unlock(_lock);							\
		cond_resched();								\
		spin_lock(_lock);							\
	} while (0)

static inline bool fatal_signal_pending(const void *task)
{
	(void)task;
	return shim_killed;
}

#endif /* SHIM_SCHED_H */
