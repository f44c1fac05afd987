/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_SPINLOCK_H
#define IL_SPINLOCK_H

#include <linux/lockdep.h>
#include <linux/types.h>

#include "../../il.h"

typedef struct spinlock {
	struct il_lock il;
} spinlock_t;

#define spin_lock_init(_lock)								\
	do {										\
		static struct il_lock_class il_class = { .name = #_lock };		\
		il_lock_init(&(_lock)->il, &il_class);					\
	} while (0)

#define spin_lock(_lock) il_lock(IL_QUIET, &(_lock)->il, true, IL_AT("spin_lock"))
#define spin_unlock(_lock) il_unlock(IL_QUIET, &(_lock)->il, true, IL_AT("spin_unlock"))

#endif /* IL_SPINLOCK_H */
