// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What one send leaves for the next: the memory of messages, and the destination.
 */
#include <linux/mm.h>

#include "ops.h"

static struct b1_peer *sender, *receiver;
static u64 inbox, to_inbox;		/* a node of the receiver, the handle of the sender */

static void setup(void)
{
	ck_assert_int_eq(shim_n_live(), 0);
	sender = op_open();
	receiver = op_open();
	to_inbox = op_node(receiver, sender, &inbox);
}

static void teardown(void)
{
	op_close(sender);
	op_close(receiver);
	expect_nothing_left();
}

/* The message that the receiver gets next. */
static struct b1_message *next_message(void)
{
	struct b1_recv recv;
	int ret;

	mutex_lock(&receiver->lock);
	ret = b1_recv_peek(&recv, receiver);
	mutex_unlock(&receiver->lock);
	ck_assert_int_eq(ret, 0);
	ck_assert_ptr_nonnull(recv.message);
	return recv.message;
}

/* Whether a receive leaves memory for the next message. */
#define RECYCLES (!IS_ENABLED(CONFIG_KASAN))

/* memory that the receiver has allocated is there for the next message, if that is not larger */
START_TEST(memory_is_used_again)
{
	struct b1_message *spare;
	unsigned long n;

	op_send(sender, to_inbox, "three");
	ck_assert_ptr_null(receiver->spare);
	n = shim_n_allocs();
	expect_text(receiver, inbox, "three");
	ck_assert_uint_eq(shim_n_allocs() - n, RECYCLES);
	spare = receiver->spare;
	ck_assert_int_eq(!!spare, RECYCLES);
	n = shim_n_allocs();
	op_send(sender, to_inbox, "two");
	ck_assert_uint_eq(shim_n_allocs() - n, !RECYCLES);
	ck_assert_ptr_null(receiver->spare);
	/* there is but one */
	op_send(sender, to_inbox, "one");
	ck_assert_uint_eq(shim_n_allocs() - n, 1 + !RECYCLES);
	expect_text(receiver, inbox, "two");
	ck_assert_ptr_eq(receiver->spare, spare);
	n = shim_n_allocs();
	expect_text(receiver, inbox, "one");
	ck_assert_uint_eq(shim_n_allocs() - n, 0);
	ck_assert_ptr_eq(receiver->spare, spare);
	op_send(sender, to_inbox, "longer than before");
	ck_assert_uint_eq(shim_n_allocs() - n, 1);
	expect_text(receiver, inbox, "longer than before");
	ck_assert_uint_eq(shim_n_allocs() - n, 1 + RECYCLES);
	ck_assert_int_eq(!!receiver->spare, RECYCLES);
}
END_TEST

/* What a sender has allocated goes when it is received: what stays is the receiver's own. */
START_TEST(memory_of_sender_is_freed)
{
	struct b1_message *message;
	long live;

	op_send(sender, to_inbox, "the first one makes an account");
	expect_text(receiver, inbox, "the first one makes an account");
	b1_message_free_spare(receiver);
	live = shim_n_live();
	op_send(sender, to_inbox, "mine");
	message = next_message();
	ck_assert(message->foreign);
	expect_text(receiver, inbox, "mine");
	ck_assert_int_eq(shim_n_live(), live + RECYCLES);
	if (!RECYCLES)
		return;
	/* made before the other one was freed, so the address tells them apart */
	ck_assert_ptr_ne(receiver->spare, message);
	ck_assert(!receiver->spare->foreign);
	ck_assert_uint_eq(receiver->spare->room, strlen("mine"));
	/* and so it is when it has been to a sender and back */
	op_send(sender, to_inbox, "hers");
	ck_assert(!next_message()->foreign);
	expect_text(receiver, inbox, "hers");
	ck_assert_int_eq(shim_n_live(), live + 1);
	/* unless somebody needs more */
	op_send(sender, to_inbox, "mine again");
	ck_assert(next_message()->foreign);
	expect_text(receiver, inbox, "mine again");
	ck_assert(!receiver->spare->foreign);
	ck_assert_int_eq(shim_n_live(), live + 1);
}
END_TEST

/* nothing that a closed peer needed for receiving is kept as long as somebody has a handle to it */
START_TEST(closed_peer_keeps_no_memory)
{
	struct b1_peer *peer = op_open();
	u64 node, to_peer = op_node(peer, sender, &node);

	op_send(sender, to_peer, "one");
	expect_text(peer, node, "one");
	b1_release_close(peer);
	ck_assert_ptr_null(peer->spare);
	b1_peer_unref(peer);
	op_send(sender, to_peer, "two");
}
END_TEST

static unsigned long fail_receive;	/* allocation of the next receives that fails */

/*
 * Sends that many bytes and handles, receives them and compares. Returns how many allocations that
 * took.
 */
static unsigned long carry(size_t n_data, size_t n_handles)
{
	struct bus1_transfer transfers[OPS_MAX];
	const struct b1_send_request request = {
		.destinations = &to_inbox,
		.cmd.n_destinations = 1,
		.transfers = transfers,
		.message.n_transfers = n_handles,
		.message.n_data = n_data,
	};
	unsigned long n = shim_n_allocs();
	struct b1_message *message;
	struct b1_send send;
	struct b1_recv recv;
	size_t i;

	for (i = 0; i < n_handles; i++)
		transfers[i] = (struct bus1_transfer){ .id = to_inbox };

	mutex_lock(&sender->lock);
	b1_send_init(&send, sender);
	ck_assert_int_eq(b1_send_prepare(&send, &request), 0);
	ck_assert_uint_ge(send.data_size, n_data);
	memset(send.data, n_data, send.data_size);
	b1_send_commit(&send);
	b1_send_deinit(&send);
	mutex_unlock(&sender->lock);

	mutex_lock(&receiver->lock);
	ck_assert_int_eq(b1_recv_peek(&recv, receiver), 0);
	message = recv.message;
	ck_assert_uint_eq(message->n_data, n_data);
	ck_assert_uint_ge(message->data_size, n_data);
	ck_assert_uint_eq(((u8 *)message->data)[n_data - 1], n_data % 256);
	ck_assert_uint_eq(message->n_handles, n_handles);
	b1_recv_prepare(&recv);
	shim_fail_nth = fail_receive;
	ck_assert_int_eq(b1_recv_commit(&recv), 0);
	shim_fail_nth = 0;
	mutex_unlock(&receiver->lock);
	return shim_n_allocs() - n;
}

static unsigned long round_trip(size_t n_data)
{
	return carry(n_data, 0);
}

static const size_t max_inline = PAGE_SIZE / 2 - sizeof(struct b1_message);

/* up to a page is kept in a place of its own; what is larger is not kept */
START_TEST(large_payloads)
{
	/* a message and a place for the bytes, each time */
	unsigned long fresh = RECYCLES ? 0 : 2;

	/* with the trace of the sender at the receiver's user, the first time */
	round_trip(1);
	/* a place of the sender, and one of the receiver */
	ck_assert_uint_eq(round_trip(PAGE_SIZE), fresh ?: 1 + 1);
	ck_assert_uint_eq(round_trip(max_inline + 1), fresh);
	ck_assert_uint_eq(round_trip(PAGE_SIZE), fresh);
	ck_assert_uint_eq(round_trip(PAGE_SIZE + 1), fresh ?: 1);
	ck_assert_uint_eq(round_trip(PAGE_SIZE), fresh ?: 1 + 1);
	ck_assert_uint_eq(round_trip(max_inline), fresh ? 1 : 1 + 1);
	ck_assert_uint_eq(round_trip(1), fresh / 2);
	ck_assert_uint_eq(round_trip(max_inline), fresh / 2);
}
END_TEST

/* What is kept is as large as what was received, and never more than half a page and a page. */
START_TEST(spare_is_small)
{
	static const size_t sizes[] = { 1, max_inline, max_inline + 1, PAGE_SIZE, PAGE_SIZE + 1 };
	size_t size = sizes[_i];

	if (!RECYCLES)
		return;
	round_trip(size);
	ck_assert(!receiver->spare->foreign);
	ck_assert_uint_eq(receiver->spare->room, size <= max_inline ? size : 0);
	ck_assert_uint_eq(receiver->spare->buffer_size,
			  size > max_inline && size <= PAGE_SIZE ? PAGE_SIZE : 0);
	ck_assert_int_eq(!!receiver->spare->buffer, !!receiver->spare->buffer_size);
}
END_TEST

/* a receive that gets no memory for the next message is none the worse */
START_TEST(no_memory_for_spare)
{
	size_t size = _i ? PAGE_SIZE : 1;

	if (!RECYCLES)
		return;
	fail_receive = 1;
	round_trip(size);
	ck_assert_ptr_null(receiver->spare);
	fail_receive = 2;
	round_trip(size);
	fail_receive = 0;
	/* there is one without a place for what is larger */
	ck_assert_ptr_nonnull(receiver->spare);
	ck_assert_ptr_null(receiver->spare->buffer);
	ck_assert_uint_eq(receiver->spare->buffer_size, 0);
	ck_assert_uint_eq(round_trip(size), _i ? 1 + 1 : 0);
	ck_assert_uint_eq(round_trip(size), 0);
}
END_TEST

static struct b1_peer *other;
static u64 other_to_inbox;

static void receive_another(void)
{
	ck_assert_ptr_null(receiver->spare);
	op_send(other, other_to_inbox, "another");
	expect_text(receiver, inbox, "another");
	ck_assert_ptr_nonnull(receiver->spare);
}

/* While the receiver's memory is in a message that is not committed, it gets more: one stays. */
START_TEST(one_spare_at_most)
{
	u64 twice[] = { to_inbox, to_inbox };
	long live;

	if (!RECYCLES)
		return;
	other = op_open();
	other_to_inbox = op_copy(sender, other, to_inbox);
	op_send(other, other_to_inbox, "something to begin with");
	expect_text(receiver, inbox, "something to begin with");
	live = shim_n_live();
	unit_arm(SHIM_STORE, NULL, 1, receive_another);
	ck_assert_int_eq(op_multicast(sender, 2, twice, "slow", 0, NULL), 0);
	unit_disarm();
	/* both messages, their payload, and the memory for the next one */
	ck_assert_int_eq(shim_n_live(), live + 3);
	ck_assert(!next_message()->foreign);
	expect_text(receiver, inbox, "slow");
	expect_text(receiver, inbox, "slow");
	ck_assert_int_eq(shim_n_live(), live);
	op_close(other);
}
END_TEST

/* memory of the receiver in a message that nobody receives is freed, whoever ends it */
START_TEST(spare_goes_with_its_message)
{
	u64 node, to_node = op_node(receiver, sender, &node);
	long live;

	op_send(sender, to_node, "makes an account");
	expect_text(receiver, node, "makes an account");
	b1_message_free_spare(receiver);
	live = shim_n_live();
	round_trip(PAGE_SIZE);
	op_send(sender, to_node, "");
	ck_assert_int_eq(!next_message()->foreign, RECYCLES);
	RELEASE(receiver, node);
	ck_assert_ptr_null(receiver->spare);
	expect_node_release(sender, to_node);
	ck_assert_int_eq(shim_n_live(), live);
}
END_TEST

/* nor is a message with handles and payload that together are more than sits behind one otherwise */
START_TEST(large_messages)
{
	carry(max_inline - sizeof(struct b1_handle *), 1);
	ck_assert_int_eq(!!receiver->spare, RECYCLES);
	carry(max_inline, 1);
	ck_assert_ptr_null(receiver->spare);
}
END_TEST

/* what is to be wiped when it is freed is not kept */
START_TEST(wiped_memory)
{
	unsigned long n;

	shim_init_on_free = true;
	op_send(sender, to_inbox, "secret");
	expect_text(receiver, inbox, "secret");
	ck_assert_ptr_null(receiver->spare);
	n = shim_n_allocs();
	op_send(sender, to_inbox, "public");
	ck_assert_uint_eq(shim_n_allocs() - n, 1);
	shim_init_on_free = false;
	expect_text(receiver, inbox, "public");
	ck_assert_int_eq(!!receiver->spare, RECYCLES);
}
END_TEST

/* a multicast has one copy of the bytes, wherever the messages are */
START_TEST(shared_payload)
{
	u64 twice[] = { to_inbox, to_inbox };
	struct b1_message *first;

	round_trip(PAGE_SIZE);
	ck_assert_int_eq(op_multicast(sender, 2, twice, "two", 0, NULL), 0);
	first = next_message();
	/* the queue has been looked at, and both messages are there */
	ck_assert_uint_eq(refcount_read(&first->entry.tx->ref.refs), 2);
	ck_assert_ptr_eq(first->data, container_of(first->entry.tx, struct b1_payload, tx)->data);
	expect_text(receiver, inbox, "two");
	expect_text(receiver, inbox, "two");
	round_trip(PAGE_SIZE);
}
END_TEST

/* the last destination is found without a search, as long as it is there, and is no other's */
START_TEST(last_destination)
{
	u64 other, to_other = op_node(receiver, sender, &other);

	op_send(sender, to_inbox, "one");
	op_send(sender, to_inbox, "two");
	op_send(sender, to_other, "three");
	expect_text(receiver, inbox, "one");
	expect_text(receiver, inbox, "two");
	expect_text(receiver, other, "three");
	ck_assert_ptr_eq(sender->recent, op_handle(sender, to_other));
	/* alone, or among others */
	if (_i) {
		RELEASE(sender, to_inbox, to_other);
	} else {
		RELEASE(sender, to_inbox);
		ck_assert_ptr_eq(sender->recent, op_handle(sender, to_other));
		RELEASE(sender, to_other);
	}
	ck_assert_ptr_null(sender->recent);
	ck_assert_int_eq(op_multicast(sender, 1, &to_other, "x", 0, NULL), -EBADRQC);
	ck_assert_int_eq(op_multicast(sender, 1, &to_inbox, "x", 0, NULL), -EBADRQC);
	expect_handle_release(receiver, inbox);
	expect_handle_release(receiver, other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *tcase = tcase_create("memory");

	op_load();
	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, memory_is_used_again);
	tcase_add_test(tcase, memory_of_sender_is_freed);
	tcase_add_test(tcase, closed_peer_keeps_no_memory);
	tcase_add_test(tcase, large_payloads);
	tcase_add_test(tcase, large_messages);
	tcase_add_loop_test(tcase, spare_is_small, 0, 5);
	tcase_add_loop_test(tcase, no_memory_for_spare, 0, 2);
	tcase_add_test(tcase, one_spare_at_most);
	tcase_add_test(tcase, spare_goes_with_its_message);
	tcase_add_test(tcase, wiped_memory);
	tcase_add_test(tcase, shared_payload);
	tcase_add_loop_test(tcase, last_destination, 0, 2);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
