// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bug.h>

#include "object.h"
#include "relax.h"

/**
 * b1_object_construct() - set up what is the same whenever an object is allocated or freed
 * @obj:	object inside memory of a cache
 * @type:	type of the notification about it
 * @free:	called when the last reference is dropped; may sleep
 *
 * Memory of a cache with a constructor is not cleared when it is allocated, either.
 */
void b1_object_construct(struct b1_object *obj, unsigned int type, void (*free)(struct b1_ref *ref))
{
	b1_tx_construct(&obj->tx, free);
	obj->collected = false;
	RB_CLEAR_NODE(&obj->table_link);
	b1_queue_entry_init(&obj->note, type, NULL);
}

/**
 * b1_object_notify_locked() - push the notification about an object
 * @obj:	object whose notification is in no queue; the lock of the node is held
 * @tx:		transaction that it is part of, then b1_object_wake_all() wakes the peer; NULL if it
 *		is one by itself, then the caller wakes
 *
 * Return: false if the peer is closed, and needs no notification.
 */
bool b1_object_notify_locked(struct b1_object *obj, struct b1_tx *tx)
{
	b1_object_ref(obj);
	b1_tx_ref(tx);
	if (!b1_queue_push(&obj->peer->queue, &obj->note, tx)) {
		/* both have other references */
		b1_tx_unref(tx);
		b1_object_unref(obj);
		return false;
	}
	if (tx) {
		b1_object_ref(obj);
		llist_add(&obj->tx_link, &tx->notes);
	}
	return true;
}

/**
 * b1_object_consume_note() - drop what a queue held for a notification
 * @obj:	object whose note has just been removed from its queue
 */
void b1_object_consume_note(struct b1_object *obj)
{
	b1_tx_unref(obj->note.tx);
	obj->note.tx = NULL;
	b1_object_unref(obj);
}

/**
 * b1_object_wake_all() - wake every peer that got a notification in a transaction
 * @tx:		transaction that is committed and that nobody can add to any more
 *
 * Drops the references that the list of notifications holds. The objects may be long released by
 * their peers; the references keep the wait queues alive.
 */
void b1_object_wake_all(struct b1_tx *tx)
{
	struct b1_object *obj, *next;
	size_t i = 0;

	llist_for_each_entry_safe(obj, next, llist_del_all(&tx->notes), tx_link) {
		b1_peer_wake(obj->peer);
		b1_object_unref(obj);
		b1_relax(i++);
	}
}

/* as b1_table_insert_locked(), for a single object */
void b1_table_insert(struct b1_object *obj)
{
	struct b1_table *table = &obj->peer->table;

	raw_spin_lock(&table->lock);
	b1_table_insert_locked(table, obj);
	raw_spin_unlock(&table->lock);
}

/* as b1_table_erase_locked(), for a single object */
void b1_table_erase(struct b1_object *obj)
{
	struct b1_table *table = &obj->peer->table;

	raw_spin_lock(&table->lock);
	b1_table_erase_locked(table, obj);
	raw_spin_unlock(&table->lock);
}

/**
 * b1_table_next_locked() - go through a table
 * @table:	table, locked
 * @id:		any number
 *
 * Return: the object with the lowest ID from @id on, live or not; NULL if there is none.
 */
struct b1_object *b1_table_next_locked(struct b1_table *table, u64 id)
{
	struct rb_node *node = table->objects.rb_node;
	struct b1_object *obj, *found = NULL;

	lockdep_assert_held(&table->lock);

	while (node) {
		obj = b1_table_entry(node);
		if (obj->id < id) {
			node = node->rb_right;
		} else {
			found = obj;
			node = node->rb_left;
		}
	}
	return found;
}
