// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What attackers do, in loops: all that is allowed to a stranger, who may have a handle to a node of
 * the victim, or a descriptor that was lent for a transfer; and what it likes with a peer of its own
 */
#define _GNU_SOURCE
#include "strangers.h"

#include <pthread.h>
#include <sys/mman.h>

enum { BATCH = 64, MAX_SENT = 30 };

static void done(struct st_world *world)
{
	atomic_fetch_add(&world->shared->n_attacks, 1);
}

/* What an attacker has to the nodes that come and go. */
struct mine {
	uint64_t handle;
	unsigned int n_sent;
};

/*
 * The handle of attacker @i to the k-th node that comes and goes; the one before is given up. Waits
 * where that has got many messages: for the victim to have thousands to discard is the contract.
 */
static uint64_t ring_handle(struct st_world *world, size_t i, size_t k, struct mine *mine)
{
	uint64_t handle;

	while ((handle = atomic_load(&world->shared->ring[k][i])) == mine[k].handle &&
	       mine[k].n_sent >= MAX_SENT)
		usleep(50);
	if (handle != mine[k].handle) {
		if (mine[k].handle)
			st_release(world->a[i], mine[k].handle);
		mine[k] = (struct mine){ .handle = handle };
	}
	mine[k].n_sent++;
	return handle;
}

static void attack_fdinfo(struct st_world *world, size_t i)
{
	(void)i;
	for (;;) {
		st_must(world, st_fdinfo(world->v, NULL) > 0 ? 0 : -ENOENT, "fdinfo");
		done(world);
	}
}

/* Hands out handles, as in a meeting, some of them so that it fails in the end. */
static void attack_transfer(struct st_world *world, size_t i)
{
	struct bus1_transfer src[BATCH], dst[BATCH];
	size_t n = 0, k;

	for (k = 0; k < BATCH; k++)
		src[k] = (struct bus1_transfer){ 0, world->a_to_a[i] };
	for (;; n++) {
		/* nobody releases them */
		st_transfer(world->a[i], world->v, BATCH, src, n < 500 && n % 4 ? dst : NULL);
		done(world);
	}
}

/* Messages to nodes that are released meanwhile. */
static void attack_late(struct st_world *world, size_t i)
{
	struct mine mine[ST_RING] = {};
	uint64_t handle;
	size_t k;

	for (k = 0;; k = (k + 1) % ST_RING) {
		handle = ring_handle(world, i, k, mine);
		st_send(world->a[i], 1, &handle, 8, world->a_to_a[i]);
		done(world);
	}
}

/* The same, but each message is late: its payload comes when the node has been released. */
struct late {
	struct st_world *world;
	size_t i;
	struct st_trap trap;
	_Atomic uint64_t used;		/* handle that the sender has taken */
	size_t k;
};

static void *run_late_payload(void *arg)
{
	struct late *late = arg;

	for (;;) {
		if (!st_trap_wait(&late->trap, 1000))
			continue;
		while (atomic_load(&late->world->shared->ring[late->k][late->i]) ==
		       atomic_load(&late->used))
			usleep(50);
		st_trap_open(&late->trap);
	}
	return NULL;
}

static void attack_late_fault(struct st_world *world, size_t i)
{
	struct late late = { .world = world, .i = i };
	struct mine mine[ST_RING] = {};
	uint64_t handle;
	struct bus1_transfer transfer = { 0, world->a_to_a[i] };
	struct iovec vec;
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_transfers = 1,
		.ptr_transfers = BUS1_FROM_PTR(&transfer),
		.n_data = 1,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_cmd_send cmd = {
		.n_destinations = 1,
		.ptr_destinations = BUS1_FROM_PTR(&handle),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	pthread_t thread;

	st_trap_init(&late.trap);
	vec = (struct iovec){ late.trap.page, 1 };
	st_must(world, -pthread_create(&thread, NULL, run_late_payload, &late), "pthread_create");
	for (;; late.k = (late.k + 1) % ST_RING) {
		handle = ring_handle(world, i, late.k, mine);
		atomic_store(&late.used, handle);
		b1t_ioctl(world->a[i], BUS1_CMD_SEND, &cmd);
		madvise(late.trap.page, 1, MADV_DONTNEED);
		done(world);
	}
}

static void attack_multicast(struct st_world *world, size_t i)
{
	enum { COPIES = 20 };
	struct mine mine[ST_RING] = {};
	uint64_t dests[ST_RING * COPIES + 1];
	size_t k;

	for (;;) {
		for (k = 0; k < ST_RING * COPIES; k++)
			dests[k] = k < ST_RING ? ring_handle(world, i, k, mine) :
						 mine[k % ST_RING].handle;
		dests[k] = world->a_to_w[i];
		st_send(world->a[i], B1T_N(dests), dests, 1, world->a_to_a[i]);
		done(world);
	}
}

/* Handles in flight to the victim end, as do their nodes. */
static void attack_release(struct st_world *world, size_t i)
{
	struct mine mine[ST_RING] = {};
	uint64_t handle, node, own, copy;
	size_t k;

	for (k = 0;; k = (k + 1) % ST_RING) {
		handle = ring_handle(world, i, k, mine);
		if (st_node(world->a[i], -1, &node, &own))
			continue;
		st_send(world->a[i], 1, &handle, 8, own);
		st_release(world->a[i], node);
		st_release(world->a[i], own);
		if (!st_copy(world->a[i], -1, handle, &copy))
			st_release(world->a[i], copy);
		done(world);
	}
}

/* Peers come, send to the victim, and go. */
static void attack_close(struct st_world *world, size_t i)
{
	struct mine mine[ST_RING] = {};
	uint64_t handle, to_v, own;
	size_t k;
	int peer;

	for (k = 0;; k = (k + 1) % ST_RING) {
		handle = ring_handle(world, i, k, mine);
		peer = st_open();
		if (peer < 0)
			continue;
		if (!st_copy(world->a[i], peer, handle, &to_v) && !st_node(peer, -1, NULL, &own))
			st_send(peer, 1, &to_v, 8, own);
		close(peer);
		done(world);
	}
}

/* First sends, which have to do with nobody. */
static void attack_account(struct st_world *world, size_t i)
{
	struct bus1_transfer src[BATCH], dst[BATCH];
	uint64_t copies[BATCH];
	size_t k;

	for (k = 0; k < BATCH; k++)
		src[k] = (struct bus1_transfer){ 0, world->a_to_a[i] };
	for (;;) {
		st_must(world, st_transfer(world->a[i], -1, BATCH, src, dst), "copies");
		for (k = 0; k < BATCH; k++)
			copies[k] = dst[k].id;
		st_must(world, st_send(world->a[i], BATCH, copies, 0, 0), "first sends");
		st_must(world, b1t_release(world->a[i], BATCH, copies), "release");
		while (!st_recv(world->a[i]))
			;
		done(world);
	}
}

/* With a peer of one's own */

static void attack_own_fdinfo(struct st_world *world, size_t i)
{
	(void)i;
	for (;;) {
		st_must(world, st_fdinfo(world->s, NULL) > 0 ? 0 : -ENOENT, "fdinfo");
		done(world);
	}
}

/* Many messages come, are looked at, and go with their node. */
static void attack_own_poll(struct st_world *world, size_t i)
{
	struct pollfd p = { .fd = world->s, .events = POLLIN };
	uint64_t node, handle;

	(void)i;
	for (;;) {
		if (st_node(world->s, -1, &node, &handle))
			continue;
		st_flood(world->s, handle, 500);
		poll(&p, 1, 0);
		b1t_release(world->s, 2, (uint64_t[]){ node, handle });
		done(world);
	}
}

const struct st_attack st_attacks[] = {
	{ "fdinfo", attack_fdinfo, 2, false },
	{ "transfer", attack_transfer, ST_ATTACKERS, false },
	{ "late", attack_late, ST_ATTACKERS, true },
	{ "late-fault", attack_late_fault, ST_ATTACKERS, true },
	{ "multicast", attack_multicast, ST_ATTACKERS, true },
	{ "release", attack_release, ST_ATTACKERS, true },
	{ "close", attack_close, ST_ATTACKERS, true },
	{ "account", attack_account, ST_ATTACKERS, false },
	{ "own-fdinfo", attack_own_fdinfo, 2, false },
	{ "own-poll", attack_own_poll, 2, false },
};

const size_t st_n_attacks = B1T_N(st_attacks);
