// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Who does what at the same time. What must come of it is checked by ops_finish(), the same for
 * all; a scenario adds what only it knows.
 *
 * Names: a thread is named after the peer it works for. Peers that stay are pinned, so are objects
 * that nobody releases: their counts are then of no interest to the search.
 */
#include <errno.h>

#include "ops.h"
#include "scenarios.h"

/* peers: owner of a node, sender, receivers */
static struct peer *o, *s, *s2, *a, *b, *c;
static u64 node, inbox_a, inbox_b, inbox_c;
/* handles, by holder and what they refer to */
static u64 s_a, s_b, s_c, s2_a, s2_b, a_c, a_b, b_c, s_node, a_node, b_node;

static struct peer *open_pinned(const char *name)
{
	struct peer *peer = ops_open(name);

	ops_pin_peer(peer);
	return peer;
}

/* An inbox of @owner that stays, and a handle of @holder to send through. */
static u64 channel(struct peer *owner, struct peer *holder, u64 *inbox)
{
	u64 handle = ops_node(owner, holder, inbox);

	ops_pin_node_of(holder, handle);
	ops_prepare_send(holder, handle);
	return handle;
}

/* Another handle to where @handle refers to. */
static u64 copy(struct peer *from, struct peer *to, u64 handle)
{
	u64 copied;

	IL_ASSERT(!op_transfer(from, to, 1, &handle, &copied));
	ops_prepare_send(to, copied);
	return copied;
}

static void recv_on_a(void)
{
	op_recv(a, NULL);
}

static void recv_on_b(void)
{
	op_recv(b, NULL);
}

static void recv_twice_on_a(void)
{
	op_recv(a, NULL);
	op_recv(a, NULL);
}

static void recv_twice_on_b(void)
{
	op_recv(b, NULL);
	op_recv(b, NULL);
}

static void recv_twice_on_c(void)
{
	op_recv(c, NULL);
	op_recv(c, NULL);
}

/* Multicast, received by two. */

static void multicast_setup(void)
{
	ops_begin();
	s = open_pinned("s");
	a = open_pinned("a");
	b = open_pinned("b");
	s_a = channel(a, s, &inbox_a);
	s_b = channel(b, s, &inbox_b);
}

static void multicast_send(void)
{
	IL_ASSERT(!op_send(s, 2, (u64[]){ s_a, s_b }, 0, NULL));
}

static const struct il_scenario multicast = {
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

static const struct il_scenario multicast_order = {
	.name = "multicast-order",
	.text = "a multicast with two messages for one receiver, then another message",
	.n_threads = 3,
	.setup = multicast_order_setup,
	.threads = { multicast_then_send, recv_twice_on_a, recv_on_b },
	.names = { "s", "a", "b" },
	.finish = ops_finish,
};

/* Two multicasts at once. */

static void two_multicasts_setup(void)
{
	multicast_setup();
	s2 = open_pinned("s2");
	s2_a = copy(s, s2, s_a);
	s2_b = copy(s, s2, s_b);
}

static void multicast_send2(void)
{
	IL_ASSERT(!op_send(s2, 2, (u64[]){ s2_a, s2_b }, 0, NULL));
}

static const struct il_scenario two_multicasts = {
	.name = "two-multicasts",
	.text = "two multicasts to the same two peers, one of which receives twice",
	.n_threads = 3,
	.setup = two_multicasts_setup,
	.threads = { multicast_send, multicast_send2, recv_twice_on_a },
	.names = { "s", "s2", "a" },
	.finish = ops_finish,
};

/* Reaction through a third peer. */

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

static void reaction_react(void)
{
	if (!op_recv(a, NULL))
		SEND(a, a_c);
}

static const struct il_scenario reaction = {
	.name = "reaction",
	.text = "s sends to a and c, a reacts with a message to c, c receives twice",
	.n_threads = 3,
	.setup = reaction_setup,
	.threads = { reaction_send, reaction_react, recv_twice_on_c },
	.names = { "s", "a", "c" },
	.finish = ops_finish,
};

/* The reaction is a multicast as well, and goes through one more peer. */

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

static const struct il_scenario long_reaction = {
	.name = "long-reaction",
	.text = "s sends to a and c, a reacts to b and c, b reacts to c, c receives twice",
	.n_threads = 4,
	.setup = long_reaction_setup,
	.threads = { reaction_send, long_reaction_a, long_reaction_b, recv_twice_on_c },
	.names = { "s", "a", "b", "c" },
	.finish = ops_finish,
};

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

static void in_flight_send(void)
{
	SEND_HANDLE(s, s_a, s_node);
}

static void release_node(void)
{
	RELEASE(o, node);
}

static const struct il_scenario in_flight = {
	.name = "in-flight",
	.text = "a message carries a handle while its node is released, and is received",
	.n_threads = 3,
	.setup = in_flight_setup,
	.threads = { in_flight_send, release_node, recv_twice_on_a },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
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

static const struct il_scenario in_flight_multicasts = {
	.name = "in-flight-multicast",
	.text = "a multicast carries a handle while its node is released, one receives twice",
	.n_threads = 3,
	.setup = in_flight_multicast_setup,
	.threads = { in_flight_multicast, release_node, recv_twice_on_a },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* A handle that is dead or dies when it is sent, and the next message of the sender behind. */

static void send_handle_then_send(void)
{
	SEND_HANDLE(s, s_a, s_node);
	SEND(s, s_a);
}

static const struct il_scenario born_dead = {
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

static const struct il_scenario told = {
	.name = "in-flight-told",
	.text = "a handle is in flight while its node is released, which another holder is told of",
	.n_threads = 4,
	.setup = told_setup,
	.threads = { in_flight_send, release_node, recv_twice_on_a, recv_on_b },
	.names = { "s", "o", "a", "b" },
	.finish = ops_finish,
};

/* Both the node of the handle and the one it is sent to are released. */

static void release_inbox_a(void)
{
	RELEASE(a, inbox_a);
}

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

static void send_and_forget(void)
{
	SEND_HANDLE(s, s_a, s_node);
	RELEASE(s, s_node);
}

static void recv_on_o(void)
{
	op_recv(o, NULL);
}

static const struct il_scenario discard = {
	.name = "discard",
	.text = "a message with the last handle goes to a node that is released, its owner listens",
	.n_threads = 3,
	.setup = discard_setup,
	.threads = { send_and_forget, release_inbox_a, recv_on_o },
	.names = { "s", "a", "o" },
	.finish = ops_finish,
};

static const struct il_scenario discard_recv = {
	.name = "discard-recv",
	.text = "the same, while another thread of the receiver receives",
	.n_threads = 3,
	.setup = discard_setup,
	.threads = { send_and_forget, release_inbox_a, recv_on_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

/* A receive whose room does not suffice, or that fails, and then the node is released. */

static void recv_small_then_recv(void)
{
	op_recv_small(a);
	op_recv(a, NULL);
}

static const struct il_scenario emsgsize = {
	.name = "emsgsize",
	.text = "a receive without room for a message, then with, while its node is released",
	.n_threads = 3,
	.setup = discard_setup,
	.threads = { in_flight_send, release_inbox_a, recv_small_then_recv },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

static void recv_fault_then_recv(void)
{
	op_recv_fault(a);
	op_recv(a, NULL);
}

static const struct il_scenario efault = {
	.name = "efault",
	.text = "a receive fails halfway, then succeeds, while the node of the carried handle is released",
	.n_threads = 3,
	.setup = in_flight_setup,
	.threads = { in_flight_send, release_node, recv_fault_then_recv },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* Last handle, transfer and close. */

static void transfer_setup(void)
{
	ops_begin();
	o = ops_open("o");
	a = open_pinned("a");
	b = open_pinned("b");
	a_node = ops_node(o, a, &node);
}

static void transfer_a_b(void)
{
	u64 id = a_node, handle;
	int ret;

	ret = op_transfer(a, b, 1, &id, &handle);
	IL_ASSERT(!ret || ret == -EBADRQC);
}

static void release_a_node(void)
{
	RELEASE(a, a_node);
}

static void close_o(void)
{
	op_close(o);
}

static const struct il_scenario transfer_close = {
	.name = "transfer-close",
	.text = "the last handle is copied to b and released, while the owner of its node closes",
	.n_threads = 3,
	.setup = transfer_setup,
	.threads = { transfer_a_b, release_a_node, close_o },
	.names = { "a", "a'", "o" },
	.finish = ops_finish,
};

/* The one who gets the handle gives it up as soon as it is there. */

static void release_guessed(void)
{
	/* the second ID of b, which made a node for nobody */
	op_release(b, 1, (u64[]){ 1 });
	op_release(b, 1, (u64[]){ 1 });
}

static const struct il_scenario transfer_release = {
	.name = "transfer-release",
	.text = "a handle is copied to b, who releases it as soon as its ID is good; the owner listens",
	.n_threads = 3,
	.setup = transfer_setup,
	.threads = { transfer_a_b, release_guessed, release_node },
	.names = { "a", "b", "o" },
	.finish = ops_finish,
};

static void transfer_fault_a_b(void)
{
	IL_ASSERT(op_transfer_fault(a, b, 2, (u64[]){ a_node, 0 }) == -EFAULT);
}

static void release_guessed_in_vain(void)
{
	IL_ASSERT(op_release(b, 1, (u64[]){ 1 }) == -EBADRQC);
	IL_ASSERT(op_release(b, 1, (u64[]){ 3 }) == -EBADRQC);
}

static const struct il_scenario transfer_abort = {
	.name = "transfer-abort",
	.text = "a transfer to b fails, while b looks for the handles it does not get",
	.n_threads = 2,
	.setup = transfer_setup,
	.threads = { transfer_fault_a_b, release_guessed_in_vain },
	.names = { "a", "b" },
	.finish = ops_finish,
};

static void stat_b(void)
{
	op_stat(b);
}

static void transfer_both(void)
{
	transfer_fault_a_b();
	transfer_a_b();
}

static const struct il_scenario transfer_stat = {
	.name = "transfer-stat",
	.text = "a transfer to b fails, another does not, while somebody counts what b has",
	.n_threads = 2,
	.setup = transfer_setup,
	.threads = { transfer_both, stat_b },
	.names = { "a", "b" },
	.finish = ops_finish,
};

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

static void seal_send(void)
{
	SEND_HANDLE(s, s_a, s_node);
	RELEASE(s, s_node);
}

static void seal_send2(void)
{
	SEND(s2, s2_a);
}

static void close_a(void)
{
	op_close(a);
}

static const struct il_scenario seal = {
	.name = "seal",
	.text = "two peers send to one that closes, one of them its last handle to its own node",
	.n_threads = 3,
	.setup = seal_setup,
	.threads = { seal_send, seal_send2, close_a },
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

static const struct il_scenario seal_multicast = {
	.name = "seal-multicast",
	.text = "a multicast with a handle to one that closes, and to one that receives",
	.n_threads = 3,
	.setup = seal_multicast_setup,
	.threads = { seal_multicast_send, close_a, recv_twice_on_b },
	.names = { "s", "a", "b" },
	.finish = ops_finish,
};

/* Racing releases. */

static void two_releases_setup(void)
{
	ops_begin();
	o = open_pinned("o");
	a = open_pinned("a");
	b = open_pinned("b");
	a_node = ops_node(o, a, &node);
	b_node = copy(a, b, a_node);
}

static void release_b_node(void)
{
	RELEASE(b, b_node);
}

static void recv_twice_on_o(void)
{
	op_recv(o, NULL);
	op_recv(o, NULL);
}

static const struct il_scenario two_releases = {
	.name = "two-releases",
	.text = "the two handles of a node are released, its owner receives twice",
	.n_threads = 3,
	.setup = two_releases_setup,
	.threads = { release_a_node, release_b_node, recv_twice_on_o },
	.names = { "a", "b", "o" },
	.finish = ops_finish,
};

static const struct il_scenario three_releases = {
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

static const struct il_scenario same_release = {
	.name = "same-release",
	.text = "two threads release the same handle, a third one its node",
	.n_threads = 3,
	.setup = same_release_setup,
	.threads = { release_if_there, release_if_there, release_node },
	.names = { "a", "a'", "o" },
	.finish = same_release_finish,
};

/* One release, two who are told of it. */

static u64 node2;

static void release_atomic_setup(void)
{
	ops_begin();
	o = open_pinned("o");
	a = open_pinned("a");
	b = open_pinned("b");
	a_node = ops_node(o, a, &node);
	b_node = ops_node(o, b, &node2);
}

static void release_both(void)
{
	RELEASE(o, node, node2);
}

static const struct il_scenario release_atomic = {
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

static const struct il_scenario release_order = {
	.name = "release-order",
	.text = "a message, a release that the receiver is told of, another message",
	.n_threads = 2,
	.setup = release_order_setup,
	.threads = { send_release_send, recv_twice_on_a },
	.names = { "o", "a" },
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

static const struct il_scenario close_both = {
	.name = "close-both",
	.text = "two peers that have each other's handles, also in their queues, close",
	.n_threads = 2,
	.setup = close_both_setup,
	.threads = { close_a, close_b },
	.names = { "a", "b" },
	.finish = ops_finish,
};

/* Two threads receive from one queue. */

static void send_twice(void)
{
	SEND(s, s_a);
	SEND(s, s_a);
}

static const struct il_scenario two_readers = {
	.name = "two-readers",
	.text = "two threads of a peer receive, while two messages are sent",
	.n_threads = 3,
	.setup = multicast_setup,
	.threads = { send_twice, recv_on_a, recv_on_a },
	.names = { "s", "a", "a'" },
	.finish = ops_finish,
};

/* Two multicasts, both read. */

static const struct il_scenario four_way = {
	.name = "two-multicasts-read",
	.text = "two multicasts to the same two peers, each of which receives once",
	.n_threads = 4,
	.setup = two_multicasts_setup,
	.threads = { multicast_send, multicast_send2, recv_on_a, recv_on_b },
	.names = { "s", "s2", "a", "b" },
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

static const struct il_scenario release_reaction = {
	.name = "release-reaction",
	.text = "a node is released, one holder reacts with a message to the other one",
	.n_threads = 3,
	.setup = release_reaction_setup,
	.threads = { release_node, reaction_react, recv_twice_on_c },
	.names = { "o", "a", "c" },
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

static const struct il_scenario both_ends = {
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

static const struct il_scenario in_flight_close = {
	.name = "in-flight-close",
	.text = "a handle is in flight, while the owner of its node and the receiver close",
	.n_threads = 3,
	.setup = in_flight_close_setup,
	.threads = { in_flight_send, close_o, close_a },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* The handle is released as soon as it is received, and told of at the same time. */

static void release_guessed_in_flight(void)
{
	/* 1 is the inbox */
	op_release(a, 1, (u64[]){ 3 });
}

static const struct il_scenario in_flight_release = {
	.name = "in-flight-release",
	.text = "a handle in flight is received by one thread and released by another, and its node goes",
	.n_threads = 4,
	.setup = in_flight_setup,
	.threads = { in_flight_send, release_node, recv_twice_on_a, release_guessed_in_flight },
	.names = { "s", "o", "a", "a'" },
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

static const struct il_scenario crossed = {
	.name = "crossed",
	.text = "a handle goes together with the node of a message that carries another one, and its node goes",
	.n_threads = 3,
	.setup = crossed_setup,
	.threads = { in_flight_send, release_inbox_and_handle, release_node },
	.names = { "s", "a", "o" },
	.finish = ops_finish,
};

static const struct il_scenario crossed_listen = {
	.name = "crossed-listen",
	.text = "the same, but the owner of the node only listens",
	.n_threads = 3,
	.setup = crossed_setup,
	.threads = { send_and_forget, release_inbox_and_handle, recv_twice_on_o },
	.names = { "s", "a", "o" },
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

static const struct il_scenario transfer_recv = {
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

static const struct il_scenario batch = {
	.name = "batch",
	.text = "a node with many handles is released, while another one is sent and received",
	.n_threads = 3,
	.setup = batch_setup,
	.threads = { in_flight_send, release_node, recv_twice_on_a },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* The same for those who count what a peer has. */

static void stat_batch_setup(void)
{
	u64 ids[4], handles[4];
	int i, j;

	transfer_setup();
	for (i = 0; i < 64; i++) {
		for (j = 0; j < 4; j++)
			ids[j] = a_node;
		IL_ASSERT(!op_transfer(a, b, 4, ids, handles));
	}
}

static const struct il_scenario stat_batch = {
	.name = "stat-batch",
	.text = "a transfer fails, another does not, while somebody counts all that a peer has",
	.n_threads = 2,
	.setup = stat_batch_setup,
	.threads = { transfer_both, stat_b },
	.names = { "a", "b" },
	.finish = ops_finish,
};

/* Waiting. */

static void poll_recv(void)
{
	op_poll_until_readable(a);
	IL_ASSERT(!op_recv(a, NULL));
}

static void send_to_a(void)
{
	SEND(s, s_a);
}

static const struct il_scenario poll_wake = {
	.name = "poll",
	.text = "one waits until it is readable, and is sent a message",
	.n_threads = 2,
	.setup = multicast_setup,
	.threads = { poll_recv, send_to_a },
	.names = { "a", "s" },
	.finish = ops_finish,
};

static const struct il_scenario poll_multicast = {
	.name = "poll-multicast",
	.text = "one waits until it is readable, and is sent a multicast; another one receives",
	.n_threads = 3,
	.setup = multicast_setup,
	.threads = { poll_recv, multicast_send, recv_on_b },
	.names = { "a", "s", "b" },
	.finish = ops_finish,
};

static const struct il_scenario poll_buffers = {
	.name = "poll-buffers",
	.text = "one waits until it is readable, and is sent a multicast, with store buffers",
	.n_threads = 2,
	.setup = multicast_setup,
	.threads = { poll_recv, multicast_send },
	.names = { "a", "s" },
	.finish = ops_finish,
	.buffers = true,
};

static const struct il_scenario in_flight_buffers = {
	.name = "in-flight-buffers",
	.text = "a handle is in flight while its node is released, with store buffers",
	.n_threads = 2,
	.setup = in_flight_setup,
	.threads = { in_flight_send, release_node },
	.names = { "s", "o" },
	.finish = ops_finish,
	.buffers = true,
};

static const struct il_scenario discard_buffers = {
	.name = "discard-buffers",
	.text = "a message goes to a node that is released, with store buffers",
	.n_threads = 2,
	.setup = discard_setup,
	.threads = { in_flight_send, release_inbox_a },
	.names = { "s", "a" },
	.finish = ops_finish,
	.buffers = true,
};

/* As with edge-triggered epoll: only told of what is new. */

static void edge_setup(void)
{
	two_multicasts_setup();
	op_poll_begin(a);
}

static void edge_recv(void)
{
	int n = 0;

	while (n < 2) {
		op_poll_wait(a);
		while (!op_recv(a, NULL))
			n++;
	}
}

static void send2_to_a(void)
{
	SEND(s2, s2_a);
}

static void edge_finish(void)
{
	op_poll_end(a);
	ops_finish();
}

static const struct il_scenario edge = {
	.name = "edge",
	.text = "one receives all there is after each wakeup, two peers send to it",
	.n_threads = 3,
	.setup = edge_setup,
	.threads = { edge_recv, send_to_a, send2_to_a },
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

static const struct il_scenario edge_looks = {
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
	int n = 0;

	while (!n) {
		op_poll_wait(b);
		while (!op_recv(b, NULL))
			n++;
	}
}

static void edge_transfer_finish(void)
{
	op_poll_end(b);
	ops_finish();
}

static const struct il_scenario edge_transfer = {
	.name = "edge-transfer",
	.text = "one waits to be told that the handle it gets is dead",
	.n_threads = 3,
	.setup = edge_transfer_setup,
	.threads = { edge_recv_on_b, transfer_a_b, release_node },
	.names = { "b", "a", "o" },
	.finish = edge_transfer_finish,
};

static void edge_release_setup(void)
{
	release_atomic_setup();
	op_poll_begin(a);
}

static void edge_recv_one(void)
{
	int n = 0;

	while (!n) {
		op_poll_wait(a);
		while (!op_recv(a, NULL))
			n++;
	}
}

static const struct il_scenario edge_release = {
	.name = "edge-release",
	.text = "one waits for a notification about its handle",
	.n_threads = 2,
	.setup = edge_release_setup,
	.threads = { edge_recv_one, release_both },
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
	int n = 0;

	while (!n) {
		op_poll_wait(o);
		while (!op_recv(o, NULL))
			n++;
	}
}

static void edge_handle_finish(void)
{
	op_poll_end(o);
	ops_finish();
}

static const struct il_scenario edge_handle = {
	.name = "edge-handle",
	.text = "one waits to be told that the last handle to its node is gone",
	.n_threads = 3,
	.setup = edge_handle_setup,
	.threads = { edge_recv_on_o, release_a_node, release_b_node },
	.names = { "o", "a", "b" },
	.finish = edge_handle_finish,
};

/* poll and recv are of one opinion */

static void poll_then_recv(void)
{
	bool readable = op_poll(a);
	int ret = op_recv(a, NULL);

	IL_ASSERT(!readable || !ret);
}

static const struct il_scenario poll_recv_agree = {
	.name = "poll-recv",
	.text = "poll and then recv, while a multicast with a handle is sent and its node released",
	.n_threads = 3,
	.setup = in_flight_multicast_setup,
	.threads = { in_flight_multicast, release_node, poll_then_recv },
	.names = { "s", "o", "a" },
	.finish = ops_finish,
};

/* Accounting, with its locks. */

static struct b1_acct_trace *trace;

static void charge_setup(void)
{
	ops_begin();
	IL_ASSERT(!b1_acct_set_max(1024, 1024));
	trace = b1_acct_trace_get(1, 1, 1);
}

static void charge_one(void)
{
	enum b1_acct_slot slot;

	IL_ASSERT(!b1_acct_charge(trace, 4, 2, &slot));
	b1_acct_discharge(trace, 4, 2);
}

static void charge_and_put(void)
{
	enum b1_acct_slot slot;

	IL_ASSERT(!b1_acct_charge(trace, 2, 0, &slot));
	b1_acct_trace_put(trace);
	b1_acct_discharge(trace, 2, 0);
}

static void charge_other(void)
{
	struct b1_acct_trace *other = b1_acct_trace_get(1, 2, 2);
	enum b1_acct_slot slot;

	if (!b1_acct_charge(other, 1, 1, &slot))
		b1_acct_discharge(other, 1, 1);
	b1_acct_trace_put(other);
}

static void charge_finish(void)
{
	b1_acct_trace_put(trace);
	if (!b1_acct_is_idle())
		il_fail("something is still charged");
}

static void charge_put_finish(void)
{
	if (!b1_acct_is_idle())
		il_fail("something is still charged");
}

static const struct il_scenario charge = {
	.name = "charge",
	.text = "two threads charge and discharge the same, a third one claims from the same user",
	.n_threads = 3,
	.setup = charge_setup,
	.threads = { charge_one, charge_one, charge_other },
	.names = { "x", "y", "z" },
	.finish = charge_finish,
	.loud = true,
};

static const struct il_scenario charge_put = {
	.name = "charge-put",
	.text = "the last reference goes before the last charge, another one claims anew",
	.n_threads = 2,
	.setup = charge_setup,
	.threads = { charge_and_put, charge_other },
	.names = { "x", "z" },
	.finish = charge_put_finish,
	.loud = true,
};

/* Two look for the same that is not there yet, or just goes; a third one goes through all. */

static void trace_setup(void)
{
	ops_begin();
	trace = NULL;
}

static void walk(void)
{
	struct b1_acct_trace *at = NULL;

	while ((at = b1_acct_trace_next(at)))
		IL_ASSERT(at->quota->user->item.id == 1);
}

static void get_and_put(void)
{
	b1_acct_trace_put(b1_acct_trace_get(1, 2, 3));
}

static const struct il_scenario trace_get = {
	.name = "trace-get",
	.text = "two threads look for a trace, charge it and give it up, a third one looks and gives up",
	.n_threads = 3,
	.setup = trace_setup,
	.threads = { charge_other, charge_other, get_and_put },
	.names = { "x", "y", "z" },
	.finish = charge_put_finish,
	.loud = true,
};

static const struct il_scenario trace_walk = {
	.name = "trace-walk",
	.text = "one goes through all traces, while two others come and go",
	.n_threads = 3,
	.setup = trace_setup,
	.threads = { charge_other, get_and_put, walk },
	.names = { "x", "y", "z" },
	.finish = charge_put_finish,
	.loud = true,
};

/* A message is charged while another one is received. */

static void charge_messages_setup(void)
{
	multicast_setup();
	SEND(s, s_a);
}

static const struct il_scenario charge_messages = {
	.name = "charge-messages",
	.text = "a message is charged and sent, while another one is received and discharged",
	.n_threads = 2,
	.setup = charge_messages_setup,
	.threads = { send_to_a, recv_twice_on_a },
	.names = { "s", "a" },
	.finish = ops_finish,
	.loud = true,
};

/* those that take long come last, so that a mistake is found early */
const struct il_scenario *const scenarios[] = {
	&multicast, &reaction, &release_reaction,
	&in_flight, &discard, &discard_recv, &emsgsize, &efault,
	&transfer_close, &transfer_release, &transfer_abort, &transfer_stat,
	&seal, &seal_multicast, &close_both, &in_flight_close, &crossed_listen,
	&two_releases, &three_releases, &same_release, &release_atomic, &release_order,
	&two_readers,
	&poll_wake, &poll_multicast, &edge, &edge_looks, &edge_transfer, &edge_release,
	&edge_handle,
	&poll_buffers, &in_flight_buffers, &discard_buffers,
	&charge, &charge_put, &charge_messages, &trace_get, &trace_walk,
	&multicast_order, &two_multicasts, &born_dead, &transfer_recv, &both_ends,
	&in_flight_release, &in_flight_multicasts, &told, &poll_recv_agree,
	&long_reaction, &four_way, &crossed, &batch, &stat_batch,
	NULL,
};
