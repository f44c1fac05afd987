/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_REFCOUNT_H
#define SHIM_REFCOUNT_H

#include <linux/bug.h>
#include <linux/types.h>

typedef struct {
	int refs;
} refcount_t;

static inline void refcount_set(refcount_t *r, int n)
{
	__atomic_store_n(&r->refs, n, __ATOMIC_RELAXED);
}

static inline unsigned int refcount_read(const refcount_t *r)
{
	return __atomic_load_n(&r->refs, __ATOMIC_RELAXED);
}

static inline void refcount_inc(refcount_t *r)
{
	int old = __atomic_fetch_add(&r->refs, 1, __ATOMIC_RELAXED);

	/* an object without references is on its way out; poison has no plausible count either */
	WARN_ON(old <= 0 || old > 0x40000000);
}

static inline void refcount_add(int n, refcount_t *r)
{
	int old = __atomic_fetch_add(&r->refs, n, __ATOMIC_RELAXED);

	WARN_ON(old <= 0 || old > 0x40000000);
}

static inline bool refcount_sub_and_test(int n, refcount_t *r)
{
	int old = __atomic_fetch_sub(&r->refs, n, __ATOMIC_ACQ_REL);

	WARN_ON(old < n || old > 0x40000000);
	return old == n;
}

static inline bool refcount_dec_and_test(refcount_t *r)
{
	return refcount_sub_and_test(1, r);
}

/* False if it is the last reference: that is not dropped. */
static inline bool refcount_dec_not_one(refcount_t *r)
{
	int old = refcount_read(r);

	do {
		WARN_ON(old <= 0 || old > 0x40000000);
		if (old == 1)
			return false;
	} while (!__atomic_compare_exchange_n(&r->refs, &old, old - 1, false, __ATOMIC_RELEASE,
					      __ATOMIC_RELAXED));
	return true;
}

#endif /* SHIM_REFCOUNT_H */
