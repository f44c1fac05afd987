/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * args: tables of argument errors
 *
 * A valid call of a command is described by struct args_call, in which every argument is a __u64 at
 * a known offset. A row of a table spoils one of them and says which errno that gives, and in which
 * stage of the checks. From one table follow
 *  - every row alone: the errno, and the proof that nothing has changed,
 *  - every two rows of different stages: the earlier stage wins,
 *  - every pointer with every kind of bad address.
 */
#ifndef B1T_ARGS_H
#define B1T_ARGS_H

#include "b1t.h"
#include <stddef.h>

/* How the bad value is made, which all but ARGS_LITERAL do from the good one or the scene. */
enum args_kind {
	ARGS_NOTHING,
	ARGS_LITERAL,		/* the value in the row */
	/* pointers */
	ARGS_NULL,
	ARGS_UNMAPPED,
	ARGS_STRADDLE,		/* the first part is good, the rest lies in a PROT_NONE page */
	ARGS_READONLY,		/* can be read, but not written */
	ARGS_KERNEL,
	ARGS_NONCANONICAL,
	ARGS_LAST,		/* wraps around the end of the address space */
	/* IDs */
	ARGS_ID_NODE,		/* a node of the caller */
	ARGS_ID_HANDLE,		/* a handle of the caller */
	ARGS_ID_STALE,		/* a handle that the caller has released */
	ARGS_ID_FOREIGN,	/* a handle of another peer */
	ARGS_ID_FUTURE,		/* odd, not allocated yet */
	ARGS_ID_EVEN,		/* the good one, plus 1 */
	ARGS_ID_HIGH,		/* the good one, with a bit above 32 set */
	/* descriptors */
	ARGS_FD_EMPTY,		/* a peer with nothing in its queue */
	ARGS_FD_HIGH,		/* the good one, with a bit above 32 set */
	ARGS_FD_CLOSED,
	ARGS_FD_PATH,		/* /dev/bus1, opened with O_PATH */
	ARGS_FD_NULL,
	ARGS_FD_PIPE,
	ARGS_FD_FILE,
	ARGS_FD_DIRECTORY,
};

#define ARGS_TEXT "first"
#define ARGS_PAYLOAD "payload!"
#define ARGS_N_HANDLES 3
#define ARGS_N_IDS 4
#define ARGS_N_VECS 2

/* Everything a call reads or writes, with canaries between the arrays. */
struct args_call {
	uint64_t fd;
	uint64_t arg;
	union {
		struct bus1_cmd_transfer transfer;
		struct bus1_cmd_release release;
		struct bus1_cmd_send send;
		struct bus1_cmd_recv recv;
	} cmd;
	uint64_t canary_cmd;
	struct bus1_message message;
	uint64_t canary_message;
	struct bus1_metadata metadata;
	uint64_t canary_metadata[2];
	struct bus1_transfer src[ARGS_N_HANDLES];
	uint64_t canary_src[2];
	struct bus1_transfer dst[ARGS_N_HANDLES];
	uint64_t canary_dst[2];
	uint64_t ids[ARGS_N_IDS];
	uint64_t canary_ids;
	int32_t errors[ARGS_N_IDS];
	int32_t canary_errors[ARGS_N_IDS];
	/* struct iovec has the size of the program's pointers: vecs is made from these two */
	uint64_t bases[ARGS_N_VECS];
	uint64_t lengths[ARGS_N_VECS];
	struct iovec vecs[ARGS_N_VECS];
	uint8_t data[96];
};

#define ARGS_AT(_field) offsetof(struct args_call, _field)

/* the caller a, which has queued input, and two others; all IDs are named after their owner */
struct args_scene {
	int a, b, c, empty;
	uint64_t a_node, b_to_a;
	uint64_t b_node, a_to_b;
	uint64_t c_node, a_to_c;
	uint64_t b_sole, a_sole;	/* a_sole is the only handle to b_sole */
	uint64_t a_own_node, a_own;
	uint64_t a_spare, c_to_spare;
	uint64_t b_carried_node, b_carried;
	uint64_t a_dead, a_stale, b_foreign;
};

struct args_set {
	enum args_kind kind;
	size_t offset;
	uint64_t value;
};

#define ARGS_F_HALF	(1 << 0)	/* outputs may be half written */
#define ARGS_F_NO_ORDER	(1 << 1)	/* its place among the checks is not documented */
#define ARGS_F_DEST	(1 << 2)	/* send: needs live destinations to fail */

struct args_row {
	const char *name;
	int stage;
	int error;
	struct args_set sets[2];
	unsigned int flags;
};

struct args_pointer {
	const char *name;
	size_t offset;
	size_t size;
	bool output;
	unsigned int flags;
};

struct args_command {
	unsigned long nr;
	const struct args_row *rows;
	size_t n_rows;
	const struct args_pointer *pointers;
	size_t n_pointers;
	/* describes a valid call in @c, which is full of canaries */
	void (*prepare)(struct args_call *c, const struct args_scene *s);
	/* a failed call made @after of @before: copies what it was allowed to change into @before */
	void (*excuse)(struct args_call *before, const struct args_call *after,
		       const struct args_row *row);
	/* proves that nothing changed, then makes the valid call and checks what it does */
	void (*succeed)(const struct args_command *command, const struct args_scene *s);
};

/* the bad pointers of the pointers tests, ARGS_READONLY (outputs only) comes last */
#define ARGS_N_BAD_POINTERS 7

void args_scene_init(struct args_scene *s);
void args_drain_first(const struct args_scene *s);
void args_drain_rest(const struct args_scene *s);
void args_check_ids(const struct args_scene *s);
void args_check_sole(const struct args_scene *s);

void args_prepare(const struct args_command *command, struct args_call *c,
		  const struct args_scene *s);
void args_spoil(struct args_call *c, const struct args_scene *s, const struct args_set *set,
		size_t size);
int args_run(const struct args_command *command, const struct args_call *c);

void args_test_row(const struct args_command *command, size_t i);
void args_test_order(const struct args_command *command, size_t i);
void args_test_pointer(const struct args_command *command, size_t i);

uint64_t args_map_straddle(const void *good, size_t size, size_t readable);
uint64_t args_map_readonly(const void *good, size_t size);

#endif /* B1T_ARGS_H */
