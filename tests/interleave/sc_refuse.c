// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Messages that are pushed while their node is released: the release finds each one in the queue, or
 * its sender finds the node released and ends it. The sender does not know how far the receiver is
 * with the notifications about the handles in it.
 */
#include "sc.h"

static u64 inbox_a2, s_a2;

static void release_inbox_a(void)
{
	RELEASE(a, inbox_a);
}

/* Messages without handles. */

static void push_setup(void)
{
	ops_begin();
	s = open_pinned("s");
	a = open_pinned("a");
	b = open_pinned("b");
	s_a = ops_node(a, s, &inbox_a);
	ops_prepare_send(s, s_a);
	s_b = channel(b, s, &inbox_b);
	s2 = open_pinned("s2");
	s2_a = copy(s, s2, s_a);
}

const struct il_scenario sc_push = {
	.name = "push",
	.text = "two send to a node that is released, while its owner polls",
	.n_threads = 4,
	.setup = push_setup,
	.threads = { send_twice_to_a, send2_to_a, release_inbox_a, poll_on_a },
	.names = { "s", "s2", "a", "a'" },
	.finish = ops_finish,
};

const struct il_scenario sc_push_multicast = {
	.name = "push-multicast",
	.text = "a multicast and a message to a node that is released, and to another peer, who receives",
	.n_threads = 4,
	.setup = push_setup,
	.threads = { multicast_send, send2_to_a, release_inbox_a, recv_on_b },
	.names = { "s", "s2", "a", "b" },
	.finish = ops_finish,
};

/* A multicast to two nodes of one peer, one of which is released. */

static void push_half_setup(void)
{
	push_setup();
	s_a2 = channel(a, s, &inbox_a2);
	s_node = ops_node(s, s, &node);
}

static void multicast_half(void)
{
	IL_ASSERT(!op_send(s, 3, (u64[]){ s_a, s_a2, s_a }, 1, &s_node));
}

static void poll_then_recv_on_a(void)
{
	bool readable = op_poll(a);

	/* what was readable may go with the node */
	op_recv(a, NULL);
	if (readable)
		op_recv(a, NULL);
}

const struct il_scenario sc_push_half = {
	.name = "push-half",
	.text = "a multicast with a handle to two nodes of a peer, one of which is released",
	.n_threads = 3,
	.setup = push_half_setup,
	.threads = { multicast_half, release_inbox_a, poll_then_recv_on_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

/*
 * A message is refused that carries a handle whose node is released: the receiver may have the
 * notification in its queue, or have taken it off, or get it later.
 */

static void refuse_setup_with(struct peer *(*open)(const char *name))
{
	ops_begin();
	o = open_pinned("o");
	s = open_pinned("s");
	a = open("a");
	s_a = ops_node(a, s, &inbox_a);
	ops_prepare_send(s, s_a);
	s_node = ops_node(o, s, &node);
}

static void refuse_setup(void)
{
	refuse_setup_with(open_pinned);
}

const struct il_scenario sc_refuse = {
	.name = "refuse",
	.text = "a message with a handle is refused, the node of the handle released, the receiver receives",
	.n_threads = 4,
	.setup = refuse_setup,
	.threads = { in_flight_send, release_node, release_inbox_a, recv_on_a },
	.names = { "s", "o", "a", "a'" },
	.finish = ops_finish,
};

const struct il_scenario sc_refuse_poll = {
	.name = "refuse-poll",
	.text = "a message with a handle is refused, the node of the handle released, the receiver polls",
	.n_threads = 4,
	.setup = refuse_setup,
	.threads = { in_flight_send, release_node, release_inbox_a, poll_on_a },
	.names = { "s", "o", "a", "a'" },
	.finish = ops_finish,
};

static void refuse_close_setup(void)
{
	refuse_setup_with(ops_open);
}

static void release_inbox_and_close(void)
{
	release_inbox_a();
	close_a();
}

const struct il_scenario sc_refuse_close = {
	.name = "refuse-close",
	.text = "the same, and then the receiver closes",
	.n_threads = 3,
	.setup = refuse_close_setup,
	.threads = { in_flight_send, release_node, release_inbox_and_close },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* Two handles, of which one is told of. */

static u64 s_mine;

static void refuse_two_setup(void)
{
	refuse_setup();
	s_mine = channel(s, s, NULL);
	ops_pin(o, node);
	ops_pin(a, inbox_a);
}

static void send_two_handles(void)
{
	IL_ASSERT(!op_send(s, 1, &s_a, 2, (u64[]){ s_node, s_mine }));
}

static void release_inbox_then_recv(void)
{
	release_inbox_a();
	op_recv(a, NULL);
}

const struct il_scenario sc_refuse_two = {
	.name = "refuse-two",
	.text = "a message with two handles is refused, the node of one of which is released",
	.n_threads = 3,
	.setup = refuse_two_setup,
	.threads = { send_two_handles, release_node, release_inbox_then_recv },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* A multicast of which one message is refused, and the node of the handle in it goes. */

static void refuse_multicast_setup(void)
{
	refuse_setup();
	b = open_pinned("b");
	s_b = channel(b, s, &inbox_b);
	ops_pin(o, node);
	ops_pin(a, inbox_a);
}

static void refuse_multicast(void)
{
	IL_ASSERT(!op_send(s, 2, (u64[]){ s_a, s_b }, 1, &s_node));
}

const struct il_scenario sc_refuse_multicast = {
	.name = "refuse-multicast",
	.text = "a multicast with a handle is refused by one, the node of the handle is released",
	.n_threads = 3,
	.setup = refuse_multicast_setup,
	.threads = { refuse_multicast, release_node, release_inbox_a },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};
