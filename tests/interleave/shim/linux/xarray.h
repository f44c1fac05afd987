/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A table by index: a list of entries in rising order, in memory of the test. A lookup is one read
 * of what is at the index, as in the kernel: it takes no lock. Changes are made under the lock.
 */
#ifndef IL_XARRAY_H
#define IL_XARRAY_H

#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <errno.h>
#include <limits.h>

#define XA_FLAGS_ACCOUNT 0x1u
#define XA_PRESENT 0u

#define IL_XA_SLOTS 512

struct il_xa_slot {
	unsigned long index;
	void *entry;
};

struct il_xa_table;

struct xarray {
	spinlock_t lock;
	struct il_xa_table *table;
};

#define xa_init_flags(_xa, _flags)							\
	do {										\
		(void)(_flags);								\
		spin_lock_init(&(_xa)->lock);						\
		(_xa)->table = NULL;							\
	} while (0)
#define xa_init(_xa) xa_init_flags((_xa), 0)

#define DEFINE_XARRAY_FLAGS(_name, _flags)						\
	struct xarray _name = {								\
		.lock = { .il = { .class = &(struct il_lock_class){ .name = #_name } } }, \
	}

#define xa_lock(_xa) spin_lock(&(_xa)->lock)
#define xa_unlock(_xa) spin_unlock(&(_xa)->lock)

void *il_xa_load(bool quiet, struct xarray *xa, unsigned long index, const char *what);
int il_xa_insert(bool quiet, struct xarray *xa, unsigned long index, void *entry, const char *what);
void *il_xa_erase(bool quiet, struct xarray *xa, unsigned long index, const char *what);
void *il_xa_find(bool quiet, struct xarray *xa, unsigned long *index, unsigned long max,
		 const char *what);
void il_xa_destroy(struct xarray *xa);

#define xa_load(_xa, _index) il_xa_load(IL_QUIET, (_xa), (_index), IL_AT("xa_load"))
#define xa_insert(_xa, _index, _entry, _flags)						\
	({										\
		(void)(_flags);								\
		il_might_sleep(IL_AT("xa_insert"));					\
		il_xa_insert(IL_QUIET, (_xa), (_index), (_entry), IL_AT("xa_insert"));	\
	})
#define xa_erase(_xa, _index) il_xa_erase(IL_QUIET, (_xa), (_index), IL_AT("xa_erase"))
/* the first entry at @index or behind it, up to @max; NULL: none */
#define xa_find(_xa, _index, _max, _filter)						\
	({										\
		(void)(_filter);							\
		il_xa_find(IL_QUIET, (_xa), (_index), (_max), IL_AT("xa_find"));	\
	})
#define xa_destroy(_xa) il_xa_destroy(_xa)

#define xa_for_each(_xa, _index, _entry)						\
	for ((_index) = 0;								\
	     ((_entry) = xa_find((_xa), &(_index), ULONG_MAX, XA_PRESENT));		\
	     (_index)++)

#endif /* IL_XARRAY_H */
