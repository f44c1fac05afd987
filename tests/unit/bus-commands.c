// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Nodes, handles, messages and peers: commands that are killed while they wait for another thread
 * of their peer; what is counted for others to look at; for how long strangers have to wait
 */
#include "bus-unit.h"

/* Killed. Whoever is being killed does not get a lock that it would have to wait for. */

static int release_killed(struct b1_peer *peer, size_t n, const u64 *ids)
{
	int ret;

	shim_killed = true;
	ret = op_release(peer, n, ids);
	shim_killed = false;
	ck_assert_int_eq(shim_n_locked(), 0);
	return ret;
}

/* with a node it needs the queue, and gives all up without it */
START_TEST(killed_release)
{
	u64 own, to_own = op_node(sender, receiver, &own), ids[] = { handle, own, to_inbox, own };
	u64 before = n_claimed(sender), copy;

	op_send_handle(receiver, to_own, "wait", to_own);
	ck_assert_int_eq(release_killed(sender, UNIT_N(ids), ids), -EINTR);
	ck_assert_uint_eq(n_claimed(sender), before);
	expect_empty(owner);
	expect_empty(receiver);
	op_send(sender, to_inbox, "alive");
	expect_text(receiver, inbox, "alive");
	op_send(receiver, to_own, "me too");
	copy = expect_handle(sender, own, "wait");
	expect_text(sender, own, "me too");
	/* and they can be released again, together or one by one */
	if (_i) {
		ck_assert_int_eq(op_release(sender, UNIT_N(ids), ids), 0);
		expect_handle_release(receiver, inbox);
		expect_node_release(receiver, to_own);
	} else {
		RELEASE(sender, own);
		expect_node_release(receiver, to_own);
		RELEASE(sender, to_inbox);
		expect_handle_release(receiver, inbox);
		RELEASE(sender, handle);
	}
	RELEASE(sender, copy);
	expect_handle_release(owner, node);
	expect_empty(sender);
}
END_TEST

/*
 * Without a node it cannot fail, alone or with others. A notification that it would take out of the
 * queue stays there, and so does the handle, but nobody receives it.
 */
START_TEST(killed_release_of_handles)
{
	u64 ids[] = { handle, to_inbox }, before = n_claimed(sender);
	unsigned int n = 1 + (_i & 1);
	long live;

	RELEASE(owner, node);
	/* it is next, or on the stack */
	if (_i & 2)
		ck_assert(op_poll(sender));
	ck_assert_int_eq(release_killed(sender, n, ids), 0);
	ck_assert_int_eq(op_release(sender, 1, &handle), -EBADRQC);
	ck_assert_uint_eq(n_claimed(sender), before - n);
	live = shim_n_live();
	if (_i & 4) {
		op_close(sender);
		sender = NULL;
		return;
	}
	expect_empty(sender);
	/* the transaction of a release is in the first handle */
	if (n > 1)
		expect_handle_release(receiver, inbox);
	/* the handle and the node */
	ck_assert_int_eq(shim_n_live(), live - 2);
}
END_TEST

static void kill_now(void)
{
	shim_killed = true;
}

/* killed when the messages of a node have been taken out: what they carry goes all the same */
START_TEST(killed_discard)
{
	u64 before = n_claimed(sender);
	long live;

	op_send_handle(sender, to_inbox, "lost", handle);
	RELEASE(owner, node);
	unit_arm(SHIM_UNLOCK, &receiver->queue.lock, 1, kill_now);
	RELEASE(receiver, inbox);
	unit_disarm();
	shim_killed = false;
	ck_assert_uint_eq(n_claimed(sender), before);
	live = shim_n_live();
	ck_assert(!op_poll(receiver));
	ck_assert_int_eq(shim_n_live(), live - 1);
	expect_empty(receiver);
}
END_TEST

/* at the first look, or when all has been told: the entry stays first, whatever it is */
START_TEST(killed_receive)
{
	struct received r;
	u64 copy;

	if (_i & 2)
		RELEASE(owner, node);
	op_send_handle(sender, to_inbox, "stay", handle);
	if (_i & 1)
		unit_arm(SHIM_UNLOCK, &receiver->queue.lock, 1, kill_now);
	else
		shim_killed = true;
	ck_assert_int_eq(op_recv(receiver, &r), -EINTR);
	if (_i & 1)
		unit_disarm();
	shim_killed = false;
	ck_assert_int_eq(shim_n_locked(), 0);
	/* what it has been told is worth nothing */
	ck_assert_uint_eq(r.n, _i & 1);
	if (_i & 1)
		ck_assert_ptr_null(op_object(receiver, r.handles[0]));
	copy = expect_handle(receiver, inbox, "stay");
	if (!(_i & 2))
		return;
	/* and so does a notification */
	if (_i & 1)
		unit_arm(SHIM_UNLOCK, &receiver->queue.lock, 1, kill_now);
	else
		shim_killed = true;
	ck_assert_int_eq(op_recv(receiver, &r), -EINTR);
	shim_hook = NULL;
	shim_killed = false;
	ck_assert(op_poll(receiver));
	expect_node_release(receiver, copy);
	expect_empty(receiver);
}
END_TEST

START_TEST(killed_poll)
{
	op_send(sender, to_inbox, "ready");
	shim_killed = true;
	ck_assert_int_eq(b1_recv_ready(receiver), -EINTR);
	shim_killed = false;
	ck_assert_int_eq(shim_n_locked(), 0);
	ck_assert_int_eq(b1_recv_ready(receiver), 1);
	expect_text(receiver, inbox, "ready");
	ck_assert_int_eq(b1_recv_ready(receiver), 0);
}
END_TEST

/* a close cannot fail */
START_TEST(killed_close)
{
	op_send_handle(sender, to_inbox, "lost", handle);
	RELEASE(owner, node);
	shim_killed = true;
	op_close(receiver);
	shim_killed = false;
	receiver = NULL;
	expect_node_release(sender, handle);
	expect_node_release(sender, to_inbox);
}
END_TEST

/* What waits for a node, for others to look at */

static const struct b1_node *loaded;

static void expect_load(u64 messages, u64 handles, u64 bytes)
{
	struct b1_node_load load;

	b1_node_load(loaded, &load);
	ck_assert_uint_eq(load.messages, messages);
	ck_assert_uint_eq(load.handles, handles);
	ck_assert_uint_eq(load.bytes, bytes);
}

static void look_at_load(void)
{
	expect_load(4, 2 + 2 * 3, 5 + 2 * 5);
}

START_TEST(node_load)
{
	u64 handles[] = { handle, handle, to_inbox }, both_inbox[] = { to_inbox, to_inbox };
	u64 other, to_other = op_node(receiver, sender, &other);

	loaded = op_node_of(sender, to_inbox);
	expect_load(0, 0, 0);
	ck_assert_int_eq(op_multicast(sender, 1, &to_inbox, "three", 2, handles), 0);
	expect_load(1, 2, 5);
	op_send(sender, to_inbox, "");
	op_send(sender, to_other, "other");
	expect_load(2, 2, 5);
	/* those that are not committed, too */
	unit_arm(SHIM_STORE, NULL, 1, look_at_load);
	ck_assert_int_eq(op_multicast(sender, 2, both_inbox, "twice", 3, handles), 0);
	unit_disarm();
	expect_handles(receiver, inbox, "three", 2, handles);
	expect_load(3, 6, 10);
	expect_text(receiver, inbox, "");
	expect_text(receiver, other, "other");
	expect_handles(receiver, inbox, "twice", 3, handles);
	expect_load(1, 3, 5);
	expect_handles(receiver, inbox, "twice", 3, handles);
	expect_load(0, 0, 0);
}
END_TEST

static void release_inbox(void)
{
	RELEASE(receiver, inbox);
}

/* a notification is no load, nor is a message that goes nowhere */
START_TEST(no_node_load)
{
	struct b1_node *to = op_node_of(sender, to_inbox);
	u64 copy = op_copy(sender, sender, to_inbox);

	loaded = to;
	RELEASE(owner, node);
	expect_load(0, 0, 0);
	unit_arm(SHIM_LOCK, &to->lock, 1, release_inbox);
	op_send(sender, copy, "nowhere");
	unit_disarm();
	expect_load(0, 0, 0);
}
END_TEST

/* Somebody who looks between a push and its count finds less than nothing: that is nothing. */
START_TEST(node_load_is_never_negative)
{
	struct b1_node *to = op_node_of(sender, to_inbox);

	loaded = to;
	to->taken = (struct b1_node_load){ 1, 2, 3 };
	expect_load(0, 0, 0);
	to->pushed = (struct b1_node_load){ 2, 2, 2 };
	expect_load(1, 0, 0);
}
END_TEST

/* How long shared locks are held */

#define N_MANY OPS_MAX

static const void *watched;		/* a lock */
static unsigned int n_holds, n_steps, most_steps;

static void watch_hook(enum shim_point point, const void *addr)
{
	if (point == SHIM_LOCK && addr == watched) {
		n_steps = 0;
	} else if (point == SHIM_UNLOCK && addr == watched) {
		n_holds++;
		most_steps = n_steps > most_steps ? n_steps : most_steps;
		n_steps = 0;
	} else if (point == SHIM_LOAD || point == SHIM_CMPXCHG) {
		n_steps++;
	}
}

static void watch(const void *lock)
{
	watched = lock;
	n_holds = most_steps = 0;
	shim_hook = watch_hook;
}

/* It was held often enough for @n steps, and never for more of them than may be. */
static void expect_short(size_t n)
{
	shim_hook = NULL;
	ck_assert_uint_le(most_steps, B1_RELAX_BATCH);
	ck_assert_uint_gt(n_holds, n / B1_RELAX_BATCH);
}

START_TEST(lookups_are_short)
{
	u64 ids[N_MANY], to_all[N_MANY], copies[N_MANY];
	size_t i;

	for (i = 0; i < N_MANY; i++) {
		ids[i] = handle;
		to_all[i] = to_inbox;
	}
	watch(&sender->table.lock);
	switch (_i) {
	case 0:
		ck_assert_int_eq(op_multicast(sender, N_MANY, to_all, "", 0, NULL), 0);
		break;
	case 1:
		/* one destination, or many, and then the others without a break */
		ck_assert_int_eq(op_multicast(sender, 1, to_all, "", N_MANY, ids), 0);
		break;
	case 2:
		ck_assert_int_eq(op_multicast(sender, B1_RELAX_BATCH - 1, to_all, "", N_MANY, ids),
				 0);
		break;
	case 3:
		ck_assert_int_eq(op_transfer(sender, receiver, N_MANY, ids, copies), 0);
		break;
	}
	expect_short(N_MANY);
	ck_assert_uint_ge(most_steps, B1_RELAX_BATCH - 1);
}
END_TEST

START_TEST(inserts_are_short)
{
	u64 ids[N_MANY];
	size_t i;

	for (i = 0; i < N_MANY; i++)
		ids[i] = handle;
	ck_assert_int_eq(op_multicast(sender, 1, &to_inbox, "", N_MANY, ids), 0);
	watch(&receiver->table.lock);
	expect_handles(receiver, inbox, "", N_MANY, ids);
	expect_short(N_MANY);
	/* found in one go for each call, and then erased */
	watch(&receiver->table.lock);
	ck_assert_int_eq(op_release(receiver, N_MANY, ids), 0);
	expect_short(2 * N_MANY);
}
END_TEST

START_TEST(notifications_are_short)
{
	struct b1_node *b1_node = op_node_of(sender, handle);
	u64 copies[N_MANY];
	size_t i;

	for (i = 0; i < N_MANY; i++)
		copies[i] = op_copy(sender, receiver, handle);
	watch(&b1_node->lock);
	RELEASE(owner, node);
	expect_short(N_MANY);
	for (i = 0; i < N_MANY; i++)
		expect_node_release(receiver, copies[i]);
}
END_TEST

/* Nodes and handles of one release are in two lists: it does not matter how they are mixed. */

static void others_know_nothing(void)
{
	expect_empty(sender);
	expect_empty(receiver);
}

START_TEST(release_in_any_order)
{
	static const int orders[6][3] = {
		{ 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 }, { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 },
	};
	u64 own = op_copy(sender, owner, handle), last = op_node(sender, owner, &both[0]);
	u64 second, to_second = op_node(owner, sender, &second);
	u64 of[3] = { node, own, last }, ids[8];
	int i;

	for (i = 0; i < 6; i++)
		ids[i] = of[orders[_i][i % 3]];
	/* another node, behind them all */
	ids[6] = second;
	ids[7] = node;
	unit_arm(SHIM_STORE, NULL, 1, others_know_nothing);
	ck_assert_int_eq(op_release(owner, 8, ids), 0);
	unit_disarm();
	/* the handle to the node of the sender is told first, then the nodes in their order */
	expect_handle_release(sender, both[0]);
	expect_node_release(sender, handle);
	expect_node_release(sender, to_second);
	others_know_nothing();
	expect_empty(owner);
	for (i = 0; i < 8; i++)
		ck_assert_int_eq(op_release(owner, 1, &ids[i]), -EBADRQC);
}
END_TEST

/* in the order they are named, not in that of their IDs */
START_TEST(release_order)
{
	u64 nodes[3], handles[3], own[3], to_own[3];
	int i;

	for (i = 0; i < 3; i++) {
		handles[i] = op_node(owner, sender, &nodes[i]);
		to_own[i] = op_node(sender, receiver, &own[i]);
	}
	RELEASE(sender, own[2], handles[1], own[0], handles[2], own[1], handles[0]);
	for (i = 1; i < 4; i++)
		expect_handle_release(owner, nodes[i % 3]);
	for (i = 2; i < 5; i++)
		expect_node_release(receiver, to_own[i % 3]);
}
END_TEST

static void owner_knows_nothing(void)
{
	expect_empty(owner);
}

/* the handles in messages that go with their node are part of the same transaction */
START_TEST(release_with_messages_is_atomic)
{
	u64 copy = op_copy(sender, receiver, handle);

	op_send_handle(sender, to_inbox, "lost", handle);
	RELEASE(sender, handle);
	op_wakes(owner);
	unit_arm(SHIM_STORE, NULL, 1, owner_knows_nothing);
	RELEASE(receiver, copy, inbox);
	unit_disarm();
	ck_assert_uint_eq(op_wakes(owner), 1);
	expect_handle_release(owner, node);
	expect_node_release(sender, to_inbox);
}
END_TEST

void add_commands(Suite *suite)
{
	TCase *tcase = bus_case(suite, "commands");

	tcase_add_loop_test(tcase, killed_release, 0, 2);
	tcase_add_loop_test(tcase, killed_release_of_handles, 0, 8);
	tcase_add_test(tcase, killed_discard);
	tcase_add_loop_test(tcase, killed_receive, 0, 4);
	tcase_add_test(tcase, killed_poll);
	tcase_add_test(tcase, killed_close);
	tcase_add_test(tcase, node_load);
	tcase_add_test(tcase, no_node_load);
	tcase_add_test(tcase, node_load_is_never_negative);
	tcase_add_loop_test(tcase, lookups_are_short, 0, 4);
	tcase_add_test(tcase, inserts_are_short);
	tcase_add_test(tcase, notifications_are_short);
	tcase_add_loop_test(tcase, release_in_any_order, 0, 6);
	tcase_add_test(tcase, release_order);
	tcase_add_test(tcase, release_with_messages_is_atomic);
}
