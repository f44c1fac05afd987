// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Nodes, handles, messages and peers: something else happens in the middle
 */
#include <pthread.h>
#include <unistd.h>

#include "bus-unit.h"

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

/* the node goes right before a transfer links the new handle, or right after it */
START_TEST(node_release_during_transfer)
{
	struct b1_node *b1_node = op_node_of(sender, handle);
	u64 copy;

	if (_i < 2)
		unit_arm(SHIM_LOCK, &b1_node->lock, 1, _i ? release_node_unread : release_node);
	else
		unit_arm(SHIM_UNLOCK, &b1_node->lock, 1, release_node_unread);
	copy = op_copy(sender, receiver, handle);
	unit_disarm();
	ck_assert_uint_gt(op_wakes(receiver), 0);
	expect_node_release(receiver, copy);
	expect_empty(receiver);
	RELEASE(receiver, copy);
}
END_TEST

static u64 copied;

/* Whoever releases may be stopped before he wakes: so whoever copies does. */
static void copy_and_look(void)
{
	op_wakes(receiver);
	copied = op_copy(sender, receiver, handle);
	ck_assert_uint_gt(op_wakes(receiver), 0);
}

/* while the release is not committed */
static void copy_before_commit(void)
{
	copy_and_look();
	ck_assert(!op_poll(receiver));
}

static void copy_and_receive(void)
{
	copy_and_look();
	expect_node_release(receiver, copied);
}

/* a handle is copied by a transfer while its node is released: part of that while it is open */
START_TEST(transfer_during_release)
{
	struct b1_node *b1_node = op_node_of(sender, handle);

	switch (_i) {
	case 0:
		unit_arm(SHIM_UNLOCK, &b1_node->lock, 1, copy_before_commit);
		break;
	case 1:
		unit_arm(SHIM_STORE, &b1_node->obj.tx.committed, 1, copy_before_commit);
		break;
	case 2:
		unit_arm(SHIM_STORE_DONE, &b1_node->obj.tx.committed, 1, copy_and_receive);
		break;
	case 3:
		/* the last unlock is that of b1_node_release_end() */
		unit_arm(SHIM_UNLOCK, &b1_node->lock, 3, copy_and_receive);
		break;
	}
	RELEASE(owner, node);
	unit_disarm();
	if (_i < 2)
		expect_node_release(receiver, copied);
	expect_empty(receiver);
	expect_node_release(sender, handle);
	expect_empty(sender);
}
END_TEST

static void poll_finds_it(void)
{
	ck_assert(op_poll(receiver));
}

/* a handle is copied when its node has gone: what is told can be received once it is pushed */
START_TEST(poll_during_transfer)
{
	u64 copy;

	RELEASE(owner, node);
	unit_arm(SHIM_CMPXCHG_DONE, &receiver->queue.stack, 1, poll_finds_it);
	copy = op_copy(sender, receiver, handle);
	unit_disarm();
	expect_node_release(receiver, copy);
	expect_empty(receiver);
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

/* the destination goes away right before, or after the push; with one message, or two */
START_TEST(destination_gone_during_push)
{
	struct b1_node *b1_node = op_node_of(sender, to_inbox);

	both[0] = to_inbox;
	both[1] = handle;
	unit_arm(_i & 1 ? SHIM_UNLOCK : SHIM_LOCK, &b1_node->lock, 1,
		 _i & 2 ? close_receiver : release_inbox);
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

/* a close has sealed the queue, or is about to, and has not marked its nodes yet; or it has */
START_TEST(send_during_close)
{
	struct b1_node *b1_node = op_node_of(sender, to_inbox);

	switch (_i) {
	case 0:
		unit_arm(SHIM_XCHG, &receiver->queue.stack, 1, send_copy);
		break;
	case 1:
		unit_arm(SHIM_XCHG_DONE, &receiver->queue.stack, 1, send_copy);
		break;
	case 2:
		unit_arm(SHIM_UNLOCK, &b1_node->lock, 1, send_copy);
		break;
	case 3:
		unit_arm(SHIM_STORE, &receiver->tx.committed, 1, send_copy);
		break;
	}
	close_receiver();
	unit_disarm();
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, 1);
	expect_node_release(sender, to_inbox);
	expect_empty(sender);
	expect_empty(owner);
}
END_TEST

static void close_sender(void)
{
	op_close(sender);
	sender = NULL;
}

static void release_handle(void)
{
	RELEASE(sender, handle);
}

static void close_owner(void)
{
	op_close(owner);
	owner = NULL;
}

/* whoever is to be notified has sealed its queue, and its handles or nodes are not gone yet */
START_TEST(release_during_close)
{
	struct b1_peer *closing = _i ? owner : sender;

	unit_arm(SHIM_XCHG_DONE, &closing->queue.stack, 1,
		 _i ? release_handle : release_node_unread);
	if (_i)
		close_owner();
	else
		close_sender();
	unit_disarm();
	if (_i)
		expect_empty(sender);
	else
		expect_empty(owner);
}
END_TEST

static struct b1_send late_send;
static bool look;

static void send_late(void)
{
	b1_send_commit(&late_send);
	if (look)
		ck_assert(!op_poll(receiver));
}

/*
 * Prepared before the release of the destination begins, sent before it ends: when the release
 * returns, the message and what it carries are gone. So if it ends together with others.
 */
START_TEST(send_during_release)
{
	struct b1_node *b1_node = op_node_of(sender, to_inbox);
	struct bus1_transfer transfer = { .id = handle };
	const struct b1_send_request request = {
		.destinations = &to_inbox,
		.cmd.n_destinations = 1,
		.transfers = &transfer,
		.message.n_transfers = 1,
	};
	u64 other, own = op_node(receiver, receiver, &other);
	const struct {
		enum shim_point point;
		const void *addr;
	} moments[] = {
		/* before the node is marked, and before and after its messages are looked for */
		{ SHIM_LOCK, &b1_node->lock },
		{ SHIM_UNLOCK, &b1_node->lock },
		{ SHIM_XCHG, &receiver->queue.stack },
		{ SHIM_XCHG_DONE, &receiver->queue.stack },
		/* the transaction is that of the first handle, or node if there is none */
		{ SHIM_STORE, _i & 1 ? &op_handle(receiver, own)->obj.tx.committed :
				       &b1_node->obj.tx.committed },
	};

	/* until then the queue is locked, so that nobody can look */
	look = _i / 2 == 4;
	mutex_lock(&sender->lock);
	b1_send_init(&late_send, sender);
	ck_assert_int_eq(b1_send_prepare(&late_send, &request), 0);
	/* nobody else uses the sender */
	mutex_unlock(&sender->lock);
	unit_arm(moments[_i / 2].point, moments[_i / 2].addr, 1, send_late);
	if (_i & 1)
		RELEASE(receiver, inbox, own, other);
	else
		RELEASE(receiver, inbox);
	unit_disarm();
	b1_send_deinit(&late_send);
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, 1);
	expect_empty(receiver);
}
END_TEST

/* Messages that are refused, with handles whose nodes have gone in between. */

static void release_both(void)
{
	release_node_unread();
	release_inbox();
}

static void release_both_with_a_look(void)
{
	release_node();
	release_inbox();
}

/*
 * The notification about a handle of a message that is refused: it is in the queue of the receiver,
 * who drops it when it comes across it. Only then the memory goes, and until then the sender pays.
 */
START_TEST(refused_with_notified_handle)
{
	struct b1_node *to = op_node_of(sender, to_inbox);
	u64 handles[] = { handle, op_node(owner, sender, NULL), handle };
	u64 before = n_claimed(sender);
	long live;

	unit_arm(SHIM_LOCK, &to->lock, 1, release_both);
	ck_assert_int_eq(op_multicast(sender, 1, &to_inbox, "lost", 3, handles), 0);
	unit_disarm();
	/* of three handles two were notified before the message was refused */
	ck_assert_uint_eq(n_claimed(sender), before + 2);
	live = shim_n_live();
	switch (_i) {
	case 0:
		ck_assert(!op_poll(receiver));
		break;
	case 1:
		expect_empty(receiver);
		break;
	case 2:
		/* in front of something else, which is not held up */
		to_inbox = op_node(receiver, sender, &inbox);
		op_send(sender, to_inbox, "next");
		expect_text(receiver, inbox, "next");
		RELEASE(sender, to_inbox);
		expect_handle_release(receiver, inbox);
		return;
	case 3:
		close_receiver();
		break;
	}
	ck_assert_uint_eq(n_claimed(sender), before);
	ck_assert_int_le(shim_n_live(), live - 2);
}
END_TEST

/* a notification that the receiver has taken off as held goes with the handle, at once */
START_TEST(refused_with_held_note)
{
	struct b1_node *to = op_node_of(sender, to_inbox);
	u64 before = n_claimed(sender);
	long live = shim_n_live();

	unit_arm(SHIM_LOCK, &to->lock, 1, release_both_with_a_look);
	op_send_handle(sender, to_inbox, "lost", handle);
	unit_disarm();
	ck_assert_uint_eq(n_claimed(sender), before);
	ck_assert_int_le(shim_n_live(), live);
	expect_empty(receiver);
}
END_TEST

/* the charge outlives the sender, who has lost all that it could be charged for */
START_TEST(refused_and_closed)
{
	struct b1_node *to = op_node_of(sender, to_inbox);
	long live;

	unit_arm(SHIM_LOCK, &to->lock, 1, release_both);
	op_send_handle(sender, to_inbox, "lost", handle);
	unit_disarm();
	op_close(sender);
	sender = NULL;
	op_close(owner);
	owner = NULL;
	/* the handle, and what it pins, is all that is left of them */
	live = shim_n_live();
	expect_empty(receiver);
	/* the handle, its node and the owner of that, the trace of the sender */
	ck_assert_int_eq(live - shim_n_live(), 4);
	/* the user, the receiver and its trace */
	ck_assert_int_eq(shim_n_live(), 3);
}
END_TEST

static u64 n_claimed_before;
static bool closes;

static void refuse_and_look(void)
{
	struct b1_message *message = late_send.destinations[0].message;

	ck_assert(!b1_message_push(message, NULL));
	b1_message_refuse(message);
	late_send.destinations[0].message = NULL;
	ck_assert_uint_eq(n_claimed(sender), n_claimed_before + 1);
	if (closes)
		close_receiver();
	else
		expect_empty(receiver);
	ck_assert_uint_eq(n_claimed(sender), n_claimed_before);
}

/*
 * The charge is back when the receiver comes across the notification, or closes, though whoever
 * released the node has not woken for it yet, and keeps the handle until then.
 */
START_TEST(refused_before_wake)
{
	struct b1_node *b1_node = op_node_of(sender, handle);
	struct bus1_transfer transfer = { .id = handle };
	const struct b1_send_request request = {
		.destinations = &to_inbox,
		.cmd.n_destinations = 1,
		.transfers = &transfer,
		.message.n_transfers = 1,
	};

	closes = _i;
	n_claimed_before = n_claimed(sender);
	mutex_lock(&sender->lock);
	b1_send_init(&late_send, sender);
	ck_assert_int_eq(b1_send_prepare(&late_send, &request), 0);
	b1_message_link(late_send.destinations[0].message);
	mutex_unlock(&sender->lock);
	release_inbox();
	unit_arm(SHIM_STORE_DONE, &b1_node->obj.tx.committed, 1, refuse_and_look);
	release_node_unread();
	unit_disarm();
	b1_send_deinit(&late_send);
	ck_assert_uint_eq(n_claimed(sender), n_claimed_before);
}
END_TEST

/* a message that is refused with handles that nobody was told about leaves nothing */
START_TEST(refused_leaves_nothing)
{
	struct b1_node *to = op_node_of(sender, to_inbox);
	u64 before = n_claimed(sender), handles[] = { handle, handle };

	unit_arm(SHIM_LOCK, &to->lock, 1, release_inbox);
	ck_assert_int_eq(op_multicast(sender, 1, &to_inbox, "lost", 2, handles), 0);
	unit_disarm();
	ck_assert_uint_eq(n_claimed(sender), before);
	ck_assert_uint_eq(op_node_of(sender, handle)->n_handles, 1);
	expect_empty(owner);
}
END_TEST

/* the sender's own last handle goes with a message that is refused: the owner is told, and woken */
static void release_inbox_and_handle(void)
{
	release_inbox();
	ck_assert_uint_eq(op_wakes(owner), 0);
}

START_TEST(refused_last_handle)
{
	u64 copy = op_copy(sender, sender, to_inbox);
	struct b1_node *b1_node = op_node_of(sender, handle), *to = op_node_of(sender, to_inbox);
	struct bus1_transfer transfer = { .id = handle };
	const struct b1_send_request request = {
		.destinations = &copy,
		.cmd.n_destinations = 1,
		.transfers = &transfer,
		.message.n_transfers = 1,
	};

	mutex_lock(&sender->lock);
	b1_send_init(&late_send, sender);
	ck_assert_int_eq(b1_send_prepare(&late_send, &request), 0);
	b1_message_link(late_send.destinations[0].message);
	mutex_unlock(&sender->lock);
	RELEASE(sender, handle);
	expect_empty(owner);
	ck_assert_uint_eq(b1_node->n_handles, 1);
	unit_arm(SHIM_LOCK, &to->lock, 1, release_inbox_and_handle);
	ck_assert(!b1_message_push(late_send.destinations[0].message, NULL));
	unit_disarm();
	b1_message_refuse(late_send.destinations[0].message);
	late_send.destinations[0].message = NULL;
	b1_send_deinit(&late_send);
	ck_assert_uint_eq(op_wakes(owner), 1);
	expect_handle_release(owner, node);
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
	op_poll(receiver);
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

/* Notifications that must not be received, as the messages with the handles are on their way */

#define N_STALE 8

static u64 stale_nodes[N_STALE];
static size_t n_stale, n_fetches;

static void push_stale(void)
{
	if (n_stale < N_STALE)
		RELEASE(owner, stale_nodes[n_stale++]);
}

static void push_at_fetch(enum shim_point point, const void *addr)
{
	if (point != SHIM_XCHG_DONE || addr != &receiver->queue.stack)
		return;
	n_fetches++;
	push_stale();
}

static void send_behind(void)
{
	op_send(sender, to_inbox, "behind");
}

/* who goes on pushing them does not keep the receiver busy, and does not hide what is there */
START_TEST(stale_notifications_go_on)
{
	struct bus1_transfer transfers[N_STALE];
	struct b1_send_request request = {
		.destinations = &to_inbox,
		.cmd.n_destinations = 1,
		.message.n_transfers = 1,
	};
	struct b1_send sends[N_STALE];
	struct received r;
	size_t i;
	u64 copy;

	for (i = 0; i < N_STALE; i++)
		transfers[i].id = op_node(owner, sender, &stale_nodes[i]);
	mutex_lock(&sender->lock);
	for (i = 0; i < N_STALE; i++) {
		request.transfers = &transfers[i];
		b1_send_init(&sends[i], sender);
		ck_assert_int_eq(b1_send_prepare(&sends[i], &request), 0);
		b1_message_link(sends[i].destinations[0].message);
	}
	mutex_unlock(&sender->lock);
	n_stale = n_fetches = 0;
	push_stale();
	shim_hook = push_at_fetch;
	if (_i)
		ck_assert_int_eq(op_recv(receiver, &r), -EAGAIN);
	else
		ck_assert(!op_poll(receiver));
	shim_hook = NULL;
	ck_assert_uint_eq(n_fetches, 2);
	/* what has come behind those that were fetched is found by the second fetch */
	unit_arm(SHIM_XCHG_DONE, &receiver->queue.stack, 1, send_behind);
	ck_assert(op_poll(receiver));
	unit_disarm();
	expect_text(receiver, inbox, "behind");
	while (n_stale < N_STALE)
		push_stale();
	mutex_lock(&sender->lock);
	for (i = 0; i < N_STALE; i++) {
		ck_assert(b1_message_push(sends[i].destinations[0].message, NULL));
		sends[i].destinations[0].message = NULL;
		b1_send_deinit(&sends[i]);
	}
	mutex_unlock(&sender->lock);
	for (i = 0; i < N_STALE; i++) {
		copy = expect_handle(receiver, inbox, "");
		expect_node_release(receiver, copy);
	}
	expect_empty(receiver);
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
	ck_assert_ptr_null(b1_handle_find(receiver, id));
	/* it was at work */
	ck_assert_uint_eq(unit_n_trapped, 1);
	mutex_unlock(&receiver->lock);
	/* before the hook goes, which the other thread still looks at */
	pthread_join(abort_thread, NULL);
	unit_disarm();
}
END_TEST

void add_interleaving(Suite *suite)
{
	TCase *tcase = bus_case(suite, "interleaving");

	tcase_add_test(tcase, node_release_before_commit);
	tcase_add_test(tcase, node_release_before_commit_unread);
	tcase_add_test(tcase, link_during_release);
	tcase_add_loop_test(tcase, link_during_release_unread, 0, 2);
	tcase_add_test(tcase, link_after_release_commit);
	tcase_add_loop_test(tcase, node_release_during_transfer, 0, 3);
	tcase_add_loop_test(tcase, transfer_during_release, 0, 4);
	tcase_add_test(tcase, poll_during_transfer);
	tcase_add_loop_test(tcase, destination_gone_during_push, 0, 8);
	tcase_add_loop_test(tcase, send_during_close, 0, 4);
	tcase_add_loop_test(tcase, release_during_close, 0, 2);
	tcase_add_loop_test(tcase, send_during_release, 0, 10);
	tcase_add_loop_test(tcase, refused_with_notified_handle, 0, 4);
	tcase_add_test(tcase, refused_with_held_note);
	tcase_add_test(tcase, refused_and_closed);
	tcase_add_loop_test(tcase, refused_before_wake, 0, 2);
	tcase_add_test(tcase, refused_leaves_nothing);
	tcase_add_test(tcase, refused_last_handle);
	tcase_add_test(tcase, receiver_is_faster);
	tcase_add_loop_test(tcase, poll_during_receive, 0, 2);
	tcase_add_loop_test(tcase, stale_notifications_go_on, 0, 2);
	tcase_add_test(tcase, lookup_during_abort);
}
