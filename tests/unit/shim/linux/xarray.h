/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A table by index: here a sorted array, which suits indices that are inserted in rising order. */
#ifndef SHIM_XARRAY_H
#define SHIM_XARRAY_H

#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <limits.h>

#define XA_FLAGS_ACCOUNT 0x1u
#define XA_PRESENT 0u

struct shim_xa_slot {
	unsigned long index;
	void *entry;
};

struct xarray {
	spinlock_t lock;
	struct shim_xa_slot *slots;
	size_t first;			/* slots before this have been erased */
	size_t end;
	size_t n_slots;
};

#define xa_init_flags(_xa, _flags)							\
	do {										\
		(void)(_flags);								\
		spin_lock_init(&(_xa)->lock);						\
		shim_xa_init(_xa);							\
	} while (0)
#define xa_init(_xa) xa_init_flags((_xa), 0)

#define DEFINE_XARRAY_FLAGS(_name, _flags)								\
	struct xarray _name = {								\
		.lock = {								\
			.pthread = PTHREAD_MUTEX_INITIALIZER,				\
			.shim = { .class = &(struct shim_lock_class){} },		\
		},									\
	}

#define xa_lock(_xa) spin_lock(&(_xa)->lock)
#define xa_unlock(_xa) spin_unlock(&(_xa)->lock)

void shim_xa_init(struct xarray *xa);
bool xa_empty(const struct xarray *xa);
void *xa_load(struct xarray *xa, unsigned long index);
int xa_insert(struct xarray *xa, unsigned long index, void *entry, gfp_t flags);
void *xa_erase(struct xarray *xa, unsigned long index);
void xa_destroy(struct xarray *xa);
/* the first entry at @index or behind it, up to @max; NULL: none */
void *xa_find(struct xarray *xa, unsigned long *index, unsigned long max, unsigned int filter);

#define xa_for_each(_xa, _index, _entry)						\
	for ((_index) = 0;								\
	     ((_entry) = xa_find((_xa), &(_index), ULONG_MAX, XA_PRESENT));		\
	     (_index)++)

#endif /* SHIM_XARRAY_H */
