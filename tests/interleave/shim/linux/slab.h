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
	il_might_sleep(what);
	return il_alloc(size, flags & __GFP_ZERO);
}

/* it does not sleep, but is not done while strangers wait for a lock */
static inline void il_kfree(bool quiet, const void *ptr, const char *what)
{
	il_might_sleep(what);
	if (ptr)
		il_free(quiet, ptr, NULL, what);
}

#define kmalloc(_size, _flags) il_kmalloc((_size), (_flags), IL_AT("kmalloc"))
#define kfree(_ptr) il_kfree(IL_QUIET, (_ptr), IL_AT("kfree"))
#define kvfree(_ptr) il_kfree(IL_QUIET, (_ptr), IL_AT("kvfree"))

#define kzalloc(_size, _flags) kmalloc((_size), (_flags) | __GFP_ZERO)
#define kvmalloc(_size, _flags) kmalloc((_size), (_flags))
#define kvmalloc_array(_n, _size, _flags) kmalloc((_n) * (_size), (_flags))
#define kvcalloc(_n, _size, _flags) kmalloc((_n) * (_size), (_flags) | __GFP_ZERO)

/* Garbage as well, but for what the constructor sets up: it must be so when it is given back. */
struct kmem_cache {
	size_t size;
	void (*ctor)(void *ptr);
};

#define SLAB_ACCOUNT 1UL

/* a cache is no part of an execution: it is there before the first and behind the last one */
#define kmem_cache_create(_name, _size, _align, _flags, _ctor)				\
	({										\
		static struct kmem_cache il_cache;					\
		il_cache = (struct kmem_cache){ (_size), (_ctor) };			\
		&il_cache;								\
	})
#define kmem_cache_destroy(_cache) ((void)(_cache))

static inline void *il_cache_alloc(struct kmem_cache *cache, gfp_t flags, const char *what)
{
	void *ptr = il_kmalloc(cache->size, flags, what);

	cache->ctor(ptr);
	return ptr;
}

#define kmem_cache_alloc(_cache, _flags)						\
	il_cache_alloc((_cache), (_flags), IL_AT("kmem_cache_alloc"))
#define kmem_cache_free(_cache, _ptr)							\
	do {										\
		il_might_sleep(IL_AT("kmem_cache_free"));				\
		il_free(IL_QUIET, (_ptr), (_cache)->ctor, IL_AT("kmem_cache_free"));	\
	} while (0)

static inline void kmem_cache_free_bulk(struct kmem_cache *cache, size_t n, void **ptrs)
{
	while (n)
		kmem_cache_free(cache, ptrs[--n]);
}

static inline int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t flags, size_t n,
					void **ptrs)
{
	size_t i;

	for (i = 0; i < n; i++)
		ptrs[i] = kmem_cache_alloc(cache, flags);
	return n;
}

#endif /* IL_SLAB_H */
