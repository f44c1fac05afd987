// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Commands that are stuck in a page fault, at each place where they touch user memory: nobody else
 * waits for them (mistake 22), and who waits for the own peer can be killed
 */
#define _GNU_SOURCE
#include "strangers.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { MANY = 40 };		/* arrays of so many elements are not kept on the kernel's stack */

static size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

void st_trap_init(struct st_trap *trap)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	trap->uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	trap->page = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	reg.range.start = BUS1_FROM_PTR(trap->page);
	reg.range.len = page_size();
	if (trap->uffd < 0 || trap->page == MAP_FAILED || ioctl(trap->uffd, UFFDIO_API, &api) ||
	    ioctl(trap->uffd, UFFDIO_REGISTER, &reg)) {
		fprintf(stderr, "userfaultfd: %s\n", strerror(errno));
		abort();
	}
}

/* Whether somebody is stuck. */
bool st_trap_wait(struct st_trap *trap, int timeout_ms)
{
	struct pollfd p = { .fd = trap->uffd, .events = POLLIN };
	struct uffd_msg msg;

	return poll(&p, 1, timeout_ms) == 1 &&
	       read(trap->uffd, &msg, sizeof(msg)) == (ssize_t)sizeof(msg);
}

void st_trap_open(struct st_trap *trap)
{
	struct uffdio_zeropage zero = { .range = { BUS1_FROM_PTR(trap->page), page_size() } };

	ioctl(trap->uffd, UFFDIO_ZEROPAGE, &zero);
}

/* A command with all its memory, of which one part is in the trap. */
struct stuck {
	struct st_trap trap;
	int fd;
	unsigned long request;
	void *arg;
	struct bus1_cmd_send send;
	struct bus1_cmd_transfer transfer;
	struct bus1_cmd_release release;
	struct bus1_cmd_recv recv;
	struct bus1_message message;
	struct bus1_metadata metadata;
	struct iovec vec;
	char data[8];
	int32_t errors[MANY];
	struct bus1_transfer src[MANY], dst[MANY];
	uint64_t ids[MANY];
	/* where the first of ids comes from, if the node of that may be gone */
	_Atomic uint64_t *first_id;
};

static void *run_stuck(void *arg)
{
	struct stuck *stuck = arg;

	/* a payload that nobody receives may stay unread: then once more, to the next node */
	do {
		if (stuck->first_id)
			stuck->ids[0] = atomic_load(stuck->first_id);
		b1t_ioctl(stuck->fd, stuck->request, stuck->arg);
	} while (stuck->first_id);
	return NULL;
}

/* Runs the command for as long as the process lives; counts when it is stuck. */
static void stay_stuck(struct st_world *world, struct stuck *stuck)
{
	pthread_t thread;

	st_must(world, -pthread_create(&thread, NULL, run_stuck, stuck), "pthread_create");
	st_must(world, st_trap_wait(&stuck->trap, 10000) ? 0 : -ETIME, "getting stuck");
	atomic_fetch_add(&world->shared->n_attacks, 1);
	for (;;)
		pause();
}

/* A send to all that the victim has. */
static struct stuck *stuck_send(struct st_world *world, size_t n)
{
	struct stuck *s = calloc(1, sizeof(*s));
	size_t i;

	st_must(world, s ? 0 : -ENOMEM, "calloc");
	st_trap_init(&s->trap);
	for (i = 0; i < n; i++) {
		s->ids[i] = i % 3 == 1 ? world->a_to_v[0] : i % 3 == 2 ? world->a_to_w[0] :
			    atomic_load(&world->shared->ring[i / 3 % ST_RING][0]);
		s->src[i] = (struct bus1_transfer){ 0, world->a_to_a[0] };
	}
	s->vec = (struct iovec){ s->data, 4 };
	s->message = (struct bus1_message){
		.type = BUS1_MESSAGE_TYPE_USER,
		.n_transfers = n,
		.ptr_transfers = BUS1_FROM_PTR(s->src),
		.n_data = 4,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&s->vec),
	};
	s->send = (struct bus1_cmd_send){
		.n_destinations = n,
		.ptr_destinations = BUS1_FROM_PTR(s->ids),
		.ptr_errors = BUS1_FROM_PTR(s->errors),
		.ptr_message = BUS1_FROM_PTR(&s->message),
	};
	s->first_id = &world->shared->ring[0][0];
	s->fd = world->a[0];
	s->request = BUS1_CMD_SEND;
	s->arg = &s->send;
	return s;
}

static void send_command(struct st_world *world, size_t i)
{
	struct stuck *s = stuck_send(world, MANY);

	(void)i;
	s->arg = s->trap.page;
	stay_stuck(world, s);
}

static void send_message(struct st_world *world, size_t i)
{
	struct stuck *s = stuck_send(world, MANY);

	(void)i;
	s->send.ptr_message = BUS1_FROM_PTR(s->trap.page);
	stay_stuck(world, s);
}

static void send_transfers(struct st_world *world, size_t i)
{
	struct stuck *s = stuck_send(world, MANY);

	(void)i;
	s->message.ptr_transfers = BUS1_FROM_PTR(s->trap.page);
	stay_stuck(world, s);
}

static void send_destinations(struct st_world *world, size_t i)
{
	struct stuck *s = stuck_send(world, MANY);

	(void)i;
	s->send.ptr_destinations = BUS1_FROM_PTR(s->trap.page);
	stay_stuck(world, s);
}

static void send_iovec(struct st_world *world, size_t i)
{
	struct stuck *s = stuck_send(world, MANY);

	(void)i;
	s->message.ptr_data_vecs = BUS1_FROM_PTR(s->trap.page);
	stay_stuck(world, s);
}

static void send_payload(struct st_world *world, size_t i)
{
	struct stuck *s = stuck_send(world, MANY);

	(void)i;
	s->vec.iov_base = s->trap.page;
	stay_stuck(world, s);
}

/* A single message, which may take other ways than several. */
static void send_payload_1(struct st_world *world, size_t i)
{
	struct stuck *s = stuck_send(world, 1);

	(void)i;
	s->vec.iov_base = s->trap.page;
	stay_stuck(world, s);
}

static void send_errors(struct st_world *world, size_t i)
{
	struct stuck *s = stuck_send(world, MANY);

	(void)i;
	s->send.ptr_errors = BUS1_FROM_PTR(s->trap.page);
	stay_stuck(world, s);
}

static void send_errors_1(struct st_world *world, size_t i)
{
	struct stuck *s = stuck_send(world, 1);

	(void)i;
	s->send.ptr_errors = BUS1_FROM_PTR(s->trap.page);
	stay_stuck(world, s);
}

/* A transfer into the victim's peer, of which half creates nodes. */
static struct stuck *stuck_transfer(struct st_world *world, bool src_in_trap, bool dst_in_trap)
{
	struct stuck *s = calloc(1, sizeof(*s));
	size_t i;

	st_must(world, s ? 0 : -ENOMEM, "calloc");
	st_trap_init(&s->trap);
	for (i = 0; i < MANY; i++)
		s->src[i] = i % 2 ? (struct bus1_transfer){ 0, world->a_to_a[0] } :
			    (struct bus1_transfer){ BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID };
	s->transfer = (struct bus1_cmd_transfer){
		.to = world->v,
		.n_transfers = MANY,
		.ptr_src = BUS1_FROM_PTR(src_in_trap ? (void *)s->trap.page : s->src),
		.ptr_dst = BUS1_FROM_PTR(dst_in_trap ? (void *)s->trap.page : s->dst),
	};
	s->fd = world->a[0];
	s->request = BUS1_CMD_TRANSFER;
	s->arg = &s->transfer;
	return s;
}

static void transfer_sources(struct st_world *world, size_t i)
{
	(void)i;
	stay_stuck(world, stuck_transfer(world, true, false));
}

static void transfer_results(struct st_world *world, size_t i)
{
	(void)i;
	stay_stuck(world, stuck_transfer(world, false, true));
}

/* A release that waits for its IDs, with the peer of the attacker locked. */
static void release_ids(struct st_world *world, size_t i)
{
	struct stuck *s = calloc(1, sizeof(*s));

	(void)i;
	st_must(world, s ? 0 : -ENOMEM, "calloc");
	st_trap_init(&s->trap);
	s->release = (struct bus1_cmd_release){ 0, MANY, BUS1_FROM_PTR(s->trap.page) };
	s->fd = world->a[0];
	s->request = BUS1_CMD_RELEASE;
	s->arg = &s->release;
	stay_stuck(world, s);
}

/* The attackers' own peer, which is locked for a receive. */
static struct stuck *stuck_recv(struct st_world *world, bool data_in_trap)
{
	struct stuck *s = calloc(1, sizeof(*s));

	st_must(world, s ? 0 : -ENOMEM, "calloc");
	st_trap_init(&s->trap);
	s->vec = (struct iovec){ data_in_trap ? s->trap.page : s->data, 4 };
	s->message = (struct bus1_message){
		.type = BUS1_INVALID,
		.n_data = 4,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&s->vec),
	};
	s->recv.ptr_metadata = BUS1_FROM_PTR(data_in_trap ? (void *)&s->metadata : s->trap.page);
	s->recv.ptr_message = BUS1_FROM_PTR(&s->message);
	s->fd = world->s;
	s->request = BUS1_CMD_RECV;
	s->arg = &s->recv;
	return s;
}

static void recv_data(struct st_world *world, size_t i)
{
	(void)i;
	stay_stuck(world, stuck_recv(world, true));
}

static void recv_metadata(struct st_world *world, size_t i)
{
	(void)i;
	stay_stuck(world, stuck_recv(world, false));
}

const struct st_attack st_fault_attacks[] = {
	{ "send-command", send_command, 1, false },
	{ "send-message", send_message, 1, false },
	{ "send-transfers", send_transfers, 1, false },
	{ "send-dests", send_destinations, 1, false },
	{ "send-iovec", send_iovec, 1, false },
	{ "send-payload", send_payload, 1, false },
	{ "send-data-1", send_payload_1, 1, false },
	{ "send-errors", send_errors, 1, false },
	{ "send-errors-1", send_errors_1, 1, false },
	{ "transfer-src", transfer_sources, 1, false },
	{ "transfer-dst", transfer_results, 1, false },
	{ "release-ids", release_ids, 1, false },
	{ "recv-data", recv_data, 1, false },
	{ "recv-metadata", recv_metadata, 1, false },
};

const size_t st_n_fault_attacks = B1T_N(st_fault_attacks);

/* Each in turn, and the nodes that the attacker sends to go. */
static void op_all(struct st_world *world)
{
	static size_t next;

	if (next == st_n_ops) {
		st_ring_turn(world);
		next = 0;
	} else {
		st_ops[next++].run(world);
	}
}

START_TEST(strangers_fault)
{
	static const struct st_op all = { "all", op_all };

	st_duel(&st_fault_attacks[_i], &all, 100);
}
END_TEST

/*
 * The receiver closes, with a message on the way to it that waits for its payload: it does not wait,
 * and the message is discarded.
 */
START_TEST(strangers_fault_and_close)
{
	int sender = b1t_peer(), receiver = b1t_peer();
	uint64_t handle, start, took;
	struct st_trap trap;
	struct bus1_message message = { .type = BUS1_MESSAGE_TYPE_USER };
	struct bus1_cmd_send cmd = {
		.n_destinations = 1,
		.ptr_destinations = BUS1_FROM_PTR(&handle),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	struct stuck stuck = { .fd = sender, .request = BUS1_CMD_SEND, .arg = &cmd };
	struct bus1_transfer transfer;
	struct iovec vec;
	pthread_t thread;

	st_trap_init(&trap);
	b1t_node_ok(receiver, sender, NULL, &handle);
	transfer = (struct bus1_transfer){ 0, handle };
	vec = (struct iovec){ trap.page, 1 };
	message.n_transfers = 1;
	message.ptr_transfers = BUS1_FROM_PTR(&transfer);
	message.n_data = 1;
	message.n_data_vecs = 1;
	message.ptr_data_vecs = BUS1_FROM_PTR(&vec);
	ck_assert(!pthread_create(&thread, NULL, run_stuck, &stuck));
	ck_assert(st_trap_wait(&trap, 10000));
	start = st_now();
	close(receiver);
	took = st_now() - start;
	st_trap_open(&trap);
	ck_assert(!pthread_join(thread, NULL));
	b1t_expect_node_release(sender, handle);
	b1t_expect_empty(sender);
	ck_assert_uint_lt(took, 2 * 1000000000ULL);
}
END_TEST

/*
 * Commands of one peer wait for each other, and the first of these may be stuck; who waits can be
 * killed, and is gone at once.
 */
static void own_recv(struct st_world *world)
{
	st_recv(world->s);
}

static void own_send(struct st_world *world)
{
	st_send(world->s, 1, &world->s_to_s, 1, world->s_to_s);
}

static void own_transfer(struct st_world *world)
{
	uint64_t node, handle;

	st_node(world->s, -1, &node, &handle);
}

static void own_release(struct st_world *world)
{
	st_release(world->s, world->s_to_s);
}

static void own_poll(struct st_world *world)
{
	struct pollfd p = { .fd = world->s, .events = POLLIN };

	poll(&p, 1, 0);
}

static void own_fdinfo(struct st_world *world)
{
	st_fdinfo(world->s, NULL);
}

static const struct {
	const char *name;
	void (*run)(struct st_world *world);
	bool waits;			/* by the contract; of the others it is no business of ours */
} own_ops[] = {
	{ "recv", own_recv, true },
	{ "send", own_send, true },
	{ "transfer", own_transfer, true },
	{ "release", own_release, true },
	{ "poll", own_poll, false },
	{ "fdinfo", own_fdinfo, false },
};

static pid_t spawn(struct st_world *world, void (*run)(struct st_world *world))
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	run(world);
	_exit(0);
}

static void run_recv_data(struct st_world *world)
{
	recv_data(world, 0);
}

START_TEST(strangers_killed)
{
	struct st_world world;
	uint64_t start, took;
	char where[768] = "";
	pid_t stuck, pid;
	bool slept = false;
	int status;

	st_world_init(&world);
	stuck = spawn(&world, run_recv_data);
	while (!atomic_load(&world.shared->n_attacks) && !atomic_load(&world.shared->oops))
		usleep(1000);
	pid = spawn(&world, own_ops[_i].run);
	start = st_now();
	/* asleep, or done */
	while (st_now() - start < 500000000ULL && !slept && waitpid(pid, &status, WNOHANG) != pid) {
		usleep(20000);
		slept = st_is_asleep(pid);
	}
	st_describe_sleep(pid, where, sizeof(where));
	start = st_now();
	if (slept) {
		kill(pid, SIGKILL);
		while (waitpid(pid, &status, WNOHANG) != pid && st_now() - start < 5000000000ULL)
			usleep(100);
	}
	took = st_now() - start;
	/* who has been waited for above is gone, and these do nothing */
	kill(stuck, SIGKILL);
	waitpid(stuck, NULL, 0);
	waitpid(pid, NULL, 0);
	ck_assert_ptr_null(atomic_load(&world.shared->oops));
	st_world_deinit(&world);
	if (own_ops[_i].waits)
		ck_assert_msg(slept, "%s does not wait for the own peer", own_ops[_i].name);
	ck_assert_msg(took < ST_BOUND_NS * 5, "%s of a peer that is stuck cannot be killed: %s",
		      own_ops[_i].name, where);
}
END_TEST

TCase *st_tcase_fault(void)
{
	TCase *tc = tcase_create("fault");

	/* a close that waits cannot be ended otherwise */
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, strangers_fault, 0, st_n_fault_attacks);
	tcase_add_test(tc, strangers_fault_and_close);
	tcase_add_loop_test(tc, strangers_killed, 0, B1T_N(own_ops));
	return tc;
}
