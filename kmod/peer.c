// SPDX-License-Identifier: GPL-2.0-only
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/printk.h>
#include <linux/ratelimit.h>
#include <linux/sched.h>
#include <linux/slab.h>

#include "message.h"
#include "node.h"
#include "peer.h"
#include "relax.h"

static void b1_peer_free(struct b1_tx *tx)
{
	struct b1_peer *peer = container_of(tx, struct b1_peer, tx);

	WARN_ON_ONCE(peer->spare);
	b1_queue_deinit(&peer->queue);
	mutex_destroy(&peer->lock);
	mutex_destroy(&peer->discard_lock);
	kfree(peer);
}

static u64 b1_peer_next_actor(void)
{
	static atomic64_t last = ATOMIC64_INIT(0);

	return atomic64_inc_return(&last);
}

/**
 * b1_peer_claim_from() - where a peer claims from the user of another
 * @claimant:	peer that causes charges
 * @peer:	peer whose user pays
 *
 * Return: a trace, to be put by the caller; NULL if there is no memory.
 */
struct b1_acct_trace *b1_peer_claim_from(struct b1_peer *claimant, struct b1_peer *peer)
{
	return b1_acct_trace_get(__kuid_val(peer->account), __kuid_val(claimant->account),
				 claimant->actor);
}

/**
 * b1_peer_log_refusal() - tell the administrator of a refusal
 * @trace:	who claims from whom; borrowed
 * @slot:	what is short
 *
 * Users can cause any number of refusals, so no more than a few are logged in some seconds. The next
 * line says how many were left out. They are counted here, because the kernel's own message about
 * that is a warning which names this function; with RATELIMIT_MSG_ON_RELEASE it is deferred until the
 * state is released, which never happens.
 */
void b1_peer_log_refusal(struct b1_acct_trace *trace, enum b1_acct_slot slot)
{
	static struct ratelimit_state limit =
		RATELIMIT_STATE_INIT_FLAGS(limit, DEFAULT_RATELIMIT_INTERVAL,
					   DEFAULT_RATELIMIT_BURST, RATELIMIT_MSG_ON_RELEASE);
	static const char * const names[] = { "objects", "bytes" };
	static atomic_t n_left_out = ATOMIC_INIT(0);
	u64 claimant = trace->quota->item.id;
	u64 user = trace->quota->user->item.id;
	unsigned int n;

	if (!__ratelimit(&limit)) {
		atomic_inc(&n_left_out);
		return;
	}
	n = atomic_xchg(&n_left_out, 0);
	if (n)
		pr_info("UID %llu is refused %s of UID %llu: quota exceeded (%u earlier refusals were not logged)\n",
			claimant, names[slot], user, n);
	else
		pr_info("UID %llu is refused %s of UID %llu: quota exceeded\n",
			claimant, names[slot], user);
}

static struct b1_peer *b1_peer_alloc(kuid_t account, u64 actor, struct b1_acct_trace *own)
{
	struct b1_peer *peer;

	peer = kmalloc(sizeof(*peer), GFP_KERNEL_ACCOUNT);
	if (!peer)
		return NULL;
	b1_tx_init(&peer->tx, b1_peer_free);
	peer->account = account;
	peer->actor = actor;
	peer->own = own;
	init_waitqueue_head(&peer->wq);
	peer->spare = NULL;
	b1_queue_init(&peer->queue);
	mutex_init(&peer->lock);
	mutex_init(&peer->discard_lock);
	spin_lock_init(&peer->objects_lock);
	peer->objects = RB_ROOT;
	peer->newest = NULL;
	peer->recent = NULL;
	/* the first ID is 1; all are odd, see BUS1_MANAGED */
	peer->last_id = -1;
	return peer;
}

/**
 * b1_peer_new() - create a peer
 * @account:	user it is accounted to
 * @peerp:	returns a peer with one reference, to be closed before that is dropped
 *
 * Return: 0, -EDQUOT or -ENOMEM.
 */
int b1_peer_new(kuid_t account, struct b1_peer **peerp)
{
	u64 actor = b1_peer_next_actor();
	struct b1_acct_trace *own;
	int ret;

	own = b1_acct_trace_get(__kuid_val(account), __kuid_val(account), actor);
	if (!own)
		return -ENOMEM;
	ret = b1_peer_charge(own, 1, 0);
	if (ret)
		goto put_own;
	*peerp = b1_peer_alloc(account, actor, own);
	if (!*peerp) {
		ret = -ENOMEM;
		goto discharge;
	}
	return 0;

discharge:
	b1_acct_discharge(own, 1, 0);
put_own:
	b1_acct_trace_put(own);
	return ret;
}

/*
 * The table: a tree, because its links are part of the objects. So nothing has to be allocated when
 * an object comes, and few objects with high IDs are as cheap as with low ones.
 */

/* The object with the lowest ID from @id on, or NULL. */
static struct b1_object *b1_peer_next(struct b1_peer *peer, u64 id)
{
	struct rb_node *node = peer->objects.rb_node;
	struct b1_object *obj, *found = NULL;

	lockdep_assert_held(&peer->objects_lock);

	while (node) {
		obj = b1_peer_entry(node);
		if (obj->id < id) {
			node = node->rb_right;
		} else {
			found = obj;
			node = node->rb_left;
		}
	}
	return found;
}

/**
 * b1_peer_erase_locked() - take an object out of the table
 * @peer:	peer of the object; its table is locked, the rest as well if the object is live
 * @obj:	object; not found any more when this returns
 *
 * Allocates nothing. The reference of the table goes to the caller.
 */
static __always_inline void b1_peer_erase_locked(struct b1_peer *peer, struct b1_object *obj)
{
	lockdep_assert_held(&peer->objects_lock);

	if (WARN_ON_ONCE(RB_EMPTY_NODE(&obj->table_link)))
		return;
	if (obj == peer->newest)
		peer->newest = b1_peer_entry(rb_prev(&obj->table_link));
	rb_erase(&obj->table_link, &peer->objects);
	RB_CLEAR_NODE(&obj->table_link);
}

/* as b1_peer_insert_locked(), for a single object */
void b1_peer_insert(struct b1_peer *peer, struct b1_object *obj)
{
	spin_lock(&peer->objects_lock);
	b1_peer_insert_locked(peer, obj);
	spin_unlock(&peer->objects_lock);
}

/* as b1_peer_erase_locked(), for a single object */
void b1_peer_erase(struct b1_peer *peer, struct b1_object *obj)
{
	spin_lock(&peer->objects_lock);
	b1_peer_erase_locked(peer, obj);
	spin_unlock(&peer->objects_lock);
}

/* as b1_peer_find_handle_locked(), for a single handle */
struct b1_handle *b1_peer_find_handle(struct b1_peer *peer, u64 id)
{
	struct b1_handle *handle;

	spin_lock(&peer->objects_lock);
	handle = b1_peer_find_handle_locked(peer, id);
	spin_unlock(&peer->objects_lock);
	return handle;
}

static void b1_release_add(struct b1_release *release, struct b1_object *obj)
{
	obj->collected = true;
	obj->release_next = NULL;
	*release->end = obj;
	release->end = &obj->release_next;
	release->n_nodes += b1_object_is_node(obj);
}

/**
 * b1_peer_collect() - add objects to those to be released
 * @peer:	peer, locked until they are released or given up
 * @ids:	any numbers
 * @n:		number of @ids, some dozens at most
 * @release:	objects; one that is there already is not added again
 *
 * Return: 0, or -EBADRQC if one of @ids names nothing.
 */
int b1_peer_collect(struct b1_peer *peer, const u64 *ids, size_t n, struct b1_release *release)
{
	struct b1_object *obj;
	int ret = 0;
	size_t i;

	spin_lock(&peer->objects_lock);
	for (i = 0; !ret && i < n; i++) {
		obj = b1_peer_find(peer, ids[i]);
		if (!obj)
			ret = -EBADRQC;
		else if (!obj->collected)
			b1_release_add(release, obj);
	}
	spin_unlock(&peer->objects_lock);
	return ret;
}

/**
 * b1_peer_uncollect() - give objects up without releasing them
 * @release:	from b1_peer_collect(); the peer is still locked
 */
void b1_peer_uncollect(struct b1_release *release)
{
	struct b1_object *obj;
	size_t i = 0;

	for (obj = release->first; obj; obj = obj->release_next) {
		obj->collected = false;
		b1_relax(i++);
	}
}

/*
 * Empties the sealed queue of a peer that is being closed. There may be messages that came too late
 * for a node that was released before: their senders wait, see b1_message_discard_rest().
 */
static void b1_peer_drain(struct b1_peer *peer, struct b1_tx *tx)
{
	struct b1_queue_entry *entry;
	size_t i = 0;

	mutex_lock(&peer->discard_lock);
	while ((entry = b1_queue_remove_any(&peer->queue))) {
		if (entry->type == BUS1_MESSAGE_TYPE_USER)
			b1_message_discard(b1_message_from_entry(entry), tx);
		else
			b1_object_consume_note(container_of(entry, struct b1_object, note));
		b1_relax(i++);
	}
	mutex_unlock(&peer->discard_lock);
}

/* No object is found any more, and no node gets messages. */
static void b1_peer_release_begin(struct b1_peer *peer, struct b1_release *release,
				  struct b1_tx *tx)
{
	struct b1_object *obj;
	size_t i = 0;

	spin_lock(&peer->objects_lock);
	for (obj = release->first; obj; obj = obj->release_next) {
		b1_peer_erase_locked(peer, obj);
		if (peer->recent && obj == &peer->recent->obj)
			peer->recent = NULL;
		b1_relax_lock(i++, &peer->objects_lock);
	}
	spin_unlock(&peer->objects_lock);

	for (obj = release->n_nodes ? release->first : NULL; obj; obj = obj->release_next) {
		if (b1_object_is_node(obj))
			b1_node_release_begin(b1_node_from_object(obj), tx);
		b1_relax(i++);
	}
}

/*
 * The handles go before the nodes are told of, because handles released together with their node
 * get no NODE_RELEASE; and after all nodes are marked, because those get no HANDLE_RELEASE. The
 * queue comes in between: handles in discarded messages are treated like released ones.
 */
static void b1_peer_release_push(struct b1_peer *peer, struct b1_release *release,
				 struct b1_tx *tx, bool close)
{
	struct b1_object *obj;
	size_t i = 0;

	for (obj = release->first; obj; obj = obj->release_next) {
		if (!b1_object_is_node(obj))
			b1_handle_unlink(b1_handle_from_object(obj), tx);
		else if (!close)
			b1_message_discard_all(b1_node_from_object(obj), tx);
		b1_relax(i++);
	}
	if (close)
		b1_peer_drain(peer, tx);
	for (obj = release->n_nodes ? release->first : NULL; obj; obj = obj->release_next) {
		if (b1_object_is_node(obj))
			b1_node_release_notify(b1_node_from_object(obj));
		b1_relax(i++);
	}
}

/*
 * The transaction is committed, and nobody adds to it any more when this returns: true if senders have
 * left messages to us.
 */
static bool b1_peer_release_end(struct b1_release *release)
{
	struct b1_object *obj;
	bool left = false;
	size_t i = 0;

	for (obj = release->n_nodes ? release->first : NULL; obj; obj = obj->release_next) {
		if (b1_object_is_node(obj))
			left |= b1_node_release_end(b1_node_from_object(obj));
		b1_relax(i++);
	}
	return left;
}

/* After the wakeups, as it may take a while. */
static void b1_peer_release_rest(struct b1_release *release)
{
	struct b1_object *obj;
	size_t i = 0;

	for (obj = release->first; obj; obj = obj->release_next) {
		/* set under the lock of the node, and not any more since that was ended */
		if (b1_object_is_node(obj) && b1_node_from_object(obj)->left)
			b1_message_discard_rest(b1_node_from_object(obj));
		b1_relax(i++);
	}
}

/*
 * Gives back what was charged for the objects: to discharge several at once that follow each other
 * leaves the same as one after the other, and costs a tenth.
 */
static void b1_peer_release_free(struct b1_release *release)
{
	struct b1_object *obj, *next = release->first;
	struct b1_acct_trace *charged = NULL;
	size_t i = 0, n_charged = 0;

	while ((obj = next)) {
		next = obj->release_next;
		if (obj->charged != charged) {
			b1_acct_discharge(charged, n_charged, 0);
			charged = obj->charged;
			n_charged = 0;
		}
		n_charged++;
		obj->charged = NULL;
		obj->collected = false;
		/* others may keep the object, for one of its transactions */
		if (b1_object_is_node(obj)) {
			b1_object_unref(obj);
		} else {
			b1_handle_drop_sender(b1_handle_from_object(obj));
			if (refcount_dec_and_test(&obj->tx.refs))
				b1_handle_free_later(b1_handle_from_object(obj), &release->freed);
		}
		b1_relax(i++);
	}
	b1_handle_free_batch(&release->freed);
	b1_acct_discharge(charged, n_charged, 0);
}

/* Releases objects, as transaction @tx. Allocates nothing and cannot fail. */
static void b1_peer_release_as(struct b1_peer *peer, struct b1_release *release, struct b1_tx *tx,
			       bool close)
{
	bool left;

	lockdep_assert_held(&peer->lock);

	b1_peer_release_begin(peer, release, tx);
	b1_peer_release_push(peer, release, tx, close);
	b1_tx_commit(tx);
	left = b1_peer_release_end(release);
	b1_tx_wake(tx);
	/* after a seal there is nothing */
	if (left && !close)
		b1_peer_release_rest(release);
	b1_peer_release_free(release);
}

/*
 * What most releases are: a single handle. The one notification that this may cause needs no
 * transaction but its push.
 */
static void b1_peer_release_handle(struct b1_peer *peer, struct b1_handle *handle)
{
	b1_peer_erase(peer, &handle->obj);
	if (handle == peer->recent)
		peer->recent = NULL;
	b1_handle_unlink(handle, NULL);
	b1_handle_drop_sender(handle);
	/* others may keep the handle, for the transaction that notified it */
	handle->obj.collected = false;
	b1_object_discharge(&handle->obj);
	b1_object_unref(&handle->obj);
}

/**
 * b1_peer_release() - release objects in one transaction
 * @peer:	peer, locked
 * @release:	from b1_peer_collect(); the objects belong to nobody afterwards
 *
 * Allocates nothing and cannot fail: the transaction, if it takes one, is that in the first object.
 */
void b1_peer_release(struct b1_peer *peer, struct b1_release *release)
{
	struct b1_object *first = release->first;

	lockdep_assert_held(&peer->lock);

	if (!first)
		return;
	if (!first->release_next && !b1_object_is_node(first)) {
		b1_peer_release_handle(peer, b1_handle_from_object(first));
		return;
	}
	b1_object_ref(first);
	b1_peer_release_as(peer, release, &first->tx, false);
	b1_object_unref(first);
}

/**
 * b1_peer_close() - release all that a peer has, for ever
 * @peer:	peer whose file is gone; the reference stays with the caller
 *
 * One transaction. Messages and notifications that arrive from now on go nowhere, those in the
 * queue are discarded. Allocates nothing and cannot fail.
 */
void b1_peer_close(struct b1_peer *peer)
{
	struct b1_release release;
	struct rb_node *node;
	size_t i = 0;

	b1_release_init(&release);
	/* nobody contends for it, but it keeps the rules of the callees simple */
	mutex_lock(&peer->lock);
	b1_queue_seal(&peer->queue);
	/* no file, so no transfer to this peer: the table is ours */
	for (node = rb_first(&peer->objects); node; node = rb_next(node)) {
		b1_release_add(&release, b1_peer_entry(node));
		b1_relax(i++);
	}
	b1_peer_release_as(peer, &release, &peer->tx, true);
	WARN_ON_ONCE(!RB_EMPTY_ROOT(&peer->objects));
	b1_message_free_spare(peer);
	b1_acct_discharge(peer->own, 1, 0);
	b1_acct_trace_put(peer->own);
	peer->own = NULL;
	mutex_unlock(&peer->lock);
}

/*
 * Whether an entry must not be received: a message to a released node, or a notification for a
 * handle whose message has not been received.
 */
static bool b1_peer_is_stale(struct b1_queue_entry *entry)
{
	struct b1_object *obj = container_of(entry, struct b1_object, note);

	switch (entry->type) {
	case BUS1_MESSAGE_TYPE_USER:
		return b1_node_is_released(b1_message_from_entry(entry)->node);
	case BUS1_MESSAGE_TYPE_NODE_RELEASE:
		/* goes live under the lock of this queue, in b1_handle_install() */
		return !obj->live;
	default:
		return false;
	}
}

/*
 * A message is left to whoever discards all messages of its node: the releaser, or the sender if
 * that came late. A notification waits for its handle.
 */
static void b1_peer_skip(struct b1_peer *peer, struct b1_queue_entry *entry)
{
	struct b1_object *obj;

	if (entry->type == BUS1_MESSAGE_TYPE_USER) {
		b1_queue_hide(&peer->queue, entry);
		return;
	}
	obj = container_of(entry, struct b1_object, note);
	b1_queue_remove(&peer->queue, entry);
	b1_handle_from_object(obj)->held = true;
	b1_object_consume_note(obj);
}

/**
 * b1_peer_peek() - what the peer receives next
 * @peer:	peer
 *
 * If the peer is locked, the entry stays what it is until that is unlocked, unless it is removed.
 *
 * Return: a message, or the note of an object of this peer; NULL if there is nothing.
 */
struct b1_queue_entry *b1_peer_peek(struct b1_peer *peer)
{
	struct b1_queue_entry *entry;

	mutex_lock(&peer->queue.lock);
	while ((entry = b1_queue_peek(&peer->queue)) && b1_peer_is_stale(entry)) {
		b1_peer_skip(peer, entry);
		cond_resched();
	}
	mutex_unlock(&peer->queue.lock);
	return entry;
}

/* objects that are counted before the lock of the table is dropped for a moment */
#define B1_PEER_STAT_BATCH 256

static void b1_peer_stat_objects(struct b1_peer *peer, struct b1_peer_stat *stat)
{
	struct b1_object *obj;
	u64 n = 0, id;

	/* under this lock an object that is in the table is not freed */
	spin_lock(&peer->objects_lock);
	obj = b1_peer_next(peer, 0);
	while (obj) {
		if (smp_load_acquire(&obj->live)) {
			stat->n_nodes += b1_object_is_node(obj);
			stat->n_handles += !b1_object_is_node(obj);
		}
		if (++n % B1_PEER_STAT_BATCH) {
			obj = b1_peer_entry(rb_next(&obj->table_link));
			continue;
		}
		id = obj->id;
		spin_unlock(&peer->objects_lock);
		cond_resched();
		spin_lock(&peer->objects_lock);
		obj = b1_peer_next(peer, id + 1);
	}
	spin_unlock(&peer->objects_lock);
}

static void b1_peer_stat_message(struct b1_queue_entry *entry, void *data)
{
	struct b1_peer_stat *stat = data;
	struct b1_message *message;

	if (entry->type != BUS1_MESSAGE_TYPE_USER)
		return;
	message = b1_message_from_entry(entry);
	stat->n_messages++;
	stat->n_carried += message->n_handles;
	stat->n_bytes += message->n_data;
}

/**
 * b1_peer_stat() - count what a peer has
 * @peer:	open peer; needs not be locked
 * @stat:	returns the counts
 */
void b1_peer_stat(struct b1_peer *peer, struct b1_peer_stat *stat)
{
	*stat = (struct b1_peer_stat){};
	b1_peer_stat_objects(peer, stat);
	b1_queue_visit(&peer->queue, b1_peer_stat_message, stat);
}
