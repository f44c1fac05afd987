// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * poll and epoll: readable exactly when recv would not say EAGAIN, writable always, an edge per
 * commit. b1t_readable() checks writability and the absence of HUP and ERR each time.
 */
#define _GNU_SOURCE
#include "b1t.h"

#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>

enum { N = 5 };

#define READ_MASK (POLLIN | POLLRDNORM)
#define WRITE_MASK (POLLOUT | POLLWRNORM)

/* b receives on @inbox, c can send there, and holds @h to @node of a */
struct scene {
	int a, b, c;
	uint64_t node, h, inbox, to_b;
};

static struct scene scene_new(void)
{
	struct scene s = { .a = b1t_peer(), .b = b1t_peer(), .c = b1t_peer() };

	b1t_node_ok(s.a, s.c, &s.node, &s.h);
	b1t_node_ok(s.b, s.c, &s.inbox, &s.to_b);
	return s;
}

static int all_events(int fd)
{
	struct pollfd p = { .fd = fd, .events = 0x3ff | 0x2000 };

	ck_assert_int_eq(poll(&p, 1, 0), 1);
	return p.revents;
}

/* exactly the four documented events, and no others, whatever happens to the peer */
START_TEST(poll_mask)
{
	struct scene s = scene_new();

	ck_assert_int_eq(all_events(s.b), WRITE_MASK);
	b1t_send_ok(s.c, s.to_b, "x", 0, NULL);
	ck_assert_int_eq(all_events(s.b), WRITE_MASK | READ_MASK);
	b1t_expect_text(s.b, s.inbox, "x");
	ck_assert_int_eq(all_events(s.b), WRITE_MASK);
	/* alone, with no node, no handle, nobody who could ever send */
	ck_assert_int_eq(B1T_RELEASE(s.b, s.inbox), 0);
	close(s.a);
	close(s.c);
	ck_assert_int_eq(all_events(s.b), WRITE_MASK);
}
END_TEST

/* readable until the last of several entries is read */
START_TEST(poll_until_empty)
{
	struct scene s = scene_new();
	size_t n, i;

	for (n = 1; n <= N; n++) {
		for (i = 0; i < n; i++)
			b1t_send_ok(s.c, s.to_b, "x", 0, NULL);
		for (i = 0; i < n; i++)
			b1t_expect_text(s.b, s.inbox, "x");
		b1t_expect_empty(s.b);
	}
	b1t_expect_empty(s.c);
	b1t_expect_empty(s.a);
}
END_TEST

/* a recv that fails leaves the peer readable */
START_TEST(poll_after_failed_recv)
{
	struct scene s = scene_new();
	struct bus1_message message = { .type = BUS1_INVALID };
	struct bus1_metadata metadata;
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = BUS1_FROM_PTR(&metadata),
		.ptr_message = BUS1_FROM_PTR(&message),
	};

	b1t_send_ok(s.c, s.to_b, "x", 0, NULL);
	ck_assert_int_eq(b1t_ioctl(s.b, BUS1_CMD_RECV, &cmd), -EMSGSIZE);
	ck_assert(b1t_readable(s.b));
	cmd.ptr_message = 8;
	ck_assert_int_eq(b1t_ioctl(s.b, BUS1_CMD_RECV, &cmd), -EFAULT);
	ck_assert(b1t_readable(s.b));
	b1t_expect_text(s.b, s.inbox, "x");
	b1t_expect_empty(s.b);
}
END_TEST

/* a failed send, a send to nobody and a send to the dead wake nobody */
START_TEST(poll_after_failed_send)
{
	struct scene s = scene_new();

	ck_assert_int_eq(b1t_send(s.c, 2, (uint64_t[]){ s.to_b, 0 }, "x", 1, NULL, 0), -EBADRQC);
	ck_assert_int_eq(b1t_send(s.c, 0, &s.to_b, "x", 1, NULL, 0), 0);
	b1t_expect_empty(s.b);
	ck_assert_int_eq(b1t_release1(s.b, s.inbox), 0);
	b1t_send_ok(s.c, s.to_b, "x", 1, &s.h);
	b1t_expect_empty(s.b);
}
END_TEST

/* a queue emptied by the release of the node is not readable */
START_TEST(poll_after_discard)
{
	struct scene s = scene_new();

	b1t_send_ok(s.c, s.to_b, "x", 0, NULL);
	b1t_send_ok(s.c, s.to_b, "y", 2, (uint64_t[]){ s.h, s.to_b });
	ck_assert(b1t_readable(s.b));
	ck_assert_int_eq(b1t_release1(s.b, s.inbox), 0);
	b1t_expect_empty(s.b);
}
END_TEST

/* the same when the messages had been taken over from the senders by a look at the queue */
START_TEST(poll_after_discard_of_seen_messages)
{
	struct scene s = scene_new();
	uint64_t other, to_other;

	b1t_node_ok(s.b, s.c, &other, &to_other);
	b1t_send_ok(s.c, to_other, "first", 0, NULL);
	b1t_send_ok(s.c, s.to_b, "x", 0, NULL);
	b1t_expect_text(s.b, other, "first");
	b1t_send_ok(s.c, s.to_b, "y", 0, NULL);
	ck_assert(b1t_readable(s.b));
	ck_assert_int_eq(b1t_release1(s.b, s.inbox), 0);
	b1t_expect_empty(s.b);
	b1t_send_ok(s.c, to_other, "again", 0, NULL);
	b1t_expect_text(s.b, other, "again");
	b1t_expect_empty(s.b);
}
END_TEST

/* a cancelled notification of either kind is not readable */
START_TEST(poll_after_cancelled_notification)
{
	struct scene s = scene_new();

	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	ck_assert(b1t_readable(s.c));
	ck_assert_int_eq(b1t_release1(s.c, s.h), 0);
	b1t_expect_empty(s.c);
	ck_assert_int_eq(b1t_release1(s.c, s.to_b), 0);
	ck_assert(b1t_readable(s.b));
	ck_assert_int_eq(b1t_release1(s.b, s.inbox), 0);
	b1t_expect_empty(s.b);
}
END_TEST

/* NODE_RELEASE of handles in flight: readable while anything can be received, then not */
START_TEST(poll_with_handles_in_flight)
{
	struct scene s = scene_new();
	uint64_t got;

	b1t_send_ok(s.c, s.to_b, "m", 1, &s.h);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	got = b1t_expect_handle(s.b, s.inbox, "m");
	b1t_expect_node_release(s.b, got);
	b1t_expect_empty(s.b);
	/* copied after the release */
	b1t_send_ok(s.c, s.to_b, "m", 1, &s.h);
	got = b1t_expect_handle(s.b, s.inbox, "m");
	b1t_expect_node_release(s.b, got);
	b1t_expect_empty(s.b);
	/* discarded with the message: nothing is left that only poll can see */
	b1t_send_ok(s.c, s.to_b, "m", 1, &s.h);
	ck_assert(b1t_readable(s.b));
	ck_assert_int_eq(b1t_release1(s.b, s.inbox), 0);
	b1t_expect_empty(s.b);
}
END_TEST

/* the same, where the node goes while its handle is in the queue that is then discarded */
START_TEST(poll_with_discarded_handles_in_flight)
{
	struct scene s = scene_new();
	uint64_t got;

	b1t_send_ok(s.c, s.to_b, "m", 1, &s.h);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	ck_assert(b1t_readable(s.b));
	ck_assert_int_eq(b1t_release1(s.b, s.inbox), 0);
	b1t_expect_empty(s.b);
	/* and where the handle was received and released before its notification */
	b1t_node_ok(s.a, s.c, &s.node, &s.h);
	b1t_node_ok(s.b, s.c, &s.inbox, &s.to_b);
	b1t_send_ok(s.c, s.to_b, "m", 1, &s.h);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	got = b1t_expect_handle(s.b, s.inbox, "m");
	ck_assert_int_eq(b1t_release1(s.b, got), 0);
	b1t_expect_empty(s.b);
}
END_TEST

static int watch(int fd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.fd = fd };
	int ep = epoll_create1(EPOLL_CLOEXEC);

	ck_assert_int_ge(ep, 0);
	ck_assert_int_eq(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), 0);
	return ep;
}

/* One event with IN is there, and after it no more. */
static void expect_edge(int ep)
{
	struct epoll_event ev;

	ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 1);
	ck_assert(ev.events & EPOLLIN);
	ck_assert(!(ev.events & (EPOLLHUP | EPOLLERR)));
	ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 0);
}

/* edge-triggered: every message is an event, also when the queue was not empty */
START_TEST(poll_edge_per_message)
{
	struct scene s = scene_new();
	int ep = watch(s.b, EPOLLIN | EPOLLET);
	struct epoll_event ev;
	size_t i;

	ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 0);
	for (i = 0; i < N; i++) {
		b1t_send_ok(s.c, s.to_b, "x", 0, NULL);
		expect_edge(ep);
	}
	b1t_expect_text(s.b, s.inbox, "x");
	b1t_send_ok(s.c, s.to_b, "x", 0, NULL);
	expect_edge(ep);
	for (i = 0; i < N; i++)
		b1t_expect_text(s.b, s.inbox, "x");
	b1t_expect_empty(s.b);
	b1t_send_ok(s.c, s.to_b, "x", 0, NULL);
	expect_edge(ep);
}
END_TEST

/* the same with EPOLLOUT in the set, which is always true */
START_TEST(poll_edge_in_and_out)
{
	struct scene s = scene_new();
	int ep = watch(s.b, EPOLLIN | EPOLLOUT | EPOLLET);
	struct epoll_event ev;
	size_t i;

	ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 1);
	ck_assert_uint_eq(ev.events, EPOLLOUT);
	for (i = 0; i < N; i++) {
		b1t_send_ok(s.c, s.to_b, "x", 0, NULL);
		expect_edge(ep);
	}
}
END_TEST

/* a multicast is an event at each receiver, busy or idle */
START_TEST(poll_edge_per_multicast)
{
	int c = b1t_peer(), peers[N], ep[N];
	uint64_t nodes[N], dests[N];
	size_t i, k;

	for (i = 0; i < N; i++) {
		peers[i] = b1t_peer();
		b1t_node_ok(peers[i], c, &nodes[i], &dests[i]);
		if (i % 2)
			b1t_send_ok(c, dests[i], "before", 0, NULL);
		ep[i] = watch(peers[i], EPOLLIN | EPOLLET);
		if (i % 2)
			expect_edge(ep[i]);
	}
	for (k = 0; k < 3; k++) {
		ck_assert_int_eq(b1t_send(c, N, dests, "m", 1, NULL, 0), 0);
		for (i = 0; i < N; i++)
			expect_edge(ep[i]);
	}
}
END_TEST

/* notifications are commits too, by release and by close */
START_TEST(poll_edge_per_notification)
{
	struct scene s = scene_new();
	int ep_a, ep_b = watch(s.b, EPOLLIN | EPOLLET), ep_c = watch(s.c, EPOLLIN | EPOLLET);
	uint64_t node, handle;

	ep_a = watch(s.a, EPOLLIN | EPOLLET);
	b1t_node_ok(s.a, s.c, &node, &handle);
	ck_assert_int_eq(b1t_release1(s.a, node), 0);
	expect_edge(ep_c);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	expect_edge(ep_c);
	b1t_node_ok(s.a, s.c, &node, &handle);
	ck_assert_int_eq(b1t_release1(s.c, handle), 0);
	expect_edge(ep_a);
	b1t_send_ok(s.c, s.to_b, "x", 0, NULL);
	expect_edge(ep_b);
	b1t_node_ok(s.a, s.c, &node, &handle);
	close(s.c);
	expect_edge(ep_a);
	expect_edge(ep_b);
}
END_TEST

/* a handle of a dead node that is transferred: its notification is an event */
START_TEST(poll_edge_for_a_dead_copy)
{
	struct scene s = scene_new();
	int ep;
	uint64_t copy;

	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "x", 0, NULL);
	ep = watch(s.b, EPOLLIN | EPOLLET);
	expect_edge(ep);
	copy = b1t_copy_ok(s.c, s.b, s.h);
	expect_edge(ep);
	b1t_expect_text(s.b, s.inbox, "x");
	b1t_expect_node_release(s.b, copy);
}
END_TEST

/* messages discarded by the release of their carrier's queue free handles: an event at the owner */
START_TEST(poll_edge_for_discarded_handles)
{
	struct scene s = scene_new();
	int ep = watch(s.a, EPOLLIN | EPOLLET);
	struct epoll_event ev;

	b1t_send_ok(s.c, s.to_b, "x", 1, &s.h);
	ck_assert_int_eq(b1t_release1(s.c, s.h), 0);
	ck_assert_int_eq(epoll_wait(ep, &ev, 1, 0), 0);
	ck_assert_int_eq(b1t_release1(s.b, s.inbox), 0);
	expect_edge(ep);
	b1t_expect_handle_release(s.a, s.node);
}
END_TEST

enum { MESSAGES = 2000 };

struct sender {
	int fd;
	uint64_t handle;
};

static void *sender_run(void *arg)
{
	const struct sender *s = arg;
	uint32_t i;

	for (i = 0; i < MESSAGES; i++) {
		ck_assert_int_eq(b1t_send(s->fd, 1, &s->handle, &i, sizeof(i), NULL, 0), 0);
		if (i % 7 == 0)
			sched_yield();
	}
	return NULL;
}

/* Receives as long as there is something; returns how many. */
static unsigned int drain(int fd)
{
	struct b1t_received r;
	unsigned int n = 0;
	int ret;

	while ((ret = b1t_recv(fd, &r)) == 0)
		n++;
	ck_assert_int_eq(ret, -EAGAIN);
	return n;
}

/* a thread that sleeps in poll is woken, and finds what it was woken for */
START_TEST(poll_wakes_sleepers)
{
	struct scene s = scene_new();
	struct sender sender = { s.c, s.to_b };
	struct pollfd p = { .fd = s.b, .events = POLLIN };
	struct b1t_received r;
	pthread_t thread;
	uint32_t i;

	ck_assert(!pthread_create(&thread, NULL, sender_run, &sender));
	for (i = 0; i < MESSAGES; i++) {
		ck_assert_int_eq(poll(&p, 1, 5000), 1);
		ck_assert_int_eq(b1t_recv(s.b, &r), 0);
		ck_assert_mem_eq(r.data, &i, sizeof(i));
	}
	ck_assert(!pthread_join(thread, NULL));
	b1t_expect_empty(s.b);
}
END_TEST

/* with edge-triggered epoll, waiting only after EAGAIN, no message is missed */
START_TEST(poll_edges_lose_nothing)
{
	struct scene s = scene_new();
	struct sender senders[2] = { { s.c, s.to_b }, { s.a, 0 } };
	int ep = watch(s.b, EPOLLIN | EPOLLET);
	struct epoll_event ev;
	pthread_t threads[2];
	unsigned int n = 0;
	size_t i;

	senders[1].handle = b1t_copy_ok(s.c, s.a, s.to_b);
	for (i = 0; i < 2; i++)
		ck_assert(!pthread_create(&threads[i], NULL, sender_run, &senders[i]));
	while (n < 2 * MESSAGES) {
		ck_assert_int_eq(epoll_wait(ep, &ev, 1, 5000), 1);
		n += drain(s.b);
	}
	for (i = 0; i < 2; i++)
		ck_assert(!pthread_join(threads[i], NULL));
	ck_assert_uint_eq(n, 2 * MESSAGES);
	b1t_expect_empty(s.b);
}
END_TEST

TCase *b1t_tcase_poll(void)
{
	TCase *tc = tcase_create("poll");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, poll_mask);
	tcase_add_test(tc, poll_until_empty);
	tcase_add_test(tc, poll_after_failed_recv);
	tcase_add_test(tc, poll_after_failed_send);
	tcase_add_test(tc, poll_after_discard);
	tcase_add_test(tc, poll_after_discard_of_seen_messages);
	tcase_add_test(tc, poll_after_cancelled_notification);
	tcase_add_test(tc, poll_with_handles_in_flight);
	tcase_add_test(tc, poll_with_discarded_handles_in_flight);
	tcase_add_test(tc, poll_edge_per_message);
	tcase_add_test(tc, poll_edge_in_and_out);
	tcase_add_test(tc, poll_edge_per_multicast);
	tcase_add_test(tc, poll_edge_per_notification);
	tcase_add_test(tc, poll_edge_for_a_dead_copy);
	tcase_add_test(tc, poll_edge_for_discarded_handles);
	tcase_add_test(tc, poll_wakes_sleepers);
	tcase_add_test(tc, poll_edges_lose_nothing);
	return tc;
}
