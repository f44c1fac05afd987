// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * decode: one command with arbitrary arguments, on a bus that is the same for all inputs
 *
 * An input is a header and what is in the window of user memory. The header says who calls what
 * with which pointer, what is next in the queue, and what of the memory cannot be used.
 */
#include "../unit/shim/shim.h"
#include "common.h"

#define N_RANGES 3

struct header {
	uint8_t fd;
	uint8_t cmd;
	uint8_t flags;
	uint8_t next;			/* what is in the queues */
	uint32_t number;
	uint64_t arg;
	uint8_t max_objects;
	uint8_t max_bytes;
	uint8_t ns;
	uint8_t n_ranges;
	uint8_t kind;			/* of error to inject */
	uint8_t nth;
	uint8_t access[2];
	struct {
		uint16_t start, n;
	} ranges[N_RANGES];
	uint8_t first_close;
	uint8_t unused[3];
	uint64_t pattern[USER_PATTERN_PERIOD / 8];
};

enum {
	HEADER_COMPAT = 1 << 1,
	HEADER_ARG = 1 << 2,		/* arg is taken as it is */
	HEADER_NUMBER = 1 << 3,		/* so is number */
	HEADER_CLOSE_FULL = 1 << 4,
};

static const unsigned int commands[] = {
	BUS1_CMD_TRANSFER, BUS1_CMD_RELEASE, BUS1_CMD_SEND, BUS1_CMD_RECV,
};

/* Where arguments are, mostly: close together, so that inputs are small. */
enum {
	AT_CMD = 0x0,
	AT_MESSAGE = 0x30,
	AT_METADATA = 0x70,
	AT_VECS = 0x90,
	AT_IDS = 0x110,
	AT_SRC = 0x210,
	AT_DST = 0x410,
	AT_ERRORS = 0x610,
	AT_DATA = 0x690,
};

#define N_ELEMENTS 32
#define N_VECS 8

#define N_OF(_array) (sizeof(_array) / sizeof((_array)[0]))

/* The bus: three peers of two users. IDs of each begin with 1, and are odd. */

static uint64_t word(uint64_t area)
{
	uint64_t value;

	memcpy(&value, user_space.window + area, sizeof(value));
	return value;
}

/* A handle in @to: of a new node of @from, or a copy of @id. */
static uint64_t give(int from, int to, uint64_t id)
{
	struct bus1_transfer src = { !id, id ?: BUS1_INVALID };
	struct bus1_cmd_transfer cmd = {
		.to = (uint64_t)to,
		.n_transfers = 1,
		.ptr_src = USER_WINDOW + AREA_SRC,
		.ptr_dst = USER_WINDOW + AREA_DST,
	};

	put(AREA_SRC, &src, sizeof(src));
	put(AREA_CMD, &cmd, sizeof(cmd));
	bus_ioctl(from, BUS1_CMD_TRANSFER, USER_WINDOW + AREA_CMD, false);
	return word(AREA_DST + offsetof(struct bus1_transfer, id));
}

static uint64_t last_node(void)
{
	return word(AREA_SRC + offsetof(struct bus1_transfer, id));
}

static void take(int fd, uint64_t id)
{
	struct bus1_cmd_release cmd = { .n_ids = 1, .ptr_ids = USER_WINDOW + AREA_IDS };

	put(AREA_IDS, &id, sizeof(id));
	put(AREA_CMD, &cmd, sizeof(cmd));
	bus_ioctl(fd, BUS1_CMD_RELEASE, USER_WINDOW + AREA_CMD, false);
}

static void send(int fd, uint64_t destination, uint64_t n_data, uint64_t n, uint64_t handle)
{
	struct bus1_message message = {
		.n_transfers = n,
		.ptr_transfers = USER_WINDOW + AREA_SRC,
		.n_data = n_data,
		.n_data_vecs = 1,
		.ptr_data_vecs = USER_WINDOW + AREA_VECS,
	};
	struct bus1_cmd_send cmd = {
		.n_destinations = 1,
		.ptr_destinations = USER_WINDOW + AREA_IDS,
		.ptr_message = USER_WINDOW + AREA_MESSAGE,
	};
	struct bus1_transfer transfers[12];
	unsigned int i;

	for (i = 0; i < n; i++)
		transfers[i] = (struct bus1_transfer){ 0, handle };
	put(AREA_SRC, transfers, n * sizeof(*transfers));
	put(AREA_IDS, &destination, sizeof(destination));
	put_vec(0, USER_WINDOW + AREA_DATA, n_data, false);
	put(AREA_MESSAGE, &message, sizeof(message));
	put(AREA_CMD, &cmd, sizeof(cmd));
	bus_ioctl(fd, BUS1_CMD_SEND, USER_WINDOW + AREA_CMD, false);
}

enum { A = 1, B, C, A_COPY };

static void prepare(unsigned int next)
{
	uint64_t to_a, to_c, dead, node;

	bus_open(1000);
	bus_open(1000);
	bus_open(1001);
	bus_dup(A);
	to_a = give(A, B, 0);
	give(A, A, 0);
	give(A, C, 0);
	give(B, A, 0);
	to_c = give(C, B, 0);
	give(C, A, 0);
	dead = give(A, B, 0);
	node = last_node();
	/* a copy in A, of something that goes */
	give(B, A, dead);
	take(A, node);
	if (next & 1)
		receive(A, false);
	receive(B, false);
	switch (next / 2 % 8) {
	case 1: send(B, to_a, 10, 0, 0); break;
	case 2: send(B, to_a, 0, 2, to_c); break;
	case 3: send(B, to_a, 5000, 1, dead); break;
	case 4: send(B, to_a, 3, 12, to_a); break;
	case 5: take(B, to_a); break;
	case 6: send(B, to_c, 100, 1, to_a); break;
	case 7: send(B, to_a, 1, 1, dead); send(B, to_a, 2, 0, 0); break;
	}
}

static void deny(const struct header *h)
{
	unsigned int i;

	for (i = 0; i < h->n_ranges % (N_RANGES + 1); i++)
		user_deny(USER_WINDOW + h->ranges[i].start % USER_WINDOW_SIZE,
			  h->ranges[i].n % USER_WINDOW_SIZE, 1 + h->access[i % 2] % 3);
}

static void inject(const struct header *h)
{
	switch (h->kind % 8) {
	case 1: shim_fail_nth = 1 + h->nth % 32; break;
	case 2: user_fail_nth = 1 + h->nth % 64; break;
	case 3: vfs_kill_nth = 1 + h->nth % 16; break;
	}
}

static void call(const struct header *h)
{
	unsigned int number = commands[h->cmd % N_OF(commands)];
	uint64_t arg = USER_WINDOW + h->arg % USER_WINDOW_SIZE;

	if (h->flags & HEADER_NUMBER)
		number = h->number;
	if (h->flags & HEADER_ARG)
		arg = h->arg;
	memcpy(user_pattern, h->pattern, sizeof(user_pattern));
	deny(h);
	inject(h);
	bus_ioctl(A + h->fd % 4, number, arg, h->flags & HEADER_COMPAT);
	user_allow_all();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	bus_trace = getenv("FUZZ_TRACE");
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const unsigned int max_objects[] = { 200, 100, 400, 2000 };
	static const unsigned int max_bytes[] = { 100000, 40000, 1 << 20, 1 << 30 };
	size_t n = size < sizeof(struct header) ? size : sizeof(struct header);
	struct header h = {};

	if (size > sizeof(h) + USER_WINDOW_SIZE)
		return 0;
	memcpy(&h, data, n);
	bus_begin(max_objects[h.max_objects % 4], max_bytes[h.max_bytes % 4], h.ns % _VFS_NS_N);
	prepare(h.next);
	user_space_clear(&user_space);
	put(0, data + n, size - n);
	call(&h);
	user_space_clear(&user_space);
	if (!(h.flags & HEADER_CLOSE_FULL))
		drain();
	close_all(h.first_close);
	bus_end();
	return 0;
}

/* Mutations */

static uint64_t pointer(unsigned int *seed)
{
	static const uint64_t places[] = {
		AT_CMD, AT_MESSAGE, AT_METADATA, AT_VECS, AT_IDS, AT_SRC, AT_DST, AT_ERRORS,
		AT_DATA, USER_WINDOW_SIZE - 8, USER_WINDOW_SIZE,
	};
	uint64_t addr = USER_WINDOW + places[chance(seed, N_OF(places))];

	switch (chance(seed, 12)) {
	case 0: return addr + chance(seed, 16);
	case 1: return USER_PATTERN + chance(seed, 64);
	case 2: return USER_BIG + chance(seed, 2) * (USER_BIG_SIZE - 64);
	case 3: return USER_WINDOW + chance(seed, USER_WINDOW_SIZE);
	case 4: return USER_PATTERN + USER_PATTERN_SIZE - chance(seed, 64);
	default: return addr;
	}
}

static uint64_t interesting(unsigned int *seed)
{
	static const uint64_t values[] = {
		0, 1, 2, 8, 9, 64, 1024, 1025, 65535, 65536, 65537, 0x7ffff000, 0x7ffff001,
		0x80000000, 0xffffffff, 1ULL << 32, 1ULL << 47, 1ULL << 63, BUS1_INVALID,
		BUS1_INVALID - 15,
	};

	switch (chance(seed, 4)) {
	case 0: return values[chance(seed, N_OF(values))];
	case 1: return pointer(seed);
	case 2: return chance(seed, 32);		/* IDs, descriptors, small sizes */
	default: return 1ULL << chance(seed, 64);
	}
}

static uint64_t some(unsigned int *seed)
{
	return chance(seed, 8) ? chance(seed, 5) : chance(seed, N_ELEMENTS + 1);
}

static uint64_t some_id(unsigned int *seed)
{
	return chance(seed, 10) ? 2 * chance(seed, 10) + 1 : interesting(seed);
}

static void write_transfers(uint8_t *window, uint64_t n, bool create, unsigned int *seed)
{
	struct bus1_transfer *src = (struct bus1_transfer *)(window + AT_SRC);
	uint64_t i;

	for (i = 0; i < n; i++) {
		src[i] = (struct bus1_transfer){ 0, some_id(seed) };
		if (create && chance(seed, 2))
			src[i] = (struct bus1_transfer){ BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID };
	}
}

static void write_ids(uint8_t *window, uint64_t n, unsigned int *seed)
{
	uint64_t *ids = (uint64_t *)(window + AT_IDS), i;

	for (i = 0; i < n; i++)
		ids[i] = some_id(seed);
}

static void write_message(uint8_t *window, bool receive, unsigned int *seed)
{
	struct bus1_message *message = (struct bus1_message *)(window + AT_MESSAGE);
	struct iovec { uint64_t base, len; } *vecs = (struct iovec *)(window + AT_VECS);
	uint64_t i;

	*message = (struct bus1_message){
		.type = receive ? BUS1_INVALID : BUS1_MESSAGE_TYPE_USER,
		.n_transfers = some(seed),
		.ptr_transfers = USER_WINDOW + (receive ? AT_DST : AT_SRC),
		.n_data = chance(seed, 64),
		.n_data_vecs = chance(seed, N_VECS + 1),
		.ptr_data_vecs = USER_WINDOW + AT_VECS,
	};
	for (i = 0; i < message->n_data_vecs; i++)
		vecs[i] = (struct iovec){ USER_WINDOW + AT_DATA + i * 64, chance(seed, 80) };
	if (!receive) {
		write_transfers(window, message->n_transfers, false, seed);
	} else if (chance(seed, 2)) {
		message->n_transfers = N_ELEMENTS;
		message->n_data = N_DATA_MAX;
		message->n_data_vecs = 1;
		vecs[0].len = N_DATA_MAX;
	}
}

static void write_transfer(uint8_t *window, unsigned int *seed)
{
	struct bus1_cmd_transfer *cmd = (struct bus1_cmd_transfer *)(window + AT_CMD);

	*cmd = (struct bus1_cmd_transfer){
		.to = chance(seed, 2) ? BUS1_INVALID : chance(seed, 5),
		.n_transfers = some(seed),
		.ptr_src = USER_WINDOW + AT_SRC,
		.ptr_dst = USER_WINDOW + AT_DST,
	};
	write_transfers(window, cmd->n_transfers, true, seed);
}

static void write_release(uint8_t *window, unsigned int *seed)
{
	struct bus1_cmd_release *cmd = (struct bus1_cmd_release *)(window + AT_CMD);

	*cmd = (struct bus1_cmd_release){
		.n_ids = some(seed),
		.ptr_ids = USER_WINDOW + AT_IDS,
	};
	write_ids(window, cmd->n_ids, seed);
}

static void write_send(uint8_t *window, unsigned int *seed)
{
	struct bus1_cmd_send *cmd = (struct bus1_cmd_send *)(window + AT_CMD);

	*cmd = (struct bus1_cmd_send){
		.n_destinations = some(seed),
		.ptr_destinations = USER_WINDOW + AT_IDS,
		.ptr_errors = chance(seed, 2) ? USER_WINDOW + AT_ERRORS : 0,
		.ptr_message = USER_WINDOW + AT_MESSAGE,
	};
	write_ids(window, cmd->n_destinations, seed);
	write_message(window, false, seed);
}

static void write_recv(uint8_t *window, unsigned int *seed)
{
	*(struct bus1_cmd_recv *)(window + AT_CMD) = (struct bus1_cmd_recv){
		.ptr_metadata = USER_WINDOW + AT_METADATA,
		.ptr_message = USER_WINDOW + AT_MESSAGE,
	};
	write_message(window, true, seed);
}

/* A command that may succeed. */
static void write_command(struct header *h, uint8_t *window, unsigned int *seed)
{
	memset(window, 0, AT_DATA);
	h->cmd = (uint8_t)chance(seed, 4);
	h->flags &= HEADER_CLOSE_FULL;
	h->arg = AT_CMD;
	switch (h->cmd) {
	case 0: write_transfer(window, seed); break;
	case 1: write_release(window, seed); break;
	case 2: write_send(window, seed); break;
	default: write_recv(window, seed); break;
	}
}

static void mutate_header(struct header *h, unsigned int *seed)
{
	unsigned int i = chance(seed, N_RANGES);

	switch (chance(seed, 10)) {
	case 0: h->fd = (uint8_t)chance(seed, 4); break;
	case 1: h->cmd = (uint8_t)chance(seed, 4); break;
	case 2: h->flags = (uint8_t)(chance(seed, 256) & chance(seed, 256)); break;
	case 3: h->next = (uint8_t)chance(seed, 16); break;
	case 4: h->number = commands[chance(seed, 4)] ^ 1u << chance(seed, 32); break;
	case 5: h->arg = interesting(seed); break;
	case 6:
		h->kind = (uint8_t)chance(seed, 8);
		h->nth = (uint8_t)chance(seed, 64);
		break;
	case 7:
		h->n_ranges = (uint8_t)chance(seed, 3);
		h->access[i % 2] = (uint8_t)chance(seed, 3);
		break;
	case 8:
		h->ranges[i].start = (uint16_t)(pointer(seed) - USER_WINDOW + chance(seed, 64));
		h->ranges[i].n = (uint16_t)(1u << chance(seed, 12));
		break;
	default: h->pattern[chance(seed, 8)] = chance(seed, 2) ? some_id(seed) : 0; break;
	}
}

static void change_word(uint8_t *window, unsigned int *seed)
{
	static const uint16_t places[] = { AT_CMD, AT_CMD, AT_MESSAGE, AT_MESSAGE, AT_VECS, AT_IDS,
					   AT_SRC };
	uint64_t value = interesting(seed);

	memcpy(window + places[chance(seed, N_OF(places))] + 8 * chance(seed, 7), &value,
	       sizeof(value));
}

/* Zeroes at the end are left out, and added again. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed)
{
	const size_t min = sizeof(struct header) + AT_DATA;
	uint8_t *window = data + sizeof(struct header);
	struct header *h = (struct header *)data;
	unsigned int rounds;

	if (max < min)
		return LLVMFuzzerMutate(data, size, max);
	for (rounds = 1 + chance(&seed, 4); rounds; rounds--) {
		if (size < min) {
			memset(data + size, 0, min - size);
			size = min;
		}
		switch (chance(&seed, 8)) {
		case 0: write_command(h, window, &seed); break;
		case 1 ... 3: mutate_header(h, &seed); break;
		case 4: size = LLVMFuzzerMutate(data, size, max); break;
		default: change_word(window, &seed); break;
		}
	}
	while (size > 1 && !data[size - 1])
		size--;
	return size;
}
