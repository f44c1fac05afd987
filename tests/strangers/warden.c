// SPDX-License-Identifier: LGPL-2.1-or-later
/* The warden, and what all processes of a test need: see strangers.h. */
#define _GNU_SOURCE
#include "strangers.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/*
 * Where the host is busy, stops take longer: MANY_STOPS may take up to SLOW_MS, and FEW_STOPS, which
 * are what makes it a test, up to SLOWEST_MS.
 */
enum { MANY_STOPS = 200, SLOW_MS = 1500, FEW_STOPS = 10, SLOWEST_MS = 30000 };

/* A victim that does not sleep and does not come to an end either. */
#define ENDLESS_NS (30 * 1000000000ULL)

/* Calls */

int st_transfer(int from, int to, size_t n, struct bus1_transfer *src, struct bus1_transfer *dst)
{
	return b1t_transfer(from, to, n, src, dst);
}

int st_node(int from, int to, uint64_t *nodep, uint64_t *handlep)
{
	struct bus1_transfer src = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID }, dst = {};
	int ret = b1t_transfer(from, to, 1, &src, &dst);

	if (nodep)
		*nodep = src.id;
	*handlep = dst.id;
	return ret;
}

int st_copy(int from, int to, uint64_t handle, uint64_t *copyp)
{
	struct bus1_transfer src = { 0, handle }, dst = {};
	int ret = b1t_transfer(from, to, 1, &src, &dst);

	*copyp = dst.id;
	return ret;
}

int st_release(int fd, uint64_t id)
{
	return b1t_release1(fd, id);
}

/* One byte, and @n_handles copies of one handle. */
int st_send(int fd, size_t n, const uint64_t *dests, size_t n_handles, uint64_t handle)
{
	struct bus1_transfer transfers[B1T_MAX_TRANSFERS];
	struct iovec vec = { "x", 1 };
	struct bus1_message message = {
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_transfers = n_handles,
		.ptr_transfers = BUS1_FROM_PTR(transfers),
		.n_data = 1,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_cmd_send cmd = {
		.n_destinations = n,
		.ptr_destinations = BUS1_FROM_PTR(dests),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	size_t i;

	for (i = 0; i < n_handles; i++)
		transfers[i] = (struct bus1_transfer){ 0, handle };
	return b1t_ioctl(fd, BUS1_CMD_SEND, &cmd);
}

/* @n messages to one destination, in one transaction. */
int st_flood(int fd, uint64_t dest, size_t n)
{
	uint64_t *dests = malloc(n * sizeof(*dests));
	size_t i;
	int ret;

	if (!dests)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		dests[i] = dest;
	ret = st_send(fd, n, dests, 0, 0);
	free(dests);
	return ret;
}

/* Receives what comes next, and releases the handles in it. */
int st_recv(int fd)
{
	struct bus1_transfer transfers[B1T_MAX_TRANSFERS];
	uint64_t ids[B1T_MAX_TRANSFERS];
	char data[B1T_MAX_DATA];
	struct iovec vec = { data, sizeof(data) };
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_transfers = B1T_MAX_TRANSFERS,
		.ptr_transfers = BUS1_FROM_PTR(transfers),
		.n_data = sizeof(data),
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_metadata metadata;
	struct bus1_cmd_recv cmd = { 0, BUS1_FROM_PTR(&metadata), BUS1_FROM_PTR(&message) };
	size_t i;
	int ret;

	ret = b1t_ioctl(fd, BUS1_CMD_RECV, &cmd);
	if (ret || !message.n_transfers)
		return ret;
	for (i = 0; i < message.n_transfers; i++)
		ids[i] = transfers[i].id;
	return b1t_release(fd, message.n_transfers, ids);
}

int st_open(void)
{
	return b1t_open("/dev/bus1");
}

/* What fdinfo says about a peer, under @key if that is not NULL; -1 if that is not there. */
long st_fdinfo(int fd, const char *key)
{
	char path[64], text[4096], *found;
	ssize_t n = 0, got;
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -1;
	while (n < (ssize_t)sizeof(text) - 1 &&
	       (got = read(info, text + n, sizeof(text) - 1 - n)) > 0)
		n += got;
	close(info);
	text[n] = 0;
	found = key ? strstr(text, key) : text;
	if (!found)
		return -1;
	return key ? strtol(found + strlen(key), NULL, 10) : n;
}

/* Processes */

uint64_t st_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

void st_pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		abort();
}

/* The lowest real-time priority: above all that is not of the kernel, below what the kernel needs. */
void st_fifo(void)
{
	struct sched_param param = { .sched_priority = 1 };

	if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param))
		abort();
}

void st_nap(uint64_t ns)
{
	struct timespec ts = { ns / 1000000000, ns % 1000000000 };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

bool st_single_cpu(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) < 2;
}

void st_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	/* what depends on it says so */
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		printf("cannot write %s to %s: %s\n", text, path, strerror(errno));
	if (fd >= 0)
		close(fd);
}

/* For children: the test fails with this, and not with what follows from it. */
void st_must(struct st_world *world, int ret, const char *what)
{
	if (ret >= 0)
		return;
	atomic_store(&world->shared->oops_ret, ret);
	atomic_store(&world->shared->oops, what);
	_exit(1);
}

static char process_state(pid_t pid)
{
	char path[64], line[512] = "", *state;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 'Z';
	if (read(fd, line, sizeof(line) - 1) < 0)
		line[0] = 0;
	close(fd);
	state = strrchr(line, ')');
	return state ? state[2] : 'Z';
}

bool st_is_asleep(pid_t pid)
{
	char state = process_state(pid);

	return state == 'D' || state == 'S';
}

static void read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[64], *c;
	ssize_t n = -1;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		n = read(fd, text, size - 1);
		close(fd);
	}
	text[n < 0 ? 0 : n] = 0;
	for (c = text; *c; c++)
		if (*c == '\n')
			*c = ' ';
}

/*
 * Where somebody sleeps: the state, and the innermost functions of the kernel, without those that lock
 * and schedule.
 */
void st_describe_sleep(pid_t pid, char *text, size_t size)
{
	char stack[4096], out[256] = "", *word, *save;
	size_t n = 0;
	bool ours;

	read_proc(pid, "stack", stack, sizeof(stack));
	ours = strstr(stack, "[bus1]");
	for (word = strtok_r(stack, " ", &save); word && n < 4; word = strtok_r(NULL, " ", &save)) {
		/* "[<0>] function+0x12/0x34 [module]" */
		if (!strncmp(word, "[<", 2) || strstr(word, "rt_mutex") || strstr(word, "_mutex_lock"))
			continue;
		if (word[0] != '[') {
			word[strcspn(word, "+.")] = 0;
			strncat(out, " ", sizeof(out) - strlen(out) - 1);
			n++;
		}
		strncat(out, word, sizeof(out) - strlen(out) - 1);
	}
	/* the module further out counts, too: see is_of_kernel() */
	snprintf(text, size, "state %c in%s%s", process_state(pid), out,
		 ours && !strstr(out, "[bus1]") ? " ... [bus1]" : "");
}

/*
 * Locks of the kernel that everybody shares, whatever drivers do: the mutex that it opens
 * miscellaneous devices with, and on kernels with PREEMPT_RT the spinlocks of memory management and of
 * wait queues, whose holders can be preempted there.
 */
static bool is_of_kernel(const char *where)
{
	static const char * const names[] = {
		"misc_open", "free_to_partial_list", "get_partial_node", "___slab_alloc",
		"__slab_free", "deactivate_slab", "__unfreeze_partials", "get_any_partial",
		"rmqueue", "get_page_from_freelist", "free_unref_page", "free_pcppages_bulk",
		"alloc_vmap_area", "free_vmap_area", "find_vmap_area", "__wake_up_common_lock",
	};
	const char *first = strstr(where, " in ");
	size_t i;

	for (i = 0; first && i < B1T_N(names); i++)
		if (!strncmp(first + 4, names[i], strlen(names[i])))
			return true;
	/* not in the module at all, such as on the way to a file in /proc */
	return first && first[4] && !strstr(first, "[bus1]");
}

/* The world */

static void must_ok(int ret, const char *what)
{
	ck_assert_msg(!ret, "%s: %s", what, strerror(-ret));
}

/*
 * A node of the victim goes, and what is queued for it; another one comes, and is published. The
 * handles come from peers of the victim: a command on a peer of an attacker could wait for that one.
 */
void st_ring_turn(struct st_world *world)
{
	struct st_shared *shared = world->shared;
	size_t k = world->ring_next++ % ST_RING, i;
	uint64_t handle, first;

	if (world->ring_nodes[k])
		st_must(world, ST_STEP(world, "release of a node", st_release(world->v,
			world->ring_nodes[k])), "release of a node");
	st_must(world, ST_STEP(world, "creating a node", st_node(world->v, world->w,
		&world->ring_nodes[k], &first)), "creating a node");
	for (i = 0; i < ST_ATTACKERS; i++) {
		st_must(world, ST_STEP(world, "transfer to an attacker", st_copy(world->w,
			world->a[i], first, &handle)), "transfer to an attacker");
		atomic_store(&shared->ring[k][i], handle);
	}
	st_must(world, ST_STEP(world, "release of a handle", st_release(world->w, first)),
		"release of a handle");
}

void st_world_init(struct st_world *world)
{
	uint64_t ignored;
	size_t i;

	*world = (struct st_world){};
	world->shared = mmap(NULL, sizeof(*world->shared), PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(world->shared, MAP_FAILED);
	world->v = b1t_peer();
	world->w = b1t_peer();
	world->s = b1t_peer();
	must_ok(st_node(world->w, world->v, NULL, &world->v_to_w), "node");
	must_ok(st_node(world->v, world->w, NULL, &world->w_to_v), "node");
	must_ok(st_node(world->s, world->s, NULL, &world->s_to_s), "node");
	must_ok(st_copy(world->s, world->v, world->s_to_s, &world->v_to_s), "copy");
	for (i = 0; i < ST_ATTACKERS; i++) {
		world->a[i] = b1t_peer();
		must_ok(st_node(world->a[i], world->a[i], NULL, &world->a_to_a[i]), "node");
		must_ok(st_copy(world->w, world->a[i], world->w_to_v, &world->a_to_v[i]), "copy");
		must_ok(st_copy(world->v, world->a[i], world->v_to_w, &world->a_to_w[i]), "copy");
	}
	must_ok(st_copy(world->s, world->a[0], world->s_to_s, &ignored), "copy");
	/* one on top of each other, and nobody has looked at them */
	must_ok(st_flood(world->w, world->w_to_v, ST_DEPTH), "flood");
	must_ok(st_flood(world->v, world->v_to_s, ST_DEPTH), "flood");
	for (i = 0; i < ST_RING; i++)
		st_ring_turn(world);
}

void st_world_deinit(struct st_world *world)
{
	size_t i;

	close(world->v);
	close(world->w);
	close(world->s);
	for (i = 0; i < ST_ATTACKERS; i++)
		close(world->a[i]);
	munmap(world->shared, sizeof(*world->shared));
}

/* The duel */

struct duel {
	struct st_world world;
	const struct st_attack *attack;
	const struct st_op *op;
	pid_t victim, attackers[ST_ATTACKERS];
	size_t n_stops, n_kernel;
	const char *step;		/* what the victim sleeps in */
	uint64_t gone_ns;		/* how long it has outlived SIGKILL; with the attackers stopped */
	bool killable;
	char where[768];
};

static pid_t start_child(int cpu)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	st_pin(cpu);
	return 0;
}

static void run_victim(struct duel *duel)
{
	struct st_world *world = &duel->world;

	while (!atomic_load(&world->shared->stop)) {
		if (duel->attack->ring)
			st_ring_turn(world);
		duel->op->run(world);
		atomic_fetch_add(&world->shared->n_ops, 1);
	}
	_exit(0);
}

static void start_all(struct duel *duel)
{
	size_t i;

	duel->victim = start_child(ST_CPU_VICTIM);
	if (!duel->victim)
		run_victim(duel);
	for (i = 0; i < duel->attack->n; i++) {
		duel->attackers[i] = start_child(ST_CPU_ATTACKERS);
		if (duel->attackers[i])
			continue;
		duel->attack->run(&duel->world, i);
		_exit(0);
	}
}

static bool excuse(struct duel *duel)
{
	st_describe_sleep(duel->victim, duel->where, sizeof(duel->where));
	if (!is_of_kernel(duel->where))
		return false;
	duel->n_kernel++;
	return true;
}

/*
 * Sees the victim through @n operations: false if it sleeps for too long in one of them. In a lock of
 * the kernel's own it may; the attackers go on then.
 */
static bool watch(struct duel *duel, unsigned long n)
{
	struct st_shared *shared = duel->world.shared;
	unsigned long begin = atomic_load(&shared->n_ops), last = begin, now_at;
	uint64_t start = st_now(), next_look = start + 2000000, asleep = 0, now;

	while ((now_at = atomic_load(&shared->n_ops)) < begin + n && !atomic_load(&shared->oops)) {
		now = st_now();
		if (now_at != last) {
			last = now_at;
			asleep = 0;
		}
		if (now < next_look)
			continue;
		next_look = now + 1000000;
		if (!st_is_asleep(duel->victim))
			asleep = 0;
		else if (!asleep)
			asleep = now;
		else if (now - asleep > ST_BOUND_NS || now - start > ENDLESS_NS)
			return excuse(duel);
	}
	return true;
}

static bool is_gone(pid_t pid)
{
	siginfo_t info = {};

	return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) || info.si_pid == pid;
}

/* With the attackers still where they are. */
static void take_down(struct duel *duel)
{
	uint64_t start;

	duel->step = atomic_load(&duel->world.shared->step);
	kill(duel->victim, SIGKILL);
	start = st_now();
	while (!(duel->killable = is_gone(duel->victim)) && st_now() - start < ST_BOUND_NS)
		;
}

/* The victim comes last, as it may wait for an attacker that never goes on by itself. */
static void stop_all(struct duel *duel)
{
	uint64_t start = st_now();
	size_t i;

	atomic_store(&duel->world.shared->stop, true);
	kill(duel->victim, SIGKILL);
	for (i = 0; i < duel->attack->n; i++)
		kill(duel->attackers[i], SIGKILL);
	for (i = 0; i < duel->attack->n; i++)
		waitpid(duel->attackers[i], NULL, 0);
	waitpid(duel->victim, NULL, 0);
	duel->gone_ns = st_now() - start;
}

/* Waits for all to have begun, which says that they can. */
static void wait_for_start(struct duel *duel)
{
	struct st_shared *shared = duel->world.shared;
	uint64_t start = st_now();

	while ((atomic_load(&shared->n_attacks) < duel->attack->n || !atomic_load(&shared->n_ops)) &&
	       !atomic_load(&shared->oops) && st_now() - start < ENDLESS_NS / 3) {
		/* it may wait for one that has begun */
		if (atomic_load(&shared->n_attacks) && st_now() - start > ENDLESS_NS / 30 &&
		    st_is_asleep(duel->victim))
			break;
		usleep(1000);
	}
}

static bool is_enough(struct duel *duel, unsigned int ms, uint64_t start)
{
	uint64_t now_ms = (st_now() - start) / 1000000;

	if (atomic_load(&duel->world.shared->oops) || now_ms > SLOWEST_MS)
		return true;
	if (now_ms > SLOW_MS)
		return duel->n_stops >= FEW_STOPS;
	return now_ms >= ms && duel->n_stops >= MANY_STOPS;
}

static void guard(struct duel *duel, unsigned int ms)
{
	uint64_t start = st_now(), nap;
	unsigned int seed = 1;

	st_fifo();
	st_pin(ST_CPU_ATTACKERS);
	while (!is_enough(duel, ms, start)) {
		/* 16 microseconds to 2 milliseconds, short ones as often as long ones */
		nap = 16000ULL << (rand_r(&seed) % 7);
		st_nap(nap + rand_r(&seed) % nap);
		duel->n_stops++;
		/* the one that it is in has begun before */
		if (!watch(duel, 2)) {
			take_down(duel);
			break;
		}
	}
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){});
}

/* Lets attackers and victim run against each other for @ms milliseconds. */
void st_duel(const struct st_attack *attack, const struct st_op *op, unsigned int ms)
{
	struct duel duel = { .attack = attack, .op = op };
	unsigned long n_attacks, n_ops;
	uint64_t start = st_now();
	const char *oops;
	int oops_ret;

	st_world_init(&duel.world);
	duel.world.publish = attack->ring;
	start_all(&duel);
	wait_for_start(&duel);
	if (!atomic_load(&duel.world.shared->oops))
		guard(&duel, ms);
	stop_all(&duel);
	oops = atomic_load(&duel.world.shared->oops);
	oops_ret = atomic_load(&duel.world.shared->oops_ret);
	n_attacks = atomic_load(&duel.world.shared->n_attacks);
	n_ops = atomic_load(&duel.world.shared->n_ops);
	st_world_deinit(&duel.world);
	printf("%-14s x %-12s %6lu attacks %6lu operations %5zu stops %5llu ms%s\n", attack->name,
	       op->name, n_attacks, n_ops, duel.n_stops,
	       (unsigned long long)(st_now() - start) / 1000000, duel.step ? " WAITS" : "");
	if (duel.n_kernel && !duel.step)
		printf("  in locks of the kernel: %zu times, for the last time in %s\n",
		       duel.n_kernel, duel.where);

	ck_assert_msg(!duel.step,
		      "%s: %s of the victim waits for an attacker that does not go on: %s; %s; it was gone %llu ms after the attackers were killed",
		      attack->name, duel.step, duel.where,
		      duel.killable ? "SIGKILL ends it" : "SIGKILL does not end it",
		      (unsigned long long)duel.gone_ns / 1000000);
	ck_assert_msg(!oops, "%s, %s: %s: %s", attack->name, op->name, oops, strerror(-oops_ret));
	/* not a test if there was nobody to be stopped, or to be watched */
	ck_assert_uint_ge(n_attacks, 1);
	ck_assert_uint_ge(duel.n_stops, FEW_STOPS);
	ck_assert_uint_ge(n_ops, FEW_STOPS);
}
