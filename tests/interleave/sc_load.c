// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A look at what is queued, which takes no lock of a peer's own: it is never less than nothing, and
 * nothing when all is received.
 */
#include "sc.h"

static void stat_a(void)
{
	op_stat(a);
}

static void load_setup(void)
{
	ops_begin();
	s = open_pinned("s");
	s2 = open_pinned("s2");
	a = open_pinned("a");
	s_a = ops_node(a, s, &inbox_a);
	ops_prepare_send(s, s_a);
	s2_a = copy(s, s2, s_a);
	s_node = ops_node(s, s, &node);
}

const struct il_scenario sc_load = {
	.name = "load",
	.text = "somebody looks at what is queued, while two messages are sent and received",
	.n_threads = 3,
	.setup = load_setup,
	.threads = { send_twice_to_a, recv_twice_on_a, stat_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

const struct il_scenario sc_load_handle = {
	.name = "load-handle",
	.text = "somebody looks at what is queued, while a handle is sent and received",
	.n_threads = 3,
	.setup = load_setup,
	.threads = { in_flight_send, recv_on_a, stat_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

const struct il_scenario sc_load_two = {
	.name = "load-two",
	.text = "somebody looks at what is queued, while two send",
	.n_threads = 3,
	.setup = load_setup,
	.threads = { send_to_a, send2_to_a, stat_a },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
};

static void release_inbox_a(void)
{
	RELEASE(a, inbox_a);
}

const struct il_scenario sc_load_release = {
	.name = "load-release",
	.text = "somebody looks at what is queued, while a handle is sent and the node released",
	.n_threads = 3,
	.setup = load_setup,
	.threads = { in_flight_send, release_inbox_a, stat_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};
