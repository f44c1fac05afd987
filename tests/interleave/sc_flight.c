// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Handles in flight, while what they refer to, or the node they are sent to, is released.
 */
#include "sc.h"

/* Release of a node, whose handle is in flight. */

static void in_flight_setup(void)
{
	ops_begin();
	o = open_pinned("o");
	s = open_pinned("s");
	a = open_pinned("a");
	s_a = channel(a, s, &inbox_a);
	s_node = ops_node(o, s, &node);
}

const struct il_scenario sc_in_flight = {
	.name = "in-flight",
	.text = "a message carries a handle while its node is released, and is received",
	.n_threads = 3,
	.setup = in_flight_setup,
	.threads = { in_flight_send, release_node, recv_twice_on_a },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

const struct il_scenario sc_in_flight_buffers = {
	.name = "in-flight-buffers",
	.text = "a handle is in flight while its node is released, with store buffers",
	.n_threads = 2,
	.setup = in_flight_setup,
	.threads = { in_flight_send, release_node },
	.names = { "s", "o" },
	.finish = ops_finish,
	.buffers = true,
};

/* The same with a message that is pushed long before it is committed. */

static void in_flight_multicast_setup(void)
{
	in_flight_setup();
	b = open_pinned("b");
	s_b = channel(b, s, &inbox_b);
}

static void in_flight_multicast(void)
{
	IL_ASSERT(!op_send(s, 2, (u64[]){ s_a, s_b }, 1, &s_node));
}

const struct il_scenario sc_in_flight_multicasts = {
	.name = "in-flight-multicast",
	.text = "a multicast carries a handle while its node is released, one receives twice",
	.n_threads = 3,
	.setup = in_flight_multicast_setup,
	.threads = { in_flight_multicast, release_node, recv_twice_on_a },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* poll and recv are of one opinion */

static void poll_then_recv(void)
{
	bool readable = op_poll(a);
	int ret = op_recv(a, NULL);

	IL_ASSERT(!readable || !ret);
}

const struct il_scenario sc_poll_recv_agree = {
	.name = "poll-recv",
	.text = "poll and then recv, while a multicast with a handle is sent and its node released",
	.n_threads = 3,
	.setup = in_flight_multicast_setup,
	.threads = { in_flight_multicast, release_node, poll_then_recv },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* What comes before a notification that must wait, and what comes behind. */

static u64 a_a;

static void in_flight_between_setup(void)
{
	u64 inbox;

	in_flight_multicast_setup();
	a_a = channel(a, a, &inbox);
	SEND(a, a_a);
}

static void recv_send_recv(void)
{
	op_recv(a, NULL);
	SEND(a, a_a);
	op_recv(a, NULL);
}

const struct il_scenario sc_in_flight_between = {
	.name = "in-flight-between",
	.text = "the same, and the receiver gets something from itself before and behind",
	.n_threads = 3,
	.setup = in_flight_between_setup,
	.threads = { in_flight_multicast, release_node, recv_send_recv },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* A handle that is dead or dies when it is sent, and the next message of the sender behind. */

static void send_handle_then_send(void)
{
	SEND_HANDLE(s, s_a, s_node);
	SEND(s, s_a);
}

const struct il_scenario sc_born_dead = {
	.name = "born-dead",
	.text = "a message with a handle whose node is released, then another message",
	.n_threads = 3,
	.setup = in_flight_setup,
	.threads = { send_handle_then_send, release_node, recv_twice_on_a },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* The one who gets the handle is not told of the release before the others are. */

static void told_setup(void)
{
	in_flight_setup();
	b = open_pinned("b");
	b_node = copy(s, b, s_node);
}

const struct il_scenario sc_told = {
	.name = "in-flight-told",
	.text = "a handle is in flight while its node is released, which another holder is told of",
	.n_threads = 4,
	.setup = told_setup,
	.threads = { in_flight_send, release_node, recv_twice_on_a, recv_on_b },
	.names = { "s", "o", "a", "b" },
	.finish = ops_finish,
};

/* The handle is released as soon as it is received, and told of at the same time. */

static void release_guessed_in_flight(void)
{
	/* 1 is the inbox */
	op_release(a, 1, (u64[]){ 3 });
}

const struct il_scenario sc_in_flight_release = {
	.name = "in-flight-release",
	.text = "a handle in flight is received by one thread and released by another, and its node goes",
	.n_threads = 4,
	.setup = in_flight_setup,
	.threads = { in_flight_send, release_node, recv_twice_on_a, release_guessed_in_flight },
	.names = { "s", "o", "a", "a'" },
	.finish = ops_finish,
};

/* A handle is copied to one who receives another one from the same node. */

static void transfer_recv_setup(void)
{
	in_flight_setup();
	SEND_HANDLE(s, s_a, s_node);
}

static void transfer_s_a(void)
{
	u64 id = s_node, handle;

	IL_ASSERT(!op_transfer(s, a, 1, &id, &handle));
}

const struct il_scenario sc_transfer_recv = {
	.name = "transfer-recv",
	.text = "a handle is copied to one who receives another one, and their node goes",
	.n_threads = 3,
	.setup = transfer_recv_setup,
	.threads = { transfer_s_a, release_node, recv_twice_on_a },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* More handles than are told of a release in one go: the node is unlocked in between. */

#define N_BATCH 65

static void batch_setup(void)
{
	u64 id;
	int i;

	ops_begin();
	o = open_pinned("o");
	s = open_pinned("s");
	a = open_pinned("a");
	b = open_pinned("b");
	s_a = channel(a, s, &inbox_a);
	s_node = ops_node(o, s, &node);
	for (i = 0; i < N_BATCH; i++) {
		id = s_node;
		IL_ASSERT(!op_transfer(s, b, 1, &id, &b_node));
	}
}

const struct il_scenario sc_batch = {
	.name = "batch",
	.text = "a node with many handles is released, while another one is sent and received",
	.n_threads = 3,
	.setup = batch_setup,
	.threads = { in_flight_send, release_node, recv_twice_on_a },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* A receive that fails, and then one that does not. */

static void recv_fault_then_recv(void)
{
	op_recv_fault(a);
	op_recv(a, NULL);
}

const struct il_scenario sc_efault = {
	.name = "efault",
	.text = "a receive fails halfway, then succeeds, while the node of the carried handle is released",
	.n_threads = 3,
	.setup = in_flight_setup,
	.threads = { in_flight_send, release_node, recv_fault_then_recv },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* Both the node of the handle and the one it is sent to are released. */

static void discard_setup(void)
{
	ops_begin();
	o = open_pinned("o");
	s = open_pinned("s");
	a = open_pinned("a");
	s_a = ops_node(a, s, &inbox_a);
	ops_prepare_send(s, s_a);
	s_node = ops_node(o, s, &node);
}

static void release_inbox_a(void)
{
	RELEASE(a, inbox_a);
}

static void recv_on_o(void)
{
	op_recv(o, NULL);
}

const struct il_scenario sc_discard = {
	.name = "discard",
	.text = "a message with the last handle goes to a node that is released, its owner listens",
	.n_threads = 3,
	.setup = discard_setup,
	.threads = { send_and_forget, release_inbox_a, recv_on_o },
	.names = { "s", "a", "o" },
	.finish = ops_finish,
};

const struct il_scenario sc_discard_recv = {
	.name = "discard-recv",
	.text = "the same, while another thread of the receiver receives",
	.n_threads = 3,
	.setup = discard_setup,
	.threads = { send_and_forget, release_inbox_a, recv_on_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

const struct il_scenario sc_discard_buffers = {
	.name = "discard-buffers",
	.text = "a message goes to a node that is released, with store buffers",
	.n_threads = 2,
	.setup = discard_setup,
	.threads = { in_flight_send, release_inbox_a },
	.names = { "s", "a" },
	.finish = ops_finish,
	.buffers = true,
};

/*
 * Two senders whose messages come too late: neither they nor the release return while somebody else
 * is still about to discard what has the last handle. Who knows of both says so to its owner.
 */

static u64 s_o, a_s;

static void discard_two_setup(void)
{
	u64 inbox;

	discard_setup();
	s2 = open_pinned("s2");
	s2_a = copy(s, s2, s_a);
	s_o = channel(o, s, &inbox);
	a_s = channel(s, a, &inbox);
}

static void send_forget_and_tell(void)
{
	send_and_forget();
	if (!op_recv(s, NULL))
		SEND(s, s_o);
}

static void release_inbox_and_tell(void)
{
	release_inbox_a();
	SEND(a, a_s);
}

const struct il_scenario sc_discard_two = {
	.name = "discard-two",
	.text = "two messages, one with a last handle, go to a node that is released, then that is told",
	.n_threads = 3,
	.setup = discard_two_setup,
	.threads = { send_forget_and_tell, send2_to_a, release_inbox_and_tell },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
};

/* The same with one sender, and a receiver that closes meanwhile. */

static void release_inbox_tell_and_close(void)
{
	release_inbox_and_tell();
	close_a();
}

const struct il_scenario sc_discard_close = {
	.name = "discard-close",
	.text = "a message with a last handle goes to a node that is released, that is told, its peer closes",
	.n_threads = 2,
	.setup = discard_two_setup,
	.threads = { send_forget_and_tell, release_inbox_tell_and_close },
	.names = { "s", "a" },
	.finish = ops_finish,
};

/* A receive whose room does not suffice, and then the node is released. */

static void recv_small_then_recv(void)
{
	op_recv_small(a);
	op_recv(a, NULL);
}

const struct il_scenario sc_emsgsize = {
	.name = "emsgsize",
	.text = "a receive without room for a message, then with, while its node is released",
	.n_threads = 3,
	.setup = discard_setup,
	.threads = { in_flight_send, release_inbox_a, recv_small_then_recv },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

/* A node and a handle in one release, against the release of the node of the handle. */

static u64 a_own;

static void crossed_setup(void)
{
	discard_setup();
	a_own = copy(s, a, s_node);
	/* how long they live is the subject of other scenarios */
	ops_pin(o, node);
	ops_pin(a, inbox_a);
}

static void release_inbox_and_handle(void)
{
	RELEASE(a, a_own, inbox_a);
}

const struct il_scenario sc_crossed = {
	.name = "crossed",
	.text = "a handle goes together with the node of a message that carries another one, and its node goes",
	.n_threads = 3,
	.setup = crossed_setup,
	.threads = { in_flight_send, release_inbox_and_handle, release_node },
	.names = { "s", "a", "o" },
	.finish = ops_finish,
};

const struct il_scenario sc_crossed_listen = {
	.name = "crossed-listen",
	.text = "the same, but the owner of the node only listens",
	.n_threads = 3,
	.setup = crossed_setup,
	.threads = { send_and_forget, release_inbox_and_handle, recv_twice_on_o },
	.names = { "s", "a", "o" },
	.finish = ops_finish,
};
