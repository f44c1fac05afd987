/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_MUTEX_H
#define IL_MUTEX_H

#include <linux/errno.h>
#include <linux/lockdep.h>
#include <linux/types.h>

#include "../../il.h"

struct mutex {
	struct il_lock il;
};

/* the locks that are set up at one place are of one class */
#define mutex_init(_mutex)								\
	do {										\
		static struct il_lock_class il_class = { .name = #_mutex };		\
		il_lock_init(&(_mutex)->il, &il_class);					\
	} while (0)

static inline void mutex_destroy(struct mutex *mutex)
{
	if (mutex->il.busy)
		il_fail("a mutex ends that is held");
}

#define mutex_lock(_mutex) il_lock(IL_QUIET, &(_mutex)->il, false, IL_AT("mutex_lock"))
/* Fails if the thread is being killed, and another one has the mutex. */
#define mutex_lock_killable(_mutex)							\
	(il_lock_killable(IL_QUIET, &(_mutex)->il, IL_AT("mutex_lock_killable")) ? -EINTR : 0)
#define mutex_unlock(_mutex) il_unlock(IL_QUIET, &(_mutex)->il, false, IL_AT("mutex_unlock"))

#endif /* IL_MUTEX_H */
