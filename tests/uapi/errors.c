// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What fails for reasons that lie outside of bus1: descriptors that are no peers, a device that
 * cannot be opened, no module, no memory, users without resources. In a program of its own, which unloads the module.
 */
#define _GNU_SOURCE
#include "b1t.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#define OTHER_UID 1000
/* so many that the table which they are received into needs several pages */
#define N_HANDLES 4096

/* Descriptors that are no peers */

static int file(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC);

	ck_assert_msg(fd >= 0, "open %s: %s", path, strerror(errno));
	return fd;
}

static void all_commands_fail(int fd, int error)
{
	struct bus1_transfer src = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID }, dst;
	struct b1t_received r;

	ck_assert_int_eq(b1t_transfer(fd, -1, 1, &src, &dst), -error);
	ck_assert_int_eq(b1t_release1(fd, 1), -error);
	ck_assert_int_eq(b1t_send_text(fd, 1, "text"), -error);
	ck_assert_int_eq(b1t_recv(fd, &r), -error);
	/* the descriptor comes before all else, also before the command */
	ck_assert_int_eq(b1t_ioctl(fd, BUS1_CMD_TRANSFER, NULL), -error);
	ck_assert_int_eq(b1t_ioctl(fd, BUS1_CMD_RELEASE, NULL), -error);
	ck_assert_int_eq(b1t_ioctl(fd, BUS1_CMD_SEND, NULL), -error);
	ck_assert_int_eq(b1t_ioctl(fd, BUS1_CMD_RECV, NULL), -error);
}

START_TEST(errors_not_a_descriptor)
{
	int fd = b1t_peer();

	close(fd);
	all_commands_fail(fd, EBADF);
	all_commands_fail(-1, EBADF);
	all_commands_fail(file("/dev/bus1", O_PATH), EBADF);
}
END_TEST

START_TEST(errors_not_a_peer)
{
	int fds[2];

	ck_assert_int_eq(pipe(fds), 0);
	all_commands_fail(fds[0], ENOTTY);
	all_commands_fail(fds[1], ENOTTY);
	all_commands_fail(file("/dev/null", O_RDWR), ENOTTY);
	all_commands_fail(file("/proc/self/exe", O_RDONLY), ENOTTY);
	all_commands_fail(file("/", O_RDONLY | O_DIRECTORY), ENOTTY);
}
END_TEST

/* Opening */

START_TEST(errors_open_limit)
{
	struct rlimit none = { 0, 0 };

	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(b1t_open("/dev/bus1"), -EMFILE);
	/* the first thing that is checked */
	ck_assert_int_eq(b1t_open("/dev/no-such-device"), -EMFILE);
}
END_TEST

/* Nothing is asserted while the setting is changed, for it to be restored in any case. */
START_TEST(errors_open_system_limit)
{
	char before[32] = "";
	int fd = file("/proc/sys/fs/file-max", O_RDWR), ret, missing;
	ssize_t n = read(fd, before, sizeof(before) - 1);

	ck_assert_int_gt(n, 0);
	if (pwrite(fd, "0", 1, 0) != 1)
		ck_abort_msg("file-max cannot be set");
	/* root is not subject to it */
	ret = setresuid(-1, OTHER_UID, -1) ?: b1t_open("/dev/bus1");
	missing = b1t_open("/dev/no-such-device");
	if (setresuid(-1, 0, -1) || pwrite(fd, before, n, 0) != n)
		ck_abort_msg("file-max cannot be restored");
	ck_assert_int_eq(b1t_result(B1T_OPEN, ret), -ENFILE);
	ck_assert_int_eq(b1t_result(B1T_OPEN, missing), -ENFILE);
	close(b1t_peer());
}
END_TEST

START_TEST(errors_open_mode)
{
	int ret;

	ck_assert_int_eq(chmod("/dev/bus1", 0600), 0);
	ret = setresuid(-1, OTHER_UID, -1) ?: b1t_open("/dev/bus1");
	if (setresuid(-1, 0, -1) || chmod("/dev/bus1", 0666))
		ck_abort_msg("the mode cannot be restored");
	ck_assert_int_eq(b1t_result(B1T_OPEN, ret), -EACCES);
	close(b1t_peer());
}
END_TEST

/* What the module is loaded with, in the words that load it with the same again. */
static void get_parameters(char *text, size_t size)
{
	static const char * const names[] = { "max_objects", "max_bytes" };
	char path[64], value[32];
	size_t i, n = 0;

	for (i = 0; i < B1T_N(names); i++) {
		ssize_t length;
		int fd;

		snprintf(path, sizeof(path), "/sys/module/bus1/parameters/%s", names[i]);
		fd = file(path, O_RDONLY);
		length = read(fd, value, sizeof(value) - 1);
		ck_assert_int_gt(length, 1);
		value[length - 1] = '\0';	/* the newline */
		close(fd);
		n += snprintf(text + n, size - n, "%s=%s ", names[i], value);
		ck_assert_uint_lt(n, size);
	}
}

/*
 * Without the module: no device file, one that was left, one of a driver that never was. What opens
 * while the module is loaded is also what the module makes.
 */
START_TEST(errors_no_module)
{
	const char *left = "/tmp/left", *unknown = "/tmp/unknown";
	int module = file("/modules/bus1.ko", O_RDONLY), fd;
	char parameters[128];
	struct stat st;

	get_parameters(parameters, sizeof(parameters));
	ck_assert_int_eq(stat("/dev/bus1", &st), 0);
	ck_assert_int_eq(mknod(left, S_IFCHR | 0666, st.st_rdev), 0);
	ck_assert_int_eq(mknod(unknown, S_IFCHR | 0666, makedev(500, 1)), 0);
	fd = b1t_open(left);
	ck_assert_int_ge(fd, 0);
	close(fd);

	ck_assert_int_eq(syscall(SYS_delete_module, "bus1", O_NONBLOCK), 0);
	ck_assert_int_eq(b1t_open("/dev/bus1"), -ENOENT);
	ck_assert_int_eq(b1t_open(left), -ENODEV);
	ck_assert_int_eq(b1t_open(unknown), -ENXIO);
	ck_assert_int_eq(syscall(SYS_finit_module, module, parameters, 0), 0);
	close(b1t_peer());
}
END_TEST

/* As long as there is a peer, the module stays, and works. */
START_TEST(errors_module_in_use)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle;

	b1t_node_ok(a, b, &node, &handle);
	ck_assert_int_eq(syscall(SYS_delete_module, "bus1", O_NONBLOCK), -1);
	ck_assert_int_eq(errno, EWOULDBLOCK);
	b1t_send_ok(b, handle, "still there", 0, NULL);
	b1t_expect_text(a, node, "still there");
	close(b);
	ck_assert_int_eq(syscall(SYS_delete_module, "bus1", O_NONBLOCK), -1);
	ck_assert_int_eq(errno, EWOULDBLOCK);
	b1t_expect_handle_release(a, node);
	close(b1t_peer());
}
END_TEST

/*
 * Memory
 *
 * The process is put in a control group that gets no more memory. Nobody there may be killed, so
 * that allocations fail instead. Whatever it needs itself it has before; libcheck, which may need
 * more, is left out of it.
 */
#define GROUP "/sys/fs/cgroup/bus1-errors"

struct starved {
	int open, transfer, send, recv;	/* results while there is no memory */
	int release, close;		/* need none */
	uint64_t n_transfers;
	bool quiet;			/* what failed has left nothing */
};

static struct bus1_transfer many[N_HANDLES];
static uint8_t much[1 << 20];
static int peers[4096];

static int send_much(int fd, uint64_t dest, size_t n_data, size_t n_transfers)
{
	struct iovec vec = { much, n_data };
	struct bus1_message message = {
		.n_transfers = n_transfers,
		.ptr_transfers = BUS1_FROM_PTR(many),
		.n_data = n_data,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_cmd_send cmd = {
		.n_destinations = 1,
		.ptr_destinations = BUS1_FROM_PTR(&dest),
		.ptr_message = BUS1_FROM_PTR(&message),
	};

	return b1t_ioctl(fd, BUS1_CMD_SEND, &cmd);
}

static int recv_much(int fd, uint64_t *n_transfersp)
{
	struct iovec vec = { much, sizeof(much) };
	struct bus1_metadata metadata;
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_transfers = N_HANDLES,
		.ptr_transfers = BUS1_FROM_PTR(many),
		.n_data = sizeof(much),
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = BUS1_FROM_PTR(&metadata),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	int ret = b1t_ioctl(fd, BUS1_CMD_RECV, &cmd);

	*n_transfersp = message.n_transfers;
	return ret;
}

/* Repeats a call that needs a little memory until there is none. */
#define until_it_fails(_call) ({						\
	int _i, _ret = 0;							\
										\
	for (_i = 0; _i < 1 << 16 && _ret >= 0; _i++)				\
		_ret = (_call);							\
	_ret;									\
})

static bool put(int fd, const char *text)
{
	return write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool enter_group(int *maxp)
{
	char number[32];
	int fd;

	fd = open(GROUP "/cgroup.procs", O_WRONLY);
	if (fd < 0 || !put(fd, "0"))
		return false;
	close(fd);
	fd = open("/proc/self/oom_score_adj", O_WRONLY);
	if (fd < 0 || !put(fd, "-1000"))
		return false;
	close(fd);
	*maxp = open(GROUP "/memory.max", O_WRONLY);
	if (*maxp < 0 || mlockall(MCL_CURRENT | MCL_FUTURE))
		return false;
	fd = open(GROUP "/memory.current", O_RDONLY);
	if (fd < 0)
		return false;
	memset(number, 0, sizeof(number));
	return read(fd, number, sizeof(number) - 1) > 0 && put(*maxp, number);
}

static int open_one(size_t *np)
{
	int fd = b1t_open("/dev/bus1");

	if (fd >= 0)
		peers[(*np)++ % B1T_N(peers)] = fd;
	return fd;
}

static void starve(struct starved *s)
{
	struct bus1_transfer src = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID }, dst;
	int a = b1t_peer(), b = b1t_peer(), max, i;
	struct rlimit files = { 4000, 4000 };
	uint64_t node, handle;
	size_t n_peers = 0;
	struct b1t_received r;

	b1t_node_ok(b, a, &node, &handle);
	for (i = 0; i < N_HANDLES; i++)
		many[i] = (struct bus1_transfer){ .id = handle };
	if (setrlimit(RLIMIT_NOFILE, &files) || send_much(a, handle, 0, N_HANDLES) || !enter_group(&max))
		_exit(1);

	/* first what needs little, and so takes what is left */
	s->transfer = until_it_fails(b1t_transfer(a, a, 1, &src, &dst) ?:
				     (src = (struct bus1_transfer){ 1, BUS1_INVALID }, 0));
	s->send = send_much(a, handle, sizeof(much), 0);
	s->recv = recv_much(b, &s->n_transfers);
	s->open = until_it_fails(open_one(&n_peers));
	s->release = b1t_release1(a, handle);
	s->close = close(a);

	if (!put(max, "max"))
		_exit(2);
	s->quiet = b1t_recv(b, &r) == -EAGAIN;
	_exit(0);
}

/* What of the kernel's log goes to the console; returns what it was. */
static int set_loglevel(int level)
{
	FILE *file = fopen("/proc/sys/kernel/printk", "r+");
	int before;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%d", &before), 1);
	rewind(file);
	ck_assert_int_ge(fprintf(file, "%d\n", level), 0);
	ck_assert_int_eq(fclose(file), 0);
	return before;
}

START_TEST(errors_no_memory)
{
	struct starved *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status, verbose;
	pid_t pid;

	ck_assert_ptr_ne(s, MAP_FAILED);
	ck_assert_int_eq(mkdir(GROUP, 0755), 0);
	/* the kernel reports at length that there is nobody to kill */
	verbose = set_loglevel(1);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		starve(s);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	set_loglevel(verbose);
	ck_assert_int_eq(rmdir(GROUP), 0);
	ck_assert_int_eq(status, 0);

	ck_assert_int_eq(b1t_result(B1T_SEND, s->send), -ENOMEM);
	ck_assert_int_eq(b1t_result(B1T_TRANSFER, s->transfer), -ENOMEM);
	ck_assert_int_eq(b1t_result(B1T_OPEN, s->open), -ENOMEM);
	ck_assert_int_eq(s->release, 0);
	ck_assert_int_eq(s->close, 0);
	/* nothing is allocated for what has arrived */
	ck_assert_int_eq(s->recv, 0);
	ck_assert_uint_eq(s->n_transfers, N_HANDLES);
	ck_assert(s->quiet);
}
END_TEST

/* Resources */

/* Whether there are resources for so many bytes; they cannot be read, so they are never sent. */
static bool affordable(int fd, uint64_t dest, uint64_t n_data)
{
	struct iovec vec = { NULL, n_data };
	struct bus1_message message = {
		.n_data = n_data,
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_cmd_send cmd = {
		.n_destinations = 1,
		.ptr_destinations = BUS1_FROM_PTR(&dest),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	int ret = b1t_ioctl(fd, BUS1_CMD_SEND, &cmd);

	ck_assert(ret == -EDQUOT || ret == -EFAULT || ret == -ENOMEM);
	return ret != -EDQUOT;
}

/* The example in bus1(7): what one peer can queue at a user who has 1 GiB. See vm/programs. */
START_TEST(errors_no_resources)
{
	int a = b1t_peer(), b = b1t_peer(), c;
	uint64_t from_b, from_c;

	ck_assert_int_eq(setresuid(-1, OTHER_UID, -1), 0);
	c = b1t_peer();
	ck_assert_int_eq(setresuid(-1, 0, -1), 0);
	b1t_node_ok(a, b, NULL, &from_b);
	b1t_node_ok(a, c, NULL, &from_c);
	ck_assert(affordable(b, from_b, 512 << 20));
	ck_assert(!affordable(b, from_b, (512 << 20) + 1));
	ck_assert(affordable(c, from_c, 56 << 20));
	ck_assert(!affordable(c, from_c, 57 << 20));
}
END_TEST

TCase *b1t_tcase_errors(void)
{
	TCase *tc = tcase_create("errors");

	tcase_set_timeout(tc, 240);
	tcase_add_test(tc, errors_not_a_descriptor);
	tcase_add_test(tc, errors_not_a_peer);
	tcase_add_test(tc, errors_open_limit);
	tcase_add_test(tc, errors_open_system_limit);
	tcase_add_test(tc, errors_open_mode);
	tcase_add_test(tc, errors_no_module);
	tcase_add_test(tc, errors_module_in_use);
	tcase_add_test(tc, errors_no_memory);
	tcase_add_test(tc, errors_no_resources);
	return tc;
}
