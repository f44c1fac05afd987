/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_MUTEX_H
#define FUZZ_MUTEX_H

#include_next <linux/mutex.h>
#include <linux/errno.h>
#include <linux/sched.h>

#include "../user.h"

/* Uncontended, so only a kill can make it fail; user memory may be touched with no other lock. */
static inline int mutex_lock_killable(struct mutex *mutex)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	mutex_lock(mutex);
	user_lock = &mutex->shim;
	return 0;
}

#endif /* FUZZ_MUTEX_H */
