// SPDX-License-Identifier: GPL-2.0-only
#include <linux/sched/signal.h>

#include "relax.h"
#include "transfer.h"

/* Charges one object for a handle, and one for a node if that is to be created as well. */
static int b1_transfer_charge(struct b1_peer *from, struct b1_peer *to, bool create)
{
	enum b1_acct_slot slot;
	int ret;

	/*
	 * Two at once to the same peer leave the same as one after the other, if they are granted.
	 * If not, it is up to the first of two what is left in the quota.
	 */
	if (create && from == to && !b1_acct_charge(to->own, 2, 0, &slot))
		return 0;
	ret = create ? b1_peer_charge(from->own, 1, 0) : 0;
	if (ret)
		return ret;
	ret = b1_peer_charge(to->own, 1, 0);
	if (ret && create)
		b1_acct_discharge(from->own, 1, 0);
	return ret;
}

/* The node that the new handle refers to: a new one, or that of the handle to be copied. */
static struct b1_node *b1_transfer_prepare_node(struct b1_peer *from,
						const struct bus1_transfer *transfer,
						struct b1_transfer_slot *slot)
{
	if (!(transfer->flags & BUS1_TRANSFER_FLAG_CREATE)) {
		/* b1_transfer_check() has found it already, and the peer is still locked */
		return b1_handle_find(from, transfer->id)->node;
	}
	slot->node = b1_node_new(from, from->own);
	if (slot->node)
		b1_table_insert(&slot->node->obj);
	else
		b1_acct_discharge(from->own, 1, 0);
	return slot->node;
}

static int b1_transfer_prepare_slot(struct b1_peer *from, struct b1_peer *to,
				    const struct bus1_transfer *transfer,
				    struct b1_transfer_slot *slot)
{
	struct b1_node *node;
	int ret;

	ret = b1_transfer_charge(from, to, transfer->flags & BUS1_TRANSFER_FLAG_CREATE);
	if (ret)
		return ret;
	node = b1_transfer_prepare_node(from, transfer, slot);
	if (node)
		slot->handle = b1_handle_new(node, to, to->own);
	if (!slot->handle) {
		b1_acct_discharge(to->own, 1, 0);
		return -ENOMEM;
	}
	b1_table_insert(&slot->handle->obj);
	return 0;
}

/* All IDs first, so that a wrong one costs nothing. */
static int b1_transfer_check(struct b1_peer *from, const struct bus1_transfer *transfers, size_t n)
{
	int ret = 0;
	size_t i;

	raw_spin_lock(&from->table.lock);
	for (i = 0; !ret && i < n; i++) {
		if (!(transfers[i].flags & BUS1_TRANSFER_FLAG_CREATE) &&
		    !b1_handle_find_locked(from, transfers[i].id))
			ret = -EBADRQC;
		b1_relax_lock(i, &from->table.lock);
	}
	raw_spin_unlock(&from->table.lock);
	return ret;
}

/**
 * b1_transfer_prepare() - create what a transfer is to hand out
 * @from:	peer that owns the handles to copy, and the nodes to create; locked until the commit
 *		or abort
 * @to:		peer that gets the handles; may be the same
 * @transfers:	@n checked elements from the user
 * @slots:	@n elements, zeroed
 * @n:		number of elements
 *
 * Return: 0; -EBADRQC, -EDQUOT, -ENOMEM, or -EINTR if the caller is being killed; then everything is as
 * before, but for IDs that are used up.
 */
int b1_transfer_prepare(struct b1_peer *from, struct b1_peer *to,
			const struct bus1_transfer *transfers, struct b1_transfer_slot *slots,
			size_t n)
{
	size_t i;
	int ret;

	lockdep_assert_held(&from->lock);

	ret = b1_transfer_check(from, transfers, n);
	for (i = 0; !ret && i < n; i++) {
		ret = b1_transfer_prepare_slot(from, to, &transfers[i], &slots[i]);
		b1_relax(i);
		if (!ret && fatal_signal_pending(current))
			ret = -EINTR;
	}
	if (ret)
		b1_transfer_abort(slots, n);
	return ret;
}

static void b1_transfer_undo(struct b1_object *obj)
{
	b1_table_erase(obj);
	b1_object_unref(obj);
}

/**
 * b1_transfer_abort() - undo b1_transfer_prepare()
 * @slots:	prepared elements
 * @n:		number of elements
 */
void b1_transfer_abort(struct b1_transfer_slot *slots, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (slots[i].handle)
			b1_transfer_undo(&slots[i].handle->obj);
		if (slots[i].node)
			b1_transfer_undo(&slots[i].node->obj);
		b1_relax(i);
	}
}

/**
 * b1_transfer_commit() - hand out what was prepared
 * @to:		peer that gets the handles
 * @slots:	prepared elements; the objects belong to the tables afterwards
 * @n:		number of elements
 *
 * Cannot fail. The copied handles are still there, because their peer has been locked since the
 * prepare step. If their node is gone, @to is notified.
 */
void b1_transfer_commit(struct b1_peer *to, struct b1_transfer_slot *slots, size_t n)
{
	bool wake = false;
	size_t i;

	for (i = 0; i < n; i++) {
		/* whoever could find it has to wait for this command */
		if (slots[i].node)
			b1_object_publish(&slots[i].node->obj);
		wake |= b1_handle_link_live(slots[i].handle);
		b1_relax(i);
	}
	if (wake)
		b1_peer_wake(to);
}
