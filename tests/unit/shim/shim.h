/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * shim: enough of the kernel's interfaces to compile and run kmod/ in user space
 *
 * What a test needs to steer and to watch: this header. What the code under test includes: linux/.
 * Any misuse that can be recognised (a lock order inverted; sleeping, allocating, freeing or taking
 * another lock with a raw spinlock held; a reference count that comes back from 0; a WARN) ends the
 * program, so that a test sees it.
 *
 * Hooks make interleavings deterministic: the shim calls shim_hook() at the accesses that other
 * threads can see, and the hook does what another thread would do at that moment. It runs as if it
 * were a thread of its own, as far as the lock checks go.
 */
#ifndef SHIM_H
#define SHIM_H

#include <stdbool.h>
#include <stddef.h>

/* what gcc defines with a sanitizer, with clang, too */
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

enum shim_point {
	SHIM_XCHG,		/* before xchg() */
	SHIM_XCHG_DONE,
	SHIM_CMPXCHG,		/* before try_cmpxchg() */
	SHIM_CMPXCHG_DONE,	/* after one that succeeded */
	SHIM_LOAD,		/* before smp_load_acquire() */
	SHIM_STORE,		/* before smp_store_release() */
	SHIM_STORE_DONE,
	SHIM_LOCK,		/* before a mutex or spinlock is locked */
	SHIM_UNLOCK,		/* after one was unlocked */
	SHIM_ALLOC,		/* before memory is allocated, or not */
};

typedef void (*shim_hook_t)(enum shim_point point, const void *addr);

/* Not called from within a hook. Set it only while there is one thread. */
extern shim_hook_t shim_hook;

/* The allocation that fails, counted from 1; 0: none. Counts down. */
extern unsigned long shim_fail_nth;

/* While set, the caller is being killed: it gives up where it may, also whenever it would wait. */
extern bool shim_killed;

/* While set, what is freed is to be wiped. */
extern bool shim_init_on_free;

/* While set, lines whose number is limited are not logged. */
extern bool shim_ratelimited;

/* Allocations made so far, and those that were not freed yet. */
unsigned long shim_n_allocs(void);
long shim_n_live(void);

/* Caches that were created and not destroyed. */
long shim_n_caches(void);

/* Lines that would have been logged, and the last one of this thread. */
unsigned long shim_n_logged(void);
const char *shim_last_logged(void);

/* Steps of loops that let others run, see b1_relax(). */
unsigned long shim_n_steps(void);

/* Locks that are held, by anybody. */
long shim_n_locked(void);

/* For the headers of the shim only. */

#define SHIM_LOCK_CLASSES 32

struct shim_lock_class {
	int id;				/* 0: not seen before */
};

struct shim_lock {
	const void *holder;
	struct shim_lock_class *class;
};

void shim_run_hook(enum shim_point point, const void *addr);
_Noreturn void shim_bug(const char *file, int line, const char *what);
void shim_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
void shim_might_sleep(const char *what);
void shim_step(void);
bool shim_alloc_fails(void);
void shim_lock_init(struct shim_lock *lock, struct shim_lock_class *class);
void shim_lock_acquire(struct shim_lock *lock);
void shim_lock_acquired(struct shim_lock *lock);
void shim_lock_release(struct shim_lock *lock);
bool shim_lock_is_held(const struct shim_lock *lock);
void shim_atomic_begin(void);
void shim_atomic_end(void);

static inline void shim_at(enum shim_point point, const void *addr)
{
	if (shim_hook)
		shim_run_hook(point, addr);
}

#endif /* SHIM_H */
