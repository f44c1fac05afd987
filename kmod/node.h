/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nodes and handles
 *
 * Purpose: which handles refer to which node, what may still be pushed to a node, and the two
 * notifications. HANDLE_RELEASE tells the owner of a node that its last handle is gone, NODE_RELEASE
 * tells the holder of a handle that its node is gone. What both have in common, and the table in which a
 * peer finds them, is in object.h; the commands are in files of their own.
 *
 * Objects: struct b1_node and struct b1_handle. Constant once visible to others: handle.node.
 *
 * Lifetime: see object.h. The memory comes from two caches, from module init to module exit; what their
 * constructors set up is as it was then when an object is freed, and is not set up again. A handle
 * pins its node.
 *
 *	handle:	new -> linked (counted on its node) -> live (in the table) -> gone
 *	node:	new -> live -> released
 *
 * A handle that is copied by a transfer is linked and live at once. One that is sent in a message is
 * in flight in between.
 *
 * Locking:
 *	b1_node.lock (raw spinlock, shared, innermost, never two): released, release_tx, handles,
 *		handles_end, n_handles, pushed; and of each handle of the node: node_link, notified,
 *		gone, and live of a handle that is copied. Every message and every notification that is not
 *		put in front is pushed under it, after a look at released, or at what the handle is: so
 *		whoever has set that under the lock finds all that ever gets in, and nothing comes late.
 *	b1_queue.lock of the holder: live and held of a handle that has come in a message. Nobody else
 *		has it in hand: the sender is done with it when the message is pushed, and the node has no
 *		need to know whether it is in flight.
 *	b1_peer.lock of the peer: taken, sender. (taken is also read for diagnosis, see "Ordering".)
 *
 * Context: may sleep, unless the name ends in _locked.
 *
 * Ordering: released is also read without the lock, as a hint. held is set by the sender before the
 * push, or by the receiver itself. live is set before a notification is pushed under the same lock, and
 * therefore seen by the receiver, who has the notification from b1_queue_fetch(). pushed and taken are
 * also read without any lock, for diagnosis, and in no order.
 *
 * Between the commit of a release and b1_node_release_end() notifications are still added to its
 * transaction. That is no gap in it: those are about handles that nobody has had before, which a transfer
 * makes live at that moment, or which are still in flight.
 *
 * A notification that is due while its handle is in flight must wait for the message with that
 * handle: the receiver takes it off its queue, remembers it in held, and puts it behind the message when
 * that is received. If the message goes nowhere the sender marks the handle as gone, and leaves it
 * to the receiver to drop a notification that is on its way: it must not take the receiver's lock. What
 * is left behind, the memory of one handle, stays charged to the sender until then.
 */
#ifndef B1_NODE_H
#define B1_NODE_H

#include <linux/compiler.h>
#include <linux/container_of.h>
#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#include <linux/bus1.h>

#include "object.h"

/* how much is queued for a node, or was */
struct b1_node_load {
	u64 messages;
	u64 handles;			/* in them */
	u64 bytes;			/* of their payload */
};

struct b1_node {
	struct b1_object obj;
	raw_spinlock_t lock;
	bool released;
	struct b1_tx *release_tx;	/* from released to b1_node_release_end(), not counted */
	struct hlist_head handles;	/* linked ones, oldest first */
	struct hlist_node **handles_end;	/* where the next one goes */
	u64 n_handles;
	struct b1_node_load pushed;	/* ever */
	struct b1_node_load taken;	/* ever, received or not */
	struct list_head messages;	/* group of the queue of the owner */
};

struct b1_handle {
	struct b1_object obj;
	struct b1_node *node;		/* counted */
	struct hlist_node node_link;	/* b1_node.handles; unhashed: not counted */
	bool notified;			/* note was pushed or put in front, and not taken off as held */
	bool gone;			/* released, or discarded with its message */
	bool held;			/* note waits for the handle to become live */
	struct b1_acct_trace *sender;	/* cache for sends while it is live, counted; or NULL */
};

/* Handles that nobody refers to any more, about to be freed: 35 instructions less for each. */
#define B1_HANDLE_BATCH 16

struct b1_handle_batch {
	size_t n;
	void *handles[B1_HANDLE_BATCH];
};

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
	/* lockless: a hint only, see "Ordering" */
	return READ_ONCE(node->released);
}

int b1_node_init_caches(void);
void b1_node_exit_caches(void);

struct b1_node *b1_node_new(struct b1_peer *owner, struct b1_acct_trace *trace);
void b1_node_release_begin(struct b1_node *node, struct b1_tx *tx);
size_t b1_node_release_notify(struct b1_node *node);
void b1_node_release_end(struct b1_node *node);
void b1_node_load(const struct b1_node *node, struct b1_node_load *load);

struct b1_handle *b1_handle_find(struct b1_peer *peer, u64 id);
struct b1_handle *b1_handle_new(struct b1_node *node, struct b1_peer *holder,
				struct b1_acct_trace *trace);
int b1_handle_new_some(struct b1_node **nodes, size_t n, struct b1_peer *holder,
		       struct b1_handle **handles);
struct b1_acct_trace *b1_handle_find_sender(struct b1_handle *handle);
void b1_handle_free_later(struct b1_handle *handle, struct b1_handle_batch *batch);
void b1_handle_free_batch(struct b1_handle_batch *batch);
void b1_handle_link_released_locked(struct b1_handle *handle);
bool b1_handle_link_live(struct b1_handle *handle);
bool b1_handle_unlink(struct b1_handle *handle, struct b1_tx *tx, struct b1_acct_trace *charged);
void b1_handle_cancel_note(struct b1_handle *handle);
void b1_handle_hold_note(struct b1_handle *handle);
void b1_handle_place_note(struct b1_handle *handle);

/**
 * b1_handle_find_locked() - look a handle up
 * @peer:	peer, locked, and its table as well
 * @id:		any number
 *
 * Return: the handle, borrowed until the peer is unlocked, whoever locks its table meanwhile; NULL
 * if @id names none.
 */
static inline struct b1_handle *b1_handle_find_locked(struct b1_peer *peer, u64 id)
{
	struct b1_object *obj;

	lockdep_assert_held(&peer->lock);

	obj = b1_table_find(&peer->table, id);
	return obj && !b1_object_is_node(obj) ? b1_handle_from_object(obj) : NULL;
}

/*
 * The list of handles: appended to, and without the checks that list.h makes in many kernels, which
 * cost more than the rest of what is done for a handle under the lock.
 */
static inline void b1_node_add_handle_locked(struct b1_node *node, struct b1_handle *handle)
{
	struct hlist_node *link = &handle->node_link;

	lockdep_assert_held(&node->lock);

	link->next = NULL;
	link->pprev = node->handles_end;
	*node->handles_end = link;
	node->handles_end = &link->next;
	node->n_handles++;
}

/**
 * b1_handle_link() - count a handle that is to be sent in a message on its node
 * @handle:	new handle, private to the caller, who keeps another handle of that node linked
 *
 * Part of a commit: it cannot fail. If the node is released already, the handle is notified: as
 * part of the transaction of the release until b1_node_release_end(), so that the holder is not told
 * before the others; else by a notification that is held until the handle is live.
 */
static inline void b1_handle_link(struct b1_handle *handle)
{
	struct b1_node *node = handle->node;

	raw_spin_lock(&node->lock);
	if (likely(!node->released))
		b1_node_add_handle_locked(node, handle);
	else
		b1_handle_link_released_locked(handle);
	raw_spin_unlock(&node->lock);
}

/**
 * b1_handle_is_tellable() - whether a notification may be received
 * @handle:	handle whose notification was committed to the queue of its holder, which is locked
 *
 * Return: false if the handle is not live, or not any more: then b1_handle_hold_note() decides.
 */
static inline bool b1_handle_is_tellable(const struct b1_handle *handle)
{
	return handle->obj.live && !READ_ONCE(handle->gone);
}

/**
 * b1_handle_end() - end a handle of one's own, in the table or in a message in the queue
 * @handle:	handle of a peer that is locked
 * @tx:		as for b1_handle_unlink()
 *
 * Return: true if a notification about @handle may wait in the queue; then the caller cancels it.
 */
static inline bool b1_handle_end(struct b1_handle *handle, struct b1_tx *tx)
{
	return unlikely(b1_handle_unlink(handle, tx, NULL)) && !handle->obj.told;
}

/**
 * b1_handle_install() - make a handle live that has come in a message
 * @handle:	handle in the table of its holder, whose queue is locked; the reference of the caller
 *		goes to the table
 *
 * A notification that was held for it becomes the one to be received next.
 */
static inline void b1_handle_install(struct b1_handle *handle)
{
	if (unlikely(handle->held))
		b1_handle_place_note(handle);
	b1_object_publish(&handle->obj);
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
