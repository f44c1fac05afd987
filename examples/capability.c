/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * capability: a permission that travels
 *
 * Alice owns a door, which is a node. She gives a handle to Bob, who passes it on to Carol and
 * gives up his own. Carol may now open the door, because she holds a handle; Bob may not, because
 * he has none; nobody asks who they are. When the last handle is gone, Alice is told, and knows
 * that nobody will ever come through that door again.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

/* What Bob and Carol find when they start. */
struct person {
	int not_mine[2];	/* inherited peers of the others: closed at once */
	int peer;
	uint64_t node;		/* where others reach this peer */
	uint64_t carol;		/* Bob only: a handle to Carol's node */
};

/*
 * What comes next, not counting a notification about @ignore: the others end when they like, and
 * that is no part of the story.
 */
static void next_but_departures(int peer, uint64_t ignore, struct event *event)
{
	do {
		next_event(peer, event);
	} while (event->id == ignore && event->type != BUS1_MESSAGE_TYPE_USER);
}

static int bob(void *arg)
{
	struct person *me = arg;
	struct bus1_transfer src, dst;
	struct event event;

	close(me->not_mine[0]);
	next_event(me->peer, &event);
	expect(event.type == BUS1_MESSAGE_TYPE_USER && event.id == me->node &&
	       event.n_handles == 1, "a handle");
	say("bob", "Alice gave me handle %" PRIu64 "; I pass it on to Carol", event.handles[0]);
	send_text(me->peer, me->carol, "this opens the door", event.handles[0]);
	release(me->peer, event.handles[0]);

	/* not even a copy is left, and the number alone is worth nothing */
	src = (struct bus1_transfer){ .id = event.handles[0] };
	expect(bus1_cmd_transfer(0, me->peer, -1, 1, &src, &dst) == -EBADRQC, "EBADRQC");
	say("bob", "I have released mine: \"%s\" is what I get now", strerror(errno));
	return EXIT_SUCCESS;
}

static int carol(void *arg)
{
	struct person *me = arg;
	struct event event;

	close(me->not_mine[0]);
	close(me->not_mine[1]);
	next_event(me->peer, &event);
	expect(event.id == me->node && event.n_handles == 1, "the handle");
	say("carol", "\"%s\", says Bob; with me it is handle %" PRIu64, event.text,
	    event.handles[0]);
	send_text(me->peer, event.handles[0], "please open", BUS1_INVALID);
	say("carol", "I have asked, and release my handle");
	release(me->peer, event.handles[0]);
	return EXIT_SUCCESS;
}

int main(void)
{
	uint64_t door, handle, to_bob;
	struct person b = { 0 }, c = { 0 };
	struct event event;
	pid_t pid_b, pid_c;
	int alice;

	alice = check(bus1_peer_new(), "bus1_peer_new");
	b.peer = check(bus1_peer_new(), "bus1_peer_new");
	c.peer = check(bus1_peer_new(), "bus1_peer_new");

	/* Bob can reach Carol, Alice can reach Bob; nobody else can reach anybody */
	create_node(c.peer, b.peer, &c.node, &b.carol);
	create_node(b.peer, alice, &b.node, &to_bob);
	b.not_mine[0] = c.not_mine[0] = alice;
	c.not_mine[1] = b.peer;
	pid_c = start(carol, &c);
	close(c.peer);
	pid_b = start(bob, &b);
	close(b.peer);

	create_node(alice, -1, &door, &handle);
	say("alice", "the door is my node %" PRIu64 "; I give a handle to Bob", door);
	send_text(alice, to_bob, "for you", handle);
	release(alice, handle);
	say("alice", "now I have none myself, the one given away is all there is");

	next_but_departures(alice, to_bob, &event);
	expect(event.type == BUS1_MESSAGE_TYPE_USER && event.id == door, "a request");
	say("alice", "\"%s\", says somebody who holds a handle: it is open", event.text);

	next_but_departures(alice, to_bob, &event);
	expect(event.type == BUS1_MESSAGE_TYPE_HANDLE_RELEASE && event.id == door,
	       "the last handle is gone");
	say("alice", "the last handle to node %" PRIu64 " is gone, I take the door away", door);
	release(alice, door);

	finish(pid_b, "bob");
	finish(pid_c, "carol");
	close(alice);
	return EXIT_SUCCESS;
}
