// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The send and recv commands: sections "send", "recv" and, for the account, "open" of the contract
 */
#define _GNU_SOURCE
#include "b1t.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

enum { N = 5 };

/* A send whose every part the test can shape. */
struct shape {
	struct bus1_message message;
	struct bus1_cmd_send cmd;
};

static int send_shape(int fd, struct shape *s, size_t n_dests, const uint64_t *dests, size_t n_data,
		      const struct iovec *vecs, size_t n_vecs)
{
	s->message.type = BUS1_MESSAGE_TYPE_USER;
	s->message.n_data = n_data;
	s->message.n_data_vecs = n_vecs;
	s->message.ptr_data_vecs = BUS1_FROM_PTR(vecs);
	s->cmd.n_destinations = n_dests;
	s->cmd.ptr_destinations = BUS1_FROM_PTR(dests);
	s->cmd.ptr_message = BUS1_FROM_PTR(&s->message);
	return b1t_ioctl(fd, BUS1_CMD_SEND, &s->cmd);
}

/* A recv whose every part the test can shape; metadata is preset with canaries. */
static int recv_shape(int fd, struct bus1_metadata *metadata, struct bus1_message *message)
{
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = BUS1_FROM_PTR(metadata),
		.ptr_message = BUS1_FROM_PTR(message),
	};

	memset(metadata, B1T_CANARY, sizeof(*metadata));
	return b1t_ioctl(fd, BUS1_CMD_RECV, &cmd);
}

static void check_metadata(const struct bus1_metadata *metadata, uint64_t id, uint64_t account)
{
	ck_assert_uint_eq(metadata->flags, 0);
	ck_assert_uint_eq(metadata->id, id);
	ck_assert_uint_eq(metadata->account, account);
}

static void check_bytes(const void *p, size_t n, uint8_t value)
{
	const uint8_t *bytes = p;
	size_t i;

	for (i = 0; i < n; i++)
		ck_assert_uint_eq(bytes[i], value);
}

/* Payloads of all short lengths, and around pages, from and to everywhere: nothing else is copied. */
START_TEST(payload_of_any_length)
{
	static const size_t lengths[] = { 0, 1, 7, 8, 9, 64, 120, 127, 128, 129, 136, 4095, 4096 };
	static uint8_t from[4096 + 16], to[4096 + 16];
	struct bus1_metadata metadata;
	struct bus1_message message;
	size_t n = lengths[_i / 2], at = _i % 2 ? 3 : 8, i;
	int a = b1t_peer(), b = b1t_peer();
	struct iovec vec = { from + at, n }, room = { to + at, SSIZE_MAX };
	struct shape s = {};
	uint64_t node, dest;

	b1t_node_ok(a, b, &node, &dest);
	for (i = 0; i < sizeof(from); i++)
		from[i] = (uint8_t)(i * 7 + 1);
	memset(to, B1T_CANARY, sizeof(to));
	ck_assert_int_eq(send_shape(b, &s, 1, &dest, n, &vec, 1), 0);
	message = (struct bus1_message){
		.type = BUS1_INVALID,
		.n_data = BUS1_INVALID,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&room),
	};
	room.iov_len = (size_t)-1;
	ck_assert_int_eq(recv_shape(a, &metadata, &message), -EINVAL);
	/* as much room as there can be, whatever is mapped there */
	room.iov_len = sizeof(void *) == 8 ? SSIZE_MAX : n;
	ck_assert_int_eq(recv_shape(a, &metadata, &message), 0);
	ck_assert_uint_eq(message.n_data, n);
	ck_assert_mem_eq(to + at, from + at, n);
	check_bytes(to, at, B1T_CANARY);
	check_bytes(to + at + n, sizeof(to) - at - n, B1T_CANARY);

	vec.iov_len = (size_t)-1;
	ck_assert_int_eq(send_shape(b, &s, 1, &dest, n, &vec, 1), -EINVAL);
	b1t_expect_empty(a);
}
END_TEST

/* Short payloads and arrays that end in memory that is not there. */
START_TEST(payload_across_the_end)
{
	size_t page = sysconf(_SC_PAGESIZE), n = _i ? 128 : 16;
	uint8_t *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			    0);
	struct iovec vec = { map + page - n + 4, n }, room = vec;
	int a = b1t_peer(), b = b1t_peer();
	struct bus1_metadata metadata;
	struct bus1_message message;
	struct shape s = {};
	uint64_t node, dest;

	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(munmap(map + page, page), 0);
	b1t_node_ok(a, b, &node, &dest);
	ck_assert_int_eq(send_shape(b, &s, 1, &dest, n, &vec, 1), -EFAULT);
	b1t_expect_empty(a);
	vec.iov_base = map;
	ck_assert_int_eq(send_shape(b, &s, 1, &dest, n, &vec, 1), 0);
	message = (struct bus1_message){
		.type = BUS1_INVALID,
		.n_data = n,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&room),
	};
	ck_assert_int_eq(recv_shape(a, &metadata, &message), -EFAULT);
	room.iov_base = map;
	ck_assert_int_eq(recv_shape(a, &metadata, &message), 0);
	ck_assert_uint_eq(message.n_data, n);
	ck_assert_int_eq(munmap(map, page), 0);
}
END_TEST

/* one message per destination, whichever peer it leads to */
START_TEST(send_multicasts)
{
	uint64_t nodes[N], dests[N];
	int sender = b1t_peer(), peers[N];
	size_t n, i;

	for (i = 0; i < N; i++) {
		peers[i] = b1t_peer();
		b1t_node_ok(peers[i], sender, &nodes[i], &dests[i]);
	}
	for (n = 1; n <= N; n++) {
		ck_assert_int_eq(b1t_send(sender, n, dests, "hello", 5, NULL, 0), 0);
		for (i = 0; i < n; i++)
			b1t_expect_text(peers[i], nodes[i], "hello");
		for (i = 0; i < N; i++)
			b1t_expect_empty(peers[i]);
	}
}
END_TEST

/* destinations of one receiver get their messages in array order, repeated ones repeatedly */
START_TEST(send_keeps_array_order)
{
	static const int order[] = { 3, 0, 4, 4, 1, 2, 0, 3 };
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t nodes[N], handles[N], cn, ch, dests[2 * B1T_N(order)];
	size_t i;

	for (i = 0; i < N; i++)
		b1t_node_ok(a, b, &nodes[i], &handles[i]);
	b1t_node_ok(c, b, &cn, &ch);
	for (i = 0; i < B1T_N(order); i++) {
		dests[2 * i] = handles[order[i]];
		dests[2 * i + 1] = ch;
	}
	ck_assert_int_eq(b1t_send(b, B1T_N(dests), dests, "m", 1, NULL, 0), 0);
	for (i = 0; i < B1T_N(order); i++) {
		b1t_expect_text(a, nodes[order[i]], "m");
		b1t_expect_text(c, cn, "m");
	}
	b1t_expect_empty(a);
	b1t_expect_empty(c);
}
END_TEST

/* a repeated destination gets the message as often as it is named */
START_TEST(send_repeats_a_destination)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle;
	size_t i;

	b1t_node_ok(a, b, &node, &handle);
	ck_assert_int_eq(b1t_send(b, 3, (uint64_t[]){ handle, handle, handle }, "m", 1, NULL, 0),
			 0);
	for (i = 0; i < 3; i++)
		b1t_expect_text(a, node, "m");
	b1t_expect_empty(a);
}
END_TEST

/* sending to oneself is ordinary, also as one of several destinations and with handles */
START_TEST(send_to_oneself)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle, bn, bh, got, other;

	b1t_node_ok(a, -1, &node, &handle);
	b1t_node_ok(b, a, &bn, &bh);
	b1t_send_ok(a, handle, "self", 0, NULL);
	b1t_expect_text(a, node, "self");
	ck_assert_int_eq(b1t_send(a, 2, (uint64_t[]){ bh, handle }, "both", 4, &handle, 1), 0);
	got = b1t_expect_handle(a, node, "both");
	other = b1t_expect_handle(b, bn, "both");
	ck_assert_uint_ne(got, handle);
	b1t_send_ok(a, got, "via copy", 0, NULL);
	b1t_expect_text(a, node, "via copy");
	b1t_send_ok(b, other, "via b", 0, NULL);
	b1t_expect_text(a, node, "via b");
}
END_TEST

/* destinations whose node is released or whose peer is closed are no error; the rest is sent */
START_TEST(send_discards_for_dead_destinations)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer(), d = b1t_peer();
	int32_t errors[4] = { 1, 2, 3, 4 };
	struct shape s = { .cmd.ptr_errors = BUS1_FROM_PTR(errors) };
	struct iovec vec = { "text", 4 };
	uint64_t node, dests[4], released, cn, dn;

	b1t_node_ok(a, b, &node, &dests[0]);
	b1t_node_ok(a, b, &released, &dests[1]);
	b1t_node_ok(c, b, &cn, &dests[2]);
	b1t_node_ok(d, b, &dn, &dests[3]);
	ck_assert_int_eq(b1t_release1(a, released), 0);
	close(c);
	ck_assert_int_eq(send_shape(b, &s, 4, dests, 4, &vec, 1), 0);
	check_bytes(errors, sizeof(errors), 0);
	b1t_expect_text(a, node, "text");
	b1t_expect_empty(a);
	b1t_expect_text(d, dn, "text");
	b1t_expect_empty(d);
	/* and where nobody is left */
	ck_assert_int_eq(b1t_send(b, 2, &dests[1], "text", 4, NULL, 0), 0);
	b1t_expect_empty(a);
	b1t_expect_empty(d);
}
END_TEST

/* a discarded message takes no reference on what it would have carried */
START_TEST(send_discards_carried_handles_for_dead_destinations)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t node, handle, gone, dests[2];

	b1t_node_ok(a, c, &node, &handle);
	b1t_node_ok(a, c, &gone, &dests[0]);
	b1t_node_ok(b, c, NULL, &dests[1]);
	ck_assert_int_eq(b1t_release1(a, gone), 0);
	close(b);
	ck_assert_int_eq(b1t_send(c, 2, dests, "x", 1, &handle, 1), 0);
	b1t_expect_empty(a);
	ck_assert_int_eq(b1t_release1(c, handle), 0);
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
}
END_TEST

/* exactly the first n_data bytes of the iovecs travel */
START_TEST(send_cuts_at_n_data)
{
	static const char secret[] = "0123456789secret";
	int a = b1t_peer(), b = b1t_peer();
	struct shape s = { { 0 }, { 0 } };
	struct iovec vecs[3] = {
		{ (void *)secret, 4 }, { (void *)(secret + 4), 6 }, { (void *)secret, 16 }
	};
	uint64_t node, handle;
	struct b1t_received r;
	size_t n;

	b1t_node_ok(a, b, &node, &handle);
	for (n = 0; n <= 10; n++) {
		ck_assert_int_eq(send_shape(b, &s, 1, &handle, n, vecs, 3), 0);
		ck_assert_int_eq(b1t_recv(a, &r), 0);
		ck_assert_uint_eq(r.message.n_data, n);
		ck_assert_mem_eq(r.data, secret, n);
		check_bytes(r.data + n, sizeof(r.data) - n, B1T_CANARY);
	}
}
END_TEST

/* the payload is gathered from the iovecs in order; empty ones are no obstacle */
START_TEST(send_gathers)
{
	int a = b1t_peer(), b = b1t_peer();
	struct shape s = { { 0 }, { 0 } };
	struct iovec vecs[5] = { { "ab", 2 }, { NULL, 0 }, { "c", 1 }, { "defg", 4 }, { "hi", 2 } };
	uint64_t node, handle;

	b1t_node_ok(a, b, &node, &handle);
	ck_assert_int_eq(send_shape(b, &s, 1, &handle, 9, vecs, 5), 0);
	b1t_expect_text(a, node, "abcdefghi");
	ck_assert_int_eq(send_shape(b, &s, 1, &handle, 3, vecs, 3), 0);
	b1t_expect_text(a, node, "abc");
	ck_assert_int_eq(send_shape(b, &s, 1, &handle, 0, NULL, 0), 0);
	b1t_expect_text(a, node, "");
	ck_assert_int_eq(send_shape(b, &s, 1, &handle, 10, vecs, 5), -EMSGSIZE);
	b1t_expect_empty(a);
}
END_TEST

/* many pages of payload in uneven pieces arrive unchanged, to every receiver */
START_TEST(send_carries_large_payloads)
{
	enum { SIZE = 300001 };
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer(), fd[2] = { a, b };
	uint8_t *out = malloc(SIZE), *in = malloc(SIZE + 1);
	struct iovec vecs[3] = { { out, 4095 }, { out + 4095, 2 }, { out + 4097, SIZE - 4097 } };
	struct iovec room[2] = { { in, 8193 }, { in + 8193, SIZE - 8193 } };
	struct bus1_message message;
	struct bus1_metadata metadata;
	struct shape s = { { 0 }, { 0 } };
	uint64_t nodes[2], dests[2];
	size_t i;

	for (i = 0; i < SIZE; i++)
		out[i] = i * 7 + i / 4096;
	for (i = 0; i < 2; i++)
		b1t_node_ok(fd[i], c, &nodes[i], &dests[i]);
	ck_assert_int_eq(send_shape(c, &s, 2, dests, SIZE, vecs, 3), 0);
	for (i = 0; i < 2; i++) {
		memset(in, B1T_CANARY, SIZE + 1);
		message = (struct bus1_message){
			.type = BUS1_INVALID,
			.n_data = SIZE,
			.n_data_vecs = 2,
			.ptr_data_vecs = BUS1_FROM_PTR(room),
		};
		ck_assert_int_eq(recv_shape(fd[i], &metadata, &message), 0);
		ck_assert_uint_eq(message.n_data, SIZE);
		ck_assert_mem_eq(in, out, SIZE);
		ck_assert_uint_eq(in[SIZE], B1T_CANARY);
	}
	free(out);
	free(in);
}
END_TEST

/* no destinations: everything is validated, nothing happens, errors[0] is not written */
START_TEST(send_to_nobody)
{
	int a = b1t_peer();
	int32_t error = 77;
	struct shape s = { .cmd.ptr_errors = BUS1_FROM_PTR(&error) };
	struct bus1_transfer transfer;
	struct iovec vec = { "x", 1 };
	uint64_t node, handle;

	b1t_node_ok(a, -1, &node, &handle);
	transfer = (struct bus1_transfer){ .id = handle };
	s.message.n_transfers = 1;
	s.message.ptr_transfers = BUS1_FROM_PTR(&transfer);
	ck_assert_int_eq(send_shape(a, &s, 0, NULL, 1, &vec, 1), 0);
	ck_assert_int_eq(error, 77);
	transfer.id = node;
	ck_assert_int_eq(send_shape(a, &s, 0, NULL, 1, &vec, 1), -EBADRQC);
	ck_assert_int_eq(b1t_release1(a, handle), 0);
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
}
END_TEST

/* each destination gets its own copy of each carried handle, in order */
START_TEST(send_copies_handles_for_each_destination)
{
	int a = b1t_peer(), peers[2] = { b1t_peer(), b1t_peer() }, owner = b1t_peer();
	uint64_t nodes[2], dests[3], on[3], oh[3], carried[5], got[3][5];
	static const int order[5] = { 2, 0, 1, 0, 2 };
	size_t i, k;

	for (i = 0; i < 2; i++)
		b1t_node_ok(peers[i], a, &nodes[i], &dests[i]);
	dests[2] = dests[0];
	for (i = 0; i < 3; i++)
		b1t_node_ok(owner, a, &on[i], &oh[i]);
	for (i = 0; i < 5; i++)
		carried[i] = oh[order[i]];
	ck_assert_int_eq(b1t_send(a, 3, dests, "h", 1, carried, 5), 0);
	for (k = 0; k < 3; k++)
		b1t_expect_handles(peers[k % 2], nodes[k % 2], "h", 5, got[k]);
	for (k = 0; k < 3; k++) {
		for (i = 0; i < 5; i++) {
			b1t_send_ok(peers[k % 2], got[k][i], "reply", 0, NULL);
			b1t_expect_text(owner, on[order[i]], "reply");
			ck_assert_int_eq(b1t_release1(peers[k % 2], got[k][i]), 0);
		}
	}
	b1t_expect_empty(owner);
	ck_assert_int_eq(b1t_release(a, 3, oh), 0);
	b1t_expect_handle_releases(owner, 3, on);
}
END_TEST

/* a carried handle gets a fresh ID, whether the receiver holds one already or owns the node */
START_TEST(send_gives_fresh_ids)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle, own, got[3];
	size_t i, k;

	b1t_node_ok(a, b, &node, &handle);
	own = b1t_copy_ok(b, a, handle);
	b1t_send_ok(b, handle, "mine", 3, (uint64_t[]){ handle, handle, handle });
	b1t_expect_handles(a, node, "mine", 3, got);
	for (i = 0; i < 3; i++) {
		ck_assert_uint_gt(got[i], i ? got[i - 1] : own);
		ck_assert_uint_ne(got[i], node);
		b1t_send_ok(a, got[i], "x", 0, NULL);
		b1t_expect_text(a, node, "x");
	}
	/* each of them counts for itself */
	ck_assert_int_eq(B1T_RELEASE(a, own), 0);
	ck_assert_int_eq(B1T_RELEASE(b, handle), 0);
	for (k = 0; k < 3; k++) {
		b1t_expect_empty(a);
		ck_assert_int_eq(b1t_release1(a, got[k]), 0);
	}
	b1t_expect_handle_release(a, node);
}
END_TEST

/* errors is an array of int32_t, all 0 on success, nothing around it written */
START_TEST(send_clears_errors)
{
	int a = b1t_peer(), b = b1t_peer();
	int32_t errors[N + 2];
	struct shape s = { .cmd.ptr_errors = BUS1_FROM_PTR(errors + 1) };
	uint64_t node, dests[N];
	size_t n, i;

	for (i = 0; i < N; i++)
		b1t_node_ok(a, b, &node, &dests[i]);
	for (n = 1; n <= N; n++) {
		memset(errors, B1T_CANARY, sizeof(errors));
		ck_assert_int_eq(send_shape(b, &s, n, dests, 0, NULL, 0), 0);
		check_bytes(errors, sizeof(errors[0]), B1T_CANARY);
		check_bytes(errors + 1, n * sizeof(errors[0]), 0);
		check_bytes(errors + 1 + n, (N + 1 - n) * sizeof(errors[0]), B1T_CANARY);
	}
	/* a failure leaves it alone */
	dests[4] = 0;
	memset(errors, B1T_CANARY, sizeof(errors));
	ck_assert_int_eq(send_shape(b, &s, N, dests, 0, NULL, 0), -EBADRQC);
	check_bytes(errors, sizeof(errors), B1T_CANARY);
}
END_TEST

/* a bad destination or carried handle anywhere: nobody gets anything, no handle is counted */
START_TEST(send_all_or_nothing)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t nodes[3], dests[3], save;
	size_t i;

	for (i = 0; i < 3; i++)
		b1t_node_ok(a, b, &nodes[i], &dests[i]);
	for (i = 0; i < 3; i++) {
		save = dests[i];
		dests[i] = 0;
		ck_assert_int_eq(b1t_send(b, 3, dests, "x", 1, NULL, 0), -EBADRQC);
		ck_assert_int_eq(b1t_send(b, 1, &save, "x", 1, dests, 3), -EBADRQC);
		dests[i] = save;
		b1t_expect_empty(a);
	}
	ck_assert_int_eq(b1t_release(b, 3, dests), 0);
	b1t_expect_handle_releases(a, 3, nodes);
}
END_TEST

/* what was sent does not depend on the sender any more: its memory, its handles */
START_TEST(send_takes_a_snapshot)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	char text[] = "before";
	uint64_t node, handle, cn, ch, got;

	b1t_node_ok(a, b, &node, &handle);
	b1t_node_ok(c, b, &cn, &ch);
	ck_assert_int_eq(b1t_send(b, 1, &handle, text, 6, &ch, 1), 0);
	memcpy(text, "after!", 6);
	ck_assert_int_eq(b1t_release1(b, ch), 0);
	got = b1t_expect_handle(a, node, "before");
	b1t_expect_empty(c);
	b1t_send_ok(a, got, "x", 0, NULL);
	b1t_expect_text(c, cn, "x");
}
END_TEST

/*
 * too little room: EMSGSIZE, both sizes set to the need, metadata as if it had been received, the
 * rest untouched, then resubmitted
 */
static void check_negotiation(size_t n_data, size_t n_handles, size_t room_data,
			      size_t room_handles)
{
	int a = b1t_peer(), b = b1t_peer();
	uint8_t data[64], want[64];
	struct bus1_transfer transfers[8];
	struct iovec vec = { data, room_data }, vec_before = vec;
	struct bus1_metadata metadata;
	struct bus1_message message, before;
	uint64_t node, handle, handles[8];
	size_t i;

	b1t_node_ok(a, b, &node, &handle);
	for (i = 0; i < 8; i++)
		handles[i] = handle;
	memset(want, 'w', sizeof(want));
	memset(data, B1T_CANARY, sizeof(data));
	memset(transfers, B1T_CANARY, sizeof(transfers));
	ck_assert_int_eq(b1t_send(b, 1, &handle, want, n_data, handles, n_handles), 0);
	b1t_send_ok(b, handle, "next", 0, NULL);

	before = message = (struct bus1_message){
		.type = BUS1_INVALID,
		.n_transfers = room_handles,
		.ptr_transfers = BUS1_FROM_PTR(transfers),
		.n_data = room_data,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	ck_assert_int_eq(recv_shape(a, &metadata, &message), -EMSGSIZE);
	before.n_transfers = n_handles;
	before.n_data = n_data;
	ck_assert_mem_eq(&message, &before, sizeof(message));
	ck_assert_mem_eq(&vec, &vec_before, sizeof(vec));
	check_metadata(&metadata, node, geteuid());
	check_bytes(data, sizeof(data), B1T_CANARY);
	check_bytes(transfers, sizeof(transfers), B1T_CANARY);

	vec.iov_len = n_data;
	ck_assert_int_eq(recv_shape(a, &metadata, &message), 0);
	ck_assert_uint_eq(message.type, BUS1_MESSAGE_TYPE_USER);
	ck_assert_uint_eq(message.n_data, n_data);
	ck_assert_uint_eq(message.n_transfers, n_handles);
	ck_assert_uint_eq(metadata.id, node);
	check_bytes(data, n_data, 'w');
	check_bytes(data + n_data, sizeof(data) - n_data, B1T_CANARY);
	check_bytes(transfers + n_handles, (8 - n_handles) * sizeof(transfers[0]), B1T_CANARY);
	b1t_expect_text(a, node, "next");
	b1t_expect_empty(a);
	close(a);
	close(b);
}

START_TEST(recv_negotiates_sizes)
{
	/* data, transfers, both; by one and by all */
	check_negotiation(10, 0, 9, 0);
	check_negotiation(10, 0, 0, 5);
	check_negotiation(10, 2, 9, 2);
	check_negotiation(10, 2, 50, 1);
	check_negotiation(10, 2, 10, 0);
	check_negotiation(0, 5, 0, 4);
	check_negotiation(64, 5, 1, 2);
	check_negotiation(64, 5, 0, 0);
}
END_TEST

/*
 * Was there no way to get rid of a message that is too large, as nobody said where it came in? Its
 * node can be released, and it goes with it.
 */
START_TEST(recv_too_large_tells_the_node)
{
	int a = b1t_peer(), b = b1t_peer();
	struct bus1_message message = { .type = BUS1_INVALID };
	struct bus1_metadata metadata;
	uint64_t node, handle, other, to_other;

	b1t_node_ok(a, b, &node, &handle);
	b1t_node_ok(a, b, &other, &to_other);
	b1t_send_ok(b, to_other, "too large", 1, &handle);
	b1t_send_ok(b, handle, "next", 0, NULL);
	ck_assert_int_eq(recv_shape(a, &metadata, &message), -EMSGSIZE);
	check_metadata(&metadata, other, geteuid());
	ck_assert_int_eq(b1t_release1(a, metadata.id), 0);
	b1t_expect_text(a, node, "next");
	b1t_expect_empty(a);
}
END_TEST

/* the room for data is the smaller of n_data and the iovecs */
START_TEST(recv_room_is_the_smaller_one)
{
	int a = b1t_peer(), b = b1t_peer();
	uint8_t data[32];
	struct iovec vecs[2] = { { data, 3 }, { data + 3, 6 } };
	struct bus1_metadata metadata;
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_data_vecs = 2,
		.ptr_data_vecs = BUS1_FROM_PTR(vecs),
	};
	uint64_t node, handle;

	b1t_node_ok(a, b, &node, &handle);
	memset(data, B1T_CANARY, sizeof(data));
	b1t_send_ok(b, handle, "0123456789", 0, NULL);
	message.n_data = 1000;
	ck_assert_int_eq(recv_shape(a, &metadata, &message), -EMSGSIZE);
	ck_assert_uint_eq(message.n_data, 10);
	vecs[1].iov_len = 29;
	message.n_data = 9;
	ck_assert_int_eq(recv_shape(a, &metadata, &message), -EMSGSIZE);
	ck_assert_uint_eq(message.n_data, 10);
	check_bytes(data, sizeof(data), B1T_CANARY);
	/* a capacity beyond any message is as good as any other */
	message.n_data = UINT64_MAX;
	ck_assert_int_eq(recv_shape(a, &metadata, &message), 0);
	ck_assert_uint_eq(message.n_data, 10);
	ck_assert_mem_eq(data, "0123456789", 10);
	check_bytes(data + 10, sizeof(data) - 10, B1T_CANARY);
}
END_TEST

/* data is scattered over the iovecs in order, no byte more than the message has */
START_TEST(recv_scatters)
{
	int a = b1t_peer(), b = b1t_peer();
	char data[4][16];
	struct iovec vecs[5] = {
		{ data[0], 3 }, { NULL, 0 }, { data[1], 1 }, { data[2], 10 }, { data[3], 16 }
	};
	struct iovec before[5];
	struct bus1_metadata metadata;
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_data = 30,
		.n_data_vecs = 5,
		.ptr_data_vecs = BUS1_FROM_PTR(vecs),
	}, want = message;
	uint64_t node, handle;

	b1t_node_ok(a, b, &node, &handle);
	memset(data, B1T_CANARY, sizeof(data));
	memcpy(before, vecs, sizeof(vecs));
	b1t_send_ok(b, handle, "abcdefg", 0, NULL);
	ck_assert_int_eq(recv_shape(a, &metadata, &message), 0);
	ck_assert_mem_eq(data[0], "abc", 3);
	check_bytes(data[0] + 3, 13, B1T_CANARY);
	ck_assert_mem_eq(data[1], "d", 1);
	check_bytes(data[1] + 1, 15, B1T_CANARY);
	ck_assert_mem_eq(data[2], "efg", 3);
	check_bytes(data[2] + 3, 13, B1T_CANARY);
	check_bytes(data[3], 16, B1T_CANARY);
	ck_assert_mem_eq(vecs, before, sizeof(vecs));
	want.type = BUS1_MESSAGE_TYPE_USER;
	want.n_data = 7;
	ck_assert_mem_eq(&message, &want, sizeof(message));
}
END_TEST

/* no room at all is enough for an empty message and for notifications */
START_TEST(recv_without_room)
{
	int a = b1t_peer(), b = b1t_peer();
	struct bus1_message message = { .type = BUS1_INVALID };
	struct bus1_metadata metadata;
	uint64_t node, handle;

	b1t_node_ok(a, b, &node, &handle);
	b1t_send_ok(b, handle, "", 0, NULL);
	ck_assert_int_eq(b1t_release1(b, handle), 0);
	ck_assert_int_eq(recv_shape(a, &metadata, &message), 0);
	ck_assert_uint_eq(message.type, BUS1_MESSAGE_TYPE_USER);
	ck_assert_uint_eq(metadata.id, node);
	message.type = BUS1_INVALID;
	ck_assert_int_eq(recv_shape(a, &metadata, &message), 0);
	ck_assert_uint_eq(message.type, BUS1_MESSAGE_TYPE_HANDLE_RELEASE);
	message.type = BUS1_INVALID;
	ck_assert_int_eq(recv_shape(a, &metadata, &message), -EAGAIN);
	ck_assert_uint_eq(message.type, BUS1_INVALID);
}
END_TEST

/* n_transfers of recv is a capacity: any number goes, what the message has is stored */
START_TEST(recv_capacity_has_no_limit)
{
	int a = b1t_peer(), b = b1t_peer();
	struct bus1_transfer transfers[3];
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_transfers = UINT64_MAX,
		.ptr_transfers = BUS1_FROM_PTR(transfers),
	};
	struct bus1_metadata metadata;
	uint64_t node, handle;

	b1t_node_ok(a, b, &node, &handle);
	memset(transfers, B1T_CANARY, sizeof(transfers));
	b1t_send_ok(b, handle, "", 2, (uint64_t[]){ handle, handle });
	ck_assert_int_eq(recv_shape(a, &metadata, &message), 0);
	ck_assert_uint_eq(message.n_transfers, 2);
	ck_assert_uint_eq(transfers[0].flags, 0);
	ck_assert_uint_eq(transfers[1].flags, 0);
	b1t_send_ok(a, transfers[1].id, "works", 0, NULL);
	b1t_expect_text(a, node, "works");
	check_bytes(&transfers[2], sizeof(transfers[2]), B1T_CANARY);
}
END_TEST

/* account: the effective UID of the opener of the sending peer, whoever sends through it */
START_TEST(recv_reports_the_account)
{
	int a = b1t_peer(), b;
	uint64_t node, handle;
	struct b1t_received r;

	ck_assert_int_eq(geteuid(), 0);
	ck_assert_int_eq(seteuid(1234), 0);
	b = b1t_peer();
	b1t_node_ok(a, b, &node, &handle);
	b1t_send_ok(b, handle, "", 0, NULL);
	ck_assert_int_eq(seteuid(0), 0);
	b1t_send_ok(b, handle, "", 0, NULL);
	ck_assert_int_eq(seteuid(99), 0);
	b1t_send_ok(a, b1t_copy_ok(b, a, handle), "", 0, NULL);
	close(b);
	ck_assert_int_eq(b1t_recv(a, &r), 0);
	ck_assert_uint_eq(r.metadata.account, 1234);
	ck_assert_int_eq(b1t_recv(a, &r), 0);
	ck_assert_uint_eq(r.metadata.account, 1234);
	ck_assert_int_eq(b1t_recv(a, &r), 0);
	ck_assert_uint_eq(r.metadata.account, 0);
}
END_TEST

/* ... as seen from the user namespace of the caller, BUS1_INVALID where it has no mapping */
START_TEST(recv_maps_the_account)
{
	int a = b1t_peer(), b, fd;
	uint64_t node, handle, root;
	struct b1t_received r;
	size_t i;

	b1t_node_ok(a, -1, &node, &root);
	ck_assert_int_eq(seteuid(1234), 0);
	b = b1t_peer();
	ck_assert_int_eq(seteuid(0), 0);
	handle = b1t_copy_ok(a, b, root);
	for (i = 0; i < 2; i++) {
		b1t_send_ok(a, root, "", 0, NULL);
		b1t_send_ok(b, handle, "", 0, NULL);
	}
	ck_assert_int_eq(unshare(CLONE_NEWUSER), 0);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(b1t_recv(a, &r), 0);
		ck_assert_uint_eq(r.metadata.account, BUS1_INVALID);
	}
	fd = open("/proc/self/uid_map", O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "77 0 1", 6), 6);
	ck_assert_int_eq(b1t_recv(a, &r), 0);
	ck_assert_uint_eq(r.metadata.account, 77);
	ck_assert_int_eq(b1t_recv(a, &r), 0);
	ck_assert_uint_eq(r.metadata.account, BUS1_INVALID);
}
END_TEST

enum { THREADS = 3, PER_THREAD = 1000 };

/* Several threads on one peer: what each of them gets. */
struct worker {
	pthread_t thread;
	int fd;
	uint64_t handle;
	unsigned int id;
	uint8_t seen[THREADS][PER_THREAD];
};

static unsigned int n_left;

static void *worker_send(void *arg)
{
	struct worker *w = arg;
	uint32_t data[2] = { w->id, 0 };

	for (data[1] = 0; data[1] < PER_THREAD; data[1]++)
		ck_assert_int_eq(b1t_send(w->fd, 1, &w->handle, data, sizeof(data), NULL, 0), 0);
	return NULL;
}

static void *worker_recv(void *arg)
{
	struct worker *w = arg;
	struct b1t_received r;
	uint32_t data[2];
	int ret;

	while (__atomic_load_n(&n_left, __ATOMIC_SEQ_CST)) {
		ret = b1t_recv(w->fd, &r);
		if (ret == -EAGAIN) {
			sched_yield();
			continue;
		}
		ck_assert_int_eq(ret, 0);
		ck_assert_uint_eq(r.message.n_data, sizeof(data));
		memcpy(data, r.data, sizeof(data));
		w->seen[data[0]][data[1]]++;
		__atomic_sub_fetch(&n_left, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* threads may share peers on both ends: every message arrives whole and exactly once */
START_TEST(threads_share_a_peer)
{
	static struct worker senders[THREADS], receivers[THREADS];
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle;
	size_t i, k, n;

	b1t_node_ok(a, b, &node, &handle);
	n_left = THREADS * PER_THREAD;
	for (i = 0; i < THREADS; i++) {
		senders[i] = (struct worker){ .fd = b, .handle = handle, .id = i };
		receivers[i] = (struct worker){ .fd = a };
		ck_assert(!pthread_create(&senders[i].thread, NULL, worker_send, &senders[i]));
		ck_assert(!pthread_create(&receivers[i].thread, NULL, worker_recv, &receivers[i]));
	}
	for (i = 0; i < THREADS; i++) {
		ck_assert(!pthread_join(senders[i].thread, NULL));
		ck_assert(!pthread_join(receivers[i].thread, NULL));
	}
	for (i = 0; i < THREADS; i++) {
		for (n = 0; n < PER_THREAD; n++) {
			for (k = 1; k < THREADS; k++)
				receivers[0].seen[i][n] += receivers[k].seen[i][n];
			ck_assert_uint_eq(receivers[0].seen[i][n], 1);
		}
	}
	b1t_expect_empty(a);
}
END_TEST

static void *worker_churn(void *arg)
{
	struct worker *w = arg;
	uint64_t node, handle, copy;
	size_t i;

	for (i = 0; i < PER_THREAD / 2; i++) {
		b1t_node_ok(w->fd, -1, &node, &handle);
		copy = b1t_copy_ok(w->fd, -1, handle);
		ck_assert_uint_gt(copy, handle);
		ck_assert_int_eq(b1t_send(w->fd, 1, &copy, "x", 1, &handle, 1), 0);
		ck_assert_int_eq(B1T_RELEASE(w->fd, copy, node, handle), 0);
	}
	return NULL;
}

/* threads may create, send and release on one peer at once; operations are serialised */
START_TEST(threads_change_one_peer)
{
	static struct worker workers[THREADS];
	int a = b1t_peer();
	size_t i;

	for (i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .fd = a };
		ck_assert(!pthread_create(&workers[i].thread, NULL, worker_churn, &workers[i]));
	}
	for (i = 0; i < THREADS; i++)
		ck_assert(!pthread_join(workers[i].thread, NULL));
	b1t_expect_empty(a);
}
END_TEST

TCase *b1t_tcase_message(void)
{
	TCase *tc = tcase_create("message");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, send_multicasts);
	tcase_add_test(tc, send_keeps_array_order);
	tcase_add_test(tc, send_repeats_a_destination);
	tcase_add_test(tc, send_to_oneself);
	tcase_add_test(tc, send_discards_for_dead_destinations);
	tcase_add_test(tc, send_discards_carried_handles_for_dead_destinations);
	tcase_add_loop_test(tc, payload_of_any_length, 0, 26);
	tcase_add_loop_test(tc, payload_across_the_end, 0, 2);
	tcase_add_test(tc, send_cuts_at_n_data);
	tcase_add_test(tc, send_gathers);
	tcase_add_test(tc, send_carries_large_payloads);
	tcase_add_test(tc, send_to_nobody);
	tcase_add_test(tc, send_copies_handles_for_each_destination);
	tcase_add_test(tc, send_gives_fresh_ids);
	tcase_add_test(tc, send_clears_errors);
	tcase_add_test(tc, send_all_or_nothing);
	tcase_add_test(tc, send_takes_a_snapshot);
	tcase_add_test(tc, recv_negotiates_sizes);
	tcase_add_test(tc, recv_too_large_tells_the_node);
	tcase_add_test(tc, recv_room_is_the_smaller_one);
	tcase_add_test(tc, recv_scatters);
	tcase_add_test(tc, recv_without_room);
	tcase_add_test(tc, recv_capacity_has_no_limit);
	tcase_add_test(tc, recv_reports_the_account);
	tcase_add_test(tc, recv_maps_the_account);
	tcase_add_test(tc, threads_share_a_peer);
	tcase_add_test(tc, threads_change_one_peer);
	return tc;
}
