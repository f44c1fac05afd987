// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * scenarios: what fails
 *
 * Most use one bus: peer 0 is the one that acts, peers 1 and 2 belong to other users. Messages,
 * some of them with handles, wait at all three, and a node that is gone has left its notifications,
 * so that there is something to be mixed up.
 */
#include "fault.h"

/* The arguments of calls: touched before, so that no page fault happens in the call. */
static struct bus1_transfer src[WORLD_TRANSFERS], dst[WORLD_TRANSFERS];
static uint64_t dests[WORLD_VECS];
static int32_t errors[WORLD_VECS];
static uint8_t data[WORLD_DATA];
static struct iovec vecs[WORLD_VECS];
static struct bus1_metadata metadata;

/* The common bus. What peer 0 has to send with, and to carry: */
enum { TO_1, TO_2, TO_1_TOO, TO_SELF, TO_DEAD, BUS_HANDLES };

static void touch_arguments(void)
{
	size_t i;

	memset(src, 0, sizeof(src));
	memset(dst, 0, sizeof(dst));
	memset(errors, 0xff, sizeof(errors));
	memset(vecs, 0, sizeof(vecs));
	memset(&metadata, 0, sizeof(metadata));
	for (i = 0; i < sizeof(data); i++)
		data[i] = i ^ (i >> 8);
}

static void setup_bus(struct world *w)
{
	uint64_t node, handle;

	touch_arguments();
	world_peer(w, 0);
	world_peer(w, 1000);
	world_peer(w, 1001);
	w->a = w->peers[0];
	w->b = w->peers[1];
	b1t_node_ok(w->b, w->a, &w->nodes[TO_1], &w->ids[TO_1]);
	b1t_node_ok(w->peers[2], w->a, &w->nodes[TO_2], &w->ids[TO_2]);
	b1t_node_ok(w->b, w->a, &w->nodes[TO_1_TOO], &w->ids[TO_1_TOO]);
	b1t_node_ok(w->a, -1, &w->nodes[TO_SELF], &w->ids[TO_SELF]);
	b1t_node_ok(w->b, w->a, &node, &w->ids[TO_DEAD]);
	ck_assert_int_eq(b1t_release1(w->b, node), 0);

	/* something in each queue; the notification about TO_DEAD is in that of peer 0 */
	b1t_send_ok(w->a, w->ids[TO_1], "first", 1, &w->ids[TO_2]);
	b1t_send_ok(w->a, w->ids[TO_2], "second", 1, &w->ids[TO_SELF]);
	b1t_node_ok(w->a, w->b, &node, &handle);
	b1t_send_ok(w->b, handle, "third", 0, NULL);
}

/* Nothing is in the queue of the acting peer. */
static void empty_queue(int fd)
{
	struct b1t_received r;

	while (!b1t_recv(fd, &r))
		;
}

/* Transfer: w->n elements from w->a to w->b, of w->ids; 0 stands for a new node. */

static int call_transfer(struct world *w)
{
	size_t i;

	for (i = 0; i < w->n; i++) {
		src[i].flags = w->ids[i] ? 0 : BUS1_TRANSFER_FLAG_CREATE;
		src[i].id = w->ids[i] ? w->ids[i] : BUS1_INVALID;
	}
	return b1t_transfer(w->a, w->b, w->n, src, dst);
}

static void setup_transfer_copy(struct world *w)
{
	setup_bus(w);
	w->b = -1;
	w->n = 1;
}

static void setup_transfer_new(struct world *w)
{
	setup_transfer_copy(w);
	w->ids[0] = 0;
}

static void setup_transfer_new_other(struct world *w)
{
	setup_bus(w);
	w->ids[0] = 0;
	w->n = 1;
}

static void setup_transfer_dead(struct world *w)
{
	setup_bus(w);
	w->ids[0] = w->ids[TO_DEAD];
	w->n = 1;
}

/* @n elements: copies, and a new node every @new elements */
static void setup_transfer_many(struct world *w, size_t n, size_t new)
{
	uint64_t handle;
	size_t i;

	setup_bus(w);
	handle = w->ids[TO_1_TOO];
	w->n = n;
	for (i = 0; i < n; i++)
		w->ids[i] = i % new ? handle : 0;
}

static void setup_transfer_3(struct world *w)
{
	setup_transfer_many(w, 3, 2);
}

static void setup_transfer_20(struct world *w)
{
	setup_transfer_many(w, 20, 2);
}

/* Arrays of more than the largest slab */
static void setup_transfer_520(struct world *w)
{
	setup_transfer_many(w, 520, 50);
}

/* Send: w->n_data bytes in w->n_vecs parts, w->n handles, all the same to each of n_dests. */

static size_t n_dests;

static int call_send(struct world *w)
{
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_transfers = w->n,
		.ptr_transfers = BUS1_FROM_PTR(src),
		.n_data = w->n_data,
		.n_data_vecs = w->n_vecs,
		.ptr_data_vecs = BUS1_FROM_PTR(vecs),
	};
	struct bus1_cmd_send cmd = {
		.n_destinations = n_dests,
		.ptr_destinations = BUS1_FROM_PTR(dests),
		.ptr_errors = n_dests > 1 ? BUS1_FROM_PTR(errors) : 0,
		.ptr_message = BUS1_FROM_PTR(&message),
	};

	return b1t_ioctl(w->a, BUS1_CMD_SEND, &cmd);
}

static void split_data(struct world *w, size_t n_data, size_t n_vecs)
{
	size_t i, part = n_vecs ? n_data / n_vecs : 0;

	w->n_data = n_data;
	w->n_vecs = n_vecs;
	for (i = 0; i < n_vecs; i++) {
		vecs[i].iov_base = data + i * part;
		vecs[i].iov_len = i + 1 < n_vecs ? part : n_data - i * part;
	}
}

static void setup_send(struct world *w, size_t destinations, size_t handles, size_t n_data,
		       size_t n_vecs)
{
	size_t i;

	setup_bus(w);
	n_dests = destinations;
	for (i = 0; i < destinations; i++)
		dests[i] = w->ids[i % 4];
	w->n = handles;
	for (i = 0; i < handles; i++)
		src[i] = (struct bus1_transfer){ .id = w->ids[i % BUS_HANDLES] };
	split_data(w, n_data, n_vecs);
}

static void setup_send_nothing(struct world *w)
{
	setup_send(w, 1, 0, 0, 0);
}

/* The handle has not been used to send: where its sends are charged is looked up first. */
static void setup_send_first(struct world *w)
{
	setup_send(w, 1, 0, 64, 1);
	dests[0] = w->ids[TO_1_TOO];
}

/* And nobody of this user has sent to that user. */
static void setup_send_first_peer(struct world *w)
{
	uint64_t node;

	setup_send(w, 1, 0, 64, 1);
	b1t_node_ok(w->peers[world_peer(w, 1003)], w->a, &node, &dests[0]);
}

static void setup_send_self(struct world *w)
{
	setup_send(w, 1, 1, 64, 2);
	dests[0] = w->ids[TO_SELF];
}

static void setup_send_3000(struct world *w)
{
	setup_send(w, 1, 1, 3000, 3);
}

static void setup_send_64k(struct world *w)
{
	setup_send(w, 1, 1, 64 << 10, 1);
}

static void setup_send_1m(struct world *w)
{
	setup_send(w, 2, 1, 1 << 20, 1);
}

static void setup_send_2_3(struct world *w)
{
	setup_send(w, 2, 3, 64, 1);
}

/* More than is kept on the stack */
static void setup_send_9_9(struct world *w)
{
	setup_send(w, 9, 9, 200, 20);
}

static void setup_send_1_1040(struct world *w)
{
	setup_send(w, 1, 1040, 64, 1);
}

static void setup_send_nobody(struct world *w)
{
	setup_send(w, 0, 20, 64, 1);
}

static void setup_send_dead(struct world *w)
{
	setup_send(w, 3, 1, 64, 1);
	dests[1] = w->ids[TO_DEAD];
	src[0].id = w->ids[TO_DEAD];
}

/* Receive: what is first at w->a */

static int call_recv(struct world *w)
{
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_transfers = w->n,
		.ptr_transfers = BUS1_FROM_PTR(dst),
		.n_data = w->n_data,
		.n_data_vecs = w->n_vecs,
		.ptr_data_vecs = BUS1_FROM_PTR(vecs),
	};
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = BUS1_FROM_PTR(&metadata),
		.ptr_message = BUS1_FROM_PTR(&message),
	};

	return b1t_ioctl(w->a, BUS1_CMD_RECV, &cmd);
}

/* Peer 1 sends to peer 0, and once more after that. */
static void setup_recv(struct world *w, size_t handles, size_t n_data, size_t n_vecs)
{
	uint64_t node, handle, carried, one;
	int fd;

	setup_send(w, 1, 0, n_data, n_vecs);
	empty_queue(w->a);
	b1t_node_ok(w->a, w->b, &w->nodes[TO_SELF], &handle);
	b1t_node_ok(w->peers[2], w->b, &node, &carried);
	fd = w->a;
	w->a = w->b;
	dests[0] = handle;
	w->n = handles;
	for (one = 0; one < handles; one++)
		src[one] = (struct bus1_transfer){ .id = one % 2 ? handle : carried };
	ck_assert_int_eq(call_send(w), 0);
	b1t_send_ok(w->a, handle, "behind", 1, &handle);
	w->a = fd;
	memset(data, 0, n_data);
}

static void setup_recv_nothing(struct world *w)
{
	setup_recv(w, 0, 0, 0);
}

static void setup_recv_data(struct world *w)
{
	setup_recv(w, 0, 64, 1);
}

static void setup_recv_64k(struct world *w)
{
	setup_recv(w, 0, 64 << 10, 2);
}

static void setup_recv_1m(struct world *w)
{
	setup_recv(w, 1, 1 << 20, 20);
}

static void setup_recv_1(struct world *w)
{
	setup_recv(w, 1, 64, 1);
}

static void setup_recv_20(struct world *w)
{
	setup_recv(w, 20, 200, 20);
}

static void setup_recv_80(struct world *w)
{
	setup_recv(w, 80, 64, 1);
}

static void setup_recv_short(struct world *w)
{
	setup_recv(w, 3, 64, 1);
	w->n = 2;
}

/* The receiver must know at which node there is what it has no room for. */
static void done_recv_short(struct world *w)
{
	ck_assert_uint_eq(metadata.id, w->nodes[TO_SELF]);
	ck_assert_uint_eq(metadata.account, 1000);
}

/* The nodes of half of the handles go while the message is in the queue. */
static void setup_recv_dead(struct world *w)
{
	setup_recv(w, 3, 64, 1);
	close(w->peers[2]);
	w->peers[2] = -1;
}

static void setup_recv_node_release(struct world *w)
{
	setup_bus(w);
	empty_queue(w->a);
	ck_assert_int_eq(b1t_release1(w->b, w->nodes[TO_1]), 0);
}

static void setup_recv_handle_release(struct world *w)
{
	uint64_t node, handle;

	setup_bus(w);
	empty_queue(w->a);
	b1t_node_ok(w->a, w->b, &node, &handle);
	ck_assert_int_eq(b1t_release1(w->b, handle), 0);
}

/* Release: w->n IDs of w->a */

static int call_release(struct world *w)
{
	return b1t_release(w->a, w->n, w->ids);
}

static void setup_release_handle(struct world *w)
{
	setup_bus(w);
	w->ids[0] = w->ids[TO_1_TOO];
	w->n = 1;
}

/* With messages in the queue, one of them with handles */
static void setup_release_node(struct world *w)
{
	setup_bus(w);
	b1t_copy_ok(w->a, w->peers[2], w->ids[TO_SELF]);
	b1t_send_ok(w->a, w->ids[TO_SELF], "discarded", 2, w->ids);
	w->ids[0] = w->nodes[TO_SELF];
	w->n = 1;
}

/* Handles and nodes, more than are copied in one go */
static void setup_release_80(struct world *w)
{
	size_t i;

	setup_bus(w);
	for (i = 0; i < 80; i += 2)
		b1t_node_ok(w->a, i % 4 ? -1 : w->b, &w->ids[i + 1], &w->ids[i]);
	for (i = 0; i < 80; i += 4)
		w->ids[i] = b1t_copy_ok(w->a, -1, w->ids[i + 2]);
	w->n = 80;
}

/* Close: peer 0 */

static int call_close(struct world *w)
{
	int ret = close(w->peers[0]) < 0 ? -errno : 0;

	w->peers[0] = -1;
	return ret;
}

static void setup_close_new(struct world *w)
{
	touch_arguments();
	world_peer(w, 0);
}

static void setup_close_busy(struct world *w)
{
	uint64_t node, handle;

	setup_bus(w);
	b1t_node_ok(w->a, w->peers[2], &node, &handle);
	b1t_send_ok(w->peers[2], handle, "unread", 1, &handle);
	b1t_send_ok(w->a, w->ids[TO_SELF], "unread, too", BUS_HANDLES, w->ids);
}

/* Open */

static int call_open(struct world *w)
{
	w->b = open("/dev/bus1", O_RDWR | O_CLOEXEC);
	return w->b < 0 ? -errno : 0;
}

static void done_open(struct world *w)
{
	world_add(w, w->b);
}

static void setup_open(struct world *w)
{
	setup_bus(w);
	w->b = -1;
}

/* What is large takes long, and only differs in what is allocated as pages. */
#define FEW_PAGES (1 << INJECT_SLAB | 1 << INJECT_SLAB_ON | 1 << INJECT_COPY)

const struct scenario scenarios[] = {
	{ "open", setup_open, call_open, .done = done_open },
	{ "open: the first of its user", setup_open, call_open, .done = done_open, .uid = 1004 },
	{ "transfer: 1 copy, same peer", setup_transfer_copy, call_transfer },
	{ "transfer: 1 new node, same peer", setup_transfer_new, call_transfer },
	{ "transfer: 1 new node, other peer", setup_transfer_new_other, call_transfer },
	{ "transfer: copy of a dead handle", setup_transfer_dead, call_transfer },
	{ "transfer: 3, new and old", setup_transfer_3, call_transfer },
	{ "transfer: 20, new and old", setup_transfer_20, call_transfer },
	{ "transfer: 520, new and old", setup_transfer_520, call_transfer, .kinds = FEW_PAGES },
	{ "send: nothing", setup_send_nothing, call_send },
	{ "send: 64 bytes, handle is new", setup_send_first, call_send },
	{ "send: 64 bytes, user is new", setup_send_first_peer, call_send },
	{ "send: to oneself, 1 handle", setup_send_self, call_send },
	{ "send: 3000 bytes, 1 handle", setup_send_3000, call_send },
	{ "send: 64 KiB, 1 handle", setup_send_64k, call_send },
	{ "send: 1 MiB to 2, 1 handle", setup_send_1m, call_send },
	{ "send: to 2, 3 handles", setup_send_2_3, call_send },
	{ "send: to 9, 9 handles, 20 iovecs", setup_send_9_9, call_send },
	{ "send: 1040 handles", setup_send_1_1040, call_send, .kinds = FEW_PAGES },
	{ "send: to nobody, 20 handles", setup_send_nobody, call_send },
	{ "send: to 3, 1 of them gone", setup_send_dead, call_send },
	{ "recv: nothing", setup_recv_nothing, call_recv },
	{ "recv: 64 bytes", setup_recv_data, call_recv },
	{ "recv: 64 KiB", setup_recv_64k, call_recv },
	{ "recv: 1 MiB, 1 handle, 20 iovecs", setup_recv_1m, call_recv },
	{ "recv: 1 handle", setup_recv_1, call_recv },
	{ "recv: 20 handles, 20 iovecs", setup_recv_20, call_recv },
	{ "recv: 80 handles", setup_recv_80, call_recv },
	{ "recv: 3 handles, room for 2", setup_recv_short, call_recv, .done = done_recv_short,
	  .want = -EMSGSIZE },
	{ "recv: handles of dead nodes", setup_recv_dead, call_recv },
	{ "recv: NODE_RELEASE", setup_recv_node_release, call_recv },
	{ "recv: HANDLE_RELEASE", setup_recv_handle_release, call_recv },
	{ "release: 1 handle", setup_release_handle, call_release, .frees = true },
	{ "release: node with messages", setup_release_node, call_release, .frees = true },
	{ "release: 80, nodes and handles", setup_release_80, call_release, .frees = true },
	{ "close: peer without anything", setup_close_new, call_close, .frees = true },
	{ "close: peer with everything", setup_close_busy, call_close, .frees = true },
};

const size_t n_scenarios = B1T_N(scenarios);
