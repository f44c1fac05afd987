/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stress: what the scenarios share
 *
 * A scenario runs in a process of its own and talks to its parent only through struct st_run, which
 * lies in shared memory; so a crash or a hang of one scenario is a verdict like any other. All
 * calls to the bus are raw ioctls and go through the st_ wrappers below, which count them, turn
 * errors nobody expects into violations, and are where --break injects its faults.
 */
#ifndef STRESS_H
#define STRESS_H

#include <errno.h>
#include <linux/bus1.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ST_N(_array) (sizeof(_array) / sizeof((_array)[0]))
#define ST_BIT(_n) (1U << (_n))

#define ST_MAX_DATA 1024
#define ST_MAX_TRANSFERS 8
#define ST_MAX_DESTINATIONS 16
#define ST_MAX_BALLAST 4096

/* Senders leave a receiver alone that has more than this many messages to read. */
#define ST_MAX_OUTSTANDING 300

/* What a scenario did. Those it requires must not be 0 in the end. */
enum st_counter {
	ST_SENT,
	ST_RECEIVED,
	ST_NODE_RELEASE,
	ST_HANDLE_RELEASE,
	ST_TRANSFERS,
	ST_RELEASES,
	ST_WAITS,
	ST_CLOSES,
	ST_KILLS,
	ST_CHECKS,
	ST_QUOTA,
	_ST_COUNTER_N,
};

/* Faults that can be injected to see that the invariants notice them. */
enum st_fault {
	ST_FAULT_NONE,
	ST_FAULT_DROP_USER,
	ST_FAULT_DUP_USER,
	ST_FAULT_SWAP,
	ST_FAULT_DROP_NOTE,
	ST_FAULT_DUP_NOTE,
	ST_FAULT_HIDE,
	ST_FAULT_DEAF,
	ST_FAULT_GHOST,
	_ST_FAULT_N,
};

struct st_run {
	/* constant while the scenario runs */
	uint64_t seed;
	unsigned int n_threads;
	unsigned int required;		/* mask of enum st_counter */
	uint64_t t_end;			/* no new work after this time */
	uint64_t grace;			/* patience, in ns, with what should happen */
	enum st_fault fault;
	bool quiet;
	char name[32];

	atomic_uint n_violations;
	atomic_uint n_opportunities;	/* places where the fault could have struck */
	atomic_uint n_faults;		/* and where it did */
	atomic_ulong counters[_ST_COUNTER_N];
};

struct st_scenario {
	const char *name;
	const char *what;
	unsigned int required;
	void (*run)(struct st_run *run);
};

extern const struct st_scenario st_causal;
extern const struct st_scenario st_atomic;
extern const struct st_scenario st_notify;
extern const struct st_scenario st_epoll;
extern const struct st_scenario st_shared;
extern const struct st_scenario st_close;
extern const struct st_scenario st_processes;

extern const char *const st_counter_names[_ST_COUNTER_N];
extern const char *const st_fault_names[_ST_FAULT_N];

/* run.c: time, chance, threads, violations */

struct st_rng {
	uint64_t state;
};

void st_rng_init(struct st_rng *rng, const struct st_run *run, unsigned int thread);
uint32_t st_rand(struct st_rng *rng, uint32_t n);

uint64_t st_now(void);
void st_pause(unsigned int us);
bool st_going(struct st_run *run);
void st_count(struct st_run *run, enum st_counter counter);
void st_violation(struct st_run *run, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool st_fault(struct st_run *run, enum st_fault fault);

void *st_alloc_shared(size_t n);
void *st_alloc(size_t n);
void st_thread_start(pthread_t *thread, void *(*fn)(void *), void *arg);
void st_thread_join(pthread_t thread);

/* bus.c: the device */

struct st_msg {
	struct bus1_metadata metadata;
	struct bus1_message message;
	struct bus1_transfer transfers[ST_MAX_TRANSFERS];
	union {
		uint8_t data[ST_MAX_DATA];
		uint64_t align;
	};
};

/*
 * All of these return 0 or a negative errno value. -EDQUOT means: come back later, they have
 * already slept a moment. Every other error but recv's -EAGAIN has been reported as a violation.
 */
int st_peer_open(struct st_run *run);
void st_peer_close(struct st_run *run, int fd);
int st_node_create(struct st_run *run, int from, int to, uint64_t *nodep, uint64_t *handlep);
int st_handle_copy(struct st_run *run, int from, int to, uint64_t handle, uint64_t *copyp);
int st_release(struct st_run *run, int fd, size_t n, const uint64_t *ids);
int st_send(struct st_run *run, int fd, size_t n_dests, const uint64_t *dests, const void *data,
	    size_t n_data, size_t n_handles, const uint64_t *handles);
int st_send_wide(struct st_run *run, int fd, size_t ballast, size_t n_dests, const uint64_t *dests,
		 const void *data, size_t n_data, size_t n_handles, const uint64_t *handles);
int st_recv(struct st_run *run, int fd, struct st_msg *msg);
bool st_readable(struct st_run *run, int fd);

/* For setting up: as above, but insist where the quota refuses. */
void st_node_create_ok(struct st_run *run, int from, int to, uint64_t *nodep, uint64_t *handlep);
void st_handle_copy_ok(struct st_run *run, int from, int to, uint64_t handle, uint64_t *copyp);

#endif /* STRESS_H */
