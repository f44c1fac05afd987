// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who waits is woken.
 */
#include "sc.h"

/* As with poll: waits if there is nothing. */

static void poll_recv(void)
{
	op_poll_until_readable(a);
	IL_ASSERT(!op_recv(a, NULL));
}

const struct il_scenario sc_poll_wake = {
	.name = "poll",
	.text = "one waits until it is readable, and is sent a message",
	.n_threads = 2,
	.setup = multicast_setup,
	.threads = { poll_recv, send_to_a },
	.names = { "a", "s" },
	.finish = ops_finish,
};

const struct il_scenario sc_poll_multicast = {
	.name = "poll-multicast",
	.text = "one waits until it is readable, and is sent a multicast; another one receives",
	.n_threads = 3,
	.setup = multicast_setup,
	.threads = { poll_recv, multicast_send, recv_on_b },
	.names = { "a", "s", "b" },
	.finish = ops_finish,
};

const struct il_scenario sc_poll_buffers = {
	.name = "poll-buffers",
	.text = "one waits until it is readable, and is sent a multicast, with store buffers",
	.n_threads = 2,
	.setup = multicast_setup,
	.threads = { poll_recv, multicast_send },
	.names = { "a", "s" },
	.finish = ops_finish,
	.buffers = true,
};

/* As with edge-triggered epoll: only told of what is new. */

/* Receives @n, and waits again whenever there is nothing left. */
static void recv_when_woken(struct peer *peer, int n)
{
	while (n > 0) {
		op_poll_wait(peer);
		while (!op_recv(peer, NULL))
			n--;
	}
}

static void edge_setup(void)
{
	two_multicasts_setup();
	op_poll_begin(a);
}

static void edge_recv_two_on_a(void)
{
	recv_when_woken(a, 2);
}

static void edge_finish(void)
{
	op_poll_end(a);
	ops_finish();
}

const struct il_scenario sc_edge = {
	.name = "edge",
	.text = "one receives all there is after each wakeup, two peers send to it",
	.n_threads = 3,
	.setup = edge_setup,
	.threads = { edge_recv_two_on_a, send_to_a, send2_to_a },
	.names = { "a", "s", "s2" },
	.finish = edge_finish,
};

/* One looks, and waits again, without receiving. */

static struct il_waiter seen;

static void edge_look_setup(void)
{
	edge_setup();
	seen = (struct il_waiter){};
}

static void edge_look(void)
{
	op_poll_wait(a);
	IL_ASSERT(op_poll(a));
	il_wake(&seen, "has seen the first");
	op_poll_wait(a);
}

static void send_and_send_when_seen(void)
{
	SEND(s, s_a);
	il_wait(&seen, "wait until that is seen");
	SEND(s, s_a);
}

const struct il_scenario sc_edge_looks = {
	.name = "edge-look",
	.text = "one is woken for each of two messages, though it receives none",
	.n_threads = 2,
	.setup = edge_look_setup,
	.threads = { edge_look, send_and_send_when_seen },
	.names = { "a", "s" },
	.finish = edge_finish,
};

/* A handle is copied to one who waits, and dies. */

static void edge_transfer_setup(void)
{
	transfer_setup();
	op_poll_begin(b);
}

static void edge_recv_on_b(void)
{
	recv_when_woken(b, 1);
}

static void edge_transfer_finish(void)
{
	op_poll_end(b);
	ops_finish();
}

const struct il_scenario sc_edge_transfer = {
	.name = "edge-transfer",
	.text = "one waits to be told that the handle it gets is dead",
	.n_threads = 3,
	.setup = edge_transfer_setup,
	.threads = { edge_recv_on_b, transfer_a_b, release_node },
	.names = { "b", "a", "o" },
	.finish = edge_transfer_finish,
};

/* The same, by one who knows that it is dead: when that has returned, the other one has been woken. */

static void copy_when_told(void)
{
	if (op_recv(a, NULL))
		return;
	transfer_a_b();
	IL_ASSERT(op_poll_is_woken(b));
}

const struct il_scenario sc_edge_copy = {
	.name = "edge-copy",
	.text = "one waits and gets a copy of a handle that is known to be dead",
	.n_threads = 2,
	.setup = edge_transfer_setup,
	.threads = { copy_when_told, release_node },
	.names = { "a", "o" },
	.finish = edge_transfer_finish,
};

/* A node is released, or its last handle, and who has the other end waits. */

static void edge_release_setup(void)
{
	release_atomic_setup();
	op_poll_begin(a);
}

static void edge_recv_on_a(void)
{
	recv_when_woken(a, 1);
}

const struct il_scenario sc_edge_release = {
	.name = "edge-release",
	.text = "one waits for a notification about its handle",
	.n_threads = 2,
	.setup = edge_release_setup,
	.threads = { edge_recv_on_a, release_both },
	.names = { "a", "o" },
	.finish = edge_finish,
};

static void edge_handle_setup(void)
{
	two_releases_setup();
	op_poll_begin(o);
}

static void edge_recv_on_o(void)
{
	recv_when_woken(o, 1);
}

static void edge_handle_finish(void)
{
	op_poll_end(o);
	ops_finish();
}

const struct il_scenario sc_edge_handle = {
	.name = "edge-handle",
	.text = "one waits to be told that the last handle to its node is gone",
	.n_threads = 3,
	.setup = edge_handle_setup,
	.threads = { edge_recv_on_o, release_a_node, release_b_node },
	.names = { "o", "a", "b" },
	.finish = edge_handle_finish,
};
