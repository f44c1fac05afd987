// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Threads that are being killed: they do not wait for another thread that has the queue of their peer,
 * but give up, or leave what is to be done there to whoever comes across it.
 */
#include <errno.h>

#include "sc.h"

static int killed;

static void kill_setup_with(struct peer *(*open)(const char *name))
{
	ops_begin();
	o = open_pinned("o");
	s = open_pinned("s");
	a = open("a");
	s_a = ops_node(a, s, &inbox_a);
	ops_prepare_send(s, s_a);
	s_node = ops_node(o, s, &node);
	a_node = copy(s, a, s_node);
	ops_pin(o, node);
}

static void kill_setup(void)
{
	kill_setup_with(open_pinned);
}

/* The notification of a handle is left in the queue when that is released. */

static void release_a_node_killed(void)
{
	il_kill();
	killed = op_release(a, 1, &a_node);
	/* only while another command of the peer is under way */
	IL_ASSERT(!killed || killed == -EINTR);
}

const struct il_scenario sc_kill_handle = {
	.name = "kill-handle",
	.text = "a killed thread releases a handle, whose node goes, while another one polls",
	.n_threads = 3,
	.setup = kill_setup,
	.threads = { release_a_node_killed, release_node, poll_on_a },
	.names = { "a", "o", "a'" },
	.finish = ops_finish,
};

const struct il_scenario sc_kill_handle_recv = {
	.name = "kill-handle-recv",
	.text = "a killed thread releases a handle, whose node goes, while another one receives",
	.n_threads = 3,
	.setup = kill_setup,
	.threads = { release_a_node_killed, release_node, recv_on_a },
	.names = { "a", "o", "a'" },
	.finish = ops_finish,
};

/* What is left is found by the close: that is up to whoever is the last to let go of the file. */

static atomic64_t n_users;

static void put_a(void)
{
	if (!atomic64_add_return(-1, &n_users))
		close_a();
}

static void release_killed_and_put(void)
{
	release_a_node_killed();
	put_a();
}

static void poll_and_put(void)
{
	op_poll(a);
	put_a();
}

static void kill_close_setup(void)
{
	kill_setup_with(ops_open);
	atomic64_set(&n_users, 2);
}

const struct il_scenario sc_kill_close = {
	.name = "kill-close",
	.text = "the same, and the last of the two threads closes the peer",
	.n_threads = 3,
	.setup = kill_close_setup,
	.threads = { release_killed_and_put, release_node, poll_and_put },
	.names = { "a", "o", "a'" },
	.finish = ops_finish,
};

/* A release of a node gives up, or discards what is queued. */

static void kill_node_setup(void)
{
	kill_setup();
	SEND_HANDLE(s, s_a, s_node);
	ops_pin(a, inbox_a);
}

static void release_inbox_killed(void)
{
	il_kill();
	killed = op_release(a, 2, (u64[]){ inbox_a, a_node });
	IL_ASSERT(!killed || killed == -EINTR);
}

/* If it has given up, nothing has happened, and another one can do it. */
static void kill_node_finish(void)
{
	ops_drain();
	if (killed)
		RELEASE(a, inbox_a, a_node);
	ops_finish();
}

const struct il_scenario sc_kill_node = {
	.name = "kill-node",
	.text = "a killed thread releases a node and a handle, while another one polls, and a third node goes",
	.n_threads = 3,
	.setup = kill_node_setup,
	.threads = { release_inbox_killed, release_node, poll_on_a },
	.names = { "a", "o", "a'" },
	.finish = kill_node_finish,
};

/* A receive gives up before or after it has found something. */

static void recv_killed(void)
{
	int ret;

	il_kill();
	ret = op_recv(a, NULL);
	IL_ASSERT(!ret || ret == -EINTR || ret == -EAGAIN);
}

static void poll_killed(void)
{
	il_kill();
	op_poll(a);
}

static void kill_recv_setup(void)
{
	kill_setup();
	SEND_HANDLE(s, s_a, s_node);
}

const struct il_scenario sc_kill_recv = {
	.name = "kill-recv",
	.text = "a killed thread receives a handle, whose node goes, while another one polls",
	.n_threads = 3,
	.setup = kill_recv_setup,
	.threads = { recv_killed, release_node, poll_on_a },
	.names = { "a", "o", "a'" },
	.finish = ops_finish,
};

const struct il_scenario sc_kill_poll = {
	.name = "kill-poll",
	.text = "a killed thread polls, while another one receives",
	.n_threads = 3,
	.setup = kill_recv_setup,
	.threads = { poll_killed, release_node, recv_twice_on_a },
	.names = { "a", "o", "a'" },
	.finish = ops_finish,
};
