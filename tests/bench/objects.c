// SPDX-License-Identifier: LGPL-2.1-or-later
/* Capabilities: passing them, creating and destroying what they stand for, being told of the end */
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus.h"
#include "measure.h"

/* Passing: 64 bytes with handles, received and given up again. */

#define DATA_SIZE 64

static void handles_bus1(const struct row *row)
{
	static char data[DATA_SIZE];
	static struct bus_out out;
	static struct bus_in in;
	int sender = bus_peer(), receiver = bus_peer();
	uint64_t ids[BUS_MAX_HANDLES];
	size_t i;

	bus_out_init(&out, data, sizeof(data));
	bus_in_init(&in, data, sizeof(data));
	bus_out_to(&out, bus_create(receiver, sender, NULL));
	for (i = 0; i < row->size; i++)
		bus_out_carry(&out, bus_create(sender, sender, NULL));
	while (next_round()) {
		begin();
		bus_send(sender, &out);
		bus_recv(receiver, &in);
		for (i = 0; i < row->size; i++)
			ids[i] = in.transfers[i].id;
		bus_release(receiver, ids, row->size);
		end();
		bus_expect(&in, BUS1_MESSAGE_TYPE_USER, DATA_SIZE, row->size);
	}
}

union control {
	char data[CMSG_SPACE(BUS_MAX_HANDLES * sizeof(int))];
	struct cmsghdr header;
};

static void send_fds(int fd, void *data, const int *fds, size_t n)
{
	union control control = {
		.header.cmsg_len = CMSG_LEN(n * sizeof(int)),
		.header.cmsg_level = SOL_SOCKET,
		.header.cmsg_type = SCM_RIGHTS,
	};
	struct iovec vec = { .iov_base = data, .iov_len = DATA_SIZE };
	struct msghdr message = {
		.msg_iov = &vec,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)),
	};

	memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
	expect("sendmsg", sendmsg(fd, &message, 0), DATA_SIZE);
}

static void recv_fds(int fd, void *data, int *fds, size_t n)
{
	union control control;
	struct iovec vec = { .iov_base = data, .iov_len = DATA_SIZE };
	struct msghdr message = {
		.msg_iov = &vec,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};

	expect("recvmsg", recvmsg(fd, &message, MSG_CMSG_CLOEXEC), DATA_SIZE);
	expect("file descriptors", control.header.cmsg_len, CMSG_LEN(n * sizeof(int)));
	memcpy(fds, CMSG_DATA(&control.header), n * sizeof(int));
}

static void handles_seqpacket(const struct row *row)
{
	static char data[DATA_SIZE];
	int ends[2], fds[BUS_MAX_HANDLES], received[BUS_MAX_HANDLES];
	size_t i;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair");
	for (i = 0; i < row->size; i++)
		fds[i] = eventfd(0, EFD_CLOEXEC);
	while (next_round()) {
		begin();
		send_fds(ends[0], data, fds, row->size);
		recv_fds(ends[1], data, received, row->size);
		for (i = 0; i < row->size; i++)
			close(received[i]);
		end();
	}
}

#define HANDLES(_n) \
	{ .name = "handles/" #_n, .peer = "bus1", .run = handles_bus1, .size = _n }, \
	{ .name = "handles/" #_n, .peer = "seqpacket", .run = handles_seqpacket, .size = _n }

const struct row handle_rows[] = { HANDLES(1), HANDLES(8), {} };

/* Creating and destroying */

#define BATCH 64

static void create_node(const struct row *row)
{
	int fd = bus_peer(), i;
	uint64_t ids[2];

	(void)row;
	while (next_round()) {
		begin();
		for (i = 0; i < BATCH; i++) {
			ids[1] = bus_create(fd, fd, &ids[0]);
			bus_release(fd, ids, 2);
		}
		end();
	}
}

static void create_peer(const struct row *row)
{
	int i;

	(void)row;
	while (next_round()) {
		begin();
		for (i = 0; i < BATCH; i++)
			close(bus_peer());
		end();
	}
}

static void create_socketpair(const struct row *row)
{
	int ends[2], i;

	(void)row;
	while (next_round()) {
		begin();
		for (i = 0; i < BATCH; i++) {
			if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
				die("socketpair");
			close(ends[0]);
			close(ends[1]);
		}
		end();
	}
}

static void create_eventfd(const struct row *row)
{
	int fd, i;

	(void)row;
	while (next_round()) {
		begin();
		for (i = 0; i < BATCH; i++) {
			fd = eventfd(0, EFD_CLOEXEC);
			if (fd < 0)
				die("eventfd");
			close(fd);
		}
		end();
	}
}

#define CREATE(_name, _peer, _run) \
	{ .name = "create/" _name, .peer = _peer, .run = _run, .per = BATCH, .flags = ROW_MEAN }

const struct row object_rows[] = {
	CREATE("node", "bus1", create_node),
	CREATE("node", "eventfd", create_eventfd),
	CREATE("peer", "bus1", create_peer),
	CREATE("peer", "seqpacket", create_socketpair),
	{}
};

/* Being told: releasing the last handle, or the node, and receiving the notification. */

static void notify_handle_release(const struct row *row)
{
	static struct bus_in in;
	int owner = bus_peer(), holder = bus_peer();
	uint64_t node, handle;

	(void)row;
	bus_in_init(&in, NULL, 0);
	while (next_round()) {
		handle = bus_create(owner, holder, &node);
		begin();
		bus_release(holder, &handle, 1);
		bus_recv(owner, &in);
		end();
		bus_expect(&in, BUS1_MESSAGE_TYPE_HANDLE_RELEASE, 0, 0);
		bus_release(owner, &node, 1);
	}
}

static void notify_node_release(const struct row *row)
{
	static struct bus_in in;
	int owner = bus_peer(), holder = bus_peer();
	uint64_t node, handle;

	(void)row;
	bus_in_init(&in, NULL, 0);
	while (next_round()) {
		handle = bus_create(owner, holder, &node);
		begin();
		bus_release(owner, &node, 1);
		bus_recv(holder, &in);
		end();
		bus_expect(&in, BUS1_MESSAGE_TYPE_NODE_RELEASE, 0, 0);
		bus_release(holder, &handle, 1);
	}
}

const struct row notify_rows[] = {
	{ .name = "notify/handle-release", .peer = "bus1", .run = notify_handle_release },
	{ .name = "notify/node-release", .peer = "bus1", .run = notify_node_release },
	{}
};
