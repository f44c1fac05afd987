// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Queues with threads at both ends: causal order, atomicity, and nothing lost by sealing.
 */
#include <pthread.h>
#include <string.h>

#include "../../kmod/queue.h"
#include "unit.h"

#define N_QUEUES 4
#define N_SENDERS 3
#define N_SENDS UNIT_SCALE(16000)

/* How many entries of each sender have been sent to each queue, as far as one knows. */
struct clock {
	unsigned int n[N_QUEUES][N_SENDERS];
};

struct send {
	struct b1_tx tx;
	refcount_t refs;
	struct clock clock;		/* what the sender knew, with this send */
};

struct parcel {
	struct b1_queue_entry entry;
	struct send *send;
	unsigned int sender;
	unsigned int index;		/* among those of the sender to this queue */
	unsigned int before[N_SENDERS];	/* what must have been received in this queue */
};

struct worker {
	pthread_t thread;
	unsigned int id;
	unsigned long n;
};

static struct b1_queue queues[N_QUEUES];
static pthread_mutex_t board_lock = PTHREAD_MUTEX_INITIALIZER;
static struct clock board;
static unsigned int n_sending;

static void clock_join(struct clock *to, const struct clock *from)
{
	int q, s;

	for (q = 0; q < N_QUEUES; q++) {
		for (s = 0; s < N_SENDERS; s++) {
			if (to->n[q][s] < from->n[q][s])
				to->n[q][s] = from->n[q][s];
		}
	}
}

static void board_join(struct clock *to, const struct clock *from)
{
	pthread_mutex_lock(&board_lock);
	clock_join(to ?: &board, from ?: &board);
	pthread_mutex_unlock(&board_lock);
}

static void send_unref(struct send *send)
{
	if (refcount_dec_and_test(&send->refs))
		free(send);
}

static void send_tx_free(struct b1_ref *ref)
{
	send_unref(container_of(b1_tx_from_ref(ref), struct send, tx));
}

static struct parcel *parcel_new(struct send *send, struct clock *clock, unsigned int q,
				 unsigned int sender)
{
	struct parcel *parcel = malloc(sizeof(*parcel));

	b1_queue_entry_init(&parcel->entry, 7, NULL);
	refcount_inc(&send->refs);
	parcel->send = send;
	parcel->sender = sender;
	memcpy(parcel->before, clock->n[q], sizeof(parcel->before));
	parcel->index = ++clock->n[q][sender];
	return parcel;
}

/* Sends to up to five queues, the same one twice perhaps. */
static void sender_send(struct clock *clock, unsigned int sender, unsigned long long *seed)
{
	unsigned int i, n = 1 + unit_random(seed, 5), to[5];
	struct send *send = malloc(sizeof(*send));
	struct parcel *parcels[5];

	b1_tx_init(&send->tx, send_tx_free);
	refcount_set(&send->refs, 1);
	for (i = 0; i < n; i++) {
		to[i] = unit_random(seed, N_QUEUES);
		parcels[i] = parcel_new(send, clock, to[i], sender);
	}
	send->clock = *clock;
	for (i = 0; i < n; i++) {
		if (!b1_queue_push(&queues[to[i]], &parcels[i]->entry,
				   n > 1 ? b1_tx_ref(&send->tx) : NULL))
			shim_bug(__FILE__, __LINE__, "push refused");
	}
	if (n > 1)
		b1_tx_commit(&send->tx);
	b1_tx_unref(&send->tx);
}

static void *sender_run(void *arg)
{
	struct worker *worker = arg;
	unsigned long long seed = worker->id + 1;
	struct clock clock = {};
	unsigned int i;

	for (i = 0; i < N_SENDS; i++) {
		if (!unit_random(&seed, 4))
			board_join(&clock, NULL);
		sender_send(&clock, worker->id, &seed);
		if (!unit_random(&seed, 4))
			board_join(NULL, &clock);
	}
	__atomic_fetch_sub(&n_sending, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void reader_check(const struct parcel *parcel, unsigned int *got)
{
	unsigned int s;

	for (s = 0; s < N_SENDERS; s++) {
		if (s != parcel->sender && got[s] < parcel->before[s])
			shim_bug(__FILE__, __LINE__, "received before its cause");
	}
	if (++got[parcel->sender] != parcel->index)
		shim_bug(__FILE__, __LINE__, "order of one sender");
}

/* False: the queue is empty, and was not allowed to be if something in @must was missing. */
static bool reader_next(struct worker *worker, unsigned int *got, const struct clock *must)
{
	struct b1_queue *from = &queues[worker->id];
	struct b1_queue_entry *entry;
	struct parcel *parcel;
	unsigned int s;

	mutex_lock(&from->lock);
	entry = b1_queue_peek(from);
	if (entry)
		b1_queue_remove(from, entry);
	mutex_unlock(&from->lock);
	if (!entry) {
		for (s = 0; s < N_SENDERS; s++) {
			if (got[s] < must->n[worker->id][s])
				shim_bug(__FILE__, __LINE__, "not atomic");
		}
		return false;
	}
	parcel = container_of(entry, struct parcel, entry);
	reader_check(parcel, got);
	/* from now on all entries of that send must be there, for everybody */
	board_join(NULL, &parcel->send->clock);
	b1_tx_unref(entry->tx);
	send_unref(parcel->send);
	free(parcel);
	worker->n++;
	return true;
}

static void *reader_run(void *arg)
{
	struct worker *worker = arg;
	unsigned int got[N_SENDERS] = {};
	struct clock must = {};
	bool last;

	for (;;) {
		last = !__atomic_load_n(&n_sending, __ATOMIC_SEQ_CST);
		board_join(&must, NULL);
		if (!reader_next(worker, got, &must) && last)
			return NULL;
	}
}

START_TEST(threads_causal_order)
{
	struct worker senders[N_SENDERS], readers[N_QUEUES];
	unsigned long n_received = 0, n_sent = 0;
	unsigned int i, s;

	n_sending = N_SENDERS;
	for (i = 0; i < N_QUEUES; i++) {
		b1_queue_init(&queues[i]);
		readers[i] = (struct worker){ .id = i };
		pthread_create(&readers[i].thread, NULL, reader_run, &readers[i]);
	}
	for (i = 0; i < N_SENDERS; i++) {
		senders[i] = (struct worker){ .id = i };
		pthread_create(&senders[i].thread, NULL, sender_run, &senders[i]);
	}
	for (i = 0; i < N_SENDERS; i++)
		pthread_join(senders[i].thread, NULL);
	for (i = 0; i < N_QUEUES; i++) {
		pthread_join(readers[i].thread, NULL);
		b1_queue_deinit(&queues[i]);
		n_received += readers[i].n;
		for (s = 0; s < N_SENDERS; s++)
			n_sent += board.n[i][s];
	}
	/* all that was received has been put on the board, so this is all that was sent */
	ck_assert_uint_eq(n_received, n_sent);
	ck_assert_uint_ge(n_received, N_SENDERS * N_SENDS);
}
END_TEST

#define N_RACE 400
#define N_ROUNDS UNIT_SCALE(160)

struct item {
	struct b1_queue_entry entry;
	unsigned int value;
};

struct racer {
	pthread_t thread;
	struct b1_tx tx[N_RACE];
	struct item items[N_RACE];
	unsigned int n_pushed;
	unsigned int n_found[N_RACE];
};

static struct racer racers[N_SENDERS];
static struct b1_queue queue;
static struct list_head group;

static void racer_tx_free(struct b1_ref *ref)
{
	shim_bug(__FILE__, __LINE__, "a transaction lost a reference");
}

/* Every other entry has a transaction, that it commits or not. */
static void *racer_run(void *arg)
{
	struct racer *racer = arg;
	unsigned int i;

	for (i = 0; i < N_RACE; i++) {
		struct b1_tx *tx = i & 1 ? b1_tx_ref(&racer->tx[i]) : NULL;

		if (!b1_queue_push(&queue, &racer->items[i].entry, tx)) {
			b1_tx_unref(tx);
			break;
		}
		if (i & 2)
			b1_tx_commit(&racer->tx[i]);
	}
	racer->n_pushed = i;
	return NULL;
}

static bool racer_found(struct b1_queue_entry *entry)
{
	struct item *item;

	if (!entry)
		return false;
	item = container_of(entry, struct item, entry);
	racers[item->value / N_RACE].n_found[item->value % N_RACE]++;
	b1_tx_unref(entry->tx);
	return true;
}

static void racer_start(struct racer *racer, unsigned int r)
{
	unsigned int i;

	for (i = 0; i < N_RACE; i++) {
		b1_tx_init(&racer->tx[i], racer_tx_free);
		b1_queue_entry_init(&racer->items[i].entry, 7, i % 3 ? &group : NULL);
		racer->items[i].value = r * N_RACE + i;
		racer->n_found[i] = 0;
	}
	pthread_create(&racer->thread, NULL, racer_run, racer);
}

static bool racer_pop(void)
{
	struct b1_queue_entry *entry;

	mutex_lock(&queue.lock);
	entry = b1_queue_peek(&queue);
	if (entry)
		b1_queue_remove(&queue, entry);
	mutex_unlock(&queue.lock);
	return racer_found(entry);
}

static void racer_remove_group(void)
{
	struct b1_queue_entry *entry, *next;

	mutex_lock(&queue.lock);
	b1_queue_unstack(&queue);
	entry = b1_queue_remove_group(&queue, &group, NULL, &(size_t){ 0 });
	mutex_unlock(&queue.lock);
	for (; entry; entry = next) {
		next = entry->next;
		racer_found(entry);
	}
}

static void racer_join(struct racer *racer)
{
	unsigned int i;

	pthread_join(racer->thread, NULL);
	for (i = 0; i < N_RACE; i++) {
		QUICK_ASSERT(racer->n_found[i] == (i < racer->n_pushed));
		QUICK_ASSERT(refcount_read(&racer->tx[i].ref.refs) == 1);
	}
}

/* what was pushed before the queue was sealed is found exactly once, by whatever removes it */
START_TEST(threads_seal)
{
	unsigned long long seed = 1;
	unsigned int round, i, r, n;

	for (round = 0; round < N_ROUNDS; round++) {
		b1_queue_init(&queue);
		INIT_LIST_HEAD(&group);
		for (r = 0; r < N_SENDERS; r++)
			racer_start(&racers[r], r);
		n = unit_random(&seed, 2 * N_RACE);
		for (i = 0; i < n; i++)
			racer_pop();
		if (n & 1)
			racer_remove_group();
		mutex_lock(&queue.lock);
		b1_queue_seal(&queue);
		while (racer_found(b1_queue_remove_any(&queue)))
			;
		mutex_unlock(&queue.lock);
		for (r = 0; r < N_SENDERS; r++)
			racer_join(&racers[r]);
		ck_assert(list_empty(&group));
		b1_queue_deinit(&queue);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("queue-threads");
	TCase *tcase = tcase_create("threads");

	tcase_set_timeout(tcase, 120);
	tcase_add_test(tcase, threads_causal_order);
	tcase_add_test(tcase, threads_seal);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
