/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Releasing
 *
 * Purpose: one call of BUS1_CMD_RELEASE, and the last close of a peer: the end of nodes and handles, of
 * the messages that wait for these nodes, and of the handles in those, as one transaction.
 *
 * Objects: struct b1_release, on the stack of the caller, with two lists of objects.
 *
 * Lifetime: b1_release_collect() puts objects into the lists, b1_release_prepare() is the last step that
 * may fail; then b1_release_commit() ends them, or b1_release_abort() gives them up. The transaction
 * is that in the first object, or in the peer for a close, so that nothing is allocated.
 *
 * Locking: the peer is locked from the first collect to the commit or abort; its queue, too, from
 * prepare on if there are nodes: so that poll does not see messages of a node that is going.
 *
 * Context: may sleep.
 *
 * Ordering: a node is marked as released before the stack of the queue is taken, both see node.h.
 */
#ifndef B1_RELEASE_H
#define B1_RELEASE_H

#include <linux/types.h>

#include "message.h"

/*
 * Objects in order. Not a list of list.h, because that checks its lists in many kernels, which takes 50
 * instructions for each object.
 */
struct b1_release_list {
	struct b1_object *first;
	struct b1_object **end;
};

struct b1_release {
	struct b1_peer *peer;
	struct b1_release_list nodes;
	struct b1_release_list handles;
};

/**
 * b1_release_init() - begin a release
 * @release:	release
 * @peer:	peer, locked until the release is committed or aborted
 */
static inline void b1_release_init(struct b1_release *release, struct b1_peer *peer)
{
	release->peer = peer;
	release->nodes.first = NULL;
	release->nodes.end = &release->nodes.first;
	release->handles.first = NULL;
	release->handles.end = &release->handles.first;
}

/**
 * b1_release_prepare() - get ready for the commit
 * @release:	release with all objects collected
 *
 * Return: 0, or -EINTR if the caller is being killed while another thread of the peer has the queue.
 */
static inline int b1_release_prepare(struct b1_release *release)
{
	return release->nodes.first ? mutex_lock_killable(&release->peer->queue.lock) : 0;
}

int b1_release_collect(struct b1_release *release, const u64 *ids, size_t n);
void b1_release_abort(struct b1_release *release);
void b1_release_commit(struct b1_release *release);

void b1_release_close(struct b1_peer *peer);

#endif /* B1_RELEASE_H */
