// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Messages and multicasts: their order, and that of what comes of them.
 */
#include "sc.h"

/* Multicast, received by two. */

const struct il_scenario sc_multicast = {
	.name = "multicast",
	.text = "a multicast to two peers, each of which receives twice",
	.n_threads = 3,
	.setup = multicast_setup,
	.threads = { multicast_send, recv_twice_on_a, recv_twice_on_b },
	.names = { "s", "a", "b" },
	.finish = ops_finish,
};

/* Two messages for one of them, and the next message of the sender behind. */

static u64 s_a2;

static void multicast_order_setup(void)
{
	multicast_setup();
	s_a2 = channel(a, s, NULL);
}

static void multicast_then_send(void)
{
	IL_ASSERT(!op_send(s, 3, (u64[]){ s_a, s_b, s_a2 }, 0, NULL));
	SEND(s, s_a);
}

const struct il_scenario sc_multicast_order = {
	.name = "multicast-order",
	.text = "a multicast with two messages for one receiver, then another message",
	.n_threads = 3,
	.setup = multicast_order_setup,
	.threads = { multicast_then_send, recv_twice_on_a, recv_on_b },
	.names = { "s", "a", "b" },
	.finish = ops_finish,
};

/* Two multicasts at once. */

static void multicast_send2(void)
{
	IL_ASSERT(!op_send(s2, 2, (u64[]){ s2_a, s2_b }, 0, NULL));
}

const struct il_scenario sc_two_multicasts = {
	.name = "two-multicasts",
	.text = "two multicasts to the same two peers, one of which receives twice",
	.n_threads = 3,
	.setup = two_multicasts_setup,
	.threads = { multicast_send, multicast_send2, recv_twice_on_a },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
};

/* Two multicasts, both read. */

const struct il_scenario sc_four_way = {
	.name = "two-multicasts-read",
	.text = "two multicasts to the same two peers, each of which receives once",
	.n_threads = 4,
	.setup = two_multicasts_setup,
	.threads = { multicast_send, multicast_send2, recv_on_a, recv_on_b },
	.names = { "s", "s2", "a", "b" },
	.finish = ops_finish,
};

/* Reaction through a third peer. */

static u64 s_c;

static void reaction_setup(void)
{
	ops_begin();
	s = open_pinned("s");
	a = open_pinned("a");
	c = open_pinned("c");
	s_a = channel(a, s, &inbox_a);
	s_c = channel(c, s, &inbox_c);
	a_c = copy(s, a, s_c);
}

static void reaction_send(void)
{
	IL_ASSERT(!op_send(s, 2, (u64[]){ s_c, s_a }, 0, NULL));
}

const struct il_scenario sc_reaction = {
	.name = "reaction",
	.text = "s sends to a and c, a reacts with a message to c, c receives twice",
	.n_threads = 3,
	.setup = reaction_setup,
	.threads = { reaction_send, reaction_react, recv_twice_on_c },
	.names = { "s", "a", "c" },
	.finish = ops_finish,
};

/* The reaction is a multicast as well, and goes through one more peer. */

static u64 a_b, b_c;

static void long_reaction_setup(void)
{
	reaction_setup();
	b = open_pinned("b");
	a_b = channel(b, a, &inbox_b);
	b_c = copy(a, b, a_c);
}

static void long_reaction_a(void)
{
	if (!op_recv(a, NULL))
		IL_ASSERT(!op_send(a, 2, (u64[]){ a_c, a_b }, 0, NULL));
}

static void long_reaction_b(void)
{
	if (!op_recv(b, NULL))
		SEND(b, b_c);
}

const struct il_scenario sc_long_reaction = {
	.name = "long-reaction",
	.text = "s sends to a and c, a reacts to b and c, b reacts to c, c receives twice",
	.n_threads = 4,
	.setup = long_reaction_setup,
	.threads = { reaction_send, long_reaction_a, long_reaction_b, recv_twice_on_c },
	.names = { "s", "a", "b", "c" },
	.finish = ops_finish,
};

/* Two threads receive from one queue. */

const struct il_scenario sc_two_readers = {
	.name = "two-readers",
	.text = "two threads of a peer receive, while two messages are sent",
	.n_threads = 3,
	.setup = multicast_setup,
	.threads = { send_twice_to_a, recv_on_a, recv_on_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};
