// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The books of the churn engine and the invariants over them
 *
 * As soon as something is received:
 *
 *  - a message names a live node of its receiver, one it was sent to, and as many handles arrive as
 *    its payload says
 *  - NODE_RELEASE names a handle in the books (so it does not come before the message with that
 *    handle), whose node is gone, once
 *  - HANDLE_RELEASE names a live node in the books, once
 *  - no handle is held, or arrives, whose node got HANDLE_RELEASE
 *
 * At rest, when all operations returned and all queues were read:
 *
 *  - a handle had NODE_RELEASE if, and only if, its node is gone
 *  - a live node had HANDLE_RELEASE if, and only if, there is no handle to it
 */
#include <stdlib.h>
#include <string.h>

#include "churn.h"

#define LL(_id) ((unsigned long long)(_id))

/* Called with the lock held, as everything that reads or changes the books of a running peer. */
int churn_book_handle(struct churn_peer *p, uint64_t id, uint32_t uid)
{
	struct churn_handle *h;
	unsigned int i;

	for (i = 0; i < p->n_handles; i++)
		if (p->handles[i].id == id)
			st_violation(p->run, "handle ID %llu is in use already", LL(id));
	if (p->n_handles == CHURN_MAX_HANDLES) {
		st_violation(p->run, "no room for handles");
		return -1;
	}
	h = &p->handles[p->n_handles++];
	*h = (struct churn_handle){ .id = id, .uid = uid };
	churn_check_held(p, h);
	return 0;
}

void churn_book_node(struct churn_peer *p, uint64_t id, uint32_t uid)
{
	p->nodes[p->n_nodes++] = (struct churn_node){ .id = id, .uid = uid };
}

static bool node_gone(struct churn_world *w, uint32_t uid)
{
	struct churn_uid *u = &w->uids[uid];

	return (atomic_load(&u->flags) & CHURN_RELEASING) || atomic_load(&w->gone[u->owner]);
}

/* A handle in hand excludes that the owner of its node was told that there is none. */
void churn_check_held(struct churn_peer *p, const struct churn_handle *h)
{
	st_count(p->run, ST_CHECKS);
	if (atomic_load(&p->world->uids[h->uid].flags) & CHURN_UNREACHABLE)
		st_violation(p->run, "HANDLE_RELEASE with a handle around, %llu of node %u",
			     LL(h->id), h->uid);
}

static struct churn_node *find_node(struct churn_peer *p, uint64_t id)
{
	unsigned int i;

	for (i = 0; i < p->n_nodes; i++)
		if (p->nodes[i].id == id)
			return &p->nodes[i];
	return NULL;
}

static struct churn_handle *find_handle(struct churn_peer *p, uint64_t id)
{
	unsigned int i;

	for (i = 0; i < p->n_handles; i++)
		if (p->handles[i].id == id)
			return &p->handles[i];
	return NULL;
}

static void check_user(struct churn_peer *p, const struct st_msg *msg)
{
	const struct churn_payload *pay = (const struct churn_payload *)msg->data;
	struct churn_node *node = find_node(p, msg->metadata.id);
	unsigned int i;

	if (!node) {
		st_violation(p->run, "message to unknown node %llu", LL(msg->metadata.id));
	} else {
		for (i = 0; i < pay->n_dests && i < ST_MAX_DESTINATIONS; i++)
			if (pay->dests[i] == node->uid)
				break;
		if (i == pay->n_dests || i == ST_MAX_DESTINATIONS)
			st_violation(p->run, "node %u gets what was not sent to it", node->uid);
		if (node->notified)
			st_violation(p->run, "message to node %u without handles", node->uid);
	}
	if (msg->message.n_data != sizeof(*pay) || pay->n_handles != msg->message.n_transfers) {
		st_violation(p->run, "message with %llu handles instead of %u",
			     LL(msg->message.n_transfers), pay->n_handles);
		return;
	}
	for (i = 0; i < pay->n_handles; i++)
		if (pay->handles[i] < CHURN_MAX_UIDS)
			churn_book_handle(p, msg->transfers[i].id, pay->handles[i]);
}

static void check_node_release(struct churn_peer *p, const struct st_msg *msg)
{
	struct churn_handle *h = find_handle(p, msg->metadata.id);

	if (!h) {
		st_violation(p->run, "NODE_RELEASE for unknown handle %llu", LL(msg->metadata.id));
		return;
	}
	if (h->notified)
		st_violation(p->run, "second NODE_RELEASE for handle %llu", LL(h->id));
	if (!node_gone(p->world, h->uid))
		st_violation(p->run, "NODE_RELEASE for handle %llu of live node %u", LL(h->id),
			     h->uid);
	h->notified = true;
}

static void check_handle_release(struct churn_peer *p, const struct st_msg *msg)
{
	struct churn_node *n = find_node(p, msg->metadata.id);

	if (!n) {
		st_violation(p->run, "HANDLE_RELEASE for unknown node %llu", LL(msg->metadata.id));
		return;
	}
	if (n->notified)
		st_violation(p->run, "second HANDLE_RELEASE for node %llu", LL(n->id));
	n->notified = true;
	atomic_fetch_or(&p->world->uids[n->uid].flags, CHURN_UNREACHABLE);
}

void churn_check_message(struct churn_peer *p, const struct st_msg *msg)
{
	st_count(p->run, ST_CHECKS);
	switch (msg->message.type) {
	case BUS1_MESSAGE_TYPE_USER:
		check_user(p, msg);
		break;
	case BUS1_MESSAGE_TYPE_NODE_RELEASE:
		check_node_release(p, msg);
		break;
	case BUS1_MESSAGE_TYPE_HANDLE_RELEASE:
		check_handle_release(p, msg);
		break;
	}
}

static void check_handles_at_rest(struct churn_peer *p, uint32_t *refs)
{
	struct churn_handle *h;

	for (h = p->handles; h < p->handles + p->n_handles; h++) {
		st_count(p->run, ST_CHECKS);
		refs[h->uid]++;
		if (h->notified != node_gone(p->world, h->uid))
			st_violation(p->run, "at rest: handle %llu of node %u %s NODE_RELEASE",
				     LL(h->id), h->uid, h->notified ? "had" : "lacks");
	}
}

static void check_nodes_at_rest(struct churn_peer *p, const uint32_t *refs)
{
	struct churn_node *n;

	for (n = p->nodes; n < p->nodes + p->n_nodes; n++) {
		st_count(p->run, ST_CHECKS);
		if (n->notified != !refs[n->uid])
			st_violation(p->run,
				     "at rest: node %llu (%u) with %u handles %s HANDLE_RELEASE",
				     LL(n->id), n->uid, refs[n->uid],
				     n->notified ? "had" : "lacks");
	}
}

/* All peers that are not among @peers must be closed. */
void churn_check_rest(struct churn_peer *peers, unsigned int n)
{
	uint32_t *refs = st_alloc(sizeof(*refs) * CHURN_MAX_UIDS);
	bool more = true;
	unsigned int i;

	while (more) {
		more = false;
		for (i = 0; i < n; i++)
			while (churn_peer_recv(&peers[i]))
				more = true;
	}
	for (i = 0; i < n; i++)
		check_handles_at_rest(&peers[i], refs);
	for (i = 0; i < n; i++)
		check_nodes_at_rest(&peers[i], refs);
	free(refs);
}

static void release_all_handles(struct churn_peer *p)
{
	uint64_t ids[CHURN_MAX_HANDLES];
	unsigned int i;

	for (i = 0; i < p->n_handles; i++) {
		churn_check_held(p, &p->handles[i]);
		ids[i] = p->handles[i].id;
	}
	p->n_handles = 0;
	st_release(p->run, atomic_load(&p->fd), i, ids);
}

/* The end: at rest, then again after all handles were released, which ends all nodes; close. */
void churn_finish(struct churn_peer *peers, unsigned int n)
{
	unsigned int i;

	churn_check_rest(peers, n);
	for (i = 0; i < n; i++)
		release_all_handles(&peers[i]);
	churn_check_rest(peers, n);
	for (i = 0; i < n; i++)
		st_peer_close(peers[i].run, atomic_load(&peers[i].fd));
}
