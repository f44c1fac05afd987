// SPDX-License-Identifier: LGPL-2.1-or-later
/* BUS1_CMD_RECV: every argument error, and the capacities. */
#include "args.h"

#define N_VECS_MAX 1024

#define CMD(_field) ARGS_AT(cmd.recv._field)
#define MSG(_field) ARGS_AT(message._field)

/* the first message of the scene needs this */
#define N_TRANSFERS 2
#define N_DATA strlen(ARGS_TEXT)

/* the checks, in their order */
enum stage {
	S_COMMAND,
	S_FLAGS,
	S_MESSAGE,
	S_MESSAGE_FLAGS,
	S_N_VECS,
	S_EMPTY,
	S_VECS,
	S_CAPACITY,		/* metadata, too: EMSGSIZE is not reported without it */
	S_OUTPUT,
};

/* The valid call: room for 3 handles and for 64 bytes in iovecs of 3 and 16. */
static const struct args_row rows[] = {
	{ "command", S_COMMAND, EFAULT, { { ARGS_UNMAPPED, ARGS_AT(arg) } } },

	{ "flags 1", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1 } } },
	{ "flags 2^32", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1ULL << 32 } } },
	{ "flags 2^63", S_FLAGS, EINVAL, { { ARGS_LITERAL, CMD(flags), 1ULL << 63 } } },

	{ "ptr_message", S_MESSAGE, EFAULT, { { ARGS_UNMAPPED, CMD(ptr_message) } } },

	{ "message.flags 1", S_MESSAGE_FLAGS, EINVAL, { { ARGS_LITERAL, MSG(flags), 1 } } },
	{ "message.flags 2^63", S_MESSAGE_FLAGS, EINVAL,
	  { { ARGS_LITERAL, MSG(flags), 1ULL << 63 } } },
	{ "USER", S_MESSAGE_FLAGS, EINVAL,
	  { { ARGS_LITERAL, MSG(type), BUS1_MESSAGE_TYPE_USER } } },
	{ "NODE_RELEASE", S_MESSAGE_FLAGS, EINVAL,
	  { { ARGS_LITERAL, MSG(type), BUS1_MESSAGE_TYPE_NODE_RELEASE } } },
	{ "HANDLE_RELEASE", S_MESSAGE_FLAGS, EINVAL,
	  { { ARGS_LITERAL, MSG(type), BUS1_MESSAGE_TYPE_HANDLE_RELEASE } } },
	{ "32-bit -1", S_MESSAGE_FLAGS, EINVAL, { { ARGS_LITERAL, MSG(type), 0xffffffff } } },
	{ "type -2", S_MESSAGE_FLAGS, EINVAL, { { ARGS_LITERAL, MSG(type), ~1ULL } } },

	{ "1025 iovecs", S_N_VECS, EINVAL,
	  { { ARGS_LITERAL, MSG(n_data_vecs), N_VECS_MAX + 1 } } },
	{ "2^32 + 2 iovecs", S_N_VECS, EINVAL,
	  { { ARGS_LITERAL, MSG(n_data_vecs), (1ULL << 32) + 2 } } },
	{ "2^64 - 1 iovecs", S_N_VECS, EINVAL, { { ARGS_LITERAL, MSG(n_data_vecs), ~0ULL } } },

	{ "nothing queued", S_EMPTY, EAGAIN, { { ARGS_FD_EMPTY, ARGS_AT(fd) } } },

	{ "ptr_data_vecs", S_VECS, EFAULT, { { ARGS_UNMAPPED, MSG(ptr_data_vecs) } } },
	/* as readv(2) has it */
	{ "negative iov_len", S_VECS, EINVAL, { { ARGS_LITERAL, ARGS_AT(lengths[1]), ~0ULL } },
	  ARGS_F_NO_ORDER },

	{ "1 transfer", S_CAPACITY, EMSGSIZE, { { ARGS_LITERAL, MSG(n_transfers), 1 } } },
	{ "no transfers", S_CAPACITY, EMSGSIZE, { { ARGS_LITERAL, MSG(n_transfers), 0 } } },
	{ "4 bytes", S_CAPACITY, EMSGSIZE, { { ARGS_LITERAL, MSG(n_data), 4 } } },
	{ "0 bytes", S_CAPACITY, EMSGSIZE, { { ARGS_LITERAL, MSG(n_data), 0 } } },
	{ "3 + 1 bytes", S_CAPACITY, EMSGSIZE, { { ARGS_LITERAL, ARGS_AT(lengths[1]), 1 } } },
	{ "1 iovec", S_CAPACITY, EMSGSIZE, { { ARGS_LITERAL, MSG(n_data_vecs), 1 } } },
	/* would mend a bad ptr_data_vecs */
	{ "no iovecs", S_CAPACITY, EMSGSIZE, { { ARGS_LITERAL, MSG(n_data_vecs), 0 } },
	  ARGS_F_NO_ORDER },
	{ "too few of both", S_CAPACITY, EMSGSIZE,
	  { { ARGS_LITERAL, MSG(n_transfers), 1 }, { ARGS_LITERAL, MSG(n_data), 1 } } },
	{ "2^64 - 1 bytes in 3 + 1", S_CAPACITY, EMSGSIZE,
	  { { ARGS_LITERAL, MSG(n_data), ~0ULL }, { ARGS_LITERAL, ARGS_AT(lengths[1]), 1 } } },

	{ "ptr_metadata", S_CAPACITY, EFAULT, { { ARGS_UNMAPPED, CMD(ptr_metadata) } },
	  ARGS_F_HALF },
	{ "ptr_metadata NULL", S_CAPACITY, EFAULT, { { ARGS_NULL, CMD(ptr_metadata) } },
	  ARGS_F_HALF },
	{ "ptr_metadata read-only", S_CAPACITY, EFAULT, { { ARGS_READONLY, CMD(ptr_metadata) } },
	  ARGS_F_HALF },
	{ "ptr_transfers", S_OUTPUT, EFAULT, { { ARGS_UNMAPPED, MSG(ptr_transfers) } },
	  ARGS_F_HALF },
	{ "ptr_transfers read-only", S_OUTPUT, EFAULT, { { ARGS_READONLY, MSG(ptr_transfers) } },
	  ARGS_F_HALF },
	{ "first iovec", S_OUTPUT, EFAULT, { { ARGS_UNMAPPED, ARGS_AT(bases[0]) } },
	  ARGS_F_HALF },
	{ "second iovec", S_OUTPUT, EFAULT, { { ARGS_UNMAPPED, ARGS_AT(bases[1]) } },
	  ARGS_F_HALF },
	{ "second iovec read-only", S_OUTPUT, EFAULT, { { ARGS_READONLY, ARGS_AT(bases[1]) } },
	  ARGS_F_HALF },
};

static const struct args_pointer pointers[] = {
	{ "command", ARGS_AT(arg), sizeof(struct bus1_cmd_recv) },
	{ "ptr_message", CMD(ptr_message), sizeof(struct bus1_message), true, ARGS_F_HALF },
	{ "ptr_metadata", CMD(ptr_metadata), sizeof(struct bus1_metadata), true, ARGS_F_HALF },
	{ "ptr_transfers", MSG(ptr_transfers), N_TRANSFERS * sizeof(struct bus1_transfer), true,
	  ARGS_F_HALF },
	{ "ptr_data_vecs", MSG(ptr_data_vecs), ARGS_N_VECS * sizeof(struct iovec) },
	{ "first iovec", ARGS_AT(bases[0]), 3, true, ARGS_F_HALF },
	{ "second iovec", ARGS_AT(bases[1]), 2, true, ARGS_F_HALF },
};

/* of the first message of the scene, as the excuses know it */
static struct bus1_metadata first_metadata;

static void prepare(struct args_call *c, const struct args_scene *s)
{
	first_metadata = (struct bus1_metadata){ .id = s->a_node, .account = geteuid() };
	c->message = (struct bus1_message){
		.type = BUS1_INVALID,
		.n_transfers = ARGS_N_HANDLES,
		.ptr_transfers = BUS1_FROM_PTR(c->dst),
		.n_data = 64,
		.n_data_vecs = ARGS_N_VECS,
		.ptr_data_vecs = BUS1_FROM_PTR(c->vecs),
	};
	c->cmd.recv = (struct bus1_cmd_recv){
		.ptr_metadata = BUS1_FROM_PTR(&c->metadata),
		.ptr_message = BUS1_FROM_PTR(&c->message),
	};
}

/* EMSGSIZE updates the two sizes and the metadata; a fault while storing a message may leave some of it. */
static void excuse(struct args_call *before, const struct args_call *after,
		   const struct args_row *row)
{
	if (row->error == EMSGSIZE) {
		before->message.n_transfers = N_TRANSFERS;
		before->message.n_data = N_DATA;
		before->metadata = first_metadata;
	} else if (row->flags & ARGS_F_HALF) {
		before->message.type = after->message.type;
		before->message.n_transfers = after->message.n_transfers;
		before->message.n_data = after->message.n_data;
		before->metadata = after->metadata;
		memcpy(before->dst, after->dst, N_TRANSFERS * sizeof(before->dst[0]));
		memcpy(before->data, after->data, 3);
		memcpy(before->data + 16, after->data + 16, N_DATA - 3);
	}
}

/* What receiving the first message of the scene makes of @before. */
static void expect_received(struct args_call *before, const struct args_call *c)
{
	size_t i;

	before->metadata = first_metadata;
	before->message.type = BUS1_MESSAGE_TYPE_USER;
	before->message.n_transfers = N_TRANSFERS;
	before->message.n_data = N_DATA;
	for (i = 0; i < N_TRANSFERS; i++)
		before->dst[i] = (struct bus1_transfer){ .id = c->dst[i].id };
	memcpy(before->data, ARGS_TEXT, 3);
	memcpy(before->data + 16, &ARGS_TEXT[3], N_DATA - 3);
	ck_assert_mem_eq(before, c, sizeof(*c));
}

/* The handles that @c received are what was sent: one to a_node, the other to b_carried_node. */
static void check_handles(const struct args_call *c, const struct args_scene *s)
{
	ck_assert_int_eq(b1t_send_text(s->a, c->dst[0].id, "x"), 0);
	b1t_expect_text(s->a, s->a_node, "x");
	ck_assert_int_eq(b1t_send_text(s->a, c->dst[1].id, "y"), 0);
	b1t_expect_text(s->b, s->b_carried_node, "y");
	/* no copies were left behind by failed attempts: only the last release is noted */
	ck_assert_int_eq(b1t_release1(s->b, s->b_carried), 0);
	b1t_expect_empty(s->b);
	ck_assert_int_eq(b1t_release1(s->a, c->dst[0].id), 0);
	ck_assert_int_eq(b1t_release1(s->a, c->dst[1].id), 0);
	b1t_expect_handle_release(s->b, s->b_carried_node);
	b1t_expect_empty(s->b);
	b1t_expect_empty(s->a);
}

static void succeed(const struct args_command *command, const struct args_scene *s)
{
	struct args_call before, c;
	uint64_t copy;

	args_prepare(command, &c, s);
	before = c;
	ck_assert_int_eq(args_run(command, &c), 0);
	expect_received(&before, &c);
	args_drain_rest(s);
	args_check_ids(s);
	copy = b1t_copy_ok(s->a, -1, s->a_to_b);
	ck_assert_uint_gt(copy, c.dst[1].id);
	check_handles(&c, s);
	args_check_sole(s);
}

static const struct args_command command = {
	.nr = BUS1_CMD_RECV,
	.rows = rows,
	.n_rows = B1T_N(rows),
	.pointers = pointers,
	.n_pointers = B1T_N(pointers),
	.prepare = prepare,
	.excuse = excuse,
	.succeed = succeed,
};

START_TEST(recv_error)
{
	args_test_row(&command, _i);
}
END_TEST

START_TEST(recv_error_order)
{
	args_test_order(&command, _i);
}
END_TEST

START_TEST(recv_bad_pointer)
{
	args_test_pointer(&command, _i);
}
END_TEST

/* Everything of the command but the message struct is only read: it may be read-only. */
START_TEST(recv_from_readonly)
{
	struct args_call before, c;
	struct args_scene s;

	args_scene_init(&s);
	args_prepare(&command, &c, &s);
	c.message.ptr_data_vecs = args_map_readonly(c.vecs, sizeof(c.vecs));
	c.arg = args_map_readonly(&c.cmd.recv, sizeof(c.cmd.recv));
	before = c;
	ck_assert_int_eq(args_run(&command, &c), 0);
	expect_received(&before, &c);
	args_drain_rest(&s);
}
END_TEST

/* Capacities have no limit, and exactly what is needed is enough. */
static const struct {
	uint64_t n_transfers, n_data, length;
} capacities[] = {
	{ ~0ULL, 64, 16 },
	{ 1ULL << 60, 64, 16 },
	{ 3, ~0ULL, 16 },
	{ 2, 64, 16 },
	{ 3, 5, 16 },
	{ 3, 64, 2 },
	{ 2, 5, 2 },
	{ ~0ULL, ~0ULL, 2 },
};

START_TEST(recv_capacity)
{
	struct args_call before, c;
	struct args_scene s;

	args_scene_init(&s);
	args_prepare(&command, &c, &s);
	c.message.n_transfers = capacities[_i].n_transfers;
	c.message.n_data = capacities[_i].n_data;
	c.lengths[1] = capacities[_i].length;
	c.vecs[1].iov_len = capacities[_i].length;
	before = c;
	ck_assert_int_eq(args_run(&command, &c), 0);
	expect_received(&before, &c);
	args_drain_rest(&s);
}
END_TEST

/* What EMSGSIZE leaves behind can be submitted again as it is. */
START_TEST(recv_resubmit)
{
	struct args_call before, c;
	struct args_scene s;

	args_scene_init(&s);
	args_prepare(&command, &c, &s);
	c.message.n_transfers = 0;
	c.message.n_data = 0;
	ck_assert_int_eq(args_run(&command, &c), -EMSGSIZE);
	ck_assert_uint_eq(c.message.type, BUS1_INVALID);
	ck_assert_uint_eq(c.message.n_transfers, N_TRANSFERS);
	ck_assert_uint_eq(c.message.n_data, N_DATA);
	ck_assert_mem_eq(&c.metadata, &first_metadata, sizeof(c.metadata));
	before = c;
	ck_assert_int_eq(args_run(&command, &c), 0);
	expect_received(&before, &c);
	args_drain_rest(&s);
}
END_TEST

/* Too little room, and no place for the metadata: the sizes stay, so that it shows what was wrong. */
START_TEST(recv_small_without_metadata)
{
	static const enum args_kind kinds[] = {
		ARGS_NULL, ARGS_UNMAPPED, ARGS_STRADDLE, ARGS_READONLY, ARGS_KERNEL, ARGS_LAST,
	};
	/* not on the stack: behind that there may not be room for the largest iovec */
	static struct args_call before, c;
	struct args_set set = { .offset = CMD(ptr_metadata) };
	struct args_scene s;
	size_t i, j;

	args_scene_init(&s);
	for (i = 0; i < B1T_N(rows); i++) {
		if (rows[i].error != EMSGSIZE)
			continue;
		for (j = 0; j < B1T_N(kinds); j++) {
			args_prepare(&command, &c, &s);
			args_spoil(&c, &s, &rows[i].sets[0], 0);
			args_spoil(&c, &s, &rows[i].sets[1], 0);
			set.kind = kinds[j];
			args_spoil(&c, &s, &set, sizeof(c.metadata));
			before = c;
			ck_assert_int_eq(args_run(&command, &c), -EFAULT);
			ck_assert_mem_eq(&before, &c, sizeof(c));
		}
	}
	succeed(&command, &s);
}
END_TEST

/* Without room at all: enough for a notification; the pointers are not looked at. */
START_TEST(recv_notification_without_room)
{
	struct args_call c;
	struct args_scene s;

	args_scene_init(&s);
	args_drain_first(&s);
	args_prepare(&command, &c, &s);
	c.message = (struct bus1_message){
		.type = BUS1_INVALID,
		.ptr_transfers = ~0ULL,
		.ptr_data_vecs = ~0ULL,
	};
	ck_assert_int_eq(args_run(&command, &c), 0);
	ck_assert_uint_eq(c.message.type, BUS1_MESSAGE_TYPE_NODE_RELEASE);
	ck_assert_uint_eq(c.message.n_transfers, 0);
	ck_assert_uint_eq(c.message.n_data, 0);
	ck_assert_uint_eq(c.message.ptr_transfers, ~0ULL);
	ck_assert_uint_eq(c.message.ptr_data_vecs, ~0ULL);
	ck_assert_uint_eq(c.metadata.flags, 0);
	ck_assert_uint_eq(c.metadata.id, s.a_dead);
	ck_assert_uint_eq(c.metadata.account, BUS1_INVALID);
	b1t_expect_text(s.a, s.a_node, "last");
	b1t_expect_empty(s.a);
}
END_TEST

/* A notification is not consumed either when it cannot be stored. */
START_TEST(recv_notification_fault)
{
	struct args_call c;
	struct args_scene s;

	args_scene_init(&s);
	args_drain_first(&s);
	args_prepare(&command, &c, &s);
	c.cmd.recv.ptr_metadata = args_map_readonly(&c.metadata, sizeof(c.metadata));
	ck_assert_int_eq(args_run(&command, &c), -EFAULT);
	args_prepare(&command, &c, &s);
	c.cmd.recv.ptr_message = args_map_readonly(&c.message, sizeof(c.message));
	ck_assert_int_eq(args_run(&command, &c), -EFAULT);
	args_drain_rest(&s);
}
END_TEST

/* 1024 iovecs, most of them empty, the bytes in the last two. */
START_TEST(recv_most_vecs)
{
	static struct iovec vecs[N_VECS_MAX];
	struct args_call before, c;
	struct args_scene s;

	args_scene_init(&s);
	args_prepare(&command, &c, &s);
	memcpy(&vecs[N_VECS_MAX - ARGS_N_VECS], c.vecs, sizeof(c.vecs));
	c.message.n_data_vecs = N_VECS_MAX;
	c.message.ptr_data_vecs = BUS1_FROM_PTR(vecs);
	before = c;
	ck_assert_int_eq(args_run(&command, &c), 0);
	expect_received(&before, &c);
	args_drain_rest(&s);
}
END_TEST

TCase *b1t_tcase_args_recv(void)
{
	TCase *tcase = tcase_create("args_recv");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, recv_error, 0, B1T_N(rows));
	tcase_add_loop_test(tcase, recv_error_order, 0, B1T_N(rows));
	tcase_add_loop_test(tcase, recv_bad_pointer, 0, B1T_N(pointers) * ARGS_N_BAD_POINTERS);
	tcase_add_loop_test(tcase, recv_capacity, 0, B1T_N(capacities));
	tcase_add_test(tcase, recv_from_readonly);
	tcase_add_test(tcase, recv_resubmit);
	tcase_add_test(tcase, recv_small_without_metadata);
	tcase_add_test(tcase, recv_notification_without_room);
	tcase_add_test(tcase, recv_notification_fault);
	tcase_add_test(tcase, recv_most_vecs);
	return tcase;
}
