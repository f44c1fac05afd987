// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The memory of a message that was received is left for the next one to the same peer: whoever takes
 * it has it alone, and none gets lost. Elsewhere it is freed at once, so that a late use is seen.
 */
#include "sc.h"

/* One message has been received, so its memory is left; another one waits. */
static void reuse_setup(void)
{
	ops_begin();
	s = open_pinned("s");
	s2 = open_pinned("s2");
	a = ops_open("a");
	s_a = ops_node(a, s, &inbox_a);
	ops_prepare_send(s, s_a);
	/* to another node, so that it matters whose message the memory is */
	s2_a = ops_node(a, s2, NULL);
	ops_prepare_send(s2, s2_a);
	send_to_a();
	send_to_a();
	recv_on_a();
	IL_ASSERT(a->b1->spare);
}

const struct il_scenario sc_reuse = {
	.name = "reuse",
	.text = "two send with the memory that is left, and the receiver leaves more",
	.n_threads = 3,
	.setup = reuse_setup,
	.threads = { send_to_a, send2_to_a, recv_on_a },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
	.reuse = true,
};

const struct il_scenario sc_reuse_twice = {
	.name = "reuse-twice",
	.text = "one sends twice, while the receiver uses up and leaves memory",
	.n_threads = 2,
	.setup = reuse_setup,
	.threads = { send_twice_to_a, recv_twice_on_a },
	.names = { "s", "a" },
	.finish = ops_finish,
	.reuse = true,
};

const struct il_scenario sc_reuse_close = {
	.name = "reuse-close",
	.text = "two send to a peer that closes, which frees the memory that is left",
	.n_threads = 3,
	.setup = reuse_setup,
	.threads = { send_to_a, send2_to_a, close_a },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
	.reuse = true,
};

/* A message with a handle needs more room than is left, and leaves more. */

static void reuse_handle_setup(void)
{
	reuse_setup();
	s_node = ops_node(s, s, &node);
}

const struct il_scenario sc_reuse_handle = {
	.name = "reuse-handle",
	.text = "one sends a handle, for which there is no room in the memory that is left, one nothing",
	.n_threads = 3,
	.setup = reuse_handle_setup,
	.threads = { in_flight_send, send2_to_a, recv_twice_on_a },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
	.reuse = true,
};

/* A payload that is too large for what is left: the memory for it is that of the sender. */

static void reuse_large_setup(void)
{
	reuse_setup();
	s->n_data = 3000;
}

const struct il_scenario sc_reuse_large = {
	.name = "reuse-large",
	.text = "one sends a large payload, one a small one, with the memory that is left",
	.n_threads = 3,
	.setup = reuse_large_setup,
	.threads = { send_to_a, send2_to_a, recv_twice_on_a },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
	.reuse = true,
};
