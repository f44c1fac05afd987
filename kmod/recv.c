// SPDX-License-Identifier: GPL-2.0-only
#include <linux/errno.h>
#include <linux/mutex.h>

#include "recv.h"
#include "relax.h"

/* The same for those that have been fetched. */
static struct b1_queue_entry *b1_recv_skip_fetched(struct b1_peer *peer)
{
	struct b1_queue_entry *entry;
	struct b1_object *obj;
	size_t i = 0;

	while ((entry = b1_queue_first(&peer->queue)) && b1_recv_is_stale(entry)) {
		obj = b1_object_from_note(entry);
		b1_queue_remove(&peer->queue, entry);
		b1_handle_hold_note(b1_handle_from_object(obj));
		b1_object_consume_note(obj);
		b1_relax(i++);
	}
	return entry;
}

/**
 * b1_recv_skip_stale() - take notifications off the queue that must not be received
 * @peer:	peer, its queue is locked; such a notification is next
 *
 * Fetches no more than once, or strangers who go on pushing such notifications could keep it busy. What
 * comes after that is news, and wakes.
 *
 * Return: what is to be received next, NULL if there is nothing.
 */
struct b1_queue_entry *b1_recv_skip_stale(struct b1_peer *peer)
{
	struct b1_queue_entry *entry = b1_recv_skip_fetched(peer);

	if (!entry) {
		b1_queue_fetch(&peer->queue);
		entry = b1_recv_skip_fetched(peer);
	}
	return entry;
}

/**
 * b1_recv_ready() - whether there is something to receive
 * @peer:	peer; need not be locked
 *
 * Return: 1 or 0; or -EINTR if the caller is being killed while another thread of the peer has the queue.
 */
int b1_recv_ready(struct b1_peer *peer)
{
	int ret;

	ret = mutex_lock_killable(&peer->queue.lock);
	if (ret)
		return ret;
	ret = !!b1_recv_first(peer);
	mutex_unlock(&peer->queue.lock);
	return ret;
}
