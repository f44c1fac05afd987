// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/err.h>
#include <linux/errno.h>
#include <linux/math64.h>
#include <linux/mutex.h>
#include <linux/overflow.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "acct.h"

/* An actor may claim half of what its quota could still get. */
#define B1_ACCT_ACTOR_SHARES 2

/*
 * B1_ACCT_OFF=1 leaves charging out, for tests/bench/accounting to measure what it costs. A module
 * built with it limits nothing.
 */

static DEFINE_MUTEX(b1_acct_lock);
static DEFINE_XARRAY_FLAGS(b1_acct_users, XA_FLAGS_ACCOUNT);
static struct b1_acct_amounts b1_acct_max;

/*
 * Whether a map has no entries. An insert that failed for lack of memory may have left inner nodes
 * in it: they are no entries, and go.
 */
static bool b1_acct_trim(struct xarray *map)
{
	unsigned long index = 0;

	if (xa_find(map, &index, ULONG_MAX, XA_PRESENT))
		return false;
	xa_destroy(map);
	return true;
}

/**
 * b1_acct_set_max() - set what each user has
 * @objects:	maximum of slot B1_ACCT_OBJECTS
 * @bytes:	maximum of slot B1_ACCT_BYTES
 *
 * Return: 0, or -EBUSY if there are users already.
 */
int b1_acct_set_max(u64 objects, u64 bytes)
{
	if (!b1_acct_is_idle())
		return -EBUSY;
	b1_acct_max.slots[B1_ACCT_OBJECTS] = objects;
	b1_acct_max.slots[B1_ACCT_BYTES] = bytes;
	return 0;
}

/**
 * b1_acct_is_idle() - whether nothing is left
 *
 * Return: true if there is no user: nothing is claimed, and nobody has a reference.
 */
bool b1_acct_is_idle(void)
{
	bool idle;

	mutex_lock(&b1_acct_lock);
	idle = b1_acct_trim(&b1_acct_users);
	mutex_unlock(&b1_acct_lock);
	return idle;
}

/* Lookup, creation, end */

static struct b1_acct_user *b1_acct_user_find(u32 uid)
{
	struct b1_acct_user *user;

	user = xa_load(&b1_acct_users, uid);
	if (user)
		return user;
	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (!user)
		return NULL;
	user->uid = uid;
	xa_init_flags(&user->quotas, XA_FLAGS_ACCOUNT);
	spin_lock_init(&user->lock);
	user->max = b1_acct_max;
	user->avail = b1_acct_max;
	if (xa_insert(&b1_acct_users, uid, user, GFP_KERNEL_ACCOUNT)) {
		kfree(user);
		return NULL;
	}
	return user;
}

static void b1_acct_user_free_if_unused(struct b1_acct_user *user)
{
	lockdep_assert_held(&b1_acct_lock);

	if (!b1_acct_trim(&user->quotas))
		return;
	WARN_ON_ONCE(user->n_quotas);
	WARN_ON_ONCE(memcmp(&user->avail, &user->max, sizeof(user->avail)));
	xa_erase(&b1_acct_users, user->uid);
	kfree(user);
}

static struct b1_acct_quota *b1_acct_quota_find(struct b1_acct_user *user, u32 uid)
{
	struct b1_acct_quota *quota;

	quota = xa_load(&user->quotas, uid);
	if (quota)
		return quota;
	quota = kzalloc(sizeof(*quota), GFP_KERNEL_ACCOUNT);
	if (!quota)
		return NULL;
	quota->user = user;
	quota->uid = uid;
	xa_init_flags(&quota->traces, XA_FLAGS_ACCOUNT);
	if (xa_insert(&user->quotas, uid, quota, GFP_KERNEL_ACCOUNT)) {
		kfree(quota);
		return NULL;
	}
	return quota;
}

static void b1_acct_quota_free_if_unused(struct b1_acct_quota *quota)
{
	struct b1_acct_user *user = quota->user;

	if (!b1_acct_trim(&quota->traces))
		return;
	WARN_ON_ONCE(quota->n_traces);
	xa_erase(&user->quotas, quota->uid);
	kfree(quota);
	b1_acct_user_free_if_unused(user);
}

static struct b1_acct_trace *b1_acct_trace_find(struct b1_acct_quota *quota, u64 actor)
{
	struct b1_acct_trace *trace;

	trace = xa_load(&quota->traces, actor);
	if (trace)
		return b1_acct_trace_ref(trace);
	trace = kzalloc(sizeof(*trace), GFP_KERNEL_ACCOUNT);
	if (!trace)
		return NULL;
	trace->quota = quota;
	trace->actor = actor;
	refcount_set(&trace->refs, 1);
	if (xa_insert(&quota->traces, actor, trace, GFP_KERNEL_ACCOUNT)) {
		kfree(trace);
		return NULL;
	}
	return trace;
}

static struct b1_acct_trace *b1_acct_trace_get_locked(u32 user_uid, u32 claimant, u64 actor)
{
	struct b1_acct_trace *trace;
	struct b1_acct_quota *quota;
	struct b1_acct_user *user;

	lockdep_assert_held(&b1_acct_lock);

	user = b1_acct_user_find(user_uid);
	if (!user)
		return NULL;
	quota = b1_acct_quota_find(user, claimant);
	if (!quota) {
		b1_acct_user_free_if_unused(user);
		return NULL;
	}
	trace = b1_acct_trace_find(quota, actor);
	if (!trace)
		b1_acct_quota_free_if_unused(quota);
	return trace;
}

/**
 * b1_acct_trace_get() - find where an actor claims from a user
 * @user:	UID whose resources are to be claimed
 * @claimant:	UID that claims
 * @actor:	which of those that claim as @claimant; unique among all that ever exist
 *
 * Return: a trace, to be put by the caller; NULL if there is no memory.
 */
struct b1_acct_trace *b1_acct_trace_get(u32 user, u32 claimant, u64 actor)
{
	struct b1_acct_trace *trace;

	mutex_lock(&b1_acct_lock);
	trace = b1_acct_trace_get_locked(user, claimant, actor);
	mutex_unlock(&b1_acct_lock);
	return trace;
}

struct b1_acct_trace *b1_acct_trace_ref(struct b1_acct_trace *trace)
{
	refcount_inc(&trace->refs);
	return trace;
}

/**
 * b1_acct_trace_put() - drop a reference
 * @trace:	trace or NULL
 */
void b1_acct_trace_put(struct b1_acct_trace *trace)
{
	struct b1_acct_quota *quota;

	if (!trace || !refcount_dec_and_mutex_lock(&trace->refs, &b1_acct_lock))
		return;
	quota = trace->quota;
	WARN_ON_ONCE(trace->claimed.slots[B1_ACCT_OBJECTS] || trace->claimed.slots[B1_ACCT_BYTES]);
	xa_erase(&quota->traces, trace->actor);
	kfree(trace);
	b1_acct_quota_free_if_unused(quota);
	mutex_unlock(&b1_acct_lock);
}

/*
 * Arithmetic. What is done for each slot is inlined: of the 251 instructions that accounting took
 * for each message that saves 51.
 */

/*
 * What must be free so that @claim can be granted to one who has @share already, if it is to get at
 * most one part in @parts: (claim + share) * parts - share. False on overflow.
 */
static __always_inline bool b1_acct_reserve(u64 parts, u64 share, u64 claim, u64 *reservep)
{
	u64 total;

	if (check_add_overflow(claim, share, &total) || check_mul_overflow(total, parts, &total))
		return false;
	/* parts is at least 1 */
	*reservep = total - share;
	return true;
}

/*
 * Parts that the resources of a user are divided into when @n claim: (n + 1) * log2(n + 1), rounded
 * up, and n + 1 more; a newcomer still gets something, and n can be as large as there are UIDs.
 */
static u64 b1_acct_user_shares(u64 n)
{
	return (n + 1) * fls64(n) + (n + 1);
}

/* What to take from the user so that the trace can claim @claim; false to refuse. */
static __always_inline bool b1_acct_check(const struct b1_acct_trace *trace,
					  enum b1_acct_slot slot, u64 claim, u64 n_quotas,
					  u64 *takep)
{
	const struct b1_acct_quota *quota = trace->quota;
	const struct b1_acct_user *user = quota->user;
	u64 need;

	*takep = 0;
	if (!claim)
		return true;
	if (!b1_acct_reserve(B1_ACCT_ACTOR_SHARES, trace->claimed.slots[slot], claim, &need))
		return false;
	if (need <= quota->avail.slots[slot])
		return true;
	need -= quota->avail.slots[slot];
	*takep = need;
	if (quota->uid != user->uid &&
	    !b1_acct_reserve(b1_acct_user_shares(n_quotas), quota->claimed.slots[slot], need, &need))
		return false;
	return need <= user->avail.slots[slot];
}

static bool b1_acct_trace_is_active(const struct b1_acct_trace *trace)
{
	return trace->claimed.slots[B1_ACCT_OBJECTS] || trace->claimed.slots[B1_ACCT_BYTES];
}

static void b1_acct_activate(struct b1_acct_trace *trace)
{
	struct b1_acct_quota *quota = trace->quota;

	b1_acct_trace_ref(trace);
	if (!quota->n_traces++)
		quota->user->n_quotas++;
}

static void b1_acct_deactivate(struct b1_acct_trace *trace)
{
	struct b1_acct_quota *quota = trace->quota;

	/* the reference is dropped by the caller, without the lock */
	if (!--quota->n_traces)
		quota->user->n_quotas--;
}

static void b1_acct_apply(struct b1_acct_trace *trace, enum b1_acct_slot slot, u64 claim, u64 take)
{
	struct b1_acct_quota *quota = trace->quota;

	quota->user->avail.slots[slot] -= take;
	quota->claimed.slots[slot] += take;
	/* may be less than was there; wraps around to the right value */
	quota->avail.slots[slot] += take - claim;
	trace->claimed.slots[slot] += claim;
}

/**
 * b1_acct_charge() - claim resources of a user
 * @trace:	who claims from whom; borrowed
 * @objects:	amount of slot B1_ACCT_OBJECTS
 * @bytes:	amount of slot B1_ACCT_BYTES
 * @refusedp:	returns the slot that is short if refused
 *
 * All or nothing. The claim pins @trace until it is discharged, in one or several parts.
 *
 * Return: 0, or -EDQUOT; then nothing has changed.
 */
int b1_acct_charge(struct b1_acct_trace *trace, u64 objects, u64 bytes,
		   enum b1_acct_slot *refusedp)
{
	struct b1_acct_quota *quota = trace->quota;
	struct b1_acct_user *user = quota->user;
	u64 take_objects, take_bytes, n_quotas;
	int ret = -EDQUOT;

	if (IS_ENABLED(B1_ACCT_OFF))
		return 0;

	spin_lock(&user->lock);
	/* the claimant counts, also if this is its first claim */
	n_quotas = user->n_quotas + !quota->n_traces;
	*refusedp = B1_ACCT_OBJECTS;
	if (!b1_acct_check(trace, B1_ACCT_OBJECTS, objects, n_quotas, &take_objects))
		goto unlock;
	*refusedp = B1_ACCT_BYTES;
	if (!b1_acct_check(trace, B1_ACCT_BYTES, bytes, n_quotas, &take_bytes))
		goto unlock;
	if ((objects || bytes) && !b1_acct_trace_is_active(trace))
		b1_acct_activate(trace);
	b1_acct_apply(trace, B1_ACCT_OBJECTS, objects, take_objects);
	b1_acct_apply(trace, B1_ACCT_BYTES, bytes, take_bytes);
	ret = 0;
unlock:
	spin_unlock(&user->lock);
	return ret;
}

static __always_inline void b1_acct_return(struct b1_acct_trace *trace, enum b1_acct_slot slot,
					   u64 amount)
{
	struct b1_acct_quota *quota = trace->quota;
	u64 keep, excess;

	if (!amount || WARN_ON_ONCE(trace->claimed.slots[slot] < amount))
		return;
	trace->claimed.slots[slot] -= amount;
	quota->avail.slots[slot] += amount;
	/* the actor still counts, so there is at least one */
	keep = div64_u64(quota->claimed.slots[slot] - quota->avail.slots[slot], quota->n_traces);
	if (quota->avail.slots[slot] <= keep)
		return;
	excess = quota->avail.slots[slot] - keep;
	quota->avail.slots[slot] -= excess;
	quota->claimed.slots[slot] -= excess;
	quota->user->avail.slots[slot] += excess;
}

/**
 * b1_acct_discharge() - give back what was charged, or a part of it
 * @trace:	trace that was charged; may be freed by this
 * @objects:	amount of slot B1_ACCT_OBJECTS
 * @bytes:	amount of slot B1_ACCT_BYTES
 *
 * Allocates nothing and cannot fail.
 */
void b1_acct_discharge(struct b1_acct_trace *trace, u64 objects, u64 bytes)
{
	struct b1_acct_user *user;
	bool idle;

	/* before any look at the trace, which may be gone if nothing is left to give back */
	if (IS_ENABLED(B1_ACCT_OFF) || (!objects && !bytes))
		return;
	user = trace->quota->user;
	spin_lock(&user->lock);
	b1_acct_return(trace, B1_ACCT_OBJECTS, objects);
	b1_acct_return(trace, B1_ACCT_BYTES, bytes);
	idle = !b1_acct_trace_is_active(trace);
	if (idle)
		b1_acct_deactivate(trace);
	spin_unlock(&user->lock);
	if (idle)
		b1_acct_trace_put(trace);
}

/* Diagnosis */

/**
 * b1_acct_trace_claimed() - what is claimed through a trace
 * @trace:	trace
 * @claimed:	returns the amounts
 */
void b1_acct_trace_claimed(struct b1_acct_trace *trace, struct b1_acct_amounts *claimed)
{
	struct b1_acct_user *user = trace->quota->user;

	spin_lock(&user->lock);
	*claimed = trace->claimed;
	spin_unlock(&user->lock);
}

static void b1_acct_visit_quota(struct b1_acct_quota *quota,
				const struct b1_acct_visitor *visitor, void *data)
{
	struct b1_acct_amounts claimed, avail;
	struct b1_acct_trace *trace;
	unsigned long index;

	spin_lock(&quota->user->lock);
	claimed = quota->claimed;
	avail = quota->avail;
	spin_unlock(&quota->user->lock);
	visitor->quota(data, quota->uid, &claimed, &avail);
	xa_for_each(&quota->traces, index, trace) {
		b1_acct_trace_claimed(trace, &claimed);
		visitor->trace(data, trace->actor, &claimed);
		cond_resched();
	}
}

static void b1_acct_visit_user(struct b1_acct_user *user, const struct b1_acct_visitor *visitor,
			       void *data)
{
	struct b1_acct_amounts avail;
	struct b1_acct_quota *quota;
	unsigned long index;

	spin_lock(&user->lock);
	avail = user->avail;
	spin_unlock(&user->lock);
	visitor->user(data, user->uid, &user->max, &avail);
	xa_for_each(&user->quotas, index, quota)
		b1_acct_visit_quota(quota, visitor, data);
}

/**
 * b1_acct_visit() - tell of all users, quotas and traces
 * @visitor:	what to call; must not call anything here
 * @data:	passed to @visitor
 */
void b1_acct_visit(const struct b1_acct_visitor *visitor, void *data)
{
	struct b1_acct_user *user;
	unsigned long index;

	mutex_lock(&b1_acct_lock);
	xa_for_each(&b1_acct_users, index, user)
		b1_acct_visit_user(user, visitor, data);
	mutex_unlock(&b1_acct_lock);
}
