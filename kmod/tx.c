// SPDX-License-Identifier: GPL-2.0-only
#include <linux/slab.h>

#include "node.h"
#include "peer.h"
#include "relax.h"
#include "tx.h"

static void b1_tx_free(struct b1_tx *tx)
{
	kfree(tx);
}

/**
 * b1_tx_new() - create a transaction of its own
 *
 * Return: a transaction with one reference, or NULL if there is no memory.
 */
struct b1_tx *b1_tx_new(void)
{
	struct b1_tx *tx;

	tx = kmalloc(sizeof(*tx), GFP_KERNEL_ACCOUNT);
	if (tx)
		b1_tx_init(tx, b1_tx_free);
	return tx;
}

/**
 * b1_tx_wake() - wake every peer that got a notification in a transaction
 * @tx:		transaction that is committed and that nobody can add to any more
 *
 * Drops the references that the list of notifications holds. The objects may be long released by
 * their peers; the references keep the wait queues alive.
 */
void b1_tx_wake(struct b1_tx *tx)
{
	struct b1_object *obj, *next;
	size_t i = 0;

	llist_for_each_entry_safe(obj, next, llist_del_all(&tx->notes), tx_link) {
		b1_peer_wake(obj->peer);
		b1_object_unref(obj);
		b1_relax(i++);
	}
}
