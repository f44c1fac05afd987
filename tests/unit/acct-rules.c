// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Accounts: what is not charged, counted, or possible; who comes or goes while somebody waits for
 * memory; what administrators are shown
 */
#include <stdio.h>

#include "acct-unit.h"

/* a slot with nothing left refuses no charge that wants nothing of it */
START_TEST(nothing_of_an_exhausted_slot)
{
	struct b1_acct_trace *hog = get(OWNER, OWNER, 1), *sibling = get(OWNER, OWNER, 2);
	struct b1_acct_trace *other = get(OWNER, 8, 3);
	int full = _i, free = !_i;

	ck_assert_int_eq(charge(hog, full, 512), 0);
	ck_assert_int_eq(charge(sibling, full, 256), 0);
	ck_assert_uint_eq(hog->quota->user->avail.slots[full], 0);
	ck_assert_int_eq(charge(hog, full, 1), -EDQUOT);
	ck_assert_int_eq(charge(other, full, 1), -EDQUOT);
	ck_assert_int_eq(charge(hog, free, 1), 0);
	ck_assert_int_eq(charge(sibling, free, 1), 0);
	ck_assert_int_eq(charge(other, free, 1), 0);
	ck_assert_int_eq(charge(other, free, 0), 0);
	/* nothing at all is always granted, and claims nothing */
	ck_assert_int_eq(charge(get(OWNER, 9, 4), full, 0), 0);
	ck_assert_uint_eq(hog->quota->user->n_quotas, 2);
	discharge(hog, full, 512);
	discharge(hog, free, 1);
	discharge(sibling, full, 256);
	discharge(sibling, free, 1);
	discharge(other, free, 1);
}
END_TEST

/* the same for those who have used up their share of another user */
START_TEST(nothing_of_an_exhausted_share)
{
	struct b1_acct_trace *hog = get(OWNER, 8, 1), *sibling = get(OWNER, 8, 2);
	int full = _i, free = !_i;

	charge_exactly(hog, full, 128);
	charge_exactly(sibling, full, 64);
	ck_assert_int_eq(charge(hog, full, 1), -EDQUOT);
	ck_assert_int_eq(charge(hog, free, 1), 0);
	ck_assert_int_eq(charge(sibling, free, 1), 0);
	discharge(hog, full, 128);
	discharge(hog, free, 1);
	discharge(sibling, full, 64);
	discharge(sibling, free, 1);
}
END_TEST

struct state {
	struct b1_acct_amounts user_avail, claimed, avail, trace;
	u64 n_quotas, n_traces;
	u64 refs;
};

static struct state state_of(const struct b1_acct_trace *trace)
{
	struct b1_acct_quota *quota = trace->quota;
	struct state state;

	memset(&state, 0, sizeof(state));
	state.user_avail = quota->user->avail;
	state.claimed = quota->claimed;
	state.avail = quota->avail;
	state.trace = trace->claimed;
	state.n_quotas = quota->user->n_quotas;
	state.n_traces = quota->n_traces;
	state.refs = refcount_read(&trace->refs);
	return state;
}

static void expect_state(const struct b1_acct_trace *trace, const struct state *expected)
{
	struct state state = state_of(trace);

	ck_assert_mem_eq(&state, expected, sizeof(state));
}

/* one slot is fine, the other is not: neither changes, also not on the first claim */
START_TEST(all_or_nothing)
{
	struct b1_acct_trace *trace = get(OWNER, 8, 1);
	struct state before;
	enum b1_acct_slot refused;
	int claimed;

	for (claimed = 0; claimed < 2; claimed++) {
		if (claimed)
			ck_assert_int_eq(b1_acct_charge(trace, 5, 6, &refused), 0);
		before = state_of(trace);
		ck_assert_int_eq(b1_acct_charge(trace, _i ? 1 : 129, _i ? 129 : 1, &refused),
				 -EDQUOT);
		ck_assert_int_eq(refused, _i);
		ck_assert_int_eq(b1_acct_charge(trace, _i ? 0 : 129, _i ? 129 : 0, &refused),
				 -EDQUOT);
		expect_state(trace, &before);
	}
	b1_acct_discharge(trace, 5, 6);
}
END_TEST

/* huge amounts are refused, whatever they become when they are added and multiplied */
START_TEST(overflow)
{
	static const u64 maxima[] = { 1, 1024, 1ULL << 32, 1ULL << 63, ALL - 1, ALL };
	struct b1_acct_trace *self, *other;
	struct state before;
	u64 base, i;
	size_t m;

	for (m = 0; m < UNIT_N(maxima); m++) {
		setup_max(maxima[m], maxima[m]);
		self = get(OWNER, OWNER, 1);
		other = get(OWNER, 8, 2);
		base = most(self, _i) / 2;
		if (base)
			ck_assert_int_eq(charge(self, _i, base), 0);
		before = state_of(self);
		for (i = 0; i < 2000; i++) {
			u64 around[] = { ALL - i, (1ULL << 63) + 1000 - i, ALL / 3 * 2 + 1000 - i };
			size_t a;

			for (a = 0; a < UNIT_N(around); a++) {
				QUICK_ASSERT(charge(self, _i, around[a]) == -EDQUOT);
				QUICK_ASSERT(charge(other, _i, around[a]) == -EDQUOT);
			}
			/* for others it takes four times as much */
			QUICK_ASSERT(charge(other, _i, ALL / 8 + 1 + i) == -EDQUOT);
		}
		expect_state(self, &before);
		discharge(self, _i, base);
		put_all();
	}
}
END_TEST

/* the same where what is already claimed makes the difference */
START_TEST(overflow_of_claims)
{
	struct b1_acct_trace *first = get(OWNER, 8, 1), *second = get(OWNER, 8, 2);
	u64 i;

	ck_assert_int_eq(charge(first, _i, 64), 0);
	for (i = 0; i < 256; i++)
		ck_assert_int_eq(charge(second, _i, (1ULL << 63) - 1 - i), -EDQUOT);
	discharge(first, _i, 64);
}
END_TEST

/* the same where what is charged already goes to another trace */
START_TEST(overflow_of_moves)
{
	struct b1_acct_trace *from, *to[2];
	struct state before;
	int i;

	setup_max(ALL, ALL);
	from = get(OWNER, OWNER, 1);
	to[0] = get(OWNER, OWNER, 2);
	to[1] = get(OWNER, 8, 3);
	ck_assert_int_eq(charge(from, OBJECTS, 1), 0);
	/* all that one can have, and what twice nine times that is still counted */
	ck_assert_int_eq(charge(to[_i], OBJECTS, _i ? ALL / 18 : ALL / 2), 0);
	for (i = 0; i < 2; i++) {
		before = state_of(to[_i]);
		ck_assert_uint_eq(b1_acct_move(from, to[_i], 1, 0, 0), 0);
		expect_state(to[_i], &before);
		ck_assert_uint_eq(from->claimed.slots[OBJECTS], 1);
	}
	discharge(to[_i], OBJECTS, to[_i]->claimed.slots[OBJECTS]);
	discharge(from, OBJECTS, 1);
}
END_TEST

/* with all there is, nothing is lost to rounding, and others have their share of it */
START_TEST(largest_maximum)
{
	struct b1_acct_trace *self, *other;

	setup_max(ALL, ALL);
	self = get(OWNER, OWNER, 1);
	other = get(OWNER, 8, 2);
	charge_exactly(other, _i, ALL / 8);
	discharge(other, _i, ALL / 8);
	charge_exactly(self, _i, ALL / 2);
	ck_assert_uint_eq(self->quota->user->avail.slots[_i], 1);
	ck_assert_int_eq(charge(other, _i, 1), -EDQUOT);
	discharge(self, _i, ALL / 2);
}
END_TEST

/* who has a trace but claims nothing does not count: not as a user, not as an actor */
START_TEST(idle_traces_do_not_count)
{
	struct b1_acct_trace *first = get(OWNER, 8, 1), *second = get(OWNER, 8, 2);
	u64 i;

	for (i = 0; i < 20; i++) {
		get(OWNER, 8, 10 + i);
		get(OWNER, 50 + i, 30 + i);
	}
	/* some had something, in one slot or the other */
	for (i = 2; i < 42; i++) {
		ck_assert_int_eq(charge(traces[i], i & 1, 1), 0);
		discharge(traces[i], i & 1, 1);
	}
	ck_assert_int_eq(charge(first, _i, 100), 0);
	ck_assert_int_eq(charge(second, _i, 20), 0);
	ck_assert_uint_eq(first->quota->n_traces, 2);
	ck_assert_uint_eq(first->quota->user->n_quotas, 1);
	/* 110 by two: 55 are kept of 90; by 22 it would be 5 */
	discharge(first, _i, 10);
	ck_assert_uint_eq(first->quota->avail.slots[_i], 55);
	/* the second of two users, not of 21 */
	ck_assert_uint_eq(first->quota->user->avail.slots[_i], 859);
	charge_exactly(traces[3], _i, 859 / 9 / 2);
	discharge(traces[3], _i, 47);
	discharge(first, _i, 90);
	discharge(second, _i, 20);
}
END_TEST

/* an actor that has bytes but no objects counts as an actor for the objects, too, and once only */
START_TEST(active_in_one_slot)
{
	struct b1_acct_trace *first = get(OWNER, 8, 1), *second = get(OWNER, 8, 2);
	int other = !_i;

	ck_assert_int_eq(charge(first, _i, 10), 0);
	ck_assert_int_eq(charge(second, other, 10), 0);
	ck_assert_int_eq(charge(second, other, 10), 0);
	ck_assert_uint_eq(first->quota->n_traces, 2);
	ck_assert_uint_eq(first->quota->user->n_quotas, 1);
	ck_assert_uint_eq(refcount_read(&second->refs), 2);
	discharge(second, other, 10);
	ck_assert_uint_eq(first->quota->n_traces, 2);
	discharge(second, other, 10);
	ck_assert_uint_eq(first->quota->n_traces, 1);
	ck_assert_uint_eq(refcount_read(&second->refs), 1);
	discharge(first, _i, 10);
	ck_assert_uint_eq(first->quota->user->n_quotas, 0);
}
END_TEST

/* what is charged needs no reference, and goes with the last discharge */
START_TEST(charges_pin)
{
	struct b1_acct_trace *trace = b1_acct_trace_get(OWNER, 8, 1);
	enum b1_acct_slot refused;

	ck_assert_int_eq(b1_acct_charge(trace, 2, 3, &refused), 0);
	b1_acct_trace_put(trace);
	ck_assert(!b1_acct_is_idle());
	ck_assert_int_eq(b1_acct_set_max(1, 1), -EBUSY);
	ck_assert_ptr_eq(get(OWNER, 8, 1), trace);
	put_all();
	b1_acct_discharge(trace, 1, 3);
	b1_acct_discharge(trace, 0, 0);
	ck_assert(!b1_acct_is_idle());
	b1_acct_discharge(trace, 1, 0);
	ck_assert(b1_acct_is_idle());
	/* it is gone, and nothing to give back means no look at it */
	b1_acct_discharge(trace, 0, 0);
	b1_acct_trace_put(NULL);
}
END_TEST

/* users are apart, UIDs and actors of any value */
START_TEST(users_are_apart)
{
	static const u32 uids[] = { 0, 1, 65534, 0x7fffffff, 0x80000000, 0xfffffffe };
	static const u64 actors[] = { 0, 1, 1ULL << 32, 1ULL << 63, ALL - 1 };
	size_t u, a;

	for (u = 0; u < UNIT_N(uids); u++)
		for (a = 0; a < UNIT_N(actors); a++)
			charge_exactly(get(uids[u], uids[u], actors[a]), _i, 512 >> a);
	for (u = 0; u < UNIT_N(uids); u++)
		for (a = 0; a < UNIT_N(actors); a++)
			discharge(traces[u * UNIT_N(actors) + a], _i, 512 >> a);
}
END_TEST

/*
 * What is there when somebody claims for the first time, how many allocations that takes, and how
 * many there are then. The quota of a user for itself comes with the user, a trace with the quota.
 */
static const struct {
	u32 before;			/* who has claimed already; 0: nobody */
	u32 claimant;
	unsigned int n_allocs;
	long n_live;
} firsts[] = {
	{ 0, 8, 2, 2 },
	{ 9, 8, 1, 3 },
	{ 8, 8, 1, 3 },
	{ 0, OWNER, 1, 1 },
	{ 8, OWNER, 0, 2 },
	{ OWNER, OWNER, 1, 2 },
	{ OWNER, 8, 1, 2 },
};

static struct b1_acct_trace *before, *meanwhile;

static void get_before(int what)
{
	before = NULL;
	if (firsts[what].before)
		before = b1_acct_trace_get(OWNER, firsts[what].before, 9);
}

/* without memory there is no trace, and nothing half-made */
START_TEST(no_memory)
{
	struct b1_acct_trace *trace;
	unsigned long nth;
	long live;

	get_before(_i);
	live = shim_n_live();
	for (nth = 1;; nth++) {
		shim_fail_nth = nth;
		trace = b1_acct_trace_get(OWNER, firsts[_i].claimant, 1);
		shim_fail_nth = 0;
		if (trace)
			break;
		ck_assert_int_eq(shim_n_live(), live);
		ck_assert_int_eq(b1_acct_is_idle(), !before);
	}
	ck_assert_uint_eq(nth - 1, firsts[_i].n_allocs);
	ck_assert_int_eq(shim_n_live(), firsts[_i].n_live);
	b1_acct_trace_put(trace);
	b1_acct_trace_put(before);
}
END_TEST

/* who comes when the trace in a quota is free gets that, whoever had it before */
START_TEST(first_again)
{
	struct b1_acct_trace *first = b1_acct_trace_get(OWNER, 8, 1), *second;

	get(OWNER, 8, 2);
	ck_assert_int_eq(shim_n_live(), 3);
	ck_assert_int_eq(charge(first, OBJECTS, 100), 0);
	b1_acct_trace_put(first);
	/* not free yet */
	second = b1_acct_trace_get(OWNER, 8, 3);
	ck_assert_int_eq(shim_n_live(), 4);
	b1_acct_trace_put(second);
	discharge(first, OBJECTS, 100);
	ck_assert_ptr_eq(get(OWNER, 8, 3), first);
	ck_assert_uint_eq(first->item.id, 3);
	ck_assert_uint_eq(refcount_read(&first->refs), 1);
	ck_assert_int_eq(shim_n_live(), 3);
	charge_exactly(first, OBJECTS, 128);
	charge_exactly(traces[0], OBJECTS, 64);
	discharge(first, OBJECTS, 128);
	discharge(traces[0], OBJECTS, 64);
}
END_TEST

/* Somebody else comes, or goes, while an actor waits for memory. */

static u64 meanwhile_actor;
static u32 meanwhile_claimant;

/* Who waits holds nothing that others need: this would have to wait for it. */
static void others_work(void)
{
	struct b1_acct_trace *trace;
	enum b1_acct_slot refused;

	ck_assert_int_eq(shim_n_locked(), 0);
	trace = b1_acct_trace_get(OWNER + 1, OWNER + 2, 3);
	ck_assert_ptr_nonnull(trace);
	ck_assert_int_eq(b1_acct_charge(trace, 1, 1, &refused), 0);
	b1_acct_discharge(trace, 1, 1);
	b1_acct_trace_put(trace);
	b1_acct_trace_put(b1_acct_trace_next(NULL));
}

START_TEST(no_lock_for_memory)
{
	u32 claimant = firsts[_i].claimant;
	struct b1_acct_trace *trace;
	unsigned long n_allocs;
	unsigned int nth;

	for (nth = 1; nth <= firsts[_i].n_allocs; nth++) {
		get_before(_i);
		unit_arm(SHIM_ALLOC, NULL, nth, others_work);
		trace = b1_acct_trace_get(OWNER, claimant, 1);
		unit_disarm();
		ck_assert_ptr_nonnull(trace);
		b1_acct_trace_put(trace);
		b1_acct_trace_put(before);
		ck_assert(b1_acct_is_idle());
	}
	/* these were all allocations, and what is there is found without any */
	get_before(_i);
	n_allocs = shim_n_allocs();
	trace = b1_acct_trace_get(OWNER, claimant, 1);
	ck_assert_uint_eq(shim_n_allocs() - n_allocs, firsts[_i].n_allocs);
	ck_assert_ptr_eq(get(OWNER, claimant, 1), trace);
	ck_assert_uint_eq(shim_n_allocs() - n_allocs, firsts[_i].n_allocs);
	b1_acct_trace_put(trace);
	b1_acct_trace_put(before);
}
END_TEST

static void get_meanwhile(void)
{
	meanwhile = b1_acct_trace_get(OWNER, meanwhile_claimant, meanwhile_actor);
	ck_assert_ptr_nonnull(meanwhile);
}

/* two make the same trace, or two of one quota, at once: each object is there once */
START_TEST(made_twice)
{
	u32 claimant = firsts[_i].claimant;
	struct b1_acct_trace *trace;
	unsigned int nth, i;

	meanwhile_claimant = claimant;
	for (i = 0; i < 2; i++)
		for (nth = 1; nth <= firsts[_i].n_allocs; nth++) {
			get_before(_i);
			meanwhile_actor = 1 + i;
			unit_arm(SHIM_ALLOC, NULL, nth, get_meanwhile);
			trace = b1_acct_trace_get(OWNER, claimant, 1);
			unit_disarm();
			ck_assert_ptr_nonnull(trace);
			ck_assert_int_eq(trace == meanwhile, !i);
			ck_assert_ptr_eq(trace->quota, meanwhile->quota);
			ck_assert_uint_eq(refcount_read(&trace->refs), 2 - i);
			ck_assert_int_eq(shim_n_live(), firsts[_i].n_live + i);
			ck_assert_ptr_eq(get(OWNER, claimant, 1), trace);
			put_all();
			b1_acct_trace_put(trace);
			b1_acct_trace_put(meanwhile);
			b1_acct_trace_put(before);
			ck_assert_int_eq(shim_n_live(), 0);
		}
}
END_TEST

static void put_meanwhile(void)
{
	b1_acct_trace_put(meanwhile);
	meanwhile = NULL;
}

static void put_before(void)
{
	/* what is left goes when there is memory for the rest again */
	unit_arm(SHIM_ALLOC, NULL, 1, put_meanwhile);
	b1_acct_trace_put(before);
}

/* The quota goes while there is memory for the trace, the user while there is some for the quota. */
static struct b1_acct_trace *get_what_goes(unsigned long fail_nth)
{
	struct b1_acct_trace *trace;

	before = b1_acct_trace_get(OWNER, 8, 9);
	meanwhile = b1_acct_trace_get(OWNER, 9, 9);
	unit_arm(SHIM_ALLOC, NULL, 1, put_before);
	shim_fail_nth = fail_nth;
	trace = b1_acct_trace_get(OWNER, 8, 1);
	shim_fail_nth = 0;
	shim_hook = NULL;
	/* it did not get so far if there was no memory for the trace */
	ck_assert_int_eq(meanwhile != NULL, fail_nth == 1);
	put_meanwhile();
	return trace;
}

START_TEST(gone_meanwhile)
{
	unsigned long nth, n_allocs = shim_n_allocs();
	struct b1_acct_trace *trace;

	trace = get_what_goes(0);
	ck_assert_ptr_nonnull(trace);
	/* two and one before, and not more than three after */
	ck_assert_uint_eq(shim_n_allocs() - n_allocs, 3 + 3);
	ck_assert_int_eq(shim_n_live(), 2);
	ck_assert_ptr_eq(get(OWNER, 8, 1), trace);
	ck_assert_int_eq(charge(trace, OBJECTS, 512), -EDQUOT);
	ck_assert_int_eq(charge(trace, OBJECTS, 128), 0);
	discharge(trace, OBJECTS, 128);
	b1_acct_trace_put(trace);
	put_all();
	for (nth = 1; nth <= 3; nth++) {
		ck_assert_ptr_null(get_what_goes(nth));
		ck_assert(b1_acct_is_idle());
		ck_assert_int_eq(shim_n_live(), 0);
	}
}
END_TEST

/* The last reference is dropped while somebody else finds what it refers to. */

/* the trace of a user for itself, the first one of another, and one more */
static const struct {
	u32 claimant;
	u64 actor;
	long n_freed;
} lasts[] = {
	{ OWNER, 1, 0 },
	{ 8, 1, 1 },
	{ 9, 2, 1 },
};

static long live_without;		/* what is there when it is gone */

/* Also what it needs, or what stays when it goes. */
static struct b1_acct_trace *get_last(int what)
{
	struct b1_acct_trace *trace;

	meanwhile_claimant = lasts[what].claimant;
	meanwhile_actor = lasts[what].actor;
	if (what == 2)
		get(OWNER, 9, 1);
	trace = b1_acct_trace_get(OWNER, meanwhile_claimant, meanwhile_actor);
	get(OWNER, OWNER, 99);
	live_without = shim_n_live() - lasts[what].n_freed;
	return trace;
}

static void get_and_put(void)
{
	get_meanwhile();
	put_meanwhile();
}

static void get_and_charge(void)
{
	get_meanwhile();
	ck_assert_int_eq(charge(meanwhile, OBJECTS, 1), 0);
	b1_acct_trace_put(meanwhile);
}

static void (*const finders[])(void) = { get_meanwhile, get_and_put, get_and_charge };

/* It stays for whoever has found it, unless that is gone as well. */
static void check_found(struct b1_acct_trace *trace, int how)
{
	if (how == 1) {
		ck_assert_int_eq(shim_n_live(), live_without);
		return;
	}
	ck_assert_ptr_eq(meanwhile, trace);
	ck_assert_uint_eq(refcount_read(&trace->refs), 1);
	ck_assert_ptr_eq(get(OWNER, meanwhile_claimant, meanwhile_actor), trace);
	if (how == 0)
		b1_acct_trace_put(meanwhile);
	else
		discharge(meanwhile, OBJECTS, 1);
	meanwhile = NULL;
}

START_TEST(found_before_last_put)
{
	struct b1_acct_trace *trace = get_last(_i / 3);

	/* it has seen that it has the last one, and waits for the lock */
	unit_arm(SHIM_LOCK, NULL, 1, finders[_i % 3]);
	b1_acct_trace_put(trace);
	unit_disarm();
	check_found(trace, _i % 3);
}
END_TEST

START_TEST(found_after_last_discharge)
{
	struct b1_acct_trace *trace = get_last(_i / 3);

	ck_assert_int_eq(charge(trace, OBJECTS, 1), 0);
	b1_acct_trace_put(trace);
	/* nothing is claimed any more, and the reference for that is about to go */
	unit_arm(SHIM_UNLOCK, &trace->quota->user->lock, 1, finders[_i % 3]);
	discharge(trace, OBJECTS, 1);
	unit_disarm();
	check_found(trace, _i % 3);
}
END_TEST

static unsigned int n_locks, n_unlocks;

static void lock_hook(enum shim_point point, const void *addr)
{
	(void)addr;
	n_locks += point == SHIM_LOCK;
	n_unlocks += point == SHIM_UNLOCK;
}

/* only the last reference needs the lock that all users share */
START_TEST(put_without_lock)
{
	struct b1_acct_trace *trace = get_last(_i);

	b1_acct_trace_ref(trace);
	n_locks = n_unlocks = 0;
	shim_hook = lock_hook;
	b1_acct_trace_put(trace);
	ck_assert_uint_eq(n_locks, 0);
	ck_assert_uint_eq(refcount_read(&trace->refs), 1);
	b1_acct_trace_put(trace);
	shim_hook = NULL;
	ck_assert_uint_eq(n_locks, 1);
	ck_assert_uint_eq(n_unlocks, 1);
	ck_assert_int_eq(shim_n_live(), live_without);
}
END_TEST

/* What administrators are shown */

static char shown[1024];

static void show(const char *kind, u64 id, const struct b1_acct_amounts *a,
		 const struct b1_acct_amounts *b)
{
	size_t end = strlen(shown);

	snprintf(shown + end, sizeof(shown) - end, "%s %llu: %llu %llu, %llu %llu\n", kind,
		 (unsigned long long)id, (unsigned long long)a->slots[OBJECTS],
		 (unsigned long long)b->slots[OBJECTS], (unsigned long long)a->slots[BYTES],
		 (unsigned long long)b->slots[BYTES]);
}

static void show_trace(struct b1_acct_trace *trace)
{
	struct b1_acct_stat stat;

	b1_acct_trace_stat(trace, &stat);
	show("user", trace->quota->user->item.id, &stat.user_max, &stat.user_avail);
	show("quota", trace->quota->item.id, &stat.quota_claimed, &stat.quota_avail);
	show("trace", trace->item.id, &stat.claimed, &stat.claimed);
}

START_TEST(walk)
{
	struct b1_acct_trace *trace = NULL;
	enum b1_acct_slot refused;

	ck_assert_int_eq(b1_acct_charge(get(OWNER, 8, 1ULL << 32), 3, 4, &refused), 0);
	ck_assert_int_eq(b1_acct_charge(get(OWNER, OWNER, 1ULL << 40), 1, 0, &refused), 0);
	get(0x80000000, 8, 2);
	get(OWNER, 8, 1);
	while ((trace = b1_acct_trace_next(trace)))
		show_trace(trace);
	ck_assert_str_eq(shown, "user 7: 1024 1016, 1024 1016\n"
				"quota 7: 2 1, 0 0\n"
				"trace 1099511627776: 1 1, 0 0\n"
				"user 7: 1024 1016, 1024 1016\n"
				"quota 8: 6 3, 8 4\n"
				"trace 1: 0 0, 0 0\n"
				"user 7: 1024 1016, 1024 1016\n"
				"quota 8: 6 3, 8 4\n"
				"trace 4294967296: 3 3, 4 4\n"
				"user 2147483648: 1024 1024, 1024 1024\n"
				"quota 8: 0 0, 0 0\n"
				"trace 2: 0 0, 0 0\n");
	b1_acct_discharge(traces[0], 3, 4);
	b1_acct_discharge(traces[1], 1, 0);
}
END_TEST

/* what the walk has come to stays until it goes on; what comes or goes behind it is seen or not */
START_TEST(walk_while_they_go)
{
	struct b1_acct_trace *trace;

	ck_assert_ptr_null(b1_acct_trace_next(NULL));
	get(OWNER, 8, 1);
	get(OWNER, 9, 1);
	get(OWNER + 1, 8, 1);
	trace = b1_acct_trace_next(NULL);
	ck_assert_ptr_eq(trace, traces[0]);
	put_all();
	/* alone, and then with others again */
	get(OWNER, 8, 2);
	get(OWNER + 1, 8, 2);
	trace = b1_acct_trace_next(trace);
	ck_assert_ptr_eq(trace, traces[0]);
	/* that of the walk, and the two: each a user, one with a quota of another and two traces */
	ck_assert_uint_eq(refcount_read(&trace->refs), 2);
	ck_assert_int_eq(shim_n_live(), 4);
	put_all();
	ck_assert_ptr_null(b1_acct_trace_next(trace));
}
END_TEST

void add_rules(Suite *suite)
{
	TCase *tcase = acct_case(suite, "rules");

	tcase_add_loop_test(tcase, nothing_of_an_exhausted_slot, 0, N_SLOTS);
	tcase_add_loop_test(tcase, nothing_of_an_exhausted_share, 0, N_SLOTS);
	tcase_add_loop_test(tcase, all_or_nothing, 0, N_SLOTS);
	tcase_add_loop_test(tcase, overflow, 0, N_SLOTS);
	tcase_add_loop_test(tcase, overflow_of_claims, 0, N_SLOTS);
	tcase_add_loop_test(tcase, overflow_of_moves, 0, 2);
	tcase_add_loop_test(tcase, largest_maximum, 0, N_SLOTS);
	tcase_add_loop_test(tcase, idle_traces_do_not_count, 0, N_SLOTS);
	tcase_add_loop_test(tcase, active_in_one_slot, 0, N_SLOTS);
	tcase_add_test(tcase, charges_pin);
	tcase_add_loop_test(tcase, users_are_apart, 0, N_SLOTS);
	tcase_add_loop_test(tcase, no_memory, 0, UNIT_N(firsts));
	tcase_add_test(tcase, first_again);
}

void add_waits(Suite *suite)
{
	TCase *tcase = acct_case(suite, "waits");

	tcase_add_loop_test(tcase, no_lock_for_memory, 0, UNIT_N(firsts));
	tcase_add_loop_test(tcase, made_twice, 0, UNIT_N(firsts));
	tcase_add_test(tcase, gone_meanwhile);
	tcase_add_loop_test(tcase, found_before_last_put, 0, 9);
	tcase_add_loop_test(tcase, found_after_last_discharge, 0, 9);
	tcase_add_loop_test(tcase, put_without_lock, 0, UNIT_N(lasts));
	tcase_add_test(tcase, walk);
	tcase_add_test(tcase, walk_while_they_go);
}
