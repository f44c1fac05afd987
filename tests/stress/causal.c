// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * causal: messages arrive after everything they may be a reaction to
 *
 * Every peer can send to every peer, itself included, and keeps a matrix of counts: as far as I
 * know, x has sent y so many messages. Each message carries the matrix of its sender as it was
 * before the send; whoever receives it learns what the sender knew, and threads also learn from
 * each other through shared memory, without any message. Invariants:
 *
 *  - messages of one sender arrive in its order, none lost, none twice
 *  - what a message's sender knew to have been sent to me has arrived here before that message
 *  - when a queue says it is empty, all that I know to have been sent to me has arrived
 */
#include <string.h>

#include "stress.h"

#define MAX_PEERS 8

struct matrix {
	uint32_t n[MAX_PEERS][MAX_PEERS];	/* [from][to] */
};

struct payload {
	uint32_t from;
	uint32_t n_dests;
	uint8_t dests[ST_MAX_DESTINATIONS];
	struct matrix known;
};

struct peer {
	struct causal *all;
	unsigned int self;
	int fd;
	uint64_t node;
	uint64_t handles[MAX_PEERS];
	struct matrix known;
	uint32_t arrived[MAX_PEERS];
	uint32_t sent[MAX_PEERS];
	struct st_rng rng;
	pthread_t thread;
};

struct causal {
	struct st_run *run;
	unsigned int n_peers;
	struct peer peers[MAX_PEERS];
	atomic_uint outstanding[MAX_PEERS];
	pthread_barrier_t barrier;
	pthread_mutex_t lock;
	struct matrix published;
};

static void matrix_merge(struct matrix *m, const struct matrix *other)
{
	unsigned int x, y;

	for (x = 0; x < MAX_PEERS; x++)
		for (y = 0; y < MAX_PEERS; y++)
			if (m->n[x][y] < other->n[x][y])
				m->n[x][y] = other->n[x][y];
}

static unsigned int copies_for(const struct payload *p, unsigned int to)
{
	unsigned int i, n = 0;

	for (i = 0; i < p->n_dests; i++)
		n += p->dests[i] == to;
	return n;
}

/* The invariants of a message that arrives. */
static void check_arrival(struct peer *peer, const struct payload *p)
{
	uint32_t first = p->known.n[p->from][peer->self];
	uint32_t n = copies_for(p, peer->self), had = peer->arrived[p->from];
	unsigned int x;

	st_count(peer->all->run, ST_CHECKS);
	if (had < first || had >= first + n)
		st_violation(peer->all->run, "peer %u: message %u..%u from %u where %u is due",
			     peer->self, first, first + n - 1, p->from, had);
	for (x = 0; x < peer->all->n_peers; x++)
		if (x != p->from && peer->arrived[x] < p->known.n[x][peer->self])
			st_violation(peer->all->run,
				     "peer %u: %u from %u arrived, its sender %u knew of %u",
				     peer->self, peer->arrived[x], x, p->from,
				     p->known.n[x][peer->self]);
}

/* The invariant of an empty queue. */
static void check_empty(struct peer *peer)
{
	unsigned int x;

	st_count(peer->all->run, ST_CHECKS);
	for (x = 0; x < peer->all->n_peers; x++)
		if (peer->arrived[x] < peer->known.n[x][peer->self])
			st_violation(peer->all->run,
				     "peer %u: empty with %u from %u, but %u had been sent",
				     peer->self, peer->arrived[x], x, peer->known.n[x][peer->self]);
}

/* That of the end: arrived is what was sent. */
static void check_end(struct causal *c)
{
	unsigned int x, y;

	for (x = 0; x < c->n_peers; x++)
		for (y = 0; y < c->n_peers; y++)
			if (c->peers[x].sent[y] != c->peers[y].arrived[x])
				st_violation(c->run, "%u sent %u messages to %u, %u arrived", x,
					     c->peers[x].sent[y], y, c->peers[y].arrived[x]);
}

static void learn(struct peer *peer, const struct payload *p)
{
	unsigned int i;
	struct matrix m = p->known;

	for (i = 0; i < p->n_dests; i++)
		m.n[p->from][p->dests[i]]++;
	matrix_merge(&peer->known, &m);
}

/* Receives one message; false when there is none. */
static bool do_recv(struct peer *peer)
{
	struct causal *c = peer->all;
	const struct payload *p;
	struct st_msg msg;
	int ret = st_recv(c->run, peer->fd, &msg);

	if (ret == -EAGAIN)
		check_empty(peer);
	if (ret)
		return false;
	p = (const struct payload *)msg.data;
	if (msg.message.type != BUS1_MESSAGE_TYPE_USER || msg.message.n_data != sizeof(*p) ||
	    msg.metadata.id != peer->node || p->from >= c->n_peers ||
	    p->n_dests > ST_MAX_DESTINATIONS) {
		st_violation(c->run, "peer %u: garbage received", peer->self);
		return true;
	}
	atomic_fetch_sub(&c->outstanding[peer->self], 1);
	check_arrival(peer, p);
	peer->arrived[p->from]++;
	learn(peer, p);
	return true;
}

static void do_send(struct peer *peer)
{
	struct causal *c = peer->all;
	struct payload p = { .from = peer->self, .known = peer->known };
	uint64_t ids[ST_MAX_DESTINATIONS];
	unsigned int i, n = 1 + st_rand(&peer->rng, c->n_peers + 1);
	int ret;

	for (i = 0; i < n; i++) {
		p.dests[i] = (uint8_t)st_rand(&peer->rng, c->n_peers);
		ids[i] = peer->handles[p.dests[i]];
		if (atomic_load(&c->outstanding[p.dests[i]]) > ST_MAX_OUTSTANDING)
			return;
	}
	p.n_dests = n;
	for (i = 0; i < n; i++)
		atomic_fetch_add(&c->outstanding[p.dests[i]], 1);
	ret = st_send_wide(c->run, peer->fd, st_rand(&peer->rng, 8) ? 0 : 64, n,
			   ids, &p, sizeof(p), 0, NULL);
	for (i = 0; i < n; i++) {
		if (ret) {
			atomic_fetch_sub(&c->outstanding[p.dests[i]], 1);
		} else {
			peer->sent[p.dests[i]]++;
			peer->known.n[peer->self][p.dests[i]]++;
		}
	}
}

/* The channel beside the bus: what one thread knows, another may react to. */
static void do_side_channel(struct peer *peer)
{
	struct causal *c = peer->all;
	unsigned int what = 1 + st_rand(&peer->rng, 3);

	pthread_mutex_lock(&c->lock);
	if (what & 1)
		matrix_merge(&c->published, &peer->known);
	if (what & 2)
		matrix_merge(&peer->known, &c->published);
	pthread_mutex_unlock(&c->lock);
}

static void *peer_thread(void *arg)
{
	struct peer *peer = arg;
	struct causal *c = peer->all;
	unsigned int n;

	while (st_going(c->run)) {
		switch (st_rand(&peer->rng, 8)) {
		case 0:
		case 1:
			do_send(peer);
			break;
		case 2:
		case 3:
			do_side_channel(peer);
			break;
		default:
			n = 1 + st_rand(&peer->rng, 8);
			while (n-- && do_recv(peer))
				;
		}
	}
	pthread_barrier_wait(&c->barrier);
	while (do_recv(peer))
		;
	return NULL;
}

static void setup(struct causal *c, struct st_run *run)
{
	unsigned int i, j;
	uint64_t own;

	c->run = run;
	c->n_peers = run->n_threads < MAX_PEERS ? run->n_threads : MAX_PEERS;
	pthread_mutex_init(&c->lock, NULL);
	pthread_barrier_init(&c->barrier, NULL, c->n_peers);
	for (i = 0; i < c->n_peers; i++) {
		c->peers[i].all = c;
		c->peers[i].self = i;
		c->peers[i].fd = st_peer_open(run);
		st_rng_init(&c->peers[i].rng, run, i);
	}
	for (i = 0; i < c->n_peers; i++) {
		st_node_create_ok(run, c->peers[i].fd, -1, &c->peers[i].node, &own);
		c->peers[i].handles[i] = own;
		for (j = 0; j < c->n_peers; j++)
			if (j != i)
				st_handle_copy_ok(run, c->peers[i].fd, c->peers[j].fd, own,
						  &c->peers[j].handles[i]);
	}
}

static void causal_run(struct st_run *run)
{
	struct causal *c = st_alloc(sizeof(*c));
	unsigned int i;

	setup(c, run);
	for (i = 0; i < c->n_peers; i++)
		st_thread_start(&c->peers[i].thread, peer_thread, &c->peers[i]);
	for (i = 0; i < c->n_peers; i++)
		st_thread_join(c->peers[i].thread);
	check_end(c);
	for (i = 0; i < c->n_peers; i++)
		st_peer_close(run, c->peers[i].fd);
}

const struct st_scenario st_causal = {
	.name = "causal",
	.what = "causal delivery of multicasts, checked with matrix clocks and a side channel",
	.required = ST_BIT(ST_SENT) | ST_BIT(ST_RECEIVED) | ST_BIT(ST_CHECKS),
	.run = causal_run,
};
