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
