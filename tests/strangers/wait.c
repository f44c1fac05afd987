// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Each attack against each operation that it could stop. Mistakes 20, 21 and 24, and what is like
 * them.
 */
#define _GNU_SOURCE
#include "strangers.h"

/* which operations, by the names in victim.c; each pair takes time, so not all */
static const struct {
	const char *attack, *ops;
} table[] = {
	{ "fdinfo", "poll recv send transfer release close" },
	{ "transfer", "poll recv send transfer release close" },
	{ "late", "poll recv send transfer release close fdinfo" },
	{ "late-fault", "poll recv send transfer release close fdinfo" },
	{ "multicast", "poll recv send transfer release close fdinfo" },
	{ "release", "poll recv send transfer release close fdinfo" },
	{ "close", "poll recv first-send transfer release close open" },
	{ "account", "first-send transfer close open" },
	{ "own-fdinfo", "transfer-to send-to multicast-to release-to close-to fdinfo-of" },
	{ "own-poll", "transfer-to send-to multicast-to release-to close-to fdinfo-of" },
};

#define MAX_PAIRS 128

static struct {
	const struct st_attack *attack;
	const struct st_op *op;
} pairs[MAX_PAIRS];
static size_t n_pairs;

static const struct st_attack *find_attack(const char *name)
{
	size_t i;

	for (i = 0; i < st_n_attacks; i++)
		if (!strcmp(st_attacks[i].name, name))
			return &st_attacks[i];
	abort();
}

static const struct st_op *find_op(const char *name)
{
	size_t i;

	for (i = 0; i < st_n_ops; i++)
		if (!strcmp(st_ops[i].name, name))
			return &st_ops[i];
	abort();
}

static void make_pairs(void)
{
	char *ops, *name, *save;
	size_t i;

	for (i = 0; i < B1T_N(table); i++) {
		ops = strdup(table[i].ops);
		for (name = strtok_r(ops, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
			if (n_pairs == MAX_PAIRS)
				abort();
			pairs[n_pairs].attack = find_attack(table[i].attack);
			pairs[n_pairs++].op = find_op(name);
		}
		free(ops);
	}
}

static unsigned int pair_ms(void)
{
	const char *ms = getenv("STRANGERS_MS");

	return ms ? strtoul(ms, NULL, 10) : 500;
}

START_TEST(strangers_wait)
{
	st_duel(pairs[_i].attack, pairs[_i].op, pair_ms());
}
END_TEST

TCase *st_tcase_wait(void)
{
	TCase *tc = tcase_create("wait");

	make_pairs();
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, strangers_wait, 0, n_pairs);
	return tc;
}
