// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "guest.h"

#define N_THREADS 3

#ifdef SYS_setresuid32
#define SETRESUID SYS_setresuid32
#else
#define SETRESUID SYS_setresuid
#endif

struct guest_slot guest_slots[GUEST_N_SLOTS];
int guest_epoll = -1;

/* One with a descriptor, if there are enough of them. */
struct guest_slot *guest_pick_slot(struct guest_thread *thread)
{
	struct guest_slot *slot;
	unsigned int try;

	for (try = 0; try < 4; try++) {
		slot = &guest_slots[guest_rand(&thread->rng, GUEST_N_SLOTS)];
		if (slot->fd >= 0)
			break;
	}
	return slot;
}

/* One without a descriptor, or else any. */
static struct guest_slot *pick_empty(struct guest_thread *thread)
{
	unsigned int i, at = guest_rand(&thread->rng, GUEST_N_SLOTS);

	for (i = 0; i < GUEST_N_SLOTS; i++) {
		if (guest_slots[(at + i) % GUEST_N_SLOTS].fd < 0)
			return &guest_slots[(at + i) % GUEST_N_SLOTS];
	}
	return &guest_slots[at];
}

int guest_keep_fd(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 500);

	close(fd);
	return copy;
}

/* The identity of the thread only, unlike with what the C library has. */
static void become(uid_t uid)
{
	syscall(SETRESUID, -1, uid, -1);
}

static int replace(struct guest_slot *slot, int fd, unsigned int serial)
{
	int old = atomic_exchange(&slot->fd, fd);

	slot->serial = serial;
	return old < 0 ? 0 : close(old);
}

static void do_open(struct guest_thread *thread, struct guest_slot *slot)
{
	static const uid_t uids[] = { 0, 1000, 1000, 1001 };
	int fd;

	become(uids[guest_rand(&thread->rng, GUEST_N(uids))]);
	fd = open("/dev/bus1", O_RDWR | O_CLOEXEC | (guest_once(&thread->rng, 2) ? O_NONBLOCK : 0));
	become(0);
	guest_count(GUEST_OPEN, fd < 0 ? errno : 0);
	if (fd >= 0)
		replace(slot, fd, guest_ident_new(false));
}

static void do_dup(struct guest_thread *thread)
{
	struct guest_slot *from = guest_pick_slot(thread), *to = guest_pick_slot(thread);
	int fd = guest_once(&thread->rng, 3) ? dup2(from->fd, to->fd) : dup(from->fd);

	/* the number has just been taken by a thread that is still opening what gets it, see dup(2) */
	if (fd < 0 && errno == EBUSY)
		return;
	guest_count(GUEST_DUP, fd < 0 ? errno : 0);
	if (fd >= 0 && fd != to->fd)
		replace(to, fd, from->serial);
	else if (fd >= 0)
		to->serial = from->serial;
}

/* Peers that processes share stay open in somebody. */
static void do_close(struct guest_thread *thread)
{
	int ret = replace(guest_pick_slot(thread), -1, 0);

	guest_count(GUEST_CLOSE, ret ? errno : 0);
}

static void do_poll(struct guest_thread *thread)
{
	struct pollfd pollfds[4];
	unsigned int i;
	int ret;

	for (i = 0; i < GUEST_N(pollfds); i++)
		pollfds[i] = (struct pollfd){
			.fd = guest_pick_slot(thread)->fd, .events = POLLIN | POLLOUT * (int)(i & 1)
		};
	ret = poll(pollfds, GUEST_N(pollfds), (int)guest_rand(&thread->rng, 3));
	if (ret >= 0 || errno != EINTR)
		guest_count(GUEST_POLL, ret < 0 ? errno : 0);
}

static void do_epoll(struct guest_thread *thread)
{
	struct epoll_event events[4], event = {
		.events = EPOLLIN | (guest_once(&thread->rng, 2) ? EPOLLET : 0) |
			  (guest_once(&thread->rng, 8) ? EPOLLONESHOT : 0),
	};
	static const int ops[] = { EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_MOD, EPOLL_CTL_DEL };
	int fd = guest_pick_slot(thread)->fd;
	int ret;

	/* may be there already, or closed by now */
	epoll_ctl(guest_epoll, ops[guest_rand(&thread->rng, 4)], fd, &event);
	ret = epoll_wait(guest_epoll, events, GUEST_N(events), (int)guest_rand(&thread->rng, 2));
	if (ret >= 0 || errno != EINTR)
		guest_count(GUEST_EPOLL, ret < 0 ? errno : 0);
}

union control {
	struct cmsghdr header;
	char bytes[CMSG_SPACE(sizeof(int))];
};

/* Sends a peer to whoever takes it; it may stay in the socket for ever. */
static void do_pass(struct guest_thread *thread)
{
	struct guest_slot *slot = guest_pick_slot(thread);
	unsigned int serial = slot->serial;
	struct iovec vec = { &serial, sizeof(serial) };
	union control control = {};
	struct msghdr msg = {
		.msg_iov = &vec, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd = slot->fd;

	control.header.cmsg_level = SOL_SOCKET;
	control.header.cmsg_type = SCM_RIGHTS;
	control.header.cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	if (sendmsg(guest_sockets[0], &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		/* too many in flight is a limit of the socket */
		if (errno != EINTR && errno != ETOOMANYREFS)
			guest_count(GUEST_PASS, errno);
		return;
	}
	guest_count(GUEST_PASS, 0);
}

static void do_accept(struct guest_thread *thread)
{
	unsigned int serial = 0;
	struct iovec vec = { &serial, sizeof(serial) };
	union control control = {};
	struct msghdr msg = {
		.msg_iov = &vec, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd = -1;

	if (recvmsg(guest_sockets[1], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0) {
		if (errno != EINTR)
			guest_count(GUEST_ACCEPT, errno);
		return;
	}
	if (CMSG_FIRSTHDR(&msg))
		memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	guest_count(GUEST_ACCEPT, fd < 0 ? EMFILE : 0);
	if (fd >= 0)
		replace(pick_empty(thread), fd, serial);
}

static void do_command(struct guest_thread *thread)
{
	uint32_t n = guest_rand(&thread->rng, 100);

	if (n < 36)
		guest_recv(thread);
	else if (n < 72)
		guest_send(thread);
	else if (n < 85)
		guest_transfer(thread);
	else if (n < 97)
		guest_release(thread);
	else
		guest_nonsense(thread);
}

/* A copy of the process that does something with the same peers, and ends; or waits to be killed. */
static void do_fork(struct guest_thread *thread)
{
	unsigned int i;
	pid_t pid;

	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	pid = (pid_t)syscall(SYS_fork);
	if (pid) {
		if (pid > 0 || errno != EINTR)
			guest_count(GUEST_FORK, pid < 0 ? errno : 0);
		return;
	}
	thread->rng.state += 1;
	for (i = 0; i < 20; i++)
		do_command(thread);
	if (guest_once(&thread->rng, 8))
		pause();
	_exit(0);
}

static void step(struct guest_thread *thread)
{
	switch (guest_rand(&thread->rng, 200)) {
	case 0 ... 4: do_open(thread, pick_empty(thread)); break;
	case 5: do_open(thread, &guest_slots[guest_rand(&thread->rng, GUEST_N_SLOTS)]); break;
	case 6 ... 10: do_dup(thread); break;
	case 11 ... 13: do_close(thread); break;
	case 14 ... 19: do_poll(thread); break;
	case 20 ... 25: do_epoll(thread); break;
	case 26 ... 27: do_pass(thread); break;
	case 28 ... 29: do_accept(thread); break;
	case 30: do_fork(thread); break;
	default: do_command(thread); break;
	}
}

static void *run(void *arg)
{
	for (;;)
		step(arg);
	return NULL;
}

static void on_signal(int signal)
{
	(void)signal;
	guest->n_signals++;
}

static void start_signals(struct guest_rng *rng)
{
	struct itimerval timer = {
		.it_interval.tv_usec = 500 + guest_rand(rng, 20000),
		.it_value.tv_usec = 1000,
	};
	/* without SA_RESTART */
	struct sigaction action = { .sa_handler = on_signal };

	sigaction(SIGALRM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void start(struct guest_thread *thread, void *(*fn)(void *))
{
	if (pthread_create(&thread->pthread, NULL, fn, thread))
		_exit(EXIT_FAILURE);
}

_Noreturn void guest_process(unsigned int number, uint64_t generation)
{
	static struct guest_thread threads[N_THREADS + 2];
	struct guest_rng rng = { guest->seed ^ (number + 1) << 20 ^ generation << 32 };
	unsigned int i;

	setpgid(0, 0);
	/* nobody is left behind if the parent dies */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	guest_rand(&rng, 1);
	guest_memory_init(&rng);
	guest_epoll = guest_keep_fd(epoll_create1(EPOLL_CLOEXEC));
	for (i = 0; i < GUEST_N_SLOTS; i++) {
		guest_slots[i].fd = i < GUEST_N_SHARED ? dup(guest_shared_fds[i]) : -1;
		guest_slots[i].serial = i < GUEST_N_SHARED ? guest_shared_serials[i] : 0;
	}
	for (i = 0; i < N_THREADS; i++) {
		threads[i].rng.state = rng.state + ((uint64_t)i + 3) * 0x1234567;
		threads[i].good = guest_memory_good();
	}
	for (i = GUEST_N_SHARED; i < GUEST_N_SLOTS; i++)
		do_open(&threads[0], &guest_slots[i]);
	start_signals(&rng);
	for (i = 0; i < N_THREADS; i++)
		start(&threads[i], run);
	start(&threads[i++], guest_shake);
	if (guest->userfaultfd)
		start(&threads[i], guest_handle_faults);
	for (;;) {
		usleep(1000 + guest_rand(&rng, 20000));
		pthread_kill(threads[guest_rand(&rng, N_THREADS)].pthread, SIGUSR1);
	}
}
