/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages
 *
 * Purpose: payload and carried handles, from the sender to the queue to the receiver. Which
 * messages make up a send is in send.h, how one is received in recv.h; user memory is copied in cdev.c.
 *
 * Objects: struct b1_message, one for each destination; all is constant once it is pushed, except for
 * the handles, which get their IDs and go live at the receiver. struct b1_payload, the transaction
 * of a multicast with the bytes that its messages share.
 *
 * Lifetime: built by the sender, who may free it until it is pushed. Then it belongs to the queue;
 * whoever removes it from there receives or discards it. A message pins the handles it carries, but not
 * the node it goes to: while it is built that is pinned by the handle of the sender, who is locked;
 * and no message for a node is left when the release of that ends, see b1_release_commit(). Handles are unlinked in a message that is built, linked in one that is pushed
 * (so they keep their nodes alive for the receiver), and live once it is received.
 *
 * Memory: a message is either in memory that the sender has allocated, which is freed when it was
 * received, or in memory that the receiver keeps for it: b1_peer.spare, allocated by a receive, so
 * that the control group of the receiver pays. See b1_message_recycle().
 *
 * Locking: the receiver is locked while a message is received or discarded. A message that goes nowhere
 * is ended by its sender, who takes no lock of the receiver. The spare memory of a receiver is taken
 * and given with xchg().
 *
 * Context: may sleep.
 *
 * Ordering: none of its own.
 */
#ifndef B1_MESSAGE_H
#define B1_MESSAGE_H

#include <linux/gfp.h>
#include <linux/types.h>
#include <linux/uidgid.h>

#include "node.h"

/*
 * Sizes come from users: a failure is an error for the caller, not a reason to log or to kill
 * another process for its memory.
 */
#define B1_MESSAGE_GFP (GFP_KERNEL_ACCOUNT | __GFP_NOWARN | __GFP_RETRY_MAYFAIL)

/*
 * What the messages of a multicast share. The transaction is the reference count, too: a message that
 * is in a queue has a reference to it anyway.
 */
struct b1_payload {
	struct b1_tx tx;
	size_t size;			/* of data */
	/*
	 * Behind this, or allocated by itself: a power of two, as large payloads often are, would
	 * need twice the memory together with anything else, and the time to clear that.
	 */
	void *data;
};

struct b1_message {
	struct b1_queue_entry entry;
	struct b1_node *node;		/* destination; outlives it, see "Lifetime" */
	struct b1_acct_trace *charged;	/* for n_charged objects and n_data bytes, pinned by that */
	size_t n_charged;
	kuid_t account;			/* of the sender */
	unsigned int foreign;		/* what of the memory the sender has allocated: */
#define B1_MESSAGE_FOREIGN_HEAD 1	/* this */
#define B1_MESSAGE_FOREIGN_BUFFER 2	/* buffer */
	size_t n_data;
	void *data;			/* in a payload, in buffer, or behind the handles */
	size_t data_size;		/* bytes that there is room for at data */
	void *buffer;			/* for what does not fit behind the handles, or NULL */
	size_t buffer_size;
	size_t room;			/* bytes from handles on */
	size_t n_handles;
	struct b1_handle *handles[];
};

/* What the messages of a send are built from; all of it is borrowed. */
struct b1_message_parts {
	kuid_t account;			/* user that the sender is accounted to */
	size_t n_data;			/* bytes */
	/* where these are, if its transaction is that of the message; NULL: in the message */
	struct b1_payload *payload;
	struct b1_node **nodes;		/* to carry a handle to */
	size_t n_nodes;
};

static inline struct b1_message *b1_message_from_entry(struct b1_queue_entry *entry)
{
	return container_of(entry, struct b1_message, entry);
}

struct b1_payload *b1_payload_new(size_t n_data);

struct b1_message *b1_message_new(struct b1_node *node, struct b1_acct_trace *charged,
				  const struct b1_message_parts *parts);
void b1_message_free(struct b1_message *message);
void b1_message_free_spare(struct b1_peer *receiver);
void b1_message_link(struct b1_message *message);
void b1_message_refuse(struct b1_message *message);
bool b1_message_end_handles(struct b1_message *message, struct b1_tx *tx);
void b1_message_cancel_notes(struct b1_message *message);

void b1_message_prepare_install(struct b1_message *message);
void b1_message_abort_install(struct b1_message *message);
void b1_message_install(struct b1_message *message);
void b1_message_recycle(struct b1_message *message);

/**
 * b1_message_push() - push a message to the queue of its receiver
 * @message:	linked message; belongs to the queue on success
 * @tx:		transaction of the message, NULL if it is one by itself; borrowed
 *
 * Return: false if its node is released, or its receiver closed: then it goes nowhere, and is to be ended
 * with b1_message_refuse().
 */
static inline bool b1_message_push(struct b1_message *message, struct b1_tx *tx)
{
	struct b1_node *node = message->node;
	size_t n_handles, n_data;
	bool done = false;

	b1_tx_ref(tx);
	raw_spin_lock(&node->lock);
	/* once it is pushed, the receiver may be done with it */
	n_handles = message->n_handles;
	n_data = message->n_data;
	/* a queue that is sealed is that of a peer whose nodes are all about to be released */
	if (likely(!node->released) &&
	    likely(b1_queue_push(&node->obj.peer->queue, &message->entry, tx))) {
		data_race(node->pushed.messages++);
		data_race(node->pushed.handles += n_handles);
		data_race(node->pushed.bytes += n_data);
		done = true;
	}
	raw_spin_unlock(&node->lock);
	if (unlikely(!done))
		b1_tx_unref(tx);
	return done;
}

/**
 * b1_message_take() - count a message that is taken out of the queue
 * @message:	message; its receiver is locked
 */
static inline void b1_message_take(struct b1_message *message)
{
	struct b1_node_load *taken = &message->node->taken;

	data_race(taken->messages++);
	data_race(taken->handles += message->n_handles);
	data_race(taken->bytes += message->n_data);
}

#endif /* B1_MESSAGE_H */
