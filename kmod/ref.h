/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reference counts
 *
 * Purpose: the count that keeps the memory of something, and what to do when nobody needs it any more.
 * It is the base of transactions, and through them of nodes, handles and peers.
 *
 * Objects: struct b1_ref, inside what it counts. free is constant.
 *
 * Lifetime: that of what it is part of.
 *
 * Locking: none.
 *
 * Context: any to get a reference. Dropping the last one may sleep: it never happens under a
 * spinlock, as the code there only drops references that others have as well.
 *
 * Ordering: that of refcount_t: who frees sees what all others did before they dropped theirs.
 */
#ifndef B1_REF_H
#define B1_REF_H

#include <linux/bug.h>
#include <linux/refcount.h>

struct b1_ref {
	refcount_t refs;
	void (*free)(struct b1_ref *ref);
};

/**
 * b1_ref_construct() - set up what is the same when something ends
 * @ref:	count inside an object from a cache
 * @free:	called when the last reference is dropped; may sleep
 */
static inline void b1_ref_construct(struct b1_ref *ref, void (*free)(struct b1_ref *ref))
{
	ref->free = free;
}

/**
 * b1_ref_reset() - set up the rest: one reference
 * @ref:	count
 */
static inline void b1_ref_reset(struct b1_ref *ref)
{
	refcount_set(&ref->refs, 1);
}

static inline void b1_ref_get(struct b1_ref *ref)
{
	refcount_inc(&ref->refs);
}

/* as b1_ref_get() and b1_ref_put(), @n at once; the last one is not among them */
static inline void b1_ref_get_some(struct b1_ref *ref, unsigned int n)
{
	refcount_add(n, &ref->refs);
}

static inline void b1_ref_put_some(struct b1_ref *ref, unsigned int n)
{
	WARN_ON_ONCE(refcount_sub_and_test(n, &ref->refs));
}

/**
 * b1_ref_put_last() - drop a reference, but leave what follows to the caller
 * @ref:	count
 *
 * Return: true if it was the last one: then the caller frees.
 */
static inline bool b1_ref_put_last(struct b1_ref *ref)
{
	return refcount_dec_and_test(&ref->refs);
}

static inline void b1_ref_put(struct b1_ref *ref)
{
	if (b1_ref_put_last(ref))
		ref->free(ref);
}

#endif /* B1_REF_H */
