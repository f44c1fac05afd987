/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_SCHED_H
#define IL_SCHED_H

#include "../../il.h"

/* nobody looks into it */
#define current NULL
#define fatal_signal_pending(_task) ((void)(_task), il_is_killed())
#define cond_resched() il_might_sleep(IL_AT("cond_resched"))
#define __might_sleep(_file, _line) il_might_sleep(IL_AT("b1_relax"))

#endif /* IL_SCHED_H */
