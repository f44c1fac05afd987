// SPDX-License-Identifier: GPL-2.0-only

#include "node.h"
#include "peer.h"
#include "relax.h"
#include "tx.h"

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
