/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_SLAB_H
#define IL_SLAB_H

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/sched.h>
#include <linux/types.h>

#include "../../il.h"

/* memory comes filled with garbage, and is filled with other garbage when it is freed */
static inline void *il_kmalloc(size_t size, gfp_t flags, const char *what)
{
	if (flags & GFP_KERNEL)
		il_might_sleep(what);
	return il_alloc(size, flags & __GFP_ZERO);
}

static inline void il_kfree(bool quiet, const void *ptr, const char *what)
{
	if (ptr)
		il_free(quiet, ptr, what);
}

#define kmalloc(_size, _flags) il_kmalloc((_size), (_flags), IL_AT("kmalloc"))
#define kfree(_ptr) il_kfree(IL_QUIET, (_ptr), IL_AT("kfree"))
/* may sleep, unlike kfree() */
#define kvfree(_ptr)									\
	do {										\
		il_might_sleep(IL_AT("kvfree"));					\
		kfree(_ptr);								\
	} while (0)

#define kzalloc(_size, _flags) kmalloc((_size), (_flags) | __GFP_ZERO)
#define kvmalloc(_size, _flags) kmalloc((_size), (_flags))
#define kvmalloc_array(_n, _size, _flags) kmalloc((_n) * (_size), (_flags))
#define kvcalloc(_n, _size, _flags) kmalloc((_n) * (_size), (_flags) | __GFP_ZERO)

#endif /* IL_SLAB_H */
