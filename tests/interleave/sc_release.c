// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Releases, and who is told of them.
 */
#include "sc.h"

/* Racing releases. */

const struct il_scenario sc_two_releases = {
	.name = "two-releases",
	.text = "the two handles of a node are released, its owner receives twice",
	.n_threads = 3,
	.setup = two_releases_setup,
	.threads = { release_a_node, release_b_node, recv_twice_on_o },
	.names = { "a", "b", "o" },
	.finish = ops_finish,
};

const struct il_scenario sc_three_releases = {
	.name = "three-releases",
	.text = "the two handles of a node and the node itself are released",
	.n_threads = 3,
	.setup = two_releases_setup,
	.threads = { release_a_node, release_b_node, release_node },
	.names = { "a", "b", "o" },
	.finish = ops_finish,
};

static int n_released;

static void same_release_setup(void)
{
	two_releases_setup();
	n_released = 0;
}

static void release_if_there(void)
{
	int ret = op_release(a, 1, &a_node);

	IL_ASSERT(!ret || ret == -EBADRQC);
	n_released += !ret;
}

static void same_release_finish(void)
{
	IL_ASSERT(n_released == 1);
	ops_finish();
}

const struct il_scenario sc_same_release = {
	.name = "same-release",
	.text = "two threads release the same handle, a third one its node",
	.n_threads = 3,
	.setup = same_release_setup,
	.threads = { release_if_there, release_if_there, release_node },
	.names = { "a", "a'", "o" },
	.finish = same_release_finish,
};

/* One release, two who are told of it. */

const struct il_scenario sc_release_atomic = {
	.name = "release-atomic",
	.text = "two nodes are released together, their holders receive twice",
	.n_threads = 3,
	.setup = release_atomic_setup,
	.threads = { release_both, recv_twice_on_a, recv_twice_on_b },
	.names = { "o", "a", "b" },
	.finish = ops_finish,
};

/* The message before, and the one behind. */

static void release_order_setup(void)
{
	release_atomic_setup();
	/* o sends to a before and after it releases the node of which a has a handle */
	s_a = channel(a, o, &inbox_a);
}

static void send_release_send(void)
{
	SEND(o, s_a);
	RELEASE(o, node);
	SEND(o, s_a);
}

const struct il_scenario sc_release_order = {
	.name = "release-order",
	.text = "a message, a release that the receiver is told of, another message",
	.n_threads = 2,
	.setup = release_order_setup,
	.threads = { send_release_send, recv_twice_on_a },
	.names = { "o", "a" },
	.finish = ops_finish,
};

/* Reaction to a release. */

static void release_reaction_setup(void)
{
	ops_begin();
	o = open_pinned("o");
	a = open_pinned("a");
	c = open_pinned("c");
	a_node = ops_node(o, a, &node);
	copy(a, c, a_node);
	a_c = channel(c, a, &inbox_c);
}

const struct il_scenario sc_release_reaction = {
	.name = "release-reaction",
	.text = "a node is released, one holder reacts with a message to the other one",
	.n_threads = 3,
	.setup = release_reaction_setup,
	.threads = { release_node, reaction_react, recv_twice_on_c },
	.names = { "o", "a", "c" },
	.finish = ops_finish,
};

/*
 * Two last handles, of nodes of o and c, go in one transaction: one by one, in a message to a node that is
 * released, or in one that a peer has in its queue when it closes.
 */

static u64 o_c, a_node2;

static void last_two_setup(void)
{
	u64 inbox;

	ops_begin();
	o = open_pinned("o");
	a = ops_open("a");
	c = open_pinned("c");
	a_node = ops_node(o, a, &node);
	a_node2 = ops_node(c, a, NULL);
	o_c = channel(c, o, &inbox);
}

/* a has them in its queue only. */
static void last_two_in_flight_setup(void)
{
	u64 own;

	last_two_setup();
	own = ops_node(a, a, &inbox_a);
	ops_prepare_send(a, own);
	IL_ASSERT(!op_send(a, 1, &own, 2, (u64[]){ a_node, a_node2 }));
	RELEASE(a, a_node, a_node2);
}

static void release_last_two(void)
{
	RELEASE(a, a_node, a_node2);
}

static void release_inbox_a(void)
{
	RELEASE(a, inbox_a);
}

static void react_on_o(void)
{
	if (!op_recv(o, NULL))
		SEND(o, o_c);
}

const struct il_scenario sc_last_two = {
	.name = "last-two",
	.text = "the last handles of two nodes are released together, one owner reacts with a message to the other",
	.n_threads = 3,
	.setup = last_two_setup,
	.threads = { release_last_two, react_on_o, recv_twice_on_c },
	.names = { "a", "o", "c" },
	.finish = ops_finish,
};

const struct il_scenario sc_last_two_discarded = {
	.name = "last-two-discarded",
	.text = "the same with handles in a message to a node that is released",
	.n_threads = 3,
	.setup = last_two_in_flight_setup,
	.threads = { release_inbox_a, react_on_o, recv_twice_on_c },
	.names = { "a", "o", "c" },
	.finish = ops_finish,
};

const struct il_scenario sc_last_two_close = {
	.name = "last-two-close",
	.text = "the same with handles in the queue of a peer that closes",
	.n_threads = 3,
	.setup = last_two_in_flight_setup,
	.threads = { close_a, react_on_o, recv_twice_on_c },
	.names = { "a", "o", "c" },
	.finish = ops_finish,
};
