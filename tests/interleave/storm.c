// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Storms: more peers, threads and commands than can be searched. What each thread does is random as
 * well as the schedule; what must come of it is the same as ever, see history.c.
 */
#include <errno.h>
#include <stdio.h>

#include "ops.h"
#include "scenarios.h"

#define MAX_KNOWN 64

/*
 * What a peer has, as far as its threads know; an ID that one of them releases is forgotten first.
 */
static struct known {
	unsigned int n;
	u64 ids[MAX_KNOWN];
	bool is_node[MAX_KNOWN];
	/* open descriptors: the last one closes the peer */
	unsigned int n_users;
} known[OPS_PEERS];

static unsigned int n_peers, n_steps;
static bool closing;

static void add(struct peer *peer, u64 id, bool is_node)
{
	struct known *k = &known[peer - ops_peers];

	if (k->n == MAX_KNOWN)
		return;
	k->ids[k->n] = id;
	k->is_node[k->n++] = is_node;
}

/* A handle of the peer, or 0. */
static u64 pick_handle(struct peer *peer)
{
	const struct known *k = &known[peer - ops_peers];
	unsigned int i, n = 0;

	for (i = 0; i < k->n; i++)
		n += !k->is_node[i];
	if (!n)
		return 0;
	n = il_random(n);
	for (i = 0; k->is_node[i] || n--; i++)
		;
	return k->ids[i];
}

static u64 take_any(struct peer *peer)
{
	struct known *k = &known[peer - ops_peers];
	unsigned int i = il_random(k->n);
	u64 id = k->ids[i];

	k->ids[i] = k->ids[--k->n];
	k->is_node[i] = k->is_node[k->n];
	return id;
}

static void put_peer(struct peer *peer)
{
	il_sync(&known[peer - ops_peers]);
	if (!--known[peer - ops_peers].n_users)
		op_close(peer);
}

/* The peer of somebody, or NULL if it is closed. */
static struct peer *get_peer(void)
{
	unsigned int i = il_random(n_peers);

	if (!known[i].n_users)
		return NULL;
	known[i].n_users++;
	return &ops_peers[i];
}

/* Another thread of the peer may have released something meanwhile, and this one may be being killed. */
static void check_result(int ret)
{
	IL_ASSERT(!ret || ret == -EBADRQC || (ret == -EINTR && il_is_killed()));
}

static void storm_send(struct peer *peer)
{
	unsigned int i, n = 1 + il_random(3), n_handles = il_random(3);
	u64 to[3], handles[3];

	for (i = 0; i < n; i++)
		to[i] = pick_handle(peer);
	for (i = 0; i < n_handles; i++)
		handles[i] = pick_handle(peer);
	if (to[0])
		check_result(op_send(peer, n, to, n_handles, handles));
}

static void storm_recv(struct peer *peer)
{
	const struct op *op;
	unsigned int i;

	switch (il_random(8)) {
	case 0:
		op_recv_small(peer);
		return;
	case 1:
		op_recv_fault(peer);
		return;
	}
	if (op_recv(peer, &op))
		return;
	for (i = 0; i < op->n_handles; i++)
		add(peer, op->ids[i], false);
}

static void storm_transfer(struct peer *peer)
{
	unsigned int i, n = 1 + il_random(2);
	u64 ids[2], handles[2], copied[2];
	struct peer *to = get_peer();
	int ret;

	if (!to)
		return;
	for (i = 0; i < n; i++)
		ids[i] = copied[i] = il_random(2) ? pick_handle(peer) : 0;
	if (il_random(8)) {
		ret = op_transfer(peer, to, n, ids, handles);
		check_result(ret);
		for (i = 0; !ret && i < n; i++) {
			if (!copied[i])
				add(peer, ids[i], true);
			add(to, handles[i], false);
		}
	} else {
		ret = op_transfer_fault(peer, to, n, ids);
		IL_ASSERT(ret);
		check_result(ret == -EFAULT ? 0 : ret);
	}
	put_peer(to);
}

static void storm_release(struct peer *peer)
{
	unsigned int i, n = 1 + il_random(3);
	u64 ids[3];
	int ret;

	if (known[peer - ops_peers].n < n)
		return;
	for (i = 0; i < n; i++)
		ids[i] = take_any(peer);
	ret = op_release(peer, n, ids);
	IL_ASSERT(ret != -EBADRQC);
	check_result(ret);
}

/* Of any peer: everybody may look. */
static void storm_stat(void)
{
	struct peer *peer = get_peer();

	if (!peer)
		return;
	op_stat(peer);
	put_peer(peer);
}

static void storm(struct peer *peer)
{
	unsigned int i;

	for (i = 0; i < n_steps; i++) {
		/* some do not live to see the end */
		if (i == n_steps / 2 && !il_random(4))
			il_kill();
		switch (il_random(16)) {
		case 0:
		case 1:
			storm_transfer(peer);
			break;
		case 2:
		case 3:
		case 4:
			storm_release(peer);
			break;
		case 5:
			op_poll(peer);
			break;
		case 6:
			storm_stat();
			break;
		case 7:
		case 8:
		case 9:
		case 10:
		case 11:
			storm_recv(peer);
			break;
		default:
			storm_send(peer);
		}
	}
	if (closing)
		put_peer(peer);
}

static void storm_begin(unsigned int n, unsigned int threads_per_peer, unsigned int steps,
			bool close)
{
	static const char *const names[] = { "0", "1", "2", "3", "4", "5" };
	unsigned int i, j;
	u64 node;

	ops_begin();
	n_peers = n;
	n_steps = steps;
	closing = close;
	for (i = 0; i < n; i++) {
		ops_open(names[i]);
		known[i].n = 0;
		known[i].n_users = threads_per_peer + !close;
	}
	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j++) {
			/* not all of them */
			if (!il_random(3))
				continue;
			add(&ops_peers[j], ops_node(&ops_peers[i], &ops_peers[j], &node), false);
			add(&ops_peers[i], node, true);
		}
	}
}

static void storm_finish(void)
{
	unsigned int i;

	for (i = 0; i < n_peers; i++) {
		if (!closing)
			known[i].n_users = 0;
	}
	ops_finish();
}

static void storm_0(void)
{
	storm(&ops_peers[0]);
}

static void storm_1(void)
{
	storm(&ops_peers[1]);
}

static void storm_2(void)
{
	storm(&ops_peers[2]);
}

static void storm_3(void)
{
	storm(&ops_peers[3]);
}

static void begin_wide(void)
{
	storm_begin(4, 1, 8, false);
}

static void begin_shared(void)
{
	storm_begin(3, 2, 6, false);
}

static void begin_closing(void)
{
	storm_begin(4, 1, 6, true);
}

static void begin_shared_closing(void)
{
	storm_begin(3, 2, 5, true);
}

static void begin_small(void)
{
	storm_begin(2, 2, 3, true);
}

static const struct il_scenario wide = {
	.name = "storm",
	.text = "four peers, eight commands each",
	.n_threads = 4,
	.setup = begin_wide,
	.threads = { storm_0, storm_1, storm_2, storm_3 },
	.names = { "0", "1", "2", "3" },
	.finish = storm_finish,
	.random = true,
};

static const struct il_scenario shared = {
	.name = "storm-shared",
	.text = "three peers with two threads each, six commands each",
	.n_threads = 6,
	.setup = begin_shared,
	.threads = { storm_0, storm_1, storm_2, storm_0, storm_1, storm_2 },
	.names = { "0", "1", "2", "0'", "1'", "2'" },
	.finish = storm_finish,
	.random = true,
};

static const struct il_scenario closes = {
	.name = "storm-close",
	.text = "four peers, six commands each, then they close",
	.n_threads = 4,
	.setup = begin_closing,
	.threads = { storm_0, storm_1, storm_2, storm_3 },
	.names = { "0", "1", "2", "3" },
	.finish = storm_finish,
	.random = true,
};

static const struct il_scenario shared_closes = {
	.name = "storm-shared-close",
	.text = "three peers with two threads each, the last of which closes",
	.n_threads = 6,
	.setup = begin_shared_closing,
	.threads = { storm_0, storm_1, storm_2, storm_0, storm_1, storm_2 },
	.names = { "0", "1", "2", "0'", "1'", "2'" },
	.finish = storm_finish,
	.random = true,
};

static const struct il_scenario small = {
	.name = "storm-small",
	.text = "two peers with two threads each, three commands, the last thread closes",
	.n_threads = 4,
	.setup = begin_small,
	.threads = { storm_0, storm_1, storm_0, storm_1 },
	.names = { "0", "1", "0'", "1'" },
	.finish = storm_finish,
	.random = true,
};

static const struct il_scenario loud = {
	.name = "storm-charge",
	.text = "three peers with two threads each, with decisions inside of accounting as well",
	.n_threads = 6,
	.setup = begin_shared_closing,
	.threads = { storm_0, storm_1, storm_2, storm_0, storm_1, storm_2 },
	.names = { "0", "1", "2", "0'", "1'", "2'" },
	.finish = storm_finish,
	.random = true,
	.loud = true,
};

static const struct il_scenario buffers = {
	.name = "storm-buffers",
	.text = "four peers, six commands each, then they close; with store buffers",
	.n_threads = 4,
	.setup = begin_closing,
	.threads = { storm_0, storm_1, storm_2, storm_3 },
	.names = { "0", "1", "2", "3" },
	.finish = storm_finish,
	.random = true,
	.buffers = true,
};

static const struct il_scenario reuse = {
	.name = "storm-reuse",
	.text = "four peers, six commands each, then they close; memory of messages is used again",
	.n_threads = 4,
	.setup = begin_closing,
	.threads = { storm_0, storm_1, storm_2, storm_3 },
	.names = { "0", "1", "2", "3" },
	.finish = storm_finish,
	.random = true,
	.reuse = true,
};

const struct il_scenario *const storms[] = {
	&wide, &shared, &closes, &shared_closes, &small, &loud, &buffers, &reuse,
	NULL,
};
