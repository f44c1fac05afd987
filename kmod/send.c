// SPDX-License-Identifier: GPL-2.0-only
#include <linux/mm.h>
#include <linux/slab.h>

#include "relax.h"
#include "send.h"

/**
 * b1_send_abort() - free what a send has, and has not pushed
 * @send:	send
 */
void b1_send_abort(struct b1_send *send)
{
	struct b1_send_destination *dest;
	size_t i, done = 0;

	for (i = 0; i < send->n_destinations; i++) {
		dest = &send->destinations[i];
		if (dest->charged)
			b1_acct_discharge(dest->charged, 1 + send->parts.n_nodes, send->parts.n_data);
		b1_message_free(dest->message);
		b1_relax_steps(&done, 1 + send->parts.n_nodes);
	}
	b1_tx_unref(send->tx);
	if (send->destinations != send->inline_destinations)
		kvfree(send->destinations);
	if (send->parts.nodes != send->inline_nodes)
		kvfree(send->parts.nodes);
}

static int b1_send_reserve(struct b1_send *send, const struct b1_send_request *request)
{
	if (request->cmd.n_destinations > B1_SEND_INLINE) {
		send->destinations = kvmalloc_array(request->cmd.n_destinations,
						    sizeof(*send->destinations), B1_MESSAGE_GFP);
		if (!send->destinations)
			return -ENOMEM;
	}
	if (request->message.n_transfers > B1_SEND_INLINE) {
		send->parts.nodes = kvmalloc_array(request->message.n_transfers, sizeof(*send->parts.nodes),
					     B1_MESSAGE_GFP);
		if (!send->parts.nodes)
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

/* Looks up all IDs that have not been found yet. */
static int b1_send_find_all(struct b1_send *send, const struct b1_send_request *request)
{
	struct b1_peer *peer = send->peer;
	struct b1_handle *handle;
	int ret = -EBADRQC;
	size_t i;

	raw_spin_lock(&peer->table.lock);
	for (i = send->n_destinations; i < request->cmd.n_destinations; i++) {
		handle = b1_handle_find_locked(peer, request->destinations[i]);
		if (!handle)
			goto unlock;
		b1_send_add_destination(send, handle);
		b1_relax_lock(i, &peer->table.lock);
	}
	for (i = 0; i < request->message.n_transfers; i++) {
		handle = b1_handle_find_locked(peer, request->transfers[i].id);
		if (!handle)
			goto unlock;
		send->parts.nodes[send->parts.n_nodes++] = handle->node;
		/* the lock has been held since the last destinations */
		b1_relax_lock(request->cmd.n_destinations + i, &peer->table.lock);
	}
	ret = 0;
unlock:
	raw_spin_unlock(&peer->table.lock);
	return ret;
}

static int b1_send_find(struct b1_send *send, const struct b1_send_request *request)
{
	struct b1_handle *recent = send->peer->recent;
	bool single = request->cmd.n_destinations == 1;
	int ret;

	if (single && recent && recent->obj.id == request->destinations[0]) {
		b1_send_add_destination(send, recent);
		if (!request->message.n_transfers)
			return 0;
	}
	ret = b1_send_find_all(send, request);
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
	ret = b1_peer_charge(trace, 1 + send->parts.n_nodes, send->parts.n_data);
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

	message = b1_message_new(dest->node, dest->charged, &send->parts);
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
 * @send:	send; returns in b1_send.data where the caller puts the payload, NULL if nobody receives it
 * @request:	what to send; borrowed
 *
 * Destinations that are gone are left out.
 *
 * Return: 0; -EBADRQC, -EDQUOT, -ENOMEM, or -EINTR if the caller is being killed.
 */
int b1_send_prepare(struct b1_send *send, const struct b1_send_request *request)
{
	struct b1_send_destination *dest;
	size_t i, n_live, done = 0;
	int ret;

	lockdep_assert_held(&send->peer->lock);

	ret = b1_send_reserve(send, request);
	if (ret)
		return ret;
	ret = b1_send_find(send, request);
	if (ret)
		return ret;
	send->parts.n_data = request->message.n_data;
	ret = b1_send_charge(send, &n_live);
	if (ret || !n_live)
		return ret;

	if (n_live > 1) {
		send->parts.payload = b1_payload_new(send->parts.n_data);
		if (!send->parts.payload)
			return -ENOMEM;
		send->tx = &send->parts.payload->tx;
	}
	for (i = 0; i < send->n_destinations; i++) {
		dest = &send->destinations[i];
		ret = dest->charged ? b1_send_build(send, dest) : 0;
		if (ret)
			return ret;
		if (b1_relax_steps(&done, 1 + send->parts.n_nodes) && fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* Pushes one message; where it goes nowhere it ends. */
static void b1_send_push(struct b1_send *send, struct b1_send_destination *dest)
{
	struct b1_message *message = dest->message;

	if (message->n_handles)
		b1_message_link(message);
	if (unlikely(!b1_message_push(message, send->tx)))
		b1_message_refuse(message);
}

/* The messages may be gone when this wakes their receivers; the nodes are not, as the sender has handles. */
static void b1_send_commit_all(struct b1_send *send)
{
	struct b1_send_destination *dest, *end = send->destinations + send->n_destinations;
	size_t i = 0, done = 0;

	for (dest = send->destinations; dest < end; dest++) {
		if (dest->message)
			b1_send_push(send, dest);
		b1_relax_steps(&done, 1 + send->parts.n_nodes);
	}
	b1_tx_commit(send->tx);
	for (dest = send->destinations; dest < end; dest++) {
		if (dest->message)
			b1_peer_wake(dest->node->obj.peer);
		b1_relax(i++);
	}
	/* nothing is left for b1_send_abort(), except arrays if they are not inline */
	b1_tx_unref(send->tx);
	send->tx = NULL;
}

/* There is one message at most: it is committed by its push. */
static void b1_send_commit_one(struct b1_send *send)
{
	struct b1_send_destination *dest = send->destinations;
	size_t i;

	for (i = 0; i < send->n_destinations; i++, dest++) {
		if (dest->message) {
			b1_send_push(send, dest);
			b1_peer_wake(dest->node->obj.peer);
			return;
		}
		b1_relax(i);
	}
}

/**
 * b1_send_commit() - push all messages and make them receivable
 * @send:	prepared send, payload filled in
 *
 * Cannot fail.
 */
void b1_send_commit(struct b1_send *send)
{
	if (send->tx)
		b1_send_commit_all(send);
	else
		b1_send_commit_one(send);
	send->n_destinations = 0;
}
