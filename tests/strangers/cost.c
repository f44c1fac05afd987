// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What a multicast has pushed and not committed costs nobody anything (mistake 23): its sender loses
 * the CPU in the middle, and its receiver's poll, its receive that finds nothing, and a send and
 * receive of another message take as long as before, however many entries there are.
 *
 * The sender has the CPU only while the test, which has a real-time priority on the same one, naps.
 * With vm/run --icount the clock counts instructions, and the comparison is exact.
 */
#define _GNU_SOURCE
#include "strangers.h"

#include <pthread.h>
#include <signal.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>

enum { DESTS = 65000, FEW = 1000, MANY = 50000, TIMES = 100, TRIES = 20 };

enum what { POLL, EMPTY, MESSAGE, N_WHAT };

static const char * const names[N_WHAT] = {
	"poll", "receive that finds nothing", "send and receive of another message",
};

struct stall {
	int v, sender, other;
	uint64_t to_v, other_to_v;
	pid_t pid;
	int go[2], stuck[2];
};

struct payload {
	int fd;
	struct bus1_cmd_send cmd;
};

static void *run_multicast(void *arg)
{
	struct payload *payload = arg;

	_exit(b1t_ioctl(payload->fd, BUS1_CMD_SEND, &payload->cmd) ? 1 : 0);
	return NULL;
}

/* Builds all messages, waits for the payload, and goes on when it is told to. */
static void run_sender(struct stall *stall)
{
	uint64_t *dests = calloc(DESTS, sizeof(*dests));
	struct st_trap trap;
	struct iovec vec;
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_data = 1,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct payload payload = {
		.fd = stall->sender,
		.cmd = {
			.n_destinations = DESTS,
			.ptr_destinations = BUS1_FROM_PTR(dests),
			.ptr_message = BUS1_FROM_PTR(&message),
		},
	};
	pthread_t thread;
	size_t i;
	char c;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	st_pin(ST_CPU_VICTIM);
	for (i = 0; i < DESTS; i++)
		dests[i] = stall->to_v;
	st_trap_init(&trap);
	vec = (struct iovec){ trap.page, 1 };
	if (pthread_create(&thread, NULL, run_multicast, &payload) || !st_trap_wait(&trap, 30000) ||
	    write(stall->stuck[1], "", 1) != 1 || read(stall->go[0], &c, 1) != 1)
		_exit(1);
	st_trap_open(&trap);
	for (;;)
		pause();
}

static long pushed(struct stall *stall)
{
	return st_fdinfo(stall->v, "bus1-messages:");
}

/*
 * Lets the sender go on until it has pushed @n; false if it could not be stopped before @limit, as
 * happens where the host is busy or a timer is late.
 */
static bool advance(struct stall *stall, long n, long limit)
{
	uint64_t start = st_now();
	long now;

	/* short, or it is done before it can be stopped */
	while ((now = pushed(stall)) < n) {
		st_nap(20000);
		ck_assert_msg(st_now() - start < 30000000000ULL, "the sender does not go on");
	}
	return now < limit;
}

static int once(struct stall *stall, enum what what)
{
	struct pollfd p = { .fd = stall->v, .events = POLLIN };

	switch (what) {
	case POLL:
		return poll(&p, 1, 0);
	case EMPTY:
		return st_recv(stall->v) == -EAGAIN ? 0 : -1;
	default:
		return st_send(stall->other, 1, &stall->other_to_v, 0, 0) ?: st_recv(stall->v);
	}
}

/* The least time of many; the first of them may go through what is new. */
static void measure(struct stall *stall, uint64_t *costs)
{
	uint64_t start, took;
	size_t what, i;
	int ret;

	for (what = 0; what < N_WHAT; what++) {
		ret = once(stall, what);
		costs[what] = UINT64_MAX;
		for (i = 0; !ret && i < TIMES; i++) {
			start = st_now();
			ret = once(stall, what);
			took = st_now() - start;
			if (took < costs[what])
				costs[what] = took;
			/* the mistake took a hundred times as long */
			if (took > 10000000 && i > 2)
				break;
		}
		ck_assert_msg(!ret, "%s: %d", names[what], ret);
	}
}

struct costs {
	uint64_t none[N_WHAT], again[N_WHAT], few[N_WHAT], many[N_WHAT];
	long n_few, n_many;
};

static void stall_init(struct stall *stall)
{
	char c;

	*stall = (struct stall){ .v = b1t_peer(), .sender = b1t_peer(), .other = b1t_peer() };
	b1t_node_ok(stall->v, stall->sender, NULL, &stall->to_v);
	b1t_node_ok(stall->v, stall->other, NULL, &stall->other_to_v);
	ck_assert_int_eq(pipe2(stall->go, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(stall->stuck, O_CLOEXEC), 0);
	stall->pid = fork();
	ck_assert_int_ge(stall->pid, 0);
	if (!stall->pid)
		run_sender(stall);
	ck_assert_int_eq(read(stall->stuck[0], &c, 1), 1);
}

static void stall_deinit(struct stall *stall)
{
	int status;

	ck_assert_int_eq(waitpid(stall->pid, &status, 0), stall->pid);
	ck_assert(WIFEXITED(status) && !WEXITSTATUS(status));
	close(stall->go[0]);
	close(stall->go[1]);
	close(stall->stuck[0]);
	close(stall->stuck[1]);
	close(stall->v);
	close(stall->sender);
	close(stall->other);
}

/* False if the multicast was committed too early. */
static bool measure_all(struct costs *costs)
{
	struct stall stall;
	bool done = false;

	stall_init(&stall);
	st_pin(ST_CPU_VICTIM);
	st_fifo();
	measure(&stall, costs->none);
	measure(&stall, costs->again);
	ck_assert_int_eq(write(stall.go[1], "", 1), 1);
	if (!advance(&stall, FEW, MANY / 2))
		goto deinit;
	costs->n_few = pushed(&stall);
	measure(&stall, costs->few);
	if (!advance(&stall, MANY, DESTS))
		goto deinit;
	costs->n_many = pushed(&stall);
	measure(&stall, costs->many);
	done = true;
deinit:
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){});
	stall_deinit(&stall);
	return done;
}

/*
 * What one more transaction in the making may add to a command: five in a hundred of its instructions,
 * which is what the clock counts where there is one CPU. Otherwise it is time, which is never exact.
 */
static uint64_t limit(uint64_t base)
{
	return st_single_cpu() ? base * 105 / 100 : base * 3 / 2;
}

/* However many entries it has: five in a hundred are for what the caches of the kernel do. */
static uint64_t limit_of_many(uint64_t few)
{
	return st_single_cpu() ? few * 105 / 100 : few * 3 / 2;
}

START_TEST(strangers_cost)
{
	unsigned long long base[N_WHAT], few, many;
	struct costs costs;
	size_t what, i;

	for (i = 0; !measure_all(&costs); i++)
		ck_assert_msg(i < TRIES, "the sender cannot be stopped between push and commit");
	for (what = 0; what < N_WHAT; what++) {
		base[what] = costs.none[what] > costs.again[what] ? costs.none[what] :
								    costs.again[what];
		printf("cost: %s: %llu ns; with %ld entries that are not committed %llu ns, with %ld %llu ns\n",
		       names[what], base[what], costs.n_few, (unsigned long long)costs.few[what],
		       costs.n_many, (unsigned long long)costs.many[what]);
	}
	for (what = 0; what < N_WHAT; what++) {
		few = costs.few[what];
		many = costs.many[what];
		ck_assert_msg(few <= limit(base[what]) && many <= limit(base[what]) &&
			      many <= limit_of_many(few),
			      "a %s takes %llu ns, with %ld entries that are not committed %llu ns, with %ld %llu ns",
			      names[what], base[what], costs.n_few, few, costs.n_many, many);
	}
}
END_TEST

TCase *st_tcase_cost(void)
{
	TCase *tc = tcase_create("cost");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, strangers_cost);
	return tc;
}
