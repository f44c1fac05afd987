/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Queues
 *
 * Purpose: the receiving side of a peer. Anybody pushes without a lock; one reader at a time takes
 * entries out in causal order, atomically for each transaction. Queues know nothing of peers,
 * messages or ioctls; what an entry means, and waking, is left to the callers.
 *
 * Objects: struct b1_queue_entry is embedded in messages, nodes and handles. Its type and group are
 * constant from b1_queue_entry_init() on; tx is set by the push.
 *
 * Lifetime: a queue holds the reference to an entry that its pusher gave it; whoever removes the
 * entry gets that reference, and the one to the transaction. Once pushed, an entry belongs to the
 * queue: the pusher must not touch it again unless it holds a reference of its own.
 *
 * Locking: b1_queue.lock protects everything but the stack. It is a mutex because a stack can be
 * as deep as the receiver's quota allows, and it is never held while user memory is touched. It
 * nests inside b1_peer.lock and b1_peer.discard_lock; two queue locks are never nested.
 *
 * Context: pushing is possible everywhere, all else may sleep.
 *
 * Ordering: b1_queue_push() publishes with a fully ordered cmpxchg; b1_queue_fetch() takes the
 * stack with xchg() *before* it tests the first transaction flag. If entry Y is a reaction to X
 * and both are in this queue, X was pushed before Y's transaction committed; so whoever finds Y
 * committed already holds X, and finds it committed too. The flags are tested newest first: were
 * they tested oldest first, a commit halfway could leave the older entry of a transaction behind
 * while the younger one passes it.
 */
#ifndef B1_QUEUE_H
#define B1_QUEUE_H

#include <linux/atomic.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/types.h>

#include "tx.h"

/* top of the stack of a queue that accepts nothing any more */
#define B1_QUEUE_SEALED ((struct b1_queue_entry *)1UL)

struct b1_queue_entry {
	struct b1_queue_entry *next;	/* stack, and chains of removed entries */
	struct list_head link;		/* ready or busy; empty: not there, or b1_queue.next */
	struct list_head group_link;	/* in *group while ready, busy or hidden; not yet if next */
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
	struct list_head busy;		/* not found committed yet, oldest first */
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
	INIT_LIST_HEAD(&entry->group_link);
	entry->group = group;
	entry->tx = NULL;
	entry->type = type;
}

void b1_queue_init(struct b1_queue *queue);
void b1_queue_deinit(struct b1_queue *queue);

void b1_queue_seal(struct b1_queue *queue);

void b1_queue_fetch(struct b1_queue *queue);
void b1_queue_remove(struct b1_queue *queue, struct b1_queue_entry *entry);
void b1_queue_hide(struct b1_queue *queue, struct b1_queue_entry *entry);
void b1_queue_add_front(struct b1_queue *queue, struct b1_queue_entry *entry);

bool b1_queue_cancel(struct b1_queue *queue, struct b1_queue_entry *entry);
struct b1_queue_entry *b1_queue_remove_group(struct b1_queue *queue, struct list_head *group);
struct b1_queue_entry *b1_queue_remove_any(struct b1_queue *queue);
void b1_queue_visit(struct b1_queue *queue, void (*visit)(struct b1_queue_entry *entry, void *data),
		    void *data);

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
			entry->tx = NULL;
			return false;
		}
		entry->next = top;
		/* pairs with xchg() in b1_queue_fetch(), see "Ordering" in the header */
	} while (!try_cmpxchg(&queue->stack, &top, entry));
	return true;
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
	return queue->next ?: list_first_entry_or_null(&queue->ready, struct b1_queue_entry, link);
}

#endif /* B1_QUEUE_H */
