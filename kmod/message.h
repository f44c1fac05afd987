/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages
 *
 * Purpose: payload and carried handles, from the sender to the queue to the receiver. Which
 * messages make up a send is in send.h; user memory is copied in cdev.c.
 *
 * Objects: struct b1_message, one for each destination; all is constant once it is pushed, but for
 * the handles, which get their IDs and go live at the receiver. struct b1_payload, the transaction
 * of a multicast with the bytes that its messages share.
 *
 * Lifetime: built by the sender, who may free it until it is pushed. Then it belongs to the queue;
 * whoever removes it from there receives or discards it. The memory of a message that was received
 * stays with the receiver, for the next one sent there: see b1_message_recycle(). A message pins the
 * node it goes to and the handles it carries. Handles are unlinked in a message that is built,
 * linked in one that is pushed (so they keep their nodes alive for the receiver), and live once it
 * is received.
 *
 * Locking: the receiver is locked while a message is received. Discarding needs no lock, but for
 * what comes too late for a node: see b1_message_discard_rest(). The spare memory of a receiver is
 * taken and given with xchg().
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
#include "queue.h"

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
	struct b1_node *node;		/* destination, counted */
	struct b1_acct_trace *charged;	/* for n_charged objects and n_data bytes, pinned by that */
	size_t n_charged;
	kuid_t account;			/* of the sender */
	size_t n_data;
	void *data;			/* in a payload, in buffer, or behind the handles */
	size_t data_size;		/* bytes that there is room for at data */
	void *buffer;			/* for what does not fit behind the handles, or NULL */
	size_t buffer_size;
	size_t room;			/* bytes from handles on */
	size_t n_handles;
	struct b1_handle *handles[];
};

static inline struct b1_message *b1_message_from_entry(struct b1_queue_entry *entry)
{
	return container_of(entry, struct b1_message, entry);
}

struct b1_payload *b1_payload_new(size_t n_data);

struct b1_message *b1_message_new(struct b1_node *node, kuid_t account,
				  struct b1_acct_trace *trace, size_t n_data,
				  struct b1_payload *payload, struct b1_node **nodes,
				  size_t n_nodes);
void b1_message_free(struct b1_message *message);
void b1_message_free_spare(struct b1_peer *receiver);
void b1_message_link(struct b1_message *message);
void b1_message_discard(struct b1_message *message, struct b1_tx *tx);
void b1_message_discard_all(struct b1_node *node, struct b1_tx *tx);
void b1_message_discard_rest(struct b1_node *node);
void b1_message_discard_late(struct b1_node *node);

void b1_message_prepare_install(struct b1_message *message);
void b1_message_abort_install(struct b1_message *message);
void b1_message_install(struct b1_message *message);
void b1_message_recycle(struct b1_message *message);

#endif /* B1_MESSAGE_H */
