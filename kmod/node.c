// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bug.h>
#include <linux/slab.h>

#include "acct.h"
#include "node.h"
#include "relax.h"

static struct kmem_cache *b1_node_cache;
static struct kmem_cache *b1_handle_cache;

static void b1_node_free(struct b1_ref *ref)
{
	struct b1_node *node = container_of(b1_tx_from_ref(ref), struct b1_node, obj.tx);

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
	raw_spin_lock_init(&node->lock);
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
	b1_object_init(&node->obj, b1_peer_ref(owner), trace);
	node->released = false;
	node->n_handles = 0;
	node->pushed = (struct b1_node_load){};
	node->taken = (struct b1_node_load){};
	return node;
}

static void b1_node_remove_handle_locked(struct b1_node *node, struct b1_handle *handle)
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
 * that are linked meanwhile. A HANDLE_RELEASE that waits in the queue of the owner is left to the caller.
 */
void b1_node_release_begin(struct b1_node *node, struct b1_tx *tx)
{
	raw_spin_lock(&node->lock);
	WRITE_ONCE(node->released, true);
	node->release_tx = tx;
	raw_spin_unlock(&node->lock);
}

static void b1_handle_notify_locked(struct b1_handle *handle, struct b1_tx *tx)
{
	lockdep_assert_held(&handle->node->lock);

	handle->notified = b1_object_notify_locked(&handle->obj, tx);
}

/* Notifies some handles. Returns how many; if it is B1_RELAX_BATCH there may be more. */
static size_t b1_node_notify_some(struct b1_node *node)
{
	struct b1_handle *handle;
	struct hlist_node *safe;
	size_t n = 0;

	raw_spin_lock(&node->lock);
	hlist_for_each_entry_safe(handle, safe, &node->handles, node_link) {
		b1_node_remove_handle_locked(node, handle);
		b1_handle_notify_locked(handle, node->release_tx);
		if (++n == B1_RELAX_BATCH)
			break;
	}
	raw_spin_unlock(&node->lock);
	return n;
}

/**
 * b1_node_release_notify() - push NODE_RELEASE for all handles
 * @node:	node between begin and end of its release; handles released in the same call have
 *		been unlinked
 *
 * Return: how many there were since others could run.
 */
size_t b1_node_release_notify(struct b1_node *node)
{
	size_t n;

	while ((n = b1_node_notify_some(node)) == B1_RELAX_BATCH)
		cond_resched();
	return n;
}

/**
 * b1_node_release_end() - the transaction that released a node is committed
 * @node:	node
 *
 * After this nobody adds to the transaction on behalf of this node.
 */
void b1_node_release_end(struct b1_node *node)
{
	raw_spin_lock(&node->lock);
	node->release_tx = NULL;
	raw_spin_unlock(&node->lock);
}

/* What was taken may be counted before its push is. */
static u64 b1_node_difference(const u64 *pushed, const u64 *taken)
{
	s64 n = READ_ONCE(*pushed) - READ_ONCE(*taken);

	return n > 0 ? n : 0;
}

/**
 * b1_node_load() - how much waits for a node
 * @node:	node in the table of its owner, which is locked
 * @load:	returns what has been pushed and not been taken, committed or not; not from one instant
 */
void b1_node_load(const struct b1_node *node, struct b1_node_load *load)
{
	load->messages = b1_node_difference(&node->pushed.messages, &node->taken.messages);
	load->handles = b1_node_difference(&node->pushed.handles, &node->taken.handles);
	load->bytes = b1_node_difference(&node->pushed.bytes, &node->taken.bytes);
}

static __always_inline void b1_handle_deinit(struct b1_handle *handle)
{
	WARN_ON_ONCE(!hlist_unhashed(&handle->node_link));
	WARN_ON_ONCE(handle->sender);
	b1_object_discharge(&handle->obj);
	b1_object_unref(&handle->node->obj);
}

static void b1_handle_free(struct b1_ref *ref)
{
	struct b1_handle *handle = container_of(b1_tx_from_ref(ref), struct b1_handle, obj.tx);

	b1_handle_deinit(handle);
	b1_peer_unref(handle->obj.peer);
	kmem_cache_free(b1_handle_cache, handle);
}

/**
 * b1_handle_free_later() - end a handle, and free it together with others
 * @handle:	handle without references
 * @batch:	where it is kept until b1_handle_free_batch(); for handles of one peer, which the caller pins
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
	struct b1_handle *first;

	if (!batch->n)
		return;
	first = batch->handles[0];
	b1_ref_put_some(&first->obj.peer->tx.ref, batch->n);
	/* the call for several costs more than the other one if it is one */
	if (batch->n == 1)
		kmem_cache_free(b1_handle_cache, first);
	else
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
	handle->gone = false;
	handle->held = false;
}

/* as b1_handle_find_locked(), for a single handle */
struct b1_handle *b1_handle_find(struct b1_peer *peer, u64 id)
{
	struct b1_handle *handle;

	raw_spin_lock(&peer->table.lock);
	handle = b1_handle_find_locked(peer, id);
	raw_spin_unlock(&peer->table.lock);
	return handle;
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
		b1_handle_init(handle, node, b1_peer_ref(holder), trace);
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
	b1_ref_get_some(&holder->tx.ref, n);
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
 * b1_handle_link_live() - count a handle on its node, and make it live
 * @handle:	handle in the table of its holder; the reference of the caller goes to the table. The
 *		caller keeps another handle of that node linked, or owns the node
 *
 * Part of a commit: it cannot fail. If the node is released already, the holder is notified: as part of
 * the transaction of the release until b1_node_release_end(), or at once.
 *
 * Return: true if the holder must be woken, as there may be a notification that nobody else wakes for.
 */
bool b1_handle_link_live(struct b1_handle *handle)
{
	struct b1_node *node = handle->node;
	bool released;

	raw_spin_lock(&node->lock);
	released = node->released;
	if (likely(!released))
		b1_node_add_handle_locked(node, handle);
	/* before the push: the receiver of the notification must find the handle live */
	b1_object_publish(&handle->obj);
	if (unlikely(released))
		b1_handle_notify_locked(handle, node->release_tx);
	raw_spin_unlock(&node->lock);
	/* the transaction may be committed already, and its releaser about to wake, or to be preempted */
	return released;
}

/**
 * b1_handle_unlink() - end a handle
 * @handle:	handle that is released, or that was in flight; may be not linked
 * @tx:		transaction that a HANDLE_RELEASE becomes part of, NULL for one of its own
 * @charged:	charge of one object that @handle gets if this returns true; NULL: none
 *
 * The reference of the table or message stays with the caller.
 *
 * Return: true if a notification about @handle may wait in the queue of its holder.
 */
bool b1_handle_unlink(struct b1_handle *handle, struct b1_tx *tx, struct b1_acct_trace *charged)
{
	struct b1_node *node = handle->node;
	bool notified, last = false;

	raw_spin_lock(&node->lock);
	/* the receiver also looks at it without the lock, see b1_handle_is_tellable() */
	WRITE_ONCE(handle->gone, true);
	notified = handle->notified;
	if (unlikely(notified && charged))
		handle->obj.charged = charged;
	if (!hlist_unhashed(&handle->node_link)) {
		b1_node_remove_handle_locked(node, handle);
		last = !--node->n_handles && !node->released;
		if (last)
			b1_object_notify_locked(&node->obj, tx);
	}
	raw_spin_unlock(&node->lock);

	if (last && !tx)
		b1_peer_wake(node->obj.peer);
	return notified;
}

/**
 * b1_handle_cancel_note() - take back the notification about a handle of one's own
 * @handle:	handle that is gone, of a peer that is locked; its queue is not
 *
 * If the caller is being killed while another thread has the queue, the notification stays there until the
 * receiver comes across it, and drops it.
 */
void b1_handle_cancel_note(struct b1_handle *handle)
{
	struct b1_queue *queue = &handle->obj.peer->queue;

	if (mutex_lock_killable(&queue->lock))
		return;
	b1_queue_unstack(queue);
	b1_object_cancel_note(&handle->obj);
	mutex_unlock(&queue->lock);
}

/**
 * b1_handle_hold_note() - what becomes of a notification whose handle is not live
 * @handle:	handle whose notification the caller takes off the queue of its holder, which is locked
 *
 * It is held until the message with the handle is received. If that will never be, as the sender has ended
 * the handle, it is dropped, and what the sender left charged for it is given back.
 */
void b1_handle_hold_note(struct b1_handle *handle)
{
	struct b1_node *node = handle->node;
	bool gone;

	lockdep_assert_held(&handle->obj.peer->queue.lock);

	/* against b1_handle_unlink() of a sender whose message goes nowhere */
	raw_spin_lock(&node->lock);
	gone = handle->gone;
	if (!gone) {
		handle->notified = false;
		handle->held = true;
	}
	raw_spin_unlock(&node->lock);
	/* what is charged for a live handle is up to the release */
	if (gone && !handle->obj.live)
		b1_object_discharge(&handle->obj);
}

/**
 * b1_handle_place_note() - make a held notification the one to be received next
 * @handle:	handle whose notification was held; the queue of its holder is locked
 */
void b1_handle_place_note(struct b1_handle *handle)
{
	lockdep_assert_held(&handle->obj.peer->queue.lock);

	handle->held = false;
	handle->notified = true;
	b1_object_ref(&handle->obj);
	b1_queue_add_front(&handle->obj.peer->queue, &handle->obj.note);
}
