/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_SLAB_H
#define SHIM_SLAB_H

#include <linux/err.h>
#include <linux/gfp.h>
#include <linux/sched.h>
#include <linux/types.h>

/* memory comes filled with garbage, and is filled with other garbage when it is freed */
void *kmalloc(size_t size, gfp_t flags);
void kfree(const void *ptr);
/* may sleep, unlike kfree() */
void kvfree(const void *ptr);

static inline void *kzalloc(size_t size, gfp_t flags)
{
	return kmalloc(size, flags | __GFP_ZERO);
}

static inline void *kvmalloc(size_t size, gfp_t flags)
{
	return kmalloc(size, flags);
}

static inline void *kvmalloc_array(size_t n, size_t size, gfp_t flags)
{
	return __builtin_mul_overflow(n, size, &size) ? NULL : kmalloc(size, flags);
}

static inline void *kvcalloc(size_t n, size_t size, gfp_t flags)
{
	return kvmalloc_array(n, size, flags | __GFP_ZERO);
}

#endif /* SHIM_SLAB_H */
