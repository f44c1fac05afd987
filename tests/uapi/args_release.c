// SPDX-License-Identifier: LGPL-2.1-or-later
/* BUS1_CMD_RELEASE: every argument error, and the limits. */
#include "args.h"

#define N_MAX 65536

#define CMD(_field) ARGS_AT(cmd.release._field)

/* the checks, in their order */
enum stage {
	S_COMMAND,
	S_FLAGS,
	S_COUNT,
	S_ARRAY,
	S_ID,
};

/* The valid call: a handle, a node, the handle again, a dead handle. */
static const struct args_row rows[] = {
	{ "command", S_COMMAND, EFAULT, { { ARGS_UNMAPPED, ARGS_AT(arg) } } },

	{ "flags 1", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1 } } },
	{ "flags 2^32", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1ULL << 32 } } },
	{ "flags 2^63", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1ULL << 63 } } },

	{ "65537", S_COUNT, E2BIG, { { ARGS_LITERAL, CMD(n_ids), N_MAX + 1 } } },
	{ "2^32 + 4", S_COUNT, E2BIG, { { ARGS_LITERAL, CMD(n_ids), (1ULL << 32) + 4 } } },
	/* times 8 bytes this is 32 modulo 2^64 */
	{ "2^61 + 4", S_COUNT, E2BIG, { { ARGS_LITERAL, CMD(n_ids), (1ULL << 61) + 4 } } },
	{ "2^64 - 1", S_COUNT, E2BIG, { { ARGS_LITERAL, CMD(n_ids), ~0ULL } } },

	{ "ptr_ids", S_ARRAY, EFAULT, { { ARGS_UNMAPPED, CMD(ptr_ids) } } },

	{ "released", S_ID, EBADRQC, { { ARGS_ID_STALE, ARGS_AT(ids[3]) } } },
	{ "foreign", S_ID, EBADRQC, { { ARGS_ID_FOREIGN, ARGS_AT(ids[3]) } } },
	{ "not allocated", S_ID, EBADRQC, { { ARGS_ID_FUTURE, ARGS_AT(ids[0]) } } },
	{ "even", S_ID, EBADRQC, { { ARGS_ID_EVEN, ARGS_AT(ids[1]) } } },
	{ "2^32 + ID", S_ID, EBADRQC, { { ARGS_ID_HIGH, ARGS_AT(ids[3]) } } },
	{ "ID 0", S_ID, EBADRQC, { { ARGS_LITERAL, ARGS_AT(ids[2]), 0 } } },
	{ "ID 2", S_ID, EBADRQC, { { ARGS_LITERAL, ARGS_AT(ids[3]), 2 } } },
	{ "BUS1_INVALID", S_ID, EBADRQC, { { ARGS_LITERAL, ARGS_AT(ids[3]), BUS1_INVALID } } },
};

static const struct args_pointer pointers[] = {
	{ "command", ARGS_AT(arg), sizeof(struct bus1_cmd_release) },
	{ "ptr_ids", CMD(ptr_ids), ARGS_N_IDS * sizeof(uint64_t) },
};

static void prepare(struct args_call *c, const struct args_scene *s)
{
	c->ids[0] = s->a_sole;
	c->ids[1] = s->a_spare;
	c->ids[2] = s->a_sole;
	c->ids[3] = s->a_dead;
	c->cmd.release = (struct bus1_cmd_release){
		.n_ids = ARGS_N_IDS,
		.ptr_ids = BUS1_FROM_PTR(c->ids),
	};
}

static void succeed(const struct args_command *command, const struct args_scene *s)
{
	struct args_call before, c;

	args_drain_first(s);
	args_drain_rest(s);
	args_check_ids(s);
	args_prepare(command, &c, s);
	before = c;
	ck_assert_int_eq(args_run(command, &c), 0);
	ck_assert_mem_eq(&before, &c, sizeof(c));
	b1t_expect_handle_release(s->b, s->b_sole);
	b1t_expect_node_release(s->c, s->c_to_spare);
	b1t_expect_empty(s->a);
	b1t_expect_empty(s->b);
	b1t_expect_empty(s->c);
	ck_assert_int_eq(args_run(command, &c), -EBADRQC);
}

static const struct args_command command = {
	.nr = BUS1_CMD_RELEASE,
	.rows = rows,
	.n_rows = B1T_N(rows),
	.pointers = pointers,
	.n_pointers = B1T_N(pointers),
	.prepare = prepare,
	.succeed = succeed,
};

START_TEST(release_error)
{
	args_test_row(&command, _i);
}
END_TEST

START_TEST(release_error_order)
{
	args_test_order(&command, _i);
}
END_TEST

START_TEST(release_bad_pointer)
{
	args_test_pointer(&command, _i);
}
END_TEST

/* n_ids 0 is valid, and the pointer is not looked at. */
START_TEST(release_nothing)
{
	struct bus1_cmd_release cmd = { .ptr_ids = ~0ULL };
	struct args_scene s;

	args_scene_init(&s);
	ck_assert_int_eq(b1t_ioctl(s.a, BUS1_CMD_RELEASE, &cmd), 0);
	succeed(&command, &s);
}
END_TEST

/* Neither the command nor the IDs are written. */
START_TEST(release_from_readonly)
{
	struct bus1_cmd_release cmd = { .n_ids = 2 };
	uint64_t ids[2];
	struct args_scene s;

	args_scene_init(&s);
	ids[0] = b1t_copy_ok(s.a, -1, s.a_to_b);
	ids[1] = b1t_copy_ok(s.a, -1, s.a_sole);
	cmd.ptr_ids = args_map_readonly(ids, sizeof(ids));
	ck_assert_int_eq(b1t_ioctl(s.a, BUS1_CMD_RELEASE,
				   BUS1_TO_PTR(args_map_readonly(&cmd, sizeof(cmd)))), 0);
	succeed(&command, &s);
}
END_TEST

/* All IDs are read before the first one is judged. */
START_TEST(release_unreadable_tail)
{
	struct bus1_cmd_release cmd = { .n_ids = 1024 };
	uint64_t ids[1024] = {};
	struct args_scene s;

	args_scene_init(&s);
	cmd.ptr_ids = args_map_straddle(ids, sizeof(ids), 4088);
	ck_assert_int_eq(b1t_ioctl(s.a, BUS1_CMD_RELEASE, &cmd), -EFAULT);
	cmd.n_ids = 511;
	ck_assert_int_eq(b1t_ioctl(s.a, BUS1_CMD_RELEASE, &cmd), -EBADRQC);
	succeed(&command, &s);
}
END_TEST

/* 65536 are not too many, one ID all the time included; one bad ID among them is. */
START_TEST(release_most)
{
	uint64_t *ids = calloc(N_MAX, sizeof(*ids));
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle;
	size_t i;

	ck_assert_ptr_ne(ids, NULL);
	b1t_node_ok(b, a, &node, &handle);
	for (i = 0; i < N_MAX; i++)
		ids[i] = handle;
	ids[N_MAX - 1] = handle + 1;
	ck_assert_int_eq(b1t_release(a, N_MAX, ids), -EBADRQC);
	b1t_expect_empty(b);
	ids[N_MAX - 1] = handle;
	ck_assert_int_eq(b1t_release(a, N_MAX, ids), 0);
	b1t_expect_handle_release(b, node);
	b1t_expect_empty(b);
	free(ids);
}
END_TEST

TCase *b1t_tcase_args_release(void)
{
	TCase *tcase = tcase_create("args_release");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, release_error, 0, B1T_N(rows));
	tcase_add_loop_test(tcase, release_error_order, 0, B1T_N(rows));
	tcase_add_loop_test(tcase, release_bad_pointer, 0,
			    B1T_N(pointers) * ARGS_N_BAD_POINTERS);
	tcase_add_test(tcase, release_nothing);
	tcase_add_test(tcase, release_from_readonly);
	tcase_add_test(tcase, release_unreadable_tail);
	tcase_add_test(tcase, release_most);
	return tcase;
}
