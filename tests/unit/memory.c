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

/* the memory of a message that was received is there for the next one, if that is not larger */
START_TEST(memory_is_used_again)
{
	struct b1_message *spare;
	unsigned long n;

	op_send(sender, to_inbox, "three");
	ck_assert_ptr_null(receiver->spare);
	expect_text(receiver, inbox, "three");
	spare = receiver->spare;
	ck_assert_int_eq(!!spare, !IS_ENABLED(CONFIG_KASAN));
	n = shim_n_allocs();
	op_send(sender, to_inbox, "two");
	ck_assert_uint_eq(shim_n_allocs() - n, IS_ENABLED(CONFIG_KASAN));
	ck_assert_ptr_null(receiver->spare);
	/* there is but one */
	op_send(sender, to_inbox, "one");
	ck_assert_uint_eq(shim_n_allocs() - n, 1 + IS_ENABLED(CONFIG_KASAN));
	expect_text(receiver, inbox, "two");
	ck_assert_ptr_eq(receiver->spare, spare);
	expect_text(receiver, inbox, "one");
	n = shim_n_allocs();
	op_send(sender, to_inbox, "longer than before");
	ck_assert_uint_eq(shim_n_allocs() - n, 1);
	expect_text(receiver, inbox, "longer than before");
	ck_assert_int_eq(!!receiver->spare, !IS_ENABLED(CONFIG_KASAN));
}
END_TEST

/* nothing that a closed peer needed for receiving is kept as long as somebody has a handle to it */
START_TEST(closed_peer_keeps_no_memory)
{
	struct b1_peer *peer = op_open();
	u64 node, to_peer = op_node(peer, sender, &node);

	op_send(sender, to_peer, "one");
	expect_text(peer, node, "one");
	b1_peer_close(peer);
	ck_assert_ptr_null(peer->spare);
	b1_peer_unref(peer);
	op_send(sender, to_peer, "two");
}
END_TEST

/*
 * Sends that many bytes and handles, receives them and compares. Returns how many allocations that
 * took.
 */
static unsigned long carry(size_t n_data, size_t n_handles)
{
	struct bus1_transfer transfers[OPS_MAX];
	unsigned long n = shim_n_allocs();
	struct b1_message *message;
	struct b1_send send;
	size_t i;

	for (i = 0; i < n_handles; i++)
		transfers[i] = (struct bus1_transfer){ .id = to_inbox };

	mutex_lock(&sender->lock);
	b1_send_init(&send, sender);
	ck_assert_int_eq(b1_send_prepare(&send, &to_inbox, 1, transfers, n_handles, n_data),
			 0);
	ck_assert_uint_ge(send.data_size, n_data);
	memset(send.data, n_data, send.data_size);
	b1_send_commit(&send);
	b1_send_deinit(&send);
	mutex_unlock(&sender->lock);

	mutex_lock(&receiver->lock);
	message = b1_message_from_entry(b1_peer_peek(receiver));
	ck_assert_uint_eq(message->n_data, n_data);
	ck_assert_uint_ge(message->data_size, n_data);
	ck_assert_uint_eq(((u8 *)message->data)[n_data - 1], n_data % 256);
	b1_message_prepare_install(message);
	ck_assert_uint_eq(message->n_handles, n_handles);
	b1_message_install(message);
	b1_message_recycle(message);
	mutex_unlock(&receiver->lock);
	return shim_n_allocs() - n;
}

static unsigned long round_trip(size_t n_data)
{
	return carry(n_data, 0);
}

/* up to a page is kept in a place of its own; what is larger is not kept */
START_TEST(large_payloads)
{
	const size_t max_inline = PAGE_SIZE / 2 - sizeof(struct b1_message);
	unsigned long again = IS_ENABLED(CONFIG_KASAN) ? 2 : 0;

	/* with the trace of the sender at the receiver's user, the first time */
	round_trip(1);
	ck_assert_uint_eq(round_trip(PAGE_SIZE), again ?: 1);
	ck_assert_uint_eq(round_trip(max_inline + 1), again);
	ck_assert_uint_eq(round_trip(PAGE_SIZE), again);
	ck_assert_uint_eq(round_trip(PAGE_SIZE + 1), again ?: 1);
	ck_assert_uint_eq(round_trip(PAGE_SIZE), again ?: 1);
	ck_assert_uint_eq(round_trip(max_inline), 1);
	ck_assert_uint_eq(round_trip(1), again / 2);
	ck_assert_uint_eq(round_trip(max_inline), again / 2);
}
END_TEST

/* nor is a message with handles and payload that together are more than sits behind one otherwise */
START_TEST(large_messages)
{
	const size_t max_inline = PAGE_SIZE / 2 - sizeof(struct b1_message);

	carry(max_inline - sizeof(struct b1_handle *), 1);
	ck_assert_int_eq(!!receiver->spare, !IS_ENABLED(CONFIG_KASAN));
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
	ck_assert_int_eq(!!receiver->spare, !IS_ENABLED(CONFIG_KASAN));
}
END_TEST

/* a multicast has one copy of the bytes, wherever the messages are */
START_TEST(shared_payload)
{
	u64 twice[] = { to_inbox, to_inbox };
	struct b1_message *first;

	round_trip(PAGE_SIZE);
	ck_assert_int_eq(op_multicast(sender, 2, twice, "two", 0, NULL), 0);
	first = b1_message_from_entry(b1_peer_peek(receiver));
	/* the queue has been looked at, and both messages are there */
	ck_assert_uint_eq(refcount_read(&first->entry.tx->refs), 2);
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
	tcase_add_test(tcase, closed_peer_keeps_no_memory);
	tcase_add_test(tcase, large_payloads);
	tcase_add_test(tcase, large_messages);
	tcase_add_test(tcase, wiped_memory);
	tcase_add_test(tcase, shared_payload);
	tcase_add_loop_test(tcase, last_destination, 0, 2);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
