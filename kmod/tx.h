/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Transactions
 *
 * Purpose: a transaction makes any number of queue entries, in any number of queues, receivable at
 * one instant: all of them point to it, and its one flag says whether they count. A transaction of
 * a single entry needs no object: pushing the entry commits it. How entries are pushed is in
 * queue.h; who pushes what is in node.h (notifications) and send.h (messages).
 *
 * Objects: struct b1_tx. A multicast has one with the bytes that its messages share. Close, and a
 * release of anything but a single handle, use the one inside the peer or first object that they end,
 * so that they need no memory. This is why the reference count of objects and peers is that of their
 * transaction.
 *
 * Lifetime: the creator holds one reference, each queue entry that points to a transaction holds
 * one more, b1_tx_unref() frees. Freeing never reaches another queue entry, so it does not recurse:
 * an entry ends at a transaction, which ends at an object, its node and their peer.
 *
 * Locking: none. The list of notifications is a llist; adding to it is ruled by b1_node.lock, see
 * node.h.
 *
 * Context: see ref.h.
 *
 * Ordering: b1_tx_commit() stores the flag with release after the pushes of all entries;
 * b1_tx_is_committed() loads it with acquire, after the entries were taken off the stack with
 * xchg() in b1_queue_fetch(). Together: a reader that finds one entry of a transaction committed
 * finds all others in their queues, except for notifications that nobody can miss yet, see node.h.
 * b1_tx_commit() ends with a full barrier, which pairs with the one between poll_wait() and the
 * look at the queue in b1_cdev_poll(): either the committer sees the sleeper, or the sleeper sees
 * the entry.
 */
#ifndef B1_TX_H
#define B1_TX_H

#include <linux/atomic.h>
#include <linux/llist.h>
#include <linux/types.h>

#include "ref.h"

struct b1_tx {
	struct b1_ref ref;
	bool committed;
	struct llist_head notes;	/* objects whose notification is part of this */
};

static inline struct b1_tx *b1_tx_from_ref(struct b1_ref *ref)
{
	return container_of(ref, struct b1_tx, ref);
}

/**
 * b1_tx_construct() - set up what is the same when a transaction ends
 * @tx:		transaction inside an object from a cache
 * @free:	called when the last reference is dropped; may sleep
 */
static inline void b1_tx_construct(struct b1_tx *tx, void (*free)(struct b1_ref *ref))
{
	b1_ref_construct(&tx->ref, free);
	init_llist_head(&tx->notes);
}

/**
 * b1_tx_reset() - set up the rest: one reference, not committed
 * @tx:		transaction
 */
static inline void b1_tx_reset(struct b1_tx *tx)
{
	b1_ref_reset(&tx->ref);
	tx->committed = false;
}

/**
 * b1_tx_init() - set up a transaction with one reference
 * @tx:		transaction, usually inside a larger object
 * @free:	called when the last reference is dropped; may sleep
 */
static inline void b1_tx_init(struct b1_tx *tx, void (*free)(struct b1_ref *ref))
{
	b1_tx_construct(tx, free);
	b1_tx_reset(tx);
}

/* NULL is fine and does nothing */
static inline struct b1_tx *b1_tx_ref(struct b1_tx *tx)
{
	if (tx)
		b1_ref_get(&tx->ref);
	return tx;
}

/* NULL is fine and does nothing */
static inline void b1_tx_unref(struct b1_tx *tx)
{
	if (tx)
		b1_ref_put(&tx->ref);
}

/**
 * b1_tx_is_committed() - whether the entries of a transaction may be received
 * @tx:		transaction, or NULL for an entry that was committed by its push
 *
 * Call it only after the entry has been taken off the stack: an entry that is found committed
 * implies that everything it is a reaction to has been taken off as well.
 *
 * Return: true for ever from the commit on.
 */
static inline bool b1_tx_is_committed(const struct b1_tx *tx)
{
	/* pairs with the store in b1_tx_commit() */
	return !tx || smp_load_acquire(&tx->committed);
}

/**
 * b1_tx_commit() - make all entries of a transaction receivable
 * @tx:		transaction; all its entries have been pushed, but see "Ordering"
 *
 * The caller wakes the receivers afterwards, each of them, whatever is in its queue already.
 */
static inline void b1_tx_commit(struct b1_tx *tx)
{
	/* pairs with b1_tx_is_committed() */
	smp_store_release(&tx->committed, true);
	/* before the look for sleepers in b1_peer_wake(); pairs with the barrier in b1_cdev_poll() */
	smp_mb();
}

#endif /* B1_TX_H */
