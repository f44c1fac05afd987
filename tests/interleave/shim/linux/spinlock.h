/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Raw spinlocks: the only ones that the module has. While one is held nothing may sleep, allocate or
 * free, and no other lock may be taken.
 */
#ifndef IL_SPINLOCK_H
#define IL_SPINLOCK_H

#include <linux/lockdep.h>
#include <linux/types.h>

#include "../../il.h"

typedef struct raw_spinlock {
	struct il_lock il;
} raw_spinlock_t;

#define DEFINE_RAW_SPINLOCK(_name)							\
	raw_spinlock_t _name = { .il = { .class = &(struct il_lock_class){ .name = #_name } } }

/* the locks that are set up at one place are of one class */
#define raw_spin_lock_init(_lock)							\
	do {										\
		static struct il_lock_class il_class = { .name = #_lock };		\
		il_lock_init(&(_lock)->il, &il_class);					\
	} while (0)

#define raw_spin_lock(_lock) il_lock(IL_QUIET, &(_lock)->il, true, IL_AT("raw_spin_lock"))
#define raw_spin_unlock(_lock) il_unlock(IL_QUIET, &(_lock)->il, true, IL_AT("raw_spin_unlock"))

#endif /* IL_SPINLOCK_H */
