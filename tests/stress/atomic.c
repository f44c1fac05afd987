// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * atomic: once one receiver can see a transaction, all of them can
 *
 * Groups of senders multicast to the peers of one checker thread, and release nodes of which all
 * these peers hold a handle. Since the checker alone receives on them, it knows what is still to
 * come. Invariants:
 *
 *  - when it received one copy of a message, every peer that is to get another one is readable, and
 *    receiving there yields it before the queue says it is empty
 *  - the same for the notifications of one release
 *  - messages of one sender arrive in its order; in the end, as many as were sent have arrived
 */
#include <sched.h>
#include <string.h>

#include "stress.h"

#define N_SENDERS 2
#define N_RECEIVERS 4
#define MAX_GROUPS 5

struct payload {
	uint32_t from;
	uint32_t seq;
	uint32_t mask;		/* of receivers */
};

/* A release that is on its way: the handles that will get to know. */
struct doom {
	pthread_mutex_t lock;
	unsigned int waiting;	/* mask of receivers that were not notified yet */
	uint64_t ids[N_RECEIVERS];
};

struct sender {
	struct group *group;
	unsigned int self;
	int fd;
	uint64_t handles[N_RECEIVERS];
	uint32_t seq;
	atomic_uint sent[N_RECEIVERS];
	struct doom doom;
	struct st_rng rng;
	pthread_t thread;
};

struct receiver {
	int fd;
	uint32_t next[N_SENDERS];	/* the lowest number that may still come */
	uint32_t n[N_SENDERS];
};

struct group {
	struct st_run *run;
	struct sender senders[N_SENDERS];
	struct receiver receivers[N_RECEIVERS];
	atomic_uint outstanding;
	atomic_bool stop;
	struct st_rng rng;
	pthread_t thread;
};

static void send_some(struct sender *s)
{
	struct group *g = s->group;
	struct payload p = { .from = s->self, .seq = s->seq };
	unsigned int i, n = 0;
	uint64_t ids[N_RECEIVERS];

	/* the checker is one thread: what waits for it is bounded over all its peers */
	if (atomic_load(&g->outstanding) > ST_MAX_OUTSTANDING)
		return st_pause(100);
	p.mask = 1 + st_rand(&s->rng, (1 << N_RECEIVERS) - 1);
	for (i = 0; i < N_RECEIVERS; i++)
		if (p.mask & ST_BIT(i))
			ids[n++] = s->handles[i];
	atomic_fetch_add(&g->outstanding, n);
	if (st_send_wide(g->run, s->fd, st_rand(&s->rng, 4) ? 0 : 128, n, ids, &p,
			 sizeof(p), 0, NULL)) {
		atomic_fetch_sub(&g->outstanding, n);
		return;
	}
	s->seq++;
	for (i = 0; i < N_RECEIVERS; i++)
		if (p.mask & ST_BIT(i))
			atomic_fetch_add(&s->sent[i], 1);
}

/* Gives all receivers a handle to a new node and releases the node, unless one is on its way. */
static void doom_some(struct sender *s)
{
	struct group *g = s->group;
	uint64_t ids[N_RECEIVERS], node_and_handle[2];
	unsigned int i;

	pthread_mutex_lock(&s->doom.lock);
	i = s->doom.waiting;
	pthread_mutex_unlock(&s->doom.lock);
	if (i)
		return;
	st_node_create_ok(g->run, s->fd, -1, &node_and_handle[0], &node_and_handle[1]);
	for (i = 0; i < N_RECEIVERS; i++)
		st_handle_copy_ok(g->run, s->fd, g->receivers[i].fd, node_and_handle[1], &ids[i]);
	pthread_mutex_lock(&s->doom.lock);
	memcpy(s->doom.ids, ids, sizeof(ids));
	s->doom.waiting = (1 << N_RECEIVERS) - 1;
	pthread_mutex_unlock(&s->doom.lock);
	st_release(g->run, s->fd, 2, node_and_handle);
}

static void *sender_thread(void *arg)
{
	struct sender *s = arg;

	while (st_going(s->group->run)) {
		if (st_rand(&s->rng, 8))
			send_some(s);
		else
			doom_some(s);
	}
	return NULL;
}

static void check_readable(struct group *g, unsigned int r, const char *what)
{
	st_count(g->run, ST_CHECKS);
	if (!st_readable(g->run, g->receivers[r].fd))
		st_violation(g->run, "%s: received by one peer, another is not readable", what);
}

static void take_user(struct group *g, unsigned int r, const struct payload *p)
{
	struct receiver *at = &g->receivers[r];
	unsigned int i;

	if (p->from >= N_SENDERS || !(p->mask & ST_BIT(r))) {
		st_violation(g->run, "garbage received");
		return;
	}
	atomic_fetch_sub(&g->outstanding, 1);
	if (p->seq < at->next[p->from])
		st_violation(g->run, "message %u of sender %u, next is %u", p->seq, p->from,
			     at->next[p->from]);
	at->next[p->from] = p->seq + 1;
	at->n[p->from]++;
	for (i = 0; i < N_RECEIVERS; i++)
		if ((p->mask & ST_BIT(i)) && g->receivers[i].next[p->from] <= p->seq)
			check_readable(g, i, "message");
}

static void take_node_release(struct group *g, unsigned int r, uint64_t id)
{
	unsigned int i, k, waiting = 0;
	bool found = false;

	for (k = 0; k < N_SENDERS && !found; k++) {
		struct doom *d = &g->senders[k].doom;

		pthread_mutex_lock(&d->lock);
		found = (d->waiting & ST_BIT(r)) && d->ids[r] == id;
		if (found)
			waiting = d->waiting &= ~ST_BIT(r);
		pthread_mutex_unlock(&d->lock);
	}
	if (!found) {
		st_violation(g->run, "NODE_RELEASE for %llu, not due", (unsigned long long)id);
		return;
	}
	for (i = 0; i < N_RECEIVERS; i++)
		if (waiting & ST_BIT(i))
			check_readable(g, i, "release");
	st_release(g->run, g->receivers[r].fd, 1, &id);
}

/* Receives one message at @r; what it was goes to @msg. */
static bool take(struct group *g, unsigned int r, struct st_msg *msg)
{
	if (st_recv(g->run, g->receivers[r].fd, msg))
		return false;
	if (msg->message.type == BUS1_MESSAGE_TYPE_USER)
		take_user(g, r, (const struct payload *)msg->data);
	else if (msg->message.type == BUS1_MESSAGE_TYPE_NODE_RELEASE)
		take_node_release(g, r, msg->metadata.id);
	else
		st_violation(g->run, "HANDLE_RELEASE at a peer whose handles are all held");
	return true;
}

/* Receives at @r up to and including the copy of message @p that must be there. */
static void take_until(struct group *g, unsigned int r, const struct payload *p)
{
	struct st_msg msg;

	st_count(g->run, ST_CHECKS);
	while (g->receivers[r].next[p->from] <= p->seq) {
		if (take(g, r, &msg))
			continue;
		st_violation(g->run, "message %u of sender %u is nowhere on a second peer", p->seq,
			     p->from);
		return;
	}
}

static bool check_some(struct group *g)
{
	unsigned int r = st_rand(&g->rng, N_RECEIVERS), other = st_rand(&g->rng, N_RECEIVERS);
	const struct payload *p;
	struct st_msg msg;

	if (!take(g, r, &msg))
		return false;
	p = (const struct payload *)msg.data;
	if (msg.message.type == BUS1_MESSAGE_TYPE_USER && p->from < N_SENDERS &&
	    (p->mask & ST_BIT(other)))
		take_until(g, other, p);
	return true;
}

static void *checker_thread(void *arg)
{
	struct group *g = arg;
	struct st_msg msg;
	unsigned int r;

	while (!atomic_load(&g->stop))
		if (!check_some(g))
			sched_yield();
	for (r = 0; r < N_RECEIVERS; r++)
		while (take(g, r, &msg))
			;
	return NULL;
}

static void check_end(struct group *g)
{
	unsigned int s, r;

	for (s = 0; s < N_SENDERS; s++) {
		if (g->senders[s].doom.waiting)
			st_violation(g->run, "a NODE_RELEASE is missing");
		for (r = 0; r < N_RECEIVERS; r++)
			if (g->receivers[r].n[s] != atomic_load(&g->senders[s].sent[r]))
				st_violation(g->run, "%u messages arrived, %u were sent",
					     g->receivers[r].n[s],
					     atomic_load(&g->senders[s].sent[r]));
	}
}

static void setup(struct group *g, struct st_run *run, unsigned int nr)
{
	unsigned int r, s;
	uint64_t node, own;

	g->run = run;
	st_rng_init(&g->rng, run, nr * 16);
	for (s = 0; s < N_SENDERS; s++) {
		g->senders[s].group = g;
		g->senders[s].self = s;
		g->senders[s].fd = st_peer_open(run);
		pthread_mutex_init(&g->senders[s].doom.lock, NULL);
		st_rng_init(&g->senders[s].rng, run, nr * 16 + 1 + s);
	}
	for (r = 0; r < N_RECEIVERS; r++) {
		g->receivers[r].fd = st_peer_open(run);
		st_node_create_ok(run, g->receivers[r].fd, -1, &node, &own);
		for (s = 0; s < N_SENDERS; s++)
			st_handle_copy_ok(run, g->receivers[r].fd, g->senders[s].fd, own,
					  &g->senders[s].handles[r]);
	}
}

static void group_end(struct group *g)
{
	unsigned int i;

	for (i = 0; i < N_SENDERS; i++)
		st_thread_join(g->senders[i].thread);
	atomic_store(&g->stop, true);
	st_thread_join(g->thread);
	check_end(g);
	for (i = 0; i < N_SENDERS; i++)
		st_peer_close(g->run, g->senders[i].fd);
	for (i = 0; i < N_RECEIVERS; i++)
		st_peer_close(g->run, g->receivers[i].fd);
}

static void atomic_run(struct st_run *run)
{
	struct group *groups = st_alloc(sizeof(*groups) * MAX_GROUPS);
	unsigned int i, s, n = (run->n_threads + 1) / (N_SENDERS + 1);

	n = n < 1 ? 1 : n > MAX_GROUPS ? MAX_GROUPS : n;
	for (i = 0; i < n; i++)
		setup(&groups[i], run, i);
	for (i = 0; i < n; i++) {
		st_thread_start(&groups[i].thread, checker_thread, &groups[i]);
		for (s = 0; s < N_SENDERS; s++)
			st_thread_start(&groups[i].senders[s].thread, sender_thread,
					&groups[i].senders[s]);
	}
	for (i = 0; i < n; i++)
		group_end(&groups[i]);
}

const struct st_scenario st_atomic = {
	.name = "atomic",
	.what = "multicasts and releases show up on all their receivers at once",
	.required = ST_BIT(ST_SENT) | ST_BIT(ST_RECEIVED) | ST_BIT(ST_NODE_RELEASE) |
		    ST_BIT(ST_CHECKS),
	.run = atomic_run,
};
