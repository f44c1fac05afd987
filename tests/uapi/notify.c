// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * HANDLE_RELEASE and NODE_RELEASE: section "Notifications" of the contract, sentence by sentence
 *
 * In all tests a owns the node that matters, b receives messages and c is a third party that sends.
 */
#include "b1t.h"

enum { N = 5 };

/* The usual scene: b receives on @inbox; c can send there, and holds @h to @node of a. */
struct scene {
	int a, b, c;
	uint64_t node, h;
	uint64_t inbox, to_b;
};

static struct scene scene_new(void)
{
	struct scene s = { .a = b1t_peer(), .b = b1t_peer(), .c = b1t_peer() };

	b1t_node_ok(s.a, s.c, &s.node, &s.h);
	b1t_node_ok(s.b, s.c, &s.inbox, &s.to_b);
	return s;
}

/* the count covers installed handles: only the last one of many tells the owner */
START_TEST(notify_last_installed_handle)
{
	struct scene s = scene_new();
	uint64_t more[N];
	size_t i;

	for (i = 0; i < N; i++)
		more[i] = b1t_copy_ok(s.c, i % 2 ? s.b : s.c, s.h);
	ck_assert_int_eq(b1t_release1(s.c, s.h), 0);
	for (i = 0; i < N; i++) {
		b1t_expect_empty(s.a);
		ck_assert_int_eq(b1t_release1(i % 2 ? s.b : s.c, more[i]), 0);
	}
	b1t_expect_handle_release(s.a, s.node);
	b1t_expect_empty(s.a);
	b1t_expect_empty(s.b);
	b1t_expect_empty(s.c);
}
END_TEST

/* the count covers handles in flight: a queued message keeps the node reachable */
START_TEST(notify_in_flight_handles_count)
{
	struct scene s = scene_new();
	uint64_t got[2];

	b1t_send_ok(s.c, s.to_b, "m", 2, (uint64_t[]){ s.h, s.h });
	ck_assert_int_eq(b1t_release1(s.c, s.h), 0);
	b1t_expect_empty(s.a);
	b1t_expect_handles(s.b, s.inbox, "m", 2, got);
	b1t_expect_empty(s.a);
	ck_assert_int_eq(b1t_release1(s.b, got[0]), 0);
	b1t_expect_empty(s.a);
	ck_assert_int_eq(b1t_release1(s.b, got[1]), 0);
	b1t_expect_handle_release(s.a, s.node);
	b1t_expect_empty(s.a);
}
END_TEST

/* the last handle may go while in flight; several of them at once make one notification */
START_TEST(notify_last_handle_in_flight)
{
	struct scene s = scene_new();

	b1t_send_ok(s.c, s.to_b, "m1", 2, (uint64_t[]){ s.h, s.h });
	b1t_send_ok(s.c, s.to_b, "m2", 1, &s.h);
	ck_assert_int_eq(b1t_release1(s.c, s.h), 0);
	ck_assert_int_eq(b1t_release1(s.b, s.inbox), 0);
	b1t_expect_handle_release(s.a, s.node);
	b1t_expect_empty(s.a);
	b1t_expect_empty(s.b);
}
END_TEST

/* the owner is told also when it released the last handle itself */
START_TEST(notify_owner_releases_the_last)
{
	int a = b1t_peer();
	uint64_t node, handle;

	b1t_node_ok(a, -1, &node, &handle);
	ck_assert_int_eq(b1t_release1(a, handle), 0);
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
}
END_TEST

/* at most one HANDLE_RELEASE per node: nothing can bring the count back, nor the node's release */
START_TEST(notify_handle_release_once)
{
	struct scene s = scene_new();
	struct bus1_transfer src = { .id = s.node }, dst;

	ck_assert_int_eq(b1t_release1(s.c, s.h), 0);
	b1t_expect_handle_release(s.a, s.node);
	ck_assert_int_eq(b1t_transfer(s.a, s.b, 1, &src, &dst), -EBADRQC);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_expect_empty(s.a);
	b1t_expect_empty(s.c);
}
END_TEST

/* no HANDLE_RELEASE for a node that is released already */
START_TEST(notify_no_handle_release_after_node)
{
	struct scene s = scene_new();

	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	ck_assert_int_eq(b1t_release1(s.c, s.h), 0);
	b1t_expect_empty(s.a);
	b1t_expect_empty(s.c);
}
END_TEST

/* exactly one NODE_RELEASE per installed handle, in whatever peers and however it came there */
START_TEST(notify_node_release_per_handle)
{
	struct scene s = scene_new();
	uint64_t hb[3], hc[2];

	hb[0] = b1t_copy_ok(s.c, s.b, s.h);
	hb[1] = b1t_copy_ok(s.b, -1, hb[0]);
	b1t_send_ok(s.c, s.to_b, "m", 1, &s.h);
	hb[2] = b1t_expect_handle(s.b, s.inbox, "m");
	hc[0] = s.h;
	hc[1] = b1t_copy_ok(s.c, -1, s.h);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_expect_node_releases(s.b, 3, hb);
	b1t_expect_empty(s.b);
	b1t_expect_node_releases(s.c, 2, hc);
	b1t_expect_empty(s.c);
	b1t_expect_empty(s.a);
}
END_TEST

/* the owner's own handles get NODE_RELEASE, those released in the same call do not */
START_TEST(notify_own_handles)
{
	struct scene s = scene_new();
	uint64_t own[3];
	size_t i;

	for (i = 0; i < 3; i++)
		own[i] = b1t_copy_ok(s.c, s.a, s.h);
	ck_assert_int_eq(B1T_RELEASE(s.a, own[1], s.node), 0);
	b1t_expect_node_releases(s.a, 2, (uint64_t[]){ own[0], own[2] });
	b1t_expect_empty(s.a);
	b1t_expect_node_release(s.c, s.h);
	b1t_expect_empty(s.c);
}
END_TEST

/* many nodes released at once: each handle hears of its own */
START_TEST(notify_many_nodes_at_once)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t nodes[200], handles[200];
	size_t i;

	for (i = 0; i < 200; i++)
		b1t_node_ok(a, b, &nodes[i], &handles[i]);
	ck_assert_int_eq(b1t_release(a, 200, nodes), 0);
	b1t_expect_node_releases(b, 200, handles);
	b1t_expect_empty(b);
	for (i = 0; i < 200; i++)
		b1t_node_ok(a, b, &nodes[i], &handles[i]);
	ck_assert_int_eq(b1t_release(b, 200, handles), 0);
	b1t_expect_handle_releases(a, 200, nodes);
	b1t_expect_empty(a);
}
END_TEST

/* a handle in flight: its notification has the place of the release, not of the message */
START_TEST(notify_place_in_flight)
{
	struct scene s = scene_new();
	uint64_t got;

	b1t_send_ok(s.c, s.to_b, "M1", 1, &s.h);
	b1t_send_ok(s.c, s.to_b, "M0", 0, NULL);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "M3", 0, NULL);
	got = b1t_expect_handle(s.b, s.inbox, "M1");
	b1t_expect_text(s.b, s.inbox, "M0");
	b1t_expect_node_release(s.b, got);
	b1t_expect_text(s.b, s.inbox, "M3");
	b1t_expect_empty(s.b);
	b1t_expect_node_release(s.c, s.h);
	b1t_expect_empty(s.a);
}
END_TEST

/* the same when the message was received between the release and what follows */
START_TEST(notify_place_installed)
{
	struct scene s = scene_new();
	uint64_t got;

	b1t_send_ok(s.c, s.to_b, "M1", 1, &s.h);
	b1t_send_ok(s.c, s.to_b, "M0", 0, NULL);
	got = b1t_expect_handle(s.b, s.inbox, "M1");
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "M3", 0, NULL);
	b1t_expect_text(s.b, s.inbox, "M0");
	b1t_expect_node_release(s.b, got);
	b1t_expect_text(s.b, s.inbox, "M3");
	b1t_expect_empty(s.b);
}
END_TEST

/* several handles of the node in several messages: all notifications stand at the release */
START_TEST(notify_place_of_several_in_flight)
{
	struct scene s = scene_new();
	uint64_t got[4];

	b1t_send_ok(s.c, s.to_b, "M1", 2, (uint64_t[]){ s.h, s.h });
	b1t_send_ok(s.c, s.to_b, "M0", 0, NULL);
	b1t_send_ok(s.c, s.to_b, "M2", 2, (uint64_t[]){ s.h, s.h });
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "M3", 0, NULL);
	b1t_expect_handles(s.b, s.inbox, "M1", 2, &got[0]);
	b1t_expect_text(s.b, s.inbox, "M0");
	b1t_expect_handles(s.b, s.inbox, "M2", 2, &got[2]);
	b1t_expect_node_releases(s.b, 4, got);
	b1t_expect_text(s.b, s.inbox, "M3");
	b1t_expect_empty(s.b);
}
END_TEST

/* two nodes released one after the other, both with a handle in one message */
START_TEST(notify_place_of_two_nodes)
{
	struct scene s = scene_new();
	uint64_t node, handle, got[2];

	b1t_node_ok(s.a, s.c, &node, &handle);
	b1t_send_ok(s.c, s.to_b, "M1", 2, (uint64_t[]){ s.h, handle });
	ck_assert_int_eq(b1t_release1(s.a, node), 0);
	b1t_send_ok(s.c, s.to_b, "M2", 0, NULL);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "M3", 0, NULL);
	b1t_expect_handles(s.b, s.inbox, "M1", 2, got);
	b1t_expect_node_release(s.b, got[1]);
	b1t_expect_text(s.b, s.inbox, "M2");
	b1t_expect_node_release(s.b, got[0]);
	b1t_expect_text(s.b, s.inbox, "M3");
	b1t_expect_empty(s.b);
}
END_TEST

/* copied after the release: directly behind the message that carries it */
START_TEST(notify_dead_handle_sent)
{
	struct scene s = scene_new();
	uint64_t got;

	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "M1", 1, &s.h);
	b1t_send_ok(s.c, s.to_b, "M0", 0, NULL);
	got = b1t_expect_handle(s.b, s.inbox, "M1");
	b1t_expect_node_release(s.b, got);
	b1t_expect_text(s.b, s.inbox, "M0");
	b1t_expect_empty(s.b);
	/* also when the sender's own notification was read, and sent on by the receiver */
	b1t_expect_node_release(s.c, s.h);
	b1t_send_ok(s.c, s.to_b, "M4", 1, &s.h);
	got = b1t_expect_handle(s.b, s.inbox, "M4");
	b1t_expect_node_release(s.b, got);
	b1t_expect_empty(s.b);
	b1t_expect_empty(s.c);
}
END_TEST

/* several dead handles, of one node and of two, and a live one between, in one message */
START_TEST(notify_dead_handles_in_one_message)
{
	struct scene s = scene_new();
	uint64_t dead, dead_h, live, live_h, got[5];

	b1t_node_ok(s.a, s.c, &dead, &dead_h);
	b1t_node_ok(s.a, s.c, &live, &live_h);
	ck_assert_int_eq(B1T_RELEASE(s.a, dead, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "M1", 5, (uint64_t[]){ s.h, live_h, s.h, dead_h, s.h });
	b1t_send_ok(s.c, s.to_b, "M0", 0, NULL);
	b1t_expect_handles(s.b, s.inbox, "M1", 5, got);
	b1t_send_ok(s.b, got[1], "live", 0, NULL);
	b1t_expect_node_releases(s.b, 4, (uint64_t[]){ got[0], got[2], got[3], got[4] });
	b1t_expect_text(s.b, s.inbox, "M0");
	b1t_expect_empty(s.b);
	b1t_expect_text(s.a, live, "live");
	b1t_expect_empty(s.a);
}
END_TEST

/* one message with a handle that died in flight and one that was dead when it was copied */
START_TEST(notify_dead_before_and_after)
{
	struct scene s = scene_new();
	uint64_t dead, dead_h, got[2];

	b1t_node_ok(s.a, s.c, &dead, &dead_h);
	ck_assert_int_eq(b1t_release1(s.a, dead), 0);
	b1t_send_ok(s.c, s.to_b, "M1", 2, (uint64_t[]){ s.h, dead_h });
	b1t_send_ok(s.c, s.to_b, "M0", 0, NULL);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_expect_handles(s.b, s.inbox, "M1", 2, got);
	b1t_expect_node_release(s.b, got[1]);
	b1t_expect_text(s.b, s.inbox, "M0");
	b1t_expect_node_release(s.b, got[0]);
	b1t_expect_empty(s.b);
}
END_TEST

/* a dead handle multicast: every copy of every receiver gets its notification */
START_TEST(notify_dead_handle_multicast)
{
	struct scene s = scene_new();
	uint64_t own, to_own, got;
	size_t i;

	b1t_node_ok(s.c, -1, &own, &to_own);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_expect_node_release(s.c, s.h);
	ck_assert_int_eq(b1t_send(s.c, 3, (uint64_t[]){ s.to_b, to_own, s.to_b }, "M", 1, &s.h, 1),
			 0);
	for (i = 0; i < 2; i++) {
		got = b1t_expect_handle(s.b, s.inbox, "M");
		b1t_expect_node_release(s.b, got);
	}
	b1t_expect_empty(s.b);
	got = b1t_expect_handle(s.c, own, "M");
	b1t_expect_node_release(s.c, got);
	b1t_expect_empty(s.c);
}
END_TEST

/* the node goes while its handle sits in the queues of several peers */
START_TEST(notify_in_flight_in_several_queues)
{
	int a = b1t_peer(), c = b1t_peer(), peers[N];
	uint64_t node, handle, nodes[N], dests[N], got;
	size_t i;

	b1t_node_ok(a, c, &node, &handle);
	for (i = 0; i < N; i++) {
		peers[i] = b1t_peer();
		b1t_node_ok(peers[i], c, &nodes[i], &dests[i]);
	}
	ck_assert_int_eq(b1t_send(c, N, dests, "M1", 2, &handle, 1), 0);
	ck_assert_int_eq(b1t_send(c, N, dests, "M2", 2, NULL, 0), 0);
	ck_assert_int_eq(b1t_release1(a, node), 0);
	for (i = 0; i < N; i++) {
		got = b1t_expect_handle(peers[i], nodes[i], "M1");
		b1t_expect_text(peers[i], nodes[i], "M2");
		b1t_expect_node_release(peers[i], got);
		b1t_expect_empty(peers[i]);
	}
	b1t_expect_empty(a);
}
END_TEST

/* the owner's own node, in flight to the owner */
START_TEST(notify_in_flight_to_the_owner)
{
	struct scene s = scene_new();
	uint64_t node, got;

	b1t_node_ok(s.b, s.c, &node, &s.h);
	b1t_send_ok(s.c, s.to_b, "M1", 1, &s.h);
	b1t_send_ok(s.c, s.to_b, "M0", 0, NULL);
	ck_assert_int_eq(b1t_release1(s.b, node), 0);
	got = b1t_expect_handle(s.b, s.inbox, "M1");
	b1t_expect_text(s.b, s.inbox, "M0");
	b1t_expect_node_release(s.b, got);
	b1t_expect_empty(s.b);
}
END_TEST

/* a discarded message takes along the notification of the dead handle it carried */
START_TEST(notify_vanishes_with_the_message)
{
	struct scene s = scene_new();
	uint64_t other, to_other;

	b1t_node_ok(s.b, s.c, &other, &to_other);
	b1t_send_ok(s.c, s.to_b, "M1", 2, (uint64_t[]){ s.h, s.h });
	b1t_send_ok(s.c, to_other, "M0", 0, NULL);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "M2", 1, &s.h);
	ck_assert_int_eq(b1t_release1(s.b, s.inbox), 0);
	b1t_expect_text(s.b, other, "M0");
	b1t_expect_empty(s.b);
	b1t_expect_empty(s.a);
}
END_TEST

/* a pending notification vanishes with the handle: in flight when the node went */
START_TEST(notify_vanishes_with_the_handle)
{
	struct scene s = scene_new();
	uint64_t got[2];

	b1t_send_ok(s.c, s.to_b, "M1", 2, (uint64_t[]){ s.h, s.h });
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "M3", 0, NULL);
	b1t_expect_handles(s.b, s.inbox, "M1", 2, got);
	ck_assert_int_eq(b1t_release1(s.b, got[0]), 0);
	b1t_expect_node_release(s.b, got[1]);
	b1t_expect_text(s.b, s.inbox, "M3");
	b1t_expect_empty(s.b);
}
END_TEST

/* ... and copied when the node was gone */
START_TEST(notify_vanishes_with_the_dead_copy)
{
	struct scene s = scene_new();
	uint64_t got[2];

	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "M1", 2, (uint64_t[]){ s.h, s.h });
	b1t_send_ok(s.c, s.to_b, "M3", 0, NULL);
	b1t_expect_handles(s.b, s.inbox, "M1", 2, got);
	ck_assert_int_eq(b1t_release1(s.b, got[1]), 0);
	b1t_expect_node_release(s.b, got[0]);
	b1t_expect_text(s.b, s.inbox, "M3");
	b1t_expect_empty(s.b);
}
END_TEST

/* a handle transferred when its node is gone is notified at once: behind what is queued */
START_TEST(notify_dead_handle_transferred)
{
	struct scene s = scene_new();
	uint64_t copy;

	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "M1", 0, NULL);
	copy = b1t_copy_ok(s.c, s.b, s.h);
	b1t_send_ok(s.c, s.to_b, "M2", 0, NULL);
	b1t_expect_text(s.b, s.inbox, "M1");
	b1t_expect_node_release(s.b, copy);
	b1t_expect_text(s.b, s.inbox, "M2");
	b1t_expect_empty(s.b);
}
END_TEST

/* a refused recv leaves message and notification where they were */
START_TEST(notify_survives_a_refused_recv)
{
	struct scene s = scene_new();
	struct bus1_message message = { .type = BUS1_INVALID };
	struct bus1_metadata metadata;
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = BUS1_FROM_PTR(&metadata),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	uint64_t got;
	struct iovec vec = { &got, 2 };

	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_send_ok(s.c, s.to_b, "M1", 1, &s.h);
	b1t_send_ok(s.c, s.to_b, "M0", 0, NULL);
	ck_assert_int_eq(b1t_ioctl(s.b, BUS1_CMD_RECV, &cmd), -EMSGSIZE);
	message.n_transfers = 1;
	message.ptr_transfers = 8;
	message.n_data = 0;
	ck_assert_int_eq(b1t_ioctl(s.b, BUS1_CMD_RECV, &cmd), -EMSGSIZE);
	message = (struct bus1_message){
		.type = BUS1_INVALID,
		.n_transfers = 1,
		.ptr_transfers = 8,
		.n_data = 2,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	ck_assert_int_eq(b1t_ioctl(s.b, BUS1_CMD_RECV, &cmd), -EFAULT);
	got = b1t_expect_handle(s.b, s.inbox, "M1");
	b1t_expect_node_release(s.b, got);
	b1t_expect_text(s.b, s.inbox, "M0");
	b1t_expect_empty(s.b);
}
END_TEST

/* in the order of its causes: message, then the release of the handle it came through */
START_TEST(notify_is_ordered_with_messages)
{
	struct scene s = scene_new();
	uint64_t other, to_other;

	b1t_node_ok(s.b, s.c, &other, &to_other);
	b1t_send_ok(s.c, s.to_b, "1", 0, NULL);
	b1t_send_ok(s.c, to_other, "2", 0, NULL);
	ck_assert_int_eq(b1t_release1(s.c, s.to_b), 0);
	b1t_send_ok(s.c, to_other, "3", 0, NULL);
	ck_assert_int_eq(b1t_release1(s.c, to_other), 0);
	b1t_expect_text(s.b, s.inbox, "1");
	b1t_expect_text(s.b, other, "2");
	b1t_expect_handle_release(s.b, s.inbox);
	b1t_expect_text(s.b, other, "3");
	b1t_expect_handle_release(s.b, other);
	b1t_expect_empty(s.b);
}
END_TEST

/* a node kept only by a message in its own queue lives until that handle is received and goes */
START_TEST(notify_node_that_keeps_itself)
{
	int a = b1t_peer();
	uint64_t node, handle, got;

	b1t_node_ok(a, -1, &node, &handle);
	b1t_send_ok(a, handle, "self", 1, &handle);
	ck_assert_int_eq(b1t_release1(a, handle), 0);
	got = b1t_expect_handle(a, node, "self");
	b1t_expect_empty(a);
	b1t_send_ok(a, got, "alive", 0, NULL);
	b1t_expect_text(a, node, "alive");
	ck_assert_int_eq(b1t_release1(a, got), 0);
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
}
END_TEST

/* the two kinds are not swapped, and neither goes to the one who caused it */
START_TEST(notify_goes_to_the_other_side)
{
	struct scene s = scene_new();
	uint64_t node, handle;

	b1t_node_ok(s.a, s.c, &node, &handle);
	ck_assert_int_eq(b1t_release1(s.c, handle), 0);
	b1t_expect_empty(s.c);
	b1t_expect_note(s.a, BUS1_MESSAGE_TYPE_HANDLE_RELEASE, node);
	ck_assert_int_eq(b1t_release1(s.a, s.node), 0);
	b1t_expect_empty(s.a);
	b1t_expect_note(s.c, BUS1_MESSAGE_TYPE_NODE_RELEASE, s.h);
	b1t_expect_empty(s.b);
}
END_TEST

TCase *b1t_tcase_notify(void)
{
	TCase *tc = tcase_create("notify");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, notify_last_installed_handle);
	tcase_add_test(tc, notify_in_flight_handles_count);
	tcase_add_test(tc, notify_last_handle_in_flight);
	tcase_add_test(tc, notify_owner_releases_the_last);
	tcase_add_test(tc, notify_handle_release_once);
	tcase_add_test(tc, notify_no_handle_release_after_node);
	tcase_add_test(tc, notify_node_release_per_handle);
	tcase_add_test(tc, notify_own_handles);
	tcase_add_test(tc, notify_many_nodes_at_once);
	tcase_add_test(tc, notify_place_in_flight);
	tcase_add_test(tc, notify_place_installed);
	tcase_add_test(tc, notify_place_of_several_in_flight);
	tcase_add_test(tc, notify_place_of_two_nodes);
	tcase_add_test(tc, notify_dead_handle_sent);
	tcase_add_test(tc, notify_dead_handles_in_one_message);
	tcase_add_test(tc, notify_dead_before_and_after);
	tcase_add_test(tc, notify_dead_handle_multicast);
	tcase_add_test(tc, notify_in_flight_in_several_queues);
	tcase_add_test(tc, notify_in_flight_to_the_owner);
	tcase_add_test(tc, notify_vanishes_with_the_message);
	tcase_add_test(tc, notify_vanishes_with_the_handle);
	tcase_add_test(tc, notify_vanishes_with_the_dead_copy);
	tcase_add_test(tc, notify_dead_handle_transferred);
	tcase_add_test(tc, notify_survives_a_refused_recv);
	tcase_add_test(tc, notify_is_ordered_with_messages);
	tcase_add_test(tc, notify_node_that_keeps_itself);
	tcase_add_test(tc, notify_goes_to_the_other_side);
	return tc;
}
