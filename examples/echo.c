/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * echo: how two processes meet, and how one answers the other
 *
 * There are no names and no addresses on bus1: somebody has to put the first handle into a peer.
 * Here that is the service. Its client lends it its peer descriptor over a Unix socket, the
 * service puts a handle there and says over the same socket which number it got. From then on the
 * two need nothing but bus1. To be answered, the client sends along a handle to a node of its own.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

static int client(void *arg)
{
	uint64_t service, reply_node, reply_handle;
	int sock = *(int *)arg, peer;
	struct event event;

	peer = check(bus1_peer_new(), "bus1_peer_new");
	say("client", "I lend my peer to the service, over a Unix socket");
	socket_send_fd(sock, peer);
	expect(read(sock, &service, sizeof(service)) == sizeof(service), "handle ID");
	close(sock);
	say("client", "I was given handle %" PRIu64 ", the socket is closed", service);

	/* where the answer shall arrive */
	create_node(peer, -1, &reply_node, &reply_handle);
	say("client", "I send \"hello\" and a handle to my node %" PRIu64, reply_node);
	send_text(peer, service, "hello", reply_handle);
	/* the copy in the message is enough, and the service shall hold the last one */
	release(peer, reply_handle);

	next_event(peer, &event);
	expect(event.type == BUS1_MESSAGE_TYPE_USER && event.id == reply_node, "an answer");
	say("client", "the answer on node %" PRIu64 " is \"%s\"", event.id, event.text);
	expect(!strcmp(event.text, "hello, hello"), "the echo");

	next_event(peer, &event);
	expect(event.type == BUS1_MESSAGE_TYPE_HANDLE_RELEASE && event.id == reply_node,
	       "the service releases its handle");
	say("client", "nobody can answer any more; I go");
	close(peer);
	return EXIT_SUCCESS;
}

static void serve(int sock)
{
	uint64_t node, handle;
	int peer, guest;
	struct event event;
	char answer[300];

	peer = check(bus1_peer_new(), "bus1_peer_new");
	guest = socket_recv_fd(sock);
	create_node(peer, guest, &node, &handle);
	close(guest);
	say("service", "the handle to my node %" PRIu64 " is number %" PRIu64 " in that peer",
	    node, handle);
	expect(write(sock, &handle, sizeof(handle)) == sizeof(handle), "tell the handle ID");
	close(sock);

	next_event(peer, &event);
	expect(event.type == BUS1_MESSAGE_TYPE_USER && event.id == node, "a request");
	expect(event.n_handles == 1, "a handle for the answer");
	say("service", "user %" PRIu64 " says \"%s\"; I answer", event.account, event.text);
	strcpy(answer, event.text);
	strcat(answer, ", ");
	strcat(answer, event.text);
	send_text(peer, event.handles[0], answer, BUS1_INVALID);
	release(peer, event.handles[0]);

	next_event(peer, &event);
	expect(event.type == BUS1_MESSAGE_TYPE_HANDLE_RELEASE && event.id == node,
	       "the client is gone");
	say("service", "nobody can reach node %" PRIu64 " any more; I close, too", node);
	close(peer);
}

int main(void)
{
	int socks[2];
	pid_t pid;

	expect(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks), "socketpair");
	pid = start(client, &socks[1]);
	close(socks[1]);
	serve(socks[0]);
	finish(pid, "client");
	return EXIT_SUCCESS;
}
