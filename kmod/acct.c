// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bitops.h>
#include <linux/bug.h>
#include <linux/container_of.h>
#include <linux/errno.h>
#include <linux/lockdep.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include "acct.h"

/* An actor may claim half of what its quota could still get. */
#define B1_ACCT_ACTOR_SHARES 2

/*
 * B1_ACCT_OFF=1 leaves charging out, for tests/bench/accounting to measure what it costs. A module
 * built with it limits nothing.
 */

static DEFINE_RAW_SPINLOCK(b1_acct_lock);
static struct rb_root b1_acct_users = RB_ROOT;
static struct b1_acct_amounts b1_acct_max;

/*
 * A user, one of its quotas, and one of the traces of that: what a lookup found, or what is to be
 * linked where it finds nothing. NULL: is not there.
 */
struct b1_acct_path {
	struct b1_acct_user *user;
	struct b1_acct_quota *quota;
	struct b1_acct_trace *trace;
};

/* parts of a path */
#define B1_ACCT_USER 1
#define B1_ACCT_QUOTA 2
#define B1_ACCT_TRACE 4

/**
 * b1_acct_set_max() - set what each user has
 * @objects:	maximum of slot B1_ACCT_OBJECTS
 * @bytes:	maximum of slot B1_ACCT_BYTES
 *
 * Return: 0, or -EBUSY if there are users already.
 */
int b1_acct_set_max(u64 objects, u64 bytes)
{
	int ret = -EBUSY;

	raw_spin_lock(&b1_acct_lock);
	if (RB_EMPTY_ROOT(&b1_acct_users)) {
		b1_acct_max.slots[B1_ACCT_OBJECTS] = objects;
		b1_acct_max.slots[B1_ACCT_BYTES] = bytes;
		ret = 0;
	}
	raw_spin_unlock(&b1_acct_lock);
	return ret;
}

/**
 * b1_acct_is_idle() - whether nothing is left
 *
 * Return: true if there is no user: nothing is claimed, and nobody has a reference.
 */
bool b1_acct_is_idle(void)
{
	bool idle;

	raw_spin_lock(&b1_acct_lock);
	idle = RB_EMPTY_ROOT(&b1_acct_users);
	raw_spin_unlock(&b1_acct_lock);
	return idle;
}

/* Trees */

static struct b1_acct_item *b1_acct_item_from_node(const struct rb_node *node)
{
	return rb_entry_safe(node, struct b1_acct_item, node);
}

static int b1_acct_item_cmp(const void *key, const struct rb_node *node)
{
	u64 id = *(const u64 *)key, other = b1_acct_item_from_node(node)->id;

	return id < other ? -1 : id > other;
}

static bool b1_acct_item_less(struct rb_node *node, const struct rb_node *other)
{
	return b1_acct_item_from_node(node)->id < b1_acct_item_from_node(other)->id;
}

static struct b1_acct_item *b1_acct_item_find(const struct rb_root *tree, u64 id)
{
	lockdep_assert_held(&b1_acct_lock);

	return b1_acct_item_from_node(rb_find(&id, tree, b1_acct_item_cmp));
}

/* Links a new item with an ID that is not in the tree. */
static void b1_acct_item_link(struct b1_acct_item *item, struct rb_root *tree, u64 id)
{
	lockdep_assert_held(&b1_acct_lock);

	item->id = id;
	rb_add(&item->node, tree, b1_acct_item_less);
}

/* Lookup, creation, end */

static struct b1_acct_path b1_acct_path_find(u32 user, u32 claimant, u64 actor)
{
	struct b1_acct_path path = {};
	struct b1_acct_item *item;

	item = b1_acct_item_find(&b1_acct_users, user);
	if (!item)
		return path;
	path.user = container_of(item, struct b1_acct_user, item);
	item = b1_acct_item_find(&path.user->quotas, claimant);
	if (!item)
		return path;
	path.quota = container_of(item, struct b1_acct_quota, item);
	item = b1_acct_item_find(&path.quota->traces, actor);
	if (item)
		path.trace = container_of(item, struct b1_acct_trace, item);
	return path;
}

/* Whether a new trace finds its place in the quota. One that is not there yet is all free. */
static bool b1_acct_first_is_free(const struct b1_acct_quota *quota)
{
	return !quota || !quota->first.quota;
}

/* What has to be allocated before all can be linked. */
static unsigned int b1_acct_path_missing(const struct b1_acct_path *found,
					 const struct b1_acct_path *spare, bool own)
{
	unsigned int missing = 0;

	if (!found->user && !spare->user)
		missing |= B1_ACCT_USER;
	if (!found->quota && !spare->quota && !own)
		missing |= B1_ACCT_QUOTA;
	if (!found->trace && !spare->trace && !b1_acct_first_is_free(found->quota))
		missing |= B1_ACCT_TRACE;
	return missing;
}

/* False if there is no memory. */
static bool b1_acct_path_alloc(struct b1_acct_path *spare, unsigned int missing)
{
	if (missing & B1_ACCT_USER) {
		spare->user = kzalloc(sizeof(*spare->user), GFP_KERNEL_ACCOUNT);
		if (!spare->user)
			return false;
		raw_spin_lock_init(&spare->user->lock);
	}
	if (missing & B1_ACCT_QUOTA) {
		spare->quota = kzalloc(sizeof(*spare->quota), GFP_KERNEL_ACCOUNT);
		if (!spare->quota)
			return false;
	}
	if (missing & B1_ACCT_TRACE) {
		spare->trace = kzalloc(sizeof(*spare->trace), GFP_KERNEL_ACCOUNT);
		if (!spare->trace)
			return false;
	}
	return true;
}

static void b1_acct_path_free(struct b1_acct_path *spare)
{
	kfree(spare->trace);
	kfree(spare->quota);
	kfree(spare->user);
}

/* Links what was not found. Cannot fail. Returns the trace, with a reference for the caller. */
static struct b1_acct_trace *b1_acct_path_link(struct b1_acct_path *found,
					       struct b1_acct_path *spare, u32 user, u32 claimant,
					       u64 actor)
{
	if (found->trace)
		return b1_acct_trace_ref(found->trace);
	if (!found->user) {
		swap(found->user, spare->user);
		found->user->max = b1_acct_max;
		found->user->avail = b1_acct_max;
		b1_acct_item_link(&found->user->item, &b1_acct_users, user);
	}
	if (!found->quota) {
		if (user == claimant)
			found->quota = &found->user->own;
		else
			swap(found->quota, spare->quota);
		found->quota->user = found->user;
		b1_acct_item_link(&found->quota->item, &found->user->quotas, claimant);
	}
	if (b1_acct_first_is_free(found->quota))
		found->trace = &found->quota->first;
	else
		swap(found->trace, spare->trace);
	found->trace->quota = found->quota;
	refcount_set(&found->trace->refs, 1);
	b1_acct_item_link(&found->trace->item, &found->quota->traces, actor);
	return found->trace;
}

/**
 * b1_acct_trace_get() - find where an actor claims from a user
 * @user:	UID whose resources are to be claimed
 * @claimant:	UID that claims
 * @actor:	which of those that claim as @claimant; unique among all that ever exist
 *
 * Allocates without the lock: who has to wait for memory must not make others wait.
 *
 * Return: a trace, to be put by the caller; NULL if there is no memory.
 */
struct b1_acct_trace *b1_acct_trace_get(u32 user, u32 claimant, u64 actor)
{
	struct b1_acct_path found, spare = {};
	struct b1_acct_trace *trace = NULL;
	unsigned int missing;

	/*
	 * What was found may be gone when there is memory for the rest. Each round adds to what is
	 * spare, so there are at most four.
	 */
	do {
		raw_spin_lock(&b1_acct_lock);
		found = b1_acct_path_find(user, claimant, actor);
		missing = b1_acct_path_missing(&found, &spare, user == claimant);
		if (!missing)
			trace = b1_acct_path_link(&found, &spare, user, claimant, actor);
		raw_spin_unlock(&b1_acct_lock);
	} while (!trace && b1_acct_path_alloc(&spare, missing));
	b1_acct_path_free(&spare);
	return trace;
}

struct b1_acct_trace *b1_acct_trace_ref(struct b1_acct_trace *trace)
{
	refcount_inc(&trace->refs);
	return trace;
}

/*
 * Unlinks a trace that nobody refers to, and its quota and user if they have no others. What is to be
 * freed is left in @gone, for when the lock is dropped.
 */
static void b1_acct_path_unlink(struct b1_acct_trace *trace, struct b1_acct_path *gone)
{
	struct b1_acct_quota *quota = trace->quota;
	struct b1_acct_user *user = quota->user;

	lockdep_assert_held(&b1_acct_lock);

	WARN_ON_ONCE(trace->claimed.slots[B1_ACCT_OBJECTS] || trace->claimed.slots[B1_ACCT_BYTES]);
	rb_erase(&trace->item.node, &quota->traces);
	if (trace != &quota->first)
		gone->trace = trace;
	else
		trace->quota = NULL;
	if (!RB_EMPTY_ROOT(&quota->traces))
		return;
	WARN_ON_ONCE(quota->n_traces);
	rb_erase(&quota->item.node, &user->quotas);
	if (quota != &user->own)
		gone->quota = quota;
	if (!RB_EMPTY_ROOT(&user->quotas))
		return;
	WARN_ON_ONCE(user->n_quotas);
	WARN_ON_ONCE(memcmp(&user->avail, &user->max, sizeof(user->avail)));
	rb_erase(&user->item.node, &b1_acct_users);
	gone->user = user;
}

/**
 * b1_acct_trace_put() - drop a reference
 * @trace:	trace or NULL
 */
void b1_acct_trace_put(struct b1_acct_trace *trace)
{
	struct b1_acct_path gone = {};

	/* the last one is only dropped with the lock, as b1_acct_trace_get() must not find it then */
	if (!trace || refcount_dec_not_one(&trace->refs))
		return;
	raw_spin_lock(&b1_acct_lock);
	if (refcount_dec_and_test(&trace->refs))
		b1_acct_path_unlink(trace, &gone);
	raw_spin_unlock(&b1_acct_lock);
	b1_acct_path_free(&gone);
}

/*
 * Arithmetic. What is done for each slot is inlined: of the 251 instructions that accounting took
 * for each message that saves 51. What only claims from others need is not computed for one's own.
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
					  enum b1_acct_slot slot, u64 claim, u64 *takep)
{
	const struct b1_acct_quota *quota = trace->quota;
	const struct b1_acct_user *user = quota->user;
	u64 need, n_quotas;

	*takep = 0;
	if (!claim)
		return true;
	if (!b1_acct_reserve(B1_ACCT_ACTOR_SHARES, trace->claimed.slots[slot], claim, &need))
		return false;
	if (need <= quota->avail.slots[slot])
		return true;
	need -= quota->avail.slots[slot];
	*takep = need;
	if (quota->item.id != user->item.id) {
		/* the claimant counts, also if this is its first claim */
		n_quotas = user->n_quotas + !quota->n_traces;
		if (!b1_acct_reserve(b1_acct_user_shares(n_quotas), quota->claimed.slots[slot],
				     need, &need))
			return false;
	}
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
	struct b1_acct_user *user = trace->quota->user;
	u64 take_objects, take_bytes;
	int ret = -EDQUOT;

	if (IS_ENABLED(B1_ACCT_OFF))
		return 0;

	raw_spin_lock(&user->lock);
	if (!b1_acct_check(trace, B1_ACCT_OBJECTS, objects, &take_objects)) {
		*refusedp = B1_ACCT_OBJECTS;
		goto unlock;
	}
	if (!b1_acct_check(trace, B1_ACCT_BYTES, bytes, &take_bytes)) {
		*refusedp = B1_ACCT_BYTES;
		goto unlock;
	}
	if ((objects || bytes) && !b1_acct_trace_is_active(trace))
		b1_acct_activate(trace);
	b1_acct_apply(trace, B1_ACCT_OBJECTS, objects, take_objects);
	b1_acct_apply(trace, B1_ACCT_BYTES, bytes, take_bytes);
	ret = 0;
unlock:
	raw_spin_unlock(&user->lock);
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
	raw_spin_lock(&user->lock);
	b1_acct_return(trace, B1_ACCT_OBJECTS, objects);
	b1_acct_return(trace, B1_ACCT_BYTES, bytes);
	idle = !b1_acct_trace_is_active(trace);
	if (idle)
		b1_acct_deactivate(trace);
	raw_spin_unlock(&user->lock);
	if (idle)
		b1_acct_trace_put(trace);
}

/* As a charge of objects and, if that is granted, a discharge. */
static bool b1_acct_exchange(struct b1_acct_trace *from, struct b1_acct_trace *to, u64 objects)
{
	u64 take;

	if (!b1_acct_check(to, B1_ACCT_OBJECTS, objects, &take))
		return false;
	b1_acct_apply(to, B1_ACCT_OBJECTS, objects, take);
	b1_acct_return(from, B1_ACCT_OBJECTS, objects);
	return true;
}

/*
 * All at once, with the result of one after the other, if it is sure that each would be granted.
 * For who claims from itself: what others may claim depends on what their quota has, which changes.
 *
 * A step of one object sets what is free in the quota of @to to the larger of that and of what the
 * step needs, less the object. What it needs grows by one from step to step. So n steps leave what
 * a step of n does, and in different quotas that is all. In one quota each step also gives the
 * object back, and cuts what is free down to a limit that does not change, because what is in use
 * does not. Of alternating a rising minimum and one maximum only the last pair counts: so the last
 * step decides, made as if the others had moved what is claimed and nothing else.
 */
static bool b1_acct_move_all(struct b1_acct_trace *from, struct b1_acct_trace *to, u64 objects)
{
	u64 before = objects - 1;

	if (from->quota != to->quota)
		return b1_acct_exchange(from, to, objects);
	from->claimed.slots[B1_ACCT_OBJECTS] -= before;
	to->claimed.slots[B1_ACCT_OBJECTS] += before;
	if (b1_acct_exchange(from, to, 1))
		return true;
	from->claimed.slots[B1_ACCT_OBJECTS] += before;
	to->claimed.slots[B1_ACCT_OBJECTS] -= before;
	return false;
}

/**
 * b1_acct_move() - discharge a trace, and charge objects to another one of the same user
 * @from:	trace that is charged for all of it; may be freed by this if nothing is left
 * @to:		trace to be charged, which is charged for something else already; borrowed
 * @objects:	number of objects to be moved, 1 to some dozens
 * @spent:	number of objects to be discharged before
 * @bytes:	number of bytes to be discharged before
 *
 * The same as a discharge of @spent and @bytes, then a charge of one object to @to and, if that is
 * granted, a discharge of @from, for one object after the other; but with the lock taken once.
 *
 * Return: how many were granted.
 */
u64 b1_acct_move(struct b1_acct_trace *from, struct b1_acct_trace *to, u64 objects, u64 spent,
		 u64 bytes)
{
	struct b1_acct_user *user = to->quota->user;
	u64 n = 0;
	bool idle;

	if (IS_ENABLED(B1_ACCT_OFF))
		return objects;

	raw_spin_lock(&user->lock);
	b1_acct_return(from, B1_ACCT_OBJECTS, spent);
	b1_acct_return(from, B1_ACCT_BYTES, bytes);
	if (objects > 1 && to->quota == &user->own && b1_acct_move_all(from, to, objects))
		n = objects;
	while (n < objects && b1_acct_exchange(from, to, 1))
		n++;
	idle = !b1_acct_trace_is_active(from);
	if (idle)
		b1_acct_deactivate(from);
	raw_spin_unlock(&user->lock);
	if (idle)
		b1_acct_trace_put(from);
	return n;
}

/* Diagnosis */

/**
 * b1_acct_trace_stat() - what is claimed through a trace, and around it
 * @trace:	trace; borrowed
 * @stat:	returns the amounts, from one instant
 */
void b1_acct_trace_stat(struct b1_acct_trace *trace, struct b1_acct_stat *stat)
{
	struct b1_acct_quota *quota = trace->quota;
	struct b1_acct_user *user = quota->user;

	raw_spin_lock(&user->lock);
	stat->user_max = user->max;
	stat->user_avail = user->avail;
	stat->quota_claimed = quota->claimed;
	stat->quota_avail = quota->avail;
	stat->claimed = trace->claimed;
	raw_spin_unlock(&user->lock);
}

/* No user is without a quota, and no quota without a trace, but while the lock is held. */
static struct b1_acct_trace *b1_acct_first_of_quota(const struct rb_node *node)
{
	struct b1_acct_quota *quota = rb_entry(node, struct b1_acct_quota, item.node);

	return rb_entry(rb_first(&quota->traces), struct b1_acct_trace, item.node);
}

static struct b1_acct_trace *b1_acct_first_of_user(const struct rb_node *node)
{
	struct b1_acct_user *user = rb_entry(node, struct b1_acct_user, item.node);

	return b1_acct_first_of_quota(rb_first(&user->quotas));
}

/* The trace behind a linked one, or the first if that is NULL; NULL at the end. */
static struct b1_acct_trace *b1_acct_trace_behind(const struct b1_acct_trace *trace)
{
	struct rb_node *node;

	lockdep_assert_held(&b1_acct_lock);

	if (trace) {
		node = rb_next(&trace->item.node);
		if (node)
			return rb_entry(node, struct b1_acct_trace, item.node);
		node = rb_next(&trace->quota->item.node);
		if (node)
			return b1_acct_first_of_quota(node);
		node = rb_next(&trace->quota->user->item.node);
	} else {
		node = rb_first(&b1_acct_users);
	}
	return node ? b1_acct_first_of_user(node) : NULL;
}

/**
 * b1_acct_trace_next() - go through all traces: by user, then by claimant, then by actor
 * @trace:	trace whose reference is consumed, or NULL for the first
 *
 * The lock is only taken for one step, however many there are. What comes or goes meanwhile may be
 * seen or not.
 *
 * Return: a trace, to be put by the caller or passed to the next call; NULL if there is none left.
 */
struct b1_acct_trace *b1_acct_trace_next(struct b1_acct_trace *trace)
{
	struct b1_acct_trace *next;

	raw_spin_lock(&b1_acct_lock);
	next = b1_acct_trace_behind(trace);
	if (next)
		b1_acct_trace_ref(next);
	raw_spin_unlock(&b1_acct_lock);
	b1_acct_trace_put(trace);
	return next;
}
