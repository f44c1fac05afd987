// SPDX-License-Identifier: LGPL-2.1-or-later
/* bus1, and what the kernel has had for long: sockets, pipes, message queues */
#include <errno.h>
#include <fcntl.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bus.h"
#include "measure.h"
#include "transport.h"

static void wait_readable(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };

	if (poll(&pfd, 1, -1) != 1 || pfd.revents != POLLIN)
		die("poll");
}

/* bus1 */

struct bus_end {
	struct bus_out out;
	struct bus_in in;
};

static void open_bus1(struct link *link)
{
	struct bus_end *state;
	int i;

	for (i = 0; i < 2; i++)
		link->end[i].in = link->end[i].out = bus_peer();
	for (i = 0; i < 2; i++) {
		state = malloc(sizeof(*state));
		bus_out_init(&state->out, link->data, link->size);
		bus_out_to(&state->out, bus_create(link->end[!i].in, link->end[i].in, NULL));
		bus_in_init(&state->in, link->data, link->size);
		link->end[i].state = state;
	}
}

static void send_bus1(struct link *link, struct link_end *end)
{
	struct bus_end *state = end->state;

	(void)link;
	bus_send(end->out, &state->out);
}

static void recv_bus1(struct link *link, struct link_end *end)
{
	struct bus_end *state = end->state;

	bus_recv(end->in, &state->in);
	if (state->in.message.n_data != link->size)
		die("size of the message");
}

static void recv_bus1_poll(struct link *link, struct link_end *end)
{
	wait_readable(end->in);
	recv_bus1(link, end);
}

const struct transport transport_bus1 = {
	.name = "bus1", .open = open_bus1, .send = send_bus1, .recv = recv_bus1,
};

const struct transport transport_bus1_poll = {
	.name = "bus1", .open = open_bus1, .send = send_bus1, .recv = recv_bus1_poll,
};

/* sockets */

static void open_socket(struct link *link, int type)
{
	int fds[2];

	if (socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fds) < 0)
		die("socketpair");
	link->end[0].in = link->end[0].out = fds[0];
	link->end[1].in = link->end[1].out = fds[1];
}

static void open_seqpacket(struct link *link)
{
	open_socket(link, SOCK_SEQPACKET);
}

static void open_dgram(struct link *link)
{
	open_socket(link, SOCK_DGRAM);
}

static void send_socket(struct link *link, struct link_end *end)
{
	if (send(end->out, link->data, link->size, 0) != (ssize_t)link->size)
		die("send");
}

static void recv_socket(struct link *link, struct link_end *end)
{
	if (recv(end->in, link->data, link->size, 0) != (ssize_t)link->size)
		die("recv");
}

static void recv_socket_poll(struct link *link, struct link_end *end)
{
	wait_readable(end->in);
	if (recv(end->in, link->data, link->size, MSG_DONTWAIT) != (ssize_t)link->size)
		die("recv");
}

const struct transport transport_seqpacket = {
	.name = "SEQPACKET", .open = open_seqpacket, .send = send_socket, .recv = recv_socket,
};

const struct transport transport_seqpacket_poll = {
	.name = "SEQPACKET+poll", .open = open_seqpacket, .send = send_socket,
	.recv = recv_socket_poll,
};

const struct transport transport_dgram = {
	.name = "DGRAM", .open = open_dgram, .send = send_socket, .recv = recv_socket,
};

/* Pipes, which cannot pass nothing: 8 bytes then. */

static void open_pipe(struct link *link)
{
	int fds[2], i;

	if (!link->size)
		link->size = 8;
	for (i = 0; i < 2; i++) {
		if (pipe2(fds, O_CLOEXEC) < 0)
			die("pipe2");
		link->end[i].out = fds[1];
		link->end[!i].in = fds[0];
	}
}

static void send_pipe(struct link *link, struct link_end *end)
{
	if (write(end->out, link->data, link->size) != (ssize_t)link->size)
		die("write");
}

static void recv_pipe(struct link *link, struct link_end *end)
{
	if (read(end->in, link->data, link->size) != (ssize_t)link->size)
		die("read");
}

const struct transport transport_pipe = {
	.name = "pipe", .open = open_pipe, .send = send_pipe, .recv = recv_pipe,
};

/* POSIX message queues */

static void open_mq(struct link *link)
{
	struct mq_attr attr = { .mq_maxmsg = 8, .mq_msgsize = link->size ? (long)link->size : 1 };
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
	int i, fd;

	if (setrlimit(RLIMIT_MSGQUEUE, &limit) < 0)
		die("RLIMIT_MSGQUEUE");
	for (i = 0; i < 2; i++) {
		fd = mq_open("/bench", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attr);
		if (fd < 0 || mq_unlink("/bench") < 0)
			die("mq_open");
		link->end[i].out = link->end[!i].in = fd;
	}
}

static void send_mq(struct link *link, struct link_end *end)
{
	if (mq_send(end->out, link->data, link->size, 0) < 0)
		die("mq_send");
}

static void recv_mq(struct link *link, struct link_end *end)
{
	if (mq_receive(end->in, link->data, link->size ? link->size : 1, NULL) !=
	    (ssize_t)link->size)
		die("mq_receive");
}

const struct transport transport_mq = {
	.name = "mq", .open = open_mq, .send = send_mq, .recv = recv_mq,
};

/* What they have in common */

void link_init(struct link *link, const struct transport *transport, size_t size)
{
	*link = (struct link){ .size = size };
	link->data = aligned_alloc(4096, (size + 8 + 4095) & ~4095UL);
	memset(link->data, 0x5a, size + 8);
	transport->open(link);
}

/* The client: a request and its answer. */
void link_call(const struct transport *transport, struct link *link)
{
	if (transport->call) {
		transport->call(link);
	} else {
		transport->send(link, &link->end[0]);
		transport->recv(link, &link->end[0]);
	}
}

static void serve(const struct transport *transport, struct link *link)
{
	for (;;) {
		if (transport->serve) {
			transport->serve(link);
		} else {
			transport->recv(link, &link->end[1]);
			transport->send(link, &link->end[1]);
		}
	}
}

void use_cpu(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity");
}

/* A process that answers until it is killed, or its parent ends. */
pid_t link_serve(const struct transport *transport, struct link *link, int cpu)
{
	int ready[2];
	char byte = 0;
	pid_t pid;

	if (pipe2(ready, O_CLOEXEC) < 0)
		die("pipe2");
	pid = fork();
	if (pid < 0)
		die("fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		use_cpu(cpu);
		if (transport->server)
			transport->server(link);
		if (write(ready[1], &byte, 1) != 1)
			die("write");
		serve(transport, link);
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		die("the server did not start");
	close(ready[0]);
	if (transport->client)
		transport->client(link);
	return pid;
}
