// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What more than one file of scenarios needs: see sc.h.
 */
#include <errno.h>

#include "sc.h"

struct peer *o, *s, *s2, *a, *b, *c;
u64 node, inbox_a, inbox_b, inbox_c;
u64 s_a, s_b, s2_a, s2_b, a_c, s_node, a_node, b_node;
static u64 node2;

struct peer *open_pinned(const char *name)
{
	struct peer *peer = ops_open(name);

	ops_pin_peer(peer);
	return peer;
}

u64 channel(struct peer *owner, struct peer *holder, u64 *inbox)
{
	u64 handle = ops_node(owner, holder, inbox);

	ops_pin_node_of(holder, handle);
	ops_prepare_send(holder, handle);
	return handle;
}

u64 copy(struct peer *from, struct peer *to, u64 handle)
{
	u64 copied;

	IL_ASSERT(!op_transfer(from, to, 1, &handle, &copied));
	ops_prepare_send(to, copied);
	return copied;
}

/* Who is there. */

void multicast_setup(void)
{
	ops_begin();
	s = open_pinned("s");
	a = open_pinned("a");
	b = open_pinned("b");
	s_a = channel(a, s, &inbox_a);
	s_b = channel(b, s, &inbox_b);
}

void two_multicasts_setup(void)
{
	multicast_setup();
	s2 = open_pinned("s2");
	s2_a = copy(s, s2, s_a);
	s2_b = copy(s, s2, s_b);
}

void transfer_setup(void)
{
	ops_begin();
	o = ops_open("o");
	a = open_pinned("a");
	b = open_pinned("b");
	a_node = ops_node(o, a, &node);
}

void two_releases_setup(void)
{
	ops_begin();
	o = open_pinned("o");
	a = open_pinned("a");
	b = open_pinned("b");
	a_node = ops_node(o, a, &node);
	b_node = copy(a, b, a_node);
}

void release_atomic_setup(void)
{
	ops_begin();
	o = open_pinned("o");
	a = open_pinned("a");
	b = open_pinned("b");
	a_node = ops_node(o, a, &node);
	b_node = ops_node(o, b, &node2);
}

/* What they do. */

void send_to_a(void)
{
	SEND(s, s_a);
}

void send2_to_a(void)
{
	SEND(s2, s2_a);
}

void send_twice_to_a(void)
{
	send_to_a();
	send_to_a();
}

void multicast_send(void)
{
	IL_ASSERT(!op_send(s, 2, (u64[]){ s_a, s_b }, 0, NULL));
}

void in_flight_send(void)
{
	SEND_HANDLE(s, s_a, s_node);
}

void send_and_forget(void)
{
	SEND_HANDLE(s, s_a, s_node);
	RELEASE(s, s_node);
}

void recv_on_a(void)
{
	op_recv(a, NULL);
}

void recv_on_b(void)
{
	op_recv(b, NULL);
}

void poll_on_a(void)
{
	op_poll(a);
}

void recv_twice_on_a(void)
{
	op_recv(a, NULL);
	op_recv(a, NULL);
}

void recv_twice_on_b(void)
{
	op_recv(b, NULL);
	op_recv(b, NULL);
}

void recv_twice_on_c(void)
{
	op_recv(c, NULL);
	op_recv(c, NULL);
}

void recv_twice_on_o(void)
{
	op_recv(o, NULL);
	op_recv(o, NULL);
}

void reaction_react(void)
{
	if (!op_recv(a, NULL))
		SEND(a, a_c);
}

void transfer_a_b(void)
{
	u64 id = a_node, handle;
	int ret;

	ret = op_transfer(a, b, 1, &id, &handle);
	IL_ASSERT(!ret || ret == -EBADRQC);
}

void release_node(void)
{
	RELEASE(o, node);
}

void release_a_node(void)
{
	RELEASE(a, a_node);
}

void release_b_node(void)
{
	RELEASE(b, b_node);
}

void release_both(void)
{
	RELEASE(o, node, node2);
}

void close_o(void)
{
	op_close(o);
}

void close_a(void)
{
	op_close(a);
}
