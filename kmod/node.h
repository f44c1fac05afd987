/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nodes and handles
 *
 * Purpose: which handles refer to which node, and the two notifications. HANDLE_RELEASE tells the
 * owner of a node that its last handle is gone, NODE_RELEASE tells the holder of a handle that its
 * node is gone. The table in which a peer finds them by ID is in peer.h, releasing several at once
 * is in peer.c, handles on their way inside a message are in message.h.
 *
 * Objects: struct b1_object is what nodes and handles have in common: an ID, the peer that owns the
 * node or holds the handle, and the queue entry of the one notification about it, so that
 * notifications need no memory. Constant once visible to others: peer, id, note.type, handle.node,
 * node.id.
 *
 * Lifetime: created in a prepare step, freed when the last reference is dropped. The memory comes
 * from two caches, from module init to module exit; what their constructors set up is as it was then
 * when an object is freed, and is not set up again. References: the
 * table of the peer or the message that carries the handle; the queue that holds the notification;
 * the transaction that is to wake for it (b1_tx.notes); for a node, each handle and each message
 * sent to it; whoever has the embedded transaction. An object pins the peer, a handle pins its
 * node; a peer pins no objects, apart from its table while it is open.
 *
 *	handle:	new -> linked (counted on its node) -> live (in the table) -> unlinked
 *	node:	new -> live -> released
 *
 * Locking:
 *	b1_node.lock (spinlock, innermost, never two): released, release_tx, left, handles,
 *		handles_end, n_handles, and node_link and notified of each linked handle of the
 *		node. A notification that is not held is pushed under it: after a look at notified,
 *		or at released, under the lock nobody pushes behind one's back.
 *	b1_queue.lock of the holder: held, but when a new handle that nobody else has is linked. Also
 *		orders live against the look at a notification.
 *	b1_peer.lock of the peer: collected, release_next, sender, and charged of live objects.
 *
 * Context: may sleep, unless the name ends in _locked.
 *
 * Ordering: live is stored with release when everything else is set up, by b1_object_publish(),
 * and loaded with acquire by b1_peer_find(), with the table locked: an object that is not live may
 * be taken out and freed by a transfer of another peer at any other time. released is also read
 * without the lock:
 *	b1_node_release_begin() stores it, then b1_queue_remove_group() takes the stack with xchg();
 *	b1_send_commit() pushes with a full barrier, then loads it. Either the sender sees that the
 *	node is gone and discards its message, or the releaser finds the message. (A close has sealed
 *	the queue before: a message is pushed before that, and found, or not at all.)
 *
 * Between the commit of a release and b1_node_release_end() notifications are still added to its
 * transaction. That is no gap in it: those are about handles that are not live yet.
 *
 * A notification that is due while its handle is not live yet must wait for the message with that
 * handle: it is taken off the queue and remembered in "held", and put behind the message when that
 * is received (b1_handle_install()).
 */
#ifndef B1_NODE_H
#define B1_NODE_H

#include <linux/container_of.h>
#include <linux/list.h>
#include <linux/rbtree.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/bus1.h>

#include "acct.h"
#include "queue.h"
#include "tx.h"

struct b1_peer;

struct b1_object {
	struct b1_tx tx;		/* reference count; may be the transaction of its release */
	struct b1_peer *peer;		/* counted */
	u64 id;				/* 0 before it has one */
	struct b1_acct_trace *charged;	/* one object, pinned by that; NULL: none */
	bool live;			/* in the table, and visible there */
	bool collected;			/* in a b1_release */
	struct b1_object *release_next;	/* there */
	struct rb_node table_link;	/* b1_peer.objects */
	struct b1_queue_entry note;	/* its type also tells a node from a handle */
	struct llist_node tx_link;	/* b1_tx.notes */
};

struct b1_node {
	struct b1_object obj;
	spinlock_t lock;
	bool released;
	bool left;			/* the releaser has to look again for messages to discard */
	struct b1_tx *release_tx;	/* from released to b1_node_release_end(), not counted */
	struct hlist_head handles;	/* linked ones, oldest first */
	struct hlist_node **handles_end;	/* where the next one goes */
	u64 n_handles;
	struct list_head messages;	/* group of the queue of the owner */
};

struct b1_handle {
	struct b1_object obj;
	struct b1_node *node;		/* counted */
	struct hlist_node node_link;	/* b1_node.handles; unhashed: not counted */
	bool notified;			/* note was pushed or placed */
	bool held;			/* note waits for the handle to become live */
	struct b1_acct_trace *sender;	/* cache for sends while it is live, counted; or NULL */
};

/* Handles that nobody refers to any more, about to be freed: 35 instructions less for each. */
#define B1_HANDLE_BATCH 16

struct b1_handle_batch {
	size_t n;
	void *handles[B1_HANDLE_BATCH];
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

static inline struct b1_node *b1_node_from_object(struct b1_object *obj)
{
	return container_of(obj, struct b1_node, obj);
}

static inline struct b1_handle *b1_handle_from_object(struct b1_object *obj)
{
	return container_of(obj, struct b1_handle, obj);
}

/**
 * b1_node_is_released() - whether messages to a node go nowhere
 * @node:	node
 *
 * Return: true for ever from the release on; false may be outdated at once.
 */
static inline bool b1_node_is_released(const struct b1_node *node)
{
	/* lockless; see "Ordering" for those who need more than a hint */
	return READ_ONCE(node->released);
}

int b1_node_init_caches(void);
void b1_node_exit_caches(void);

void b1_object_discharge(struct b1_object *obj);
void b1_object_consume_note(struct b1_object *obj);

struct b1_node *b1_node_new(struct b1_peer *owner, struct b1_acct_trace *trace);
void b1_node_release_begin(struct b1_node *node, struct b1_tx *tx);
void b1_node_release_notify(struct b1_node *node);
bool b1_node_release_end(struct b1_node *node);

struct b1_handle *b1_handle_new(struct b1_node *node, struct b1_peer *holder,
				struct b1_acct_trace *trace);
int b1_handle_new_some(struct b1_node **nodes, size_t n, struct b1_peer *holder,
		       struct b1_handle **handles);
struct b1_acct_trace *b1_handle_find_sender(struct b1_handle *handle);
void b1_handle_free_later(struct b1_handle *handle, struct b1_handle_batch *batch);
void b1_handle_free_batch(struct b1_handle_batch *batch);
void b1_handle_link_released_locked(struct b1_handle *handle);
void b1_handle_unlink(struct b1_handle *handle, struct b1_tx *tx);
void b1_handle_place_note(struct b1_handle *handle, bool front);

/*
 * The list of handles: appended to, and without the checks that list.h makes in many kernels, which
 * cost more than the rest of what is done for a handle under the lock.
 */
static inline void b1_node_add_handle(struct b1_node *node, struct b1_handle *handle)
{
	struct hlist_node *link = &handle->node_link;

	lockdep_assert_held(&node->lock);

	link->next = NULL;
	link->pprev = node->handles_end;
	*node->handles_end = link;
	node->handles_end = &link->next;
}

/**
 * b1_handle_link() - count a handle on its node
 * @handle:	new handle, private to the caller, who keeps another handle of that node linked, or
 *		owns the node and has not made it live yet
 *
 * Part of a commit: it cannot fail. If the node is released already, the handle is notified: as
 * part of the transaction of the release until b1_node_release_end(), so that the holder is not told
 * before the others; else by a notification that is held until the handle is live.
 */
static inline void b1_handle_link(struct b1_handle *handle)
{
	struct b1_node *node = handle->node;

	spin_lock(&node->lock);
	if (likely(!node->released)) {
		b1_node_add_handle(node, handle);
		node->n_handles++;
	} else {
		b1_handle_link_released_locked(handle);
	}
	spin_unlock(&node->lock);
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
	/* pairs with the load in b1_peer_find() */
	smp_store_release(&obj->live, true);
}

/**
 * b1_handle_install() - make a linked handle live
 * @handle:	handle in the table of its holder, whose queue is locked; the reference of the caller
 *		goes to the table
 * @front:	where a notification that was held for it goes: true if it came in a message that
 *		has just been received, for the notification is next then; false to queue it last
 *
 * Return: true if the holder must be woken because a notification was queued last.
 */
static inline bool b1_handle_install(struct b1_handle *handle, bool front)
{
	bool held = handle->held;

	if (unlikely(held))
		b1_handle_place_note(handle, front);
	b1_object_publish(&handle->obj);
	return held && !front;
}

/**
 * b1_handle_sender() - where sends through a handle are charged
 * @handle:	handle whose holder, the sender, is locked
 *
 * Looked up once for each handle, and kept until that is released.
 *
 * Return: the trace of the sender at the user of the receiver, owned by @handle; NULL if there is
 * no memory.
 */
static inline struct b1_acct_trace *b1_handle_sender(struct b1_handle *handle)
{
	return handle->sender ?: b1_handle_find_sender(handle);
}

/**
 * b1_handle_drop_sender() - nothing is sent through a handle any more
 * @handle:	handle that its holder, who is locked, has released
 */
static inline void b1_handle_drop_sender(struct b1_handle *handle)
{
	if (!handle->sender)
		return;
	b1_acct_trace_put(handle->sender);
	handle->sender = NULL;
}

#endif /* B1_NODE_H */
