// SPDX-License-Identifier: LGPL-2.1-or-later
/* What victims do: each operation of bus1, on peers that nobody else has business with or to others. */
#define _GNU_SOURCE
#include "strangers.h"

/* What is not in the way of the operation, and would pile up. */
static void drain_w(struct st_world *world)
{
	int ret;

	do {
		ret = ST_STEP(world, "receive", st_recv(world->w));
	} while (!ret);
	if (ret != -EAGAIN)
		st_must(world, ret, "receive of what is left");
}

static void op_poll(struct st_world *world)
{
	struct pollfd p = { .fd = world->v, .events = POLLIN };

	st_must(world, ST_STEP(world, "poll", poll(&p, 1, 0)), "poll");
}

/* The queue stays deep, for those who go through it. */
static void op_recv(struct st_world *world)
{
	int ret = ST_STEP(world, "receive", st_recv(world->v));

	if (ret == -EAGAIN)
		ret = ST_STEP(world, "send", st_flood(world->w, world->w_to_v, ST_DEPTH));
	st_must(world, ret, "receive");
}

static void op_send(struct st_world *world)
{
	st_must(world, ST_STEP(world, "send", st_send(world->v, 1, &world->v_to_w, 1,
						      world->v_to_w)), "send");
	drain_w(world);
}

/* The first one through a handle finds out where it is charged. */
static void op_first_send(struct st_world *world)
{
	uint64_t copy;

	st_must(world, ST_STEP(world, "copy", st_copy(world->v, -1, world->v_to_w, &copy)), "copy");
	st_must(world, ST_STEP(world, "first send", st_send(world->v, 1, &copy, 0, 0)), "first send");
	st_must(world, ST_STEP(world, "release of a handle", st_release(world->v, copy)), "release");
	drain_w(world);
}

/* Creates a node; the handle goes first, so that a notification has to be taken back. */
static void op_transfer(struct st_world *world)
{
	uint64_t node, handle;

	st_must(world, ST_STEP(world, "transfer", st_node(world->v, world->w, &node, &handle)),
		"transfer");
	st_must(world, ST_STEP(world, "release of a handle", st_release(world->w, handle)), "release");
	st_must(world, ST_STEP(world, "release of a node", st_release(world->v, node)), "release");
}

/* A node with messages in the queue of @v, which carry handles, and a handle in @w. */
static void op_release(struct st_world *world)
{
	uint64_t node, handle;

	st_must(world, ST_STEP(world, "transfer", st_node(world->v, world->w, &node, &handle)),
		"transfer");
	st_must(world, ST_STEP(world, "send", st_send(world->w, 1, &handle, 2, handle)), "send");
	st_must(world, ST_STEP(world, "release of a node", st_release(world->v, node)), "release");
	st_must(world, ST_STEP(world, "release of a handle", st_release(world->w, handle)), "release");
}

/* A peer whose node an attacker has come to know, and that has messages. */
static void op_close(struct st_world *world)
{
	struct st_shared *shared = world->shared;
	uint64_t in_w, in_a;
	size_t k = world->ring_next % ST_RING;
	int peer;

	peer = ST_STEP(world, "open", st_open());
	st_must(world, peer, "open");
	st_must(world, ST_STEP(world, "transfer", st_node(peer, world->w, NULL, &in_w)), "transfer");
	st_must(world, ST_STEP(world, "transfer", st_node(peer, world->a[0], NULL, &in_a)),
		"transfer");
	if (world->publish)
		atomic_store(&shared->ring[k][0], in_a);
	st_must(world, ST_STEP(world, "send", st_flood(world->w, in_w, 100)), "flood");
	st_must(world, ST_STEP(world, "close", close(peer)), "close");
	st_must(world, ST_STEP(world, "release of a handle", st_release(world->w, in_w)), "release");
}

static void op_open(struct st_world *world)
{
	int peer;

	peer = ST_STEP(world, "open", st_open());
	st_must(world, peer, "open");
	ST_STEP(world, "close of a new peer", close(peer));
}

static void op_fdinfo(struct st_world *world)
{
	long n = ST_STEP(world, "fdinfo of the victim's peer",
			 st_fdinfo(world->v, "bus1-messages:"));

	st_must(world, n < 0 ? -ENOENT : 0, "fdinfo");
}

/* To the peer of the attackers. */

static void op_transfer_to(struct st_world *world)
{
	uint64_t copy;

	st_must(world, ST_STEP(world, "transfer to the attacker's peer",
			       st_copy(world->v, world->s, world->v_to_w, &copy)), "transfer");
}

static void op_send_to(struct st_world *world)
{
	st_must(world, ST_STEP(world, "send to the attacker's peer",
			       st_send(world->v, 1, &world->v_to_s, 1, world->v_to_w)), "send");
}

static void op_multicast_to(struct st_world *world)
{
	st_must(world, ST_STEP(world, "multicast to the attacker's peer",
			       st_send(world->v, 2, (uint64_t[]){ world->v_to_s, world->v_to_w }, 1,
				       world->v_to_w)), "multicast");
	drain_w(world);
}

static void op_release_to(struct st_world *world)
{
	uint64_t node, in_s, copy;

	st_must(world, ST_STEP(world, "transfer to the attacker's peer",
			       st_node(world->v, world->s, &node, &in_s)), "transfer");
	st_must(world, ST_STEP(world, "release of a node that the attacker has a handle to",
			       st_release(world->v, node)), "release");
	st_must(world, ST_STEP(world, "copy", st_copy(world->v, -1, world->v_to_s, &copy)), "copy");
	st_must(world, ST_STEP(world, "release of a handle to the attacker's node",
			       st_release(world->v, copy)), "release");
}

static void op_close_to(struct st_world *world)
{
	uint64_t ignored;
	int peer;

	peer = ST_STEP(world, "open", st_open());
	st_must(world, peer, "open");
	st_must(world, ST_STEP(world, "transfer", st_copy(world->v, peer, world->v_to_s, &ignored)),
		"transfer");
	st_must(world, ST_STEP(world, "transfer to the attacker's peer",
			       st_node(peer, world->s, NULL, &ignored)), "transfer");
	st_must(world, ST_STEP(world, "close of a peer that the attacker knows", close(peer)), "close");
}

static void op_fdinfo_of(struct st_world *world)
{
	long n = ST_STEP(world, "fdinfo of the attacker's peer",
			 st_fdinfo(world->s, "bus1-messages:"));

	st_must(world, n < 0 ? -ENOENT : 0, "fdinfo");
}

const struct st_op st_ops[] = {
	{ "poll", op_poll },
	{ "recv", op_recv },
	{ "send", op_send },
	{ "first-send", op_first_send },
	{ "transfer", op_transfer },
	{ "release", op_release },
	{ "close", op_close },
	{ "open", op_open },
	{ "fdinfo", op_fdinfo },
	{ "transfer-to", op_transfer_to },
	{ "send-to", op_send_to },
	{ "multicast-to", op_multicast_to },
	{ "release-to", op_release_to },
	{ "close-to", op_close_to },
	{ "fdinfo-of", op_fdinfo_of },
};

const size_t st_n_ops = B1T_N(st_ops);
