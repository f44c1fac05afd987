// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The release command: section "release" of the contract. What the other side is told is the
 * subject of notify.c; here it is what disappears.
 */
#include "b1t.h"

enum { N = 5 };

/* @n nodes of @owner with one handle each in @holder. */
static void make_nodes(int owner, int holder, size_t n, uint64_t *nodes, uint64_t *handles)
{
	size_t i;

	for (i = 0; i < n; i++)
		b1t_node_ok(owner, holder, &nodes[i], &handles[i]);
}

/* several handles in one call: all are gone, their owner hears of each */
START_TEST(release_several_handles)
{
	uint64_t nodes[N], handles[N];
	size_t n, i;
	int a, b;

	for (n = 1; n <= N; n++) {
		a = b1t_peer();
		b = b1t_peer();
		make_nodes(a, b, N, nodes, handles);
		ck_assert_int_eq(b1t_release(b, n, handles), 0);
		for (i = 0; i < n; i++)
			b1t_expect_unknown(b, handles[i]);
		for (i = n; i < N; i++)
			ck_assert_int_eq(b1t_send_text(b, handles[i], "alive"), 0);
		b1t_expect_handle_releases(a, n, nodes);
		for (i = n; i < N; i++)
			b1t_expect_text(a, nodes[i], "alive");
		b1t_expect_empty(a);
		close(a);
		close(b);
	}
}
END_TEST

/* several nodes in one call: all are gone, the holders hear of each */
START_TEST(release_several_nodes)
{
	uint64_t nodes[N], handles[N];
	size_t n, i;
	int a, b;

	for (n = 1; n <= N; n++) {
		a = b1t_peer();
		b = b1t_peer();
		make_nodes(a, b, N, nodes, handles);
		ck_assert_int_eq(b1t_release(a, n, nodes), 0);
		for (i = 0; i < n; i++)
			b1t_expect_unknown(a, nodes[i]);
		b1t_expect_node_releases(b, n, handles);
		for (i = 0; i < N; i++)
			ck_assert_int_eq(b1t_send_text(b, handles[i], "x"), 0);
		for (i = n; i < N; i++)
			b1t_expect_text(a, nodes[i], "x");
		b1t_expect_empty(a);
		close(a);
		close(b);
	}
}
END_TEST

/* nodes and handles, of several peers, in one call */
START_TEST(release_mixes_nodes_and_handles)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t bn[2], bh[2], an[2], ah[2], cn, ch, sum[2] = { 0 };
	struct b1t_received r;
	size_t i;

	make_nodes(b, a, 2, bn, bh);
	make_nodes(a, b, 2, an, ah);
	b1t_node_ok(c, a, &cn, &ch);
	ck_assert_int_eq(B1T_RELEASE(a, bh[1], an[0], ch, an[1], bh[0]), 0);
	b1t_expect_handle_release(c, cn);
	b1t_expect_empty(a);
	/* one transaction has no order within a queue: two of each kind, each ID once */
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(b1t_recv(b, &r), 0);
		sum[r.message.type == BUS1_MESSAGE_TYPE_NODE_RELEASE] += r.metadata.id;
	}
	ck_assert_uint_eq(sum[0], bn[0] + bn[1]);
	ck_assert_uint_eq(sum[1], ah[0] + ah[1]);
	b1t_expect_empty(b);
	b1t_expect_unknown(a, an[0]);
	b1t_expect_unknown(a, an[1]);
	b1t_expect_unknown(a, bh[0]);
	b1t_expect_unknown(a, bh[1]);
	b1t_expect_unknown(a, ch);
	b1t_expect_empty(c);
}
END_TEST

/* an ID named more than once in one call counts once */
START_TEST(release_counts_duplicates_once)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle, own_node, held, copy;

	b1t_node_ok(a, b, &node, &handle);
	b1t_node_ok(b, a, &own_node, &held);
	copy = b1t_copy_ok(b, -1, handle);
	ck_assert_int_eq(B1T_RELEASE(b, handle, handle, own_node, handle, own_node), 0);
	b1t_expect_node_release(a, held);
	/* had the duplicates counted, the copy would be gone or uncounted */
	b1t_expect_empty(a);
	ck_assert_int_eq(b1t_send_text(b, copy, "still"), 0);
	b1t_expect_text(a, node, "still");
	b1t_expect_unknown(b, handle);
	b1t_expect_unknown(b, own_node);
	ck_assert_int_eq(B1T_RELEASE(b, copy, copy), 0);
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
}
END_TEST

/* one unknown ID, wherever it stands: nothing is released and nobody is told */
START_TEST(release_unknown_id_releases_nothing)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle, own_node, held, ids[5], bad;
	size_t pos, i, k;

	b1t_node_ok(a, b, &node, &handle);
	b1t_node_ok(b, a, &own_node, &held);
	ck_assert_int_eq(b1t_send_text(a, held, "queued"), 0);
	for (pos = 0; pos < 5; pos++) {
		bad = pos % 2 ? 0 : handle + own_node + 1;
		for (i = 0, k = 0; i < 5; i++)
			ids[i] = i == pos ? bad : k++ % 2 ? own_node : handle;
		ck_assert_int_eq(b1t_release(b, 5, ids), -EBADRQC);
	}
	b1t_expect_empty(a);
	ck_assert_int_eq(b1t_send_text(a, held, "second"), 0);
	b1t_expect_text(b, own_node, "queued");
	b1t_expect_text(b, own_node, "second");
	ck_assert_int_eq(b1t_send_text(b, handle, "works"), 0);
	b1t_expect_text(a, node, "works");
	/* the failed attempts left no mark: the same IDs can be released for good */
	ck_assert_int_eq(B1T_RELEASE(b, handle, own_node), 0);
}
END_TEST

/* an ID already released makes the next call fail as a whole */
START_TEST(release_twice)
{
	int a = b1t_peer();
	uint64_t n0, h0, n1, h1;

	b1t_node_ok(a, -1, &n0, &h0);
	b1t_node_ok(a, -1, &n1, &h1);
	ck_assert_int_eq(b1t_release1(a, h0), 0);
	ck_assert_int_eq(B1T_RELEASE(a, n1, h0), -EBADRQC);
	b1t_expect_handle_release(a, n0);
	ck_assert_int_eq(b1t_send_text(a, h1, "n1 is there"), 0);
	b1t_expect_text(a, n1, "n1 is there");
}
END_TEST

/* queued messages to a released node vanish, the others keep their order */
START_TEST(release_discards_queued_messages)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t nodes[3], handles[3];
	char text[8];
	size_t i;

	make_nodes(a, b, 3, nodes, handles);
	for (i = 0; i < 9; i++) {
		snprintf(text, sizeof(text), "m%zu", i);
		ck_assert_int_eq(b1t_send_text(b, handles[i % 3], text), 0);
	}
	ck_assert_int_eq(B1T_RELEASE(a, nodes[0], nodes[2]), 0);
	b1t_expect_text(a, nodes[1], "m1");
	b1t_expect_text(a, nodes[1], "m4");
	b1t_expect_text(a, nodes[1], "m7");
	b1t_expect_empty(a);
}
END_TEST

/* of a multicast, only the copy for the released node vanishes */
START_TEST(release_discards_only_its_part_of_a_multicast)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t nodes[2], dests[4], cn;

	make_nodes(a, b, 2, nodes, dests);
	b1t_node_ok(c, b, &cn, &dests[2]);
	dests[3] = dests[0];
	ck_assert_int_eq(b1t_send(b, 4, dests, "m", 1, NULL, 0), 0);
	ck_assert_int_eq(b1t_release1(a, nodes[0]), 0);
	b1t_expect_text(a, nodes[1], "m");
	b1t_expect_empty(a);
	b1t_expect_text(c, cn, "m");
}
END_TEST

/* handles in discarded messages are released before the call returns, without any recv */
START_TEST(release_releases_carried_handles)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer(), d = b1t_peer();
	uint64_t node, handle, cn[3], ch[3], dn, dh, carried[4];

	b1t_node_ok(b, a, &node, &handle);
	make_nodes(c, a, 3, cn, ch);
	b1t_node_ok(d, a, &dn, &dh);
	memcpy(carried, ch, sizeof(ch));
	carried[3] = dh;
	b1t_send_ok(a, handle, "first", 4, carried);
	b1t_send_ok(a, handle, "second", 1, &dh);
	ck_assert_int_eq(B1T_RELEASE(a, ch[0], ch[1], ch[2], dh), 0);
	b1t_expect_empty(c);
	b1t_expect_empty(d);
	ck_assert_int_eq(b1t_release1(b, node), 0);
	ck_assert(b1t_readable(c));
	ck_assert(b1t_readable(d));
	b1t_expect_handle_releases(c, 3, cn);
	b1t_expect_handle_release(d, dn);
	b1t_expect_empty(c);
	b1t_expect_empty(d);
	b1t_expect_empty(b);
}
END_TEST

/* the same where the carried handle's node belongs to the peer that releases */
START_TEST(release_releases_carried_handles_of_its_own)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle, other, oh;

	b1t_node_ok(b, a, &node, &handle);
	b1t_node_ok(b, a, &other, &oh);
	b1t_send_ok(a, handle, "", 1, &oh);
	ck_assert_int_eq(b1t_release1(a, oh), 0);
	ck_assert_int_eq(b1t_release1(b, node), 0);
	b1t_expect_handle_release(b, other);
	b1t_expect_empty(b);
}
END_TEST

/* a message may carry a handle to the very node it was sent to; releasing that ends both */
START_TEST(release_of_a_node_that_holds_itself)
{
	int a = b1t_peer();
	uint64_t node, handle, n2, h2;

	/* one that holds itself, two that hold each other */
	b1t_node_ok(a, -1, &node, &handle);
	b1t_node_ok(a, -1, &n2, &h2);
	b1t_send_ok(a, handle, "", 1, &handle);
	b1t_send_ok(a, handle, "", 1, &h2);
	b1t_send_ok(a, h2, "", 1, &handle);
	ck_assert_int_eq(B1T_RELEASE(a, handle, h2), 0);
	ck_assert_int_eq(B1T_RELEASE(a, node, n2), 0);
	b1t_expect_empty(a);
	b1t_expect_unknown(a, node);
	b1t_expect_unknown(a, n2);
}
END_TEST

/* a message and the node of the handle it carries, released together: no notification is left */
START_TEST(release_of_carried_node_and_destination)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t n0, h0, n1, h1;

	b1t_node_ok(b, a, &n0, &h0);
	b1t_node_ok(b, a, &n1, &h1);
	b1t_send_ok(a, h0, "", 1, &h1);
	ck_assert_int_eq(B1T_RELEASE(b, n1, n0), 0);
	b1t_expect_empty(b);
	b1t_expect_node_releases(a, 2, (uint64_t[]){ h0, h1 });
	b1t_expect_empty(a);
}
END_TEST

/* a pending NODE_RELEASE vanishes with its handle */
START_TEST(release_cancels_pending_node_release)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t nodes[3], handles[3];

	make_nodes(a, b, 3, nodes, handles);
	ck_assert_int_eq(b1t_release(a, 3, nodes), 0);
	ck_assert(b1t_readable(b));
	ck_assert_int_eq(B1T_RELEASE(b, handles[1]), 0);
	b1t_expect_node_releases(b, 2, (uint64_t[]){ handles[0], handles[2] });
	b1t_expect_empty(b);
}
END_TEST

/* a pending HANDLE_RELEASE vanishes with its node */
START_TEST(release_cancels_pending_handle_release)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t nodes[3], handles[3];

	make_nodes(a, b, 3, nodes, handles);
	ck_assert_int_eq(b1t_release(b, 3, handles), 0);
	ck_assert(b1t_readable(a));
	ck_assert_int_eq(B1T_RELEASE(a, nodes[2], nodes[0]), 0);
	b1t_expect_handle_release(a, nodes[1]);
	b1t_expect_empty(a);
}
END_TEST

/* a node and the owner's own handles to it, in one call and either order: silence */
START_TEST(release_node_with_own_handles)
{
	int a = b1t_peer();
	uint64_t node, handle, copy;

	b1t_node_ok(a, -1, &node, &handle);
	copy = b1t_copy_ok(a, -1, handle);
	ck_assert_int_eq(B1T_RELEASE(a, node, handle, copy), 0);
	b1t_expect_empty(a);
	b1t_node_ok(a, -1, &node, &handle);
	copy = b1t_copy_ok(a, -1, handle);
	ck_assert_int_eq(B1T_RELEASE(a, copy, handle, node), 0);
	b1t_expect_empty(a);
}
END_TEST

/* a message stays deliverable when the handle it was sent through goes */
START_TEST(release_of_the_handle_keeps_messages)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t node, handle, cn, ch, got;

	b1t_node_ok(a, b, &node, &handle);
	b1t_node_ok(c, b, &cn, &ch);
	b1t_send_ok(b, handle, "text", 1, &ch);
	ck_assert_int_eq(B1T_RELEASE(b, handle, ch), 0);
	got = b1t_expect_handle(a, node, "text");
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
	b1t_expect_empty(c);
	ck_assert_int_eq(b1t_send_text(a, got, "through"), 0);
	b1t_expect_text(c, cn, "through");
}
END_TEST

/* a node can be released when nothing refers to it any more, with messages still queued */
START_TEST(release_of_an_unreachable_node)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle;

	b1t_node_ok(a, b, &node, &handle);
	ck_assert_int_eq(b1t_send_text(b, handle, "lost"), 0);
	ck_assert_int_eq(b1t_release1(b, handle), 0);
	ck_assert_int_eq(b1t_release1(a, node), 0);
	b1t_expect_empty(a);
	b1t_expect_empty(b);
}
END_TEST

/* all of one call is one transaction: when it returns, every queue has its part */
START_TEST(release_reaches_every_queue)
{
	int a = b1t_peer(), holder[N];
	uint64_t nodes[N], handles[N];
	size_t i;

	for (i = 0; i < N; i++) {
		holder[i] = b1t_peer();
		b1t_node_ok(a, holder[i], &nodes[i], &handles[i]);
	}
	ck_assert_int_eq(b1t_release(a, N, nodes), 0);
	for (i = 0; i < N; i++)
		ck_assert(b1t_readable(holder[i]));
	for (i = 0; i < N; i++)
		b1t_expect_node_release(holder[i], handles[i]);
}
END_TEST

/* thousands of IDs in one call, among them every one twice */
START_TEST(release_thousands)
{
	enum { COUNT = 3000 };
	int a = b1t_peer(), b = b1t_peer();
	uint64_t *ids = calloc(2 * COUNT, sizeof(*ids)), node, first;
	size_t i;

	b1t_node_ok(a, b, &node, &first);
	for (i = 0; i < COUNT; i++)
		ids[i] = ids[2 * COUNT - 1 - i] = b1t_copy_ok(b, -1, first);
	ck_assert_int_eq(b1t_release(b, 2 * COUNT, ids), 0);
	b1t_expect_unknown(b, ids[0]);
	b1t_expect_unknown(b, ids[COUNT - 1]);
	b1t_expect_empty(a);
	ck_assert_int_eq(b1t_release1(b, first), 0);
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
	free(ids);
}
END_TEST

TCase *b1t_tcase_release(void)
{
	TCase *tc = tcase_create("release");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, release_several_handles);
	tcase_add_test(tc, release_several_nodes);
	tcase_add_test(tc, release_mixes_nodes_and_handles);
	tcase_add_test(tc, release_counts_duplicates_once);
	tcase_add_test(tc, release_unknown_id_releases_nothing);
	tcase_add_test(tc, release_twice);
	tcase_add_test(tc, release_discards_queued_messages);
	tcase_add_test(tc, release_discards_only_its_part_of_a_multicast);
	tcase_add_test(tc, release_releases_carried_handles);
	tcase_add_test(tc, release_releases_carried_handles_of_its_own);
	tcase_add_test(tc, release_of_a_node_that_holds_itself);
	tcase_add_test(tc, release_of_carried_node_and_destination);
	tcase_add_test(tc, release_cancels_pending_node_release);
	tcase_add_test(tc, release_cancels_pending_handle_release);
	tcase_add_test(tc, release_node_with_own_handles);
	tcase_add_test(tc, release_of_the_handle_keeps_messages);
	tcase_add_test(tc, release_of_an_unreachable_node);
	tcase_add_test(tc, release_reaches_every_queue);
	tcase_add_test(tc, release_thousands);
	return tc;
}
