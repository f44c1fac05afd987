// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Accounts: who may claim how much of whom
 *
 * First the numbers of the contract, each of them exact (here); then what is neither allowed nor
 * counted (acct-rules.c); then a million random steps next to a second implementation, which is
 * written from the formulas with wider numbers (acct-model.c). Each test ends with nothing left.
 */
#include "acct-unit.h"

struct b1_acct_trace *traces[MAX_TRACES];
size_t n_traces;

void setup_max(u64 objects, u64 bytes)
{
	ck_assert_int_eq(b1_acct_set_max(objects, bytes), 0);
}

static void setup(void)
{
	ck_assert_int_eq(shim_n_live(), 0);
	setup_max(1024, 1024);
}

/* A trace whose reference is dropped at the end of the test. */
struct b1_acct_trace *get(u32 user, u32 claimant, u64 actor)
{
	struct b1_acct_trace *trace = b1_acct_trace_get(user, claimant, actor);

	ck_assert_ptr_nonnull(trace);
	ck_assert_uint_lt(n_traces, MAX_TRACES);
	traces[n_traces++] = trace;
	return trace;
}

void put_all(void)
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

int charge(struct b1_acct_trace *trace, int slot, u64 amount)
{
	enum b1_acct_slot refused = N_SLOTS;
	int ret;

	ret = b1_acct_charge(trace, slot == OBJECTS ? amount : 0, slot == BYTES ? amount : 0,
			     &refused);
	QUICK_ASSERT(!ret || refused == slot);
	return ret;
}

void discharge(struct b1_acct_trace *trace, int slot, u64 amount)
{
	b1_acct_discharge(trace, slot == OBJECTS ? amount : 0, slot == BYTES ? amount : 0);
}

/* Grants @amount, and would not grant one more. */
void charge_exactly(struct b1_acct_trace *trace, int slot, u64 amount)
{
	ck_assert_int_eq(charge(trace, slot, amount + 1), -EDQUOT);
	ck_assert_int_eq(charge(trace, slot, amount), 0);
}

/* The largest amount that is granted, found by trying; nothing is claimed afterwards. */
u64 most(struct b1_acct_trace *trace, int slot)
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

TCase *acct_case(Suite *suite, const char *name)
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

int main(void)
{
	Suite *suite = suite_create("acct");

	add_numbers(suite);
	add_rules(suite);
	add_waits(suite);
	add_model(suite);
	return unit_run(suite);
}
