/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pubsub: one message to many, some of whom die without a word
 *
 * A send with many destinations is one transaction: all subscribers get the news, and none of them
 * can see it, react to it, and have that reaction arrive somewhere before the news itself. A dead
 * subscriber is no error; the publisher learns about it from the queue, as NODE_RELEASE.
 *
 * The subscribers meet the publisher through fork(2): it makes the peer of each, with a handle to
 * itself inside, and leaves it to the child.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common.h"

#define N_SUBSCRIBERS 5
#define N_VICTIMS 2

struct subscriber {
	pid_t pid;
	int publisher;		/* the parent's peer: not for the child */
	int peer;
	uint64_t to_publisher;
	char name[16];
};

static struct subscriber subscribers[N_SUBSCRIBERS];
static uint64_t news[N_SUBSCRIBERS];
static size_t n_news;

static int subscribe(void *arg)
{
	struct subscriber *me = arg;
	uint64_t node, handle;
	struct event event;
	char line[256];

	close(me->publisher);
	create_node(me->peer, -1, &node, &handle);
	send_text(me->peer, me->to_publisher, me->name, handle);
	release(me->peer, handle);
	for (;;) {
		next_event(me->peer, &event);
		if (event.type != BUS1_MESSAGE_TYPE_USER)
			break;
		say(me->name, "I read \"%s\"", event.text);
		snprintf(line, sizeof(line), "%s has read %.64s", me->name, event.text);
		send_text(me->peer, me->to_publisher, line, BUS1_INVALID);
	}
	/* Two things end at once, in no order: the handle we hold, and the last one to our node. */
	expect(event.type == BUS1_MESSAGE_TYPE_NODE_RELEASE ? event.id == me->to_publisher :
	       event.id == node, "the end of the publisher");
	say(me->name, "the publisher is gone; I go, too");
	return EXIT_SUCCESS;
}

static void forget(int peer, uint64_t handle)
{
	size_t i;

	for (i = 0; i < n_news && news[i] != handle; i++)
		;
	expect(i < n_news, "the handle of a subscriber");
	news[i] = news[--n_news];
	release(peer, handle);
	say("publisher", "the subscriber behind handle %" PRIu64 " is gone", handle);
}

/* Sends @text to everybody on the list and reads the queue until all the living have answered. */
static void publish(int peer, const char *text, size_t n_alive, size_t n_dead)
{
	struct event event;

	say("publisher", "\"%s\" goes to %zu handles", text, n_news);
	multicast(peer, news, n_news, text, BUS1_INVALID);
	while (n_alive || n_dead) {
		next_event(peer, &event);
		if (event.type == BUS1_MESSAGE_TYPE_NODE_RELEASE) {
			expect(n_dead--, "one of the victims");
			forget(peer, event.id);
		} else {
			expect(event.type == BUS1_MESSAGE_TYPE_USER && n_alive--, "a reader");
			expect(strstr(event.text, text) != NULL, "a reader of this news");
		}
	}
}

static void start_subscriber(int peer, uint64_t inbox, size_t i)
{
	struct bus1_transfer src = { .id = inbox }, dst;
	struct subscriber *s = &subscribers[i];

	s->publisher = peer;
	s->peer = check(bus1_peer_new(), "bus1_peer_new");
	snprintf(s->name, sizeof(s->name), "subscriber%zu", i);
	check(bus1_cmd_transfer(0, peer, s->peer, 1, &src, &dst), "introduce a subscriber");
	s->to_publisher = dst.id;
	s->pid = start(subscribe, s);
	close(s->peer);
}

static void kill_subscriber(struct subscriber *s)
{
	say("publisher", "%s is killed; I act as if I did not know", s->name);
	expect(!kill(s->pid, SIGKILL), "kill");
	/* until it is really gone, so that this example says the same every time */
	expect(waitpid(s->pid, NULL, 0) == s->pid, "wait for a victim");
}

int main(void)
{
	int peer = check(bus1_peer_new(), "bus1_peer_new");
	struct event event;
	uint64_t node, inbox;
	size_t i;

	/* one node that all subscribers send to; inbox is the publisher's own handle to it */
	create_node(peer, -1, &node, &inbox);
	for (i = 0; i < N_SUBSCRIBERS; i++)
		start_subscriber(peer, inbox, i);
	while (n_news < N_SUBSCRIBERS) {
		next_event(peer, &event);
		expect(event.type == BUS1_MESSAGE_TYPE_USER && event.id == node &&
		       event.n_handles == 1, "a subscription");
		say("publisher", "%s subscribes with handle %" PRIu64, event.text,
		    event.handles[0]);
		news[n_news++] = event.handles[0];
	}

	publish(peer, "news 1", N_SUBSCRIBERS, 0);
	for (i = 0; i < N_VICTIMS; i++)
		kill_subscriber(&subscribers[i * 2]);
	publish(peer, "news 2", N_SUBSCRIBERS - N_VICTIMS, N_VICTIMS);
	publish(peer, "news 3", N_SUBSCRIBERS - N_VICTIMS, 0);

	say("publisher", "that was all; I close my peer");
	close(peer);
	for (i = 0; i < N_SUBSCRIBERS; i++) {
		if (i % 2 == 0 && i / 2 < N_VICTIMS)
			continue;
		finish(subscribers[i].pid, subscribers[i].name);
	}
	return EXIT_SUCCESS;
}
