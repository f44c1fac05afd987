/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The n-th look for a fatal signal finds one, if the fuzzer wants that. */
#ifndef FUZZ_SCHED_H
#define FUZZ_SCHED_H

#include_next <linux/sched.h>

#include "../user.h"
#include "../vfs.h"

static inline void user_cond_resched(void)
{
	cond_resched();
	user_n_since_resched = 0;
}
#define cond_resched() user_cond_resched()

#define fatal_signal_pending(_task) ((void)(_task), vfs_is_killed())

#endif /* FUZZ_SCHED_H */
