// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/slab.h>

#include "relax.h"
#include "send.h"

/**
 * b1_send_free() - free what a send has, and has not pushed
 * @send:	send
 */
void b1_send_free(struct b1_send *send)
{
	struct b1_send_destination *dest;
	size_t i;

	for (i = 0; i < send->n_destinations; i++) {
		dest = &send->destinations[i];
		if (dest->charged)
			b1_acct_discharge(dest->charged, 1 + send->n_nodes, send->n_data);
		b1_message_free(dest->message);
		b1_relax(i);
	}
	b1_tx_unref(send->tx);
	if (send->destinations != send->inline_destinations)
		kvfree(send->destinations);
	if (send->nodes != send->inline_nodes)
		kvfree(send->nodes);
}

static int b1_send_reserve(struct b1_send *send, size_t n_destinations, size_t n_transfers)
{
	if (n_destinations > B1_SEND_INLINE) {
		send->destinations = kvmalloc_array(n_destinations, sizeof(*send->destinations),
						    B1_MESSAGE_GFP);
		if (!send->destinations)
			return -ENOMEM;
	}
	if (n_transfers > B1_SEND_INLINE) {
		send->nodes = kvmalloc_array(n_transfers, sizeof(*send->nodes),
					     B1_MESSAGE_GFP);
		if (!send->nodes)
			return -ENOMEM;
	}
	return 0;
}

static void b1_send_add_destination(struct b1_send *send, struct b1_handle *handle)
{
	send->destinations[send->n_destinations++] = (struct b1_send_destination){
		.node = handle->node,
		.handle = handle,
	};
}

/* Looks all IDs up. */
static int b1_send_find_all(struct b1_send *send, const u64 *destinations, size_t n_destinations,
			    const struct bus1_transfer *transfers, size_t n_transfers)
{
	struct b1_peer *peer = send->peer;
	struct b1_handle *handle;
	int ret = -EBADRQC;
	size_t i;

	spin_lock(&peer->objects_lock);
	for (i = 0; i < n_destinations; i++) {
		handle = b1_peer_find_handle_locked(peer, destinations[i]);
		if (!handle)
			goto unlock;
		b1_send_add_destination(send, handle);
		b1_relax_lock(i, &peer->objects_lock);
	}
	for (i = 0; i < n_transfers; i++) {
		handle = b1_peer_find_handle_locked(peer, transfers[i].id);
		if (!handle)
			goto unlock;
		send->nodes[send->n_nodes++] = handle->node;
		b1_relax_lock(i, &peer->objects_lock);
	}
	ret = 0;
unlock:
	spin_unlock(&peer->objects_lock);
	return ret;
}

static int b1_send_find(struct b1_send *send, const u64 *destinations, size_t n_destinations,
			const struct bus1_transfer *transfers, size_t n_transfers)
{
	struct b1_handle *recent = send->peer->recent;
	bool single = n_destinations == 1;
	int ret;

	if (single && recent && recent->obj.id == destinations[0]) {
		b1_send_add_destination(send, recent);
		if (!n_transfers)
			return 0;
		n_destinations = 0;
	}
	ret = b1_send_find_all(send, destinations, n_destinations, transfers, n_transfers);
	if (!ret && single)
		send->peer->recent = send->destinations[0].handle;
	return ret;
}

static int b1_send_charge_one(struct b1_send *send, struct b1_send_destination *dest)
{
	struct b1_acct_trace *trace = b1_handle_sender(dest->handle);
	int ret;

	if (!trace)
		return -ENOMEM;
	ret = b1_peer_charge(trace, 1 + send->n_nodes, send->n_data);
	if (!ret)
		dest->charged = trace;
	return ret;
}

/* Charges all destinations that are still there, and counts them. */
static int b1_send_charge(struct b1_send *send, size_t *n_livep)
{
	struct b1_send_destination *dest;
	int ret = 0;
	size_t i;

	*n_livep = 0;
	for (i = 0; !ret && i < send->n_destinations; i++) {
		dest = &send->destinations[i];
		if (!b1_node_is_released(dest->node)) {
			ret = b1_send_charge_one(send, dest);
			++*n_livep;
		}
		/* also for those that are left out: their places are up to the sender */
		ret = ret ?: b1_relax_killable(i);
	}
	return ret;
}

static int b1_send_build(struct b1_send *send, struct b1_send_destination *dest)
{
	struct b1_message *message;

	message = b1_message_new(dest->node, send->peer->account, dest->charged, send->n_data,
				 send->payload, send->nodes, send->n_nodes);
	if (IS_ERR(message))
		return PTR_ERR(message);
	dest->message = message;
	dest->charged = NULL;
	/* without a shared payload there is only this one message, and we are its only user */
	send->data = message->data;
	send->data_size = message->data_size;
	return 0;
}

/**
 * b1_send_prepare() - check all IDs and build all messages
 * @send:		send
 * @destinations:	IDs
 * @n_destinations:	number of @destinations
 * @transfers:		handles to carry; only the ID is looked at
 * @n_transfers:	number of @transfers
 * @n_data:		payload in bytes, to be filled in at b1_send.data by the caller; if that is
 *			NULL, nobody receives it
 *
 * Destinations that are gone are left out.
 *
 * Return: 0; -EBADRQC, -EDQUOT, -ENOMEM, or -EINTR if the caller is being killed.
 */
int b1_send_prepare(struct b1_send *send, const u64 *destinations, size_t n_destinations,
		    const struct bus1_transfer *transfers, size_t n_transfers, size_t n_data)
{
	struct b1_send_destination *dest;
	size_t i, n_live;
	int ret;

	lockdep_assert_held(&send->peer->lock);

	ret = b1_send_reserve(send, n_destinations, n_transfers);
	if (ret)
		return ret;
	ret = b1_send_find(send, destinations, n_destinations, transfers, n_transfers);
	if (ret)
		return ret;
	send->n_data = n_data;
	ret = b1_send_charge(send, &n_live);
	if (ret || !n_live)
		return ret;

	if (n_live > 1) {
		send->payload = b1_payload_new(n_data);
		if (!send->payload)
			return -ENOMEM;
		send->tx = &send->payload->tx;
	}
	for (i = 0; i < n_destinations; i++) {
		dest = &send->destinations[i];
		ret = dest->charged ? b1_send_build(send, dest) : 0;
		ret = ret ?: b1_relax_killable(i);
		if (ret)
			return ret;
	}
	return 0;
}

/* Pushes one message; a queue that is sealed discards it. */
static void b1_send_push(struct b1_send *send, struct b1_send_destination *dest)
{
	struct b1_message *message = dest->message;
	struct b1_queue *queue = &dest->node->obj.peer->queue;

	if (message->n_handles)
		b1_message_link(message);
	b1_tx_ref(send->tx);
	if (!b1_queue_push(queue, &message->entry, send->tx)) {
		b1_tx_unref(send->tx);
		b1_message_discard(message, NULL);
	}
}

/* What comes after the commit: the message may be gone already. */
static void b1_send_finish(struct b1_send_destination *dest)
{
	b1_peer_wake(dest->node->obj.peer);
	/*
	 * The release either found the message in the queue, or we find the node released: pairs
	 * with b1_node_release_begin(), see node.h.
	 */
	if (unlikely(b1_node_is_released(dest->node)))
		b1_message_discard_late(dest->node);
}

/**
 * b1_send_commit() - push all messages and make them receivable
 * @send:	prepared send, payload filled in
 *
 * Cannot fail.
 */
void b1_send_commit(struct b1_send *send)
{
	struct b1_send_destination *dest, *end = send->destinations + send->n_destinations;
	size_t i = 0;

	for (dest = send->destinations; dest < end; dest++) {
		if (!dest->message)
			continue;
		b1_send_push(send, dest);
		/* one message by itself is committed by its push */
		if (!send->tx)
			b1_send_finish(dest);
		b1_relax(i++);
	}
	send->n_destinations = 0;
	if (!send->tx)
		return;
	b1_tx_commit(send->tx);
	for (dest = send->destinations; dest < end; dest++) {
		if (dest->message)
			b1_send_finish(dest);
		b1_relax(i++);
	}
	/* nothing is left for b1_send_free(), but arrays if they are not inline */
	b1_tx_unref(send->tx);
	send->tx = NULL;
}
