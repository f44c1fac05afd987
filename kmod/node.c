// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "acct.h"
#include "node.h"
#include "peer.h"
#include "relax.h"

/* handles that a releasing node notifies before it lets go of its lock for a moment */
#define B1_NODE_NOTIFY_BATCH 64

static struct kmem_cache *b1_node_cache;
static struct kmem_cache *b1_handle_cache;

/*
 * What is the same whenever an object is allocated and whenever it is freed. Memory of a cache with
 * a constructor is not cleared either when it is allocated.
 */
static void b1_object_construct(struct b1_object *obj, unsigned int type,
				void (*free)(struct b1_tx *tx))
{
	b1_tx_construct(&obj->tx, free);
	obj->collected = false;
	RB_CLEAR_NODE(&obj->table_link);
	b1_queue_entry_init(&obj->note, type, NULL);
}

/* The rest. */
static void b1_object_init(struct b1_object *obj, struct b1_peer *peer,
			   struct b1_acct_trace *trace)
{
	b1_tx_reset(&obj->tx);
	obj->peer = b1_peer_ref(peer);
	obj->id = 0;
	obj->charged = trace;
	obj->live = false;
}

/*
 * Pushes the notification about an object, as part of @tx or as a transaction of its own. With @tx
 * the peer is woken by b1_tx_wake(), without it by the caller.
 */
static void b1_object_notify_locked(struct b1_object *obj, struct b1_tx *tx)
{
	b1_object_ref(obj);
	b1_tx_ref(tx);
	if (!b1_queue_push(&obj->peer->queue, &obj->note, tx)) {
		/* the peer is closed and needs no notification; both have other references */
		b1_tx_unref(tx);
		/* a push that did not get through may have set it; see b1_object_construct() */
		obj->note.next = NULL;
		b1_object_unref(obj);
		return;
	}
	if (tx) {
		b1_object_ref(obj);
		llist_add(&obj->tx_link, &tx->notes);
	}
}

/**
 * b1_object_discharge() - give back what was charged for an object
 * @obj:	object, charged or not
 */
void b1_object_discharge(struct b1_object *obj)
{
	if (obj->charged)
		b1_acct_discharge(obj->charged, 1, 0);
	obj->charged = NULL;
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

/* Takes the notification about an object back, if it waits in the queue. */
static void b1_object_cancel_note(struct b1_object *obj)
{
	if (b1_queue_cancel(&obj->peer->queue, &obj->note))
		b1_object_consume_note(obj);
}

static void b1_node_free(struct b1_tx *tx)
{
	struct b1_node *node = container_of(tx, struct b1_node, obj.tx);

	WARN_ON_ONCE(!hlist_empty(&node->handles));
	WARN_ON_ONCE(!list_empty(&node->messages));
	b1_object_discharge(&node->obj);
	b1_peer_unref(node->obj.peer);
	kmem_cache_free(b1_node_cache, node);
}

static void b1_node_construct(void *memory)
{
	struct b1_node *node = memory;

	b1_object_construct(&node->obj, BUS1_MESSAGE_TYPE_HANDLE_RELEASE, b1_node_free);
	spin_lock_init(&node->lock);
	node->release_tx = NULL;
	INIT_HLIST_HEAD(&node->handles);
	node->handles_end = &node->handles.first;
	INIT_LIST_HEAD(&node->messages);
}

/**
 * b1_node_new() - create a node
 * @owner:	open peer that will own it; borrowed
 * @trace:	what has been charged for it; on success the charge belongs to the node
 *
 * Return: a node with one reference, in no table; NULL if there is no memory.
 */
struct b1_node *b1_node_new(struct b1_peer *owner, struct b1_acct_trace *trace)
{
	struct b1_node *node;

	node = kmem_cache_alloc(b1_node_cache, GFP_KERNEL_ACCOUNT);
	if (!node)
		return NULL;
	b1_object_init(&node->obj, owner, trace);
	node->released = false;
	node->left = false;
	node->n_handles = 0;
	return node;
}

static void b1_node_remove_handle(struct b1_node *node, struct b1_handle *handle)
{
	struct hlist_node *link = &handle->node_link;

	lockdep_assert_held(&node->lock);

	if (!link->next)
		node->handles_end = link->pprev;
	hlist_del_init(link);
}

/**
 * b1_node_release_begin() - end a node: no message goes to it any more, no handle is counted
 * @node:	live node whose owner is locked
 * @tx:		transaction of the release
 *
 * Until b1_node_release_end() all notifications about this are part of @tx, also those for handles
 * that are linked meanwhile. A HANDLE_RELEASE that waits in the queue of the owner vanishes.
 */
void b1_node_release_begin(struct b1_node *node, struct b1_tx *tx)
{
	bool notified;

	spin_lock(&node->lock);
	notified = !node->n_handles;
	WRITE_ONCE(node->released, true);
	node->release_tx = tx;
	spin_unlock(&node->lock);

	if (notified)
		b1_object_cancel_note(&node->obj);
}

static void b1_handle_notify_locked(struct b1_handle *handle, struct b1_tx *tx)
{
	lockdep_assert_held(&handle->node->lock);

	handle->notified = true;
	b1_object_notify_locked(&handle->obj, tx);
}

/* Notifies some handles; true if there are more. */
static bool b1_node_notify_some(struct b1_node *node)
{
	struct b1_handle *handle;
	struct hlist_node *safe;
	int n = 0;

	spin_lock(&node->lock);
	hlist_for_each_entry_safe(handle, safe, &node->handles, node_link) {
		if (n++ == B1_NODE_NOTIFY_BATCH)
			break;
		b1_node_remove_handle(node, handle);
		b1_handle_notify_locked(handle, node->release_tx);
	}
	spin_unlock(&node->lock);
	return n > B1_NODE_NOTIFY_BATCH;
}

/**
 * b1_node_release_notify() - push NODE_RELEASE for all handles
 * @node:	node between begin and end of its release; handles released in the same call have
 *		been unlinked
 */
void b1_node_release_notify(struct b1_node *node)
{
	while (b1_node_notify_some(node))
		cond_resched();
}

/**
 * b1_node_release_end() - the transaction that released a node is committed
 * @node:	node
 *
 * After this nobody adds to the transaction on behalf of this node.
 *
 * Return: true if senders may have left messages to the caller, for b1_message_discard_rest().
 */
bool b1_node_release_end(struct b1_node *node)
{
	bool left;

	spin_lock(&node->lock);
	node->release_tx = NULL;
	left = node->left;
	spin_unlock(&node->lock);
	return left;
}

static void b1_handle_deinit(struct b1_handle *handle)
{
	WARN_ON_ONCE(!hlist_unhashed(&handle->node_link));
	WARN_ON_ONCE(handle->sender);
	b1_object_discharge(&handle->obj);
	b1_object_unref(&handle->node->obj);
	b1_peer_unref(handle->obj.peer);
}

static void b1_handle_free(struct b1_tx *tx)
{
	struct b1_handle *handle = container_of(tx, struct b1_handle, obj.tx);

	b1_handle_deinit(handle);
	kmem_cache_free(b1_handle_cache, handle);
}

/**
 * b1_handle_free_later() - end a handle, and free it together with others
 * @handle:	handle without references
 * @batch:	where it is kept until b1_handle_free_batch()
 */
void b1_handle_free_later(struct b1_handle *handle, struct b1_handle_batch *batch)
{
	b1_handle_deinit(handle);
	batch->handles[batch->n++] = handle;
	if (batch->n == B1_HANDLE_BATCH)
		b1_handle_free_batch(batch);
}

/**
 * b1_handle_free_batch() - free what b1_handle_free_later() has kept
 * @batch:	empty afterwards
 */
void b1_handle_free_batch(struct b1_handle_batch *batch)
{
	/* the call for several costs more than the other one if it is one */
	if (batch->n == 1)
		kmem_cache_free(b1_handle_cache, batch->handles[0]);
	else if (batch->n)
		kmem_cache_free_bulk(b1_handle_cache, batch->n, batch->handles);
	batch->n = 0;
}

static void b1_handle_construct(void *memory)
{
	struct b1_handle *handle = memory;

	b1_object_construct(&handle->obj, BUS1_MESSAGE_TYPE_NODE_RELEASE, b1_handle_free);
	INIT_HLIST_NODE(&handle->node_link);
	handle->sender = NULL;
}

static void b1_handle_init(struct b1_handle *handle, struct b1_node *node, struct b1_peer *holder,
			   struct b1_acct_trace *trace)
{
	b1_object_init(&handle->obj, holder, trace);
	b1_object_ref(&node->obj);
	handle->node = node;
	handle->notified = false;
	handle->held = false;
}

/**
 * b1_handle_new() - create a handle
 * @node:	node it refers to; borrowed
 * @holder:	peer that will hold it; borrowed
 * @trace:	what has been charged for it; on success the charge belongs to the handle
 *
 * Return: a handle with one reference, not linked; NULL if there is no memory.
 */
struct b1_handle *b1_handle_new(struct b1_node *node, struct b1_peer *holder,
				struct b1_acct_trace *trace)
{
	struct b1_handle *handle;

	handle = kmem_cache_alloc(b1_handle_cache, GFP_KERNEL_ACCOUNT);
	if (handle)
		b1_handle_init(handle, node, holder, trace);
	return handle;
}

/**
 * b1_handle_new_some() - create handles that are part of another charge
 * @nodes:	node that each of them refers to; borrowed
 * @n:		number of handles, at least 1; for a loop of its own if it is large
 * @holder:	peer that will hold them; borrowed
 * @handles:	returns @n handles as from b1_handle_new(), or nothing
 *
 * Return: 0 or -ENOMEM.
 */
int b1_handle_new_some(struct b1_node **nodes, size_t n, struct b1_peer *holder,
		       struct b1_handle **handles)
{
	size_t i;

	/* the call for several costs more than the other one if it is one; all or none */
	if (n == 1)
		handles[0] = kmem_cache_alloc(b1_handle_cache, GFP_KERNEL_ACCOUNT);
	else if (!kmem_cache_alloc_bulk(b1_handle_cache, GFP_KERNEL_ACCOUNT, n, (void **)handles))
		return -ENOMEM;
	if (!handles[0])
		return -ENOMEM;
	for (i = 0; i < n; i++)
		b1_handle_init(handles[i], nodes[i], holder, NULL);
	return 0;
}

/**
 * b1_node_init_caches() - create the caches that nodes and handles come from
 *
 * Return: 0 or -ENOMEM.
 */
int b1_node_init_caches(void)
{
	b1_node_cache = kmem_cache_create("bus1_node", sizeof(struct b1_node), 0, SLAB_ACCOUNT,
					  b1_node_construct);
	if (!b1_node_cache)
		return -ENOMEM;
	b1_handle_cache = kmem_cache_create("bus1_handle", sizeof(struct b1_handle), 0,
					    SLAB_ACCOUNT, b1_handle_construct);
	if (b1_handle_cache)
		return 0;
	kmem_cache_destroy(b1_node_cache);
	return -ENOMEM;
}

/**
 * b1_node_exit_caches() - destroy the caches; there must be no nodes and handles left
 */
void b1_node_exit_caches(void)
{
	kmem_cache_destroy(b1_handle_cache);
	kmem_cache_destroy(b1_node_cache);
}

/**
 * b1_handle_find_sender() - find out where sends through a handle are charged
 * @handle:	handle whose holder, the sender, is locked
 *
 * Return: as b1_handle_sender().
 */
struct b1_acct_trace *b1_handle_find_sender(struct b1_handle *handle)
{
	handle->sender = b1_peer_claim_from(handle->obj.peer, handle->node->obj.peer);
	return handle->sender;
}

/**
 * b1_handle_link_released_locked() - what a handle becomes if its node is gone already
 * @handle:	handle as for b1_handle_link(), to a released node that is locked
 */
void b1_handle_link_released_locked(struct b1_handle *handle)
{
	struct b1_node *node = handle->node;

	lockdep_assert_held(&node->lock);

	if (node->release_tx)
		b1_handle_notify_locked(handle, node->release_tx);
	else
		handle->held = true;
}

/**
 * b1_handle_unlink() - end a handle
 * @handle:	handle that its holder releases, or that was in flight; may be not linked
 * @tx:		transaction that a HANDLE_RELEASE becomes part of, NULL for one of its own
 *
 * A notification about @handle that waits in the queue of its holder vanishes. The reference of the
 * table or message stays with the caller.
 */
void b1_handle_unlink(struct b1_handle *handle, struct b1_tx *tx)
{
	struct b1_node *node = handle->node;
	bool notified, last = false;

	spin_lock(&node->lock);
	notified = handle->notified;
	if (!hlist_unhashed(&handle->node_link)) {
		b1_node_remove_handle(node, handle);
		last = !--node->n_handles && !node->released;
		if (last)
			b1_object_notify_locked(&node->obj, tx);
	}
	spin_unlock(&node->lock);

	if (last && !tx)
		b1_peer_wake(node->obj.peer);
	if (notified)
		b1_object_cancel_note(&handle->obj);
}

/**
 * b1_handle_place_note() - queue the notification that was held for a handle
 * @handle:	handle whose notification was held
 * @front:	as in b1_handle_install()
 */
void b1_handle_place_note(struct b1_handle *handle, bool front)
{
	struct b1_queue *queue = &handle->obj.peer->queue;

	lockdep_assert_held(&queue->lock);

	handle->held = false;
	handle->notified = true;
	b1_object_ref(&handle->obj);
	if (front)
		b1_queue_add_front(queue, &handle->obj.note);
	else if (WARN_ON_ONCE(!b1_queue_push(queue, &handle->obj.note, NULL)))
		b1_object_unref(&handle->obj);
}
