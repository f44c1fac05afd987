/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_SCHED_H
#define IL_SCHED_H

#include "../../il.h"

/* nobody looks into it, and nobody is killed */
#define current NULL
#define fatal_signal_pending(_task) ((void)(_task), false)
#define cond_resched() il_might_sleep(IL_AT("cond_resched"))
#define __might_sleep(_file, _line) il_might_sleep(IL_AT("b1_relax"))

/* with the lock as the only one that is held */
#define cond_resched_lock(_lock)							\
	do {										\
		spin_unlock(_lock);							\
		cond_resched();								\
		spin_lock(_lock);							\
	} while (0)

#endif /* IL_SCHED_H */
