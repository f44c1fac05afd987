// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The churn engine: what its peers do
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "churn.h"

/*
 * Peers with more handles than this release some instead of doing anything else. They can have many
 * more at the end, when all that is in the queues gets received.
 */
#define MANY_HANDLES 200
#define MAX_SENT_HANDLES 4

/* The number of a new owner; 0 when there is none left. */
uint32_t churn_owner_new(struct churn_world *w)
{
	uint32_t owner = atomic_fetch_add(&w->n_owners, 1) + 1;

	return owner < CHURN_MAX_OWNERS ? owner : 0;
}

static uint32_t uid_new(struct churn_peer *p)
{
	uint32_t uid = atomic_fetch_add(&p->world->n_uids, 1) + 1;

	p->world->uids[uid].owner = p->owner;
	return uid;
}

/* Closing peers need a uid each for their next inbox, also when all do so at once. */
static bool uids_left(struct churn_world *w)
{
	return atomic_load(&w->n_uids) < CHURN_MAX_UIDS - 4 * CHURN_MAX_PEERS;
}

static struct churn_peer *random_other(struct churn_peer *p)
{
	struct churn_peer *other = &p->others[st_rand(&p->rng, p->n_others)];

	return other == p ? NULL : other;
}

/* Opens the peer as @owner, with an inbox. The lock is held, or nobody knows the peer yet. */
void churn_peer_open(struct churn_peer *p, uint32_t owner)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	uint64_t node, handle;
	uint32_t uid;
	int fd;

	p->owner = owner;
	p->n_handles = 0;
	p->n_nodes = 0;
	fd = st_peer_open(p->run);
	uid = uid_new(p);
	st_node_create_ok(p->run, fd, -1, &node, &handle);
	churn_book_node(p, node, uid);
	churn_book_handle(p, handle, uid);
	if (p->epoll >= 0 && epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
		st_violation(p->run, "epoll_ctl: %s", strerror(errno));
	atomic_store(&p->fd, fd);
}

/* Closes the peer with all its nodes, handles and messages, and starts anew. */
static bool do_close(struct churn_peer *p)
{
	uint32_t owner = churn_owner_new(p->world);

	if (!owner || !uids_left(p->world))
		return false;
	pthread_mutex_lock(&p->lock);
	atomic_store(&p->world->gone[p->owner], true);
	st_peer_close(p->run, atomic_load(&p->fd));
	churn_peer_open(p, owner);
	pthread_mutex_unlock(&p->lock);
	return true;
}

/* Receives one message and compares it with the books; false when there is none. */
bool churn_peer_recv(struct churn_peer *p)
{
	struct st_msg msg;
	int ret = st_recv(p->run, atomic_load(&p->fd), &msg);

	if (ret) {
		atomic_store(&p->world->outstanding[p->owner], 0);
		return false;
	}
	pthread_mutex_lock(&p->lock);
	churn_check_message(p, &msg);
	pthread_mutex_unlock(&p->lock);
	return true;
}

/* A random handle in the books. Only the peer's own thread removes one, so it stays valid. */
static struct churn_handle pick_handle(struct churn_peer *p, unsigned int from)
{
	struct churn_handle h;

	pthread_mutex_lock(&p->lock);
	h = p->handles[from + st_rand(&p->rng, p->n_handles - from)];
	churn_check_held(p, &h);
	pthread_mutex_unlock(&p->lock);
	return h;
}

static void do_send(struct churn_peer *p)
{
	struct churn_world *w = p->world;
	struct churn_payload pay = {
		.n_dests = 1 + st_rand(&p->rng, 4),
		.n_handles = st_rand(&p->rng, MAX_SENT_HANDLES + 1),
	};
	uint64_t dests[ST_MAX_DESTINATIONS], handles[ST_MAX_TRANSFERS];
	struct churn_handle h;
	unsigned int i;

	for (i = 0; i < pay.n_dests; i++) {
		h = pick_handle(p, 0);
		dests[i] = h.id;
		pay.dests[i] = h.uid;
		if (atomic_load(&w->outstanding[w->uids[h.uid].owner]) > ST_MAX_OUTSTANDING / 3)
			return;
	}
	for (i = 0; i < pay.n_handles; i++) {
		h = pick_handle(p, 0);
		handles[i] = h.id;
		pay.handles[i] = h.uid;
	}
	for (i = 0; i < pay.n_dests; i++)
		atomic_fetch_add(&w->outstanding[w->uids[pay.dests[i]].owner], 1);
	st_send_wide(p->run, atomic_load(&p->fd), st_rand(&p->rng, 8) ? 0 : 32,
		     pay.n_dests, dests, &pay, sizeof(pay), pay.n_handles, handles);
}

/* Locks a random other peer that has room for a handle; NULL when this one is busy. */
static struct churn_peer *lock_other(struct churn_peer *p)
{
	struct churn_peer *other = random_other(p);

	if (!other || p->alien || pthread_mutex_trylock(&other->lock))
		return NULL;
	if (other->n_handles < MANY_HANDLES)
		return other;
	pthread_mutex_unlock(&other->lock);
	return NULL;
}

/*
 * Creates a node, with the handle in this peer or in another one. The uid is known before the node
 * is, so that nobody can meet a node that is not in the books; where it fails it is not used.
 */
static bool do_create(struct churn_peer *p)
{
	struct churn_peer *other = NULL, *to;
	uint64_t node, handle;
	uint32_t uid;

	if (p->n_nodes == CHURN_MAX_NODES)
		return true;
	if (!uids_left(p->world))
		return false;
	uid = uid_new(p);
	if (st_rand(&p->rng, 2))
		other = lock_other(p);
	to = other ? other : p;
	if (!other)
		pthread_mutex_lock(&p->lock);
	if (!st_node_create(p->run, atomic_load(&p->fd), other ? atomic_load(&to->fd) : -1, &node,
			    &handle)) {
		/* the nodes of a peer are a matter of its own thread alone */
		churn_book_node(p, node, uid);
		churn_book_handle(to, handle, uid);
	}
	pthread_mutex_unlock(&to->lock);
	return true;
}

static void do_copy(struct churn_peer *p)
{
	struct churn_handle h = pick_handle(p, 0);
	struct churn_peer *other = st_rand(&p->rng, 4) ? lock_other(p) : NULL, *to;
	uint64_t copy;

	to = other ? other : p;
	if (!other)
		pthread_mutex_lock(&p->lock);
	if (!st_handle_copy(p->run, atomic_load(&p->fd), other ? atomic_load(&to->fd) : -1, h.id,
			    &copy))
		churn_book_handle(to, copy, h.uid);
	pthread_mutex_unlock(&to->lock);
}

/*
 * Takes a handle to the inbox of another peer. A peer in a process of its own does not lock: it
 * might be killed with the lock held, and the peers it knows never close.
 */
static void do_acquire(struct churn_peer *p)
{
	struct churn_peer *other = random_other(p);
	struct churn_handle inbox;
	uint64_t copy;
	int ret;

	if (!other || (!p->alien && pthread_mutex_trylock(&other->lock)))
		return;
	inbox = other->handles[0];
	ret = st_handle_copy(p->run, atomic_load(&other->fd), atomic_load(&p->fd), inbox.id, &copy);
	if (!p->alien)
		pthread_mutex_unlock(&other->lock);
	if (ret)
		return;
	/* not in the books until here: its NODE_RELEASE could not be received meanwhile */
	pthread_mutex_lock(&p->lock);
	churn_book_handle(p, copy, inbox.uid);
	pthread_mutex_unlock(&p->lock);
}

/* Takes a random handle, or node, out of the books; returns its ID, or 0 when only the inbox is. */
static uint64_t unbook_handle(struct churn_peer *p)
{
	unsigned int i;
	uint64_t id;

	if (p->n_handles < 2)
		return 0;
	i = 1 + st_rand(&p->rng, p->n_handles - 1);
	churn_check_held(p, &p->handles[i]);
	id = p->handles[i].id;
	p->handles[i] = p->handles[--p->n_handles];
	return id;
}

static uint64_t unbook_node(struct churn_peer *p)
{
	unsigned int i;
	uint64_t id;

	if (p->n_nodes < 2)
		return 0;
	i = 1 + st_rand(&p->rng, p->n_nodes - 1);
	id = p->nodes[i].id;
	atomic_fetch_or(&p->world->uids[p->nodes[i].uid].flags, CHURN_RELEASING);
	p->nodes[i] = p->nodes[--p->n_nodes];
	return id;
}

/*
 * Releases some handles, or a node or two with them. Nothing is received between leaving the books
 * and the release, so what comes behind it must not name them any more.
 */
static void do_release(struct churn_peer *p)
{
	uint64_t ids[12], id;
	unsigned int i, n = 0;

	pthread_mutex_lock(&p->lock);
	for (i = st_rand(&p->rng, p->n_handles > 20 ? 10 : 3); i; i--)
		if ((id = unbook_handle(p)))
			ids[n++] = id;
	if (!st_rand(&p->rng, 3))
		for (i = 1 + st_rand(&p->rng, 2); i; i--)
			if ((id = unbook_node(p)))
				ids[n++] = id;
	pthread_mutex_unlock(&p->lock);
	if (n)
		st_release(p->run, atomic_load(&p->fd), n, ids);
}

/*
 * Looks at a peer that may be closed by its own thread right now, and then keeps it open a little
 * longer. The descriptor may as well be closed, or another one's by now, so the result means
 * nothing.
 */
static void do_poll(struct churn_peer *p)
{
	struct pollfd pollfd = {
		.fd = atomic_load(&p->others[st_rand(&p->rng, p->n_others)].fd),
		.events = POLLIN,
	};

	poll(&pollfd, 1, (int)st_rand(&p->rng, 2));
}

static enum churn_action pick_action(struct churn_peer *p)
{
	unsigned int i, sum = 0, n;

	if (p->n_handles > MANY_HANDLES)
		return CHURN_RELEASE;
	for (i = 0; i < _CHURN_ACTION_N; i++)
		sum += p->weights[i];
	n = st_rand(&p->rng, sum);
	for (i = 0; n >= p->weights[i]; i++)
		n -= p->weights[i];
	return i;
}

/* One random action; false when no more are possible. */
bool churn_peer_step(struct churn_peer *p)
{
	unsigned int n;

	switch (pick_action(p)) {
	case CHURN_RECV:
		n = 1 + st_rand(&p->rng, 8);
		while (n-- && churn_peer_recv(p))
			;
		return true;
	case CHURN_SEND:
		do_send(p);
		return true;
	case CHURN_CREATE:
		return do_create(p);
	case CHURN_COPY:
		do_copy(p);
		return true;
	case CHURN_ACQUIRE:
		do_acquire(p);
		return true;
	case CHURN_RELEASE:
		do_release(p);
		return true;
	case CHURN_CLOSE:
		return do_close(p);
	case CHURN_POLL:
		do_poll(p);
		return true;
	case _CHURN_ACTION_N:
		break;
	}
	abort();
}
