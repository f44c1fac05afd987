/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef IL_ATOMIC_H
#define IL_ATOMIC_H

#include <linux/compiler.h>
#include <linux/types.h>

#include "../../il.h"

#define smp_mb() il_event(IL_QUIET, IL_FENCE, IL_F_FENCE, NULL, IL_AT("smp_mb"))

#define smp_load_acquire(_ptr)								\
	((__typeof__(*(_ptr)))(uintptr_t)il_load(IL_F_ACQUIRE, (_ptr), sizeof(*(_ptr)),	\
						 IL_AT("smp_load_acquire")))

#define smp_store_release(_ptr, _v)							\
	il_store(IL_F_RELEASE, (_ptr), sizeof(*(_ptr)), (uintptr_t)(_v),		\
		 IL_AT("smp_store_release"))

#define xchg(_ptr, _v)									\
	((__typeof__(*(_ptr)))(uintptr_t)il_xchg(IL_QUIET, (_ptr), sizeof(*(_ptr)),	\
						 (uintptr_t)(_v), IL_AT("xchg")))

#define try_cmpxchg(_ptr, _oldp, _v)							\
	({										\
		__typeof__(_oldp) il_oldp = (_oldp);					\
		__typeof__(*il_oldp) il_expected = *il_oldp;				\
		*il_oldp = (__typeof__(*il_oldp))(uintptr_t)				\
			il_cmpxchg(IL_QUIET, (_ptr), sizeof(*(_ptr)),			\
				   (uintptr_t)il_expected, (uintptr_t)(_v),		\
				   IL_AT("try_cmpxchg"));				\
		*il_oldp == il_expected;						\
	})

#define ATOMIC_INIT(_i) { (_i) }

/* not while lines are not limited */
static inline void atomic_inc(atomic_t *v)
{
	v->counter++;
}

#define atomic_xchg(_v, _i) xchg(&(_v)->counter, (_i))

#define ATOMIC64_INIT(_i) { (_i) }

/* only before others see it */
static inline void atomic64_set(atomic64_t *v, s64 i)
{
	v->counter = i;
}

#define atomic64_add_return(_i, _v)							\
	il_add(IL_QUIET, (int64_t *)&(_v)->counter, (_i), IL_AT("atomic64_add_return"))
#define atomic64_inc_return(_v) atomic64_add_return(1, (_v))

#endif /* IL_ATOMIC_H */
