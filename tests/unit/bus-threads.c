// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Many peers: long chains of them, and threads that send each other all they have.
 */
#include <pthread.h>

#include "ops.h"

/* Chains */

#define N_CHAIN UNIT_SCALE(100000)

static struct b1_peer **chain;

/* Each peer has a message with the only handle to the node of the next one. */
static void chain_make(void)
{
	u64 to_next, to_this = 0;
	struct b1_peer *maker = op_open();
	size_t i;

	chain = calloc(N_CHAIN, sizeof(*chain));
	for (i = 0; i < N_CHAIN; i++) {
		chain[i] = op_open();
		to_next = op_node(chain[i], maker, NULL);
		if (i) {
			op_send_handle(maker, to_this, "next", to_next);
			RELEASE(maker, to_this);
		}
		to_this = to_next;
	}
	op_close(maker);
}

static void *chain_close(void *arg)
{
	bool forward = *(int *)arg;
	size_t i;

	for (i = 0; i < N_CHAIN; i++)
		op_close(chain[forward ? i : N_CHAIN - 1 - i]);
	return NULL;
}

/* on a stack that has no room for recursion */
START_TEST(chain_of_closed_peers)
{
	pthread_attr_t attr;
	pthread_t thread;

	chain_make();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 * 1024);
	ck_assert_int_eq(pthread_create(&thread, &attr, chain_close, &_i), 0);
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attr);
	free(chain);
	expect_nothing_left();
}
END_TEST

/* Threads */

#define N_THREADS 4
#define N_STEPS UNIT_SCALE(24000)
#define N_HELD 24

struct known {
	u64 id;
	bool is_node;
	bool notified;
};

struct worker {
	pthread_t thread;
	struct b1_peer *peer;
	unsigned long long seed;
	struct known known[N_HELD];
	size_t n_known;
	unsigned long n_received;
};

static struct worker workers[N_THREADS];
static bool stop_polling;

static void worker_add(struct worker *worker, u64 id, bool is_node)
{
	if (worker->n_known < N_HELD)
		worker->known[worker->n_known++] = (struct known){ .id = id, .is_node = is_node };
	else if (op_release(worker->peer, 1, &id))
		shim_bug(__FILE__, __LINE__, "a fresh ID is unknown");
}

/* One of the things it knows; NULL if it picks one of the other kind. */
static struct known *worker_pick(struct worker *worker, bool is_node)
{
	struct known *known;

	if (!worker->n_known)
		return NULL;
	known = &worker->known[unit_random(&worker->seed, worker->n_known)];
	return known->is_node == is_node ? known : NULL;
}

static void worker_noted(struct worker *worker, u64 id, bool is_node)
{
	size_t i;

	for (i = 0; i < worker->n_known; i++) {
		if (worker->known[i].id != id)
			continue;
		if (worker->known[i].is_node != is_node || worker->known[i].notified)
			shim_bug(__FILE__, __LINE__, "notified twice, or the wrong way");
		worker->known[i].notified = true;
		return;
	}
	shim_bug(__FILE__, __LINE__, "notified about something it does not have");
}

static bool worker_receive(struct worker *worker)
{
	struct received r;
	size_t i;

	if (op_recv(worker->peer, &r))
		return false;
	worker->n_received++;
	if (r.type != BUS1_MESSAGE_TYPE_USER) {
		worker_noted(worker, r.id, r.type == BUS1_MESSAGE_TYPE_HANDLE_RELEASE);
		return true;
	}
	for (i = 0; i < r.n; i++)
		worker_add(worker, r.handles[i], false);
	return true;
}

static void worker_send(struct worker *worker)
{
	size_t i, n = 1 + unit_random(&worker->seed, 3), n_handles = unit_random(&worker->seed, 3);
	u64 destinations[3], handles[2];
	struct known *known;

	for (i = 0; i < n + n_handles; i++) {
		known = worker_pick(worker, false);
		if (!known)
			return;
		if (i < n)
			destinations[i] = known->id;
		else
			handles[i - n] = known->id;
	}
	if (op_multicast(worker->peer, n, destinations, "hello", n_handles, handles))
		shim_bug(__FILE__, __LINE__, "send failed");
}

static void worker_transfer(struct worker *worker)
{
	u64 ids[2] = { 0, 0 }, handles[2];
	struct known *known = worker_pick(worker, false);

	if (known && worker->n_known > N_HELD / 2)
		ids[0] = known->id;
	if (op_transfer(worker->peer, worker->peer, 2, ids, handles))
		shim_bug(__FILE__, __LINE__, "transfer failed");
	if (!known || ids[0] != known->id)
		worker_add(worker, ids[0], true);
	worker_add(worker, handles[0], false);
	worker_add(worker, ids[1], true);
	worker_add(worker, handles[1], false);
}

static void worker_release(struct worker *worker)
{
	size_t i, n = 1 + unit_random(&worker->seed, 3);
	u64 ids[3];

	if (worker->n_known < N_HELD / 2)
		return;
	for (i = 0; i < n; i++) {
		struct known *known = &worker->known[unit_random(&worker->seed, worker->n_known)];

		ids[i] = known->id;
		*known = worker->known[--worker->n_known];
	}
	if (op_release(worker->peer, n, ids))
		shim_bug(__FILE__, __LINE__, "release failed");
}

static void *worker_run(void *arg)
{
	struct worker *worker = arg;
	unsigned int i;

	for (i = 0; i < N_STEPS; i++) {
		switch (unit_random(&worker->seed, 8)) {
		case 0:
			worker_transfer(worker);
			break;
		case 1:
			worker_release(worker);
			break;
		case 2:
		case 3:
		case 4:
			worker_send(worker);
			break;
		default:
			worker_receive(worker);
		}
	}
	return NULL;
}

/* Looks into all queues all the time, as poll does. */
static void *poll_run(void *arg)
{
	size_t i;

	while (!__atomic_load_n(&stop_polling, __ATOMIC_RELAXED)) {
		for (i = 0; i < N_THREADS; i++)
			op_poll(workers[i].peer);
	}
	return arg;
}

/* With nobody sending any more: what was told is what is the case. */
static void worker_check(struct worker *worker)
{
	struct b1_object *obj;
	size_t i;

	while (worker_receive(worker))
		;
	for (i = 0; i < worker->n_known; i++) {
		obj = op_object(worker->peer, worker->known[i].id);
		ck_assert_ptr_nonnull(obj);
		if (worker->known[i].is_node)
			ck_assert_int_eq(worker->known[i].notified,
					 !b1_node_from_object(obj)->n_handles);
		else
			ck_assert_int_eq(worker->known[i].notified,
					 b1_handle_from_object(obj)->node->released);
	}
}

/* Each has a handle to a node of each. */
static void workers_meet(void)
{
	size_t i, j;
	u64 created;

	for (i = 0; i < N_THREADS; i++) {
		workers[i].peer = op_open();
		workers[i].seed = i + 1;
	}
	for (i = 0; i < N_THREADS; i++) {
		for (j = 0; j < N_THREADS; j++) {
			worker_add(&workers[j], op_node(workers[i].peer, workers[j].peer, &created),
				   false);
			worker_add(&workers[i], created, true);
		}
	}
}

START_TEST(threads_notifications)
{
	pthread_t poller;
	bool received;
	size_t i;

	workers_meet();
	pthread_create(&poller, NULL, poll_run, NULL);
	for (i = 0; i < N_THREADS; i++)
		pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]);
	for (i = 0; i < N_THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	__atomic_store_n(&stop_polling, true, __ATOMIC_RELAXED);
	pthread_join(poller, NULL);
	/* receiving may release what has no place any more, which others are told of */
	do {
		received = false;
		for (i = 0; i < N_THREADS; i++)
			received |= worker_receive(&workers[i]);
	} while (received);
	for (i = 0; i < N_THREADS; i++) {
		ck_assert_uint_gt(workers[i].n_received, 0);
		worker_check(&workers[i]);
	}
	for (i = 0; i < N_THREADS; i++)
		op_close(workers[i].peer);
	expect_nothing_left();
}
END_TEST

/* Peers come and go while others send to them what they get hold of. */

static pthread_mutex_t meeting_lock = PTHREAD_MUTEX_INITIALIZER;
static struct b1_peer *meeting;		/* has a handle to a node of whoever came by last */
static u64 meeting_handle;

static void *churn_run(void *arg)
{
	struct worker *worker = arg;
	unsigned int i, j;

	for (i = 0; i < N_STEPS / 24; i++) {
		worker->peer = op_open();
		worker->n_known = 0;
		pthread_mutex_lock(&meeting_lock);
		if (meeting_handle)
			worker_add(worker, op_copy(meeting, worker->peer, meeting_handle), false);
		meeting_handle = op_node(worker->peer, meeting, NULL);
		pthread_mutex_unlock(&meeting_lock);
		worker_transfer(worker);
		for (j = unit_random(&worker->seed, 12); j > 0; j--) {
			worker_send(worker);
			if (j & 1)
				worker_receive(worker);
		}
		op_close(worker->peer);
	}
	return NULL;
}

START_TEST(threads_close)
{
	size_t i;

	meeting = op_open();
	for (i = 0; i < N_THREADS; i++) {
		workers[i].seed = i + 1;
		pthread_create(&workers[i].thread, NULL, churn_run, &workers[i]);
	}
	for (i = 0; i < N_THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	op_close(meeting);
	expect_nothing_left();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("bus-threads");
	TCase *tcase = tcase_create("many");

	op_load();
	tcase_set_timeout(tcase, 120);
	tcase_add_loop_test(tcase, chain_of_closed_peers, 0, 2);
	tcase_add_test(tcase, threads_notifications);
	tcase_add_test(tcase, threads_close);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
