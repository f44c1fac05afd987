// SPDX-License-Identifier: LGPL-2.1-or-later
/* One message: in one thread, between two processes, to many receivers */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "bus.h"
#include "measure.h"
#include "transport.h"

static void one_way(const struct row *row)
{
	const struct transport *transport = row->data;
	struct link link;

	link_init(&link, transport, row->size);
	while (next_round()) {
		begin();
		transport->send(&link, &link.end[0]);
		transport->recv(&link, &link.end[1]);
		end();
	}
}

#define ONE_WAY(_transport, _size) { \
	.name = "one-way/" #_size, .peer = #_transport, .run = one_way, \
	.data = &transport_##_transport, .size = _size }
#define ONE_WAY_ALL(_size) \
	ONE_WAY(bus1, _size), ONE_WAY(seqpacket, _size), ONE_WAY(dgram, _size), \
	ONE_WAY(pipe, _size), ONE_WAY(mq, _size)

const struct row one_way_rows[] = {
	ONE_WAY_ALL(0), ONE_WAY_ALL(64), ONE_WAY_ALL(1024), ONE_WAY_ALL(4096),
	ONE_WAY_ALL(65536), {}
};

/*
 * SCHED_BATCH, as otherwise who is woken up runs at once or later, depending on what happened
 * before.
 */
static void ping_pong(const struct row *row)
{
	const struct sched_param param = {};
	const struct transport *transport = row->data;
	struct link link;
	pid_t pid;

	if (sched_setscheduler(0, SCHED_BATCH, &param) < 0)
		die("SCHED_BATCH");
	link_init(&link, transport, row->size);
	pid = link_serve(transport, &link, 0);
	while (next_round()) {
		begin();
		link_call(transport, &link);
		end();
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

#define PING_PONG(_peer, _transport, _size) { \
	.name = "ping-pong/" #_size, .peer = _peer, .run = ping_pong, \
	.data = &transport_##_transport, .size = _size }
#define PING_PONG_ALL(_size) \
	PING_PONG("bus1", bus1_poll, _size), PING_PONG("seqpacket", seqpacket, _size), \
	PING_PONG("seqpacket+poll", seqpacket_poll, _size), PING_PONG("dgram", dgram, _size), \
	PING_PONG("pipe", pipe, _size), PING_PONG("mq", mq, _size), \
	PING_PONG("binder", binder, _size), PING_PONG("dbus-broker", dbus, _size)

const struct row ping_pong_rows[] = {
	PING_PONG_ALL(0), PING_PONG_ALL(64), PING_PONG_ALL(1024), PING_PONG_ALL(4096),
	PING_PONG_ALL(65536), {}
};

/* One message to many: for each of them, sending and receiving. */

#define FAN_OUT_SIZE 1024

static void fan_out_bus1(const struct row *row)
{
	static char data[FAN_OUT_SIZE];
	static struct bus_out out;
	static struct bus_in in;
	int sender = bus_peer(), fds[BUS_MAX_DESTINATIONS];
	size_t i;

	bus_out_init(&out, data, sizeof(data));
	bus_in_init(&in, data, sizeof(data));
	for (i = 0; i < row->size; i++) {
		fds[i] = bus_peer();
		bus_out_to(&out, bus_create(fds[i], sender, NULL));
	}
	while (next_round()) {
		begin();
		bus_send(sender, &out);
		for (i = 0; i < row->size; i++)
			bus_recv(fds[i], &in);
		end();
		bus_expect(&in, BUS1_MESSAGE_TYPE_USER, sizeof(data), 0);
	}
}

static void fan_out_seqpacket(const struct row *row)
{
	const struct transport *transport = &transport_seqpacket;
	struct link *links = calloc(row->size, sizeof(*links));
	size_t i;

	for (i = 0; i < row->size; i++)
		link_init(&links[i], transport, FAN_OUT_SIZE);
	while (next_round()) {
		begin();
		for (i = 0; i < row->size; i++)
			transport->send(&links[i], &links[i].end[0]);
		for (i = 0; i < row->size; i++)
			transport->recv(&links[i], &links[i].end[1]);
		end();
	}
}

#define FAN_OUT(_peer, _n) { .name = "fan-out/" #_n, .peer = #_peer, .run = fan_out_##_peer, \
	.size = _n, .per = _n }
#define FAN_OUT_ALL(_n) FAN_OUT(bus1, _n), FAN_OUT(seqpacket, _n)

const struct row fan_out_rows[] = {
	FAN_OUT_ALL(1), FAN_OUT_ALL(2), FAN_OUT_ALL(4), FAN_OUT_ALL(8), FAN_OUT_ALL(16),
	FAN_OUT_ALL(32), FAN_OUT_ALL(64), FAN_OUT_ALL(128), FAN_OUT_ALL(256), {}
};
