/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues
 *
 * Purpose: the receiving side of a peer. Anybody pushes without a lock; one reader at a time takes
 * entries out in causal order, atomically for each transaction. Queues know nothing of peers,
 * messages or ioctls; what an entry means, and waking, is left to the callers.
 *
 * Objects: struct b1_queue_entry is embedded in messages, nodes and handles. Its type and group are
 * constant from b1_queue_entry_init() on; tx is set by the push. A bundle is made of all busy entries
 * of one transaction, those that are not found committed yet: a ring from the oldest to the newest.
 * The newest is the head: only it is in the list and in the tree of bundles.
 *
 * Lifetime: a queue holds the reference to an entry that its pusher gave it; whoever removes the
 * entry gets that reference, and the one to the transaction. Once pushed, an entry belongs to the
 * queue: the pusher must not touch it again unless it holds a reference of its own.
 *
 * Locking: b1_queue.lock protects everything except the stack. It is the peer's own: only commands
 * on the peer itself, its poll and its close take it, so it may be a mutex, and be held for as long
 * as the queue is deep. It is never held while user memory is touched, so that poll does not wait for
 * a page fault. It nests inside b1_peer.lock; two queue locks are never nested.
 *
 * Context: pushing is possible everywhere, all else may sleep.
 *
 * Ordering: b1_queue_push() publishes with a fully ordered cmpxchg; b1_queue_fetch() takes the
 * stack with xchg() *before* it tests the first transaction flag. If entry Y is a reaction to X
 * and both are in this queue, X was pushed before Y's transaction committed; so a reader that finds Y
 * committed already holds X, and finds it committed too. What has been taken is tested newest first, then
 * what was busy. Where entries go rests on one test for all that a fetch has found of their transaction: a
 * commit halfway must not leave the older entry of a transaction behind while the younger one passes
 * it. "Not committed" is never remembered from one fetch to the next.
 *
 * A bundle has the place of its newest entry. Whatever is between its entries was pushed after the
 * transaction had begun and before it was committed: neither is a reaction to the other.
 */
#ifndef B1_QUEUE_H
#define B1_QUEUE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>
#include <linux/types.h>

#include "tx.h"

/* top of the stack of a queue that accepts nothing any more */
#define B1_QUEUE_SEALED ((struct b1_queue_entry *)1UL)

struct b1_queue_entry {
	/*
	 * Stack, and chains of removed entries. Of a head while entries are sorted: the one of this
	 * fetch in front of which an older one goes; NULL if the flag was not tested in this fetch.
	 */
	struct b1_queue_entry *next;
	struct list_head link;		/* ready, or the ring of a bundle */
	struct list_head bundle_link;	/* b1_queue.busy, if it is a head */
	struct rb_node bundle_node;	/* b1_queue.bundles; empty: it is no head */
	struct list_head group_link;	/* in *group while ready or busy; not yet if next */
	struct list_head *group;	/* may be NULL */
	struct b1_tx *tx;		/* reference, NULL: committed by its push */
	unsigned int type;		/* for the users of the queue */
};

struct b1_queue {
	struct b1_queue_entry *stack;	/* newest first, or B1_QUEUE_SEALED */
	struct mutex lock;
	/*
	 * The one to be received next, if it was alone on the stack: as most entries are received
	 * soon, most never get to the lists, which saves a tenth of a send and receive.
	 */
	struct b1_queue_entry *next;
	struct list_head ready;		/* committed, oldest first */
	struct list_head busy;		/* heads of bundles, oldest first */
	struct rb_root bundles;		/* heads of bundles, by transaction */
};

/**
 * b1_queue_entry_init() - set up an entry
 * @entry:	entry
 * @type:	tells the users of the queue what the entry is part of
 * @group:	list of all entries of a kind, for b1_queue_remove_group(), or NULL; must live as
 *		long as the entry, and is protected by the lock of the queue
 */
static inline void b1_queue_entry_init(struct b1_queue_entry *entry, unsigned int type,
				       struct list_head *group)
{
	entry->next = NULL;
	INIT_LIST_HEAD(&entry->link);
	RB_CLEAR_NODE(&entry->bundle_node);
	INIT_LIST_HEAD(&entry->group_link);
	entry->group = group;
	entry->tx = NULL;
	entry->type = type;
}

void b1_queue_init(struct b1_queue *queue);
void b1_queue_deinit(struct b1_queue *queue);

void b1_queue_seal(struct b1_queue *queue);

void b1_queue_fetch(struct b1_queue *queue);
void b1_queue_unstack(struct b1_queue *queue);
void b1_queue_remove(struct b1_queue *queue, struct b1_queue_entry *entry);
void b1_queue_add_front(struct b1_queue *queue, struct b1_queue_entry *entry);

struct b1_queue_entry *b1_queue_remove_group(struct b1_queue *queue, struct list_head *group,
					     struct b1_queue_entry *chain, size_t *done);
struct b1_queue_entry *b1_queue_remove_any(struct b1_queue *queue);

/* Whether an entry is ready or busy. A bundle of one has an empty ring. */
static inline bool b1_queue_is_listed(const struct b1_queue_entry *entry)
{
	return !list_empty(&entry->link) || !RB_EMPTY_NODE(&entry->bundle_node);
}

/**
 * b1_queue_cancel() - take an entry out, wherever it is
 * @queue:	queue, locked, after b1_queue_unstack() when nobody pushed @entry any more
 * @entry:	entry that may be in @queue
 *
 * Return: true if it was there, then the caller gets the references that the queue held.
 */
static inline bool b1_queue_cancel(struct b1_queue *queue, struct b1_queue_entry *entry)
{
	lockdep_assert_held(&queue->lock);

	if (!b1_queue_is_listed(entry))
		return false;
	b1_queue_remove(queue, entry);
	return true;
}

/**
 * b1_queue_push() - add an entry
 * @queue:	queue
 * @entry:	entry that is in no queue
 * @tx:		transaction of the entry, NULL if the entry is one by itself
 *
 * On success consumes the caller's reference to what @entry is part of, and one to @tx. The caller
 * wakes the receiver after the commit. Takes no lock; a full memory barrier on success.
 *
 * Return: false if the queue is sealed, then nothing has happened.
 */
static inline bool b1_queue_push(struct b1_queue *queue, struct b1_queue_entry *entry, struct b1_tx *tx)
{
	struct b1_queue_entry *top = READ_ONCE(queue->stack);

	entry->tx = tx;
	do {
		if (top == B1_QUEUE_SEALED) {
			/* as b1_queue_entry_init() has left it */
			entry->next = NULL;
			entry->tx = NULL;
			return false;
		}
		entry->next = top;
		/* pairs with xchg() in b1_queue_fetch(), see "Ordering" in the header */
	} while (!try_cmpxchg(&queue->stack, &top, entry));
	return true;
}

/* The entry to be received next, of those that have been fetched; NULL if there is none. */
static inline struct b1_queue_entry *b1_queue_first(struct b1_queue *queue)
{
	lockdep_assert_held(&queue->lock);

	return queue->next ?: list_first_entry_or_null(&queue->ready, struct b1_queue_entry, link);
}

/**
 * b1_queue_peek() - the entry to be received next
 * @queue:	queue, locked
 *
 * Return: the first committed entry, which stays first until it is removed; NULL if there is none.
 */
static inline struct b1_queue_entry *b1_queue_peek(struct b1_queue *queue)
{
	lockdep_assert_held(&queue->lock);

	if (!queue->next && list_empty(&queue->ready))
		b1_queue_fetch(queue);
	return b1_queue_first(queue);
}

#endif /* B1_QUEUE_H */
