// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * notify, close, processes: three scenarios of the churn engine
 *
 * notify mostly passes handles on and releases nodes and handles; close mostly closes peers while
 * others send to them and wait for them; processes kills those who take part. What must hold is the
 * same for all and stands in books.c.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "churn.h"

static const uint8_t weights_notify[_CHURN_ACTION_N] = {
	[CHURN_RECV] = 30,
	[CHURN_SEND] = 30,
	[CHURN_CREATE] = 10,
	[CHURN_COPY] = 10,
	[CHURN_ACQUIRE] = 5,
	[CHURN_RELEASE] = 20,
	[CHURN_CLOSE] = 1,
};

static const uint8_t weights_close[_CHURN_ACTION_N] = {
	[CHURN_RECV] = 10,
	[CHURN_SEND] = 40,
	[CHURN_CREATE] = 10,
	[CHURN_COPY] = 5,
	[CHURN_ACQUIRE] = 10,
	[CHURN_RELEASE] = 20,
	[CHURN_CLOSE] = 10,
	[CHURN_POLL] = 10,
};

static const uint8_t weights_survivor[_CHURN_ACTION_N] = {
	[CHURN_RECV] = 30,
	[CHURN_SEND] = 30,
	[CHURN_CREATE] = 10,
	[CHURN_COPY] = 5,
	[CHURN_RELEASE] = 15,
};

static const uint8_t weights_mortal[_CHURN_ACTION_N] = {
	[CHURN_RECV] = 20,
	[CHURN_SEND] = 40,
	[CHURN_CREATE] = 20,
	[CHURN_COPY] = 5,
	[CHURN_ACQUIRE] = 20,
	[CHURN_RELEASE] = 10,
};

struct churn {
	struct st_run *run;
	struct churn_world *world;
	unsigned int n_peers;
	struct churn_peer *peers;
	int epoll;
	atomic_bool stop;
};

static void peer_init(struct churn *c, struct churn_peer *p, unsigned int nr,
		      const uint8_t *weights)
{
	p->run = c->run;
	p->world = c->world;
	p->others = c->peers;
	p->n_others = c->n_peers;
	p->weights = weights;
	p->epoll = c->epoll;
	pthread_mutex_init(&p->lock, NULL);
	st_rng_init(&p->rng, c->run, nr);
}

static void setup(struct churn *c, struct st_run *run, const uint8_t *weights)
{
	unsigned int i;

	c->run = run;
	c->world = st_alloc_shared(sizeof(*c->world));
	c->n_peers = run->n_threads;
	/* the record behind the last one is for children, each of which has its own copy */
	c->peers = st_alloc(sizeof(*c->peers) * (c->n_peers + 1));
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	for (i = 0; i < c->n_peers; i++) {
		peer_init(c, &c->peers[i], i, weights);
		churn_peer_open(&c->peers[i], churn_owner_new(c->world));
	}
}

static void *peer_thread(void *arg)
{
	struct churn_peer *p = arg;

	while (st_going(p->run) && churn_peer_step(p))
		;
	return NULL;
}

/* Waits for all peers, in turns with an epoll set and with poll, while they come and go. */
static void *poller_thread(void *arg)
{
	struct churn *c = arg;
	struct pollfd polled[CHURN_MAX_PEERS];
	struct epoll_event event;
	unsigned int i;

	while (!atomic_load(&c->stop)) {
		for (i = 0; i < c->n_peers; i++)
			polled[i].fd = atomic_load(&c->peers[i].fd);
		for (i = 0; i < c->n_peers; i++)
			polled[i].events = 0;
		poll(polled, c->n_peers, 2);
		epoll_wait(c->epoll, &event, 1, 2);
		st_count(c->run, ST_WAITS);
	}
	return NULL;
}

static void run_threads(struct st_run *run, const uint8_t *weights, bool poller)
{
	struct churn c = {};
	pthread_t thread;
	unsigned int i;

	setup(&c, run, weights);
	if (poller)
		st_thread_start(&thread, poller_thread, &c);
	for (i = 0; i < c.n_peers; i++)
		st_thread_start(&c.peers[i].thread, peer_thread, &c.peers[i]);
	for (i = 0; i < c.n_peers; i++)
		st_thread_join(c.peers[i].thread);
	atomic_store(&c.stop, true);
	if (poller)
		st_thread_join(thread);
	churn_finish(c.peers, c.n_peers);
}

static void notify_run(struct st_run *run)
{
	run_threads(run, weights_notify, false);
}

static void close_run(struct st_run *run)
{
	run_threads(run, weights_close, true);
}

/* A process that is there to be killed. */
struct mortal {
	pid_t pid;
	uint32_t owner;
};

#define MAX_MORTALS 4

/*
 * Runs in the child of a process with threads: nothing here may need a lock another thread could
 * have held at the time of the fork. Some end by themselves, with everything open.
 */
static void mortal_main(struct churn *c, struct mortal *m)
{
	struct churn_peer *p = &c->peers[c->n_peers];
	unsigned int n;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	peer_init(c, p, 100 + m->owner, weights_mortal);
	p->alien = true;
	p->epoll = -1;
	churn_peer_open(p, m->owner);
	n = st_rand(&p->rng, 3) ? ~0U : st_rand(&p->rng, 1000);
	while (n-- && churn_peer_step(p))
		;
	atomic_store(&c->world->gone[m->owner], true);
	_exit(EXIT_SUCCESS);
}

static bool mortal_start(struct churn *c, struct mortal *m)
{
	m->owner = churn_owner_new(c->world);
	if (!m->owner)
		return false;
	m->pid = fork();
	if (m->pid < 0) {
		st_violation(c->run, "fork: %s", strerror(errno));
		return false;
	}
	if (!m->pid)
		mortal_main(c, m);
	return true;
}

static void check_status(struct churn *c, int status)
{
	if (WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status) != SIGKILL)
		st_violation(c->run, "a process ended with status %#x", (unsigned int)status);
}

/* What the process had is gone when waitpid returns; it may be from the kill on. */
static void mortal_kill(struct churn *c, struct mortal *m)
{
	int status = 0;

	if (!m->pid)
		return;
	atomic_store(&c->world->gone[m->owner], true);
	kill(m->pid, SIGKILL);
	if (waitpid(m->pid, &status, 0) != m->pid)
		st_violation(c->run, "waitpid: %s", strerror(errno));
	check_status(c, status);
	m->pid = 0;
	st_count(c->run, ST_KILLS);
}

static void kill_and_replace(struct churn *c)
{
	struct mortal mortals[MAX_MORTALS] = {};
	struct st_rng rng;
	unsigned int i;

	st_rng_init(&rng, c->run, 1000);
	while (st_going(c->run)) {
		i = st_rand(&rng, MAX_MORTALS);
		mortal_kill(c, &mortals[i]);
		if (!mortal_start(c, &mortals[i]))
			break;
		st_pause(1 + st_rand(&rng, st_rand(&rng, 2) ? 3000 : 30000));
	}
	for (i = 0; i < MAX_MORTALS; i++)
		mortal_kill(c, &mortals[i]);
}

static void processes_run(struct st_run *run)
{
	struct churn c = {};
	unsigned int i;

	setup(&c, run, weights_survivor);
	for (i = 0; i < c.n_peers; i++)
		st_thread_start(&c.peers[i].thread, peer_thread, &c.peers[i]);
	kill_and_replace(&c);
	for (i = 0; i < c.n_peers; i++)
		st_thread_join(c.peers[i].thread);
	churn_finish(c.peers, c.n_peers);
}

#define CHURN_REQUIRED \
	(ST_BIT(ST_SENT) | ST_BIT(ST_RECEIVED) | ST_BIT(ST_NODE_RELEASE) | \
	 ST_BIT(ST_HANDLE_RELEASE) | ST_BIT(ST_TRANSFERS) | ST_BIT(ST_RELEASES) | ST_BIT(ST_CHECKS))

const struct st_scenario st_notify = {
	.name = "notify",
	.what = "every release is notified exactly as due while handles travel",
	.required = CHURN_REQUIRED,
	.run = notify_run,
};

const struct st_scenario st_close = {
	.name = "close",
	.what = "peers close and reopen while others send to them and poll them",
	.required = CHURN_REQUIRED | ST_BIT(ST_CLOSES) | ST_BIT(ST_WAITS),
	.run = close_run,
};

const struct st_scenario st_processes = {
	.name = "processes",
	.what = "processes are killed in the middle of it all",
	.required = CHURN_REQUIRED | ST_BIT(ST_KILLS),
	.run = processes_run,
};
