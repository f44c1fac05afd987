// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "peer.h"

static void b1_peer_free(struct b1_ref *ref)
{
	struct b1_peer *peer = container_of(b1_tx_from_ref(ref), struct b1_peer, tx);

	WARN_ON_ONCE(peer->spare);
	WARN_ON_ONCE(peer->own);
	WARN_ON_ONCE(!RB_EMPTY_ROOT(&peer->table.objects));
	b1_queue_deinit(&peer->queue);
	mutex_destroy(&peer->lock);
	kfree(peer);
}

static u64 b1_peer_next_actor(void)
{
	static atomic64_t last = ATOMIC64_INIT(0);

	return atomic64_inc_return(&last);
}

/**
 * b1_peer_claim_from() - where a peer claims from the user of another
 * @claimant:	peer that causes charges
 * @peer:	peer whose user pays
 *
 * Return: a trace, to be put by the caller; NULL if there is no memory.
 */
struct b1_acct_trace *b1_peer_claim_from(struct b1_peer *claimant, struct b1_peer *peer)
{
	return b1_acct_trace_get(__kuid_val(peer->account), __kuid_val(claimant->account),
				 claimant->actor);
}

/**
 * b1_peer_log_refusal() - tell the administrator of a refusal
 * @trace:	who claims from whom; borrowed
 * @slot:	what is short
 *
 * Users can cause any number of refusals, so no more than a few are logged in some seconds. The next
 * line says how many were left out. They are counted here, because the kernel's own message about
 * that is a warning which names this function; with RATELIMIT_MSG_ON_RELEASE it is deferred until the
 * state is released, which never happens.
 */
void b1_peer_log_refusal(struct b1_acct_trace *trace, enum b1_acct_slot slot)
{
	static struct ratelimit_state limit =
		RATELIMIT_STATE_INIT_FLAGS(limit, DEFAULT_RATELIMIT_INTERVAL,
					   DEFAULT_RATELIMIT_BURST, RATELIMIT_MSG_ON_RELEASE);
	static const char * const names[] = { "objects", "bytes" };
	static atomic_t n_left_out = ATOMIC_INIT(0);
	u64 claimant = trace->quota->item.id;
	u64 user = trace->quota->user->item.id;
	unsigned int n;

	if (!__ratelimit(&limit)) {
		atomic_inc(&n_left_out);
		return;
	}
	n = atomic_xchg(&n_left_out, 0);
	if (n)
		pr_info("UID %llu is refused %s of UID %llu: quota exceeded (%u earlier refusals were not logged)\n",
			claimant, names[slot], user, n);
	else
		pr_info("UID %llu is refused %s of UID %llu: quota exceeded\n",
			claimant, names[slot], user);
}

static struct b1_peer *b1_peer_alloc(kuid_t account, u64 actor, struct b1_acct_trace *own)
{
	struct b1_peer *peer;

	peer = kmalloc(sizeof(*peer), GFP_KERNEL_ACCOUNT);
	if (!peer)
		return NULL;
	b1_tx_init(&peer->tx, b1_peer_free);
	peer->account = account;
	peer->actor = actor;
	peer->own = own;
	init_waitqueue_head(&peer->wq);
	peer->spare = NULL;
	b1_queue_init(&peer->queue);
	mutex_init(&peer->lock);
	raw_spin_lock_init(&peer->table.lock);
	peer->table.objects = RB_ROOT;
	peer->table.newest = NULL;
	/* the first ID is 1; all are odd, see BUS1_MANAGED */
	peer->table.last_id = -1;
	peer->recent = NULL;
	return peer;
}

/**
 * b1_peer_new() - create a peer
 * @account:	user it is accounted to
 * @peerp:	returns a peer with one reference, to be ended before that is dropped
 *
 * Return: 0, -EDQUOT or -ENOMEM.
 */
int b1_peer_new(kuid_t account, struct b1_peer **peerp)
{
	u64 actor = b1_peer_next_actor();
	struct b1_acct_trace *own;
	int ret;

	own = b1_acct_trace_get(__kuid_val(account), __kuid_val(account), actor);
	if (!own)
		return -ENOMEM;
	ret = b1_peer_charge(own, 1, 0);
	if (ret)
		goto put_own;
	*peerp = b1_peer_alloc(account, actor, own);
	if (!*peerp) {
		ret = -ENOMEM;
		goto discharge;
	}
	return 0;

discharge:
	b1_acct_discharge(own, 1, 0);
put_own:
	b1_acct_trace_put(own);
	return ret;
}

/**
 * b1_peer_end() - give back what was charged for a peer
 * @peer:	peer without a file, objects and entries; the reference stays with the caller
 */
void b1_peer_end(struct b1_peer *peer)
{
	b1_acct_discharge(peer->own, 1, 0);
	b1_acct_trace_put(peer->own);
	peer->own = NULL;
}
