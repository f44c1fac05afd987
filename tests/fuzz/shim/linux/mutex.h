/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_MUTEX_H
#define FUZZ_MUTEX_H

#include <linux/errno.h>
#include <linux/sched.h>

/* ours takes part in the injection of kills */
#define mutex_lock_killable shim_mutex_lock_killable
#include_next <linux/mutex.h>
#undef mutex_lock_killable

#include "../user.h"
#include "../vfs.h"

static inline void vfs_mutex_lock(struct mutex *mutex)
{
	vfs_check_mutex(mutex);
	mutex_lock(mutex);
}
#define mutex_lock(_mutex) vfs_mutex_lock(_mutex)

/*
 * Uncontended, so only a kill can make it fail. User memory may be touched with the outermost lock,
 * that of the peer, and with no other.
 */
static inline int mutex_lock_killable(struct mutex *mutex)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	if (!shim_n_locked())
		user_lock = &mutex->shim;
	mutex_lock(mutex);
	return 0;
}

#endif /* FUZZ_MUTEX_H */
