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
 * Locking: the sender is locked from prepare to deinit, so that its handles stay. Nothing of the
 * receivers is locked, unless a destination is released during the send.
 *
 * Context: may sleep.
 *
 * Ordering: see node.h for the look at b1_node.released after the push.
 */
#ifndef B1_SEND_H
#define B1_SEND_H

#include <linux/types.h>
#include <linux/bus1.h>

#include "message.h"
#include "peer.h"

/* up to this many destinations, and handles, need no memory but that of the messages */
#define B1_SEND_INLINE 8

struct b1_send_destination {
	struct b1_node *node;
	struct b1_handle *handle;
	struct b1_acct_trace *charged;	/* until the message has it */
	struct b1_message *message;	/* NULL: not live; not ours any more once pushed */
};

struct b1_send {
	struct b1_peer *peer;
	struct b1_payload *payload;	/* NULL for less than two messages */
	struct b1_tx *tx;		/* of the payload */
	size_t n_data;
	void *data;			/* where the payload goes; NULL: nobody receives it */
	size_t data_size;		/* bytes that there is room for at data */
	size_t n_destinations;
	struct b1_send_destination *destinations;
	size_t n_nodes;
	struct b1_node **nodes;		/* of the handles to carry */
	struct b1_send_destination inline_destinations[B1_SEND_INLINE];
	struct b1_node *inline_nodes[B1_SEND_INLINE];
};

void b1_send_free(struct b1_send *send);

/**
 * b1_send_init() - begin a send
 * @send:	send
 * @peer:	sender, locked until b1_send_deinit()
 */
static inline void b1_send_init(struct b1_send *send, struct b1_peer *peer)
{
	send->peer = peer;
	send->tx = NULL;
	send->payload = NULL;
	send->n_data = 0;
	send->data = NULL;
	send->n_destinations = 0;
	send->destinations = send->inline_destinations;
	send->n_nodes = 0;
	send->nodes = send->inline_nodes;
}

/**
 * b1_send_deinit() - end a send, committed or not
 * @send:	send
 */
static inline void b1_send_deinit(struct b1_send *send)
{
	/* nothing is left of a send to few receivers, once it is committed; a payload has destinations */
	if (send->n_destinations || send->destinations != send->inline_destinations ||
	    send->nodes != send->inline_nodes)
		b1_send_free(send);
}

int b1_send_prepare(struct b1_send *send, const u64 *destinations, size_t n_destinations,
		    const struct bus1_transfer *transfers, size_t n_transfers, size_t n_data);
void b1_send_commit(struct b1_send *send);

#endif /* B1_SEND_H */
