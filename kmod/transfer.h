/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Transfers
 *
 * Purpose: one call of BUS1_CMD_TRANSFER: nodes to create and handles to copy, from one peer to
 * another. Copying from and to user space is left to cdev.c.
 *
 * Objects: struct b1_transfer_slot, one for each element of the user's arrays.
 *
 * Lifetime: b1_transfer_prepare() creates objects and gives them IDs, but they are not live;
 * b1_transfer_commit() makes them live, b1_transfer_abort() takes them back. Both peers are pinned
 * by their files.
 *
 * Locking: only the peer the handles come from is locked. Of the other one only the table is, for a
 * moment, and the nodes that its new handles refer to: a transfer never waits for a command of the
 * other peer, nor that for a transfer.
 *
 * Context: may sleep.
 *
 * Ordering: none of its own.
 */
#ifndef B1_TRANSFER_H
#define B1_TRANSFER_H

#include <linux/types.h>
#include <linux/bus1.h>

#include "node.h"

struct b1_transfer_slot {
	struct b1_node *node;		/* to be created, or NULL for a copy */
	struct b1_handle *handle;	/* to be created */
};

int b1_transfer_prepare(struct b1_peer *from, struct b1_peer *to,
			const struct bus1_transfer *transfers, struct b1_transfer_slot *slots,
			size_t n);
void b1_transfer_abort(struct b1_transfer_slot *slots, size_t n);
void b1_transfer_commit(struct b1_peer *to, struct b1_transfer_slot *slots, size_t n);

#endif /* B1_TRANSFER_H */
