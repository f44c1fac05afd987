// SPDX-License-Identifier: GPL-2.0-only
#include <linux/bug.h>
#include <linux/errno.h>

#include "relax.h"
#include "release.h"

static void b1_release_add(struct b1_release *release, struct b1_object *obj)
{
	struct b1_release_list *list;

	list = b1_object_is_node(obj) ? &release->nodes : &release->handles;
	obj->collected = true;
	obj->release_next = NULL;
	*list->end = obj;
	list->end = &obj->release_next;
}

/**
 * b1_release_collect() - add objects to those to be released
 * @release:	release; an object that is there already is not added again
 * @ids:	any numbers
 * @n:		number of @ids, up to B1_RELAX_BATCH
 *
 * Return: 0, or -EBADRQC if one of @ids names nothing.
 */
int b1_release_collect(struct b1_release *release, const u64 *ids, size_t n)
{
	struct b1_table *table = &release->peer->table;
	struct b1_object *obj;
	int ret = 0;
	size_t i;

	lockdep_assert_held(&release->peer->lock);

	raw_spin_lock(&table->lock);
	for (i = 0; !ret && i < n; i++) {
		obj = b1_table_find(table, ids[i]);
		if (!obj)
			ret = -EBADRQC;
		else if (!obj->collected)
			b1_release_add(release, obj);
	}
	raw_spin_unlock(&table->lock);
	return ret;
}

static void b1_release_uncollect(struct b1_object *obj)
{
	size_t i = 0;

	for (; obj; obj = obj->release_next) {
		obj->collected = false;
		b1_relax(i++);
	}
}

/**
 * b1_release_abort() - give objects up without releasing them
 * @release:	release that was not prepared
 */
void b1_release_abort(struct b1_release *release)
{
	b1_release_uncollect(release->nodes.first);
	b1_release_uncollect(release->handles.first);
}

/* No object is found any more. */
static void b1_release_erase(struct b1_peer *peer, struct b1_object *obj)
{
	struct b1_object *recent = peer->recent ? &peer->recent->obj : NULL;
	size_t i = 0;

	raw_spin_lock(&peer->table.lock);
	for (; obj; obj = obj->release_next) {
		b1_table_erase_locked(&peer->table, obj);
		if (obj == recent)
			peer->recent = NULL;
		b1_relax_lock(i++, &peer->table.lock);
	}
	raw_spin_unlock(&peer->table.lock);
}

/* No node gets messages any more. */
static void b1_release_begin_nodes(struct b1_release *release, struct b1_tx *tx)
{
	struct b1_object *obj;
	size_t i = 0;

	for (obj = release->nodes.first; obj; obj = obj->release_next) {
		b1_node_release_begin(b1_node_from_object(obj), tx);
		b1_relax(i++);
	}
}

/*
 * Takes what is about the nodes out of the queue: messages and HANDLE_RELEASEs. After all are marked:
 * nothing comes later.
 */
static struct b1_queue_entry *b1_release_take_messages(struct b1_release *release)
{
	struct b1_queue *queue = &release->peer->queue;
	struct b1_queue_entry *chain = NULL;
	struct list_head *messages;
	struct b1_object *obj;
	size_t done = 0;

	b1_queue_unstack(queue);
	for (obj = release->nodes.first; obj; obj = obj->release_next) {
		messages = &b1_node_from_object(obj)->messages;
		if (!list_empty(messages))
			chain = b1_queue_remove_group(queue, messages, chain, &done);
		b1_object_cancel_note(obj);
		b1_relax_steps(&done, 1);
	}
	return chain;
}

/* Ends all handles; true if there may be notifications about them in the queue. */
static bool b1_release_end_handles(struct b1_release *release, struct b1_queue_entry *chain,
				   struct b1_tx *tx)
{
	struct b1_object *obj, *end = release->nodes.first;
	struct b1_message *message;
	bool notified = false;
	size_t done = 0;

	for (obj = release->handles.first; obj != end; obj = obj->release_next) {
		notified |= b1_handle_end(b1_handle_from_object(obj), tx);
		b1_relax_steps(&done, 1);
	}
	for (; chain; chain = chain->next) {
		message = b1_message_from_entry(chain);
		notified |= b1_message_end_handles(message, tx);
		b1_relax_steps(&done, 1 + message->n_handles);
	}
	return notified;
}

/*
 * Takes back the notifications about handles that have ended: all at once, as nothing is pushed about
 * them any more. If the caller is being killed while another thread has the queue, they stay there until
 * the receiver comes across them, or the close.
 */
static void b1_release_cancel_notes(struct b1_release *release, struct b1_queue_entry *chain)
{
	struct b1_object *obj, *end = release->nodes.first;
	struct b1_queue *queue = &release->peer->queue;
	struct b1_message *message;
	size_t done = 0;

	if (mutex_lock_killable(&queue->lock))
		return;
	b1_queue_unstack(queue);
	for (obj = release->handles.first; obj != end; obj = obj->release_next) {
		b1_object_cancel_note(obj);
		b1_relax_steps(&done, 1);
	}
	for (; chain; chain = chain->next) {
		message = b1_message_from_entry(chain);
		b1_message_cancel_notes(message);
		b1_relax_steps(&done, 1 + message->n_handles);
	}
	mutex_unlock(&queue->lock);
}

static void b1_release_free_messages(struct b1_queue_entry *chain)
{
	struct b1_queue_entry *next;
	struct b1_message *message;
	size_t done = 0;

	for (; chain; chain = next) {
		next = chain->next;
		message = b1_message_from_entry(chain);
		b1_relax_steps(&done, 1 + message->n_handles);
		b1_message_free(message);
	}
}

/*
 * Tells the holders of handles, commits, and wakes. After all handles of the call, and those in
 * messages, have been unlinked: they get no NODE_RELEASE.
 */
static void b1_release_finish(struct b1_release *release, struct b1_tx *tx)
{
	struct b1_object *obj;
	size_t i = 0, done = 0;

	for (obj = release->nodes.first; obj; obj = obj->release_next)
		b1_relax_steps(&done, 1 + b1_node_release_notify(b1_node_from_object(obj)));
	b1_tx_commit(tx);
	for (obj = release->nodes.first; obj; obj = obj->release_next) {
		b1_node_release_end(b1_node_from_object(obj));
		b1_relax(i++);
	}
	b1_object_wake_all(tx);
}

/*
 * Frees objects, and gives back what was charged for them: to discharge several at once that follow
 * each other leaves the same as one after the other, and costs a tenth. Others may keep an object, for
 * one of its transactions, or as long as its notification is in a queue.
 */
static void b1_release_free(struct b1_object *next)
{
	struct b1_acct_trace *charged = NULL;
	struct b1_handle_batch freed;
	size_t i = 0, n_charged = 0;
	struct b1_object *obj;

	freed.n = 0;
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
		if (b1_object_is_node(obj)) {
			b1_object_unref(obj);
		} else {
			b1_handle_drop_sender(b1_handle_from_object(obj));
			if (b1_ref_put_last(&obj->tx.ref))
				b1_handle_free_later(b1_handle_from_object(obj), &freed);
		}
		b1_relax(i++);
	}
	b1_handle_free_batch(&freed);
	b1_acct_discharge(charged, n_charged, 0);
}

/*
 * What most releases are: a single handle. The one notification that this may cause needs no
 * transaction but its push.
 */
static void b1_release_handle(struct b1_peer *peer, struct b1_handle *handle)
{
	b1_table_erase(&handle->obj);
	if (handle == peer->recent)
		peer->recent = NULL;
	if (b1_handle_end(handle, NULL))
		b1_handle_cancel_note(handle);
	b1_handle_drop_sender(handle);
	/* others may keep the handle, for the transaction that notified it */
	handle->obj.collected = false;
	b1_object_discharge(&handle->obj);
	b1_object_unref(&handle->obj);
}

/* Puts the nodes behind the handles, for what is done with all objects. Returns the first one. */
static struct b1_object *b1_release_join(struct b1_release *release)
{
	*release->handles.end = release->nodes.first;
	return release->handles.first;
}

/**
 * b1_release_commit() - release what was collected
 * @release:	prepared release; the objects belong to nobody afterwards, the queue is not locked
 *
 * Allocates nothing and cannot fail.
 */
void b1_release_commit(struct b1_release *release)
{
	struct b1_object *nodes = release->nodes.first, *first;
	struct b1_queue_entry *chain = NULL;

	lockdep_assert_held(&release->peer->lock);

	first = b1_release_join(release);
	if (!first)
		return;
	if (!first->release_next && !nodes) {
		b1_release_handle(release->peer, b1_handle_from_object(first));
		return;
	}
	b1_object_ref(first);
	b1_release_erase(release->peer, first);
	if (nodes) {
		b1_release_begin_nodes(release, &first->tx);
		chain = b1_release_take_messages(release);
		mutex_unlock(&release->peer->queue.lock);
	}
	if ((first != nodes || chain) && b1_release_end_handles(release, chain, &first->tx))
		b1_release_cancel_notes(release, chain);
	b1_release_free_messages(chain);
	b1_release_finish(release, &first->tx);
	b1_release_free(first);
	b1_object_unref(first);
}

/* Ends an entry of the queue of a peer that is being closed. Returns how much there was in it. */
static size_t b1_release_drop(struct b1_queue_entry *entry, struct b1_tx *tx)
{
	struct b1_message *message;
	size_t n_handles;

	if (entry->type != BUS1_MESSAGE_TYPE_USER) {
		b1_object_consume_note(b1_object_from_note(entry));
		return 1;
	}
	message = b1_message_from_entry(entry);
	n_handles = message->n_handles;
	b1_message_end_handles(message, tx);
	b1_message_free(message);
	return 1 + n_handles;
}

/* Empties the sealed queue of a peer that is being closed. */
static void b1_release_drain(struct b1_peer *peer, struct b1_tx *tx)
{
	struct b1_queue_entry *entry;
	size_t done = 0;

	for (;;) {
		mutex_lock(&peer->queue.lock);
		entry = b1_queue_remove_any(&peer->queue);
		/* it may be about a handle that a sender has left behind */
		if (entry && entry->type == BUS1_MESSAGE_TYPE_NODE_RELEASE)
			b1_handle_hold_note(b1_handle_from_object(b1_object_from_note(entry)));
		mutex_unlock(&peer->queue.lock);
		if (!entry)
			break;
		b1_relax_steps(&done, b1_release_drop(entry, tx));
	}
}

/* No file, so no command, no poll, and no transfer to this peer: the table is ours. */
static void b1_release_collect_all(struct b1_release *release)
{
	struct rb_node *node;
	size_t i = 0;

	for (node = rb_first(&release->peer->table.objects); node; node = rb_next(node)) {
		b1_release_add(release, b1_table_entry(node));
		b1_relax(i++);
	}
}

/**
 * b1_release_close() - release all that a peer has, for ever
 * @peer:	peer whose file is gone; the reference stays with the caller
 *
 * One transaction. Messages and notifications that arrive from now on go nowhere, those in the
 * queue are discarded. Allocates nothing and cannot fail. Nobody else can have the locks of the peer: they
 * are taken to keep the rules of the callees simple.
 */
void b1_release_close(struct b1_peer *peer)
{
	struct b1_release release;
	struct b1_object *first;

	b1_release_init(&release, peer);
	mutex_lock(&peer->lock);
	mutex_lock(&peer->queue.lock);
	b1_queue_seal(&peer->queue);
	b1_release_collect_all(&release);
	first = b1_release_join(&release);
	b1_release_erase(peer, first);
	b1_release_begin_nodes(&release, &peer->tx);
	mutex_unlock(&peer->queue.lock);

	/* notifications about these handles are in the queue or nowhere */
	b1_release_end_handles(&release, NULL, &peer->tx);
	b1_release_drain(peer, &peer->tx);
	b1_release_finish(&release, &peer->tx);
	b1_release_free(first);
	b1_message_free_spare(peer);
	b1_peer_end(peer);
	mutex_unlock(&peer->lock);
}
