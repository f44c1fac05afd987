/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_ATOMIC_H
#define SHIM_ATOMIC_H

#include <linux/compiler.h>
#include <linux/types.h>

#include "../shim.h"

/* The thread sanitizer does not know fences; a read-modify-write of one variable orders as much. */
extern int shim_mb_word;

#define smp_mb() ((void)__atomic_fetch_add(&shim_mb_word, 1, __ATOMIC_SEQ_CST))

#define smp_load_acquire(_ptr)								\
	({										\
		shim_at(SHIM_LOAD, (const void *)(_ptr));				\
		__atomic_load_n((_ptr), __ATOMIC_ACQUIRE);				\
	})

#define smp_store_release(_ptr, _v)							\
	do {										\
		const void *shim_addr = (_ptr);						\
		shim_at(SHIM_STORE, shim_addr);						\
		__atomic_store_n((_ptr), (_v), __ATOMIC_RELEASE);			\
		shim_at(SHIM_STORE_DONE, shim_addr);					\
	} while (0)

#define xchg(_ptr, _v)									\
	({										\
		__typeof__(_ptr) shim_ptr = (_ptr);					\
		__typeof__(*(_ptr)) shim_old;						\
		shim_at(SHIM_XCHG, shim_ptr);						\
		shim_old = __atomic_exchange_n(shim_ptr, (_v), __ATOMIC_SEQ_CST);	\
		shim_at(SHIM_XCHG_DONE, shim_ptr);					\
		shim_old;								\
	})

#define try_cmpxchg(_ptr, _oldp, _v)							\
	({										\
		__typeof__(_ptr) shim_ptr = (_ptr);					\
		bool shim_ok;								\
		shim_at(SHIM_CMPXCHG, shim_ptr);					\
		shim_ok = __atomic_compare_exchange_n(shim_ptr, (_oldp), (_v), false,	\
						      __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
		if (shim_ok)								\
			shim_at(SHIM_CMPXCHG_DONE, shim_ptr);				\
		shim_ok;								\
	})

#define ATOMIC_INIT(_i) { (_i) }

static inline void atomic_inc(atomic_t *v)
{
	__atomic_fetch_add(&v->counter, 1, __ATOMIC_RELAXED);
}

static inline int atomic_xchg(atomic_t *v, int i)
{
	return __atomic_exchange_n(&v->counter, i, __ATOMIC_SEQ_CST);
}

#define ATOMIC64_INIT(_i) { (_i) }

static inline void atomic64_set(atomic64_t *v, s64 i)
{
	__atomic_store_n(&v->counter, i, __ATOMIC_RELAXED);
}

static inline s64 atomic64_add_return(s64 i, atomic64_t *v)
{
	return __atomic_add_fetch(&v->counter, i, __ATOMIC_SEQ_CST);
}

static inline s64 atomic64_inc_return(atomic64_t *v)
{
	return atomic64_add_return(1, v);
}

#endif /* SHIM_ATOMIC_H */
