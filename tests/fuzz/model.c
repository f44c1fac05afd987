// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * model: whole sequences of commands, compared with the reference
 *
 * An input is a header and any number of records of the same size, one for each operation, so that
 * inputs stay meaningful when records are moved, copied and dropped. All bytes mean something:
 * objects are chosen from those that exist, most arguments are valid.
 */
#include <errno.h>

#include "../unit/shim/shim.h"
#include "common.h"

#define N_RECORDS_MAX 400

struct header {
	uint8_t max_objects;
	uint8_t max_bytes;
	uint8_t ns;
	uint8_t flags;
	uint8_t first_close;
	uint8_t unused[11];
};

enum {
	HEADER_FLIP = 1 << 0,		/* what is read changes */
	HEADER_CLOSE_FULL = 1 << 1,	/* close without having received everything */
	HEADER_POLL = 1 << 2,		/* after each operation */
	HEADER_FDINFO = 1 << 3,
	HEADER_LOOK = 1 << 4,		/* also while user memory is touched */
};

struct record {
	uint8_t op;
	uint8_t peer;
	uint8_t n1, n2;
	uint8_t size[2];
	uint8_t modifier;
	uint8_t parameter;
	uint8_t a[4], b[4];		/* choices of objects */
};

_Static_assert(sizeof(struct header) == sizeof(struct record), "sizes differ");

enum modifier {
	MODIFIER_NONE = 0,
	MODIFIER_DENY_READ = 192,	/* these and the ones in between; the rest is none */
	MODIFIER_DENY_WRITE = 200,
	MODIFIER_DENY_BOTH = 208,
	MODIFIER_NO_MEMORY = 212,
	MODIFIER_NO_COPY = 220,
	MODIFIER_KILL = 228,
	MODIFIER_FLAGS = 232,
	MODIFIER_MESSAGE_FLAGS,
	MODIFIER_TYPE,
	MODIFIER_ELEMENT,
	MODIFIER_TOO_MANY,
	MODIFIER_TOO_MANY_VECS,
	MODIFIER_TOO_MUCH,
	MODIFIER_NULL,
	MODIFIER_NUMBER,
	MODIFIER_ADDRESS,
	MODIFIER_MANY,			/* the largest count that is allowed, of the same element */
	MODIFIER_VEC_NEGATIVE,
	MODIFIER_VEC_HIGH,
	MODIFIER_TO,
	MODIFIER_NOWHERE,
	MODIFIER_ROOM,			/* as much as is granted, or one byte more */
	_MODIFIER_N,
};

static const uint64_t maxima[16] = {
	1, 2, 4, 8, 12, 20, 30, 50, 80, 120, 200, 500, 2000, 10000, 1 << 20, 1ULL << 48,
};

static const uint16_t areas[] = {
	AREA_CMD, AREA_MESSAGE, AREA_METADATA, AREA_VECS, AREA_IDS, AREA_ERRORS, AREA_SRC,
	AREA_DST, AREA_DATA,
};

#define N_OF(_array) (sizeof(_array) / sizeof((_array)[0]))

/* A descriptor of a peer, -1: there is none. */
static int choose_fd(unsigned int n)
{
	int fd, n_fds = 0;

	for (fd = 0; fd < VFS_N_FDS; fd++)
		n_fds += !!bus_peer(fd);
	if (!n_fds)
		return -1;
	n %= (unsigned int)n_fds;
	for (fd = 0; fd < VFS_N_FDS; fd++) {
		if (bus_peer(fd) && !n--)
			break;
	}
	return fd;
}

static uint64_t choose_bad(const struct ref_peer *peer, unsigned int n)
{
	static const uint64_t others[] = { 0, 2, BUS1_INVALID, 1ULL << 63 };

	if (n & 1)
		return ref_pick_old(peer, n / 2);
	return others[n / 2 % N_OF(others)];
}

static uint64_t choose_handle(const struct ref_peer *peer, unsigned int n)
{
	if (n < 240)
		return ref_pick_handle(peer, n);
	if (n < 246)
		return ref_pick_node(peer, n);
	return choose_bad(peer, n);
}

static uint64_t choose_any(const struct ref_peer *peer, unsigned int n)
{
	if (n < 120)
		return ref_pick_handle(peer, n);
	if (n < 240)
		return ref_pick_node(peer, n);
	return choose_bad(peer, n);
}

/* The choice for the i-th element of an array; further ones follow the first four. */
static unsigned int choice(const uint8_t *choices, unsigned int i)
{
	unsigned int n = choices[i % 4];

	return n < 240 ? (n + i / 4) % 240 : n;
}

static uint64_t max_objects;

/*
 * The largest count that is allowed, or so; but where quotas let it through, only what the linear
 * searches of the reference can bear.
 */
static uint64_t count_many(const struct record *r)
{
	return (max_objects > 1000 ? 600 : 65536) - r->parameter % 2;
}

/* Small counts mostly. */
static unsigned int count(uint8_t n, unsigned int max)
{
	if (n < 200)
		return n % 5;
	if (n < 240)
		return n % 13;
	return n % (max + 1);
}

static unsigned int data_size(const struct record *r)
{
	unsigned int n = r->size[0] | (unsigned int)r->size[1] << 8;

	return r->size[1] < 160 ? r->size[0] % 48 : n % (N_DATA_MAX - 2);
}

static bool is_compat(const struct record *r)
{
	return r->peer & 0x80;
}

static void deny(const struct record *r, unsigned int access)
{
	unsigned int area = r->parameter % N_OF(areas), offset = r->parameter / N_OF(areas);

	/* behind a few elements, or in the middle of one */
	user_deny(USER_WINDOW + areas[area] + offset * 4, r->n1 & 1 ? 8 : AREA_END, access);
}

static void inject(const struct record *r)
{
	if (r->modifier < MODIFIER_DENY_READ || r->modifier >= MODIFIER_FLAGS)
		return;
	if (r->modifier < MODIFIER_DENY_WRITE)
		deny(r, USER_READ);
	else if (r->modifier < MODIFIER_DENY_BOTH)
		deny(r, USER_WRITE);
	else if (r->modifier < MODIFIER_NO_MEMORY)
		deny(r, USER_READ | USER_WRITE);
	else if (r->modifier < MODIFIER_NO_COPY)
		shim_fail_nth = 1 + r->parameter % 16;
	else if (r->modifier < MODIFIER_KILL)
		user_fail_nth = 1 + r->parameter % 24;
	else
		vfs_kill_nth = 1 + r->parameter % 12;
}

static void call(int fd, const struct record *r, unsigned int number, const void *cmd, size_t size)
{
	uint64_t arg = USER_WINDOW + AREA_CMD;

	if (r->modifier == MODIFIER_NUMBER)
		number ^= 1u << r->parameter % 32;
	if (r->modifier == MODIFIER_ADDRESS)
		arg = r->parameter < 128 ? arg | 1ULL << 40 : arg << 32;
	put(AREA_CMD, cmd, size);
	inject(r);
	bus_ioctl(fd, number, arg, is_compat(r));
	user_allow_all();
}

static void do_open(const struct record *r)
{
	if (r->modifier >= MODIFIER_NO_MEMORY && r->modifier < MODIFIER_NO_COPY)
		shim_fail_nth = 1 + r->parameter % 8;
	bus_open(r->n1 % 4 ? 999 + r->n1 % 4 : 0);
}

static uint64_t choose_to(int fd, const struct record *r)
{
	if (r->modifier == MODIFIER_TO)
		return (uint64_t[]){ VFS_OTHER, VFS_N_FDS - 1, VFS_N_FDS, 1ULL << 32, INT32_MAX,
				     1ULL << 31 }[r->parameter % 6];
	if (r->n2 < 64)
		return BUS1_INVALID;
	if (r->n2 < 80)
		return (uint64_t)fd;
	return (uint64_t)choose_fd(r->n2);
}

/* The flag next to those that there are is the likeliest to be forgotten. */
static void change_element(struct bus1_transfer *transfer, unsigned int how)
{
	if (how < 16)
		transfer->flags ^= 2;
	else if (how < 32)
		transfer->flags ^= 1ULL << (how * 4 % 64);
	else
		transfer->id ^= 1ULL << (how * 2 % 64);
}

static void do_transfer(int fd, const struct record *r, bool create)
{
	struct bus1_transfer src[N_TRANSFERS_MAX];
	struct bus1_cmd_transfer cmd = {
		.to = choose_to(fd, r),
		.n_transfers = count(r->n1, N_TRANSFERS_MAX),
		.ptr_src = USER_WINDOW + AREA_SRC,
		.ptr_dst = USER_WINDOW + AREA_DST,
	};
	unsigned int i;

	for (i = 0; i < cmd.n_transfers; i++) {
		src[i].flags = create ^ (choice(r->b, i) >= 224);
		src[i].id = src[i].flags ? BUS1_INVALID :
					   choose_handle(bus_peer(fd), choice(r->a, i));
		if (r->modifier == MODIFIER_ELEMENT && i == r->parameter % 4)
			change_element(&src[i], r->parameter / 4);
	}
	put(AREA_SRC, src, cmd.n_transfers * sizeof(*src));
	if (r->b[3] == 0xff)
		cmd.ptr_dst = cmd.ptr_src;
	if (r->modifier == MODIFIER_FLAGS)
		cmd.flags = 1ULL << r->parameter % 64;
	if (r->modifier == MODIFIER_TOO_MANY)
		cmd.n_transfers = 65537ULL << r->parameter % 48;
	if (r->modifier == MODIFIER_NULL)
		*(r->parameter & 1 ? &cmd.ptr_src : &cmd.ptr_dst) = 0;
	if (r->modifier == MODIFIER_MANY) {
		cmd.n_transfers = count_many(r);
		cmd.ptr_src = USER_PATTERN;
		cmd.ptr_dst = USER_BIG;
		memcpy(user_pattern, src, sizeof(user_pattern));
	}
	call(fd, r, BUS1_CMD_TRANSFER, &cmd, sizeof(cmd));
}

static void do_release(int fd, const struct record *r)
{
	struct bus1_cmd_release cmd = {
		.n_ids = count(r->n1, N_IDS_MAX),
		.ptr_ids = USER_WINDOW + AREA_IDS,
	};
	uint64_t ids[N_IDS_MAX] = {};
	unsigned int i;

	for (i = 0; i < cmd.n_ids; i++)
		ids[i] = choose_any(bus_peer(fd), choice(i & 4 ? r->b : r->a, i));
	put(AREA_IDS, ids, cmd.n_ids * sizeof(*ids));
	if (r->modifier == MODIFIER_FLAGS)
		cmd.flags = 1ULL << r->parameter % 64;
	if (r->modifier == MODIFIER_TOO_MANY)
		cmd.n_ids = 65537ULL << r->parameter % 48;
	if (r->modifier == MODIFIER_NULL)
		cmd.ptr_ids = 0;
	if (r->modifier == MODIFIER_MANY) {
		cmd.n_ids = count_many(r);
		cmd.ptr_ids = USER_PATTERN;
		for (i = 0; i < 8; i++)
			ids[i] = choose_any(bus_peer(fd), choice(r->a, i));
		memcpy(user_pattern, ids, sizeof(user_pattern));
	}
	/* when it can give up, and when it cannot any more */
	if (r->n2 % 16 == 1)
		vfs_kill_nth = 1 + r->parameter % 4;
	call(fd, r, BUS1_CMD_RELEASE, &cmd, sizeof(cmd));
}

/* Cuts @n bytes into some vectors. Empty ones are among them. */
static unsigned int put_vecs(const struct record *r, unsigned int n)
{
	unsigned int i, k = 1 + r->b[3] % 3, part, done = 0;
	uint64_t base = USER_WINDOW + AREA_DATA, len;

	if (r->b[3] >= 224)
		k = 1 + r->b[3] % (N_VECS_MAX - 1);
	for (i = 0; i < k; i++) {
		part = i + 1 == k ? n - done : (n - done) * (r->b[2] % 4) / 4;
		len = part;
		if (r->modifier == MODIFIER_VEC_NEGATIVE && i == r->parameter % 2)
			len |= is_compat(r) ? 1ULL << 31 : 1ULL << 63;
		if (r->modifier == MODIFIER_VEC_HIGH && i == r->parameter % 2)
			base |= 1ULL << (16 + r->parameter % 48);
		put_vec(i, base + done, len, is_compat(r));
		done += part;
	}
	return k;
}

static void modify_message(const struct record *r, struct bus1_message *message)
{
	switch (r->modifier) {
	case MODIFIER_MESSAGE_FLAGS:
		message->flags = 1ULL << r->parameter % 64;
		break;
	case MODIFIER_TYPE:
		message->type ^= 1 + r->parameter;
		break;
	case MODIFIER_TOO_MANY:
		if (r->parameter & 1)
			message->n_transfers = 65537ULL << r->parameter / 2 % 48;
		break;
	case MODIFIER_TOO_MANY_VECS:
		message->n_data_vecs = 1025ULL << r->parameter % 54;
		break;
	case MODIFIER_TOO_MUCH:
		message->n_data += 1ULL << r->parameter % 64;
		break;
	case MODIFIER_NULL:
		*(r->parameter & 1 ? &message->ptr_transfers : &message->ptr_data_vecs) = 0;
		break;
	default:
		break;
	}
}

/* Bytes by which each part of a large payload can be told from the others. */
static void fill_big(unsigned int n)
{
	static uint8_t bytes[N_BIG_MAX];
	unsigned int i;

	for (i = 0; i < n; i++)
		bytes[i] = (uint8_t)(i ^ i >> 8 ^ i >> 16);
	user_write(&user_space, USER_BIG, bytes, n);
}

/* One to three vectors that are too large to be copied in one go. */
static unsigned int put_big_vecs(const struct record *r, unsigned int n)
{
	unsigned int i, k = 1 + r->b[3] % 3, done = 0, part;

	for (i = 0; i < k; i++) {
		part = i + 1 == k ? n - done : n / k - r->b[2];
		put_vec(i, USER_BIG + done, part, is_compat(r));
		done += part;
	}
	return k;
}

/*
 * Sends one message to tens of thousands of destinations, or with as many handles, vectors or
 * bytes.
 */
static void modify_many(const struct record *r, struct bus1_cmd_send *cmd,
			struct bus1_message *message)
{
	size_t i;

	if (r->modifier != MODIFIER_MANY)
		return;
	memset(user_pattern, 0, sizeof(user_pattern));
	switch (r->parameter % 3) {
	case 0:
		cmd->n_destinations = count_many(r);
		cmd->ptr_destinations = USER_PATTERN;
		cmd->ptr_errors = cmd->ptr_errors ? USER_BIG : 0;
		/* one that is gone is the only way to so many */
		for (i = 0; i < sizeof(user_pattern) / sizeof(uint64_t); i++)
			memcpy(user_pattern + i * sizeof(uint64_t), user_space.window + AREA_IDS +
			       (r->parameter < 128 ? i * sizeof(uint64_t) : 0), sizeof(uint64_t));
		break;
	case 1:
		message->n_transfers = count_many(r);
		message->ptr_transfers = USER_PATTERN;
		memcpy(user_pattern, user_space.window + AREA_SRC, sizeof(user_pattern));
		break;
	default:
		if (r->parameter < 64) {
			message->n_data_vecs = 1024;
			message->ptr_data_vecs = USER_PATTERN;
			message->n_data = 0;
			break;
		}
		/* about where the first chunk ends, or several of them */
		message->n_data = r->size[1] < 64 ? 0xfff0 + r->size[0] % 32 :
				  0x24000 + (r->size[0] | (unsigned int)r->size[1] << 8) * 3;
		message->n_data_vecs = put_big_vecs(r, (unsigned int)message->n_data);
		fill_big((unsigned int)message->n_data);
		break;
	}
}

static void do_send(int fd, const struct record *r)
{
	unsigned int i, n_data = data_size(r);
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_transfers = r->n2 < 96 ? 0 : count(r->n2, N_TRANSFERS_MAX),
		.ptr_transfers = USER_WINDOW + AREA_SRC,
		.n_data = n_data,
		.ptr_data_vecs = USER_WINDOW + AREA_VECS,
	};
	struct bus1_cmd_send cmd = {
		.n_destinations = r->n1 < 128 ? 1 : count(r->n1, 40),
		.ptr_destinations = USER_WINDOW + AREA_IDS,
		.ptr_errors = r->size[0] & 1 ? USER_WINDOW + AREA_ERRORS : 0,
		.ptr_message = USER_WINDOW + AREA_MESSAGE,
	};
	struct bus1_transfer transfers[N_TRANSFERS_MAX] = {};
	uint64_t ids[N_IDS_MAX] = {};

	for (i = 0; i < cmd.n_destinations || i < 8; i++)
		ids[i] = choose_handle(bus_peer(fd), choice(r->a, i));
	if (r->modifier == MODIFIER_ROOM) {
		n_data = (unsigned int)ref_pick_room(bus_peer(fd), ids[0], N_DATA_MAX - 8);
		message.n_data = n_data += r->parameter % 2;
	}
	for (i = 0; i < message.n_transfers || i < 4; i++) {
		transfers[i].id = choose_handle(bus_peer(fd), choice(r->b, i));
		if (r->modifier == MODIFIER_ELEMENT && i == r->parameter % 4)
			change_element(&transfers[i], r->parameter / 4);
	}
	for (i = 0; i < n_data + 2; i++)
		user_space.window[AREA_DATA + i] = (uint8_t)(r->a[0] + i * 7);
	memset(user_space.window + AREA_ERRORS, 0x55, AREA_SRC - AREA_ERRORS);
	put(AREA_IDS, ids, sizeof(ids));
	put(AREA_SRC, transfers, sizeof(transfers));
	/* some bytes more than are sent */
	message.n_data_vecs = put_vecs(r, n_data + r->size[0] % 3);
	modify_message(r, &message);
	if (r->modifier == MODIFIER_FLAGS)
		cmd.flags = 1ULL << r->parameter % 64;
	if (r->modifier == MODIFIER_NOWHERE)
		cmd.n_destinations = 0;
	if (r->modifier == MODIFIER_TOO_MANY && !(r->parameter & 1))
		cmd.n_destinations = 65537ULL << r->parameter % 48;
	modify_many(r, &cmd, &message);
	put(AREA_MESSAGE, &message, sizeof(message));
	call(fd, r, BUS1_CMD_SEND, &cmd, sizeof(cmd));
}

static void do_recv(int fd, const struct record *r, bool small)
{
	unsigned int room = small ? data_size(r) : N_DATA_MAX;
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_transfers = small ? count(r->n1, N_TRANSFERS_MAX) : N_TRANSFERS_MAX,
		.ptr_transfers = USER_WINDOW + AREA_DST,
		.n_data = room,
		.ptr_data_vecs = USER_WINDOW + AREA_VECS,
	};
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = USER_WINDOW + AREA_METADATA,
		.ptr_message = USER_WINDOW + AREA_MESSAGE,
	};

	/* either number may be the smaller one */
	if (small && r->n2 & 1)
		message.n_data += r->n2;
	if (small && r->n2 >= 192)
		message.n_data = r->n2 & 1 ? BUS1_INVALID : 0;
	if (r->n2 == 0xff)
		message.n_transfers = BUS1_INVALID;
	message.n_data_vecs = put_vecs(r, room);
	if (r->modifier == MODIFIER_MANY) {
		message.n_data = N_BIG_MAX - r->parameter;
		message.n_data_vecs = put_big_vecs(r, N_BIG_MAX);
		if (r->n1 >= 192)
			user_fail_nth = 1 + r->n2 % 16;
	}
	/* what is told first if there is too little room */
	if (small && r->n2 % 16 == 8)
		user_deny(cmd.ptr_metadata + r->n1 % sizeof(struct bus1_metadata), 1, USER_WRITE);
	modify_message(r, &message);
	if (r->modifier == MODIFIER_FLAGS)
		cmd.flags = 1ULL << r->parameter % 64;
	put(AREA_MESSAGE, &message, sizeof(message));
	call(fd, r, BUS1_CMD_RECV, &cmd, sizeof(cmd));
}

static void do_record(const struct record *r, const struct header *h)
{
	int fd = choose_fd(r->peer & 0x7f);
	unsigned int op = fd < 0 ? 0 : r->op % 32;

	switch (op) {
	case 0 ... 1: do_open(r); return;
	case 2: bus_close(fd); return;
	case 3: bus_dup(fd); break;
	case 4 ... 6: do_transfer(fd, r, true); break;
	case 7 ... 9: do_transfer(fd, r, false); break;
	case 10 ... 17: do_send(fd, r); break;
	case 18 ... 23: do_recv(fd, r, false); break;
	case 24 ... 25: do_recv(fd, r, true); break;
	case 26 ... 29: do_release(fd, r); break;
	case 30: bus_poll(fd); break;
	case 31:
		bus_fdinfo(fd);
		if (r->modifier >= MODIFIER_KILL && r->modifier < MODIFIER_FLAGS)
			bus_fdinfo_killed(fd);
		break;
	}
	if (h->flags & HEADER_POLL)
		bus_poll(fd);
	if (h->flags & HEADER_FDINFO)
		bus_fdinfo(fd);
}

/* The same for all inputs, so once is enough. */
static void check_parameters(void)
{
	const unsigned long max = 1UL << 48;

	if (vfs_load(0, 1) != -EINVAL || vfs_load(max + 1, 1) != -EINVAL ||
	    vfs_load(1, 0) != -EINVAL || vfs_load(1, max + 1) != -EINVAL)
		ref_mismatch("the module loads with maxima that are out of range");
	if (vfs_set_param_text("") != -EINVAL || vfs_set_param_text("many") != -EINVAL)
		ref_mismatch("the module loads with maxima that are no numbers");
}

/* Could one user pin all memory of a small machine? Of a large one there are the full maxima. */
static void check_defaults(void)
{
	static const struct {
		unsigned long memory, objects, bytes;
	} machines[] = {
		{ 64UL << 20, 16384, 8UL << 20 },
		{ 512UL << 20, 131072, 64UL << 20 },
		{ (4UL << 30) - 4096, (1UL << 20) - 1, (512UL << 20) - 512 },
		{ 4UL << 30, 1UL << 20, 512UL << 20 },
		{ (8UL << 30) - 4096, 1UL << 20, (1UL << 30) - 512 },
		{ 8UL << 30, 1UL << 20, 1UL << 30 },
		{ 64UL << 40, 1UL << 20, 1UL << 30 },
	};
	unsigned long memory = vfs_memory;
	size_t i;

	for (i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		vfs_memory = machines[i].memory;
		if (vfs_load(VFS_DEFAULT, VFS_DEFAULT))
			ref_mismatch("the module does not load with default maxima");
		if (vfs_max_objects() != machines[i].objects || vfs_max_bytes() != machines[i].bytes)
			ref_mismatch("default maxima of a machine with %lu bytes: %lu, %lu",
				     vfs_memory, vfs_max_objects(), vfs_max_bytes());
		vfs_unload();
	}
	vfs_memory = memory;
}

/* Two caches and the device: without any of them there is no module, and nothing is left. */
static void check_load_without_memory(void)
{
	unsigned long nth;

	for (nth = 1; nth <= 3; nth++) {
		shim_fail_nth = nth;
		if (vfs_load(1, 1) != -ENOMEM || shim_fail_nth)
			ref_mismatch("the module loads without memory");
		if (shim_n_caches())
			ref_mismatch("a module that does not load leaves caches");
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	bus_trace = getenv("FUZZ_TRACE");
	check_parameters();
	check_defaults();
	check_load_without_memory();
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct header h = {};
	struct record r;
	size_t i;

	memcpy(&h, data, size < sizeof(h) ? size : sizeof(h));
	max_objects = maxima[h.max_objects % 16];
	bus_begin(max_objects, maxima[h.max_bytes % 16], h.ns % _VFS_NS_N);
	user_flip = h.flags & HEADER_FLIP;
	bus_look_inside(h.flags & HEADER_LOOK);
	for (i = 1; i <= N_RECORDS_MAX && (i + 1) * sizeof(r) <= size; i++) {
		memcpy(&r, data + i * sizeof(r), sizeof(r));
		do_record(&r, &h);
	}
	user_flip = false;
	bus_look_inside(false);
	if (!(h.flags & HEADER_CLOSE_FULL))
		drain();
	close_all(h.first_close);
	bus_end();
	return 0;
}

/* Mutations, mostly of whole records */

static void random_record(struct record *r, unsigned int *seed)
{
	uint8_t *byte = (uint8_t *)r;
	size_t i;

	for (i = 0; i < sizeof(*r); i++)
		byte[i] = (uint8_t)chance(seed, 256);
	/* faults are the exception */
	if (chance(seed, 4))
		r->modifier = 0;
	else if (chance(seed, 2))
		r->modifier = (uint8_t)(MODIFIER_FLAGS + chance(seed, _MODIFIER_N - MODIFIER_FLAGS));
}

static size_t insert_records(struct record *records, size_t n, size_t max, unsigned int *seed)
{
	size_t at = chance(seed, (unsigned int)n + 1), k = 1 + chance(seed, 6), i;

	if (k > max - n)
		k = max - n;
	memmove(records + at + k, records + at, (n - at) * sizeof(*records));
	for (i = 0; i < k; i++)
		random_record(&records[at + i], seed);
	return n + k;
}

static size_t copy_records(struct record *records, size_t n, size_t max, unsigned int *seed)
{
	size_t from = chance(seed, (unsigned int)n), to = chance(seed, (unsigned int)n + 1);
	size_t k = 1 + chance(seed, 12);
	struct record copies[12];

	if (k > n - from)
		k = n - from;
	if (k > max - n)
		k = max - n;
	memcpy(copies, records + from, k * sizeof(*records));
	memmove(records + to + k, records + to, (n - to) * sizeof(*records));
	memcpy(records + to, copies, k * sizeof(*records));
	return n + k;
}

static size_t drop_records(struct record *records, size_t n, unsigned int *seed)
{
	size_t at = chance(seed, (unsigned int)n), k = 1 + chance(seed, 4);

	if (k > n - at)
		k = n - at;
	memmove(records + at, records + at + k, (n - at - k) * sizeof(*records));
	return n - k;
}

static void swap_records(struct record *records, size_t n, unsigned int *seed)
{
	size_t i = chance(seed, (unsigned int)n), k = chance(seed, (unsigned int)n);
	struct record r = records[i];

	records[i] = records[k];
	records[k] = r;
}

static void change_record(struct record *records, size_t n, unsigned int *seed)
{
	struct record *r = &records[chance(seed, (unsigned int)n)], other;

	random_record(&other, seed);
	switch (chance(seed, 4)) {
	case 0:
		r->modifier = other.modifier;
		r->parameter = other.parameter;
		break;
	case 1:
		r->op = other.op;
		break;
	default:
		((uint8_t *)r)[chance(seed, sizeof(*r))] = (uint8_t)chance(seed, 256);
		break;
	}
}

static void mutate_header(struct header *h, unsigned int *seed)
{
	uint8_t *byte = (uint8_t *)h;

	byte[chance(seed, 5)] = (uint8_t)chance(seed, 256);
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	struct record *records = (struct record *)data + 1;
	size_t n, n_max = max / sizeof(*records);
	unsigned int rounds;

	if (n_max < 2)
		return LLVMFuzzerMutate(data, size, max);
	n_max--;
	if (n_max > N_RECORDS_MAX)
		n_max = N_RECORDS_MAX;
	if (size < 2 * sizeof(*records)) {
		memset(data, 0, sizeof(struct header));
		mutate_header((struct header *)data, &seed);
		size = (1 + insert_records(records, 0, n_max, &seed)) * sizeof(*records);
	}
	n = size / sizeof(*records) - 1;
	if (n > n_max)
		n = n_max;
	for (rounds = 1 + chance(&seed, 4); rounds; rounds--) {
		switch (chance(&seed, 16)) {
		case 0 ... 3: n = insert_records(records, n, n_max, &seed); break;
		case 4 ... 5: n = copy_records(records, n, n_max, &seed); break;
		case 6 ... 7: n = n > 1 ? drop_records(records, n, &seed) : n; break;
		case 8: swap_records(records, n, &seed); break;
		case 9: mutate_header((struct header *)data, &seed); break;
		case 10: LLVMFuzzerMutate(data, (1 + n) * sizeof(*records),
					  (1 + n) * sizeof(*records)); break;
		default: change_record(records, n, &seed); break;
		}
		if (!n)
			n = insert_records(records, n, n_max, &seed);
	}
	return (1 + n) * sizeof(*records);
}

/* The beginning of one, the end of the other. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
				 size_t size2, uint8_t *out, size_t max, unsigned int seed)
{
	const size_t unit = sizeof(struct record);
	size_t n1 = size1 / unit, n2 = size2 / unit, keep, skip, n;

	if (n1 < 2 || n2 < 2)
		return 0;
	keep = 1 + chance(&seed, (unsigned int)n1);
	skip = 1 + chance(&seed, (unsigned int)n2 - 1);
	if (keep > max / unit)
		keep = max / unit;
	n = n2 - skip;
	if (n > max / unit - keep)
		n = max / unit - keep;
	memcpy(out, data1, keep * unit);
	memcpy(out + keep * unit, data2 + skip * unit, n * unit);
	return (keep + n) * unit;
}
