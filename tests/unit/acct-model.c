// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Accounts: a second opinion
 *
 * First the formulas of the contract, with numbers that cannot overflow, next to the accounts; then
 * two users of whom the same is wanted, of one at once and of the other one by one.
 */
#include "acct-unit.h"

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

void add_model(Suite *suite)
{
	TCase *tcase = acct_case(suite, "model");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, random_steps);
	tcase_add_loop_test(tcase, batches, 0, 8);
}
