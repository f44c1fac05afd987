// SPDX-License-Identifier: LGPL-2.1-or-later
/* BUS1_CMD_TRANSFER: every argument error, and the limits. */
#include "args.h"

#define N_MAX 65536

#define CMD(_field) ARGS_AT(cmd.transfer._field)
#define SRC(_i, _field) ARGS_AT(src[_i]._field)

/* the checks, in their order */
enum stage {
	S_COMMAND,
	S_FLAGS,
	S_TO,
	S_COUNT,
	S_ARRAY,
	S_ELEMENT,
	S_ID,
	S_OUTPUT,
};

/* The valid call: src = { handle, CREATE, handle }. */
static const struct args_row rows[] = {
	{ "command", S_COMMAND, EFAULT, { { ARGS_UNMAPPED, ARGS_AT(arg) } } },

	{ "flags 1", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1 } } },
	{ "flags 2^32", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1ULL << 32 } } },
	{ "flags 2^63", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1ULL << 63 } } },

	{ "to: closed", S_TO, EBADF, { { ARGS_FD_CLOSED, CMD(to) } } },
	{ "to: O_PATH", S_TO, EBADF, { { ARGS_FD_PATH, CMD(to) } } },
	{ "to: INT_MAX", S_TO, EBADF, { { ARGS_LITERAL, CMD(to), 0x7fffffff } } },
	{ "to: INT_MAX + 1", S_TO, EBADF, { { ARGS_LITERAL, CMD(to), 0x80000000 } } },
	{ "to: 32-bit -1", S_TO, EBADF, { { ARGS_LITERAL, CMD(to), 0xffffffff } } },
	{ "to: -2", S_TO, EBADF, { { ARGS_LITERAL, CMD(to), BUS1_INVALID - 1 } } },
	{ "to: 2^32 + peer", S_TO, EBADF, { { ARGS_FD_HIGH, CMD(to) } } },
	{ "to: /dev/null", S_TO, EOPNOTSUPP, { { ARGS_FD_NULL, CMD(to) } } },
	{ "to: pipe", S_TO, EOPNOTSUPP, { { ARGS_FD_PIPE, CMD(to) } } },
	{ "to: file", S_TO, EOPNOTSUPP, { { ARGS_FD_FILE, CMD(to) } } },
	{ "to: directory", S_TO, EOPNOTSUPP, { { ARGS_FD_DIRECTORY, CMD(to) } } },

	{ "65537", S_COUNT, E2BIG, { { ARGS_LITERAL, CMD(n_transfers), N_MAX + 1 } } },
	{ "2^32 + 3", S_COUNT, E2BIG, { { ARGS_LITERAL, CMD(n_transfers), (1ULL << 32) + 3 } } },
	/* times 16 bytes this is 48 modulo 2^64 */
	{ "2^60 + 3", S_COUNT, E2BIG, { { ARGS_LITERAL, CMD(n_transfers), (1ULL << 60) + 3 } } },
	{ "2^64 - 1", S_COUNT, E2BIG, { { ARGS_LITERAL, CMD(n_transfers), ~0ULL } } },

	{ "ptr_src", S_ARRAY, EFAULT, { { ARGS_UNMAPPED, CMD(ptr_src) } } },

	{ "CREATE, ID of handle", S_ELEMENT, EINVAL, { { ARGS_ID_HANDLE, SRC(1, id) } } },
	{ "CREATE, ID 0", S_ELEMENT, EINVAL, { { ARGS_LITERAL, SRC(1, id), 0 } } },
	{ "handle, CREATE", S_ELEMENT, EINVAL, { { ARGS_LITERAL, SRC(0, flags), 1 } } },
	{ "handle, 2", S_ELEMENT, EINVAL, { { ARGS_LITERAL, SRC(2, flags), 2 } } },
	{ "handle, 2^32", S_ELEMENT, EINVAL, { { ARGS_LITERAL, SRC(2, flags), 1ULL << 32 } } },
	{ "CREATE and 2", S_ELEMENT, EINVAL, { { ARGS_LITERAL, SRC(1, flags), 3 } } },
	{ "CREATE and 2^63", S_ELEMENT, EINVAL,
	  { { ARGS_LITERAL, SRC(1, flags), 1ULL << 63 | 1 } } },

	{ "node", S_ID, EBADRQC, { { ARGS_ID_NODE, SRC(2, id) } } },
	{ "released", S_ID, EBADRQC, { { ARGS_ID_STALE, SRC(2, id) } } },
	{ "foreign", S_ID, EBADRQC, { { ARGS_ID_FOREIGN, SRC(2, id) } } },
	{ "not allocated", S_ID, EBADRQC, { { ARGS_ID_FUTURE, SRC(0, id) } } },
	{ "even", S_ID, EBADRQC, { { ARGS_ID_EVEN, SRC(2, id) } } },
	{ "2^32 + handle", S_ID, EBADRQC, { { ARGS_ID_HIGH, SRC(2, id) } } },
	{ "ID 0", S_ID, EBADRQC, { { ARGS_LITERAL, SRC(2, id), 0 } } },
	{ "ID 2", S_ID, EBADRQC, { { ARGS_LITERAL, SRC(0, id), 2 } } },
	{ "BUS1_INVALID", S_ID, EBADRQC, { { ARGS_LITERAL, SRC(2, id), BUS1_INVALID } } },
	/* would mend the rows that break the ID of this element */
	{ "no CREATE", S_ID, EBADRQC, { { ARGS_LITERAL, SRC(1, flags), 0 } }, ARGS_F_NO_ORDER },

	{ "ptr_dst", S_OUTPUT, EFAULT, { { ARGS_UNMAPPED, CMD(ptr_dst) } } },
	{ "ptr_dst read-only", S_OUTPUT, EFAULT, { { ARGS_READONLY, CMD(ptr_dst) } } },
	{ "ptr_src read-only", S_OUTPUT, EFAULT, { { ARGS_READONLY, CMD(ptr_src) } } },
};

static const struct args_pointer pointers[] = {
	{ "command", ARGS_AT(arg), sizeof(struct bus1_cmd_transfer) },
	{ "ptr_src", CMD(ptr_src), ARGS_N_HANDLES * sizeof(struct bus1_transfer), true },
	{ "ptr_dst", CMD(ptr_dst), ARGS_N_HANDLES * sizeof(struct bus1_transfer), true },
};

static void prepare(struct args_call *c, const struct args_scene *s)
{
	c->src[0] = (struct bus1_transfer){ .id = s->a_sole };
	c->src[1] = (struct bus1_transfer){ BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID };
	c->src[2] = (struct bus1_transfer){ .id = s->a_to_b };
	c->cmd.transfer = (struct bus1_cmd_transfer){
		.to = s->c,
		.n_transfers = ARGS_N_HANDLES,
		.ptr_src = BUS1_FROM_PTR(c->src),
		.ptr_dst = BUS1_FROM_PTR(c->dst),
	};
}

/* A failed transfer may modify the arrays, but not what is around them. */
static void excuse(struct args_call *before, const struct args_call *after,
		   const struct args_row *row)
{
	(void)row;
	memcpy(before->src, after->src, sizeof(before->src));
	memcpy(before->dst, after->dst, sizeof(before->dst));
}

static void succeed(const struct args_command *command, const struct args_scene *s)
{
	struct args_call before, c;
	uint64_t handles[ARGS_N_HANDLES], node;
	size_t i;

	args_drain_first(s);
	args_drain_rest(s);
	args_prepare(command, &c, s);
	before = c;
	ck_assert_int_eq(args_run(command, &c), 0);
	node = c.src[1].id;
	for (i = 0; i < ARGS_N_HANDLES; i++) {
		ck_assert_uint_eq(c.src[i].flags, 0);
		ck_assert_uint_eq(c.dst[i].flags, 0);
		ck_assert(i == 1 || c.src[i].id == before.src[i].id);
		handles[i] = c.dst[i].id;
		ck_assert(handles[i] & BUS1_MANAGED);
	}
	excuse(&before, &c, NULL);
	ck_assert_mem_eq(&before, &c, sizeof(c));

	ck_assert_int_eq(b1t_send_text(s->c, handles[1], "created"), 0);
	b1t_expect_text(s->a, node, "created");
	ck_assert_int_eq(b1t_release(s->c, ARGS_N_HANDLES, handles), 0);
	b1t_expect_handle_release(s->a, node);
	ck_assert_int_eq(b1t_release1(s->a, node), 0);
	args_check_ids(s);
	args_check_sole(s);
}

static const struct args_command command = {
	.nr = BUS1_CMD_TRANSFER,
	.rows = rows,
	.n_rows = B1T_N(rows),
	.pointers = pointers,
	.n_pointers = B1T_N(pointers),
	.prepare = prepare,
	.excuse = excuse,
	.succeed = succeed,
};

START_TEST(transfer_error)
{
	args_test_row(&command, _i);
}
END_TEST

START_TEST(transfer_error_order)
{
	args_test_order(&command, _i);
}
END_TEST

START_TEST(transfer_bad_pointer)
{
	args_test_pointer(&command, _i);
}
END_TEST

/* The descriptor is checked even if there is nothing to transfer. */
START_TEST(transfer_nothing_to_bad_descriptor)
{
	struct args_scene s;
	struct args_call c;
	size_t i;

	args_scene_init(&s);
	for (i = 0; i < B1T_N(rows); i++) {
		if (rows[i].stage != S_TO)
			continue;
		args_prepare(&command, &c, &s);
		args_spoil(&c, &s, &rows[i].sets[0], 0);
		c.cmd.transfer.n_transfers = 0;
		ck_assert_int_eq(args_run(&command, &c), -rows[i].error);
	}
	succeed(&command, &s);
}
END_TEST

/* n 0 is valid, and the pointers are not looked at. */
START_TEST(transfer_nothing)
{
	struct bus1_cmd_transfer cmd = { .ptr_src = ~0ULL, .ptr_dst = 1 };
	struct args_scene s;

	args_scene_init(&s);
	cmd.to = s.c;
	ck_assert_int_eq(b1t_ioctl(s.a, BUS1_CMD_TRANSFER, &cmd), 0);
	cmd.to = BUS1_INVALID;
	ck_assert_int_eq(b1t_ioctl(s.a, BUS1_CMD_TRANSFER, &cmd), 0);
	succeed(&command, &s);
}
END_TEST

/* Sources are only written if a node is created, and the command itself is not. */
START_TEST(transfer_from_readonly)
{
	struct bus1_cmd_transfer cmd = { .n_transfers = 3 };
	struct bus1_transfer src[3] = {}, dst[3];
	struct args_scene s;
	size_t i;

	args_scene_init(&s);
	for (i = 0; i < 3; i++)
		src[i].id = s.a_to_b;
	cmd.to = s.c;
	cmd.ptr_src = args_map_readonly(src, sizeof(src));
	cmd.ptr_dst = BUS1_FROM_PTR(dst);
	ck_assert_int_eq(b1t_ioctl(s.a, BUS1_CMD_TRANSFER,
				   BUS1_TO_PTR(args_map_readonly(&cmd, sizeof(cmd)))), 0);
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(b1t_release1(s.c, dst[i].id), 0);
	succeed(&command, &s);
}
END_TEST

/* The last of many cannot be stored: nothing is left of the others. */
START_TEST(transfer_unwritable_tail)
{
	struct bus1_cmd_transfer cmd = { .n_transfers = 512 };
	struct bus1_transfer src[512], dst[512];
	struct args_scene s;
	size_t i;

	args_scene_init(&s);
	for (i = 0; i < B1T_N(src); i++) {
		src[i].flags = i & 1;
		src[i].id = i & 1 ? BUS1_INVALID : s.a_sole;
	}
	cmd.to = s.c;
	cmd.ptr_src = BUS1_FROM_PTR(src);
	/* a page holds no more than 255 entries and a half */
	cmd.ptr_dst = args_map_straddle(dst, sizeof(dst), 4088);
	ck_assert_int_eq(b1t_ioctl(s.a, BUS1_CMD_TRANSFER, &cmd), -EFAULT);
	succeed(&command, &s);
}
END_TEST

/* 65536 are not too many: every one gets an ID of its own, in rising order. */
START_TEST(transfer_most)
{
	struct bus1_transfer *src = calloc(N_MAX, sizeof(*src));
	struct bus1_transfer *dst = calloc(N_MAX, sizeof(*dst));
	uint64_t *ids = calloc(N_MAX, sizeof(*ids));
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle;
	size_t i;

	ck_assert(src && dst && ids);
	b1t_node_ok(b, a, &node, &handle);
	for (i = 0; i < N_MAX; i++)
		src[i].id = handle;
	ck_assert_int_eq(b1t_transfer(a, b, N_MAX, src, dst), 0);
	for (i = 0; i < N_MAX; i++) {
		ids[i] = dst[i].id;
		if (dst[i].flags || !(ids[i] & 1) || (i && ids[i] <= ids[i - 1]))
			ck_abort_msg("bad result at %zu", i);
	}
	ck_assert_int_eq(b1t_release1(a, handle), 0);
	b1t_expect_empty(b);
	ck_assert_int_eq(b1t_release(b, N_MAX, ids), 0);
	b1t_expect_handle_release(b, node);
	b1t_expect_empty(b);
	free(ids);
	free(dst);
	free(src);
}
END_TEST

TCase *b1t_tcase_args_transfer(void)
{
	TCase *tcase = tcase_create("args_transfer");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, transfer_error, 0, B1T_N(rows));
	tcase_add_loop_test(tcase, transfer_error_order, 0, B1T_N(rows));
	tcase_add_loop_test(tcase, transfer_bad_pointer, 0,
			    B1T_N(pointers) * ARGS_N_BAD_POINTERS);
	tcase_add_test(tcase, transfer_nothing_to_bad_descriptor);
	tcase_add_test(tcase, transfer_nothing);
	tcase_add_test(tcase, transfer_from_readonly);
	tcase_add_test(tcase, transfer_unwritable_tail);
	tcase_add_test(tcase, transfer_most);
	return tcase;
}
