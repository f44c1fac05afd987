// SPDX-License-Identifier: LGPL-2.1-or-later
/* The device: its node, what is not an ioctl of it, shared descriptors, accounts, signals. */
#define _GNU_SOURCE
#include "b1t.h"
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/wait.h>

#define MISC_MAJOR 10
#define OTHER_UID 1000

/* two peers; b holds a handle to a node of a */
struct pair {
	int a, b;
	uint64_t node, handle;
};

static void pair_init(struct pair *p)
{
	p->a = b1t_peer();
	p->b = b1t_peer();
	b1t_node_ok(p->a, p->b, &p->node, &p->handle);
}

/* Runs @fn in a process of its own, which must end well. */
static void in_child(void (*fn)(struct pair *p), struct pair *p)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		fn(p);
		_exit(0);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

START_TEST(device_node)
{
	struct stat st;

	ck_assert_int_eq(stat("/dev/bus1", &st), 0);
	ck_assert(S_ISCHR(st.st_mode));
	ck_assert_uint_eq(major(st.st_rdev), MISC_MAJOR);
	ck_assert_uint_eq(st.st_mode & 07777, 0666);
}
END_TEST

static const unsigned int unknown_ioctls[] = {
	0,
	~0U,
	0x5401,				/* TCGETS */
	_IO(BUS1_IOCTL_MAGIC, 0x00),
	_IOR(BUS1_IOCTL_MAGIC, 0x00, struct bus1_cmd_transfer),
	_IOW(BUS1_IOCTL_MAGIC, 0x00, struct bus1_cmd_transfer),
	_IOWR(BUS1_IOCTL_MAGIC, 0x00, struct bus1_cmd_release),
	_IOWR(BUS1_IOCTL_MAGIC, 0x01, struct bus1_cmd_transfer),
	_IOWR(BUS1_IOCTL_MAGIC, 0x01, uint64_t),
	_IOWR(BUS1_IOCTL_MAGIC, 0x02, struct bus1_cmd_recv),
	_IOWR(BUS1_IOCTL_MAGIC, 0x03, struct bus1_cmd_send),
	_IOWR(BUS1_IOCTL_MAGIC, 0x04, struct bus1_cmd_recv),
	_IOWR(BUS1_IOCTL_MAGIC, 0x82, struct bus1_cmd_send),
	_IOWR(BUS1_IOCTL_MAGIC, 0xff, struct bus1_cmd_send),
	_IOWR(BUS1_IOCTL_MAGIC - 1, 0x01, struct bus1_cmd_release),
	_IOWR(BUS1_IOCTL_MAGIC + 1, 0x02, struct bus1_cmd_send),
};

/* Nothing but the four exact numbers is known; the argument is not looked at. */
START_TEST(device_unknown_ioctl)
{
	struct bus1_cmd_send zeroes[2] = {};
	int fd = b1t_peer();

	ck_assert_int_eq(b1t_ioctl(fd, unknown_ioctls[_i], zeroes), -ENOTTY);
	ck_assert_int_eq(b1t_ioctl(fd, unknown_ioctls[_i], NULL), -ENOTTY);
}
END_TEST

/* A peer is no byte stream, neither empty nor with a message queued. */
START_TEST(device_no_stream)
{
	char byte = 'x';
	struct iovec vec = { &byte, 1 };
	struct pair p;
	int i;

	pair_init(&p);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(read(p.a, &byte, 1), -1);
		ck_assert_int_eq(write(p.a, &byte, 1), -1);
		ck_assert_int_eq(pread(p.a, &byte, 1, 0), -1);
		ck_assert_int_eq(pwrite(p.a, &byte, 1, 0), -1);
		ck_assert_int_eq(readv(p.a, &vec, 1), -1);
		ck_assert_int_eq(writev(p.a, &vec, 1), -1);
		ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ, MAP_SHARED, p.a, 0), MAP_FAILED);
		ck_assert_ptr_eq(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, p.a, 0),
				 MAP_FAILED);
		ck_assert_int_eq(byte, 'x');
		if (!i)
			ck_assert_int_eq(b1t_send_text(p.b, p.handle, "queued"), 0);
	}
	b1t_expect_text(p.a, p.node, "queued");
	b1t_expect_empty(p.a);
}
END_TEST

/* O_NONBLOCK changes nothing, set by open(2) or later. */
START_TEST(device_nonblock)
{
	uint64_t node, handle;
	int fd, i;

	fd = open("/dev/bus1", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	ck_assert_int_ge(fd, 0);
	b1t_node_ok(fd, -1, &node, &handle);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(fcntl(fd, F_SETFL, i & 1 ? 0 : O_NONBLOCK), 0);
		b1t_expect_empty(fd);
		ck_assert_int_eq(b1t_send_text(fd, handle, "self"), 0);
		b1t_expect_text(fd, node, "self");
	}
}
END_TEST

/* Two open(2) make two peers, which do not know each other's IDs. */
START_TEST(device_opens_are_peers)
{
	struct pair p;

	pair_init(&p);
	ck_assert_int_eq(b1t_send_text(p.b, p.handle, "x"), 0);
	b1t_expect_empty(p.b);
	b1t_expect_text(p.a, p.node, "x");
	close(p.b);
	b1t_expect_handle_release(p.a, p.node);
	b1t_expect_empty(p.a);
}
END_TEST

/* A duplicate is the same peer: same IDs, same queue, and it lives until both are closed. */
START_TEST(device_dup)
{
	uint64_t copy;
	struct pair p;
	int fd;

	pair_init(&p);
	fd = dup(p.b);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(b1t_send_text(fd, p.handle, "dup"), 0);
	b1t_expect_text(p.a, p.node, "dup");
	copy = b1t_copy_ok(p.b, fd, p.handle);
	ck_assert_int_eq(b1t_release1(p.b, p.handle), 0);
	close(p.b);
	b1t_expect_empty(p.a);
	ck_assert_int_eq(b1t_send_text(fd, copy, "still there"), 0);
	b1t_expect_text(p.a, p.node, "still there");
	close(fd);
	b1t_expect_handle_release(p.a, p.node);
	b1t_expect_empty(p.a);
}
END_TEST

static void use_inherited(struct pair *p)
{
	b1t_expect_text(p->a, p->node, "for the child");
	ck_assert_int_eq(b1t_send_text(p->b, p->handle, "from the child"), 0);
	close(p->a);
	close(p->b);
}

/* A child shares the peer, and its end does not close it. */
START_TEST(device_fork)
{
	struct pair p;

	pair_init(&p);
	ck_assert_int_eq(b1t_send_text(p.b, p.handle, "for the child"), 0);
	in_child(use_inherited, &p);
	b1t_expect_text(p.a, p.node, "from the child");
	b1t_expect_empty(p.a);
}
END_TEST

static void send_fd(int sock, int fd)
{
	char byte = 0, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec vec = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &vec, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	ck_assert_int_eq(sendmsg(sock, &msg, 0), 1);
}

static int recv_fd(int sock)
{
	char byte, control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec vec = { &byte, 1 };
	struct msghdr msg = {
		.msg_iov = &vec, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	ck_assert_int_eq(recvmsg(sock, &msg, 0), 1);
	ck_assert_ptr_ne(CMSG_FIRSTHDR(&msg), NULL);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

/* A descriptor in a socket keeps the peer alive; who receives it has the same peer. */
START_TEST(device_scm_rights)
{
	int socks[2], fd;
	struct pair p;

	pair_init(&p);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, socks), 0);
	send_fd(socks[0], p.b);
	close(p.b);
	b1t_expect_empty(p.a);
	fd = recv_fd(socks[1]);
	ck_assert_int_eq(b1t_send_text(fd, p.handle, "passed on"), 0);
	b1t_expect_text(p.a, p.node, "passed on");
	/* and it ends with the socket, if nobody receives it */
	send_fd(socks[0], fd);
	close(fd);
	b1t_expect_empty(p.a);
	close(socks[0]);
	close(socks[1]);
	b1t_expect_handle_release(p.a, p.node);
}
END_TEST

/* The next message of @p->a was sent by a peer of @account. */
static void expect_account(struct pair *p, uint64_t account)
{
	struct b1t_received r;

	ck_assert_int_eq(b1t_recv(p->a, &r), 0);
	ck_assert_uint_eq(r.message.type, BUS1_MESSAGE_TYPE_USER);
	ck_assert_uint_eq(r.metadata.id, p->node);
	ck_assert_uint_eq(r.metadata.account, account);
}

static void open_unprivileged(struct pair *p)
{
	ck_assert_int_eq(setresuid(OTHER_UID, OTHER_UID, OTHER_UID), 0);
	p->b = b1t_peer();
	ck_assert_int_ne(setuid(0), 0);
	b1t_node_ok(p->a, p->b, &p->node, &p->handle);
	ck_assert_int_eq(b1t_send_text(p->b, p->handle, "x"), 0);
	expect_account(p, OTHER_UID);
}

/* Everybody may open the device. */
START_TEST(device_unprivileged)
{
	struct pair p;

	pair_init(&p);
	in_child(open_unprivileged, &p);
}
END_TEST

/* The account is the effective UID of the opener, whichever of the others differs from it. */
START_TEST(device_account_is_euid)
{
	struct pair p;

	pair_init(&p);
	ck_assert_int_eq(setresuid(0, OTHER_UID, 0), 0);
	p.b = b1t_peer();
	ck_assert_int_eq(setresuid(OTHER_UID, 0, 0), 0);
	b1t_node_ok(p.a, p.b, &p.node, &p.handle);
	ck_assert_int_eq(b1t_send_text(p.b, p.handle, "x"), 0);
	expect_account(&p, OTHER_UID);
	p.b = b1t_peer();
	ck_assert_int_eq(setresuid(0, 0, 0), 0);
	b1t_node_ok(p.a, p.b, &p.node, &p.handle);
	ck_assert_int_eq(b1t_send_text(p.b, p.handle, "x"), 0);
	expect_account(&p, 0);
}
END_TEST

static void send_unprivileged(struct pair *p)
{
	ck_assert_int_eq(setresuid(OTHER_UID, OTHER_UID, OTHER_UID), 0);
	ck_assert_int_eq(b1t_send_text(p->b, p->handle, "x"), 0);
}

/* Who uses the descriptor does not matter. */
START_TEST(device_account_stays)
{
	struct pair p;

	pair_init(&p);
	in_child(send_unprivileged, &p);
	expect_account(&p, 0);
}
END_TEST

static void send_and_exit(struct pair *p)
{
	int fd;

	ck_assert_int_eq(setresuid(OTHER_UID, OTHER_UID, OTHER_UID), 0);
	fd = b1t_peer();
	ck_assert_int_eq(b1t_send_text(fd, b1t_copy_ok(p->b, fd, p->handle), "x"), 0);
}

/* The account of a message outlives its sender. */
START_TEST(device_account_of_closed_peer)
{
	struct pair p;

	pair_init(&p);
	in_child(send_and_exit, &p);
	expect_account(&p, OTHER_UID);
	b1t_expect_empty(p.a);
}
END_TEST

static void recv_unmapped(struct pair *p)
{
	ck_assert_int_eq(unshare(CLONE_NEWUSER), 0);
	expect_account(p, BUS1_INVALID);
	expect_account(p, BUS1_INVALID);
}

/* Makes UID 0 outside UID 5 inside, and gives the others no mapping. */
static void recv_mapped(struct pair *p)
{
	int fd;

	ck_assert_int_eq(unshare(CLONE_NEWUSER), 0);
	fd = open("/proc/self/uid_map", O_WRONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, "5 0 1\n", 6), 6);
	close(fd);
	expect_account(p, 5);
	expect_account(p, BUS1_INVALID);
}

static void (*const namespaces[])(struct pair *p) = { recv_unmapped, recv_mapped };

/* The account is translated for the receiver, or hidden where it has no mapping. */
START_TEST(device_account_namespace)
{
	struct pair p;

	pair_init(&p);
	ck_assert_int_eq(b1t_send_text(p.b, p.handle, "x"), 0);
	in_child(send_and_exit, &p);
	in_child(namespaces[_i], &p);
	b1t_expect_empty(p.a);
	/* outside nothing has changed */
	ck_assert_int_eq(b1t_send_text(p.b, p.handle, "x"), 0);
	expect_account(&p, 0);
}
END_TEST

static volatile sig_atomic_t n_signals;

static void count_signal(int sig)
{
	(void)sig;
	n_signals++;
}

static void start_timer(void)
{
	/* no SA_RESTART: an interrupted call shows */
	struct sigaction action = { .sa_handler = count_signal };
	struct itimerval timer = { { 0, 300 }, { 0, 300 } };

	ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
	ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

/* Keeps the lock of @fd busy until it is killed. */
static void keep_busy(int fd, uint64_t handle)
{
	struct bus1_transfer src[64] = {}, dst[64];
	uint64_t ids[64];
	size_t i;

	for (i = 0; i < B1T_N(src); i++)
		src[i].id = handle;
	for (;;) {
		ck_assert_int_eq(b1t_transfer(fd, -1, B1T_N(src), src, dst), 0);
		for (i = 0; i < B1T_N(ids); i++)
			ids[i] = dst[i].id;
		ck_assert_int_eq(b1t_release(fd, B1T_N(ids), ids), 0);
	}
}

/* Signals with a handler do not interrupt a command, also when it waits for the peer's lock. */
START_TEST(device_signals)
{
	struct pair p;
	pid_t pid;
	int status;

	pair_init(&p);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		keep_busy(p.b, p.handle);
	start_timer();
	while (n_signals < 400) {
		uint64_t copy = b1t_copy_ok(p.b, p.a, p.handle);

		ck_assert_int_eq(b1t_send_text(p.b, p.handle, "x"), 0);
		b1t_expect_text(p.a, p.node, "x");
		ck_assert_int_eq(b1t_release1(p.a, copy), 0);
		b1t_expect_empty(p.b);
	}
	setitimer(ITIMER_REAL, &(struct itimerval){}, NULL);
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	b1t_expect_empty(p.a);
	ck_assert_int_eq(b1t_send_text(p.b, p.handle, "after the kill"), 0);
	b1t_expect_text(p.a, p.node, "after the kill");
}
END_TEST

TCase *b1t_tcase_device(void)
{
	TCase *tcase = tcase_create("device");

	tcase_set_timeout(tcase, 60);
	tcase_add_test(tcase, device_node);
	tcase_add_loop_test(tcase, device_unknown_ioctl, 0, B1T_N(unknown_ioctls));
	tcase_add_test(tcase, device_no_stream);
	tcase_add_test(tcase, device_nonblock);
	tcase_add_test(tcase, device_opens_are_peers);
	tcase_add_test(tcase, device_dup);
	tcase_add_test(tcase, device_fork);
	tcase_add_test(tcase, device_scm_rights);
	tcase_add_test(tcase, device_unprivileged);
	tcase_add_test(tcase, device_account_is_euid);
	tcase_add_test(tcase, device_account_stays);
	tcase_add_test(tcase, device_account_of_closed_peer);
	tcase_add_loop_test(tcase, device_account_namespace, 0, B1T_N(namespaces));
	tcase_add_test(tcase, device_signals);
	return tcase;
}
