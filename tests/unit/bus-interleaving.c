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
 * returns, the message and what it carries are gone. So if it ends together with others.
 */
START_TEST(send_during_release)
{
	struct b1_node *b1_node = op_node_of(sender, to_inbox);
	struct bus1_transfer transfer = { .id = handle };
	u64 other, own = op_node(receiver, receiver, &other);

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
	if (_i & 4)
		RELEASE(receiver, inbox, own, other);
	else
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

void add_interleaving(Suite *suite)
{
	TCase *tcase = bus_case(suite, "interleaving");

	tcase_add_test(tcase, node_release_before_commit);
	tcase_add_test(tcase, node_release_before_commit_unread);
	tcase_add_test(tcase, link_during_release);
	tcase_add_loop_test(tcase, link_during_release_unread, 0, 2);
	tcase_add_test(tcase, link_after_release_commit);
	tcase_add_loop_test(tcase, node_release_during_transfer, 0, 2);
	tcase_add_loop_test(tcase, destination_gone_during_push, 0, 8);
	tcase_add_loop_test(tcase, send_during_release, 0, 8);
	tcase_add_test(tcase, stale_message_is_not_received);
	tcase_add_test(tcase, receiver_is_faster);
	tcase_add_loop_test(tcase, poll_during_receive, 0, 2);
	tcase_add_test(tcase, lookup_during_abort);
}
