/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects
 *
 * Purpose: what nodes and handles have in common: an ID in the table of their peer, a charge, and the one
 * notification about them. What makes a node or a handle is in node.h.
 *
 * Objects: struct b1_object, the base of nodes and handles. It has the queue entry of its notification,
 * so that this needs no memory. Constant once visible to others: peer, id and note.type. The table is a
 * tree with its links in the objects: nothing has to be allocated when an object comes.
 *
 * Lifetime: freed when the last reference is dropped. References: the table of the peer, or the message
 * that carries a handle; the queue that holds the notification; the transaction that is to wake for
 * it (b1_tx.notes); for a node, each handle; whoever has the embedded transaction. An object pins its peer; a peer pins no objects, apart from its table while
 * it is open.
 *
 * Locking:
 *	b1_table.lock (raw spinlock, shared): the table. An object in the table is not freed under it.
 *	b1_peer.lock of the peer: collected, told, release_next, and charged of live objects.
 *	b1_node.lock, of the node or the one a handle refers to: pushing the notification; see node.h,
 *		also for live of handles.
 *
 * Context: may sleep, unless the name ends in _locked.
 *
 * Ordering: live is stored with release when everything else is set up, by b1_object_publish(), and
 * loaded with acquire by b1_table_find(), with the table locked: an object that is not live may be
 * taken out and freed by a transfer of another peer at any other time.
 */
#ifndef B1_OBJECT_H
#define B1_OBJECT_H

#include <linux/bug.h>
#include <linux/container_of.h>
#include <linux/llist.h>
#include <linux/lockdep.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/bus1.h>

#include "peer.h"

struct b1_object {
	struct b1_tx tx;		/* reference count; may be the transaction of its release */
	struct b1_peer *peer;		/* counted */
	u64 id;				/* 0 before it has one */
	struct b1_acct_trace *charged;	/* one object, pinned by that; NULL: none */
	bool live;			/* in the table, and visible there */
	bool collected;			/* in a b1_release */
	bool told;			/* the notification was received */
	struct b1_object *release_next;	/* there */
	struct rb_node table_link;	/* b1_table.objects */
	struct b1_queue_entry note;	/* its type also tells a node from a handle */
	struct llist_node tx_link;	/* b1_tx.notes */
};

static inline bool b1_object_is_node(const struct b1_object *obj)
{
	return obj->note.type == BUS1_MESSAGE_TYPE_HANDLE_RELEASE;
}

static inline struct b1_object *b1_object_ref(struct b1_object *obj)
{
	b1_tx_ref(&obj->tx);
	return obj;
}

static inline void b1_object_unref(struct b1_object *obj)
{
	b1_tx_unref(&obj->tx);
}

static inline struct b1_object *b1_object_from_note(struct b1_queue_entry *entry)
{
	return container_of(entry, struct b1_object, note);
}

void b1_object_construct(struct b1_object *obj, unsigned int type, void (*free)(struct b1_ref *ref));

bool b1_object_notify_locked(struct b1_object *obj, struct b1_tx *tx);
void b1_object_consume_note(struct b1_object *obj);
void b1_object_wake_all(struct b1_tx *tx);

/**
 * b1_object_cancel_note() - take the notification about an object back, if it waits
 * @obj:	object that the caller has another reference to; the queue of its peer is locked, and
 *		unstacked, as for b1_queue_cancel()
 */
static inline void b1_object_cancel_note(struct b1_object *obj)
{
	if (b1_queue_cancel(&obj->peer->queue, &obj->note))
		b1_object_consume_note(obj);
}

/**
 * b1_object_publish() - let an object be found by its ID
 * @obj:	object in the table of its peer, complete
 *
 * From here on a thread of the peer may release it: the caller needs a reference of its own, or
 * the peer locked, to touch it again.
 */
static inline void b1_object_publish(struct b1_object *obj)
{
	/* pairs with the load in b1_table_find() */
	smp_store_release(&obj->live, true);
}

/**
 * b1_object_init() - set up the rest
 * @obj:	constructed object
 * @peer:	peer that it will belong to; the object gets a reference of the caller
 * @charged:	what has been charged for it; belongs to the object; may be NULL
 */
static inline void b1_object_init(struct b1_object *obj, struct b1_peer *peer, struct b1_acct_trace *charged)
{
	b1_tx_reset(&obj->tx);
	obj->peer = peer;
	obj->id = 0;
	obj->charged = charged;
	obj->live = false;
	obj->told = false;
}

/**
 * b1_object_discharge() - give back what was charged for an object
 * @obj:	object, charged or not
 */
static inline void b1_object_discharge(struct b1_object *obj)
{
	if (obj->charged)
		b1_acct_discharge(obj->charged, 1, 0);
	obj->charged = NULL;
}

/* The table */

static inline struct b1_object *b1_table_entry(const struct rb_node *node)
{
	return rb_entry_safe(node, struct b1_object, table_link);
}

/* Finds a live object; borrowed until the peer, which is locked, is unlocked. */
static inline struct b1_object *b1_table_find(struct b1_table *table, u64 id)
{
	struct rb_node *node = table->objects.rb_node;
	struct b1_object *obj;

	lockdep_assert_held(&table->lock);

	while (node) {
		obj = b1_table_entry(node);
		if (id == obj->id)
			break;
		node = id < obj->id ? node->rb_left : node->rb_right;
	}
	/*
	 * Only this peer, locked by us, takes live objects out. Those that are not live may belong
	 * to a transfer of another peer, which may take them out and free them after the unlock of
	 * the table. Pairs with the store in b1_object_publish().
	 */
	return node && smp_load_acquire(&obj->live) ? obj : NULL;
}

/**
 * b1_table_insert_locked() - give an object an ID and put it in the table
 * @table:	table of the peer of the object; locked, the peer need not be
 * @obj:	object that is not live; nobody finds it before b1_object_publish()
 *
 * The table does not take a reference yet: the caller publishes the object and leaves its own to
 * the table, or takes the object out with b1_table_erase(). The ID is used up either way.
 */
static inline void b1_table_insert_locked(struct b1_table *table, struct b1_object *obj)
{
	struct rb_node *parent = table->newest ? &table->newest->table_link : NULL;

	lockdep_assert_held(&table->lock);

	/* IDs only rise: each object is the last one of the tree when it comes */
	table->last_id += 2;
	obj->id = table->last_id;
	rb_link_node(&obj->table_link, parent,
		     parent ? &parent->rb_right : &table->objects.rb_node);
	rb_insert_color(&obj->table_link, &table->objects);
	table->newest = obj;
}

/**
 * b1_table_erase_locked() - take an object out of the table
 * @table:	table of the peer of the object; locked, and so is the peer if the object is live
 * @obj:	object; not found any more when this returns
 *
 * Allocates nothing. The reference of the table goes to the caller.
 */
static __always_inline void b1_table_erase_locked(struct b1_table *table, struct b1_object *obj)
{
	lockdep_assert_held(&table->lock);

	if (WARN_ON_ONCE(RB_EMPTY_NODE(&obj->table_link)))
		return;
	if (obj == table->newest)
		table->newest = b1_table_entry(rb_prev(&obj->table_link));
	rb_erase(&obj->table_link, &table->objects);
	RB_CLEAR_NODE(&obj->table_link);
}

void b1_table_insert(struct b1_object *obj);
void b1_table_erase(struct b1_object *obj);
struct b1_object *b1_table_next_locked(struct b1_table *table, u64 id);

#endif /* B1_OBJECT_H */
