// SPDX-License-Identifier: LGPL-2.1-or-later
/* BUS1_CMD_SEND: every argument error, and the limits. */
#include "args.h"

#define N_MAX 65536
#define N_VECS_MAX 1024
/* what one read(2) or write(2) can move at most, see MAX_RW_COUNT in the kernel */
#define MAX_RW ((uint64_t)(INT32_MAX & ~(sysconf(_SC_PAGESIZE) - 1)))

#define CMD(_field) ARGS_AT(cmd.send._field)
#define MSG(_field) ARGS_AT(message._field)
#define SRC(_i, _field) ARGS_AT(src[_i]._field)

/* the checks, in their order */
enum stage {
	S_COMMAND,
	S_FLAGS,
	S_MESSAGE,
	S_MESSAGE_FLAGS,
	S_COUNT,
	S_SIZE,
	S_N_VECS,
	S_ARRAY,
	S_VECS,
	S_ELEMENT,
	S_ID,
	S_QUOTA,
	S_PAYLOAD,
};

/*
 * The valid call: 8 bytes in iovecs of 3 and 16; three handles; two receivers, one of them twice,
 * and a dead handle.
 */
static const struct args_row rows[] = {
	{ "command", S_COMMAND, EFAULT, { { ARGS_UNMAPPED, ARGS_AT(arg) } } },

	{ "flags 1", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1 } } },
	{ "flags 2^32", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1ULL << 32 } } },
	{ "flags 2^63", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1ULL << 63 } } },

	{ "ptr_message", S_MESSAGE, EFAULT, { { ARGS_UNMAPPED, CMD(ptr_message) } } },

	{ "message.flags 1", S_MESSAGE_FLAGS, EINVAL, { { ARGS_LITERAL, MSG(flags), 1 } } },
	{ "message.flags 2^63", S_MESSAGE_FLAGS, EINVAL,
	  { { ARGS_LITERAL, MSG(flags), 1ULL << 63 } } },
	{ "NODE_RELEASE", S_MESSAGE_FLAGS, EINVAL,
	  { { ARGS_LITERAL, MSG(type), BUS1_MESSAGE_TYPE_NODE_RELEASE } } },
	{ "HANDLE_RELEASE", S_MESSAGE_FLAGS, EINVAL,
	  { { ARGS_LITERAL, MSG(type), BUS1_MESSAGE_TYPE_HANDLE_RELEASE } } },
	{ "type 3", S_MESSAGE_FLAGS, EINVAL,
	  { { ARGS_LITERAL, MSG(type), _BUS1_MESSAGE_TYPE_N } } },
	{ "type 2^32", S_MESSAGE_FLAGS, EINVAL, { { ARGS_LITERAL, MSG(type), 1ULL << 32 } } },
	{ "type BUS1_INVALID", S_MESSAGE_FLAGS, EINVAL,
	  { { ARGS_LITERAL, MSG(type), BUS1_INVALID } } },

	{ "65537 destinations", S_COUNT, E2BIG,
	  { { ARGS_LITERAL, CMD(n_destinations), N_MAX + 1 } }, ARGS_F_DEST },
	{ "2^32 + 4 destinations", S_COUNT, E2BIG,
	  { { ARGS_LITERAL, CMD(n_destinations), (1ULL << 32) + 4 } }, ARGS_F_DEST },
	{ "2^61 + 4 destinations", S_COUNT, E2BIG,
	  { { ARGS_LITERAL, CMD(n_destinations), (1ULL << 61) + 4 } }, ARGS_F_DEST },
	{ "2^64 - 1 destinations", S_COUNT, E2BIG,
	  { { ARGS_LITERAL, CMD(n_destinations), ~0ULL } }, ARGS_F_DEST },
	{ "65537 transfers", S_COUNT, E2BIG, { { ARGS_LITERAL, MSG(n_transfers), N_MAX + 1 } } },
	{ "2^32 + 3 transfers", S_COUNT, E2BIG,
	  { { ARGS_LITERAL, MSG(n_transfers), (1ULL << 32) + 3 } } },
	{ "2^60 + 3 transfers", S_COUNT, E2BIG,
	  { { ARGS_LITERAL, MSG(n_transfers), (1ULL << 60) + 3 } } },
	{ "2^64 - 1 transfers", S_COUNT, E2BIG, { { ARGS_LITERAL, MSG(n_transfers), ~0ULL } } },

	/* one byte above MAX_RW_COUNT with the largest pages there are */
	{ "2 GiB", S_SIZE, EMSGSIZE, { { ARGS_LITERAL, MSG(n_data), 1ULL << 31 } } },
	{ "2^32 + 8 bytes", S_SIZE, EMSGSIZE,
	  { { ARGS_LITERAL, MSG(n_data), (1ULL << 32) + 8 } } },
	{ "2^64 - 1 bytes", S_SIZE, EMSGSIZE, { { ARGS_LITERAL, MSG(n_data), ~0ULL } } },

	{ "1025 iovecs", S_N_VECS, EINVAL, { { ARGS_LITERAL, MSG(n_data_vecs), 1025 } } },
	{ "2^32 + 2 iovecs", S_N_VECS, EINVAL,
	  { { ARGS_LITERAL, MSG(n_data_vecs), (1ULL << 32) + 2 } } },
	{ "2^64 - 1 iovecs", S_N_VECS, EINVAL, { { ARGS_LITERAL, MSG(n_data_vecs), ~0ULL } } },

	{ "ptr_transfers", S_ARRAY, EFAULT, { { ARGS_UNMAPPED, MSG(ptr_transfers) } } },
	{ "ptr_destinations", S_ARRAY, EFAULT, { { ARGS_UNMAPPED, CMD(ptr_destinations) } },
	  ARGS_F_DEST },
	{ "ptr_data_vecs", S_ARRAY, EFAULT, { { ARGS_UNMAPPED, MSG(ptr_data_vecs) } } },

	{ "one byte too few", S_VECS, EMSGSIZE, { { ARGS_LITERAL, ARGS_AT(lengths[1]), 4 } } },
	{ "1 iovec", S_VECS, EMSGSIZE, { { ARGS_LITERAL, MSG(n_data_vecs), 1 } } },
	/* would mend a bad ptr_data_vecs */
	{ "no iovecs", S_VECS, EMSGSIZE, { { ARGS_LITERAL, MSG(n_data_vecs), 0 } },
	  ARGS_F_NO_ORDER },
	{ "20 bytes", S_VECS, EMSGSIZE, { { ARGS_LITERAL, MSG(n_data), 20 } } },
	{ "1.9 GiB", S_VECS, EMSGSIZE, { { ARGS_LITERAL, MSG(n_data), 0x7a000000 } } },
	/* as readv(2) has it */
	{ "negative iov_len", S_VECS, EINVAL, { { ARGS_LITERAL, ARGS_AT(lengths[1]), ~0ULL } },
	  ARGS_F_NO_ORDER },

	{ "CREATE", S_ELEMENT, EINVAL, { { ARGS_LITERAL, SRC(2, flags), 1 } } },
	{ "CREATE, BUS1_INVALID", S_ELEMENT, EINVAL,
	  { { ARGS_LITERAL, SRC(1, flags), 1 }, { ARGS_LITERAL, SRC(1, id), BUS1_INVALID } } },
	{ "transfer flags 2", S_ELEMENT, EINVAL, { { ARGS_LITERAL, SRC(2, flags), 2 } } },
	{ "transfer flags 2^32", S_ELEMENT, EINVAL,
	  { { ARGS_LITERAL, SRC(2, flags), 1ULL << 32 } } },

	{ "transfer of node", S_ID, EBADRQC, { { ARGS_ID_NODE, SRC(0, id) } } },
	{ "transfer of released", S_ID, EBADRQC, { { ARGS_ID_STALE, SRC(2, id) } } },
	{ "transfer of foreign", S_ID, EBADRQC, { { ARGS_ID_FOREIGN, SRC(2, id) } } },
	{ "transfer of not allocated", S_ID, EBADRQC, { { ARGS_ID_FUTURE, SRC(2, id) } } },
	{ "transfer of even", S_ID, EBADRQC, { { ARGS_ID_EVEN, SRC(1, id) } } },
	{ "transfer of 2^32 + handle", S_ID, EBADRQC, { { ARGS_ID_HIGH, SRC(2, id) } } },
	{ "transfer of 0", S_ID, EBADRQC, { { ARGS_LITERAL, SRC(2, id), 0 } } },
	{ "transfer of BUS1_INVALID", S_ID, EBADRQC,
	  { { ARGS_LITERAL, SRC(2, id), BUS1_INVALID } } },
	{ "to node", S_ID, EBADRQC, { { ARGS_ID_NODE, ARGS_AT(ids[1]) } }, ARGS_F_DEST },
	{ "to released", S_ID, EBADRQC, { { ARGS_ID_STALE, ARGS_AT(ids[3]) } }, ARGS_F_DEST },
	{ "to foreign", S_ID, EBADRQC, { { ARGS_ID_FOREIGN, ARGS_AT(ids[3]) } }, ARGS_F_DEST },
	{ "to not allocated", S_ID, EBADRQC, { { ARGS_ID_FUTURE, ARGS_AT(ids[3]) } },
	  ARGS_F_DEST },
	{ "to even", S_ID, EBADRQC, { { ARGS_ID_EVEN, ARGS_AT(ids[2]) } }, ARGS_F_DEST },
	{ "to 2^32 + handle", S_ID, EBADRQC, { { ARGS_ID_HIGH, ARGS_AT(ids[3]) } }, ARGS_F_DEST },
	{ "to 0", S_ID, EBADRQC, { { ARGS_LITERAL, ARGS_AT(ids[0]), 0 } }, ARGS_F_DEST },
	{ "to BUS1_INVALID", S_ID, EBADRQC, { { ARGS_LITERAL, ARGS_AT(ids[3]), BUS1_INVALID } },
	  ARGS_F_DEST },

	/* the default of max_bytes is 1 GiB at most; nobody reads what is behind the iovec */
	{ "too much for the quota", S_QUOTA, EDQUOT,
	  { { ARGS_LITERAL, MSG(n_data), 0x7a000000 },
	    { ARGS_LITERAL, ARGS_AT(lengths[1]), 0x7a000000 } }, ARGS_F_DEST },

	{ "payload, first iovec", S_PAYLOAD, EFAULT, { { ARGS_UNMAPPED, ARGS_AT(bases[0]) } },
	  ARGS_F_DEST },
	{ "payload, second iovec", S_PAYLOAD, EFAULT, { { ARGS_UNMAPPED, ARGS_AT(bases[1]) } },
	  ARGS_F_DEST },
	{ "ptr_errors", S_PAYLOAD, EFAULT, { { ARGS_UNMAPPED, CMD(ptr_errors) } }, ARGS_F_DEST },
	{ "ptr_errors read-only", S_PAYLOAD, EFAULT, { { ARGS_READONLY, CMD(ptr_errors) } },
	  ARGS_F_DEST },
};

static const struct args_pointer pointers[] = {
	{ "command", ARGS_AT(arg), sizeof(struct bus1_cmd_send) },
	{ "ptr_message", CMD(ptr_message), sizeof(struct bus1_message) },
	{ "ptr_transfers", MSG(ptr_transfers), ARGS_N_HANDLES * sizeof(struct bus1_transfer) },
	{ "ptr_destinations", CMD(ptr_destinations), ARGS_N_IDS * sizeof(uint64_t) },
	{ "ptr_data_vecs", MSG(ptr_data_vecs), ARGS_N_VECS * sizeof(struct iovec) },
	{ "first payload", ARGS_AT(bases[0]), 3 },
	{ "second payload", ARGS_AT(bases[1]), 5 },
};

/* NULL is no error there, so it is not among the pointers above. */
static const enum args_kind bad_errors[] = {
	ARGS_UNMAPPED, ARGS_STRADDLE, ARGS_READONLY, ARGS_KERNEL, ARGS_NONCANONICAL, ARGS_LAST,
};

static void prepare(struct args_call *c, const struct args_scene *s)
{
	c->src[0] = (struct bus1_transfer){ .id = s->a_sole };
	c->src[1] = (struct bus1_transfer){ .id = s->a_to_c };
	c->src[2] = (struct bus1_transfer){ .id = s->a_own };
	c->ids[0] = s->a_to_b;
	c->ids[1] = s->a_to_c;
	c->ids[2] = s->a_to_b;
	c->ids[3] = s->a_dead;
	memcpy(c->data, ARGS_PAYLOAD, 3);
	memcpy(c->data + 16, &ARGS_PAYLOAD[3], 5);
	c->message = (struct bus1_message){
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_transfers = ARGS_N_HANDLES,
		.ptr_transfers = BUS1_FROM_PTR(c->src),
		.n_data = strlen(ARGS_PAYLOAD),
		.n_data_vecs = ARGS_N_VECS,
		.ptr_data_vecs = BUS1_FROM_PTR(c->vecs),
	};
	c->cmd.send = (struct bus1_cmd_send){
		.n_destinations = ARGS_N_IDS,
		.ptr_destinations = BUS1_FROM_PTR(c->ids),
		.ptr_errors = BUS1_FROM_PTR(c->errors),
		.ptr_message = BUS1_FROM_PTR(&c->message),
	};
}

/* @fd receives the valid call's message and releases the handles in it. */
static void expect_payload(int fd, uint64_t node)
{
	uint64_t handles[ARGS_N_HANDLES];

	b1t_expect_handles(fd, node, ARGS_PAYLOAD, ARGS_N_HANDLES, handles);
	ck_assert_int_eq(b1t_release(fd, ARGS_N_HANDLES, handles), 0);
}

static void succeed(const struct args_command *command, const struct args_scene *s)
{
	struct args_call before, c;
	size_t i;

	args_drain_first(s);
	args_drain_rest(s);
	args_prepare(command, &c, s);
	before = c;
	ck_assert_int_eq(args_run(command, &c), 0);
	for (i = 0; i < ARGS_N_IDS; i++)
		before.errors[i] = 0;
	ck_assert_mem_eq(&before, &c, sizeof(c));
	expect_payload(s->b, s->b_node);
	expect_payload(s->b, s->b_node);
	expect_payload(s->c, s->c_node);
	args_check_ids(s);
	args_check_sole(s);
}

static const struct args_command command = {
	.nr = BUS1_CMD_SEND,
	.rows = rows,
	.n_rows = B1T_N(rows),
	.pointers = pointers,
	.n_pointers = B1T_N(pointers),
	.prepare = prepare,
	.succeed = succeed,
};

START_TEST(send_error)
{
	args_test_row(&command, _i);
}
END_TEST

START_TEST(send_error_order)
{
	args_test_order(&command, _i);
}
END_TEST

START_TEST(send_bad_pointer)
{
	args_test_pointer(&command, _i);
}
END_TEST

START_TEST(send_bad_errors)
{
	const struct args_set set = { .kind = bad_errors[_i], .offset = CMD(ptr_errors) };
	struct args_call before, c;
	struct args_scene s;

	args_scene_init(&s);
	args_prepare(&command, &c, &s);
	args_spoil(&c, &s, &set, sizeof(c.errors));
	before = c;
	ck_assert_int_eq(args_run(&command, &c), -EFAULT);
	ck_assert_mem_eq(&before, &c, sizeof(c));
	succeed(&command, &s);
}
END_TEST

/* Makes the call of each row without destinations, or with @dead ones only. */
static void run_without_destinations(const struct args_scene *s, bool dead)
{
	struct args_call c;
	size_t i, j;

	for (i = 0; i < B1T_N(rows); i++) {
		if (rows[i].flags & ARGS_F_DEST)
			continue;
		args_prepare(&command, &c, s);
		for (j = 0; j < ARGS_N_IDS; j++)
			c.ids[j] = s->a_dead;
		if (!dead) {
			c.cmd.send.n_destinations = 0;
			c.cmd.send.ptr_destinations = ~0ULL;
			c.cmd.send.ptr_errors = ~0ULL;
		}
		for (j = 0; j < B1T_N(rows[i].sets); j++)
			args_spoil(&c, s, &rows[i].sets[j], 0);
		ck_assert_msg(args_run(&command, &c) == -rows[i].error, "%s", rows[i].name);
	}
}

/* Without destinations, and with dead ones, everything else is checked all the same. */
START_TEST(send_error_without_destinations)
{
	struct args_scene s;

	args_scene_init(&s);
	run_without_destinations(&s, _i);
	succeed(&command, &s);
}
END_TEST

/* Valid calls that look odd: what has a count of 0 is not looked at. */
START_TEST(send_nothing)
{
	struct args_call c;
	struct args_scene s;

	args_scene_init(&s);
	args_prepare(&command, &c, &s);
	c.cmd.send.n_destinations = 0;
	c.cmd.send.ptr_destinations = ~0ULL;
	c.cmd.send.ptr_errors = ~0ULL;
	ck_assert_int_eq(args_run(&command, &c), 0);
	c.message.n_transfers = 0;
	c.message.ptr_transfers = ~0ULL;
	c.message.n_data = 0;
	c.message.n_data_vecs = 0;
	c.message.ptr_data_vecs = ~0ULL;
	ck_assert_int_eq(args_run(&command, &c), 0);
	ck_assert_int_eq(c.errors[0], (int32_t)0xc5c5c5c5);
	succeed(&command, &s);
}
END_TEST

/* An empty message, with iovecs that hold bytes nobody reads; and no errors wanted. */
START_TEST(send_empty)
{
	struct args_call c;
	struct args_scene s;
	uint64_t node, handle;

	args_scene_init(&s);
	b1t_node_ok(s.empty, s.a, &node, &handle);
	args_prepare(&command, &c, &s);
	c.ids[1] = handle;
	c.cmd.send.n_destinations = 1;
	c.cmd.send.ptr_destinations = BUS1_FROM_PTR(&c.ids[1]);
	c.cmd.send.ptr_errors = 0;
	c.message.n_transfers = 0;
	c.message.ptr_transfers = ~0ULL;
	c.message.n_data = 0;
	ck_assert_int_eq(args_run(&command, &c), 0);
	b1t_expect_text(s.empty, node, "");
	c.message.n_data_vecs = 0;
	c.message.ptr_data_vecs = ~0ULL;
	ck_assert_int_eq(args_run(&command, &c), 0);
	b1t_expect_text(s.empty, node, "");
	succeed(&command, &s);
}
END_TEST

/* Everything that a send reads, and only reads, may lie in pages that cannot be written. */
START_TEST(send_from_readonly)
{
	struct args_call c;
	struct args_scene s;
	uint64_t node, handle;

	args_scene_init(&s);
	b1t_node_ok(s.empty, s.a, &node, &handle);
	args_prepare(&command, &c, &s);
	c.ids[0] = handle;
	c.message.n_transfers = 2;
	c.message.ptr_transfers = args_map_readonly(c.src, sizeof(c.src));
	c.vecs[0].iov_base = BUS1_TO_PTR(args_map_readonly(c.data, 3));
	c.message.ptr_data_vecs = args_map_readonly(c.vecs, sizeof(c.vecs));
	c.cmd.send.n_destinations = 1;
	c.cmd.send.ptr_destinations = args_map_readonly(c.ids, sizeof(c.ids));
	c.cmd.send.ptr_message = args_map_readonly(&c.message, sizeof(c.message));
	c.arg = args_map_readonly(&c.cmd.send, sizeof(c.cmd.send));
	ck_assert_int_eq(args_run(&command, &c), 0);
	b1t_expect_handles(s.empty, node, ARGS_PAYLOAD, 2, c.ids);
	ck_assert_int_eq(b1t_release(s.empty, 2, c.ids), 0);
	succeed(&command, &s);
}
END_TEST

/* Bytes behind n_data need not exist, also when a page ends there. */
START_TEST(send_payload_ends_at_page)
{
	struct args_call c;
	struct args_scene s;
	uint64_t node, handle;

	args_scene_init(&s);
	b1t_node_ok(s.empty, s.a, &node, &handle);
	args_prepare(&command, &c, &s);
	c.ids[0] = handle;
	c.message.n_transfers = 0;
	c.vecs[1].iov_base = BUS1_TO_PTR(args_map_straddle(c.data + 16, 16, 5));
	c.cmd.send.n_destinations = 1;
	ck_assert_int_eq(args_run(&command, &c), 0);
	b1t_expect_text(s.empty, node, ARGS_PAYLOAD);
	c.message.n_data++;
	ck_assert_int_eq(args_run(&command, &c), -EFAULT);
	b1t_expect_empty(s.empty);
	succeed(&command, &s);
}
END_TEST

/* MAX_RW_COUNT itself is a matter of the iovecs, one more is not. */
START_TEST(send_largest_size)
{
	struct args_call c;
	struct args_scene s;

	args_scene_init(&s);
	args_prepare(&command, &c, &s);
	c.cmd.send.ptr_destinations = ~7ULL;
	c.message.n_data = MAX_RW;
	ck_assert_int_eq(args_run(&command, &c), -EFAULT);
	c.message.n_data = MAX_RW + 1;
	ck_assert_int_eq(args_run(&command, &c), -EMSGSIZE);
	succeed(&command, &s);
}
END_TEST

/* 1024 iovecs of a byte each, and the last of them counts. */
START_TEST(send_most_vecs)
{
	static uint8_t data[N_VECS_MAX], got[N_VECS_MAX];
	static struct iovec vecs[N_VECS_MAX], vec = { got, sizeof(got) };
	struct bus1_message message = {
		.n_data = N_VECS_MAX,
		.n_data_vecs = N_VECS_MAX,
		.ptr_data_vecs = BUS1_FROM_PTR(vecs),
	};
	struct bus1_cmd_send send = { .n_destinations = 1, .ptr_message = BUS1_FROM_PTR(&message) };
	struct bus1_metadata metadata;
	struct bus1_cmd_recv recv = {
		.ptr_metadata = BUS1_FROM_PTR(&metadata),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	int a = b1t_peer();
	uint64_t handle;
	size_t i;

	b1t_node_ok(a, -1, NULL, &handle);
	send.ptr_destinations = BUS1_FROM_PTR(&handle);
	for (i = 0; i < N_VECS_MAX; i++) {
		data[i] = i * 7;
		vecs[i] = (struct iovec){ &data[i], 1 };
	}
	ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_SEND, &send), 0);
	message.type = BUS1_INVALID;
	message.n_data_vecs = 1;
	message.ptr_data_vecs = BUS1_FROM_PTR(&vec);
	ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_RECV, &recv), 0);
	ck_assert_uint_eq(message.n_data, N_VECS_MAX);
	ck_assert_mem_eq(got, data, N_VECS_MAX);
}
END_TEST

/* Makes an array of 65536 @id. */
static uint64_t *many_ids(uint64_t id)
{
	uint64_t *ids = calloc(N_MAX, sizeof(*ids));
	size_t i;

	ck_assert_ptr_ne(ids, NULL);
	for (i = 0; i < N_MAX; i++)
		ids[i] = id;
	return ids;
}

/* 65536 destinations are not too many: dead ones but for two; every error is set. */
START_TEST(send_most_destinations)
{
	int32_t *errors = malloc((N_MAX + 1) * sizeof(*errors));
	struct args_call c;
	struct args_scene s;
	uint64_t *ids;
	size_t i;

	ck_assert_ptr_ne(errors, NULL);
	args_scene_init(&s);
	ids = many_ids(s.a_dead);
	ids[0] = s.a_to_b;
	ids[N_MAX - 1] = s.a_to_c;
	memset(errors, B1T_CANARY, (N_MAX + 1) * sizeof(*errors));
	args_prepare(&command, &c, &s);
	c.cmd.send.n_destinations = N_MAX;
	c.cmd.send.ptr_destinations = BUS1_FROM_PTR(ids);
	c.cmd.send.ptr_errors = BUS1_FROM_PTR(errors);
	ck_assert_int_eq(args_run(&command, &c), 0);
	for (i = 0; i < N_MAX; i++)
		if (errors[i])
			ck_abort_msg("errors[%zu] is %d", i, errors[i]);
	ck_assert_int_eq(errors[N_MAX], (int32_t)0xc5c5c5c5);
	args_drain_first(&s);
	b1t_expect_node_release(s.a, s.a_dead);
	b1t_expect_text(s.a, s.a_node, "last");
	b1t_expect_text(s.b, s.b_node, "to b");
	expect_payload(s.b, s.b_node);
	expect_payload(s.c, s.c_node);
	args_check_ids(&s);
	args_check_sole(&s);
	free(ids);
	free(errors);
}
END_TEST

/* A message with 65536 handles, of which every one arrives. */
START_TEST(send_most_transfers)
{
	struct bus1_transfer *transfers = calloc(N_MAX, sizeof(*transfers));
	struct bus1_message message = {
		.n_transfers = N_MAX,
		.ptr_transfers = BUS1_FROM_PTR(transfers),
	};
	struct bus1_cmd_send send = { .n_destinations = 1, .ptr_message = BUS1_FROM_PTR(&message) };
	struct bus1_metadata metadata;
	struct bus1_cmd_recv recv = {
		.ptr_metadata = BUS1_FROM_PTR(&metadata),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	int a = b1t_peer(), b = b1t_peer();
	uint64_t handle, carried, carried_node, *ids;
	size_t i;

	ck_assert_ptr_ne(transfers, NULL);
	b1t_node_ok(b, a, NULL, &handle);
	b1t_node_ok(a, -1, &carried_node, &carried);
	for (i = 0; i < N_MAX; i++)
		transfers[i].id = carried;
	send.ptr_destinations = BUS1_FROM_PTR(&handle);
	ck_assert_int_eq(b1t_ioctl(a, BUS1_CMD_SEND, &send), 0);
	ck_assert_int_eq(b1t_release1(a, carried), 0);
	b1t_expect_empty(a);
	message.type = BUS1_INVALID;
	ck_assert_int_eq(b1t_ioctl(b, BUS1_CMD_RECV, &recv), 0);
	ck_assert_uint_eq(message.n_transfers, N_MAX);
	ids = many_ids(0);
	for (i = 0; i < N_MAX; i++)
		ids[i] = transfers[i].id;
	ck_assert_int_eq(b1t_release(b, N_MAX - 1, ids), 0);
	b1t_expect_empty(a);
	ck_assert_int_eq(b1t_release1(b, ids[N_MAX - 1]), 0);
	b1t_expect_handle_release(a, carried_node);
	b1t_expect_empty(a);
	free(ids);
	free(transfers);
}
END_TEST

TCase *b1t_tcase_args_send(void)
{
	TCase *tcase = tcase_create("args_send");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, send_error, 0, B1T_N(rows));
	tcase_add_loop_test(tcase, send_error_order, 0, B1T_N(rows));
	tcase_add_loop_test(tcase, send_bad_pointer, 0, B1T_N(pointers) * ARGS_N_BAD_POINTERS);
	tcase_add_loop_test(tcase, send_bad_errors, 0, B1T_N(bad_errors));
	tcase_add_loop_test(tcase, send_error_without_destinations, 0, 2);
	tcase_add_test(tcase, send_nothing);
	tcase_add_test(tcase, send_empty);
	tcase_add_test(tcase, send_from_readonly);
	tcase_add_test(tcase, send_payload_ends_at_page);
	tcase_add_test(tcase, send_largest_size);
	tcase_add_test(tcase, send_most_vecs);
	tcase_add_test(tcase, send_most_destinations);
	tcase_add_test(tcase, send_most_transfers);
	return tcase;
}
