/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The ways to pass messages that are compared with each other
 *
 * A link has two ends, each of which can send to the other. The ends may be in different processes:
 * open() is called before the fork, server() and client() after it, in that order. Where a request
 * and its answer are not two messages each way, call() and serve() do both.
 */
#ifndef TRANSPORT_H
#define TRANSPORT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct link_end {
	int in, out;
	void *state;
};

struct link {
	struct link_end end[2];		/* of the client, of the server */
	size_t size;
	char *data;
};

struct transport {
	const char *name;
	void (*open)(struct link *link);
	void (*send)(struct link *link, struct link_end *end);
	void (*recv)(struct link *link, struct link_end *end);

	/* all optional */
	void (*server)(struct link *link);
	void (*client)(struct link *link);
	void (*call)(struct link *link);
	void (*serve)(struct link *link);
};

extern const struct transport transport_bus1, transport_bus1_poll;
extern const struct transport transport_seqpacket, transport_seqpacket_poll, transport_dgram;
extern const struct transport transport_pipe, transport_mq;
extern const struct transport transport_binder, transport_dbus;

void link_init(struct link *link, const struct transport *transport, size_t size);
void link_call(const struct transport *transport, struct link *link);
pid_t link_serve(const struct transport *transport, struct link *link, int cpu);
void use_cpu(int cpu);

#endif /* TRANSPORT_H */
