// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Nodes, handles, messages, transactions and peers: what is counted, who is told, and in which
 * order, also when something else happens in the middle. Three peers: the owner of most nodes, the
 * sender and the receiver. After each test all is closed, and nothing may be left in memory.
 */
#include <pthread.h>
#include <unistd.h>

#include "../../kmod/relax.h"
#include "ops.h"

static struct b1_peer *owner, *sender, *receiver;
static u64 inbox, to_inbox;		/* a node of the receiver, the handle of the sender */
static u64 node, handle;		/* a node of the owner, the handle of the sender */

static void setup(void)
{
	ck_assert_int_eq(shim_n_live(), 0);
	owner = op_open();
	sender = op_open();
	receiver = op_open();
	to_inbox = op_node(receiver, sender, &inbox);
	handle = op_node(owner, sender, &node);
}

static void teardown(void)
{
	shim_hook = NULL;
	if (sender)
		op_close(sender);
	if (owner)
		op_close(owner);
	if (receiver)
		op_close(receiver);
	expect_nothing_left();
}

/* How many claim from the users of others. */
static unsigned int n_claim_from_others(void)
{
	struct b1_acct_trace *trace = NULL;
	unsigned int n = 0;

	while ((trace = b1_acct_trace_next(trace)))
		n += trace->quota->item.id != trace->quota->user->item.id;
	return n;
}

/* Counting handles */

START_TEST(ids_are_odd_and_rise)
{
	u64 last = 0, id, created;
	int i;

	for (i = 0; i < 20; i++) {
		id = op_node(owner, owner, &created);
		ck_assert(created & id & BUS1_MANAGED);
		ck_assert_uint_gt(created, last);
		ck_assert_uint_gt(id, created);
		last = id;
		RELEASE(owner, id);
	}
}
END_TEST

START_TEST(lookup)
{
	ck_assert_int_eq(op_release(owner, 1, &(u64){ 0 }), -EBADRQC);
	ck_assert_int_eq(op_release(owner, 1, &(u64){ node + 1 }), -EBADRQC);
	ck_assert_int_eq(op_release(owner, 1, &(u64){ BUS1_INVALID }), -EBADRQC);
	mutex_lock(&owner->lock);
	ck_assert_ptr_null(b1_peer_find_handle(owner, node));
	mutex_unlock(&owner->lock);
	ck_assert_uint_eq(op_node_of(sender, handle)->obj.id, node);
}
END_TEST

START_TEST(last_handle_is_told_once)
{
	u64 copy = op_copy(sender, receiver, handle), own = op_copy(sender, owner, handle);

	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, 3);
	RELEASE(sender, handle);
	expect_empty(owner);
	RELEASE(receiver, copy);
	expect_empty(owner);
	RELEASE(owner, own);
	expect_handle_release(owner, node);
	expect_empty(owner);
	/* the ID is still good, and then it is not */
	RELEASE(owner, node);
	ck_assert_int_eq(op_release(owner, 1, &node), -EBADRQC);
	expect_empty(owner);
}
END_TEST

START_TEST(last_handle_in_one_release)
{
	u64 copy = op_copy(sender, sender, handle);

	RELEASE(sender, copy, handle, copy, handle);
	expect_handle_release(owner, node);
	expect_empty(owner);
}
END_TEST

/* a notification that nobody has read goes with what it is about */
START_TEST(notifications_vanish)
{
	RELEASE(sender, handle);
	RELEASE(owner, node);
	expect_empty(owner);
	RELEASE(receiver, inbox);
	RELEASE(sender, to_inbox);
	expect_empty(sender);
	expect_empty(receiver);
}
END_TEST

START_TEST(node_release_for_each_handle)
{
	u64 second = op_copy(sender, sender, handle), other = op_copy(sender, receiver, handle);
	u64 own = op_copy(sender, owner, handle), gone = op_copy(sender, owner, handle);

	RELEASE(owner, gone, node);
	expect_node_release(sender, handle);
	expect_node_release(sender, second);
	expect_node_release(receiver, other);
	expect_node_release(owner, own);
	expect_empty(sender);
	expect_empty(receiver);
	expect_empty(owner);
	/* the IDs are still good */
	op_send(sender, handle, "to nowhere");
	RELEASE(sender, handle, second);
	RELEASE(owner, own);
	expect_empty(owner);
}
END_TEST

/* more than one batch */
START_TEST(node_release_for_many_handles)
{
	u64 copies[300];
	size_t i;

	for (i = 0; i < UNIT_N(copies); i++)
		copies[i] = op_copy(sender, receiver, handle);
	RELEASE(owner, node);
	expect_node_release(sender, handle);
	for (i = 0; i < UNIT_N(copies); i++)
		expect_node_release(receiver, copies[i]);
	expect_empty(receiver);
}
END_TEST

START_TEST(release_of_unknown_changes_nothing)
{
	u64 ids[] = { handle, to_inbox, handle, 4711 };

	ck_assert_int_eq(op_release(sender, 4, ids), -EBADRQC);
	expect_empty(owner);
	op_send(sender, to_inbox, "alive");
	expect_text(receiver, inbox, "alive");
	ck_assert_int_eq(op_release(sender, 3, ids), 0);
	expect_handle_release(owner, node);
	/* what comes between two of the same is not lost */
	ck_assert_int_eq(op_release(sender, 1, &to_inbox), -EBADRQC);
}
END_TEST

/* Messages */

START_TEST(messages_in_order)
{
	u64 twice[] = { to_inbox, handle, to_inbox };

	op_send(sender, to_inbox, "one");
	ck_assert_int_eq(op_multicast(sender, 3, twice, "two", 0, NULL), 0);
	op_send(sender, to_inbox, "three");
	expect_text(receiver, inbox, "one");
	expect_text(receiver, inbox, "two");
	expect_text(receiver, inbox, "two");
	expect_text(receiver, inbox, "three");
	expect_text(owner, node, "two");
	expect_empty(receiver);
	expect_empty(owner);
}
END_TEST

/* an account is not kept for a handle that was released, however long somebody keeps its memory */
START_TEST(released_handle_keeps_no_account)
{
	struct b1_peer *other;
	u64 to_other;

	ck_assert_int_eq(b1_peer_new(KUIDT_INIT(OPS_UID + 1), &other), 0);
	to_other = op_node(other, sender, &node);
	ck_assert_uint_eq(n_claim_from_others(), 0);
	op_send(sender, to_other, "first");
	expect_text(other, node, "first");
	ck_assert_uint_eq(n_claim_from_others(), 1);
	/* if it is not alone the transaction is in the handle, and the other does not look yet */
	if (_i)
		RELEASE(sender, to_other, op_copy(sender, sender, to_other));
	else
		RELEASE(sender, to_other);
	ck_assert_uint_eq(n_claim_from_others(), 0);
	expect_handle_release(other, node);
	op_close(other);
}
END_TEST

static u64 n_claimed(struct b1_peer *peer)
{
	struct b1_acct_stat stat;

	b1_acct_trace_stat(peer->own, &stat);
	return stat.claimed.slots[B1_ACCT_OBJECTS];
}

/* at once, and not when the last reference goes; alone, or among others */
START_TEST(released_handle_is_discharged)
{
	u64 ids[] = { op_copy(sender, sender, handle), op_copy(sender, sender, handle) };
	struct b1_object *kept = b1_object_ref(op_object(sender, ids[0]));
	u64 before = n_claimed(sender);

	ck_assert_int_eq(op_release(sender, 1 + _i, ids), 0);
	ck_assert_uint_eq(n_claimed(sender), before - 1 - _i);
	b1_object_unref(kept);
	ck_assert_uint_eq(n_claimed(sender), before - 1 - _i);
}
END_TEST

/* The charges go from the sender to the receiver, some dozens at a time. */
START_TEST(recharge_many)
{
	u64 handles[OPS_MAX], at_sender = n_claimed(sender), at_receiver = n_claimed(receiver);
	size_t i;

	for (i = 0; i < OPS_MAX; i++)
		handles[i] = handle;
	ck_assert_int_eq(op_multicast(sender, 1, &to_inbox, "many", OPS_MAX, handles), 0);
	expect_handles(receiver, inbox, "many", OPS_MAX, handles);
	ck_assert_uint_eq(n_claimed(sender), at_sender);
	ck_assert_uint_eq(n_claimed(receiver), at_receiver + OPS_MAX);
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, 1 + OPS_MAX);
	ck_assert_int_eq(op_release(receiver, OPS_MAX, handles), 0);
	ck_assert_uint_eq(n_claimed(receiver), at_receiver);
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, 1);
}
END_TEST

START_TEST(no_destination)
{
	ck_assert_int_eq(op_multicast(sender, 0, NULL, "x", 1, &handle), 0);
	ck_assert_int_eq(op_multicast(sender, 1, &(u64){ 98 }, "x", 0, NULL), -EBADRQC);
	ck_assert_int_eq(op_multicast(sender, 1, &handle, "x", 1, &(u64){ 99 }), -EBADRQC);
	expect_empty(owner);
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, 1);
}
END_TEST

START_TEST(handle_in_flight_counts)
{
	u64 copy;

	op_send_handle(sender, to_inbox, "take", handle);
	RELEASE(sender, handle);
	expect_empty(owner);
	copy = expect_handle(receiver, inbox, "take");
	expect_empty(owner);
	op_send(receiver, copy, "back");
	expect_text(owner, node, "back");
	RELEASE(receiver, copy);
	expect_handle_release(owner, node);
}
END_TEST

/* messages that nobody will read release what they carry, at once */
START_TEST(discarded_messages_release_handles)
{
	op_send_handle(sender, to_inbox, "lost", handle);
	RELEASE(sender, handle);
	if (_i) {
		op_close(receiver);
		receiver = NULL;
	} else {
		RELEASE(receiver, inbox);
	}
	expect_handle_release(owner, node);
	expect_node_release(sender, to_inbox);
	/* and so do those that are sent when it is too late */
	handle = op_node(owner, sender, &node);
	op_send_handle(sender, to_inbox, "late", handle);
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, 1);
	if (!_i)
		expect_empty(receiver);
}
END_TEST

/* a message with a handle to the very node it is sent to, and two peers that hold each other */
START_TEST(cycles)
{
	u64 back, to_owner = op_copy(sender, receiver, handle);

	op_send_handle(sender, to_inbox, "self", to_inbox);
	op_send_handle(receiver, to_owner, "you", to_owner);
	back = op_node(receiver, owner, NULL);
	op_send_handle(owner, back, "me", back);
	op_send_handle(receiver, to_owner, "me too", to_owner);
}
END_TEST

/* The place of NODE_RELEASE */

START_TEST(node_release_place)
{
	u64 copy;

	op_send_handle(sender, to_inbox, "M1", handle);
	op_send(sender, to_inbox, "M0");
	RELEASE(owner, node);
	op_send(sender, to_inbox, "M3");
	copy = expect_handle(receiver, inbox, "M1");
	expect_text(receiver, inbox, "M0");
	expect_node_release(receiver, copy);
	expect_text(receiver, inbox, "M3");
	expect_empty(receiver);
	expect_node_release(sender, handle);
}
END_TEST

START_TEST(born_dead_by_transfer)
{
	u64 copy;

	RELEASE(owner, node);
	op_send(sender, to_inbox, "before");
	copy = op_copy(sender, receiver, handle);
	op_send(sender, to_inbox, "after");
	expect_text(receiver, inbox, "before");
	expect_node_release(receiver, copy);
	expect_text(receiver, inbox, "after");
	expect_empty(receiver);
}
END_TEST

/* directly behind the message that brings them, in the order of the handles */
START_TEST(born_dead_by_message)
{
	u64 second = op_copy(sender, sender, handle), live, copies[3];

	live = op_node(owner, sender, NULL);
	RELEASE(owner, node);
	ck_assert_int_eq(op_multicast(sender, 1, &to_inbox, "M1", 3,
				      (u64[]){ handle, live, second }), 0);
	op_send(sender, to_inbox, "M2");
	/* looked at by poll before it is received, or not */
	if (_i)
		b1_peer_peek(receiver);
	expect_handles(receiver, inbox, "M1", 3, copies);
	op_send(sender, to_inbox, "M3");
	expect_node_release(receiver, copies[0]);
	expect_node_release(receiver, copies[2]);
	expect_text(receiver, inbox, "M2");
	expect_text(receiver, inbox, "M3");
	expect_empty(receiver);
	RELEASE(receiver, copies[0], copies[2]);
	expect_empty(receiver);
}
END_TEST

/* In the middle of something else */

static u64 both[2];			/* both nodes as destinations */

static void release_node(void)
{
	RELEASE(owner, node);
	/* nothing can be told yet: the message with the handle is not committed */
	expect_empty(receiver);
}

/* the node goes while a message with a handle to it is pushed, but not committed */
START_TEST(node_release_before_commit)
{
	u64 copy;

	both[0] = both[1] = to_inbox;
	unit_arm(SHIM_STORE, NULL, 1, release_node);
	ck_assert_int_eq(op_multicast(sender, 2, both, "M", 1, &handle), 0);
	unit_disarm();
	op_send(sender, to_inbox, "later");
	copy = expect_handle(receiver, inbox, "M");
	expect_node_release(receiver, copy);
	copy = expect_handle(receiver, inbox, "M");
	expect_node_release(receiver, copy);
	expect_text(receiver, inbox, "later");
	expect_empty(receiver);
	expect_node_release(sender, handle);
}
END_TEST

static void release_node_unread(void)
{
	RELEASE(owner, node);
}

/* the same, but the receiver looks only when all has been committed */
START_TEST(node_release_before_commit_unread)
{
	u64 copy;

	both[0] = both[1] = to_inbox;
	unit_arm(SHIM_STORE, NULL, 1, release_node_unread);
	ck_assert_int_eq(op_multicast(sender, 2, both, "M", 1, &handle), 0);
	unit_disarm();
	copy = expect_handle(receiver, inbox, "M");
	/* the release is newer than both messages */
	expect_handle(receiver, inbox, "M");
	expect_node_release(receiver, copy);
}
END_TEST

static void send_copy(void)
{
	op_send_handle(sender, to_inbox, "M1", handle);
	op_send(sender, to_inbox, "M0");
}

static void send_copy_and_receive(void)
{
	send_copy();
	/* received before the release is committed: nobody knows of it yet */
	both[0] = expect_handle(receiver, inbox, "M1");
	expect_text(receiver, inbox, "M0");
	expect_empty(receiver);
	expect_empty(sender);
}

/* a handle is copied while the release of its node has begun, but is not committed */
START_TEST(link_during_release)
{
	struct b1_node *b1_node = op_node_of(sender, handle);

	unit_arm(SHIM_STORE, &b1_node->obj.tx.committed, 1, send_copy_and_receive);
	RELEASE(owner, node);
	unit_disarm();
	expect_node_release(receiver, both[0]);
	expect_empty(receiver);
	expect_node_release(sender, handle);
	expect_empty(sender);
}
END_TEST

START_TEST(link_during_release_unread)
{
	struct b1_node *b1_node = op_node_of(sender, handle);
	u64 copy;

	/* right after the node was marked; or later, after its handles were notified */
	if (_i)
		unit_arm(SHIM_STORE, &b1_node->obj.tx.committed, 1, send_copy);
	else
		unit_arm(SHIM_UNLOCK, &b1_node->lock, 1, send_copy);
	RELEASE(owner, node);
	unit_disarm();
	copy = expect_handle(receiver, inbox, "M1");
	expect_node_release(receiver, copy);
	expect_text(receiver, inbox, "M0");
	expect_empty(receiver);
	expect_node_release(sender, handle);
	expect_empty(sender);
}
END_TEST

/* committed, but the node still says which transaction it was */
START_TEST(link_after_release_commit)
{
	struct b1_node *b1_node = op_node_of(sender, handle);
	u64 copy;

	unit_arm(SHIM_STORE_DONE, &b1_node->obj.tx.committed, 1, send_copy);
	RELEASE(owner, node);
	unit_disarm();
	copy = expect_handle(receiver, inbox, "M1");
	expect_node_release(receiver, copy);
	expect_text(receiver, inbox, "M0");
	expect_empty(receiver);
}
END_TEST

/* the node goes when a transfer has linked the new handle, but not made it live */
START_TEST(node_release_during_transfer)
{
	u64 copy;

	unit_arm(SHIM_UNLOCK, &op_node_of(sender, handle)->lock, 1,
		 _i ? release_node_unread : release_node);
	copy = op_copy(sender, receiver, handle);
	unit_disarm();
	ck_assert_uint_gt(op_wakes(receiver), 0);
	expect_node_release(receiver, copy);
	expect_empty(receiver);
	RELEASE(receiver, copy);
}
END_TEST

static void release_inbox(void)
{
	RELEASE(receiver, inbox);
}

static void close_receiver(void)
{
	op_close(receiver);
	receiver = NULL;
}

/* the destination goes away before, or after the push; with one message, or two */
START_TEST(destination_gone_during_push)
{
	enum shim_point point = _i & 1 ? SHIM_CMPXCHG_DONE : SHIM_CMPXCHG;

	both[0] = to_inbox;
	both[1] = handle;
	unit_arm(point, &receiver->queue.stack, 1, _i & 2 ? close_receiver : release_inbox);
	ck_assert_int_eq(op_multicast(sender, _i & 4 ? 2 : 1, both, "lost", 1, &handle), 0);
	unit_disarm();
	if (_i & 4)
		ck_assert_uint_ne(expect_handle(owner, node, "lost"), 0);
	else
		expect_empty(owner);
	/* only what is held counts, also while the receiver does not look into its queue */
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, _i & 4 ? 2 : 1);
	if (receiver)
		expect_empty(receiver);
	expect_node_release(sender, to_inbox);
	expect_empty(sender);
}
END_TEST

static void stale_hook(enum shim_point point, const void *addr)
{
	if (addr != &receiver->queue.stack)
		return;
	if (point == SHIM_CMPXCHG && !unit_n_trapped++)
		release_inbox();
	else if (point == SHIM_CMPXCHG_DONE && unit_n_trapped == 1 && unit_n_trapped++)
		expect_empty(receiver);
}

/* pushed after all messages of the node were discarded, and looked at before the sender does */
START_TEST(stale_message_is_not_received)
{
	unit_n_trapped = 0;
	shim_hook = stale_hook;
	op_send_handle(sender, to_inbox, "stale", handle);
	shim_hook = NULL;
	ck_assert_uint_eq(unit_n_trapped, 2);
	expect_empty(receiver);
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, 1);
}
END_TEST

static struct b1_send late_send;
static bool look;

static void send_late(void)
{
	b1_send_commit(&late_send);
	if (look)
		ck_assert_ptr_null(b1_peer_peek(receiver));
}

/*
 * Prepared before the release of the destination begins, sent before it ends: when the release
 * returns, the message and what it carries are gone.
 */
START_TEST(send_during_release)
{
	struct b1_node *b1_node = op_node_of(sender, to_inbox);
	struct bus1_transfer transfer = { .id = handle };

	look = _i & 1;
	mutex_lock(&sender->lock);
	b1_send_init(&late_send, sender);
	ck_assert_int_eq(b1_send_prepare(&late_send, &to_inbox, 1, &transfer, 1, 0), 0);
	/* nobody else uses the sender */
	mutex_unlock(&sender->lock);
	if (_i & 2)
		unit_arm(SHIM_UNLOCK, &b1_node->lock, 1, send_late);
	else
		unit_arm(SHIM_STORE, &b1_node->obj.tx.committed, 1, send_late);
	RELEASE(receiver, inbox);
	unit_disarm();
	b1_send_deinit(&late_send);
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, 1);
	expect_empty(receiver);
}
END_TEST

static void receive_and_release(void)
{
	u64 copy = expect_handle(receiver, inbox, "quick");

	ck_assert_uint_eq(op_node_of(receiver, copy)->n_handles, 2);
	RELEASE(receiver, copy);
}

/* received, and all of it gone, as soon as the sender has pushed */
START_TEST(receiver_is_faster)
{
	unit_arm(SHIM_CMPXCHG_DONE, &receiver->queue.stack, 1, receive_and_release);
	op_send_handle(sender, to_inbox, "quick", handle);
	unit_disarm();
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, 1);
	RELEASE(sender, handle);
	expect_handle_release(owner, node);
}
END_TEST

/* a look without the lock of the peer, as by poll, while a message is received */
static void poll_receiver(void)
{
	b1_peer_peek(receiver);
}

START_TEST(poll_during_receive)
{
	u64 copy;

	op_send_handle(sender, to_inbox, "M1", handle);
	RELEASE(owner, node);
	unit_arm(SHIM_UNLOCK, &receiver->queue.lock, 1 + _i, poll_receiver);
	copy = expect_handle(receiver, inbox, "M1");
	unit_disarm();
	expect_node_release(receiver, copy);
	expect_empty(receiver);
}
END_TEST

/* Transactions */

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
			b1_peer_peek(receiver);
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
	ck_assert_ptr_null(b1_peer_peek(owner));
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
	u64 destinations[B1_RELAX_BATCH], n_handles;
	size_t i;
	long live;

	prepare_multicast();
	live = shim_n_live();
	n_handles = op_node_of(sender, handle)->n_handles;
	for (i = 0; i < UNIT_N(destinations); i++)
		destinations[i] = handle;
	shim_killed = true;
	ck_assert_int_eq(op_multicast(sender, UNIT_N(destinations), destinations, "x", 0, NULL), -EINTR);
	ck_assert_int_eq(op_multicast(sender, 1, &handle, "x", UNIT_N(destinations), destinations),
			 -EINTR);
	ck_assert_int_eq(fail_transfer(), -EINTR);
	shim_killed = false;
	check_unchanged(live, n_handles);
	ck_assert_int_eq(op_multicast(sender, UNIT_N(destinations), destinations, "x",
				      UNIT_N(destinations), destinations), 0);
}
END_TEST

/* a receive whose outputs cannot be written */
START_TEST(aborted_receive)
{
	struct b1_queue_entry *entry;
	struct b1_message *message;
	u64 id;

	op_send_handle(sender, to_inbox, "again", handle);
	mutex_lock(&receiver->lock);
	entry = b1_peer_peek(receiver);
	ck_assert_ptr_nonnull(entry);
	message = b1_message_from_entry(entry);
	b1_message_prepare_install(message);
	id = message->handles[0]->obj.id;
	ck_assert_ptr_null(b1_peer_find_handle(receiver, id));
	b1_message_abort_install(message);
	mutex_unlock(&receiver->lock);
	ck_assert_ptr_null(op_object(receiver, id));
	/* the ID is used up */
	ck_assert_uint_eq(expect_handle(receiver, inbox, "again"), id + 2);
}
END_TEST

/* receive, release, close and the notifications of the latter need no memory */
START_TEST(ends_allocate_nothing)
{
	unsigned long before;
	struct received r;

	ck_assert_int_eq(op_multicast(sender, 1, &to_inbox, "x", 3,
				      (u64[]){ handle, to_inbox, handle }), 0);
	before = shim_n_allocs();
	ck_assert_int_eq(op_recv(receiver, &r), 0);
	ck_assert_uint_eq(shim_n_allocs(), before);
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

/* A lookup against an abort */

static struct b1_transfer_slot abort_slots[1];
static pthread_t abort_thread;
static bool abort_done;

static void *abort_run(void *arg)
{
	b1_transfer_abort(abort_slots, 1);
	__atomic_store_n(&abort_done, true, __ATOMIC_RELEASE);
	return arg;
}

/* Starts the abort, and gives it time to go through, which it cannot before the lookup has ended. */
static void abort_now(void)
{
	int i;

	pthread_create(&abort_thread, NULL, abort_run, NULL);
	for (i = 0; i < 200 && !__atomic_load_n(&abort_done, __ATOMIC_ACQUIRE); i++)
		usleep(100);
}

/* an ID is guessed that a transfer of another peer has just chosen, and gives up */
START_TEST(lookup_during_abort)
{
	struct bus1_transfer transfer = { .id = handle };
	u64 id;

	mutex_lock(&sender->lock);
	ck_assert_int_eq(b1_transfer_prepare(sender, receiver, &transfer, abort_slots, 1), 0);
	mutex_unlock(&sender->lock);
	id = abort_slots[0].handle->obj.id;
	unit_arm(SHIM_LOAD, &abort_slots[0].handle->obj.live, 1, abort_now);
	mutex_lock(&receiver->lock);
	ck_assert_ptr_null(b1_peer_find_handle(receiver, id));
	/* it was at work */
	ck_assert_uint_eq(unit_n_trapped, 1);
	mutex_unlock(&receiver->lock);
	/* before the hook goes, which the other thread still looks at */
	pthread_join(abort_thread, NULL);
	unit_disarm();
}
END_TEST

/* The caches, which main() has made. */

START_TEST(no_memory_for_caches)
{
	unsigned long nth;
	int ret;

	ck_assert_int_eq(shim_n_caches(), 2);
	b1_node_exit_caches();
	for (nth = 1;; nth++) {
		ck_assert_int_eq(shim_n_caches(), 0);
		shim_fail_nth = nth;
		ret = b1_node_init_caches();
		shim_fail_nth = 0;
		if (!ret)
			break;
		ck_assert_int_eq(ret, -ENOMEM);
	}
	ck_assert_uint_eq(nth - 1, 2);
	ck_assert_int_eq(shim_n_caches(), 2);
}
END_TEST

static TCase *bus_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_counting(Suite *suite)
{
	TCase *tcase = bus_case(suite, "counting");

	tcase_add_test(tcase, ids_are_odd_and_rise);
	tcase_add_test(tcase, lookup);
	tcase_add_test(tcase, last_handle_is_told_once);
	tcase_add_test(tcase, last_handle_in_one_release);
	tcase_add_test(tcase, notifications_vanish);
	tcase_add_test(tcase, node_release_for_each_handle);
	tcase_add_test(tcase, node_release_for_many_handles);
	tcase_add_test(tcase, release_of_unknown_changes_nothing);
	tcase_add_test(tcase, messages_in_order);
	tcase_add_loop_test(tcase, released_handle_keeps_no_account, 0, 2);
	tcase_add_loop_test(tcase, released_handle_is_discharged, 0, 2);
	tcase_add_test(tcase, recharge_many);
	tcase_add_test(tcase, no_destination);
	tcase_add_test(tcase, handle_in_flight_counts);
	tcase_add_loop_test(tcase, discarded_messages_release_handles, 0, 2);
	tcase_add_test(tcase, cycles);
	tcase_add_test(tcase, node_release_place);
	tcase_add_test(tcase, born_dead_by_transfer);
	tcase_add_loop_test(tcase, born_dead_by_message, 0, 2);
}

static void add_interleaving(Suite *suite)
{
	TCase *tcase = bus_case(suite, "interleaving");

	tcase_add_test(tcase, node_release_before_commit);
	tcase_add_test(tcase, node_release_before_commit_unread);
	tcase_add_test(tcase, link_during_release);
	tcase_add_loop_test(tcase, link_during_release_unread, 0, 2);
	tcase_add_test(tcase, link_after_release_commit);
	tcase_add_loop_test(tcase, node_release_during_transfer, 0, 2);
	tcase_add_loop_test(tcase, destination_gone_during_push, 0, 8);
	tcase_add_loop_test(tcase, send_during_release, 0, 4);
	tcase_add_test(tcase, stale_message_is_not_received);
	tcase_add_test(tcase, receiver_is_faster);
	tcase_add_loop_test(tcase, poll_during_receive, 0, 2);
	tcase_add_test(tcase, lookup_during_abort);
}

static void add_transactions(Suite *suite)
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

/* without any peers */
static void add_load(Suite *suite)
{
	TCase *tcase = tcase_create("load");

	tcase_add_test(tcase, no_memory_for_caches);
	suite_add_tcase(suite, tcase);
}

int main(void)
{
	Suite *suite = suite_create("bus");

	op_load();
	add_load(suite);
	add_counting(suite);
	add_interleaving(suite);
	add_transactions(suite);
	return unit_run(suite);
}
