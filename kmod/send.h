/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sending
 *
 * Purpose: one call of BUS1_CMD_SEND: what is needed from the lookup of the first ID to the wakeup
 * of the last receiver. Copying from user space is left to cdev.c.
 *
 * Objects: struct b1_send, on the stack of the caller.
 *
 * Lifetime: b1_send_prepare() builds a message for each live destination, b1_send_commit() pushes
 * them, b1_send_deinit() frees what was not pushed. The nodes are borrowed from the handles of the
 * sender.
 *
 * Locking: the sender is locked from prepare to deinit, so that its handles stay. Nothing of a receiver
 * is locked, except for b1_node.lock.
 *
 * Context: may sleep.
 *
 * Ordering: none of its own, see queue.h and tx.h.
 */
#ifndef B1_SEND_H
#define B1_SEND_H

#include <linux/types.h>
#include <linux/bus1.h>

#include "message.h"

/* up to this many destinations, and handles, need no memory but that of the messages */
#define B1_SEND_INLINE 8

/* what the user asks for, checked as far as that is possible without the peer */
struct b1_send_request {
	struct bus1_cmd_send cmd;
	struct bus1_message message;
	const u64 *destinations;	/* IDs */
	const struct bus1_transfer *transfers;	/* handles to carry; only the ID is looked at */
};

struct b1_send_destination {
	struct b1_node *node;
	struct b1_handle *handle;
	struct b1_acct_trace *charged;	/* until the message has it */
	struct b1_message *message;	/* NULL: not live; not ours any more once pushed */
};

struct b1_send {
	struct b1_peer *peer;
	struct b1_tx *tx;		/* of the payload; NULL for less than two messages */
	struct b1_message_parts parts;
	void *data;			/* where the payload goes; NULL: nobody receives it */
	size_t data_size;		/* bytes that there is room for at data */
	size_t n_destinations;
	struct b1_send_destination *destinations;
	struct b1_send_destination inline_destinations[B1_SEND_INLINE];
	struct b1_node *inline_nodes[B1_SEND_INLINE];
};

void b1_send_abort(struct b1_send *send);

/**
 * b1_send_init() - begin a send
 * @send:	send
 * @peer:	sender, locked until b1_send_deinit()
 */
static inline void b1_send_init(struct b1_send *send, struct b1_peer *peer)
{
	send->peer = peer;
	send->tx = NULL;
	send->parts.account = peer->account;
	send->parts.n_data = 0;
	send->parts.payload = NULL;
	send->parts.nodes = send->inline_nodes;
	send->parts.n_nodes = 0;
	send->data = NULL;
	send->n_destinations = 0;
	send->destinations = send->inline_destinations;
}

/**
 * b1_send_deinit() - end a send, committed or not
 * @send:	send
 */
static inline void b1_send_deinit(struct b1_send *send)
{
	/* nothing is left of a send to few receivers, once it is committed; a payload has destinations */
	if (send->n_destinations || send->destinations != send->inline_destinations ||
	    send->parts.nodes != send->inline_nodes)
		b1_send_abort(send);
}

int b1_send_prepare(struct b1_send *send, const struct b1_send_request *request);
void b1_send_commit(struct b1_send *send);

#endif /* B1_SEND_H */
