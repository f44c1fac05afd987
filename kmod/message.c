// SPDX-License-Identifier: GPL-2.0-only
#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "message.h"
#include "peer.h"
#include "relax.h"

/*
 * Handles and payload up to this sit behind the message, and the memory of such messages may be used
 * again. A payload that is larger gets an allocation of its own: together with the message it would
 * need the next larger size.
 */
#define B1_MESSAGE_INLINE (PAGE_SIZE / 2 - sizeof(struct b1_message))

/* The same for a payload that messages share. */
#define B1_PAYLOAD_INLINE (PAGE_SIZE / 2 - sizeof(struct b1_payload))

/* The smallest allocation of its own for a payload, and the largest one that may be used again. */
#define B1_MESSAGE_BUFFER PAGE_SIZE

static void b1_payload_free(struct b1_tx *tx)
{
	struct b1_payload *payload = container_of(tx, struct b1_payload, tx);

	if (payload->data != payload + 1)
		kvfree(payload->data);
	kfree(payload);
}

/**
 * b1_payload_new() - create a transaction, and room for bytes that its messages share
 * @n_data:	number of bytes, uninitialised; up to MAX_RW_COUNT
 *
 * Return: a payload, to be ended with b1_tx_unref(); NULL if there is no memory.
 */
struct b1_payload *b1_payload_new(size_t n_data)
{
	bool is_behind = n_data <= B1_PAYLOAD_INLINE;
	struct b1_payload *payload;

	payload = kmalloc(sizeof(*payload) + (is_behind ? n_data : 0), GFP_KERNEL_ACCOUNT);
	if (!payload)
		return NULL;
	b1_tx_init(&payload->tx, b1_payload_free);
	payload->size = n_data;
	payload->data = is_behind ? payload + 1 : kvmalloc(n_data, B1_MESSAGE_GFP);
	if (payload->data)
		return payload;
	kfree(payload);
	return NULL;
}

/* Adds new handles to all of @nodes; on failure those made so far are left in the message. */
static int b1_message_add_handles(struct b1_message *message, struct b1_node **nodes,
				  size_t n_nodes)
{
	size_t i, n;
	int ret;

	for (i = 0; i < n_nodes; i += n) {
		n = min_t(size_t, n_nodes - i, B1_RELAX_BATCH);
		ret = b1_handle_new_some(nodes + i, n, message->node->obj.peer,
					 message->handles + i);
		if (ret)
			return ret;
		message->n_handles += n;
		if (n == B1_RELAX_BATCH && fatal_signal_pending(current))
			return -EINTR;
		b1_relax(i + n - 1);
	}
	return 0;
}

/* Frees the memory, which refers to nothing any more. */
static void b1_message_dealloc(struct b1_message *message)
{
	if (!message)
		return;
	kvfree(message->buffer);
	kvfree(message);
}

/*
 * Memory for a message with @room bytes for handles and data: what the receiver has left over from
 * the message before, or new.
 */
static struct b1_message *b1_message_alloc(struct b1_peer *receiver, size_t room)
{
	struct b1_message *message = NULL;

	if (READ_ONCE(receiver->spare))
		message = xchg(&receiver->spare, NULL);
	if (message && message->room >= room)
		return message;
	b1_message_dealloc(message);

	/* with payloads and counts as bounded by cdev.c this cannot overflow */
	message = kvmalloc(sizeof(*message) + room, B1_MESSAGE_GFP);
	if (!message)
		return NULL;
	message->room = room;
	message->buffer = NULL;
	message->buffer_size = 0;
	return message;
}

/* Finds a place for the bytes; false if there is no memory. */
static bool b1_message_place_data(struct b1_message *message, size_t n_data,
				  struct b1_payload *payload, size_t n_nodes)
{
	if (payload) {
		message->data = payload->data;
		message->data_size = payload->size;
		return true;
	}
	if (n_data <= B1_MESSAGE_INLINE) {
		message->data = &message->handles[n_nodes];
		message->data_size = message->room - n_nodes * sizeof(struct b1_handle *);
		return true;
	}
	if (message->buffer_size < n_data) {
		kvfree(message->buffer);
		message->buffer_size = max_t(size_t, n_data, B1_MESSAGE_BUFFER);
		message->buffer = kvmalloc(message->buffer_size, B1_MESSAGE_GFP);
	}
	message->data = message->buffer;
	message->data_size = message->buffer_size;
	return message->buffer;
}

/**
 * b1_message_new() - build a message
 * @node:	destination; borrowed
 * @account:	user the sender is accounted to
 * @trace:	what has been charged for 1 + @n_nodes objects and @n_data bytes; on success the
 *		charge belongs to the message
 * @n_data:	number of bytes
 * @payload:	the bytes, borrowed until its transaction is that of the message; or NULL to have
 *		them in the message, uninitialised
 * @nodes:	nodes to carry a handle to; borrowed
 * @n_nodes:	number of @nodes
 *
 * Return: a message, or an error pointer: -ENOMEM, or -EINTR if the caller is being killed.
 */
struct b1_message *b1_message_new(struct b1_node *node, kuid_t account,
				  struct b1_acct_trace *trace, size_t n_data,
				  struct b1_payload *payload, struct b1_node **nodes,
				  size_t n_nodes)
{
	size_t room = n_nodes * sizeof(struct b1_handle *);
	struct b1_message *message;
	int ret = -ENOMEM;

	if (!payload && n_data <= B1_MESSAGE_INLINE)
		room += n_data;
	message = b1_message_alloc(node->obj.peer, room);
	if (!message)
		return ERR_PTR(-ENOMEM);
	b1_queue_entry_init(&message->entry, BUS1_MESSAGE_TYPE_USER, &node->messages);
	b1_object_ref(&node->obj);
	message->node = node;
	message->account = account;
	message->charged = trace;
	message->n_charged = 0;
	message->n_data = 0;
	message->n_handles = 0;

	if (b1_message_place_data(message, n_data, payload, n_nodes))
		ret = b1_message_add_handles(message, nodes, n_nodes);
	if (ret) {
		b1_message_free(message);
		return ERR_PTR(ret);
	}
	message->n_data = n_data;
	message->n_charged = 1 + n_nodes;
	return message;
}

/* What a message refers to when it has been received: it has no handles and charges any more. */
static inline void b1_message_unref(struct b1_message *message)
{
	b1_tx_unref(message->entry.tx);
	b1_object_unref(&message->node->obj);
}

/**
 * b1_message_free() - free a message
 * @message:	message or NULL, in no queue; its handles are not linked, or gone
 */
void b1_message_free(struct b1_message *message)
{
	size_t i;

	if (!message)
		return;
	for (i = 0; i < message->n_handles; i++) {
		b1_object_unref(&message->handles[i]->obj);
		b1_relax(i);
	}
	if (message->n_charged)
		b1_acct_discharge(message->charged, message->n_charged, message->n_data);
	b1_message_unref(message);
	b1_message_dealloc(message);
}

/**
 * b1_message_free_spare() - free the memory that is left for the next message
 * @receiver:	peer that receives nothing any more
 */
void b1_message_free_spare(struct b1_peer *receiver)
{
	if (READ_ONCE(receiver->spare))
		b1_message_dealloc(xchg(&receiver->spare, NULL));
}

/**
 * b1_message_link() - count the carried handles on their nodes
 * @message:	built message, about to be pushed; what was built before cannot fail any more
 *
 * Before the push, because the receiver may be faster than the sender.
 */
void b1_message_link(struct b1_message *message)
{
	size_t i;

	for (i = 0; i < message->n_handles; i++) {
		b1_handle_link(message->handles[i]);
		b1_relax(i);
	}
}

/**
 * b1_message_discard() - end a message that nobody receives
 * @message:	linked message in no queue; consumed
 * @tx:		transaction that notifications about the carried handles become part of, or NULL
 */
void b1_message_discard(struct b1_message *message, struct b1_tx *tx)
{
	size_t i;

	for (i = 0; i < message->n_handles; i++) {
		b1_handle_unlink(message->handles[i], tx);
		b1_relax(i);
	}
	b1_message_free(message);
}

/**
 * b1_message_discard_all() - end all messages that wait for a node
 * @node:	released node, pinned
 * @tx:		as in b1_message_discard()
 */
void b1_message_discard_all(struct b1_node *node, struct b1_tx *tx)
{
	struct b1_queue_entry *entry, *next;
	size_t i = 0;

	entry = b1_queue_remove_group(&node->obj.peer->queue, &node->messages);
	for (; entry; entry = next) {
		next = entry->next;
		b1_message_discard(b1_message_from_entry(entry), tx);
		b1_relax(i++);
	}
}

/**
 * b1_message_discard_rest() - end the messages that wait for a node whose release has ended
 * @node:	released node, pinned
 *
 * One takes all of them, also those that others have to answer for: a sender for its own, the
 * releaser for those that were left to it. These come here, too, find none, and must not return
 * before the handles have ended and the charges are back. So who discards keeps them waiting.
 */
void b1_message_discard_rest(struct b1_node *node)
{
	struct b1_peer *peer = node->obj.peer;

	mutex_lock(&peer->discard_lock);
	b1_message_discard_all(node, NULL);
	mutex_unlock(&peer->discard_lock);
}

/**
 * b1_message_discard_late() - end a message that was pushed to a node that is released
 * @node:	released node, pinned
 *
 * For the sender, after its push. Until b1_node_release_end() this is left to the releaser.
 */
void b1_message_discard_late(struct b1_node *node)
{
	bool ended;

	spin_lock(&node->lock);
	ended = !node->release_tx;
	if (!ended)
		node->left = true;
	spin_unlock(&node->lock);
	if (ended)
		b1_message_discard_rest(node);
}

/**
 * b1_message_prepare_install() - put the carried handles in the table of the receiver
 * @message:	first message in the queue of the receiver, which is locked
 *
 * The handles have IDs afterwards, but are not live.
 */
void b1_message_prepare_install(struct b1_message *message)
{
	struct b1_peer *peer = message->node->obj.peer;
	size_t i;

	if (!message->n_handles)
		return;
	spin_lock(&peer->objects_lock);
	for (i = 0; i < message->n_handles; i++) {
		b1_peer_insert_locked(peer, &message->handles[i]->obj);
		b1_relax_lock(i, &peer->objects_lock);
	}
	spin_unlock(&peer->objects_lock);
}

/**
 * b1_message_abort_install() - undo b1_message_prepare_install()
 * @message:	message that stays in the queue
 */
void b1_message_abort_install(struct b1_message *message)
{
	struct b1_handle *handle;
	size_t i;

	for (i = 0; i < message->n_handles; i++) {
		handle = message->handles[i];
		b1_peer_erase(handle->obj.peer, &handle->obj);
		handle->obj.id = 0;
		b1_relax(i);
	}
}

/*
 * Gives back the charge for the message, and moves that for the handles to them. Those that the
 * receiver cannot be charged for stay a charge of the sender.
 */
static void b1_message_recharge(struct b1_message *message, struct b1_acct_trace *own)
{
	size_t i, n_moved = 0, spent = 1, n_data = message->n_data;

	for (i = 0; i < message->n_handles; i++) {
		/* the trace of the sender may be gone after the last one */
		if (i % B1_RELAX_BATCH == 0) {
			n_moved = i + b1_acct_move(message->charged, own,
						   min_t(size_t, message->n_handles - i,
							 B1_RELAX_BATCH),
						   spent, n_data);
			spent = 0;
			n_data = 0;
		}
		message->handles[i]->obj.charged = i < n_moved ? own : message->charged;
		b1_relax(i);
	}
}

/**
 * b1_message_install() - receive a prepared message
 * @message:	first message in the queue of the receiver, which is locked; out of the queue
 *		afterwards, to be ended by the caller with b1_message_recycle()
 *
 * The handles become charges of the receiver; one that is over its quota stays a charge of the
 * sender. This is the commit of a receive: it cannot fail. Notifications that were held for the handles
 * come next in the queue, in the order of the handles.
 */
void b1_message_install(struct b1_message *message)
{
	struct b1_peer *peer = message->node->obj.peer;
	size_t i;

	mutex_lock(&peer->queue.lock);
	b1_queue_remove(&peer->queue, &message->entry);
	if (message->n_handles)
		b1_message_recharge(message, peer->own);
	else
		b1_acct_discharge(message->charged, 1, message->n_data);
	message->n_data = 0;
	message->n_charged = 0;
	/* each notification goes in front of those placed before */
	for (i = message->n_handles; i > 0; i--) {
		b1_handle_install(message->handles[i - 1], true);
		b1_relax(i);
	}
	/* the references are with the table now */
	message->n_handles = 0;
	mutex_unlock(&peer->queue.lock);
}

/*
 * Whether memory is used again at all. Freed is freed if that is to be wiped, or if there are tools
 * that look for uses of what was freed, or not written.
 */
static bool b1_message_can_recycle(void)
{
	return !want_init_on_free() && !IS_ENABLED(CONFIG_KASAN) && !IS_ENABLED(CONFIG_KMSAN);
}

/**
 * b1_message_recycle() - free a message that has been received
 * @message:	message after b1_message_install(); the receiver is still locked
 *
 * The memory, if it is not much, stays with the receiver for the next message to it: that saves a
 * tenth of a send and receive. No quota knows of it, like of the peer's own memory: it is half a page
 * for the message and a page for its payload at most, and goes with the close.
 */
void b1_message_recycle(struct b1_message *message)
{
	struct b1_peer *receiver = message->node->obj.peer;

	b1_message_unref(message);
	if (message->buffer_size > B1_MESSAGE_BUFFER) {
		kvfree(message->buffer);
		message->buffer = NULL;
		message->buffer_size = 0;
	}
	if (message->room <= B1_MESSAGE_INLINE && b1_message_can_recycle())
		message = xchg(&receiver->spare, message);
	if (message)
		b1_message_dealloc(message);
}
