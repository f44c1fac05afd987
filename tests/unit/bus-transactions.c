// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Nodes, handles, messages and peers: what becomes known at once, or, without memory, not at all
 */
#include "bus-unit.h"

static void nobody_knows(void)
{
	expect_empty(owner);
	expect_empty(receiver);
	ck_assert_uint_eq(op_wakes(owner) + op_wakes(receiver), 0);
}

/* Looks right before the commit, or after the first push. */
static void prepare_atomic(bool first)
{
	op_wakes(owner);
	op_wakes(receiver);
	unit_arm(first ? SHIM_CMPXCHG_DONE : SHIM_STORE, NULL, 1, nobody_knows);
}

START_TEST(multicast_is_atomic)
{
	both[0] = to_inbox;
	both[1] = handle;
	prepare_atomic(_i);
	ck_assert_int_eq(op_multicast(sender, 2, both, "all", 0, NULL), 0);
	unit_disarm();
	expect_text(owner, node, "all");
	expect_text(receiver, inbox, "all");
	ck_assert_uint_gt(op_wakes(owner), 0);
	ck_assert_uint_gt(op_wakes(receiver), 0);
}
END_TEST

START_TEST(release_is_atomic)
{
	prepare_atomic(false);
	RELEASE(sender, handle, to_inbox);
	unit_disarm();
	expect_handle_release(owner, node);
	expect_handle_release(receiver, inbox);
	ck_assert_uint_gt(op_wakes(owner), 0);
	ck_assert_uint_gt(op_wakes(receiver), 0);
}
END_TEST

/* all that a peer leaves is told in one transaction: its nodes, its handles, those in its queue */
START_TEST(close_is_atomic)
{
	u64 in_flight, last, to_sender;

	to_sender = op_node(sender, receiver, NULL);
	in_flight = op_node(receiver, receiver, &last);
	op_send_handle(receiver, to_sender, "unread", in_flight);
	RELEASE(receiver, in_flight);
	prepare_atomic(false);
	unit_trap.addr = &sender->tx.committed;
	op_close(sender);
	sender = NULL;
	unit_disarm();
	expect_handle_release(owner, node);
	ck_assert_uint_eq(op_wakes(owner), 1);
	ck_assert_uint_gt(op_wakes(receiver), 2);
	expect_handle_release(receiver, inbox);
	expect_handle_release(receiver, last);
	expect_node_release(receiver, to_sender);
	expect_empty(receiver);
	/* messages to a closed peer go nowhere */
	op_send(receiver, to_sender, "too late");
	RELEASE(receiver, to_sender);
}
END_TEST

/* messages that were sent stay when the sender goes */
START_TEST(close_of_sender)
{
	u64 copy;

	op_send_handle(sender, to_inbox, "testament", handle);
	op_close(sender);
	sender = NULL;
	copy = expect_handle(receiver, inbox, "testament");
	expect_handle_release(receiver, inbox);
	expect_empty(owner);
	RELEASE(receiver, copy);
	expect_handle_release(owner, node);
}
END_TEST

/* every commit wakes, whatever is in the queue already, read or not */
START_TEST(every_commit_wakes)
{
	u64 copy = op_copy(sender, receiver, handle), dead;
	int i;

	op_wakes(receiver);
	op_wakes(owner);
	for (i = 0; i < 4; i++) {
		op_send(sender, to_inbox, "more");
		ck_assert_uint_eq(op_wakes(receiver), 1);
		if (i == 1)
			op_poll(receiver);
	}
	both[0] = both[1] = to_inbox;
	ck_assert_int_eq(op_multicast(sender, 2, both, "more", 0, NULL), 0);
	ck_assert_uint_gt(op_wakes(receiver), 0);
	RELEASE(owner, node);
	ck_assert_uint_gt(op_wakes(receiver), 0);
	RELEASE(sender, to_inbox);
	ck_assert_uint_gt(op_wakes(receiver), 0);
	dead = op_copy(sender, receiver, handle);
	ck_assert_uint_gt(op_wakes(receiver), 0);
	RELEASE(receiver, copy, dead);
	/* nobody sleeps: nothing to do */
	receiver->wq.n_sleepers = 0;
	handle = op_node(owner, sender, &node);
	copy = op_node(receiver, sender, NULL);
	op_send(sender, copy, "awake");
	ck_assert_uint_eq(op_wakes(receiver), 0);
}
END_TEST

/* a message that is discarded wakes the owner of the node whose last handle was in it */
START_TEST(discard_wakes)
{
	op_send_handle(sender, to_inbox, "last", handle);
	RELEASE(sender, handle);
	op_wakes(owner);
	RELEASE(receiver, inbox);
	ck_assert_uint_gt(op_wakes(owner), 0);
	expect_handle_release(owner, node);
}
END_TEST

/* Failure leaves nothing */

static u64 many_nodes[12], many_handles[12];

static int fail_open(void)
{
	struct b1_peer *peer;
	int ret;

	ret = b1_peer_new(KUIDT_INIT(OPS_UID), &peer);
	if (!ret)
		op_close(peer);
	return ret;
}

static int fail_transfer(void)
{
	u64 ids[] = { 0, handle, 0, to_inbox }, out[4];

	return op_transfer(sender, owner, 4, ids, out);
}

static int fail_multicast(void)
{
	return op_multicast(sender, UNIT_N(many_handles), many_handles, "x", UNIT_N(many_handles),
			    many_handles);
}

static int fail_send(void)
{
	return op_multicast(sender, 1, &to_inbox, "x", 2, (u64[]){ handle, to_inbox });
}

static int fail_send_one(void)
{
	return op_multicast(sender, 1, &to_inbox, "x", 1, &handle);
}

/* more than sits behind a message, or behind the transaction of some */
static char long_text[4097];

static int fail_send_long(void)
{
	return op_multicast(sender, 1, &to_inbox, long_text, 0, NULL);
}

static int fail_multicast_long(void)
{
	return op_multicast(sender, 2, (u64[]){ to_inbox, to_inbox }, long_text, 0, NULL);
}

static void prepare_none(void)
{
	memset(long_text, 'x', sizeof(long_text) - 1);
}

static void prepare_multicast(void)
{
	size_t i;

	for (i = 0; i < UNIT_N(many_handles); i++)
		many_handles[i] = op_node(owner, sender, &many_nodes[i]);
}

static const struct {
	void (*prepare)(void);
	int (*run)(void);
	unsigned int n_allocs;
} failures[] = {
	{ prepare_none, fail_open, 2 },
	{ prepare_none, fail_transfer, 2 + 1 + 2 + 1 },
	{ prepare_multicast, fail_multicast, 3 + 12 + 12 * 12 },
	{ prepare_none, fail_send, 3 },
	{ prepare_none, fail_send_one, 2 },
	{ prepare_none, fail_send_long, 2 },
	{ prepare_none, fail_multicast_long, 2 + 2 },
};

/* The nodes have as many handles as they had, and nobody was told anything. */
static void check_unchanged(long live, u64 n_handles)
{
	ck_assert_int_eq(shim_n_live(), live);
	ck_assert_int_eq(shim_n_locked(), 0);
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, n_handles);
	ck_assert(!op_poll(owner));
}

START_TEST(no_memory)
{
	unsigned long nth, before;
	u64 n_handles;
	long live;
	int ret;

	failures[_i].prepare();
	live = shim_n_live();
	n_handles = op_node_of(sender, handle)->n_handles;
	for (nth = 1;; nth++) {
		before = shim_n_allocs();
		shim_fail_nth = nth;
		ret = failures[_i].run();
		shim_fail_nth = 0;
		if (!ret)
			break;
		ck_assert_int_eq(ret, -ENOMEM);
		ck_assert_uint_eq(shim_n_allocs() - before, nth);
		check_unchanged(live, n_handles);
	}
	/* each allocation has failed once */
	ck_assert_uint_eq(nth - 1, failures[_i].n_allocs);
}
END_TEST

/* whoever is being killed gives up what would take long */
START_TEST(killed)
{
	u64 destinations[OPS_MAX], dead[B1_RELAX_BATCH], n_handles, before;
	size_t i;
	long live;

	prepare_multicast();
	live = shim_n_live();
	n_handles = op_node_of(sender, handle)->n_handles;
	for (i = 0; i < UNIT_N(destinations); i++)
		destinations[i] = handle;
	shim_killed = true;
	ck_assert_int_eq(op_multicast(sender, B1_RELAX_BATCH, destinations, "x", 0, NULL), -EINTR);
	/* few destinations, but each with a handle */
	ck_assert_int_eq(op_multicast(sender, B1_RELAX_BATCH / 2, destinations, "x", 1, &handle),
			 -EINTR);
	/* some dozens of handles are made at a time: those, a message and two arrays are allocated */
	before = shim_n_allocs();
	ck_assert_int_eq(op_multicast(sender, 1, &handle, "x", UNIT_N(destinations), destinations),
			 -EINTR);
	ck_assert_uint_le(shim_n_allocs() - before, B1_RELAX_BATCH + 3);
	ck_assert_int_eq(fail_transfer(), -EINTR);
	shim_killed = false;
	check_unchanged(live, n_handles);
	ck_assert_int_eq(op_multicast(sender, B1_RELAX_BATCH, destinations, "x", B1_RELAX_BATCH,
				      destinations), 0);
	/* nobody is there any more */
	RELEASE(receiver, inbox);
	for (i = 0; i < UNIT_N(dead); i++)
		dead[i] = to_inbox;
	shim_killed = true;
	ck_assert_int_eq(op_multicast(sender, UNIT_N(dead), dead, "x", 0, NULL), -EINTR);
	shim_killed = false;
}
END_TEST

/* a receive whose outputs cannot be written */
START_TEST(aborted_receive)
{
	struct b1_recv recv;
	u64 id;

	op_send_handle(sender, to_inbox, "again", handle);
	mutex_lock(&receiver->lock);
	ck_assert_int_eq(b1_recv_peek(&recv, receiver), 0);
	b1_recv_prepare(&recv);
	id = recv.message->handles[0]->obj.id;
	ck_assert_ptr_null(b1_handle_find(receiver, id));
	b1_recv_abort(&recv);
	mutex_unlock(&receiver->lock);
	ck_assert_ptr_null(op_object(receiver, id));
	/* the ID is used up */
	ck_assert_uint_eq(expect_handle(receiver, inbox, "again"), id + 2);
}
END_TEST

/* release, close and the notifications of the latter need no memory; a receive can do without */
START_TEST(ends_allocate_nothing)
{
	unsigned long before;
	struct received r;

	ck_assert_int_eq(op_multicast(sender, 1, &to_inbox, "x", 3,
				      (u64[]){ handle, to_inbox, handle }), 0);
	shim_fail_nth = 1;
	ck_assert_int_eq(op_recv(receiver, &r), 0);
	shim_fail_nth = 0;
	ck_assert_ptr_null(receiver->spare);
	op_send_handle(sender, to_inbox, "M", handle);
	op_send_handle(sender, handle, "M", to_inbox);
	op_node(sender, receiver, NULL);
	before = shim_n_allocs();
	RELEASE(owner, node);
	RELEASE(sender, handle);
	op_close(sender);
	op_close(receiver);
	op_close(owner);
	sender = receiver = owner = NULL;
	ck_assert_uint_eq(shim_n_allocs(), before);
	expect_nothing_left();
}
END_TEST

void add_transactions(Suite *suite)
{
	TCase *tcase = bus_case(suite, "transactions");

	tcase_add_loop_test(tcase, multicast_is_atomic, 0, 2);
	tcase_add_test(tcase, release_is_atomic);
	tcase_add_test(tcase, close_is_atomic);
	tcase_add_test(tcase, close_of_sender);
	tcase_add_test(tcase, every_commit_wakes);
	tcase_add_test(tcase, discard_wakes);
	tcase_add_loop_test(tcase, no_memory, 0, UNIT_N(failures));
	tcase_add_test(tcase, killed);
	tcase_add_test(tcase, aborted_receive);
	tcase_add_test(tcase, ends_allocate_nothing);
}
