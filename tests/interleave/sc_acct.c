// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Accounting, with its locks.
 */
#include "sc.h"

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

static void charge_put_finish(void)
{
	if (!b1_acct_is_idle())
		il_fail("something is still charged");
}

static void charge_finish(void)
{
	b1_acct_trace_put(trace);
	charge_put_finish();
}

const struct il_scenario sc_charge = {
	.name = "charge",
	.text = "two threads charge and discharge the same, a third one claims from the same user",
	.n_threads = 3,
	.setup = charge_setup,
	.threads = { charge_one, charge_one, charge_other },
	.names = { "x", "y", "z" },
	.finish = charge_finish,
	.loud = true,
};

const struct il_scenario sc_charge_put = {
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

const struct il_scenario sc_trace_get = {
	.name = "trace-get",
	.text = "two threads look for a trace, charge it and give it up, a third one looks and gives up",
	.n_threads = 3,
	.setup = trace_setup,
	.threads = { charge_other, charge_other, get_and_put },
	.names = { "x", "y", "z" },
	.finish = charge_put_finish,
	.loud = true,
};

const struct il_scenario sc_trace_walk = {
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

const struct il_scenario sc_charge_messages = {
	.name = "charge-messages",
	.text = "a message is charged and sent, while another one is received and discharged",
	.n_threads = 2,
	.setup = charge_messages_setup,
	.threads = { send_to_a, recv_twice_on_a },
	.names = { "s", "a" },
	.finish = ops_finish,
	.loud = true,
};
