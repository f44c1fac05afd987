// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * epoll: no wakeup is lost
 *
 * Receivers wait for their peers with edge-triggered epoll, or now and then with poll, and read a
 * peer only when they were told to, then until it is empty. Senders send bursts, to one peer or to
 * several at once, and mostly wait until their burst has been read. Now and then one of them sends
 * alone, to receivers that sleep: then no later message covers up a wakeup that was lost, or came
 * before its message could be received. Invariants:
 *
 *  - no wait runs into its timeout while a message is waiting
 *  - what wait announced can be received
 */
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "stress.h"

#define MAX_SENDERS 8
#define MAX_RECEIVERS 8
#define N_FDS 2
#define MAX_DESTS (MAX_RECEIVERS * N_FDS)

struct payload {
	uint32_t from;
	uint32_t stop;
};

struct receiver {
	struct waiters *all;
	unsigned int self;
	int epoll;
	int fds[N_FDS];
	bool stopped;
	struct st_rng rng;
	pthread_t thread;
};

struct sender {
	struct waiters *all;
	unsigned int self;
	int fd;
	uint64_t handles[MAX_DESTS];
	unsigned int ballast;
	struct st_rng rng;
	pthread_t thread;
};

/* Destination d is file descriptor d % N_FDS of receiver d / N_FDS. */
struct waiters {
	struct st_run *run;
	unsigned int n_senders, n_receivers;
	pthread_rwlock_t sending;		/* write: one sender sends alone */
	struct receiver receivers[MAX_RECEIVERS];
	struct sender senders[MAX_SENDERS + 1];	/* the last one sends the order to stop */
	atomic_uint sent[MAX_SENDERS + 1][MAX_DESTS];
	atomic_uint read[MAX_SENDERS + 1][MAX_DESTS];
};

/* Whether sends to @dest had returned, when @sent was taken, whose messages are still not read. */
static bool unread(struct waiters *w, unsigned int dest, const unsigned int *sent)
{
	unsigned int s;

	for (s = 0; s <= w->n_senders; s++)
		if (sent[s] > atomic_load(&w->read[s][dest]))
			return true;
	return false;
}

static void get_sent(struct waiters *w, unsigned int dest, unsigned int *sent)
{
	unsigned int s;

	for (s = 0; s <= w->n_senders; s++)
		sent[s] = atomic_load(&w->sent[s][dest]);
}

static unsigned int drain(struct receiver *r, unsigned int i)
{
	struct waiters *w = r->all;
	const struct payload *p;
	struct st_msg msg;
	unsigned int n;

	for (n = 0; !st_recv(w->run, r->fds[i], &msg); n++) {
		p = (const struct payload *)msg.data;
		if (msg.message.type != BUS1_MESSAGE_TYPE_USER || p->from > w->n_senders) {
			st_violation(w->run, "garbage received");
			continue;
		}
		r->stopped |= p->stop;
		atomic_fetch_add(&w->read[p->from][r->self * N_FDS + i], 1);
	}
	return n;
}

/* Both return a mask of what is readable; 0 after a timeout. */
static unsigned int wait_epoll(struct receiver *r, int timeout)
{
	struct epoll_event events[N_FDS];
	unsigned int mask = 0;
	int i, n = epoll_wait(r->epoll, events, N_FDS, timeout);

	for (i = 0; i < n; i++)
		if (events[i].events & EPOLLIN)
			mask |= ST_BIT(events[i].data.u32);
	return mask;
}

static unsigned int wait_poll(struct receiver *r, int timeout)
{
	struct pollfd p[N_FDS];
	unsigned int i, mask = 0;

	for (i = 0; i < N_FDS; i++)
		p[i] = (struct pollfd){ .fd = r->fds[i], .events = POLLIN };
	poll(p, N_FDS, timeout);
	for (i = 0; i < N_FDS; i++)
		if (p[i].revents & POLLIN)
			mask |= ST_BIT(i);
	return mask;
}

/*
 * One wait, and reading what it announced. What poll announces is a promise; edge-triggered epoll
 * may report again what has been read by now. A timeout is judged by what had been sent before the
 * wait began: what came later may have come just behind the timeout, the next one would find it.
 */
static void wait_once(struct receiver *r)
{
	struct waiters *w = r->all;
	unsigned int sent[N_FDS][MAX_SENDERS + 1], i, mask;
	int timeout = (int)(w->run->grace / 1000000);
	bool use_poll = !st_rand(&r->rng, 4);

	for (i = 0; i < N_FDS; i++)
		get_sent(w, r->self * N_FDS + i, sent[i]);
	mask = use_poll ? wait_poll(r, timeout) : wait_epoll(r, timeout);
	st_count(w->run, ST_WAITS);
	if (mask && st_fault(w->run, ST_FAULT_DEAF))
		return;
	for (i = 0; i < N_FDS; i++) {
		if (!mask && unread(w, r->self * N_FDS + i, sent[i]))
			st_violation(w->run, "receiver %u slept with messages waiting", r->self);
		if ((mask & ST_BIT(i)) && !drain(r, i) && use_poll)
			st_violation(w->run, "poll announced a message, recv has none");
	}
}

static void *receiver_thread(void *arg)
{
	struct receiver *r = arg;

	while (!r->stopped)
		wait_once(r);
	return NULL;
}

/*
 * Wide sends are to last long enough for a receiver on another CPU to look in the middle, but are
 * not to take all the time on a slow machine.
 */
static void adapt_ballast(struct sender *s, uint64_t duration)
{
	if (duration < 16000000 && s->ballast < ST_MAX_BALLAST)
		s->ballast *= 2;
	else if (duration > 64000000 && s->ballast > 8)
		s->ballast /= 2;
}

static void send_to(struct sender *s, unsigned int n, const unsigned int *dests, bool stop)
{
	struct payload p = { .from = s->self, .stop = stop };
	unsigned int ballast = n > 1 && !st_rand(&s->rng, 4) ? s->ballast : 0;
	uint64_t ids[MAX_DESTS], start = st_now();
	unsigned int i;
	int ret;

	for (i = 0; i < n; i++)
		ids[i] = s->handles[dests[i]];
	do {
		ret = st_send_wide(s->all->run, s->fd, ballast, n, ids, &p, sizeof(p), 0, NULL);
	} while (ret == -EDQUOT && (stop || st_going(s->all->run)));
	if (ballast)
		adapt_ballast(s, st_now() - start);
	for (i = 0; i < n && !ret; i++)
		atomic_fetch_add(&s->all->sent[s->self][dests[i]], 1);
}

static void send_one(struct sender *s)
{
	unsigned int n_all = s->all->n_receivers * N_FDS, dests[MAX_DESTS], i, n;

	n = st_rand(&s->rng, 2) ? 1 : 1 + st_rand(&s->rng, n_all);
	dests[0] = st_rand(&s->rng, n_all);
	for (i = 1; i < n; i++)
		dests[i] = (dests[i - 1] + 1) % n_all;
	send_to(s, n, dests, false);
}

static void send_burst(struct sender *s)
{
	unsigned int length = st_rand(&s->rng, 2) ? 1 : 1 + st_rand(&s->rng, 20);

	pthread_rwlock_rdlock(&s->all->sending);
	while (length--)
		send_one(s);
	pthread_rwlock_unlock(&s->all->sending);
}

static bool all_read(struct sender *s)
{
	struct waiters *w = s->all;
	unsigned int d;

	for (d = 0; d < w->n_receivers * N_FDS; d++)
		if (atomic_load(&w->read[s->self][d]) != atomic_load(&w->sent[s->self][d]))
			return false;
	return true;
}

/* Three times the patience of the receiver, which is to complain first, and more precisely. */
static void await_read(struct sender *s)
{
	uint64_t t_end = st_now() + 3 * s->all->run->grace;

	while (!all_read(s)) {
		if (st_now() > t_end) {
			st_violation(s->all->run, "nobody reads what sender %u sent", s->self);
			return;
		}
		if (st_rand(&s->rng, 4))
			sched_yield();
		else
			st_pause(50);
	}
}

static void send_alone(struct sender *s)
{
	pthread_rwlock_wrlock(&s->all->sending);
	st_pause(300);
	send_one(s);
	await_read(s);
	pthread_rwlock_unlock(&s->all->sending);
}

static void *sender_thread(void *arg)
{
	struct sender *s = arg;
	unsigned int n = 0;

	while (st_going(s->all->run)) {
		if (!st_rand(&s->rng, 2)) {
			send_alone(s);
			continue;
		}
		send_burst(s);
		if (st_rand(&s->rng, 4) || ++n > 8) {
			await_read(s);
			n = 0;
		}
	}
	await_read(s);
	return NULL;
}

static void setup_receiver(struct waiters *w, unsigned int nr)
{
	struct receiver *r = &w->receivers[nr];
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	unsigned int i, s;
	uint64_t node, own;

	r->all = w;
	r->self = nr;
	r->epoll = epoll_create1(EPOLL_CLOEXEC);
	st_rng_init(&r->rng, w->run, 100 + nr);
	for (i = 0; i < N_FDS; i++) {
		r->fds[i] = st_peer_open(w->run);
		event.data.u32 = i;
		if (epoll_ctl(r->epoll, EPOLL_CTL_ADD, r->fds[i], &event) < 0)
			st_violation(w->run, "epoll_ctl: %s", strerror(errno));
		st_node_create_ok(w->run, r->fds[i], -1, &node, &own);
		for (s = 0; s <= w->n_senders; s++)
			st_handle_copy_ok(w->run, r->fds[i], w->senders[s].fd, own,
					  &w->senders[s].handles[nr * N_FDS + i]);
	}
}

static void setup(struct waiters *w, struct st_run *run)
{
	pthread_rwlockattr_t attr;
	unsigned int i;

	w->run = run;
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&w->sending, &attr);
	w->n_senders = run->n_threads < 4 ? 2 : run->n_threads / 2;
	w->n_receivers = w->n_senders;
	for (i = 0; i <= w->n_senders; i++) {
		w->senders[i].all = w;
		w->senders[i].self = i;
		w->senders[i].ballast = 64;
		w->senders[i].fd = st_peer_open(run);
		st_rng_init(&w->senders[i].rng, run, i);
	}
	for (i = 0; i < w->n_receivers; i++)
		setup_receiver(w, i);
}

static void epoll_run(struct st_run *run)
{
	struct waiters *w = st_alloc(sizeof(*w));
	unsigned int sent[MAX_SENDERS + 1], i, dest;

	setup(w, run);
	for (i = 0; i < w->n_receivers; i++)
		st_thread_start(&w->receivers[i].thread, receiver_thread, &w->receivers[i]);
	for (i = 0; i < w->n_senders; i++)
		st_thread_start(&w->senders[i].thread, sender_thread, &w->senders[i]);
	for (i = 0; i < w->n_senders; i++)
		st_thread_join(w->senders[i].thread);
	for (i = 0; i < w->n_receivers; i++) {
		dest = i * N_FDS;
		send_to(&w->senders[w->n_senders], 1, &dest, true);
	}
	for (i = 0; i < w->n_receivers; i++)
		st_thread_join(w->receivers[i].thread);
	/* the order to stop overtook nothing: senders had waited until all was read */
	for (i = 0; i < w->n_receivers * N_FDS; i++) {
		get_sent(w, i, sent);
		if (unread(w, i, sent))
			st_violation(run, "messages were left over");
	}
}

const struct st_scenario st_epoll = {
	.name = "epoll",
	.what = "edge-triggered epoll and poll miss no message of bursts and multicasts",
	.required = ST_BIT(ST_SENT) | ST_BIT(ST_RECEIVED) | ST_BIT(ST_WAITS),
	.run = epoll_run,
};
