/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * strangers: nobody waits for, or pays for, a peer that is not its own
 *
 * A victim does one operation in a loop, on the first CPU. Attackers do one thing in a loop, on the
 * second one. There the warden, which has a real-time priority, gives them the CPU for some
 * microseconds, then takes it away wherever they are, and gives it back when the victim has done an
 * operation from its start to its end. So attackers are stopped at thousands of places a second,
 * and if one of them has something there that the victim waits for, this wait has no end: the
 * victim sleeps, and the warden sees that. It does not matter how fast the host is: a victim that
 * has no CPU does not sleep.
 *
 * What the warden does, others do without being root: threads of idle priority under load, a control
 * group with cpu.max, a container that is frozen. It only takes them longer.
 */
#ifndef STRANGERS_H
#define STRANGERS_H

#include "b1t.h"

#include <stdatomic.h>
#include <sys/types.h>
#include <time.h>

/* A victim that sleeps for so long in an operation waits for an attacker. */
#define ST_BOUND_NS (100 * 1000000ULL)

enum {
	ST_ATTACKERS = 4,
	ST_RING = 4,		/* nodes of the victim that come and go */
	ST_DEPTH = 4000,	/* messages in a deep queue */
	ST_CPU_VICTIM = 0,
	ST_CPU_ATTACKERS = 1,
};

/* What all processes of a test see. Texts are constants, which are at the same place in all of them. */
struct st_shared {
	atomic_bool stop;
	atomic_ulong n_ops;		/* operations that the victim has finished */
	atomic_ulong n_attacks;
	_Atomic(const char *) step;	/* system call that the victim is in */
	/* handles of each attacker to the nodes that come and go */
	_Atomic uint64_t ring[ST_RING][ST_ATTACKERS];
	_Atomic(const char *) oops;	/* what went wrong in a child, with what error */
	atomic_int oops_ret;
};

/*
 * The victim has two peers, @v and @w, one of the attackers' is @s; @v and @s have deep queues. All
 * processes inherit all of them: this is how attackers come to transfer into @v.
 */
struct st_world {
	struct st_shared *shared;
	int v, w, s, a[ST_ATTACKERS];
	bool publish;			/* nodes of short-lived peers, too */
	uint64_t ring_nodes[ST_RING];	/* of @v; the victim's only */
	size_t ring_next;
	uint64_t v_to_w, v_to_s, w_to_v;
	uint64_t a_to_a[ST_ATTACKERS], a_to_v[ST_ATTACKERS], a_to_w[ST_ATTACKERS];
	uint64_t s_to_s;
};

struct st_op {
	const char *name;
	void (*run)(struct st_world *world);
};

struct st_attack {
	const char *name;
	void (*run)(struct st_world *world, size_t i);
	size_t n;			/* how many, up to ST_ATTACKERS */
	bool ring;			/* the victim's nodes come and go */
};

extern const struct st_op st_ops[];
extern const size_t st_n_ops;
extern const struct st_attack st_attacks[];
extern const size_t st_n_attacks;
extern const struct st_attack st_fault_attacks[];
extern const size_t st_n_fault_attacks;

/* Calls that assert nothing, as libcheck writes to a file for each assertion. */
int st_transfer(int from, int to, size_t n, struct bus1_transfer *src, struct bus1_transfer *dst);
int st_node(int from, int to, uint64_t *nodep, uint64_t *handlep);
int st_copy(int from, int to, uint64_t handle, uint64_t *copyp);
int st_release(int fd, uint64_t id);
int st_send(int fd, size_t n, const uint64_t *dests, size_t n_handles, uint64_t handle);
int st_flood(int fd, uint64_t dest, size_t n);
int st_recv(int fd);
int st_open(void);
long st_fdinfo(int fd, const char *key);

uint64_t st_now(void);
void st_pin(int cpu);
void st_fifo(void);
void st_nap(uint64_t ns);
bool st_single_cpu(void);
void st_write_file(const char *path, const char *text);
void st_must(struct st_world *world, int ret, const char *what);

/* a system call of the victim */
#define ST_STEP(_world, _name, _call) ({				\
	atomic_store(&(_world)->shared->step, (_name));			\
	(_call);							\
})

void st_world_init(struct st_world *world);
void st_world_deinit(struct st_world *world);
void st_ring_turn(struct st_world *world);
void st_duel(const struct st_attack *attack, const struct st_op *op, unsigned int ms);
bool st_is_asleep(pid_t pid);
void st_describe_sleep(pid_t pid, char *text, size_t size);

/* a page that whoever touches it waits for */
struct st_trap {
	int uffd;
	char *page;
};

void st_trap_init(struct st_trap *trap);
bool st_trap_wait(struct st_trap *trap, int timeout_ms);
void st_trap_open(struct st_trap *trap);

TCase *st_tcase_wait(void);
TCase *st_tcase_fault(void);
TCase *st_tcase_cost(void);
TCase *st_tcase_bill(void);
TCase *st_tcase_copy(void);

#endif /* STRANGERS_H */
