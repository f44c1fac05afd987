// SPDX-License-Identifier: LGPL-2.1-or-later
/* One message where there is a lot of something, and asking where there is nothing */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus.h"
#include "measure.h"
#include "transport.h"

#define DATA_SIZE 64

static char data[DATA_SIZE];
static struct bus_out out;
static struct bus_in in;

static void send_and_recv(int sender, int receiver)
{
	while (next_round()) {
		begin();
		bus_send(sender, &out);
		bus_recv(receiver, &in);
		end();
		bus_expect(&in, BUS1_MESSAGE_TYPE_USER, DATA_SIZE, 0);
	}
}

/* Through the newest of many handles of the sender, after each send through the oldest. */
static void table(const struct row *row)
{
	int sender = bus_peer(), receiver = bus_peer();
	uint64_t oldest = bus_create(receiver, sender, NULL), newest;

	bus_out_init(&out, data, sizeof(data));
	bus_in_init(&in, data, sizeof(data));
	newest = bus_copy(sender, oldest, row->size - 1);
	bus_out_to(&out, newest);
	while (next_round()) {
		out.destinations[0] = oldest;
		bus_send(sender, &out);
		bus_recv(receiver, &in);
		out.destinations[0] = newest;
		begin();
		bus_send(sender, &out);
		bus_recv(receiver, &in);
		end();
		bus_expect(&in, BUS1_MESSAGE_TYPE_USER, DATA_SIZE, 0);
	}
}

/* At a queue that stays as long as it is. */
static void queue(const struct row *row)
{
	int sender = bus_peer(), receiver = bus_peer();
	size_t i;

	bus_out_init(&out, data, sizeof(data));
	bus_in_init(&in, data, sizeof(data));
	bus_out_to(&out, bus_create(receiver, sender, NULL));
	for (i = 0; i < row->size; i++)
		bus_send(sender, &out);
	send_and_recv(sender, receiver);
}

#define TABLE(_n, _flags) \
	{ .name = "table/" #_n, .peer = "bus1", .run = table, .size = _n, .flags = _flags }

const struct row load_rows[] = {
	TABLE(10, 0), TABLE(1000, 0), TABLE(1000000, ROW_LONG),
	{ .name = "queue/10000", .peer = "bus1", .run = queue, .size = 10000 },
	{}
};

/* Nothing to receive */

static void idle_poll(const struct row *row)
{
	struct pollfd pfd = { .events = POLLIN };
	struct link link;

	link_init(&link, row->data, DATA_SIZE);
	pfd.fd = link.end[0].in;
	while (next_round()) {
		begin();
		expect("poll", poll(&pfd, 1, 0), 0);
		end();
	}
}

static void idle_recv_bus1(const struct row *row)
{
	int fd = bus_peer(), result;

	(void)row;
	bus_in_init(&in, data, sizeof(data));
	while (next_round()) {
		begin();
		result = bus_try_recv(fd, &in);
		end();
		if (result >= 0 || errno != EAGAIN)
			die("BUS1_CMD_RECV: %d", result);
	}
}

static void idle_recv_seqpacket(const struct row *row)
{
	struct link link;
	ssize_t result;

	(void)row;
	link_init(&link, &transport_seqpacket, DATA_SIZE);
	while (next_round()) {
		begin();
		result = recv(link.end[0].in, data, sizeof(data), MSG_DONTWAIT);
		end();
		if (result >= 0 || errno != EAGAIN)
			die("recv: %zd", result);
	}
}

#define IDLE_POLL(_peer) \
	{ .name = "idle/poll", .peer = #_peer, .run = idle_poll, .data = &transport_##_peer }

const struct row idle_rows[] = {
	IDLE_POLL(bus1), IDLE_POLL(seqpacket), IDLE_POLL(dgram), IDLE_POLL(pipe), IDLE_POLL(mq),
	{ .name = "idle/recv", .peer = "bus1", .run = idle_recv_bus1 },
	{ .name = "idle/recv", .peer = "seqpacket", .run = idle_recv_seqpacket },
	{}
};
