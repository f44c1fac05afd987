// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Nodes, handles, messages, transactions and peers: what is counted, who is told, and in which
 * order (here), also when something else happens in the middle (bus-interleaving.c); what becomes
 * known at once, and what failures leave (bus-transactions.c); what a kill leaves, and for how long
 * locks are held (bus-commands.c). Three peers: the owner of most nodes, the sender and the
 * receiver. After each test all is closed, and nothing may be left in memory.
 */
#include "bus-unit.h"

struct b1_peer *owner, *sender, *receiver;
u64 inbox, to_inbox;
u64 node, handle;
u64 both[2];

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

/* The log */

/* Could a line be lost without a trace? The next one says how many were. */
START_TEST(log_counts_what_is_left_out)
{
	unsigned long n = shim_n_logged();
	int i;

	b1_peer_log_refusal(sender->own, B1_ACCT_BYTES);
	ck_assert_uint_eq(shim_n_logged(), n + 1);
	ck_assert_ptr_nonnull(strstr(shim_last_logged(), "bus1: UID "));
	ck_assert_ptr_nonnull(strstr(shim_last_logged(), " bytes of UID "));
	ck_assert_ptr_nonnull(strstr(shim_last_logged(), ": quota exceeded\n"));

	shim_ratelimited = true;
	for (i = 0; i < 3; i++)
		b1_peer_log_refusal(sender->own, B1_ACCT_BYTES);
	ck_assert_uint_eq(shim_n_logged(), n + 1);

	shim_ratelimited = false;
	b1_peer_log_refusal(sender->own, B1_ACCT_OBJECTS);
	ck_assert_uint_eq(shim_n_logged(), n + 2);
	ck_assert_ptr_nonnull(strstr(shim_last_logged(), " objects of UID "));
	ck_assert_ptr_nonnull(strstr(shim_last_logged(),
				     ": quota exceeded (3 earlier refusals were not logged)\n"));
	b1_peer_log_refusal(sender->own, B1_ACCT_OBJECTS);
	ck_assert_ptr_nonnull(strstr(shim_last_logged(), ": quota exceeded\n"));
}
END_TEST

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
	ck_assert_ptr_null(b1_handle_find(owner, node));
	mutex_unlock(&owner->lock);
	ck_assert_uint_eq(op_node_of(sender, handle)->obj.id, node);
}
END_TEST

/* nothing is fine, and does nothing */
START_TEST(release_of_nothing)
{
	ck_assert_int_eq(op_release(owner, 0, NULL), 0);
	expect_empty(sender);
	expect_empty(owner);
}
END_TEST

static struct b1_object *next_object(u64 id)
{
	struct b1_object *obj;

	raw_spin_lock(&sender->table.lock);
	obj = b1_table_next_locked(&sender->table, id);
	raw_spin_unlock(&sender->table.lock);
	return obj;
}

/* from any number on, in the order of the IDs */
START_TEST(walk_through_table)
{
	u64 ids[20], id;
	size_t i;

	for (i = 0; i < UNIT_N(ids); i++)
		ids[i] = op_copy(sender, sender, handle);
	for (i = 0; i < UNIT_N(ids); i += 2)
		RELEASE(sender, ids[i]);
	ck_assert_uint_eq(next_object(0)->id, to_inbox);
	ck_assert_uint_eq(next_object(to_inbox + 1)->id, handle);
	for (i = 1, id = handle + 1; i < UNIT_N(ids); i += 2, id++) {
		ck_assert_uint_eq(next_object(id)->id, ids[i]);
		ck_assert_uint_eq(next_object(ids[i])->id, ids[i]);
		id = ids[i];
	}
	ck_assert_ptr_null(next_object(id));
	ck_assert_ptr_null(next_object(BUS1_INVALID));
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

/* at once, and not when somebody looks: with it the handle and its node go */
START_TEST(notification_pins_no_memory)
{
	u64 ids[] = { handle, op_copy(sender, sender, handle) };
	size_t n = 1 + _i / 2;
	long live;

	/* one alone, or two together */
	if (n == 1)
		RELEASE(sender, ids[1]);
	RELEASE(owner, node);
	/* they are on the stack, or found already */
	if (_i & 1)
		ck_assert(op_poll(sender));
	live = shim_n_live();
	ck_assert_int_eq(op_release(sender, n, ids), 0);
	ck_assert_int_eq(shim_n_live(), live - n - 1);
	expect_empty(sender);
}
END_TEST

/* nor does one about a handle in a message that is discarded */
START_TEST(discarded_notification_pins_no_memory)
{
	u64 other, to_other = op_node(receiver, sender, &other);
	long live;

	/* makes an account */
	op_send(sender, to_inbox, "stays");
	live = shim_n_live();
	op_send_handle(sender, to_other, "lost", handle);
	RELEASE(owner, node);
	if (_i)
		ck_assert(op_poll(receiver));
	RELEASE(receiver, other);
	ck_assert_int_eq(shim_n_live(), live);
	expect_text(receiver, inbox, "stays");
	expect_empty(receiver);
}
END_TEST

static const void *counted;		/* what is looked at */
static enum shim_point counted_point;
static unsigned int n_counted;

static void count_hook(enum shim_point point, const void *addr)
{
	n_counted += point == counted_point && addr == counted;
}

static void count(enum shim_point point, const void *addr)
{
	counted_point = point;
	counted = addr;
	n_counted = 0;
	shim_hook = count_hook;
}

/* a notification that was received is not looked for when the handle goes, alone or with another */
START_TEST(told_handles_leave_the_queue_alone)
{
	u64 ids[] = { handle, op_copy(sender, sender, handle) };
	u64 before = n_claimed(sender);

	RELEASE(owner, node);
	expect_node_release(sender, ids[0]);
	expect_node_release(sender, ids[1]);
	count(SHIM_LOCK, &sender->queue.lock);
	ck_assert_int_eq(op_release(sender, 1 + _i, ids), 0);
	shim_hook = NULL;
	ck_assert_uint_eq(n_counted, 0);
	ck_assert_uint_eq(n_claimed(sender), before - 1 - _i);
}
END_TEST

/*
 * Dead handles whose notifications wait are released while somebody keeps a transaction open: the
 * release looks whether that is committed when it comes upon it, and not for each handle.
 */
START_TEST(release_looks_once_at_what_is_open)
{
	u64 ids[OPS_MAX], to_both[2], other;
	const struct b1_send_request request = {
		.destinations = to_both,
		.cmd.n_destinations = 2,
	};
	struct b1_send send;
	size_t i;

	to_both[0] = to_both[1] = op_node(sender, receiver, &other);
	for (i = 0; i < OPS_MAX; i++)
		ids[i] = op_copy(sender, sender, handle);
	mutex_lock(&receiver->lock);
	b1_send_init(&send, receiver);
	ck_assert_int_eq(b1_send_prepare(&send, &request), 0);
	ck_assert(b1_message_push(send.destinations[0].message, send.tx));
	send.destinations[0].message = NULL;
	mutex_unlock(&receiver->lock);
	RELEASE(owner, node);
	if (_i)
		ck_assert(op_poll(sender));
	count(SHIM_LOAD, &send.tx->committed);
	ck_assert_int_eq(op_release(sender, OPS_MAX, ids), 0);
	shim_hook = NULL;
	/* once it has been found to be open, only what is new matters */
	if (_i)
		ck_assert_uint_eq(n_counted, 0);
	else
		ck_assert_uint_le(n_counted, 2);
	b1_send_commit(&send);
	b1_send_deinit(&send);
	expect_node_release(sender, handle);
	expect_text(sender, other, "");
	expect_text(sender, other, "");
	expect_empty(sender);
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

/* All that is charged to a peer, as all are of one user. */
u64 n_claimed(struct b1_peer *peer)
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
		op_poll(receiver);
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

TCase *bus_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

static void add_counting(Suite *suite)
{
	TCase *tcase = bus_case(suite, "counting");

	tcase_add_test(tcase, log_counts_what_is_left_out);
	tcase_add_test(tcase, ids_are_odd_and_rise);
	tcase_add_test(tcase, lookup);
	tcase_add_test(tcase, release_of_nothing);
	tcase_add_test(tcase, walk_through_table);
	tcase_add_test(tcase, last_handle_is_told_once);
	tcase_add_test(tcase, last_handle_in_one_release);
	tcase_add_test(tcase, notifications_vanish);
	tcase_add_loop_test(tcase, notification_pins_no_memory, 0, 4);
	tcase_add_loop_test(tcase, discarded_notification_pins_no_memory, 0, 2);
	tcase_add_loop_test(tcase, told_handles_leave_the_queue_alone, 0, 2);
	tcase_add_loop_test(tcase, release_looks_once_at_what_is_open, 0, 2);
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
	add_commands(suite);
	add_interleaving(suite);
	add_transactions(suite);
	return unit_run(suite);
}
