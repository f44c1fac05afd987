// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Handles that are copied to a peer, which may be looking for them already.
 */
#include <errno.h>

#include "sc.h"

/* Last handle, transfer and close. */

const struct il_scenario sc_transfer_close = {
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

const struct il_scenario sc_transfer_release = {
	.name = "transfer-release",
	.text = "a handle is copied to b, who releases it as soon as its ID is good; the owner listens",
	.n_threads = 3,
	.setup = transfer_setup,
	.threads = { transfer_a_b, release_guessed, release_node },
	.names = { "a", "b", "o" },
	.finish = ops_finish,
};

/* The one who gets the handle is not told of the release before the others are, nor too late. */

static u64 c_b;

static void transfer_told_setup(void)
{
	transfer_setup();
	c = open_pinned("c");
	copy(a, c, a_node);
	c_b = channel(b, c, &inbox_b);
}

static void react_on_c(void)
{
	if (!op_recv(c, NULL))
		SEND(c, c_b);
}

const struct il_scenario sc_transfer_told = {
	.name = "transfer-told",
	.text = "a handle is copied to b while its node goes, another holder reacts with a message to b",
	.n_threads = 4,
	.setup = transfer_told_setup,
	.threads = { transfer_a_b, release_node, react_on_c, recv_twice_on_b },
	.names = { "a", "o", "c", "b" },
	.finish = ops_finish,
};

/* The one who copies the handle, or the one who gets it, is the last user of the peer. */

static atomic64_t n_users;

static void transfer_put_setup(void)
{
	transfer_setup();
	c = ops_open("c");
	atomic64_set(&n_users, 2);
}

static void put_c(void)
{
	if (!atomic64_add_return(-1, &n_users))
		op_close(c);
}

static void transfer_a_c_put(void)
{
	u64 ids[] = { a_node, 0 }, handles[2];

	IL_ASSERT(!op_transfer(a, c, 2, ids, handles));
	put_c();
}

static void recv_on_c_put(void)
{
	op_recv(c, NULL);
	put_c();
}

const struct il_scenario sc_transfer_put = {
	.name = "transfer-put",
	.text = "a handle is copied to a peer that closes at once, while its node goes",
	.n_threads = 3,
	.setup = transfer_put_setup,
	.threads = { transfer_a_c_put, release_node, recv_on_c_put },
	.names = { "a", "o", "c" },
	.finish = ops_finish,
};

/* A transfer that fails. */

static void transfer_fault_a_b(void)
{
	IL_ASSERT(op_transfer_fault(a, b, 2, (u64[]){ a_node, 0 }) == -EFAULT);
}

static void release_guessed_in_vain(void)
{
	IL_ASSERT(op_release(b, 1, (u64[]){ 1 }) == -EBADRQC);
	IL_ASSERT(op_release(b, 1, (u64[]){ 3 }) == -EBADRQC);
}

const struct il_scenario sc_transfer_abort = {
	.name = "transfer-abort",
	.text = "a transfer to b fails, while b looks for the handles it does not get",
	.n_threads = 2,
	.setup = transfer_setup,
	.threads = { transfer_fault_a_b, release_guessed_in_vain },
	.names = { "a", "b" },
	.finish = ops_finish,
};

static void transfer_both(void)
{
	transfer_fault_a_b();
	transfer_a_b();
}

static void stat_b(void)
{
	op_stat(b);
}

const struct il_scenario sc_transfer_stat = {
	.name = "transfer-stat",
	.text = "a transfer to b fails, another does not, while somebody counts what b has",
	.n_threads = 2,
	.setup = transfer_setup,
	.threads = { transfer_both, stat_b },
	.names = { "a", "b" },
	.finish = ops_finish,
};

/* So many that they are not counted in one go: the table is unlocked in between. */

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

const struct il_scenario sc_stat_batch = {
	.name = "stat-batch",
	.text = "a transfer fails, another does not, while somebody counts all that a peer has",
	.n_threads = 2,
	.setup = stat_batch_setup,
	.threads = { transfer_both, stat_b },
	.names = { "a", "b" },
	.finish = ops_finish,
};
