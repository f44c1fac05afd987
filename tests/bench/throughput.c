// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * How much gets through on two processors: see tests/bench/run, which starts this
 *
 *	throughput [--rounds N] [--time MILLISECONDS]
 *
 * Pairs: one or two pairs that have nothing to do with each other, each on a processor of its own.
 * The factor by which two do more than one is to be compared with that of a loop that only
 * calculates, as the processors of a virtual machine may be slower when both are busy. A pair is
 * two processes, or one thread that sends and receives.
 *
 * Senders: 1, 2 or 4 processes on one processor send to one process on the other.
 *
 * Everything is measured in turn, in each of the rounds. Prints one line for each result: what was
 * planned (plan ROW PEER), the median of the rates per second (row ROW PEER VALUE), and the median
 * of the factors (row ROW PEER VALUE, again).
 */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bus.h"
#include "measure.h"
#include "transport.h"

#define DATA_SIZE 64
#define MAX_WORKERS 8
#define MAX_ROUNDS 99
#define WINDOW 256

struct shared {
	volatile int ready, go;
	struct {
		volatile unsigned long n;
		char padding[120];
	} count[MAX_WORKERS];
};

static struct shared *shared;
static pid_t workers[MAX_WORKERS];
static unsigned int n_workers;
static unsigned int duration = 300;

static void become_ready(void)
{
	__atomic_add_fetch(&shared->ready, 1, __ATOMIC_SEQ_CST);
	while (!shared->go)
		sched_yield();
}

/* A process on @cpu that runs @function, which gets @data and does not return. */
static void start_worker(int cpu, void (*function)(unsigned int i, const void *data),
			 const void *data)
{
	const struct sched_param param = {};
	unsigned int i = n_workers;
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		use_cpu(cpu);
		if (sched_setscheduler(0, SCHED_BATCH, &param) < 0)
			die("SCHED_BATCH");
		setpgid(0, 0);
		function(i, data);
		_exit(1);
	}
	setpgid(pid, pid);
	workers[n_workers++] = pid;
}

/* Lets all workers run for a while, and returns what those from @first on did in a second. */
static double run_workers(unsigned int first)
{
	struct timespec time = { 0, duration * 1000000L }, start, end;
	unsigned long n = 0;
	unsigned int i;

	while (shared->ready < (int)n_workers) {
		if (waitpid(-1, NULL, WNOHANG) > 0)
			die("a worker did not start");
		usleep(1000);
	}
	shared->go = 1;
	clock_gettime(CLOCK_MONOTONIC, &start);
	nanosleep(&time, NULL);
	for (i = first; i < n_workers; i++)
		n += shared->count[i].n;
	clock_gettime(CLOCK_MONOTONIC, &end);
	for (i = 0; i < n_workers; i++)
		kill(-workers[i], SIGKILL);
	while (waitpid(-1, NULL, 0) > 0)
		;
	memset(shared, 0, sizeof(*shared));
	n_workers = 0;
	return n / (end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9);
}

/* Pairs */

static void calculate(unsigned int i, const void *data)
{
	long n;

	(void)data;
	become_ready();
	for (;;) {
		n = 1000;
		asm volatile("1: dec %0; jnz 1b" : "+r"(n));
		shared->count[i].n++;
	}
}

static void be_pair(unsigned int i, const void *data)
{
	const struct transport *transport = data;
	struct link link;

	link_init(&link, transport, DATA_SIZE);
	link_serve(transport, &link, i);
	become_ready();
	for (;;) {
		link_call(transport, &link);
		shared->count[i].n++;
	}
}

static void be_thread(unsigned int i, const void *data)
{
	const struct transport *transport = data;
	struct link link;

	link_init(&link, transport, DATA_SIZE);
	become_ready();
	for (;;) {
		transport->send(&link, &link.end[0]);
		transport->recv(&link, &link.end[1]);
		shared->count[i].n++;
	}
}

/* Senders: the receiver is worker 0; nobody is more than a window ahead of it. */

struct crowd {
	int receiver;			/* the socket or peer that receives */
	int senders[4];
	struct bus_out *out;		/* of each sender, for bus1 */
};

static void wait_for_window(unsigned int i, unsigned int n)
{
	while (shared->count[i].n > shared->count[0].n / n + WINDOW)
		sched_yield();
}

static unsigned int crowd_size;

static void receive_bus1(unsigned int i, const void *data)
{
	const struct crowd *crowd = data;
	struct pollfd pfd = { .fd = crowd->receiver, .events = POLLIN };
	static char buffer[DATA_SIZE];
	static struct bus_in in;

	bus_in_init(&in, buffer, sizeof(buffer));
	become_ready();
	for (;;) {
		if (bus_try_recv(crowd->receiver, &in) == 0)
			shared->count[i].n++;
		else if (errno != EAGAIN)
			die("BUS1_CMD_RECV");
		else
			poll(&pfd, 1, -1);
	}
}

static void send_bus1(unsigned int i, const void *data)
{
	const struct crowd *crowd = data;

	become_ready();
	for (;;) {
		bus_send(crowd->senders[i - 1], &crowd->out[i - 1]);
		shared->count[i].n++;
		wait_for_window(i, crowd_size);
	}
}

static void receive_dgram(unsigned int i, const void *data)
{
	const struct crowd *crowd = data;
	char buffer[DATA_SIZE];

	become_ready();
	for (;;) {
		expect("recv", recv(crowd->receiver, buffer, sizeof(buffer), 0), sizeof(buffer));
		shared->count[i].n++;
	}
}

static void send_dgram(unsigned int i, const void *data)
{
	const struct crowd *crowd = data;
	char buffer[DATA_SIZE] = "";

	become_ready();
	for (;;) {
		expect("send", send(crowd->senders[i - 1], buffer, sizeof(buffer), 0),
		       sizeof(buffer));
		shared->count[i].n++;
		wait_for_window(i, crowd_size);
	}
}

static double crowd_bus1(unsigned int n)
{
	static struct bus_out out[4];
	static char buffer[DATA_SIZE];
	struct crowd crowd = { .receiver = bus_peer(), .out = out };
	unsigned int i;
	double rate;

	start_worker(0, receive_bus1, &crowd);
	for (i = 0; i < n; i++) {
		crowd.senders[i] = bus_peer();
		bus_out_init(&out[i], buffer, sizeof(buffer));
		bus_out_to(&out[i], bus_create(crowd.receiver, crowd.senders[i], NULL));
		start_worker(1, send_bus1, &crowd);
	}
	rate = run_workers(1);
	for (i = 0; i < n; i++)
		close(crowd.senders[i]);
	close(crowd.receiver);
	return rate;
}

static double crowd_dgram(unsigned int n)
{
	struct crowd crowd = { .receiver = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0) };
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t size = sizeof(address);
	unsigned int i;
	double rate;

	if (bind(crowd.receiver, (struct sockaddr *)&address, sizeof(address.sun_family)) < 0 ||
	    getsockname(crowd.receiver, (struct sockaddr *)&address, &size) < 0)
		die("bind");
	start_worker(0, receive_dgram, &crowd);
	for (i = 0; i < n; i++) {
		crowd.senders[i] = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (connect(crowd.senders[i], (struct sockaddr *)&address, size) < 0)
			die("connect");
		start_worker(1, send_dgram, &crowd);
	}
	rate = run_workers(1);
	for (i = 0; i < n; i++)
		close(crowd.senders[i]);
	close(crowd.receiver);
	return rate;
}

/* The rows */

struct measurement {
	const char *row;
	const char *peer;
	void (*pair)(unsigned int i, const void *data);
	const struct transport *transport;
	double (*crowd)(unsigned int n);
};

static const struct measurement measurements[] = {
	{ "calculating", "alu", calculate, NULL, NULL },
	{ "pairs", "bus1", be_pair, &transport_bus1_poll, NULL },
	{ "pairs", "seqpacket+poll", be_pair, &transport_seqpacket_poll, NULL },
	{ "pairs", "seqpacket", be_pair, &transport_seqpacket, NULL },
	{ "threads", "bus1", be_thread, &transport_bus1, NULL },
	{ "threads", "seqpacket", be_thread, &transport_seqpacket, NULL },
	{ "senders", "bus1", NULL, NULL, crowd_bus1 },
	{ "senders", "dgram", NULL, NULL, crowd_dgram },
};

#define N_MEASUREMENTS (sizeof(measurements) / sizeof(*measurements))
#define MAX_COLUMNS 3

static const unsigned int pair_counts[] = { 1, 2 }, sender_counts[] = { 1, 2, 4 };
static double results[N_MEASUREMENTS][MAX_COLUMNS][MAX_ROUNDS];

static unsigned int n_columns(const struct measurement *m)
{
	return m->crowd ? 3 : 2;
}

static unsigned int column_count(const struct measurement *m, unsigned int column)
{
	return m->crowd ? sender_counts[column] : pair_counts[column];
}

static double measure(const struct measurement *m, unsigned int n)
{
	unsigned int i;

	crowd_size = n;
	if (m->crowd)
		return m->crowd(n);
	for (i = 0; i < n; i++)
		start_worker(i, m->pair, m->transport);
	return run_workers(0);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), compare);
	return values[n / 2];
}

static void print_factor(const struct measurement *m, size_t i, unsigned int rounds)
{
	double factors[MAX_ROUNDS];
	unsigned int r;

	for (r = 0; r < rounds; r++)
		factors[r] = results[i][1][r] / results[i][0][r];
	printf("row %s/factor %s %.3f\n", m->row, m->peer, median(factors, rounds));
}

static void print_results(unsigned int rounds)
{
	const struct measurement *m;
	unsigned int c;
	size_t i;

	for (i = 0; i < N_MEASUREMENTS; i++) {
		m = &measurements[i];
		if (!m->crowd)
			print_factor(m, i, rounds);
		for (c = 0; c < n_columns(m); c++)
			printf("row %s/%u %s %.0f\n", m->row, column_count(m, c), m->peer,
			       median(results[i][c], rounds));
	}
}

static void print_plan(void)
{
	const struct measurement *m;
	unsigned int c;

	for (m = measurements; m < measurements + N_MEASUREMENTS; m++) {
		for (c = 0; c < n_columns(m); c++)
			printf("plan %s/%u %s\n", m->row, column_count(m, c), m->peer);
		if (!m->crowd)
			printf("plan %s/factor %s\n", m->row, m->peer);
	}
	fflush(NULL);
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "time", required_argument, NULL, 't' },
		{}
	};
	unsigned int rounds = 15, r, column;
	size_t i;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'r': rounds = atoi(optarg); break;
		case 't': duration = atoi(optarg); break;
		default: return 2;
		}
	}
	if (!rounds || rounds > MAX_ROUNDS || !duration || duration > 999)
		return 2;
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		      -1, 0);
	if (shared == MAP_FAILED)
		die("mmap");
	print_plan();
	for (r = 0; r < rounds; r++)
		for (i = 0; i < N_MEASUREMENTS; i++)
			for (column = 0; column < n_columns(&measurements[i]); column++)
				results[i][column][r] = measure(&measurements[i],
					column_count(&measurements[i], column));
	print_results(rounds);
	return 0;
}
