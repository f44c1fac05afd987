/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ioctl-fuzz: random commands from several processes and threads, on a kernel with the module
 *
 * main.c	options, processes that are killed and replaced
 * process.c	one process: its threads, descriptors, signals
 * memory.c	what pointers point to: memory that is good, bad, or changes
 * known.c	which IDs which peer has, as far as that is known
 * calls.c	commands
 * results.c	what has succeeded and what has not, and the verdict
 *
 * Two of three commands are friendly: they are meant to succeed, and most of them are for the peers
 * that all processes share, so that they meet in the middle of the module. The others are hostile:
 * any of their arguments may be wrong.
 *
 * What is wrong shows in the kernel log, in processes that do not end, in errors that no command
 * may return, and in accounts that are not empty in the end.
 */
#ifndef GUEST_H
#define GUEST_H

#include <errno.h>
#include <linux/bus1.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define GUEST_N(_array) (sizeof(_array) / sizeof((_array)[0]))

/* Results that commands may have; what is not among them is the last one. */
enum guest_result {
	GUEST_OK,
	GUEST_EFAULT,
	GUEST_EINVAL,
	GUEST_EBADRQC,
	GUEST_EDQUOT,
	GUEST_EAGAIN,
	GUEST_EMSGSIZE,
	GUEST_E2BIG,
	GUEST_EBADF,
	GUEST_EOPNOTSUPP,
	GUEST_ENOTTY,
	GUEST_ENOMEM,
	GUEST_OTHER,
	_GUEST_RESULT_N,
};

enum guest_call {
	GUEST_OPEN,
	GUEST_CREATE,
	GUEST_COPY,
	GUEST_SEND_NONE,		/* to no destination */
	GUEST_SEND_ONE,
	GUEST_SEND_MANY,
	GUEST_SEND_HANDLES,		/* with handles, to one or more */
	GUEST_RECV,
	GUEST_RELEASE_HANDLES,
	GUEST_RELEASE_NODES,
	GUEST_RELEASE_BOTH,
	GUEST_NONSENSE,
	GUEST_POLL,
	GUEST_EPOLL,
	GUEST_DUP,
	GUEST_CLOSE,
	GUEST_PASS,
	GUEST_ACCEPT,
	GUEST_FORK,
	_GUEST_CALL_N,
};

/* What comes out of a receive. */
enum guest_news {
	GUEST_DATA,
	GUEST_HANDLES,			/* with handles */
	GUEST_NODE_RELEASE,
	GUEST_HANDLE_RELEASE,
	_GUEST_NEWS_N,
};

#define GUEST_N_IDENTS 1024
#define GUEST_N_SHARED_IDENTS 64
#define GUEST_N_IDS 32
#define GUEST_N_SHARED 6
/* in a serial: of a peer that processes have when they are made */
#define GUEST_SHARED_SERIAL (1U << 31)

/*
 * What is known of a peer, by whoever has a descriptor of it: IDs that it has, or 0. Whoever releases
 * one takes it out first, so that most of them are right.
 */
struct guest_ident {
	_Atomic unsigned int serial;	/* of the peer that this is about, see guest_ident_new() */
	_Atomic uint64_t handles[GUEST_N_IDS];
	_Atomic uint64_t nodes[GUEST_N_IDS];
};

/* Shared by all processes. */
struct guest_shared {
	uint64_t seed;
	bool userfaultfd;
	_Atomic uint64_t results[_GUEST_CALL_N][_GUEST_RESULT_N];
	_Atomic uint64_t n_friendly[_GUEST_CALL_N];
	_Atomic uint64_t n_friendly_ok[_GUEST_CALL_N];
	_Atomic uint64_t n_friendly_edquot[_GUEST_CALL_N];
	_Atomic uint64_t news[_GUEST_NEWS_N];
	_Atomic uint64_t n_carried;	/* handles in messages received */
	_Atomic uint64_t n_faults;	/* resolved by userfaultfd */
	_Atomic uint64_t n_shakes;
	_Atomic uint64_t n_signals;
	_Atomic int other_error;	/* the last one that is counted as GUEST_OTHER */
	_Atomic int other_call;
	_Atomic unsigned int last_serial;
	_Atomic unsigned int last_shared_serial;
	struct guest_ident idents[GUEST_N_IDENTS];
	/* these are used far longer than it takes for those to be given to other peers */
	struct guest_ident shared_idents[GUEST_N_SHARED_IDENTS];
};

extern struct guest_shared *guest;
/*
 * Peers that a process has when it is made, and never closes; and a pair of sockets through which
 * peers are passed.
 */
extern int guest_shared_fds[GUEST_N_SHARED];
extern unsigned int guest_shared_serials[GUEST_N_SHARED];
extern int guest_sockets[2];

struct guest_rng {
	uint64_t state;
};

static inline uint32_t guest_rand(struct guest_rng *rng, uint32_t n)
{
	uint64_t v = rng->state += 0x9e3779b97f4a7c15ULL;

	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9ULL;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebULL;
	return (uint32_t)((((v ^ (v >> 31)) >> 32) * n) >> 32);
}

/* true once in @n times */
static inline bool guest_once(struct guest_rng *rng, uint32_t n)
{
	return !guest_rand(rng, n);
}

#define GUEST_N_SLOTS 12

/* A descriptor; others may close or replace it at any time. */
struct guest_slot {
	_Atomic int fd;			/* -1: none */
	_Atomic unsigned int serial;
};

/* What a slot has had when it was looked at. */
struct guest_peer {
	int fd;
	struct guest_ident *ident;
	struct guest_slot *slot;	/* NULL: a shared one, which stays */
};

struct guest_thread {
	struct guest_rng rng;
	bool hostile;			/* the current command */
	uint8_t *good;			/* memory that only this thread uses */
	size_t n_good;			/* of it in use by the current command */
	pthread_t pthread;
};

extern struct guest_slot guest_slots[GUEST_N_SLOTS];
extern int guest_epoll;

/* process.c; does not return */
_Noreturn void guest_process(unsigned int number, uint64_t generation);
struct guest_slot *guest_pick_slot(struct guest_thread *thread);
/* moves a descriptor to where the fuzzing threads do not close or replace it */
int guest_keep_fd(int fd);

/* memory.c */
#define GUEST_GOOD_SIZE (256 * 1024)

void guest_memory_init(struct guest_rng *rng);
uint8_t *guest_memory_good(void);
void *guest_handle_faults(void *unused);
void *guest_shake(void *unused);
/* room for @n bytes, filled with @from unless that is NULL; of a hostile command, maybe bad */
uint64_t guest_place(struct guest_thread *thread, const void *from, size_t n);
/* the same, for what nobody looks at: it may fault, which takes a while, and is still good */
uint64_t guest_place_slow(struct guest_thread *thread, size_t n);
/* whether all @n bytes are memory that only the thread changes */
bool guest_is_good(const struct guest_thread *thread, uint64_t addr, size_t n);

/* known.c */
/*
 * Makes room for what is known of a new peer, in place of the oldest one of its kind: those that all
 * processes share, or the others. Returns its serial.
 */
unsigned int guest_ident_new(bool shared);
struct guest_ident *guest_ident_of(unsigned int serial);
/* one that is known, or 0 */
uint64_t guest_find(struct guest_thread *thread, _Atomic uint64_t *ids);
/* the same, and nobody else finds it any more */
uint64_t guest_take(struct guest_thread *thread, _Atomic uint64_t *ids);
/* returns the ID that had to give way, or 0 */
uint64_t guest_remember(struct guest_thread *thread, _Atomic uint64_t *ids, uint64_t id);
void guest_forget(struct guest_ident *ident, uint64_t id);

/* results.c */
/* both return @error */
int guest_count(enum guest_call call, int error);
int guest_count_command(const struct guest_thread *thread, enum guest_call call, int error);
uint64_t guest_sum(enum guest_result result);
/* whether all that should be seen in that time has been seen */
bool guest_is_complete(unsigned int seconds);
/* returns the number of failures */
int guest_judge(unsigned int seconds);

/* calls.c */
void guest_transfer(struct guest_thread *thread);
void guest_send(struct guest_thread *thread);
void guest_recv(struct guest_thread *thread);
void guest_release(struct guest_thread *thread);
void guest_nonsense(struct guest_thread *thread);

#endif /* GUEST_H */
