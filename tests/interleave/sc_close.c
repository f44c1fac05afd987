// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Peers that close.
 */
#include "sc.h"

/* Push and seal. */

static void seal_setup(void)
{
	ops_begin();
	s = open_pinned("s");
	s2 = open_pinned("s2");
	a = ops_open("a");
	s_a = ops_node(a, s, &inbox_a);
	ops_prepare_send(s, s_a);
	s2_a = copy(s, s2, s_a);
	/* to a node of the sender, who is told when it is gone */
	s_node = ops_node(s, s, &node);
}

const struct il_scenario sc_seal = {
	.name = "seal",
	.text = "two peers send to one that closes, one of them its last handle to its own node",
	.n_threads = 3,
	.setup = seal_setup,
	.threads = { send_and_forget, send2_to_a, close_a },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
};

static void seal_multicast_setup(void)
{
	seal_setup();
	b = open_pinned("b");
	s_b = channel(b, s, &inbox_b);
}

static void seal_multicast_send(void)
{
	IL_ASSERT(!op_send(s, 2, (u64[]){ s_b, s_a }, 1, &s_node));
}

const struct il_scenario sc_seal_multicast = {
	.name = "seal-multicast",
	.text = "a multicast with a handle to one that closes, and to one that receives",
	.n_threads = 3,
	.setup = seal_multicast_setup,
	.threads = { seal_multicast_send, close_a, recv_twice_on_b },
	.names = { "s", "a", "b" },
	.finish = ops_finish,
};

/* Two peers that have each other's handles close. */

static void close_both_setup(void)
{
	u64 a_b2, b_a2;

	ops_begin();
	a = ops_open("a");
	b = ops_open("b");
	a_b2 = ops_node(b, a, &inbox_b);
	b_a2 = ops_node(a, b, &inbox_a);
	/* and in their queues */
	SEND_HANDLE(a, a_b2, a_b2);
	SEND_HANDLE(b, b_a2, b_a2);
}

static void close_b(void)
{
	op_close(b);
}

const struct il_scenario sc_close_both = {
	.name = "close-both",
	.text = "two peers that have each other's handles, also in their queues, close",
	.n_threads = 2,
	.setup = close_both_setup,
	.threads = { close_a, close_b },
	.names = { "a", "b" },
	.finish = ops_finish,
};

/* Both ends go. */

static void both_ends_setup(void)
{
	ops_begin();
	o = ops_open("o");
	a = ops_open("a");
	b = open_pinned("b");
	a_node = ops_node(o, a, &node);
	b_node = copy(a, b, a_node);
	/* o holds a handle of a as well */
	ops_node(a, o, NULL);
}

const struct il_scenario sc_both_ends = {
	.name = "both-ends",
	.text = "a node is released, one holder closes, another one listens",
	.n_threads = 3,
	.setup = both_ends_setup,
	.threads = { release_node, close_a, recv_twice_on_b },
	.names = { "o", "a", "b" },
	.finish = ops_finish,
};

/* A handle is in flight between two that close, its node in a third one. */

static void in_flight_close_setup(void)
{
	ops_begin();
	o = ops_open("o");
	s = open_pinned("s");
	a = ops_open("a");
	s_a = ops_node(a, s, &inbox_a);
	ops_prepare_send(s, s_a);
	s_node = ops_node(o, s, &node);
}

const struct il_scenario sc_in_flight_close = {
	.name = "in-flight-close",
	.text = "a handle is in flight, while the owner of its node and the receiver close",
	.n_threads = 3,
	.setup = in_flight_close_setup,
	.threads = { in_flight_send, close_o, close_a },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};
