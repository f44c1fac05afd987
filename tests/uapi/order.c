// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Section "Ordering" of the contract: first what one thread can show, then races
 */
#include "b1t.h"

#include <pthread.h>
#include <semaphore.h>

enum { ROUNDS = 3000, AHEAD = 2, WIDE = 66 };

/* a sender's transactions arrive in its order: one or many destinations, whatever the node */
START_TEST(order_of_one_sender)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t nodes[3], dests[3], cn;
	char text[16];
	size_t i, n;

	b1t_node_ok(a, b, &nodes[0], &dests[0]);
	b1t_node_ok(c, b, &cn, &dests[1]);
	b1t_node_ok(a, b, &nodes[2], &dests[2]);
	for (i = 0; i < 60; i++) {
		snprintf(text, sizeof(text), "%zu", i);
		ck_assert_int_eq(b1t_send(b, 1 + i % 3, dests, text, strlen(text), NULL, 0), 0);
	}
	for (i = 0; i < 60; i++) {
		snprintf(text, sizeof(text), "%zu", i);
		b1t_expect_text(a, nodes[0], text);
		for (n = 1; n < 1 + i % 3; n++)
			b1t_expect_text(n == 1 ? c : a, n == 1 ? cn : nodes[2], text);
	}
	b1t_expect_empty(a);
	b1t_expect_empty(c);
}
END_TEST

/* messages and releases of one sender keep their order, too */
START_TEST(order_of_messages_and_releases)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t inbox, to_b, nodes[3], handles[3], own[3], held[3];
	size_t i;

	b1t_node_ok(b, a, &inbox, &to_b);
	for (i = 0; i < 3; i++) {
		b1t_node_ok(a, b, &nodes[i], &handles[i]);
		b1t_node_ok(b, a, &own[i], &held[i]);
	}
	for (i = 0; i < 3; i++) {
		b1t_send_ok(a, to_b, "x", 0, NULL);
		ck_assert_int_eq(b1t_release1(a, nodes[i]), 0);
		b1t_send_ok(a, to_b, "y", 0, NULL);
		ck_assert_int_eq(b1t_release1(a, held[i]), 0);
	}
	for (i = 0; i < 3; i++) {
		b1t_expect_text(b, inbox, "x");
		b1t_expect_node_release(b, handles[i]);
		b1t_expect_text(b, inbox, "y");
		b1t_expect_handle_release(b, own[i]);
	}
	b1t_expect_empty(b);
}
END_TEST

/* when a send returns, all receivers' next recv sees it */
START_TEST(order_atomic_when_send_returns)
{
	int c = b1t_peer(), peers[5];
	uint64_t nodes[5], dests[5];
	size_t i, k;

	for (i = 0; i < 5; i++) {
		peers[i] = b1t_peer();
		b1t_node_ok(peers[i], c, &nodes[i], &dests[i]);
	}
	for (k = 0; k < 5; k++) {
		ck_assert_int_eq(b1t_send(c, 5, dests, "m", 1, NULL, 0), 0);
		b1t_expect_text(peers[k], nodes[k], "m");
		for (i = 0; i < 5; i++)
			if (i != k)
				b1t_expect_text(peers[i], nodes[i], "m");
	}
}
END_TEST

/* a reaction comes after its cause: A to {B, C}, then B to C */
START_TEST(order_causal_third_peer)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t bn, cn, c2, dests[2], via_b;

	b1t_node_ok(b, a, &bn, &dests[0]);
	b1t_node_ok(c, a, &cn, &dests[1]);
	b1t_node_ok(c, b, &c2, &via_b);
	ck_assert_int_eq(b1t_send(a, 2, dests, "cause", 5, NULL, 0), 0);
	b1t_expect_text(b, bn, "cause");
	b1t_send_ok(b, via_b, "effect", 0, NULL);
	b1t_expect_text(c, cn, "cause");
	b1t_expect_text(c, c2, "effect");
}
END_TEST

/* causality also goes through notifications: the release is the cause */
START_TEST(order_causal_release)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t node, hb, hc, cn, to_c;

	b1t_node_ok(a, b, &node, &hb);
	hc = b1t_copy_ok(b, c, hb);
	b1t_node_ok(c, b, &cn, &to_c);
	ck_assert_int_eq(b1t_release1(a, node), 0);
	b1t_expect_node_release(b, hb);
	b1t_send_ok(b, to_c, "I saw it go", 0, NULL);
	b1t_expect_node_release(c, hc);
	b1t_expect_text(c, cn, "I saw it go");
}
END_TEST

/*
 * Races. Payload of all messages: who sent it and a running number.
 */

struct stamp {
	uint32_t who;
	uint32_t number;
};

struct actor {
	pthread_t thread;
	int fd;
	uint32_t who;
	uint64_t dests[WIDE];
	size_t n_dests;
	uint32_t n_rounds;
	const int *stop;
	sem_t *pace;	/* how far the sender may be ahead, to keep the race close */
};

static void start(struct actor *actor, void *(*run)(void *))
{
	ck_assert(!pthread_create(&actor->thread, NULL, run, actor));
}

static void join(struct actor *actor)
{
	ck_assert(!pthread_join(actor->thread, NULL));
}

static void send_stamp(int fd, size_t n, const uint64_t *dests, uint32_t who, uint32_t number)
{
	struct stamp s = { who, number };

	ck_assert_int_eq(b1t_send(fd, n, dests, &s, sizeof(s), NULL, 0), 0);
}

/* The next message's stamp; false if there is none. */
static bool try_stamp(int fd, struct stamp *stamp)
{
	struct b1t_received r;
	int ret = b1t_recv(fd, &r);

	if (ret == -EAGAIN)
		return false;
	ck_assert_int_eq(ret, 0);
	ck_assert_uint_eq(r.message.n_data, sizeof(*stamp));
	memcpy(stamp, r.data, sizeof(*stamp));
	return true;
}

static struct stamp wait_stamp(int fd)
{
	struct b1t_received r;
	struct stamp s;

	b1t_recv_wait(fd, &r);
	ck_assert_uint_eq(r.message.n_data, sizeof(s));
	memcpy(&s, r.data, sizeof(s));
	return s;
}

/* Sends all of its messages to all of its destinations. */
static void *run_sender(void *arg)
{
	struct actor *actor = arg;
	uint32_t i;

	for (i = 1; i <= actor->n_rounds; i++) {
		sem_wait(actor->pace);
		send_stamp(actor->fd, actor->n_dests, actor->dests, actor->who, i);
	}
	return NULL;
}

/*
 * atomic: as soon as one receiver has got a multicast, poll says the other can. Between the first
 * and the last destination are many others, to give the receivers time to see half of it.
 */
START_TEST(order_atomic_race)
{
	int b = b1t_peer(), c = b1t_peer(), between = b1t_peer();
	struct actor sender = { .fd = b1t_peer(), .n_dests = WIDE, .n_rounds = ROUNDS / 5 };
	struct stamp s;
	uint32_t i, k;
	sem_t pace;

	sem_init(&pace, 0, 1);
	sender.pace = &pace;
	b1t_node_ok(b, sender.fd, NULL, &sender.dests[0]);
	for (i = 1; i < WIDE - 1; i++)
		b1t_node_ok(between, sender.fd, NULL, &sender.dests[i]);
	b1t_node_ok(c, sender.fd, NULL, &sender.dests[WIDE - 1]);
	start(&sender, run_sender);
	for (i = 1; i <= sender.n_rounds; i++) {
		/* awake, to be there in the middle of the send */
		for (k = 0; k < 2000 && !b1t_readable(i % 4 ? b : c); k++)
			;
		s = wait_stamp(i % 4 ? b : c);
		ck_assert_uint_eq(s.number, i);
		ck_assert(b1t_readable(i % 4 ? c : b));
		ck_assert(try_stamp(i % 4 ? c : b, &s));
		ck_assert_uint_eq(s.number, i);
		for (k = 1; k < WIDE - 1; k++) {
			ck_assert(try_stamp(between, &s));
			ck_assert_uint_eq(s.number, i);
		}
		sem_post(&pace);
	}
	join(&sender);
	b1t_expect_empty(b);
	b1t_expect_empty(c);
	b1t_expect_empty(between);
}
END_TEST

/* Creates nodes with handles in two peers and releases them. */
static void *run_releaser(void *arg)
{
	struct actor *actor = arg;
	uint64_t nodes[2], handle;
	uint32_t i;

	for (i = 0; i < ROUNDS; i++) {
		b1t_node_ok(actor->fd, actor->dests[0], &nodes[0], &handle);
		b1t_node_ok(actor->fd, actor->dests[1], &nodes[1], &handle);
		ck_assert_int_eq(b1t_release(actor->fd, 2, nodes), 0);
	}
	return NULL;
}

/* a release is a transaction as well: both holders or neither */
START_TEST(order_atomic_release_race)
{
	int b = b1t_peer(), c = b1t_peer();
	struct actor actor = { .fd = b1t_peer(), .dests = { b, c } };
	struct b1t_received r;
	uint32_t i;

	start(&actor, run_releaser);
	for (i = 0; i < ROUNDS; i++) {
		b1t_recv_wait(i % 2 ? b : c, &r);
		ck_assert_uint_eq(r.message.type, BUS1_MESSAGE_TYPE_NODE_RELEASE);
		ck_assert_int_eq(b1t_release1(i % 2 ? b : c, r.metadata.id), 0);
		ck_assert(b1t_readable(i % 2 ? c : b));
		ck_assert_int_eq(b1t_recv(i % 2 ? c : b, &r), 0);
		ck_assert_uint_eq(r.message.type, BUS1_MESSAGE_TYPE_NODE_RELEASE);
		ck_assert_int_eq(b1t_release1(i % 2 ? c : b, r.metadata.id), 0);
	}
	join(&actor);
}
END_TEST

/* Receives what is sent to it and passes each stamp on, with its own mark in who. */
static void *run_reactor(void *arg)
{
	struct actor *actor = arg;
	struct stamp s;
	uint32_t i;

	for (i = 0; i < 2 * ROUNDS; i++) {
		s = wait_stamp(actor->fd);
		send_stamp(actor->fd, 1, actor->dests, s.who | 0x100, s.number);
	}
	return NULL;
}

/* two senders multicast to {B, C} at once, B reacts to each: C sees every cause first, in order */
START_TEST(order_causal_race)
{
	struct actor senders[2] = {
		{ .n_dests = 2, .n_rounds = ROUNDS },
		{ .n_dests = 2, .n_rounds = ROUNDS, .who = 1 },
	};
	struct actor b = { .fd = b1t_peer() };
	uint32_t cause[2] = { 0 }, effect[2] = { 0 }, who;
	sem_t pace[2];
	int c = b1t_peer();
	struct stamp s;
	size_t i;

	b1t_node_ok(c, b.fd, NULL, &b.dests[0]);
	for (i = 0; i < 2; i++) {
		senders[i].fd = b1t_peer();
		sem_init(&pace[i], 0, AHEAD);
		senders[i].pace = &pace[i];
		/* the one pushes to B first, the other to C */
		b1t_node_ok(b.fd, senders[i].fd, NULL, &senders[i].dests[i]);
		b1t_node_ok(c, senders[i].fd, NULL, &senders[i].dests[!i]);
	}
	start(&b, run_reactor);
	for (i = 0; i < 2; i++)
		start(&senders[i], run_sender);
	for (i = 0; i < 4 * ROUNDS; i++) {
		s = wait_stamp(c);
		who = s.who & 1;
		if (s.who & 0x100) {
			ck_assert_uint_eq(s.number, ++effect[who]);
			ck_assert_uint_le(s.number, cause[who]);
			sem_post(&pace[who]);
		} else {
			ck_assert_uint_eq(s.number, ++cause[who]);
		}
	}
	for (i = 0; i < 2; i++)
		join(&senders[i]);
	join(&b);
	b1t_expect_empty(c);
}
END_TEST

static void *run_flood(void *arg)
{
	struct actor *actor = arg;
	uint32_t i;

	for (i = 1; !__atomic_load_n(actor->stop, __ATOMIC_ACQUIRE); i++) {
		sem_wait(actor->pace);
		send_stamp(actor->fd, actor->n_dests, actor->dests, actor->who, i);
	}
	return NULL;
}

/* a message is there when its send has returned, also behind multicasts that are under way */
START_TEST(order_send_then_recv_race)
{
	int b = b1t_peer(), c = b1t_peer(), stop = 0;
	struct actor flood = { .fd = b1t_peer(), .who = 1, .n_dests = 2, .stop = &stop };
	uint32_t i, last = 0;
	uint64_t own;
	struct stamp s;
	sem_t pace;

	sem_init(&pace, 0, AHEAD);
	flood.pace = &pace;
	b1t_node_ok(b, flood.fd, NULL, &flood.dests[0]);
	b1t_node_ok(c, flood.fd, NULL, &flood.dests[1]);
	b1t_node_ok(b, -1, NULL, &own);
	start(&flood, run_flood);
	for (i = 1; i <= ROUNDS; i++) {
		send_stamp(b, 1, &own, 0, i);
		do {
			ck_assert_msg(try_stamp(b, &s), "EAGAIN before one's own message");
			if (s.who)
				ck_assert_uint_eq(s.number, ++last);
		} while (s.who);
		ck_assert_uint_eq(s.number, i);
		while (try_stamp(c, &s))
			sem_post(&pace);
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	sem_post(&pace);
	join(&flood);
}
END_TEST

/* What the two threads of the next test share besides the bus. */
static uint32_t announced;

static void *run_announcer(void *arg)
{
	struct actor *actor = arg;
	uint32_t i;

	for (i = 1; i <= ROUNDS; i++) {
		send_stamp(actor->fd, actor->n_dests, actor->dests, 0, i);
		__atomic_store_n(&announced, i, __ATOMIC_RELEASE);
	}
	return NULL;
}

static void *run_follower(void *arg)
{
	struct actor *actor = arg;
	uint32_t seen = 0, next;

	while (seen < ROUNDS) {
		next = __atomic_load_n(&announced, __ATOMIC_ACQUIRE);
		if (next != seen)
			send_stamp(actor->fd, 1, actor->dests, 1, next);
		seen = next;
	}
	return NULL;
}

/* causality through shared memory: what was announced there arrives before the reaction */
START_TEST(order_causal_shared_memory_race)
{
	struct actor announcer = { .fd = b1t_peer(), .n_dests = 2 };
	struct actor follower = { .fd = b1t_peer() };
	int b = b1t_peer(), c = b1t_peer();
	uint32_t last = 0;
	struct stamp s = { 0 };

	b1t_node_ok(b, announcer.fd, NULL, &announcer.dests[0]);
	b1t_node_ok(c, announcer.fd, NULL, &announcer.dests[1]);
	b1t_node_ok(c, follower.fd, NULL, &follower.dests[0]);
	start(&announcer, run_announcer);
	start(&follower, run_follower);
	while (!(s.who == 1 && s.number == ROUNDS)) {
		s = wait_stamp(c);
		if (s.who)
			ck_assert_uint_le(s.number, last);
		else
			ck_assert_uint_eq(s.number, ++last);
	}
	join(&announcer);
	join(&follower);
	b1t_expect_empty(c);
}
END_TEST

/* Sends, each time, a message and releases the handle it went through, or the node it names. */
static void *run_last_words(void *arg)
{
	struct actor *actor = arg;
	uint64_t handle;
	uint32_t i;

	for (i = 1; i <= ROUNDS; i++) {
		b1t_node_ok(actor->dests[0], actor->fd, NULL, &handle);
		send_stamp(actor->fd, 1, &handle, actor->who, i);
		ck_assert_int_eq(b1t_release1(actor->fd, handle), 0);
	}
	return NULL;
}

/* a node's HANDLE_RELEASE never overtakes the last message, and there is one for each */
START_TEST(order_last_words_race)
{
	int b = b1t_peer();
	struct actor actors[2] = {
		{ .fd = b1t_peer(), .dests = { b } },
		{ .fd = b1t_peer(), .dests = { b }, .who = 1 },
	};
	uint64_t pending[2] = { 0 };
	struct b1t_received r;
	struct stamp s;
	size_t i, k;

	for (k = 0; k < 2; k++)
		start(&actors[k], run_last_words);
	for (i = 0; i < 4 * ROUNDS; i++) {
		b1t_recv_wait(b, &r);
		if (r.message.type == BUS1_MESSAGE_TYPE_USER) {
			memcpy(&s, r.data, sizeof(s));
			ck_assert_uint_eq(pending[s.who], 0);
			pending[s.who] = r.metadata.id;
			continue;
		}
		ck_assert_uint_eq(r.message.type, BUS1_MESSAGE_TYPE_HANDLE_RELEASE);
		k = r.metadata.id == pending[1];
		ck_assert_uint_eq(r.metadata.id, pending[k]);
		pending[k] = 0;
		ck_assert_int_eq(b1t_release1(b, r.metadata.id), 0);
	}
	for (k = 0; k < 2; k++)
		join(&actors[k]);
	b1t_expect_empty(b);
}
END_TEST

/* Sends a handle along with each message to two peers and releases the node right away. */
static void *run_carrier(void *arg)
{
	struct actor *actor = arg;
	uint64_t node, handle;
	uint32_t i;

	for (i = 0; i < ROUNDS; i++) {
		b1t_node_ok(actor->fd, -1, &node, &handle);
		ck_assert_int_eq(b1t_send(actor->fd, 2, actor->dests, "", 0, &handle, 1), 0);
		ck_assert_int_eq(B1T_RELEASE(actor->fd, node, handle), 0);
	}
	return NULL;
}

/* NODE_RELEASE never comes before the message that carried the handle, and comes exactly once */
START_TEST(order_carried_handle_race)
{
	int fds[2] = { b1t_peer(), b1t_peer() };
	struct actor actor = { .fd = b1t_peer() };
	uint64_t last[2] = { 0 };
	struct b1t_received r;
	size_t i, k;

	for (k = 0; k < 2; k++)
		b1t_node_ok(fds[k], actor.fd, NULL, &actor.dests[k]);
	start(&actor, run_carrier);
	for (i = 0; i < 4 * ROUNDS; i++) {
		k = i % 2;
		b1t_recv_wait(fds[k], &r);
		if (r.message.type == BUS1_MESSAGE_TYPE_USER) {
			ck_assert_uint_eq(r.message.n_transfers, 1);
			ck_assert_uint_eq(last[k], 0);
			last[k] = r.transfers[0].id;
			continue;
		}
		ck_assert_uint_eq(r.message.type, BUS1_MESSAGE_TYPE_NODE_RELEASE);
		ck_assert_uint_eq(r.metadata.id, last[k]);
		ck_assert_int_eq(b1t_release1(fds[k], last[k]), 0);
		last[k] = 0;
	}
	join(&actor);
	b1t_expect_empty(fds[0]);
	b1t_expect_empty(fds[1]);
}
END_TEST

TCase *b1t_tcase_order(void)
{
	TCase *tc = tcase_create("order");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, order_of_one_sender);
	tcase_add_test(tc, order_of_messages_and_releases);
	tcase_add_test(tc, order_atomic_when_send_returns);
	tcase_add_test(tc, order_causal_third_peer);
	tcase_add_test(tc, order_causal_release);
	tcase_add_test(tc, order_atomic_race);
	tcase_add_test(tc, order_atomic_release_race);
	tcase_add_test(tc, order_causal_race);
	tcase_add_test(tc, order_send_then_recv_race);
	tcase_add_test(tc, order_causal_shared_memory_race);
	tcase_add_test(tc, order_last_words_race);
	tcase_add_test(tc, order_carried_handle_race);
	return tc;
}
