// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/container_of.h>
#include <linux/slab.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim.h"

#define SHIM_MAX_HELD 8
#define SHIM_MAGIC 0x5a5a1234cafe4321ULL

shim_hook_t shim_hook;
unsigned long shim_fail_nth;
bool shim_killed;
bool shim_init_on_free;
bool shim_ratelimited;
int shim_mb_word;

_Noreturn void shim_bug(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	abort();
}

#ifdef __SANITIZE_THREAD__
/*
 * A test runs in a process that ends without looking back, so a race has to end it at once. The
 * order of locks is checked below: the sanitizer takes a hook for the thread that it interrupts.
 */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "halt_on_error=1:detect_deadlocks=0";
}
#endif

static unsigned long shim_logged;
static __thread char shim_line[256];

unsigned long shim_n_logged(void)
{
	return __atomic_load_n(&shim_logged, __ATOMIC_RELAXED);
}

const char *shim_last_logged(void)
{
	return shim_line;
}

void shim_log(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(shim_line, sizeof(shim_line), format, ap);
	va_end(ap);
	__atomic_fetch_add(&shim_logged, 1, __ATOMIC_RELAXED);
}

/* A thread, or a hook that plays one. */
struct shim_context {
	unsigned int n_held;
	bool is_atomic;
	const struct shim_lock *held[SHIM_MAX_HELD];
};

static __thread struct shim_context shim_thread;
static __thread struct shim_context *shim_hooked;

static struct shim_context *shim_self(void)
{
	return shim_hooked ? shim_hooked : &shim_thread;
}

void shim_run_hook(enum shim_point point, const void *addr)
{
	struct shim_context context = {};

	if (shim_hooked)
		return;
	shim_hooked = &context;
	shim_hook(point, addr);
	shim_hooked = NULL;
	WARN_ON(context.n_held);
}

/* Locks */

static long shim_locked;
/* inside[a] has bit b set: a lock of class b was taken while one of class a was held */
static unsigned long shim_inside[SHIM_LOCK_CLASSES];
static int shim_n_classes;

long shim_n_locked(void)
{
	return __atomic_load_n(&shim_locked, __ATOMIC_RELAXED);
}

void shim_might_sleep(const char *what)
{
	if (shim_self()->is_atomic)
		shim_bug(what, 0, "may sleep, or takes long, with a raw spinlock held");
}

static unsigned long shim_steps;

unsigned long shim_n_steps(void)
{
	return __atomic_load_n(&shim_steps, __ATOMIC_RELAXED);
}

void shim_step(void)
{
	shim_might_sleep("b1_relax()");
	__atomic_fetch_add(&shim_steps, 1, __ATOMIC_RELAXED);
}

void shim_atomic_begin(void)
{
	if (shim_self()->is_atomic)
		shim_bug(__FILE__, __LINE__, "two raw spinlocks");
	shim_self()->is_atomic = true;
}

void shim_atomic_end(void)
{
	WARN_ON(!shim_self()->is_atomic);
	shim_self()->is_atomic = false;
}

static int shim_class_id(struct shim_lock_class *class)
{
	int id = __atomic_load_n(&class->id, __ATOMIC_ACQUIRE), old = 0;

	if (id)
		return id;
	id = __atomic_add_fetch(&shim_n_classes, 1, __ATOMIC_RELAXED);
	WARN_ON(id >= SHIM_LOCK_CLASSES);
	if (__atomic_compare_exchange_n(&class->id, &old, id, false, __ATOMIC_ACQ_REL,
					__ATOMIC_ACQUIRE))
		return id;
	return old;
}

void shim_lock_init(struct shim_lock *lock, struct shim_lock_class *class)
{
	lock->holder = NULL;
	lock->class = class;
}

bool shim_lock_is_held(const struct shim_lock *lock)
{
	return __atomic_load_n(&lock->holder, __ATOMIC_RELAXED) == shim_self();
}

static void shim_lock_check_order(struct shim_lock *lock, const struct shim_lock *outer)
{
	int id = shim_class_id(lock->class), outer_id = shim_class_id(outer->class);

	if (id == outer_id)
		shim_bug(__FILE__, __LINE__, "two locks of one class");
	if (__atomic_load_n(&shim_inside[id], __ATOMIC_RELAXED) & (1UL << outer_id))
		shim_bug(__FILE__, __LINE__, "locks taken in both orders");
	__atomic_fetch_or(&shim_inside[outer_id], 1UL << id, __ATOMIC_RELAXED);
}

/* About to wait for a lock: may it be? */
void shim_lock_acquire(struct shim_lock *lock)
{
	struct shim_context *self = shim_self();
	unsigned int i;

	for (i = 0; i < self->n_held; i++)
		shim_lock_check_order(lock, self->held[i]);
	/* a hook cannot wait for the thread it interrupts */
	if (shim_hooked && __atomic_load_n(&lock->holder, __ATOMIC_RELAXED))
		shim_bug(__FILE__, __LINE__, "the hook would have to wait for a lock");
}

void shim_lock_acquired(struct shim_lock *lock)
{
	struct shim_context *self = shim_self();

	WARN_ON(self->n_held == SHIM_MAX_HELD);
	self->held[self->n_held++] = lock;
	__atomic_store_n(&lock->holder, self, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shim_locked, 1, __ATOMIC_RELAXED);
}

void shim_lock_release(struct shim_lock *lock)
{
	struct shim_context *self = shim_self();
	unsigned int i;

	WARN_ON(!shim_lock_is_held(lock));
	for (i = 0; self->held[i] != lock; i++)
		;
	self->held[i] = self->held[--self->n_held];
	__atomic_store_n(&lock->holder, NULL, __ATOMIC_RELAXED);
	__atomic_fetch_sub(&shim_locked, 1, __ATOMIC_RELAXED);
}

/* Memory */

struct shim_chunk {
	unsigned long long magic;
	size_t size;
	char data[];
};

static long shim_live;
static unsigned long shim_allocs;
static long shim_caches;

unsigned long shim_n_allocs(void)
{
	return __atomic_load_n(&shim_allocs, __ATOMIC_RELAXED);
}

long shim_n_live(void)
{
	return __atomic_load_n(&shim_live, __ATOMIC_RELAXED);
}

long shim_n_caches(void)
{
	return __atomic_load_n(&shim_caches, __ATOMIC_RELAXED);
}

bool shim_alloc_fails(void)
{
	shim_at(SHIM_ALLOC, NULL);
	__atomic_fetch_add(&shim_allocs, 1, __ATOMIC_RELAXED);
	return shim_fail_nth && !--shim_fail_nth;
}

void *kmalloc(size_t size, gfp_t flags)
{
	struct shim_chunk *chunk;

	/* all of it is on behalf of users */
	WARN_ON(!(flags & __GFP_ACCOUNT));
	shim_might_sleep("kmalloc()");
	if (shim_alloc_fails())
		return NULL;
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk)
		return NULL;
	chunk->magic = SHIM_MAGIC;
	chunk->size = size;
	memset(chunk->data, flags & __GFP_ZERO ? 0 : 0xa5, size);
	__atomic_fetch_add(&shim_live, 1, __ATOMIC_RELAXED);
	return chunk->data;
}

void kfree(const void *ptr)
{
	struct shim_chunk *chunk;

	/* it does not sleep, but is not done while strangers wait */
	shim_might_sleep("kfree()");
	if (!ptr)
		return;
	chunk = container_of((char *)ptr, struct shim_chunk, data[0]);
	WARN_ON(chunk->magic != SHIM_MAGIC);
	chunk->magic = 0;
	memset(chunk->data, 0x6b, chunk->size);
	__atomic_fetch_sub(&shim_live, 1, __ATOMIC_RELAXED);
	free(chunk);
}

void kvfree(const void *ptr)
{
	kfree(ptr);
}

struct kmem_cache *kmem_cache_create(const char *name, unsigned int size, unsigned int align,
				     unsigned long flags, void (*ctor)(void *ptr))
{
	struct kmem_cache *cache;

	if (shim_alloc_fails())
		return NULL;
	cache = malloc(sizeof(*cache));
	if (!cache)
		return NULL;
	*cache = (struct kmem_cache){ .size = size, .ctor = ctor };
	__atomic_fetch_add(&shim_caches, 1, __ATOMIC_RELAXED);
	return cache;
}

void kmem_cache_destroy(struct kmem_cache *cache)
{
	if (!cache)
		return;
	WARN_ON(cache->n_live);
	__atomic_fetch_sub(&shim_caches, 1, __ATOMIC_RELAXED);
	free(cache);
}

void *kmem_cache_alloc(struct kmem_cache *cache, gfp_t flags)
{
	void *ptr = kmalloc(cache->size, flags);

	if (!ptr)
		return NULL;
	cache->ctor(ptr);
	__atomic_fetch_add(&cache->n_live, 1, __ATOMIC_RELAXED);
	return ptr;
}

int kmem_cache_alloc_bulk(struct kmem_cache *cache, gfp_t flags, size_t n, void **ptrs)
{
	size_t i;

	for (i = 0; i < n; i++) {
		ptrs[i] = kmem_cache_alloc(cache, flags);
		if (ptrs[i])
			continue;
		while (i)
			kmem_cache_free(cache, ptrs[--i]);
		return 0;
	}
	return n;
}

bool shim_is_constructed(void *ptr, size_t size, void (*ctor)(void *ptr))
{
	char *memory = ptr, *old = malloc(size), *other = malloc(size);
	bool same = old && other;
	size_t i;

	if (same) {
		memcpy(old, memory, size);
		memset(memory, 0xa5, size);
		ctor(memory);
		memcpy(other, memory, size);
		memset(memory, 0x5a, size);
		ctor(memory);
	}
	for (i = 0; same && i < size; i++)
		same = memory[i] != other[i] || memory[i] == old[i];
	free(old);
	free(other);
	return same;
}

void kmem_cache_free(struct kmem_cache *cache, void *ptr)
{
	WARN_ON(!shim_is_constructed(ptr, cache->size, cache->ctor));
	__atomic_fetch_sub(&cache->n_live, 1, __ATOMIC_RELAXED);
	kfree(ptr);
}

void kmem_cache_free_bulk(struct kmem_cache *cache, size_t n, void **ptrs)
{
	WARN_ON(!n);
	while (n)
		kmem_cache_free(cache, ptrs[--n]);
}
