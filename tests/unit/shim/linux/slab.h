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

/*
 * Caches. Memory comes from kmalloc(), and goes to kfree(): garbage, but for what the constructor
 * sets up, which must be as it was when it is given back.
 */
struct kmem_cache {
	size_t size;
	void (*ctor)(void *ptr);
	long n_live;
};

#define SLAB_ACCOUNT 1UL

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     unsigned long flags, void (*ctor)(void *ptr));
void kmem_cache_destroy(struct kmem_cache *cache);
void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t flags);
int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t flags, size_t n, void **ptrs);
void kmem_cache_free(struct kmem_cache *cache, void *ptr);
void kmem_cache_free_bulk(struct kmem_cache *cache, size_t n, void **ptrs);

/*
 * Whether what @ctor sets up is as it was. That is what two runs of it leave the same in different
 * garbage. Overwrites it.
 */
bool shim_is_constructed(void *ptr, size_t size, void (*ctor)(void *ptr));

#endif /* SHIM_SLAB_H */
