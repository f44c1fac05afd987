// SPDX-License-Identifier: GPL-2.0-only
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/sched.h>

#include "queue.h"

/**
 * b1_queue_init() - set up an empty queue
 * @queue:	queue
 */
void b1_queue_init(struct b1_queue *queue)
{
	queue->stack = NULL;
	mutex_init(&queue->lock);
	queue->next = NULL;
	INIT_LIST_HEAD(&queue->ready);
	INIT_LIST_HEAD(&queue->busy);
}

/**
 * b1_queue_deinit() - end a queue
 * @queue:	queue that nobody else can reach, sealed and empty, or never used
 */
void b1_queue_deinit(struct b1_queue *queue)
{
	WARN_ON_ONCE(queue->stack && queue->stack != B1_QUEUE_SEALED);
	WARN_ON_ONCE(queue->next);
	WARN_ON_ONCE(!list_empty(&queue->ready));
	WARN_ON_ONCE(!list_empty(&queue->busy));
	mutex_destroy(&queue->lock);
}

/* Puts the entry to be received next to where it is found by other means than b1_queue_peek(). */
static void b1_queue_settle(struct b1_queue *queue)
{
	struct b1_queue_entry *entry = queue->next;

	lockdep_assert_held(&queue->lock);

	if (!entry)
		return;
	queue->next = NULL;
	list_add(&entry->link, &queue->ready);
	if (entry->group)
		list_add(&entry->group_link, entry->group);
}

/* Sorts what was on the stack, and what was busy before, into ready and busy. */
static void b1_queue_sort(struct b1_queue *queue, struct b1_queue_entry *taken)
{
	struct b1_queue_entry *entry, *next;
	LIST_HEAD(ready);
	LIST_HEAD(busy);

	lockdep_assert_held(&queue->lock);

	/* newest to oldest: each goes in front of those seen before */
	for (entry = taken; entry; entry = next) {
		next = entry->next;
		entry->next = NULL;
		if (b1_tx_is_committed(entry->tx))
			list_add(&entry->link, &ready);
		else
			list_add(&entry->link, &busy);
		if (entry->group)
			list_add(&entry->group_link, entry->group);
		cond_resched();
	}
	/* all that was busy is older than all that was taken */
	list_for_each_entry_safe_reverse(entry, next, &queue->busy, link) {
		if (b1_tx_is_committed(entry->tx))
			list_move(&entry->link, &ready);
		cond_resched();
	}
	list_splice_tail(&ready, &queue->ready);
	list_splice_tail(&busy, &queue->busy);
}

/**
 * b1_queue_fetch() - find out what can be received, when nothing is ready
 * @queue:	queue, locked; nothing is ready or next
 *
 * Takes all that has been pushed so far, and only then looks at flags. (What b1_queue_unstack() finds
 * committed goes behind what is ready already: were it a cause of something there, it would have been
 * found committed together with that.)
 */
void b1_queue_fetch(struct b1_queue *queue)
{
	struct b1_queue_entry *taken;

	lockdep_assert_held(&queue->lock);

	/* only changes from and to sealed under the lock */
	if (READ_ONCE(queue->stack) == B1_QUEUE_SEALED)
		return;
	/* also the full barrier that b1_queue_push(), b1_tx_commit() and pollers rely on */
	taken = xchg(&queue->stack, NULL);
	if (taken && !taken->next && list_empty(&queue->busy) && b1_tx_is_committed(taken->tx))
		queue->next = taken;
	else if (taken || !list_empty(&queue->busy))
		b1_queue_sort(queue, taken);
}

/*
 * Makes what has been pushed so far reachable, ready or busy. Unlike b1_queue_fetch() it does not
 * look at the busy entries again when there is nothing new.
 */
static void b1_queue_unstack(struct b1_queue *queue)
{
	struct b1_queue_entry *taken;

	lockdep_assert_held(&queue->lock);

	b1_queue_settle(queue);
	if (READ_ONCE(queue->stack) == B1_QUEUE_SEALED)
		return;
	/* the barrier pairs with b1_queue_push() where a sender looks for the release of a node */
	taken = xchg(&queue->stack, NULL);
	if (taken)
		b1_queue_sort(queue, taken);
}

/**
 * b1_queue_seal() - refuse all pushes from now on
 * @queue:	queue
 *
 * What is in the queue stays there, for b1_queue_remove_any().
 */
void b1_queue_seal(struct b1_queue *queue)
{
	mutex_lock(&queue->lock);
	b1_queue_settle(queue);
	b1_queue_sort(queue, xchg(&queue->stack, B1_QUEUE_SEALED));
	mutex_unlock(&queue->lock);
}

/**
 * b1_queue_remove() - take an entry out
 * @queue:	queue, locked
 * @entry:	entry that is next, ready or busy in this queue
 *
 * The caller gets the references that the queue held.
 */
void b1_queue_remove(struct b1_queue *queue, struct b1_queue_entry *entry)
{
	lockdep_assert_held(&queue->lock);

	if (entry == queue->next) {
		queue->next = NULL;
		return;
	}
	list_del_init(&entry->link);
	list_del_init(&entry->group_link);
}

/**
 * b1_queue_hide() - take an entry out of the order, but leave it in its group
 * @queue:	queue, locked
 * @entry:	ready entry of a group that somebody is about to remove
 *
 * The references stay with the queue, until b1_queue_remove_group().
 */
void b1_queue_hide(struct b1_queue *queue, struct b1_queue_entry *entry)
{
	lockdep_assert_held(&queue->lock);

	b1_queue_settle(queue);
	list_del_init(&entry->link);
}

/**
 * b1_queue_add_front() - make an entry the one to be received next
 * @queue:	queue, locked
 * @entry:	entry that is in no queue and needs no transaction
 *
 * Consumes a reference to what @entry is part of.
 */
void b1_queue_add_front(struct b1_queue *queue, struct b1_queue_entry *entry)
{
	lockdep_assert_held(&queue->lock);

	b1_queue_settle(queue);
	list_add(&entry->link, &queue->ready);
	if (entry->group)
		list_add(&entry->group_link, entry->group);
}

/**
 * b1_queue_cancel() - take an entry out, wherever it is
 * @queue:	queue
 * @entry:	entry that nobody pushes to @queue at the same time
 *
 * Return: true if it was there, then the caller gets the references that the queue held.
 */
bool b1_queue_cancel(struct b1_queue *queue, struct b1_queue_entry *entry)
{
	bool found;

	mutex_lock(&queue->lock);
	if (list_empty(&entry->link))
		b1_queue_unstack(queue);	/* or it was next */
	found = !list_empty(&entry->link);
	if (found)
		b1_queue_remove(queue, entry);
	mutex_unlock(&queue->lock);
	return found;
}

/**
 * b1_queue_remove_group() - take all entries of a group out, committed or not
 * @queue:	queue
 * @group:	the list given to b1_queue_entry_init()
 *
 * Return: the entries, chained by their next; the caller gets the references that the queue held.
 */
struct b1_queue_entry *b1_queue_remove_group(struct b1_queue *queue, struct list_head *group)
{
	struct b1_queue_entry *entry, *safe, *chain = NULL;

	mutex_lock(&queue->lock);
	b1_queue_unstack(queue);
	list_for_each_entry_safe(entry, safe, group, group_link) {
		b1_queue_remove(queue, entry);
		entry->next = chain;
		chain = entry;
		cond_resched();
	}
	mutex_unlock(&queue->lock);
	return chain;
}

/**
 * b1_queue_remove_any() - take any entry out, committed or not
 * @queue:	sealed queue
 *
 * Return: an entry, with the references that the queue held, or NULL if the queue is empty.
 */
struct b1_queue_entry *b1_queue_remove_any(struct b1_queue *queue)
{
	struct b1_queue_entry *entry;

	mutex_lock(&queue->lock);
	entry = list_first_entry_or_null(&queue->ready, struct b1_queue_entry, link);
	if (!entry)
		entry = list_first_entry_or_null(&queue->busy, struct b1_queue_entry, link);
	if (entry)
		b1_queue_remove(queue, entry);
	mutex_unlock(&queue->lock);
	return entry;
}

/**
 * b1_queue_visit() - look at all entries, committed or not
 * @queue:	queue
 * @visit:	called for each entry with the queue locked
 * @data:	passed to @visit
 */
void b1_queue_visit(struct b1_queue *queue, void (*visit)(struct b1_queue_entry *entry, void *data),
		    void *data)
{
	struct b1_queue_entry *entry;

	mutex_lock(&queue->lock);
	b1_queue_unstack(queue);
	list_for_each_entry(entry, &queue->ready, link) {
		visit(entry, data);
		cond_resched();
	}
	list_for_each_entry(entry, &queue->busy, link) {
		visit(entry, data);
		cond_resched();
	}
	mutex_unlock(&queue->lock);
}
