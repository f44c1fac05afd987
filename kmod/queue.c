// SPDX-License-Identifier: GPL-2.0-only
#include <linux/atomic.h>
#include <linux/bug.h>
#include <linux/list.h>
#include <linux/lockdep.h>
#include <linux/mutex.h>
#include <linux/rbtree.h>

#include "queue.h"
#include "relax.h"

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
	queue->bundles = RB_ROOT;
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
	WARN_ON_ONCE(!RB_EMPTY_ROOT(&queue->bundles));
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

/* Bundles */

static struct b1_queue_entry *b1_queue_bundle_entry(const struct rb_node *node)
{
	return rb_entry_safe(node, struct b1_queue_entry, bundle_node);
}

static int b1_queue_bundle_cmp(const void *key, const struct rb_node *node)
{
	const struct b1_tx *tx = key, *other = b1_queue_bundle_entry(node)->tx;

	return tx < other ? -1 : tx > other;
}

static bool b1_queue_bundle_less(struct rb_node *node, const struct rb_node *other)
{
	return b1_queue_bundle_entry(node)->tx < b1_queue_bundle_entry(other)->tx;
}

/* The head of the bundle of a transaction, or NULL. */
static struct b1_queue_entry *b1_queue_find_bundle(const struct b1_queue *queue,
						   const struct b1_tx *tx)
{
	return b1_queue_bundle_entry(rb_find(tx, &queue->bundles, b1_queue_bundle_cmp));
}

/* Makes another entry, of the same ring or about to be, the head of a bundle. */
static void b1_queue_replace_head(struct b1_queue *queue, struct b1_queue_entry *old,
				  struct b1_queue_entry *new)
{
	rb_replace_node(&old->bundle_node, &new->bundle_node, &queue->bundles);
	RB_CLEAR_NODE(&old->bundle_node);
	list_replace(&old->bundle_link, &new->bundle_link);
}

/*
 * A transaction was found not to be committed: @entry is the newest of those that this fetch has got,
 * and newer than those of @old, the head of what has been busy before, or NULL.
 */
static void b1_queue_begin_bundle(struct b1_queue *queue, struct b1_queue_entry *entry,
				  struct b1_queue_entry *old, struct list_head *busy)
{
	if (old) {
		/* behind the one that was the newest, and before the oldest */
		list_add(&entry->link, &old->link);
		b1_queue_replace_head(queue, old, entry);
		list_move(&entry->bundle_link, busy);
	} else {
		rb_add(&entry->bundle_node, &queue->bundles, b1_queue_bundle_less);
		list_add(&entry->bundle_link, busy);
	}
	entry->next = entry;
}

/* Adds an entry older than those that this fetch has added before. */
static void b1_queue_add_older(struct b1_queue_entry *head, struct b1_queue_entry *entry)
{
	list_add_tail(&entry->link, &head->next->link);
	head->next = entry;
}

/* Ends a bundle whose transaction is committed: its entries go in front of @ready. */
static void b1_queue_end_bundle(struct b1_queue *queue, struct b1_queue_entry *head,
				struct list_head *ready)
{
	LIST_HEAD(ring);

	rb_erase(&head->bundle_node, &queue->bundles);
	RB_CLEAR_NODE(&head->bundle_node);
	list_del(&head->bundle_link);
	/* behind the newest, and before the oldest: what was a ring is a list now */
	list_add(&ring, &head->link);
	list_splice(&ring, ready);
}

/* Takes an entry that is a head out of the list and the tree; it stays in the ring. */
static void b1_queue_drop_head(struct b1_queue *queue, struct b1_queue_entry *head)
{
	if (!list_empty(&head->link)) {
		b1_queue_replace_head(queue, head, list_prev_entry(head, link));
		return;
	}
	rb_erase(&head->bundle_node, &queue->bundles);
	RB_CLEAR_NODE(&head->bundle_node);
	list_del(&head->bundle_link);
}

/* Sorting */

/*
 * Sorts what was on the stack into @ready and @busy. Newest to oldest: each goes in front of those
 * seen before.
 */
static void b1_queue_sort_taken(struct b1_queue *queue, struct b1_queue_entry *taken,
				struct list_head *ready, struct list_head *busy)
{
	struct b1_queue_entry *entry, *next, *found, *head = NULL;
	size_t i = 0;

	for (entry = taken; entry; entry = next) {
		next = entry->next;
		entry->next = NULL;
		if (entry->group)
			list_add(&entry->group_link, entry->group);
		/* most often of the same transaction as the one before */
		found = head && head->tx == entry->tx ? head :
			entry->tx ? b1_queue_find_bundle(queue, entry->tx) : NULL;
		if (found && found->next) {
			head = found;
			b1_queue_add_older(head, entry);
		} else if (b1_tx_is_committed(entry->tx)) {
			/* so is the rest of it, if there is a bundle: see b1_queue_sort_busy() */
			list_add(&entry->link, ready);
		} else {
			head = entry;
			b1_queue_begin_bundle(queue, entry, found, busy);
		}
		b1_relax(i++);
	}
}

/* What has been busy before, and did not go to new bundles, is older than all that was taken. */
static void b1_queue_sort_busy(struct b1_queue *queue, struct list_head *ready)
{
	struct b1_queue_entry *head, *safe;
	size_t i = 0;

	list_for_each_entry_safe_reverse(head, safe, &queue->busy, bundle_link) {
		if (b1_tx_is_committed(head->tx))
			b1_queue_end_bundle(queue, head, ready);
		b1_relax(i++);
	}
}

/* Sorts what was on the stack, and what was busy before, into ready and busy. */
static void b1_queue_sort(struct b1_queue *queue, struct b1_queue_entry *taken)
{
	struct b1_queue_entry *head;
	LIST_HEAD(ready);
	LIST_HEAD(busy);
	size_t i = 0;

	lockdep_assert_held(&queue->lock);

	b1_queue_sort_taken(queue, taken, &ready, &busy);
	b1_queue_sort_busy(queue, &ready);
	list_splice_tail(&ready, &queue->ready);
	list_for_each_entry(head, &busy, bundle_link) {
		head->next = NULL;
		b1_relax(i++);
	}
	list_splice_tail(&busy, &queue->busy);
}

/* Whether there are bundles that can be received. */
static bool b1_queue_is_busy_done(const struct b1_queue *queue)
{
	struct b1_queue_entry *head;
	size_t i = 0;

	list_for_each_entry(head, &queue->busy, bundle_link) {
		if (b1_tx_is_committed(head->tx))
			return true;
		b1_relax(i++);
	}
	return false;
}

/*
 * The rest of a fetch. While others do not go on with what they are about to commit, most fetches find
 * nothing new, or one entry that is committed: these cost one look for each transaction more.
 */
static noinline void b1_queue_fetch_rest(struct b1_queue *queue, struct b1_queue_entry *taken)
{
	bool few = !taken || (!taken->next && b1_tx_is_committed(taken->tx));

	if (few && !b1_queue_is_busy_done(queue))
		queue->next = taken;
	else
		b1_queue_sort(queue, taken);
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
		b1_queue_fetch_rest(queue, taken);
}

/**
 * b1_queue_unstack() - make what has been pushed so far reachable, ready or busy
 * @queue:	queue, locked
 *
 * Unlike b1_queue_fetch() it does not look at the busy entries again when there is nothing new.
 */
void b1_queue_unstack(struct b1_queue *queue)
{
	struct b1_queue_entry *taken;

	lockdep_assert_held(&queue->lock);

	b1_queue_settle(queue);
	if (READ_ONCE(queue->stack) == B1_QUEUE_SEALED)
		return;
	taken = xchg(&queue->stack, NULL);
	if (taken)
		b1_queue_sort(queue, taken);
}

/**
 * b1_queue_seal() - refuse all pushes from now on
 * @queue:	queue, locked
 *
 * What is in the queue stays there, for b1_queue_remove_any().
 */
void b1_queue_seal(struct b1_queue *queue)
{
	lockdep_assert_held(&queue->lock);

	b1_queue_settle(queue);
	b1_queue_sort(queue, xchg(&queue->stack, B1_QUEUE_SEALED));
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
	if (unlikely(!RB_EMPTY_NODE(&entry->bundle_node)))
		b1_queue_drop_head(queue, entry);
	list_del_init(&entry->link);
	list_del_init(&entry->group_link);
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
 * b1_queue_remove_group() - take all entries of a group out, committed or not
 * @queue:	queue, locked, after b1_queue_unstack() when the last of them had been pushed
 * @group:	the list given to b1_queue_entry_init()
 * @chain:	entries that have been taken out before, or NULL
 * @done:	for b1_relax_steps()
 *
 * Return: all of these, chained by their next; the caller gets the references that the queue held.
 */
struct b1_queue_entry *b1_queue_remove_group(struct b1_queue *queue, struct list_head *group,
					     struct b1_queue_entry *chain, size_t *done)
{
	struct b1_queue_entry *entry, *safe;

	lockdep_assert_held(&queue->lock);

	list_for_each_entry_safe(entry, safe, group, group_link) {
		b1_queue_remove(queue, entry);
		entry->next = chain;
		chain = entry;
		b1_relax_steps(done, 1);
	}
	return chain;
}

/**
 * b1_queue_remove_any() - take any entry out, committed or not
 * @queue:	sealed queue, locked
 *
 * Return: an entry, with the references that the queue held, or NULL if the queue is empty.
 */
struct b1_queue_entry *b1_queue_remove_any(struct b1_queue *queue)
{
	struct b1_queue_entry *entry;

	lockdep_assert_held(&queue->lock);

	entry = list_first_entry_or_null(&queue->ready, struct b1_queue_entry, link);
	if (!entry)
		entry = list_first_entry_or_null(&queue->busy, struct b1_queue_entry, bundle_link);
	if (entry)
		b1_queue_remove(queue, entry);
	return entry;
}
