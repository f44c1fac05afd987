// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include "guest.h"

#define N_PROCESSES 5
/* how long all processes may need to end when they are killed; a debug kernel is slow */
#define END_SECONDS 120
#define CGROUP "/sys/fs/cgroup/fuzz"
#define ACCOUNTS "/sys/kernel/debug/bus1/accounts"

struct guest_shared *guest;
int guest_shared_fds[GUEST_N_SHARED];
unsigned int guest_shared_serials[GUEST_N_SHARED];
int guest_sockets[2];

static unsigned int seconds = 60;
static bool use_cgroup = true;
static pid_t pids[N_PROCESSES];
static int n_failures;

static void fail(const char *text)
{
	printf("FAILED: %s\n", text);
	n_failures++;
}

static void usage(void)
{
	puts("usage: ioctl-fuzz [--seconds N] [--seed N] [--no-userfaultfd] [--no-cgroup]\n"
	     "\n"
	     "Random commands on /dev/bus1, from processes with threads that are killed and replaced,\n"
	     "with memory that is bad or changes. Run it as root. Fails if userfaultfd is not there,\n"
	     "unless it is told to do without; a memory limit for some of the processes is used\n"
	     "where there is one. Prints how often each kind of command had which result, and fails\n"
	     "if one of them has never succeeded, or most of those that are meant to succeed fail\n"
	     "for another reason than a quota.\n"
	     "On a slow machine it takes up to four times as long, for all of them to succeed.");
}

static void parse(int argc, char **argv)
{
	static const struct option options[] = {
		{ "seconds", required_argument, NULL, 's' },
		{ "seed", required_argument, NULL, 'r' },
		{ "no-userfaultfd", no_argument, NULL, 'u' },
		{ "no-cgroup", no_argument, NULL, 'c' },
		{ "help", no_argument, NULL, 'h' },
		{},
	};
	int c;

	guest->seed = (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32;
	guest->userfaultfd = true;
	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (c) {
		case 's': seconds = (unsigned int)strtoul(optarg, NULL, 0); break;
		case 'r': guest->seed = strtoull(optarg, NULL, 0); break;
		case 'u': guest->userfaultfd = false; break;
		case 'c': use_cgroup = false; break;
		case 'h': usage(); exit(0);
		default: usage(); exit(2);
		}
	}
}

static bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return ok;
}

static void check_userfaultfd(void)
{
	int fd;

	if (!guest->userfaultfd)
		return;
	fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
	if (fd < 0) {
		printf("FAILED: userfaultfd: %s; --no-userfaultfd does without\n", strerror(errno));
		exit(EXIT_FAILURE);
	}
	close(fd);
}

static void setup_cgroup(void)
{
	mkdir(CGROUP, 0755);
	use_cgroup = use_cgroup && write_file(CGROUP "/memory.max", "16777216");
	printf("memory limit: %s\n", use_cgroup ? "16 MiB for two of the processes" : "none");
}

static int open_as(uid_t uid)
{
	int fd;

	if (seteuid(uid))
		return -1;
	fd = open("/dev/bus1", O_RDWR | O_CLOEXEC);
	return seteuid(0) ? -1 : fd;
}

/* Opens a peer that processes made from now on share. What has the old one goes on with it. */
static bool renew_shared(unsigned int i)
{
	int fd = open_as(i % 3 ? 999 + i % 3 : 0);

	guest_count(GUEST_OPEN, fd < 0 ? errno : 0);
	if (fd < 0)
		return false;
	if (guest_shared_fds[i] >= 0)
		close(guest_shared_fds[i]);
	guest_shared_fds[i] = fd;
	guest_shared_serials[i] = guest_ident_new(true);
	return true;
}

static void open_sockets(void)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, guest_sockets)) {
		perror("socketpair");
		exit(EXIT_FAILURE);
	}
}

static void setup(void)
{
	struct rlimit limit = { 1024, 1024 };
	unsigned int i;

	for (i = 0; i < GUEST_N_SHARED; i++) {
		guest_shared_fds[i] = -1;
		if (!renew_shared(i)) {
			perror("/dev/bus1");
			exit(EXIT_FAILURE);
		}
	}
	open_sockets();
	setrlimit(RLIMIT_NOFILE, &limit);
	/* processes of processes that are killed come to us */
	prctl(PR_SET_CHILD_SUBREAPER, 1);
}

static void start(unsigned int number)
{
	static uint64_t generation;
	pid_t pid;

	generation++;
	pid = fork();
	if (pid < 0) {
		/* memory is short: there will be another attempt */
		pids[number] = 0;
		return;
	}
	if (!pid) {
		if (use_cgroup && number < 2)
			write_file(CGROUP "/cgroup.procs", "0");
		guest_process(number, generation);
	}
	setpgid(pid, pid);
	pids[number] = pid;
}

static void end(unsigned int number)
{
	if (pids[number])
		kill(-pids[number], SIGKILL);
	pids[number] = 0;
}

/* A process that ends by itself is one that was killed for its memory, or has a fault. */
static unsigned int reap(void)
{
	unsigned int i, n = 0;
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < N_PROCESSES; i++) {
			if (pids[i] != pid)
				continue;
			/* those that it made may wait for ever */
			end(i);
			n++;
			if (WIFEXITED(status) ||
			    (WTERMSIG(status) != SIGKILL && WTERMSIG(status) != SIGBUS))
				printf("a process ended by itself, with %#x\n", (unsigned int)status);
		}
	}
	return n;
}

/* Whether most of the new nodes have been refused since the last call: users have too many objects. */
static bool is_exhausted(void)
{
	static uint64_t n_before, n_ok_before;
	uint64_t n = guest->n_friendly[GUEST_CREATE], n_ok = guest->n_friendly_ok[GUEST_CREATE];
	bool exhausted = 2 * (n_ok - n_ok_before) < n - n_before;

	n_before = n;
	n_ok_before = n_ok;
	return exhausted;
}

/*
 * Ends all processes, and with them all peers. Objects are lost all the time to those who would have
 * to release them, the more the faster the machine is, and without them all that is left is EDQUOT.
 */
static void start_afresh(void)
{
	unsigned int i;

	for (i = 0; i < N_PROCESSES; i++)
		end(i);
	close(guest_sockets[0]);
	close(guest_sockets[1]);
	open_sockets();
	for (i = 0; i < GUEST_N_SHARED; i++)
		renew_shared(i);
}

static void fuzz(void)
{
	struct guest_rng rng = { guest->seed };
	time_t began = time(NULL), report = began + 10;
	unsigned int i, n_kills = 0, n_ends = 0, n_afresh = 0;

	while (time(NULL) < began + (time_t)seconds ||
	       (time(NULL) < began + 4 * (time_t)seconds && !guest_is_complete(seconds))) {
		for (i = 0; i < N_PROCESSES; i++) {
			if (!pids[i])
				start(i);
		}
		usleep(100000 + guest_rand(&rng, 900000));
		n_ends += reap();
		if (is_exhausted()) {
			start_afresh();
			n_afresh++;
		}
		if (guest_once(&rng, 3)) {
			end(guest_rand(&rng, N_PROCESSES));
			n_kills++;
			/* with what the killed one knew and nobody else does */
			if (guest_once(&rng, 2))
				renew_shared(guest_rand(&rng, GUEST_N_SHARED));
		}
		if (time(NULL) < report)
			continue;
		report = time(NULL) + (seconds > 600 ? 60 : 10);
		printf("%llu commands succeeded, %llu found an empty queue, %u processes killed\n",
		       (unsigned long long)guest_sum(GUEST_OK),
		       (unsigned long long)guest_sum(GUEST_EAGAIN), n_kills);
		fflush(stdout);
	}
	printf("%ld seconds; processes: %u killed, %u ended by themselves; all afresh: %u times\n",
	       (long)(time(NULL) - began), n_kills, n_ends, n_afresh);
}

static void end_all(void)
{
	time_t deadline = time(NULL) + END_SECONDS;
	unsigned int i;

	for (i = 0; i < N_PROCESSES; i++)
		end(i);
	for (;;) {
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			return;
		if (time(NULL) > deadline)
			break;
		usleep(10000);
	}
	fail("there are processes that do not end when they are killed");
}

static void close_all(void)
{
	unsigned int i;

	for (i = 0; i < GUEST_N_SHARED; i++)
		close(guest_shared_fds[i]);
	close(guest_sockets[0]);
	close(guest_sockets[1]);
	rmdir(CGROUP);
}

/* Peers in sockets that refer to each other are closed by a collector, some time later. */
static void check_accounts(void)
{
	char text[4096];
	unsigned int try;
	ssize_t n = -1;
	int fd;

	for (try = 0; try < 100; try++) {
		fd = open(ACCOUNTS, O_RDONLY | O_CLOEXEC);
		n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
		if (fd >= 0)
			close(fd);
		if (n <= 0)
			break;
		usleep(100000);
	}
	if (n < 0)
		fail("the accounts cannot be read");
	if (n > 0) {
		text[n] = '\0';
		printf("%s", text);
		fail("with all peers closed there are accounts");
	}
}

int main(int argc, char **argv)
{
	guest = mmap(NULL, sizeof(*guest), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (guest == MAP_FAILED)
		return EXIT_FAILURE;
	parse(argc, argv);
	printf("seed %llu, %u seconds, %s userfaultfd\n", (unsigned long long)guest->seed, seconds,
	       guest->userfaultfd ? "with" : "WITHOUT");
	check_userfaultfd();
	setup_cgroup();
	setup();
	fflush(stdout);
	fuzz();
	end_all();
	close_all();
	check_accounts();
	n_failures += guest_judge(seconds);
	printf("%s\n", n_failures ? "FAILED" : "passed");
	return n_failures ? EXIT_FAILURE : EXIT_SUCCESS;
}
