// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * shared: several threads receive on one peer
 *
 * Many senders, many threads that receive from one file descriptor. Part of the messages carry
 * handles to fresh nodes of the sender, which the receivers release, as the sender does with its
 * own ones. Invariants:
 *
 *  - every message is received exactly once
 *  - what one thread gets of one sender has rising numbers
 *  - every installed handle has an ID of its own
 *  - every node gets exactly one HANDLE_RELEASE
 */
#include <poll.h>
#include <string.h>

#include "stress.h"

#define MAX_SENDERS 8
#define MAX_RECEIVERS 8
#define MAX_SEQ (1U << 20)
#define MAX_NODES (1U << 16)
#define MAX_ID (1ULL << 23)
#define MAX_HELD 16

struct payload {
	uint32_t from;
	uint32_t seq;
	uint32_t n_handles;
};

struct bitmap {
	atomic_uint *words;
};

struct sender {
	struct sharing *all;
	unsigned int self;
	int fd;
	uint64_t handle;
	uint32_t seq;
	atomic_uint sent;
	atomic_uint received;
	struct bitmap seen;
	unsigned int n_nodes;
	uint64_t nodes[MAX_NODES];	/* rising IDs */
	uint8_t notified[MAX_NODES];
	struct st_rng rng;
	pthread_t thread;
};

struct receiver {
	struct sharing *all;
	uint32_t next[MAX_SENDERS];
	uint64_t held[MAX_HELD + ST_MAX_TRANSFERS];
	unsigned int n_held;
	struct st_rng rng;
	pthread_t thread;
};

struct sharing {
	struct st_run *run;
	int fd;
	uint64_t node;
	unsigned int n_senders, n_receivers;
	struct bitmap ids;
	atomic_bool stop;
	struct sender senders[MAX_SENDERS];
	struct receiver receivers[MAX_RECEIVERS];
};

static void bitmap_init(struct bitmap *b, size_t n)
{
	b->words = st_alloc(n / 8);
}

/* Whether bit @n was set before. */
static bool bitmap_set(struct bitmap *b, size_t n)
{
	return atomic_fetch_or(&b->words[n / 32], ST_BIT(n % 32)) & ST_BIT(n % 32);
}

static void check_message(struct receiver *r, const struct payload *p)
{
	struct sharing *all = r->all;
	struct sender *s = &all->senders[p->from];

	st_count(all->run, ST_CHECKS);
	if (bitmap_set(&s->seen, p->seq))
		st_violation(all->run, "message %u of sender %u came twice", p->seq, p->from);
	else
		atomic_fetch_add(&s->received, 1);
	if (p->seq < r->next[p->from])
		st_violation(all->run, "a thread got message %u of sender %u after %u", p->seq,
			     p->from, r->next[p->from] - 1);
	r->next[p->from] = p->seq + 1;
}

static void check_handle(struct sharing *all, uint64_t id)
{
	if (!(id & BUS1_MANAGED))
		st_violation(all->run, "handle ID %llu", (unsigned long long)id);
	if (id / 2 < MAX_ID && bitmap_set(&all->ids, id / 2))
		st_violation(all->run, "handle ID %llu twice", (unsigned long long)id);
}

static void flush(struct receiver *r)
{
	if (r->n_held)
		st_release(r->all->run, r->all->fd, r->n_held, r->held);
	r->n_held = 0;
}

static void take(struct receiver *r, const struct st_msg *msg)
{
	const struct payload *p = (const struct payload *)msg->data;
	struct sharing *all = r->all;
	unsigned int i;

	if (msg->message.type != BUS1_MESSAGE_TYPE_USER || msg->metadata.id != all->node ||
	    p->from >= all->n_senders || p->seq >= MAX_SEQ ||
	    p->n_handles != msg->message.n_transfers) {
		st_violation(all->run, "garbage received");
		return;
	}
	check_message(r, p);
	for (i = 0; i < p->n_handles; i++) {
		check_handle(all, msg->transfers[i].id);
		r->held[r->n_held++] = msg->transfers[i].id;
	}
	if (r->n_held > st_rand(&r->rng, MAX_HELD))
		flush(r);
}

static void *receiver_thread(void *arg)
{
	struct receiver *r = arg;
	struct sharing *all = r->all;
	struct pollfd p = { .fd = all->fd, .events = POLLIN };
	struct st_msg msg;
	bool stop;

	do {
		/* read first: what was sent before the order to stop is then received below */
		stop = atomic_load(&all->stop);
		if (!stop && st_rand(&r->rng, 2))
			poll(&p, 1, 20);
		while (!st_recv(all->run, all->fd, &msg))
			take(r, &msg);
	} while (!stop);
	flush(r);
	return NULL;
}

/* Node IDs were allocated in rising order. */
static int find_node(const struct sender *s, uint64_t id)
{
	unsigned int low = 0, high = s->n_nodes, mid;

	while (low < high) {
		mid = (low + high) / 2;
		if (s->nodes[mid] == id)
			return (int)mid;
		if (s->nodes[mid] < id)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

static void drain(struct sender *s)
{
	struct st_msg msg;
	uint64_t id;
	int i;

	while (!st_recv(s->all->run, s->fd, &msg)) {
		id = msg.metadata.id;
		i = find_node(s, id);
		if (msg.message.type != BUS1_MESSAGE_TYPE_HANDLE_RELEASE || i < 0)
			st_violation(s->all->run, "type %llu on %llu at a sender",
				     (unsigned long long)msg.message.type,
				     (unsigned long long)id);
		else if (s->notified[i]++)
			st_violation(s->all->run, "second HANDLE_RELEASE for a node");
		else
			st_release(s->all->run, s->fd, 1, &id);
	}
}

static int send_one(struct sender *s, unsigned int n_handles, const uint64_t *handles)
{
	struct payload p = { .from = s->self, .seq = s->seq, .n_handles = n_handles };
	int ret = st_send(s->all->run, s->fd, 1, &s->handle, &p, sizeof(p), n_handles, handles);

	if (!ret) {
		s->seq++;
		atomic_fetch_add(&s->sent, 1);
	}
	return ret;
}

/* Sends a handle to a new node up to four times, in one message or two; releases its own one. */
static void send_handles(struct sender *s)
{
	uint64_t handles[2];
	unsigned int i, n = 1 + st_rand(&s->rng, 2);

	if (st_node_create(s->all->run, s->fd, -1, &s->nodes[s->n_nodes], &handles[0]))
		return;
	handles[1] = handles[0];
	s->n_nodes++;
	for (i = 0; i < n; i++)
		send_one(s, 1 + st_rand(&s->rng, 2), handles);
	st_release(s->all->run, s->fd, 1, handles);
}

static void *sender_thread(void *arg)
{
	struct sender *s = arg;

	while (st_going(s->all->run) && s->seq < MAX_SEQ - 2) {
		if (atomic_load(&s->sent) - atomic_load(&s->received) > ST_MAX_OUTSTANDING / 4)
			st_pause(100);
		else if (st_rand(&s->rng, 2) && s->n_nodes < MAX_NODES)
			send_handles(s);
		else
			send_one(s, 0, NULL);
		drain(s);
	}
	return NULL;
}

/* The invariants of the end, when everybody received and released everything. */
static void check_end(struct sender *s)
{
	unsigned int i;

	drain(s);
	for (i = 0; i < s->seq; i++)
		if (!bitmap_set(&s->seen, i))
			st_violation(s->all->run, "message %u of sender %u is lost", i, s->self);
	for (i = 0; i < s->n_nodes; i++)
		if (!s->notified[i])
			st_violation(s->all->run, "HANDLE_RELEASE is missing for node %llu",
				     (unsigned long long)s->nodes[i]);
}

static void setup(struct sharing *all, struct st_run *run)
{
	struct sender *s;
	unsigned int i;
	uint64_t own;

	all->run = run;
	all->n_senders = run->n_threads < 4 ? 2 : run->n_threads / 2;
	all->n_receivers = all->n_senders;
	all->fd = st_peer_open(run);
	bitmap_init(&all->ids, MAX_ID);
	st_node_create_ok(run, all->fd, -1, &all->node, &own);
	for (i = 0; i < all->n_senders; i++) {
		s = &all->senders[i];
		s->all = all;
		s->self = i;
		s->fd = st_peer_open(run);
		bitmap_init(&s->seen, MAX_SEQ);
		st_rng_init(&s->rng, run, i);
		st_handle_copy_ok(run, all->fd, s->fd, own, &s->handle);
	}
	for (i = 0; i < all->n_receivers; i++) {
		all->receivers[i].all = all;
		st_rng_init(&all->receivers[i].rng, run, 100 + i);
	}
}

static void shared_run(struct st_run *run)
{
	struct sharing *all = st_alloc(sizeof(*all));
	unsigned int i;

	setup(all, run);
	for (i = 0; i < all->n_receivers; i++)
		st_thread_start(&all->receivers[i].thread, receiver_thread, &all->receivers[i]);
	for (i = 0; i < all->n_senders; i++)
		st_thread_start(&all->senders[i].thread, sender_thread, &all->senders[i]);
	for (i = 0; i < all->n_senders; i++)
		st_thread_join(all->senders[i].thread);
	atomic_store(&all->stop, true);
	for (i = 0; i < all->n_receivers; i++)
		st_thread_join(all->receivers[i].thread);
	for (i = 0; i < all->n_senders; i++) {
		check_end(&all->senders[i]);
		st_peer_close(run, all->senders[i].fd);
	}
	st_peer_close(run, all->fd);
}

const struct st_scenario st_shared = {
	.name = "shared",
	.what = "several threads receive on one peer, handles included",
	.required = ST_BIT(ST_SENT) | ST_BIT(ST_RECEIVED) | ST_BIT(ST_HANDLE_RELEASE) |
		    ST_BIT(ST_RELEASES) | ST_BIT(ST_CHECKS),
	.run = shared_run,
};
