// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Accounts: who may claim how much of whom
 *
 * First the numbers of the contract, each of them exact; then what is neither allowed nor counted;
 * then a million random steps next to a second implementation, which is written from the formulas
 * with wider numbers. Each test ends with nothing left.
 */
#include <stdio.h>

#include "../../kmod/acct.h"
#include "unit.h"

#define OBJECTS B1_ACCT_OBJECTS
#define BYTES B1_ACCT_BYTES
#define N_SLOTS B1_ACCT_N_SLOTS
#define ALL UINT64_MAX

/* the user whose resources most tests are about */
#define OWNER 7
#define MAX_TRACES 64

static struct b1_acct_trace *traces[MAX_TRACES];
static size_t n_traces;

static void setup_max(u64 objects, u64 bytes)
{
	ck_assert_int_eq(b1_acct_set_max(objects, bytes), 0);
}

static void setup(void)
{
	ck_assert_int_eq(shim_n_live(), 0);
	setup_max(1024, 1024);
}

/* A trace whose reference is dropped at the end of the test. */
static struct b1_acct_trace *get(u32 user, u32 claimant, u64 actor)
{
	struct b1_acct_trace *trace = b1_acct_trace_get(user, claimant, actor);

	ck_assert_ptr_nonnull(trace);
	ck_assert_uint_lt(n_traces, MAX_TRACES);
	traces[n_traces++] = trace;
	return trace;
}

static void put_all(void)
{
	while (n_traces)
		b1_acct_trace_put(traces[--n_traces]);
}

/* All was discharged by the test; the references are the last that is left. */
static void teardown(void)
{
	size_t i;

	for (i = 0; i < n_traces; i++) {
		struct b1_acct_quota *quota = traces[i]->quota;

		ck_assert_mem_eq(&quota->user->avail, &quota->user->max, sizeof(quota->user->max));
		ck_assert_uint_eq(quota->user->n_quotas, 0);
		ck_assert_uint_eq(quota->n_traces, 0);
		ck_assert_uint_eq(quota->claimed.slots[OBJECTS] | quota->claimed.slots[BYTES], 0);
		ck_assert_uint_eq(quota->avail.slots[OBJECTS] | quota->avail.slots[BYTES], 0);
	}
	put_all();
	ck_assert(b1_acct_is_idle());
	ck_assert_int_eq(shim_n_live(), 0);
	ck_assert_int_eq(shim_n_locked(), 0);
}

static int charge(struct b1_acct_trace *trace, int slot, u64 amount)
{
	enum b1_acct_slot refused = N_SLOTS;
	int ret;

	ret = b1_acct_charge(trace, slot == OBJECTS ? amount : 0, slot == BYTES ? amount : 0,
			     &refused);
	QUICK_ASSERT(!ret || refused == slot);
	return ret;
}

static void discharge(struct b1_acct_trace *trace, int slot, u64 amount)
{
	b1_acct_discharge(trace, slot == OBJECTS ? amount : 0, slot == BYTES ? amount : 0);
}

/* Grants @amount, and would not grant one more. */
static void charge_exactly(struct b1_acct_trace *trace, int slot, u64 amount)
{
	ck_assert_int_eq(charge(trace, slot, amount + 1), -EDQUOT);
	ck_assert_int_eq(charge(trace, slot, amount), 0);
}

/* The largest amount that is granted, found by trying; nothing is claimed afterwards. */
static u64 most(struct b1_acct_trace *trace, int slot)
{
	u64 low = 0, high = ALL, mid;

	while (low < high) {
		mid = low + (high - low) / 2 + 1;
		if (!charge(trace, slot, mid)) {
			discharge(trace, slot, mid);
			low = mid;
		} else {
			high = mid - 1;
		}
	}
	return low;
}

/* The numbers of the contract */

START_TEST(self_twice_256)
{
	struct b1_acct_trace *self = get(OWNER, OWNER, 1), *sibling = get(OWNER, OWNER, 2);
	struct b1_acct_trace *other = get(OWNER, 8, 3);

	ck_assert_int_eq(charge(self, _i, 256), 0);
	charge_exactly(self, _i, 256);
	ck_assert_int_eq(charge(self, _i, 1), -EDQUOT);
	ck_assert_int_eq(charge(other, _i, 1), -EDQUOT);
	discharge(self, _i, 256);
	charge_exactly(self, _i, 256);
	ck_assert_int_eq(charge(self, _i, 1), -EDQUOT);
	ck_assert_int_eq(charge(other, _i, 1), -EDQUOT);
	/* what the first has left is for its siblings */
	charge_exactly(sibling, _i, 256);
	discharge(sibling, _i, 256);
	discharge(self, _i, 512);
}
END_TEST

START_TEST(self_512_sibling_256)
{
	struct b1_acct_trace *self = get(OWNER, OWNER, 1), *sibling = get(OWNER, OWNER, 2);

	charge_exactly(self, _i, 512);
	charge_exactly(sibling, _i, 256);
	discharge(self, _i, 512);
	discharge(sibling, _i, 256);
}
END_TEST

START_TEST(others_128_64_42_21)
{
	struct b1_acct_trace *other = get(OWNER, 8, 1), *sibling = get(OWNER, 8, 2);
	struct b1_acct_trace *third = get(OWNER, 9, 3), *third_sibling = get(OWNER, 9, 4);

	charge_exactly(other, _i, 128);
	charge_exactly(sibling, _i, 64);
	charge_exactly(third, _i, 42);
	charge_exactly(third_sibling, _i, 21);
	discharge(third, _i, 42);
	discharge(sibling, _i, 64);
	discharge(other, _i, 128);
	discharge(third_sibling, _i, 21);
}
END_TEST

/* more users and actors than the contract has numbers for */
START_TEST(six_users_with_four_actors)
{
	static const u64 expected[6][4] = {
		{ 128, 64, 32, 16 },
		{ 42, 21, 11, 5 },
		{ 28, 14, 7, 3 },
		{ 15, 8, 4, 2 },
		{ 12, 6, 3, 1 },
		{ 10, 5, 2, 1 },
	};
	struct b1_acct_trace *trace;
	size_t user, actor;

	for (user = 0; user < 6; user++) {
		for (actor = 0; actor < 4; actor++) {
			trace = get(OWNER, 8 + user, user * 4 + actor);
			ck_assert_uint_eq(most(trace, _i), expected[user][actor]);
			charge_exactly(trace, _i, expected[user][actor]);
		}
	}
	for (user = 0; user < 6; user++)
		for (actor = 0; actor < 4; actor++)
			discharge(traces[user * 4 + actor], _i, expected[user][actor]);
}
END_TEST

/* The first claim of the n-th user, out of so much that it tells the factor exactly. */
START_TEST(user_shares)
{
	static const u64 shares[] = { 4, 9, 12, 20, 24, 28 };
	const u64 max = 1ULL << 40;
	u64 avail;
	size_t n;

	setup_max(max, max);
	for (n = 0; n < UNIT_N(shares); n++) {
		avail = max - 2 * n;
		ck_assert_uint_eq(most(get(OWNER, 100 + n, n), _i), avail / shares[n] / 2);
		ck_assert_int_eq(charge(traces[n], _i, 1), 0);
		ck_assert_uint_eq(traces[n]->quota->user->avail.slots[_i], avail - 2);
	}
	for (n = 0; n < UNIT_N(shares); n++)
		discharge(traces[n], _i, 1);
}
END_TEST

/* the owner counts among the users like everybody else */
START_TEST(owner_is_a_user)
{
	struct b1_acct_trace *self = get(OWNER, OWNER, 1), *other = get(OWNER, 8, 2);

	ck_assert_int_eq(charge(self, _i, 1), 0);
	charge_exactly(other, _i, 1022 / 9 / 2);
	discharge(self, _i, 1);
	discharge(other, _i, 56);
}
END_TEST

/* What one actor gives back, its siblings keep a part of. */
START_TEST(keep)
{
	struct b1_acct_trace *first = get(OWNER, 8, 1), *second = get(OWNER, 8, 2);
	struct b1_acct_quota *quota = first->quota;
	struct b1_acct_user *user = quota->user;

	ck_assert_int_eq(charge(first, _i, 100), 0);
	ck_assert_int_eq(charge(second, _i, 40), 0);
	ck_assert_uint_eq(quota->claimed.slots[_i], 200);
	ck_assert_uint_eq(quota->avail.slots[_i], 60);
	/* in use: 130, by two; so 65 is kept of 70 */
	discharge(first, _i, 10);
	ck_assert_uint_eq(quota->avail.slots[_i], 65);
	ck_assert_uint_eq(quota->claimed.slots[_i], 195);
	ck_assert_uint_eq(user->avail.slots[_i], 829);
	/* it counts until the last of it is gone: 40 by two */
	discharge(first, _i, 90);
	ck_assert_uint_eq(quota->avail.slots[_i], 20);
	ck_assert_uint_eq(quota->claimed.slots[_i], 60);
	ck_assert_uint_eq(quota->n_traces, 1);
	discharge(second, _i, 1);
	ck_assert_uint_eq(quota->avail.slots[_i], 21);
	discharge(second, _i, 39);
}
END_TEST

/* What is not charged, counted, or possible */

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

/* A second opinion: the formulas of the contract, with numbers that cannot overflow. */

#define M_USERS 3
#define M_CLAIMANTS 9			/* the first of them are the users */
#define M_ACTORS 4
#define M_STEPS UNIT_SCALE(1000000)
#define M_ROUNDS 20

typedef unsigned __int128 wide;

struct model_trace {
	u64 claimed[N_SLOTS];
	struct b1_acct_trace *cached;	/* a reference that is kept, in use or not */
};

struct model_quota {
	u64 claimed[N_SLOTS], avail[N_SLOTS];
	struct model_trace traces[M_ACTORS];
};

struct model_user {
	u64 avail[N_SLOTS];
	struct model_quota quotas[M_CLAIMANTS];
};

static struct model_user model[M_USERS];
static u64 model_max[N_SLOTS];
static unsigned long n_granted, n_refused;

static bool model_uses(const struct model_trace *trace)
{
	return trace->claimed[OBJECTS] > 0 || trace->claimed[BYTES] > 0;
}

static unsigned int model_n_actors(const struct model_quota *quota)
{
	unsigned int n = 0, i;

	for (i = 0; i < M_ACTORS; i++)
		n += model_uses(&quota->traces[i]);
	return n;
}

/* the claimant is one of them, whether it has something yet or not */
static unsigned int model_n_users(const struct model_user *user, const struct model_quota *claimant)
{
	unsigned int n = 0, i;

	for (i = 0; i < M_CLAIMANTS; i++)
		n += &user->quotas[i] == claimant || model_n_actors(&user->quotas[i]) > 0;
	return n;
}

static unsigned int model_log2_up(unsigned int n)
{
	unsigned int log = 0;

	while ((1u << log) < n)
		log++;
	return log;
}

/* (x + share) * A - share; anything that does not fit is a refusal */
static bool model_reserve(unsigned int a, u64 share, wide x, wide *resultp)
{
	wide product = (x + share) * a;

	*resultp = product - share;
	return x <= ALL && product <= ALL;
}

static bool model_charge_slot(const struct model_user *user, const struct model_quota *quota,
			      const struct model_trace *trace, int slot, u64 x, u64 *rp)
{
	unsigned int n = model_n_users(user, quota);
	wide m1, r, m2;

	*rp = 0;
	if (!x)
		return true;
	if (!model_reserve(2, trace->claimed[slot], x, &m1))
		return false;
	if (m1 <= quota->avail[slot])
		return true;
	r = m1 - quota->avail[slot];
	m2 = r;
	if (quota - user->quotas != user - model &&
	    !model_reserve((n + 1) * model_log2_up(n + 1) + (n + 1), quota->claimed[slot], r, &m2))
		return false;
	*rp = r;
	return m2 <= user->avail[slot];
}

static bool model_charge(struct model_user *user, struct model_quota *quota,
			 struct model_trace *trace, const u64 *x)
{
	u64 r[N_SLOTS];
	int slot;

	for (slot = 0; slot < N_SLOTS; slot++)
		if (!model_charge_slot(user, quota, trace, slot, x[slot], &r[slot]))
			return false;
	for (slot = 0; slot < N_SLOTS; slot++) {
		user->avail[slot] -= r[slot];
		quota->claimed[slot] += r[slot];
		quota->avail[slot] = (wide)quota->avail[slot] + r[slot] - x[slot];
		trace->claimed[slot] += x[slot];
	}
	return true;
}

static void model_discharge(struct model_user *user, struct model_quota *quota,
			    struct model_trace *trace, const u64 *x)
{
	unsigned int n = model_n_actors(quota);
	u64 keep, surplus;
	int slot;

	for (slot = 0; slot < N_SLOTS; slot++) {
		if (!x[slot])
			continue;
		trace->claimed[slot] -= x[slot];
		quota->avail[slot] += x[slot];
		keep = (quota->claimed[slot] - quota->avail[slot]) / n;
		surplus = quota->avail[slot] > keep ? quota->avail[slot] - keep : 0;
		quota->avail[slot] -= surplus;
		quota->claimed[slot] -= surplus;
		user->avail[slot] += surplus;
	}
}

/* The sums that always hold. */
static void model_check_sums(const struct model_user *user, const struct model_quota *quota)
{
	wide total, used;
	int slot, i;

	for (slot = 0; slot < N_SLOTS; slot++) {
		total = user->avail[slot];
		for (i = 0; i < M_CLAIMANTS; i++)
			total += user->quotas[i].claimed[slot];
		QUICK_ASSERT(total == model_max[slot]);
		used = quota->avail[slot];
		for (i = 0; i < M_ACTORS; i++)
			used += quota->traces[i].claimed[slot];
		QUICK_ASSERT(used == quota->claimed[slot]);
	}
}

/* What the step changed is what it should be; the rest was compared when that was changed. */
static void model_compare(const struct model_user *user, const struct model_quota *quota,
			  const struct model_trace *trace, const struct b1_acct_trace *real)
{
	unsigned int n = model_n_actors(quota);
	int slot;

	for (slot = 0; slot < N_SLOTS; slot++) {
		QUICK_ASSERT(real->claimed.slots[slot] == trace->claimed[slot]);
		QUICK_ASSERT(real->quota->claimed.slots[slot] == quota->claimed[slot]);
		QUICK_ASSERT(real->quota->avail.slots[slot] == quota->avail[slot]);
		QUICK_ASSERT(real->quota->user->avail.slots[slot] == user->avail[slot]);
	}
	QUICK_ASSERT(real->quota->n_traces == n);
	QUICK_ASSERT(real->quota->user->n_quotas == model_n_users(user, quota) - !n);
	model_check_sums(user, quota);
}

static u64 wide_random(unsigned long long *seed)
{
	return (u64)unit_random(seed, 1u << 31) << 33 ^ (u64)unit_random(seed, 1u << 31) << 11 ^
	       unit_random(seed, 1u << 31);
}

/* Nothing, little, about what is left, or far too much. */
static u64 model_amount(unsigned long long *seed, u64 left)
{
	switch (unit_random(seed, 8)) {
	case 0:
	case 1:
		return 0;
	case 2:
	case 3:
		return 1 + unit_random(seed, 16);
	case 4:
		return left ? wide_random(seed) % left : 0;
	case 5:
		return left / (2 + unit_random(seed, 60));
	case 6:
		return left >> unit_random(seed, 64);
	default:
		return ALL - (wide_random(seed) >> unit_random(seed, 64));
	}
}

static void model_step_charge(struct model_user *user, struct model_quota *quota,
			      struct model_trace *trace, struct b1_acct_trace *real,
			      unsigned long long *seed)
{
	enum b1_acct_slot refused;
	u64 x[N_SLOTS];
	int slot, ret;

	for (slot = 0; slot < N_SLOTS; slot++)
		x[slot] = model_amount(seed, user->avail[slot]);
	ret = b1_acct_charge(real, x[OBJECTS], x[BYTES], &refused);
	if (model_charge(user, quota, trace, x)) {
		QUICK_ASSERT(!ret);
		n_granted++;
	} else {
		QUICK_ASSERT(ret == -EDQUOT);
		n_refused++;
	}
}

static void model_step_discharge(struct model_user *user, struct model_quota *quota,
				 struct model_trace *trace, struct b1_acct_trace *real,
				 unsigned long long *seed)
{
	u64 x[N_SLOTS];
	int slot;

	for (slot = 0; slot < N_SLOTS; slot++) {
		x[slot] = trace->claimed[slot];
		if (x[slot] && unit_random(seed, 2))
			x[slot] = wide_random(seed) % x[slot] + 1;
		if (!unit_random(seed, 4))
			x[slot] = 0;
	}
	model_discharge(user, quota, trace, x);
	b1_acct_discharge(real, x[OBJECTS], x[BYTES]);
}

static u32 model_uid(size_t claimant)
{
	return 1000 + 7 * claimant;
}

static struct b1_acct_trace *model_real(size_t u, size_t c, size_t a)
{
	struct b1_acct_trace *real = b1_acct_trace_get(model_uid(u), model_uid(c), c * 100 + a);

	QUICK_ASSERT(real);
	return real;
}

static void model_step(unsigned long long *seed)
{
	size_t u = unit_random(seed, M_USERS), c = unit_random(seed, M_CLAIMANTS);
	size_t a = unit_random(seed, M_ACTORS);
	struct model_user *user = &model[u];
	struct model_quota *quota = &user->quotas[c];
	struct model_trace *trace = &quota->traces[a];
	struct b1_acct_trace *real = model_real(u, c, a);

	if (model_uses(trace) && unit_random(seed, 2))
		model_step_discharge(user, quota, trace, real, seed);
	else
		model_step_charge(user, quota, trace, real, seed);
	model_compare(user, quota, trace, real);
	/* sometimes the reference is kept, or one that was kept before is dropped */
	if (unit_random(seed, 4)) {
		b1_acct_trace_put(real);
	} else {
		b1_acct_trace_put(trace->cached);
		trace->cached = unit_random(seed, 2) ? b1_acct_trace_ref(real) : NULL;
		b1_acct_trace_put(real);
	}
}

/* All is given back, in parts, in an order of its own. */
static void model_rest(bool backwards)
{
	size_t i, n = M_USERS * M_CLAIMANTS * M_ACTORS, u, c, k;
	struct b1_acct_trace *real;
	struct model_trace *trace;
	u64 x[N_SLOTS];

	for (i = 0; i < n; i++) {
		k = backwards ? n - 1 - i : i;
		u = k / M_ACTORS % M_USERS;
		c = k / M_ACTORS / M_USERS;
		trace = &model[u].quotas[c].traces[k % M_ACTORS];
		real = model_real(u, c, k % M_ACTORS);
		memcpy(x, trace->claimed, sizeof(x));
		model_discharge(&model[u], &model[u].quotas[c], trace, x);
		b1_acct_discharge(real, x[OBJECTS], x[BYTES]);
		model_compare(&model[u], &model[u].quotas[c], trace, real);
		b1_acct_trace_put(trace->cached);
		trace->cached = NULL;
		b1_acct_trace_put(real);
	}
	for (u = 0; u < M_USERS; u++)
		ck_assert_mem_eq(model[u].avail, model_max, sizeof(model_max));
}

START_TEST(random_steps)
{
	static const u64 maxima[] = {
		1, 1024, 5, 1ULL << 20, 77, 1ULL << 40, 1ULL << 63, ALL, ALL - 1, 65536, ALL / 3,
	};
	unsigned long long seed = 1;
	size_t round, u, i;

	for (round = 0; round < M_ROUNDS; round++) {
		model_max[OBJECTS] = maxima[round % UNIT_N(maxima)];
		model_max[BYTES] = maxima[(round + 1 + round / UNIT_N(maxima)) % UNIT_N(maxima)];
		setup_max(model_max[OBJECTS], model_max[BYTES]);
		memset(model, 0, sizeof(model));
		for (u = 0; u < M_USERS; u++)
			memcpy(model[u].avail, model_max, sizeof(model_max));
		for (i = 0; i < M_STEPS / M_ROUNDS; i++)
			model_step(&seed);
		model_rest(round & 1);
		ck_assert(b1_acct_is_idle());
	}
	/* steps that are all refused, or all granted, would tell nothing */
	ck_assert_uint_gt(n_granted, M_STEPS / 5);
	ck_assert_uint_gt(n_refused, M_STEPS / 20);
}
END_TEST

/*
 * Twins: what is done several at once to a user is done one by one to another one, and leaves the
 * same.
 */

#define T_TRACES 6

static struct b1_acct_trace *twins[2][T_TRACES];

static void twins_begin(u64 max)
{
	/* the UID of the user, those of claimants in its quotas, and the actors */
	static const u32 claimants[T_TRACES] = { 0, 0, 0, 3, 4, 4 };
	size_t i, k;

	setup_max(max, max);
	for (k = 0; k < 2; k++) {
		for (i = 0; i < T_TRACES; i++)
			twins[k][i] = get(10 + k, claimants[i] ?: 10 + k, i);
		/* as the peers themselves */
		for (i = 0; i < 3; i++)
			charge(twins[k][i], OBJECTS, 1);
	}
}

static void twins_compare(void)
{
	struct b1_acct_stat stats[2];
	size_t i;

	for (i = 0; i < T_TRACES; i++) {
		b1_acct_trace_stat(twins[0][i], &stats[0]);
		b1_acct_trace_stat(twins[1][i], &stats[1]);
		QUICK_ASSERT(!memcmp(&stats[0], &stats[1], sizeof(stats[0])));
		QUICK_ASSERT(twins[0][i]->quota->n_traces == twins[1][i]->quota->n_traces);
	}
	QUICK_ASSERT(twins[0][0]->quota->user->n_quotas == twins[1][0]->quota->user->n_quotas);
}

static u64 twins_move(size_t from, size_t to, u64 n, u64 spent, u64 bytes)
{
	u64 i, moved;

	moved = b1_acct_move(twins[0][from], twins[0][to], n, spent, bytes);
	discharge(twins[1][from], OBJECTS, spent);
	discharge(twins[1][from], BYTES, bytes);
	for (i = 0; i < n && !charge(twins[1][to], OBJECTS, 1); i++)
		discharge(twins[1][from], OBJECTS, 1);
	QUICK_ASSERT(i == moved);
	return moved;
}

static void twins_discharge(size_t i, u64 n)
{
	discharge(twins[0][i], OBJECTS, n);
	while (n--)
		discharge(twins[1][i], OBJECTS, 1);
}

/* To a trace of the user itself: all or none. */
static void twins_charge(size_t i, u64 n)
{
	u64 k, granted = 0;

	while (granted < n && !charge(twins[1][i], OBJECTS, 1))
		granted++;
	if (granted == n) {
		QUICK_ASSERT(!charge(twins[0][i], OBJECTS, n));
		return;
	}
	QUICK_ASSERT(charge(twins[0][i], OBJECTS, n) == -EDQUOT);
	/* what is left then is not the same, so the twin does it, too */
	for (k = 0; k < granted; k++)
		charge(twins[0][i], OBJECTS, 1);
	twins_discharge(i, granted);
}

static u64 twins_step(unsigned long long *seed)
{
	size_t i = unit_random(seed, T_TRACES), to = unit_random(seed, 3);
	u64 claimed = twins[0][i]->claimed.slots[OBJECTS] - (i < 3), n, spent, bytes;

	n = 1 + unit_random(seed, 12);
	switch (unit_random(seed, 5)) {
	case 0:
		if (!charge(twins[0][i], OBJECTS, n))
			ck_assert_int_eq(charge(twins[1][i], OBJECTS, n), 0);
		return 0;
	case 1:
		twins_charge(to, n);
		return 0;
	case 2:
		twins_discharge(i, n < claimed ? n : claimed);
		return 0;
	case 3:
		/* only to be given back by a move */
		if (!charge(twins[0][i], BYTES, n))
			ck_assert_int_eq(charge(twins[1][i], BYTES, n), 0);
		return 0;
	default:
		n = n < claimed ? n : claimed;
		spent = unit_random(seed, claimed - n + 1);
		bytes = unit_random(seed, twins[0][i]->claimed.slots[BYTES] + 1);
		/* peers only move what becomes their own */
		if (!unit_random(seed, 4))
			to = unit_random(seed, T_TRACES);
		/* it has to be charged already */
		if (!n || !twins[0][to]->claimed.slots[OBJECTS])
			return 0;
		return n - twins_move(i, to, n, spent, bytes);
	}
}

START_TEST(batches)
{
	u64 i, k, max = 16 << _i, n_refused = 0;
	unsigned long long seed = _i;

	twins_begin(max);
	for (i = 0; i < UNIT_SCALE(40000); i++) {
		n_refused += twins_step(&seed);
		twins_compare();
	}
	ck_assert(_i > 3 || n_refused);
	for (i = 0; i < T_TRACES; i++) {
		for (k = 0; k < 2; k++) {
			discharge(twins[k][i], BYTES, twins[k][i]->claimed.slots[BYTES]);
			discharge(twins[k][i], OBJECTS, twins[k][i]->claimed.slots[OBJECTS]);
		}
	}
}
END_TEST

static TCase *acct_case(Suite *suite, const char *name)
{
	TCase *tcase = tcase_create(name);

	tcase_add_checked_fixture(tcase, setup, teardown);
	suite_add_tcase(suite, tcase);
	return tcase;
}

/* most tests are about one slot, and made for both */
static void add_numbers(Suite *suite)
{
	TCase *tcase = acct_case(suite, "numbers");

	tcase_add_loop_test(tcase, self_twice_256, 0, N_SLOTS);
	tcase_add_loop_test(tcase, self_512_sibling_256, 0, N_SLOTS);
	tcase_add_loop_test(tcase, others_128_64_42_21, 0, N_SLOTS);
	tcase_add_loop_test(tcase, six_users_with_four_actors, 0, N_SLOTS);
	tcase_add_loop_test(tcase, user_shares, 0, N_SLOTS);
	tcase_add_loop_test(tcase, owner_is_a_user, 0, N_SLOTS);
	tcase_add_loop_test(tcase, keep, 0, N_SLOTS);
}

static void add_rules(Suite *suite)
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

static void add_waits(Suite *suite)
{
	TCase *tcase = acct_case(suite, "waits");

	tcase_add_loop_test(tcase, no_lock_for_memory, 0, UNIT_N(firsts));
	tcase_add_loop_test(tcase, made_twice, 0, UNIT_N(firsts));
	tcase_add_test(tcase, gone_meanwhile);
	tcase_add_test(tcase, walk);
	tcase_add_test(tcase, walk_while_they_go);
}

static void add_model(Suite *suite)
{
	TCase *tcase = acct_case(suite, "model");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, random_steps);
	tcase_add_loop_test(tcase, batches, 0, 8);
}

int main(void)
{
	Suite *suite = suite_create("acct");

	add_numbers(suite);
	add_rules(suite);
	add_waits(suite);
	add_model(suite);
	return unit_run(suite);
}
