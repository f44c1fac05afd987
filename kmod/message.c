// SPDX-License-Identifier: GPL-2.0-only
#include <linux/atomic.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "message.h"
#include "relax.h"

/*
 * Handles and payload up to this sit behind the message, and the memory of such messages may be used
 * again. A payload that is larger gets an allocation of its own: together with the message it would
 * need the next larger size.
 */
#define B1_MESSAGE_INLINE (SZ_2K - sizeof(struct b1_message))

/* The same for a payload that messages share. */
#define B1_PAYLOAD_INLINE (SZ_2K - sizeof(struct b1_payload))

/* The smallest allocation of its own for a payload, and the largest one that may be used again. */
#define B1_MESSAGE_BUFFER SZ_4K

/* For memory that is only kept to save time: rather none than to wait for it. */
#define B1_MESSAGE_GFP_SPARE (GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_NORETRY)

static void b1_payload_free(struct b1_ref *ref)
{
	struct b1_payload *payload = container_of(b1_tx_from_ref(ref), struct b1_payload, tx);

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

static struct b1_message *b1_message_alloc_new(size_t room, unsigned int foreign, gfp_t gfp)
{
	struct b1_message *message;

	/* with payloads and counts as bounded by cdev.c this cannot overflow */
	message = kvmalloc(sizeof(*message) + room, gfp);
	if (!message)
		return NULL;
	message->foreign = foreign;
	message->room = room;
	message->buffer = NULL;
	message->buffer_size = 0;
	return message;
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
	return b1_message_alloc_new(room, B1_MESSAGE_FOREIGN_HEAD, B1_MESSAGE_GFP);
}

/* Finds a place for the bytes; false if there is no memory. */
static bool b1_message_place_data(struct b1_message *message, const struct b1_message_parts *parts)
{
	size_t n_data = parts->n_data;

	if (parts->payload) {
		message->data = parts->payload->data;
		message->data_size = parts->payload->size;
		return true;
	}
	if (n_data <= B1_MESSAGE_INLINE) {
		message->data = &message->handles[parts->n_nodes];
		message->data_size = message->room - parts->n_nodes * sizeof(struct b1_handle *);
		return true;
	}
	if (message->buffer_size < n_data) {
		message->foreign |= B1_MESSAGE_FOREIGN_BUFFER;
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
 * @charged:	what has been charged for it: an object, one more for each handle, and its bytes; on
 *		success the charge belongs to the message
 * @parts:	what it is built from; if there is no payload, the bytes are uninitialised
 *
 * Return: a message, or an error pointer: -ENOMEM, or -EINTR if the caller is being killed.
 */
struct b1_message *b1_message_new(struct b1_node *node, struct b1_acct_trace *charged,
				  const struct b1_message_parts *parts)
{
	size_t room = parts->n_nodes * sizeof(struct b1_handle *);
	struct b1_message *message;
	int ret = -ENOMEM;

	if (!parts->payload && parts->n_data <= B1_MESSAGE_INLINE)
		room += parts->n_data;
	message = b1_message_alloc(node->obj.peer, room);
	if (!message)
		return ERR_PTR(-ENOMEM);
	b1_queue_entry_init(&message->entry, BUS1_MESSAGE_TYPE_USER, &node->messages);
	message->node = node;
	message->account = parts->account;
	message->charged = charged;
	message->n_charged = 0;
	message->n_data = 0;
	message->n_handles = 0;

	if (b1_message_place_data(message, parts))
		ret = b1_message_add_handles(message, parts->nodes, parts->n_nodes);
	if (ret) {
		b1_message_free(message);
		return ERR_PTR(ret);
	}
	message->n_data = parts->n_data;
	message->n_charged = 1 + parts->n_nodes;
	return message;
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
	b1_tx_unref(message->entry.tx);
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
 * b1_message_refuse() - end a message that goes nowhere
 * @message:	linked message that could not be pushed; consumed
 *
 * For the sender. A notification about a carried handle may be in the queue of the receiver already;
 * then the handle is left to that, charged as before: see node.h.
 */
void b1_message_refuse(struct b1_message *message)
{
	size_t i;

	for (i = 0; i < message->n_handles; i++) {
		if (b1_handle_unlink(message->handles[i], NULL, message->charged))
			message->n_charged--;
		b1_relax(i);
	}
	b1_message_free(message);
}

/**
 * b1_message_end_handles() - end the handles in a message that is not received
 * @message:	message that its receiver, who is locked, has taken out of the queue
 * @tx:		transaction that notifications about the carried handles become part of
 *
 * Return: true if notifications about them may wait in the queue, for b1_message_cancel_notes().
 */
bool b1_message_end_handles(struct b1_message *message, struct b1_tx *tx)
{
	bool notified = false;
	size_t i;

	for (i = 0; i < message->n_handles; i++) {
		notified |= b1_handle_end(message->handles[i], tx);
		b1_relax(i);
	}
	return notified;
}

/**
 * b1_message_cancel_notes() - take back the notifications about the handles in a message
 * @message:	message after b1_message_end_handles(); the queue is locked and unstacked
 */
void b1_message_cancel_notes(struct b1_message *message)
{
	size_t i;

	for (i = 0; i < message->n_handles; i++) {
		b1_object_cancel_note(&message->handles[i]->obj);
		b1_relax(i);
	}
}

/**
 * b1_message_prepare_install() - put the carried handles in the table of the receiver
 * @message:	first message in the queue of the receiver, which is locked; has handles
 *
 * The handles have IDs afterwards, but are not live.
 */
void b1_message_prepare_install(struct b1_message *message)
{
	struct b1_table *table = &message->node->obj.peer->table;
	size_t i;

	raw_spin_lock(&table->lock);
	for (i = 0; i < message->n_handles; i++) {
		b1_table_insert_locked(table, &message->handles[i]->obj);
		b1_relax_lock(i, &table->lock);
	}
	raw_spin_unlock(&table->lock);
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
		b1_table_erase(&handle->obj);
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
 * @message:	first message in the queue of the receiver, which is locked, and so is the queue; out of
 *		the queue afterwards, to be ended by the caller with b1_message_recycle()
 *
 * The handles become charges of the receiver; one that is over its quota stays a charge of the
 * sender. This is the commit of a receive: it cannot fail. Notifications that were held for the handles
 * come next in the queue, in the order of the handles.
 */
void b1_message_install(struct b1_message *message)
{
	struct b1_peer *peer = message->node->obj.peer;
	size_t i;

	b1_queue_remove(&peer->queue, &message->entry);
	b1_message_take(message);
	if (message->n_handles)
		b1_message_recharge(message, peer->own);
	else
		b1_acct_discharge(message->charged, 1, message->n_data);
	message->n_data = 0;
	message->n_charged = 0;
	/* each notification goes in front of those placed before */
	for (i = message->n_handles; i > 0; i--) {
		b1_handle_install(message->handles[i - 1]);
		b1_relax(i);
	}
	/* the references are with the table now */
	message->n_handles = 0;
}

/*
 * Whether memory is used again at all: not if freed memory must be wiped, nor if there are tools
 * that look for uses of what was freed, or not written.
 */
static bool b1_message_can_recycle(void)
{
	return !want_init_on_free() && !IS_ENABLED(CONFIG_KASAN) && !IS_ENABLED(CONFIG_KMSAN);
}

/* Gets a buffer as large as that of a message for the memory that is the receiver's own. */
static void b1_message_add_buffer(struct b1_message *own, size_t size)
{
	own->buffer = kvmalloc(size, B1_MESSAGE_GFP_SPARE);
	own->buffer_size = own->buffer ? size : 0;
}

/*
 * Turns a message into memory for the next one: the receiver's own, as much as @message had, if that is
 * not too much, and if there is none yet. Consumes @message. Returns NULL if there is no memory.
 */
static noinline struct b1_message *b1_message_make_own(struct b1_message *message,
							struct b1_peer *receiver)
{
	size_t size = message->buffer_size;
	struct b1_message *own = message;

	if (message->foreign & B1_MESSAGE_FOREIGN_BUFFER) {
		kvfree(message->buffer);
		message->buffer = NULL;
		message->buffer_size = 0;
	}
	if (message->foreign & B1_MESSAGE_FOREIGN_HEAD) {
		own = NULL;
		if (message->room <= B1_MESSAGE_INLINE && b1_message_can_recycle() &&
		    !READ_ONCE(receiver->spare))
			own = b1_message_alloc_new(message->room, 0, B1_MESSAGE_GFP_SPARE);
		b1_message_dealloc(message);
		if (!own)
			return NULL;
	}
	own->foreign = 0;
	if (size && size <= B1_MESSAGE_BUFFER)
		b1_message_add_buffer(own, size);
	return own;
}

/**
 * b1_message_recycle() - free a message that has been received
 * @message:	message after b1_message_install(); the receiver is still locked
 *
 * Memory for the next message stays with the receiver, if it is not much: that saves a tenth of a send
 * and receive. It is the receiver's own: if that of the message was not, it is freed, and the receiver
 * allocates as much for itself. No quota knows of it, like of the peer's own memory: it is 2 KiB for
 * the message and 4 KiB for its payload at most, and goes with the close.
 */
void b1_message_recycle(struct b1_message *message)
{
	struct b1_peer *receiver = message->node->obj.peer;

	b1_tx_unref(message->entry.tx);
	if (unlikely(message->foreign))
		message = b1_message_make_own(message, receiver);
	if (message)
		b1_message_dealloc(xchg(&receiver->spare, message));
}
