// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Several entries of one transaction in one queue: while they are busy they form a bundle, which
 * entries are added to and taken out of.
 */
#include "sc.h"

static u64 inbox_a2, s_a2, s2_a2, node2;

static void bundles_setup(void)
{
	ops_begin();
	s = open_pinned("s");
	s2 = open_pinned("s2");
	a = open_pinned("a");
	s_a = channel(a, s, &inbox_a);
	s_a2 = channel(a, s, &inbox_a2);
	s2_a = copy(s, s2, s_a);
	s2_a2 = copy(s, s2, s_a2);
}

static void bundle_two(void)
{
	IL_ASSERT(!op_send(s, 2, (u64[]){ s_a, s_a2 }, 0, NULL));
}

static void bundle_three(void)
{
	IL_ASSERT(!op_send(s, 3, (u64[]){ s_a, s_a2, s_a }, 0, NULL));
}

static void bundle_two_of_s2(void)
{
	IL_ASSERT(!op_send(s2, 2, (u64[]){ s2_a, s2_a2 }, 0, NULL));
}

static void recv_thrice_on_a(void)
{
	recv_twice_on_a();
	op_recv(a, NULL);
}

/* Each look takes what there is, so a bundle comes in up to three parts. */
static void poll_and_recv_twice_on_a(void)
{
	op_poll(a);
	recv_twice_on_a();
}

const struct il_scenario sc_bundle = {
	.name = "bundle",
	.text = "a multicast of three messages to one peer, who polls and receives",
	.n_threads = 2,
	.setup = bundles_setup,
	.threads = { bundle_three, poll_and_recv_twice_on_a },
	.names = { "s", "a" },
	.finish = ops_finish,
};

const struct il_scenario sc_bundle_single = {
	.name = "bundle-single",
	.text = "a multicast of three messages to one peer, with one of somebody else in between",
	.n_threads = 3,
	.setup = bundles_setup,
	.threads = { bundle_three, send2_to_a, recv_thrice_on_a },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
};

const struct il_scenario sc_two_bundles = {
	.name = "two-bundles",
	.text = "two multicasts of two messages each to one peer, who polls and receives",
	.n_threads = 3,
	.setup = bundles_setup,
	.threads = { bundle_two, bundle_two_of_s2, poll_and_recv_twice_on_a },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
};

/* Two bundles, and a single message of one of the senders behind. */

static void bundle_two_and_single_of_s2(void)
{
	bundle_two_of_s2();
	SEND(s2, s2_a);
}

static void poll_and_recv_on_a(void)
{
	op_poll(a);
	op_recv(a, NULL);
}

const struct il_scenario sc_bundles_single = {
	.name = "bundles-single",
	.text = "two multicasts of two messages each to one peer, one sender sends another message",
	.n_threads = 3,
	.setup = bundles_setup,
	.threads = { bundle_two, bundle_two_and_single_of_s2, poll_and_recv_on_a },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
};

/* A bundle loses entries: the first and the last, the one in between, or all of them. */

static void bundle_release_setup(void)
{
	ops_begin();
	s = open_pinned("s");
	a = open_pinned("a");
	s_a = ops_node(a, s, &inbox_a);
	ops_prepare_send(s, s_a);
	s_a2 = ops_node(a, s, &inbox_a2);
	ops_prepare_send(s, s_a2);
}

static void release_inbox_a(void)
{
	RELEASE(a, inbox_a);
}

static void release_inbox_a2(void)
{
	RELEASE(a, inbox_a2);
}

static void release_both_inboxes(void)
{
	RELEASE(a, inbox_a2, inbox_a);
}

const struct il_scenario sc_bundle_head = {
	.name = "bundle-head",
	.text = "a multicast loses its first and last message with their node, while the owner receives",
	.n_threads = 3,
	.setup = bundle_release_setup,
	.threads = { bundle_three, release_inbox_a, poll_and_recv_twice_on_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

const struct il_scenario sc_bundle_middle = {
	.name = "bundle-middle",
	.text = "a multicast loses the message in between with its node, while the owner receives",
	.n_threads = 3,
	.setup = bundle_release_setup,
	.threads = { bundle_three, release_inbox_a2, poll_and_recv_twice_on_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

/* Two are left of three, without the last one; their nodes tell them apart. */

static u64 s_a3;

static void bundle_tail_setup(void)
{
	bundle_release_setup();
	s_a3 = channel(a, s, NULL);
}

static void bundle_two_and_one(void)
{
	IL_ASSERT(!op_send(s, 3, (u64[]){ s_a2, s_a3, s_a }, 0, NULL));
}

const struct il_scenario sc_bundle_tail = {
	.name = "bundle-tail",
	.text = "a multicast loses its last message with its node, while the owner receives",
	.n_threads = 3,
	.setup = bundle_tail_setup,
	.threads = { bundle_two_and_one, release_inbox_a, poll_and_recv_twice_on_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

const struct il_scenario sc_bundle_all = {
	.name = "bundle-all",
	.text = "a multicast loses all its messages with their nodes, while the owner receives",
	.n_threads = 3,
	.setup = bundle_release_setup,
	.threads = { bundle_three, release_both_inboxes, poll_and_recv_twice_on_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

/* The same for two, one of which loses all, the other one nothing. */

static void two_bundles_release_setup(void)
{
	u64 inbox;

	bundle_release_setup();
	s2 = open_pinned("s2");
	s2_a = channel(a, s2, &inbox);
	s2_a2 = channel(a, s2, &inbox);
	ops_pin(a, inbox_a);
	ops_pin(a, inbox_a2);
}

const struct il_scenario sc_two_bundles_release = {
	.name = "two-bundles-release",
	.text = "two multicasts to one peer, one of which loses a message with its node",
	.n_threads = 4,
	.setup = two_bundles_release_setup,
	.threads = { bundle_two, bundle_two_of_s2, release_inbox_a2, poll_on_a },
	.names = { "s", "s2", "a", "a'" },
	.finish = ops_finish,
};

/* Notifications of one release: some vanish with their handles. */

static u64 a_node2;

static void bundle_notes_setup(void)
{
	ops_begin();
	o = open_pinned("o");
	a = ops_open("a");
	b = open_pinned("b");
	a_node = ops_node(o, a, &node);
	a_node2 = ops_node(o, a, &node2);
	b_node = copy(a, b, a_node);
}

static void release_both_nodes(void)
{
	RELEASE(o, node, node2);
}

static void release_a_node2(void)
{
	RELEASE(a, a_node2);
}

const struct il_scenario sc_bundle_notes = {
	.name = "bundle-notes",
	.text = "two nodes are released together, one who has handles to both releases one of these",
	.n_threads = 3,
	.setup = bundle_notes_setup,
	.threads = { release_both_nodes, release_a_node2, poll_and_recv_twice_on_a },
	.names = { "o", "a", "a'" },
	.finish = ops_finish,
};

const struct il_scenario sc_bundle_notes_first = {
	.name = "bundle-notes-first",
	.text = "the same with the handle that is told of first",
	.n_threads = 3,
	.setup = bundle_notes_setup,
	.threads = { release_both_nodes, release_a_node, poll_and_recv_twice_on_a },
	.names = { "o", "a", "a'" },
	.finish = ops_finish,
};

const struct il_scenario sc_bundle_notes_close = {
	.name = "bundle-notes-close",
	.text = "two nodes are released together, one who has handles to both closes, another one listens",
	.n_threads = 3,
	.setup = bundle_notes_setup,
	.threads = { release_both_nodes, close_a, recv_on_b },
	.names = { "o", "a", "b" },
	.finish = ops_finish,
};

/* Two last handles go together, and one of the nodes. */

static void bundle_last_setup(void)
{
	ops_begin();
	o = open_pinned("o");
	a = open_pinned("a");
	a_node = ops_node(o, a, &node);
	a_node2 = ops_node(o, a, &node2);
}

static void release_both_handles(void)
{
	RELEASE(a, a_node, a_node2);
}

static void release_node2(void)
{
	RELEASE(o, node2);
}

static void poll_and_recv_on_o(void)
{
	op_poll(o);
	op_recv(o, NULL);
}

const struct il_scenario sc_bundle_last = {
	.name = "bundle-last",
	.text = "two last handles are released together, and one of the nodes, while its owner receives",
	.n_threads = 3,
	.setup = bundle_last_setup,
	.threads = { release_both_handles, release_node2, poll_and_recv_on_o },
	.names = { "a", "o", "o'" },
	.finish = ops_finish,
};

const struct il_scenario sc_bundle_last_first = {
	.name = "bundle-last-first",
	.text = "the same with the node that is told of first",
	.n_threads = 3,
	.setup = bundle_last_setup,
	.threads = { release_both_handles, release_node, poll_and_recv_on_o },
	.names = { "a", "o", "o'" },
	.finish = ops_finish,
};

/* One who gets two messages of one multicast, and reacts. */

static void bundle_reaction_setup(void)
{
	u64 inbox;

	bundles_setup();
	b = open_pinned("b");
	s_b = channel(b, s, &inbox);
	b_node = copy(s, b, s_a);
}

static void bundle_and_b(void)
{
	IL_ASSERT(!op_send(s, 3, (u64[]){ s_a, s_b, s_a2 }, 0, NULL));
}

static void react_on_b(void)
{
	if (!op_recv(b, NULL))
		SEND(b, b_node);
}

const struct il_scenario sc_bundle_reaction = {
	.name = "bundle-reaction",
	.text = "one reacts to a multicast of which another one gets two messages",
	.n_threads = 3,
	.setup = bundle_reaction_setup,
	.threads = { bundle_and_b, react_on_b, poll_and_recv_twice_on_a },
	.names = { "s", "b", "a" },
	.finish = ops_finish,
};
