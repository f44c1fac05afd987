// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Accounts that many threads use at the same time: no sum is ever wrong, and in the end nothing is
 * left.
 */
#include <pthread.h>

#include "../../kmod/acct.h"
#include "unit.h"

#define OWNER 7

#define N_THREADS 4
#define T_STEPS UNIT_SCALE(60000)

struct claimer {
	pthread_t thread;
	unsigned long long seed;
	u32 uid;
	u64 actor;
	unsigned long n_granted;
};

/* Whoever looks has seen a claim: until then nobody stops to claim. */
static bool seen;

/* Claims from two users, holds some of it, gives it back; the references come and go. */
static void *claimer_run(void *arg)
{
	struct claimer *claimer = arg;
	struct { struct b1_acct_trace *trace; u64 objects, bytes; } held[4] = {}, *h;
	struct b1_acct_trace *trace;
	enum b1_acct_slot refused;
	size_t i;

	for (i = 0; i < T_STEPS || !__atomic_load_n(&seen, __ATOMIC_RELAXED); i++) {
		h = &held[unit_random(&claimer->seed, UNIT_N(held))];
		if (h->trace)
			b1_acct_discharge(h->trace, h->objects, h->bytes);
		h->trace = NULL;
		trace = b1_acct_trace_get(OWNER + unit_random(&claimer->seed, 2), claimer->uid,
					  claimer->actor);
		h->objects = 1 + unit_random(&claimer->seed, 20);
		h->bytes = unit_random(&claimer->seed, 20);
		if (!b1_acct_charge(trace, h->objects, h->bytes, &refused)) {
			h->trace = trace;
			claimer->n_granted++;
		}
		b1_acct_trace_put(trace);
	}
	for (i = 0; i < UNIT_N(held); i++)
		if (held[i].trace)
			b1_acct_discharge(held[i].trace, held[i].objects, held[i].bytes);
	return NULL;
}

/* Looks at all accounts; returns how many traces there are. */
static unsigned int look(void)
{
	struct b1_acct_trace *trace = NULL;
	struct b1_acct_stat stat;
	unsigned int n = 0;
	int slot;

	while ((trace = b1_acct_trace_next(trace))) {
		b1_acct_trace_stat(trace, &stat);
		for (slot = 0; slot < B1_ACCT_N_SLOTS; slot++) {
			QUICK_ASSERT(stat.user_avail.slots[slot] + stat.quota_claimed.slots[slot] <=
				     stat.user_max.slots[slot]);
			QUICK_ASSERT(stat.quota_avail.slots[slot] + stat.claimed.slots[slot] <=
				     stat.quota_claimed.slots[slot]);
		}
		n++;
	}
	return n;
}

/*
 * Each thread is a user of its own, or all are actors of one, or all are one actor; somebody looks
 * at the accounts all the time.
 */
START_TEST(threads)
{
	struct claimer claimers[N_THREADS] = {};
	size_t i;

	ck_assert_int_eq(b1_acct_set_max(1024, 1024), 0);
	for (i = 0; i < N_THREADS; i++) {
		claimers[i].seed = i + 1;
		claimers[i].uid = _i == 0 ? OWNER + i : 9;
		claimers[i].actor = _i < 2 ? i : 1;
		pthread_create(&claimers[i].thread, NULL, claimer_run, &claimers[i]);
	}
	for (i = 0; i < 3000 || !seen; i++)
		if (look())
			__atomic_store_n(&seen, true, __ATOMIC_RELAXED);
	for (i = 0; i < N_THREADS; i++)
		pthread_join(claimers[i].thread, NULL);
	for (i = 0; i < N_THREADS; i++)
		ck_assert_uint_gt(claimers[i].n_granted, T_STEPS / 100);
	ck_assert_uint_eq(look(), 0);
	ck_assert(b1_acct_is_idle());
	ck_assert_int_eq(shim_n_live(), 0);
	ck_assert_int_eq(shim_n_locked(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("acct-threads");
	TCase *tcase = tcase_create("threads");

	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, threads, 0, 3);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
