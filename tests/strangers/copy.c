// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A large payload does not keep the CPU from others while it is copied (mistake 26): a real-time
 * thread that sleeps for a millisecond again and again is late by a part of the time that the command
 * takes at most.
 */
#define _GNU_SOURCE
#include "strangers.h"

#include <pthread.h>
#include <sys/mman.h>

enum { SIZE = 64 << 20, TRIES = 3 };

/* A few milliseconds may be the host's; and the kernel's own memory management takes its time. */
#define LATE_NS (10 * 1000000ULL)

struct waker {
	atomic_bool stop;
	_Atomic uint64_t latest;	/* the worst delay so far */
};

static void *run_waker(void *arg)
{
	struct waker *waker = arg;
	struct timespec ts;
	uint64_t at, now;

	st_pin(ST_CPU_VICTIM);
	st_fifo();
	while (!atomic_load(&waker->stop)) {
		at = st_now() + 1000000;
		ts = (struct timespec){ at / 1000000000, at % 1000000000 };
		clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL);
		now = st_now();
		if (now - at > atomic_load(&waker->latest))
			atomic_store(&waker->latest, now - at);
	}
	return NULL;
}

/* How late the thread was during a command, and how long that took. */
static uint64_t measure(struct waker *waker, int fd, unsigned long request, void *arg,
			uint64_t *tookp)
{
	uint64_t start;

	usleep(5000);
	atomic_store(&waker->latest, 0);
	start = st_now();
	ck_assert_int_eq(b1t_ioctl(fd, request, arg), 0);
	*tookp = st_now() - start;
	/* it may be late still */
	usleep(5000);
	return atomic_load(&waker->latest);
}

static void expect_prompt(const char *what, uint64_t late, uint64_t took)
{
	printf("copy: a %s of %d MiB takes %llu us, makes others wait for %llu us\n", what,
	       SIZE >> 20, (unsigned long long)took / 1000, (unsigned long long)late / 1000);
	ck_assert_msg(late < LATE_NS || late < took / 8,
		      "a %s that takes %llu us makes a real-time thread wait for %llu us", what,
		      (unsigned long long)took / 1000, (unsigned long long)late / 1000);
}

START_TEST(strangers_copy)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t handle, late, took, best[2] = { UINT64_MAX, UINT64_MAX }, best_took[2] = {};
	struct waker waker = {};
	char *in, *out;
	struct iovec in_vec, out_vec;
	struct bus1_metadata metadata;
	pthread_t thread;
	size_t i;

	/* all pages are there, as faults let others run */
	in = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		  -1, 0);
	out = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		   -1, 0);
	ck_assert_ptr_ne(in, MAP_FAILED);
	ck_assert_ptr_ne(out, MAP_FAILED);
	memset(in, 'x', SIZE);
	memset(out, 'y', SIZE);
	in_vec = (struct iovec){ in, SIZE };
	out_vec = (struct iovec){ out, SIZE };
	b1t_node_ok(a, b, NULL, &handle);
	st_pin(ST_CPU_VICTIM);
	ck_assert(!pthread_create(&thread, NULL, run_waker, &waker));
	for (i = 0; i < TRIES; i++) {
		struct bus1_message sent = {
			.type = BUS1_MESSAGE_TYPE_USER,
			.n_data = SIZE,
			.n_data_vecs = 1,
			.ptr_data_vecs = BUS1_FROM_PTR(&in_vec),
		}, received = {
			.type = BUS1_INVALID,
			.n_data = SIZE,
			.n_data_vecs = 1,
			.ptr_data_vecs = BUS1_FROM_PTR(&out_vec),
		};
		struct bus1_cmd_send send = {
			.n_destinations = 1,
			.ptr_destinations = BUS1_FROM_PTR(&handle),
			.ptr_message = BUS1_FROM_PTR(&sent),
		};
		struct bus1_cmd_recv recv = { 0, BUS1_FROM_PTR(&metadata), BUS1_FROM_PTR(&received) };

		late = measure(&waker, b, BUS1_CMD_SEND, &send, &took);
		if (late < best[0]) {
			best[0] = late;
			best_took[0] = took;
		}
		late = measure(&waker, a, BUS1_CMD_RECV, &recv, &took);
		if (late < best[1]) {
			best[1] = late;
			best_took[1] = took;
		}
	}
	atomic_store(&waker.stop, true);
	ck_assert(!pthread_join(thread, NULL));
	ck_assert_int_eq(out[SIZE - 1], 'x');
	expect_prompt("send", best[0], best_took[0]);
	expect_prompt("receive", best[1], best_took[1]);
}
END_TEST

TCase *st_tcase_copy(void)
{
	TCase *tc = tcase_create("copy");

	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, strangers_copy);
	return tc;
}
