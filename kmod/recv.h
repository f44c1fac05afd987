/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Receiving
 *
 * Purpose: one call of BUS1_CMD_RECV, and the look of poll: what comes next, and taking it out.
 * Copying to user space is left to cdev.c.
 *
 * Objects: struct b1_recv, on the stack of the caller, describes the first entry of the queue.
 *
 * Lifetime: b1_recv_peek() finds an entry, which stays where it is. b1_recv_prepare() gives IDs to
 * the handles in a message, so that they can be told; then b1_recv_commit() takes the entry out, or
 * b1_recv_abort() leaves it, also if the commit has failed.
 *
 * Locking: the peer is locked from peek to commit or abort. Its queue is locked for a moment in
 * each step, not in between, when user memory is touched.
 *
 * Context: may sleep.
 *
 * Ordering: see queue.h.
 */
#ifndef B1_RECV_H
#define B1_RECV_H

#include <linux/types.h>

#include "message.h"

struct b1_recv {
	struct b1_peer *peer;
	struct b1_queue_entry *entry;
	struct b1_message *message;	/* NULL: a notification */
	u64 id;				/* of the node or handle that it is about */
	size_t n_handles;
	size_t n_data;
};

struct b1_queue_entry *b1_recv_skip_stale(struct b1_peer *peer);
int b1_recv_ready(struct b1_peer *peer);

/*
 * Whether an entry must not be received: the notification about a handle whose message has not been
 * received, or never will be.
 */
static inline bool b1_recv_is_stale(struct b1_queue_entry *entry)
{
	return entry->type == BUS1_MESSAGE_TYPE_NODE_RELEASE &&
	       !b1_handle_is_tellable(b1_handle_from_object(b1_object_from_note(entry)));
}

/*
 * What the peer receives next, with its queue locked; NULL if there is nothing. This and what follows is
 * inline because most receives are of short messages: calls would take 80 of 1200 instructions more.
 */
static __always_inline struct b1_queue_entry *b1_recv_first(struct b1_peer *peer)
{
	struct b1_queue_entry *entry = b1_queue_peek(&peer->queue);

	return entry && unlikely(b1_recv_is_stale(entry)) ? b1_recv_skip_stale(peer) : entry;
}

/**
 * b1_recv_peek() - find out what is received next
 * @recv:	returns what it is; unset on failure
 * @peer:	peer, locked until the entry is taken out or left
 *
 * Return: 0; -EAGAIN if there is nothing; or -EINTR if the caller is being killed.
 */
static __always_inline int b1_recv_peek(struct b1_recv *recv, struct b1_peer *peer)
{
	struct b1_queue_entry *entry;
	int ret;

	lockdep_assert_held(&peer->lock);

	ret = mutex_lock_killable(&peer->queue.lock);
	if (ret)
		return ret;
	entry = b1_recv_first(peer);
	mutex_unlock(&peer->queue.lock);
	if (!entry)
		return -EAGAIN;

	recv->peer = peer;
	recv->entry = entry;
	if (likely(entry->type == BUS1_MESSAGE_TYPE_USER)) {
		recv->message = b1_message_from_entry(entry);
		recv->id = recv->message->node->obj.id;
		recv->n_handles = recv->message->n_handles;
		recv->n_data = recv->message->n_data;
	} else {
		recv->message = NULL;
		recv->id = b1_object_from_note(entry)->id;
		recv->n_handles = 0;
		recv->n_data = 0;
	}
	return 0;
}

/**
 * b1_recv_prepare() - give IDs to the handles in a message
 * @recv:	from b1_recv_peek()
 */
static __always_inline void b1_recv_prepare(struct b1_recv *recv)
{
	if (recv->n_handles)
		b1_message_prepare_install(recv->message);
}

/**
 * b1_recv_abort() - leave the entry in the queue
 * @recv:	prepared receive
 */
static __always_inline void b1_recv_abort(struct b1_recv *recv)
{
	if (recv->n_handles)
		b1_message_abort_install(recv->message);
}

/**
 * b1_recv_commit() - take the entry out: it has been received
 * @recv:	prepared receive, the caller has told what there is
 *
 * Return: 0; or -EINTR if the caller is being killed while another thread of the peer has the queue: then
 * nothing has happened, and the receive is to be aborted. For no other reason it fails.
 */
static __always_inline int b1_recv_commit(struct b1_recv *recv)
{
	struct b1_queue *queue = &recv->peer->queue;
	int ret;

	ret = mutex_lock_killable(&queue->lock);
	if (ret)
		return ret;
	if (likely(recv->message)) {
		b1_message_install(recv->message);
		mutex_unlock(&queue->lock);
		b1_message_recycle(recv->message);
	} else {
		b1_queue_remove(queue, recv->entry);
		mutex_unlock(&queue->lock);
		b1_object_from_note(recv->entry)->told = true;
		b1_object_consume_note(b1_object_from_note(recv->entry));
	}
	return 0;
}

#endif /* B1_RECV_H */
