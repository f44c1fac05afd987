// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * What has been received is no memory of its sender any more (mistake 25): after thousands of answers
 * that clients of another control group have received, and with nothing queued, the service has what
 * it had before.
 */
#define _GNU_SOURCE
#include "strangers.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum { CLIENTS = 6000, ANSWER = 4000, MAY_STAY = 2 << 20 };

static const char cgroups[] = "/sys/fs/cgroup";

struct bill {
	int service, go[2], done[2];
	int clients[CLIENTS];
	uint64_t handles[CLIENTS];
	char answer[ANSWER];
};

static void cgroup_make(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", cgroups, name);
	ck_assert_msg(!mkdir(path, 0755) || errno == EEXIST, "mkdir %s: %s", path, strerror(errno));
}

static void cgroup_enter(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s/cgroup.procs", cgroups, name);
	st_write_file(path, "0");
}

/* A number of memory.current, or of memory.stat if there is a key. */
static long cgroup_read(const char *name, const char *key)
{
	char path[128], text[8192], *found = text;
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "%s/%s/%s", cgroups, name, key ? "memory.stat" : "memory.current");
	file = fopen(path, "re");
	ck_assert_msg(file, "%s: %s", path, strerror(errno));
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = 0;
	if (key) {
		found = strstr(text, key);
		ck_assert_ptr_nonnull(found);
		found += strlen(key);
	}
	return strtol(found, NULL, 10);
}

/* The service: answers all each time it is told to, in its own control group. */
static void run_service(struct bill *bill)
{
	size_t i;
	char c;

	close(bill->go[1]);
	close(bill->done[0]);
	cgroup_enter("bill-service");
	if (write(bill->done[1], "", 1) != 1)
		_exit(1);
	while (read(bill->go[0], &c, 1) == 1) {
		for (i = 0; i < CLIENTS; i++) {
			struct iovec vec = { bill->answer, ANSWER };
			struct bus1_message message = {
				.type = BUS1_MESSAGE_TYPE_USER,
				.n_data = ANSWER,
				.n_data_vecs = 1,
				.ptr_data_vecs = BUS1_FROM_PTR(&vec),
			};
			struct bus1_cmd_send cmd = {
				.n_destinations = 1,
				.ptr_destinations = BUS1_FROM_PTR(&bill->handles[i]),
				.ptr_message = BUS1_FROM_PTR(&message),
			};

			if (b1t_ioctl(bill->service, BUS1_CMD_SEND, &cmd) ||
			    b1t_release1(bill->service, bill->handles[i]))
				_exit(1);
		}
		if (write(bill->done[1], "", 1) != 1)
			_exit(1);
	}
	_exit(0);
}

static void wait_for_service(struct bill *bill)
{
	char c;

	ck_assert_int_eq(read(bill->done[0], &c, 1), 1);
}

static void receive_answer(struct bill *bill, size_t i)
{
	static char data[ANSWER];
	struct iovec vec = { data, sizeof(data) };
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_data = sizeof(data),
		.n_data_vecs = 1,
		.ptr_data_vecs = BUS1_FROM_PTR(&vec),
	};
	struct bus1_metadata metadata;
	struct bus1_cmd_recv cmd = { 0, BUS1_FROM_PTR(&metadata), BUS1_FROM_PTR(&message) };

	while (message.type != BUS1_MESSAGE_TYPE_USER) {
		message.type = BUS1_INVALID;
		message.n_data = sizeof(data);
		if (b1t_ioctl(bill->clients[i], BUS1_CMD_RECV, &cmd))
			ck_abort_msg("no answer for client %zu", i);
	}
}

START_TEST(strangers_bill)
{
	struct rlimit limit = { CLIENTS + 100, CLIENTS + 100 };
	struct bill *bill = mmap(NULL, sizeof(*bill), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	long before, after, queued, slab_before, slab_after;
	pid_t pid;
	size_t i;

	ck_assert_ptr_ne(bill, MAP_FAILED);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	cgroup_make("bill-service");
	cgroup_make("bill-clients");
	ck_assert_int_eq(pipe2(bill->go, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(bill->done, O_CLOEXEC), 0);
	bill->service = b1t_peer();
	memset(bill->answer, 'a', ANSWER);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid)
		run_service(bill);
	close(bill->go[0]);
	close(bill->done[1]);
	wait_for_service(bill);
	cgroup_enter("bill-clients");
	for (i = 0; i < CLIENTS; i++) {
		bill->clients[i] = b1t_open("/dev/bus1");
		if (bill->clients[i] < 0 ||
		    st_node(bill->clients[i], bill->service, NULL, &bill->handles[i]))
			ck_abort_msg("client %zu: no peer or no node", i);
	}

	before = cgroup_read("bill-service", NULL);
	slab_before = cgroup_read("bill-service", "\nslab ");
	ck_assert_int_eq(write(bill->go[1], "", 1), 1);
	wait_for_service(bill);
	queued = cgroup_read("bill-service", NULL);
	for (i = 0; i < CLIENTS; i++)
		receive_answer(bill, i);
	/* what the kernel frees later */
	for (i = 0; i < 50; i++) {
		after = cgroup_read("bill-service", NULL);
		if (after - before < MAY_STAY)
			break;
		usleep(20000);
	}
	slab_after = cgroup_read("bill-service", "\nslab ");
	close(bill->go[1]);
	waitpid(pid, NULL, 0);
	for (i = 0; i < CLIENTS; i++)
		close(bill->clients[i]);
	st_write_file("/sys/fs/cgroup/cgroup.procs", "0");
	rmdir("/sys/fs/cgroup/bill-service");
	rmdir("/sys/fs/cgroup/bill-clients");
	printf("bill: %ld KiB before, %ld queued, %ld after; slab %ld, %ld\n", before / 1024,
	       queued / 1024, after / 1024, slab_before / 1024, slab_after / 1024);
	/* the sender pays for what is queued, or there was nothing to be seen */
	ck_assert_int_gt(queued - before, CLIENTS * ANSWER);
	ck_assert_msg(after - before < MAY_STAY,
		      "%d received answers leave %ld KiB with their sender (slab: %ld KiB)", CLIENTS,
		      (after - before) / 1024, (slab_after - slab_before) / 1024);
}
END_TEST

TCase *st_tcase_bill(void)
{
	TCase *tc = tcase_create("bill");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, strangers_bill);
	return tc;
}
