// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the tables of argument errors share, see args.h. */
#define _GNU_SOURCE
#include "args.h"
#include <sys/mman.h>

#define N_FOREIGN 64

static const enum args_kind bad_pointers[ARGS_N_BAD_POINTERS] = {
	ARGS_NULL, ARGS_UNMAPPED, ARGS_STRADDLE, ARGS_KERNEL, ARGS_NONCANONICAL, ARGS_LAST,
	ARGS_READONLY,
};

/* Two pages, the second of which cannot be accessed. */
static uint8_t *map_pages(void)
{
	size_t size = sysconf(_SC_PAGESIZE);
	uint8_t *pages = mmap(NULL, 2 * size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(pages, MAP_FAILED);
	ck_assert_int_eq(mprotect(pages + size, size, PROT_NONE), 0);
	return pages;
}

/* A copy of @good of which only the first @readable bytes can be accessed. */
uint64_t args_map_straddle(const void *good, size_t size, size_t readable)
{
	uint8_t *p = map_pages() + sysconf(_SC_PAGESIZE) - readable;

	ck_assert_uint_lt(readable, size);
	memcpy(p, good, readable);
	return BUS1_FROM_PTR(p);
}

/* A copy of @good in a page that cannot be written. */
uint64_t args_map_readonly(const void *good, size_t size)
{
	uint8_t *p = map_pages();

	memcpy(p, good, size);
	ck_assert_int_eq(mprotect(p, sysconf(_SC_PAGESIZE), PROT_READ), 0);
	return BUS1_FROM_PTR(p);
}

/* A hole of one page: map_pages() does not fit in, so that it stays one. */
static uint64_t map_hole(void)
{
	size_t size = sysconf(_SC_PAGESIZE);
	uint8_t *pages = mmap(NULL, 3 * size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert_ptr_ne(pages, MAP_FAILED);
	ck_assert_int_eq(munmap(pages + size, size), 0);
	return BUS1_FROM_PTR(pages + size);
}

static int open_pipe(void)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	return fds[0];
}

static int open_file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "open %s: %s", path, strerror(errno));
	return fd;
}

static int open_closed(void)
{
	int fd = open_pipe();

	close(fd);
	return fd;
}

/*
 * A handle ID of b that a does not know: both count from the same start, so b has to use up more
 * IDs than a does in a whole test.
 */
static uint64_t foreign_id(const struct args_scene *s)
{
	struct bus1_transfer src[N_FOREIGN] = {}, dst[N_FOREIGN];
	uint64_t ids[N_FOREIGN];
	size_t i;

	for (i = 0; i < N_FOREIGN; i++)
		src[i].id = s->b_to_a;
	ck_assert_int_eq(b1t_transfer(s->b, -1, N_FOREIGN, src, dst), 0);
	for (i = 0; i < N_FOREIGN; i++)
		ids[i] = dst[i].id;
	ck_assert_int_eq(b1t_release(s->b, N_FOREIGN - 1, ids), 0);
	ck_assert_int_eq(b1t_release1(s->a, ids[N_FOREIGN - 1]), -EBADRQC);
	return ids[N_FOREIGN - 1];
}

/*
 * The queue of a: a text with two handles, a notification, a text. The queue of b: a text. c and
 * empty have nothing.
 */
void args_scene_init(struct args_scene *s)
{
	uint64_t gone;

	s->a = b1t_peer();
	s->b = b1t_peer();
	s->c = b1t_peer();
	s->empty = b1t_peer();
	b1t_node_ok(s->a, s->b, &s->a_node, &s->b_to_a);
	b1t_node_ok(s->b, s->a, &s->b_node, &s->a_to_b);
	b1t_node_ok(s->c, s->a, &s->c_node, &s->a_to_c);
	b1t_node_ok(s->b, s->a, &s->b_sole, &s->a_sole);
	b1t_node_ok(s->a, -1, &s->a_own_node, &s->a_own);
	b1t_node_ok(s->a, s->c, &s->a_spare, &s->c_to_spare);
	b1t_node_ok(s->b, -1, &s->b_carried_node, &s->b_carried);
	b1t_node_ok(s->c, s->a, &gone, &s->a_dead);
	s->a_stale = b1t_copy_ok(s->a, -1, s->a_to_c);
	ck_assert_int_eq(b1t_release1(s->a, s->a_stale), 0);
	s->b_foreign = foreign_id(s);

	ck_assert_int_eq(b1t_send(s->b, 1, &s->b_to_a, ARGS_TEXT, strlen(ARGS_TEXT),
				  (uint64_t[]){ s->b_to_a, s->b_carried }, 2), 0);
	ck_assert_int_eq(b1t_release1(s->c, gone), 0);
	ck_assert_int_eq(b1t_send_text(s->b, s->b_to_a, "last"), 0);
	ck_assert_int_eq(b1t_send_text(s->a, s->a_to_b, "to b"), 0);
}

/* Receives the first message of a. */
void args_drain_first(const struct args_scene *s)
{
	uint64_t handles[2];

	b1t_expect_handles(s->a, s->a_node, ARGS_TEXT, 2, handles);
	ck_assert_int_eq(b1t_release(s->a, 2, handles), 0);
}

/* Receives everything else, and there is nothing that args_scene_init() did not put there. */
void args_drain_rest(const struct args_scene *s)
{
	b1t_expect_node_release(s->a, s->a_dead);
	b1t_expect_text(s->a, s->a_node, "last");
	b1t_expect_empty(s->a);
	b1t_expect_text(s->b, s->b_node, "to b");
	b1t_expect_empty(s->b);
	b1t_expect_empty(s->c);
	b1t_expect_empty(s->empty);
}

/* All nodes and handles work, but a_sole and a_spare; the queues are and stay empty. */
void args_check_ids(const struct args_scene *s)
{
	uint64_t copy;

	ck_assert_int_eq(b1t_send_text(s->b, s->b_to_a, "1"), 0);
	b1t_expect_text(s->a, s->a_node, "1");
	ck_assert_int_eq(b1t_send_text(s->a, s->a_to_b, "2"), 0);
	b1t_expect_text(s->b, s->b_node, "2");
	ck_assert_int_eq(b1t_send_text(s->a, s->a_to_c, "3"), 0);
	b1t_expect_text(s->c, s->c_node, "3");
	ck_assert_int_eq(b1t_send_text(s->a, s->a_own, "4"), 0);
	b1t_expect_text(s->a, s->a_own_node, "4");
	ck_assert_int_eq(b1t_send_text(s->b, s->b_carried, "5"), 0);
	b1t_expect_text(s->b, s->b_carried_node, "5");
	/* dead, but its ID is valid; a copy of it is born dead */
	copy = b1t_copy_ok(s->a, -1, s->a_dead);
	b1t_expect_node_release(s->a, copy);
	ck_assert_int_eq(b1t_release1(s->a, copy), 0);
	b1t_expect_empty(s->a);
	b1t_expect_empty(s->b);
	b1t_expect_empty(s->c);
}

/* No copy of a_sole has been left anywhere: releasing it is releasing the last handle. */
void args_check_sole(const struct args_scene *s)
{
	ck_assert_int_eq(b1t_send_text(s->a, s->a_sole, "sole"), 0);
	b1t_expect_text(s->b, s->b_sole, "sole");
	ck_assert_int_eq(b1t_release1(s->a, s->a_sole), 0);
	b1t_expect_handle_release(s->b, s->b_sole);
	b1t_expect_empty(s->b);
}

static void make_vecs(struct args_call *c)
{
	size_t i;

	for (i = 0; i < ARGS_N_VECS; i++) {
		c->vecs[i].iov_base = BUS1_TO_PTR(c->bases[i]);
		c->vecs[i].iov_len = c->lengths[i];
	}
}

/* A valid call of @command in @c. */
void args_prepare(const struct args_command *command, struct args_call *c,
		  const struct args_scene *s)
{
	memset(c, B1T_CANARY, sizeof(*c));
	c->fd = s->a;
	c->arg = BUS1_FROM_PTR(&c->cmd);
	c->bases[0] = BUS1_FROM_PTR(c->data);
	c->bases[1] = BUS1_FROM_PTR(c->data + 16);
	c->lengths[0] = 3;
	c->lengths[1] = 16;
	command->prepare(c, s);
	make_vecs(c);
}

static uint64_t spoiled_pointer(enum args_kind kind, uint64_t good, size_t size)
{
	switch (kind) {
	case ARGS_UNMAPPED:
		return map_hole();
	case ARGS_STRADDLE:
		return args_map_straddle(BUS1_TO_PTR(good), size, size / 2);
	case ARGS_READONLY:
		return args_map_readonly(BUS1_TO_PTR(good), size);
	case ARGS_KERNEL:
		return 0xffffffff81000000ULL;
	case ARGS_NONCANONICAL:
		return 0x8000000000000000ULL;
	case ARGS_LAST:
		return ~7ULL;
	default:
		ck_assert_int_eq(kind, ARGS_NULL);
		return 0;
	}
}

static uint64_t spoiled_id(enum args_kind kind, const struct args_scene *s, uint64_t good)
{
	switch (kind) {
	case ARGS_ID_NODE:
		return s->a_node;
	case ARGS_ID_HANDLE:
		return s->a_to_b;
	case ARGS_ID_STALE:
		return s->a_stale;
	case ARGS_ID_FOREIGN:
		return s->b_foreign;
	case ARGS_ID_FUTURE:
		return s->a_stale + 100000;
	case ARGS_ID_EVEN:
		return good + 1;
	default:
		ck_assert_int_eq(kind, ARGS_ID_HIGH);
		return good | 1ULL << 32;
	}
}

static uint64_t spoiled_fd(enum args_kind kind, const struct args_scene *s, uint64_t good)
{
	switch (kind) {
	case ARGS_FD_EMPTY:
		return s->empty;
	case ARGS_FD_HIGH:
		return good | 1ULL << 32;
	case ARGS_FD_CLOSED:
		return open_closed();
	case ARGS_FD_PATH:
		return open_file("/dev/bus1", O_PATH);
	case ARGS_FD_NULL:
		return open_file("/dev/null", O_RDWR);
	case ARGS_FD_PIPE:
		return open_pipe();
	case ARGS_FD_FILE:
		return open_file("/proc/self/exe", O_RDONLY);
	default:
		ck_assert_int_eq(kind, ARGS_FD_DIRECTORY);
		return open_file("/", O_RDONLY | O_DIRECTORY);
	}
}

/* Applies @set to @c; @size: of what the pointer points to, for the kinds that copy it. */
void args_spoil(struct args_call *c, const struct args_scene *s, const struct args_set *set,
		size_t size)
{
	uint64_t *field = (uint64_t *)((uint8_t *)c + set->offset);

	if (set->kind == ARGS_NOTHING)
		return;
	if (set->kind == ARGS_LITERAL)
		*field = set->value;
	else if (set->kind < ARGS_ID_NODE)
		*field = spoiled_pointer(set->kind, *field, size);
	else if (set->kind < ARGS_FD_EMPTY)
		*field = spoiled_id(set->kind, s, *field);
	else
		*field = spoiled_fd(set->kind, s, *field);
	make_vecs(c);
}

/* ARGS_READONLY in a row: copy this much; nothing a pointer points to is larger. */
#define ROW_SIZE sizeof(((struct args_call *)0)->message)

static void spoil_row(struct args_call *c, const struct args_scene *s, const struct args_row *row)
{
	args_spoil(c, s, &row->sets[0], ROW_SIZE);
	args_spoil(c, s, &row->sets[1], ROW_SIZE);
}

/* Makes the call. On 32 bit the address of the command loses its upper half, as it must. */
int args_run(const struct args_command *command, const struct args_call *c)
{
	return b1t_ioctl(c->fd, command->nr, BUS1_TO_PTR(c->arg));
}

/* Makes the call, which fails and leaves the outputs alone. */
static void run_failing(const struct args_command *command, struct args_call *c,
			const struct args_row *row, const char *also)
{
	struct args_call before = *c;
	int ret = args_run(command, c);

	ck_assert_msg(ret == -row->error, "%s%s%s: got %s, expected %s", row->name,
		      also ? " and " : "", also ? also : "", strerror(-ret),
		      strerror(row->error));
	b1t_expected(-row->error);
	if (command->excuse)
		command->excuse(&before, c, row);
	ck_assert_msg(!memcmp(&before, c, sizeof(*c)), "%s%s%s: outputs were touched", row->name,
		      also ? " and " : "", also ? also : "");
}

/* Row @i: fails with its errno and changes nothing. */
void args_test_row(const struct args_command *command, size_t i)
{
	struct args_scene s;
	/* not on the stack: behind that there may not be room for the largest iovec */
	static struct args_call c;

	args_scene_init(&s);
	args_prepare(command, &c, &s);
	spoil_row(&c, &s, &command->rows[i]);
	run_failing(command, &c, &command->rows[i], NULL);
	command->succeed(command, &s);
}

static bool rows_combine(const struct args_row *first, const struct args_row *second)
{
	size_t i, j;

	if (first->stage >= second->stage || (first->flags | second->flags) & ARGS_F_NO_ORDER)
		return false;
	for (i = 0; i < B1T_N(first->sets); i++)
		for (j = 0; j < B1T_N(second->sets); j++)
			if (first->sets[i].kind && second->sets[j].kind &&
			    first->sets[i].offset == second->sets[j].offset)
				return false;
	return true;
}

/* Row @i together with each one of a later stage: row @i is what is reported. */
void args_test_order(const struct args_command *command, size_t i)
{
	const struct args_row *first = &command->rows[i], *second;
	struct args_scene s;
	/* not on the stack: behind that there may not be room for the largest iovec */
	static struct args_call c;
	size_t j;

	args_scene_init(&s);
	for (j = 0; j < command->n_rows; j++) {
		second = &command->rows[j];
		if (!rows_combine(first, second))
			continue;
		args_prepare(command, &c, &s);
		spoil_row(&c, &s, first);
		spoil_row(&c, &s, second);
		run_failing(command, &c, first, second->name);
	}
	command->succeed(command, &s);
}

/* One pointer with one kind of bad address; @i counts both. */
void args_test_pointer(const struct args_command *command, size_t i)
{
	const struct args_pointer *pointer = &command->pointers[i / ARGS_N_BAD_POINTERS];
	struct args_set set = {
		.kind = bad_pointers[i % ARGS_N_BAD_POINTERS],
		.offset = pointer->offset,
	};
	struct args_row row = { .name = pointer->name, .error = EFAULT, .flags = pointer->flags };
	struct args_scene s;
	/* not on the stack: behind that there may not be room for the largest iovec */
	static struct args_call c;

	if (set.kind == ARGS_READONLY && !pointer->output)
		return;
	args_scene_init(&s);
	args_prepare(command, &c, &s);
	args_spoil(&c, &s, &set, pointer->size);
	run_failing(command, &c, &row, NULL);
	command->succeed(command, &s);
}
