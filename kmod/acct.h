/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Resource accounting
 *
 * Purpose: limits what users can take of each other. Knows users, who claims from them, and how
 * much; knows nothing of the bus. Callers decide what to charge, and when.
 *
 * Objects: three levels. struct b1_acct_user, the UID whose resources are claimed, has a maximum
 * and what is left of it. struct b1_acct_quota, one for each UID that claims from a user, has what
 * it got from the user and what is left of that. struct b1_acct_trace, one for each actor of a
 * quota, has what the actor claimed. Constant: all UIDs, the actor, the pointers up, the maxima.
 *
 *	b1_acct_user.avail  + sum of b1_acct_quota.claimed  = maximum
 *	b1_acct_quota.avail + sum of b1_acct_trace.claimed  = b1_acct_quota.claimed
 *
 * A quota or trace is active while something is claimed through it; only active ones count in the
 * arithmetic. Others exist because somebody keeps a reference to use them again.
 *
 * Lifetime: b1_acct_trace_get() finds or makes all three levels and returns a counted reference to
 * the trace. A trace pins its quota, a quota its user. An active trace pins itself: what is charged
 * needs no reference to be discharged later. The quota of a user for itself is part of the user,
 * and one trace is part of each quota, because most often there is just one: the first peer of a
 * user takes one allocation for all three.
 *
 * Locking: b1_acct_lock (raw spinlock, shared) protects which users, quotas and traces there are: the
 * trees. All users of the bus take it, so it is dropped after a search or a step, and nothing is
 * allocated or freed while it is held. b1_acct_user.lock (raw spinlock, shared) protects all numbers below
 * that user. Both are leaf locks as seen from the bus, and are not taken together.
 *
 * Context: getting and putting may sleep; charging does not. Discharging may sleep, but does not
 * allocate.
 *
 * Ordering: no lockless access.
 */
#ifndef B1_ACCT_H
#define B1_ACCT_H

#include <linux/cache.h>
#include <linux/rbtree.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>

enum b1_acct_slot {
	B1_ACCT_OBJECTS,
	B1_ACCT_BYTES,
	B1_ACCT_N_SLOTS,
};

/* one amount for each slot */
struct b1_acct_amounts {
	u64 slots[B1_ACCT_N_SLOTS];
};

/* what a trace, its quota and its user have, for diagnosis */
struct b1_acct_stat {
	struct b1_acct_amounts user_max;
	struct b1_acct_amounts user_avail;
	struct b1_acct_amounts quota_claimed;
	struct b1_acct_amounts quota_avail;
	struct b1_acct_amounts claimed;
};

/* member of a tree, which is sorted by the ID; b1_acct_lock */
struct b1_acct_item {
	u64 id;				/* constant */
	struct rb_node node;
};

struct b1_acct_trace {
	struct b1_acct_quota *quota;	/* NULL: b1_acct_quota.first that is not in use */
	refcount_t refs;		/* the last one is dropped under b1_acct_lock */
	struct b1_acct_amounts claimed;
	struct b1_acct_item item;	/* b1_acct_quota.traces, by actor */
};

struct b1_acct_quota {
	u64 n_traces;			/* active ones */
	struct b1_acct_amounts claimed;
	struct b1_acct_amounts avail;
	struct b1_acct_user *user;
	struct b1_acct_item item;	/* b1_acct_user.quotas, by UID of the claimant */
	struct rb_root traces;		/* by actor; b1_acct_lock */
	struct b1_acct_trace first;	/* of whoever comes when it is free; b1_acct_lock */
};

struct b1_acct_user {
	struct b1_acct_item item;	/* by UID */
	struct rb_root quotas;		/* by UID; b1_acct_lock */
	struct b1_acct_amounts max;

	/*
	 * All that a claim of the user from itself changes, but for the trace, is in one cache line, as
	 * far as n_traces, claimed and avail of its quota. The peers of a user share nothing else.
	 */
	raw_spinlock_t lock ____cacheline_aligned_in_smp;
	u32 n_quotas;			/* active ones */
	struct b1_acct_amounts avail;
	struct b1_acct_quota own;	/* its claims from itself; in the tree while it has traces */
};

int b1_acct_set_max(u64 objects, u64 bytes);
bool b1_acct_is_idle(void);

struct b1_acct_trace *b1_acct_trace_get(u32 user, u32 claimant, u64 actor);
struct b1_acct_trace *b1_acct_trace_ref(struct b1_acct_trace *trace);
void b1_acct_trace_put(struct b1_acct_trace *trace);

int b1_acct_charge(struct b1_acct_trace *trace, u64 objects, u64 bytes,
		   enum b1_acct_slot *refusedp);
void b1_acct_discharge(struct b1_acct_trace *trace, u64 objects, u64 bytes);
u64 b1_acct_move(struct b1_acct_trace *from, struct b1_acct_trace *to, u64 objects, u64 spent,
		 u64 bytes);

void b1_acct_trace_stat(struct b1_acct_trace *trace, struct b1_acct_stat *stat);
struct b1_acct_trace *b1_acct_trace_next(struct b1_acct_trace *trace);

#endif /* B1_ACCT_H */
