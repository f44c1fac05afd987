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

/* in b1_relax() */
#define __might_sleep(_file, _line) shim_step()

static inline bool fatal_signal_pending(const void *task)
{
	(void)task;
	return shim_killed;
}

#endif /* SHIM_SCHED_H */
