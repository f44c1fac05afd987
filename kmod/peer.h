/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Peers
 *
 * Purpose: what an open file of /dev/bus1 stands for: a queue, a table of nodes and handles, and the
 * account that pays. Here is what they are made of; what is in the table is in object.h and node.h, and
 * what a peer does is in a file for each command. Nothing here knows nodes or messages.
 *
 * Objects: struct b1_peer. account, actor and own are constant while it is open.
 *
 * Lifetime: created by open, closed by the last close of the file, freed when the last reference is
 * dropped. Each object of the peer, in whatever table, queue or message, holds a reference, so that
 * senders can push to the queue and wake without looking back; a closed peer that is still pinned
 * holds no objects, no entries and nothing but its own memory.
 *
 * Locking:
 *	b1_peer.lock (mutex, own, outermost, never two): serialises the commands of a peer. Live objects
 *		leave the table, and are collected for a release, only under it; recent. May be held while
 *		the user memory of the command is touched, because no command of another peer takes it.
 *	b1_queue.lock (mutex, own): see queue.h.
 *	b1_table.lock (raw spinlock, shared): the table, because BUS1_CMD_TRANSFER of another peer
 *		inserts, and fdinfo counts. Code that has several objects takes it once, see
 *		b1_relax_lock().
 *
 * Context: may sleep, except for b1_peer_ref(), b1_peer_unref() and b1_peer_wake().
 *
 * Ordering: b1_peer_wake() looks for sleepers after a full barrier: that of b1_queue_push() if the push
 * was the commit, else that of b1_tx_commit(). It pairs with the one in b1_cdev_poll().
 */
#ifndef B1_PEER_H
#define B1_PEER_H

#include <linux/atomic.h>
#include <linux/cache.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/uidgid.h>
#include <linux/wait.h>

#include "acct.h"
#include "queue.h"
#include "tx.h"

struct b1_handle;
struct b1_message;
struct b1_object;

/* The nodes and handles of a peer by ID, see object.h. */
struct b1_table {
	raw_spinlock_t lock;
	struct rb_root objects;
	struct b1_object *newest;	/* the last one there; NULL: none */
	u64 last_id;
};

struct b1_peer {
	struct b1_tx tx;		/* reference count, and the transaction of the close */
	kuid_t account;
	u64 actor;			/* tells it from all other peers, past ones as well */
	wait_queue_head_t wq;
	/*
	 * Memory for the next message to here, or NULL; xchg(). It was allocated by this peer, so that
	 * its own control group pays for it.
	 */
	struct b1_message *spare;

	/* senders use what is above and the stack of the queue; the rest is for the peer itself */
	struct b1_queue queue ____cacheline_aligned_in_smp;

	struct mutex lock ____cacheline_aligned_in_smp;
	struct b1_table table;
	/*
	 * The live handle that was sent through last, or NULL; needs the lock of the peer only. Most
	 * sends go where the one before went, and save the search and the lock of the table.
	 */
	struct b1_handle *recent;
	struct b1_acct_trace *own;	/* what it claims from its own user; counted */
};

static inline struct b1_peer *b1_peer_ref(struct b1_peer *peer)
{
	b1_tx_ref(&peer->tx);
	return peer;
}

static inline void b1_peer_unref(struct b1_peer *peer)
{
	b1_tx_unref(&peer->tx);
}

/**
 * b1_peer_wake() - wake whoever polls a peer
 * @peer:	peer; something has been committed to its queue
 */
static inline void b1_peer_wake(struct b1_peer *peer)
{
	/* see "Ordering": the barrier is in the commit */
	if (waitqueue_active(&peer->wq))
		wake_up_interruptible_poll(&peer->wq, EPOLLIN | EPOLLRDNORM);
}

int b1_peer_new(kuid_t account, struct b1_peer **peerp);
void b1_peer_end(struct b1_peer *peer);

struct b1_acct_trace *b1_peer_claim_from(struct b1_peer *claimant, struct b1_peer *peer);
void b1_peer_log_refusal(struct b1_acct_trace *trace, enum b1_acct_slot slot);

/**
 * b1_peer_charge() - charge, and tell the administrator of a refusal
 * @trace:	who claims from whom; borrowed
 * @objects:	number of objects
 * @bytes:	number of bytes
 *
 * Return: 0, or -EDQUOT; then nothing has changed.
 */
static inline int b1_peer_charge(struct b1_acct_trace *trace, u64 objects, u64 bytes)
{
	enum b1_acct_slot slot;
	int ret;

	ret = b1_acct_charge(trace, objects, bytes, &slot);
	if (ret)
		b1_peer_log_refusal(trace, slot);
	return ret;
}

#endif /* B1_PEER_H */
