/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * common: what the examples need around the calls of libbus1
 *
 * Every function ends the process with a message and a status of 1 when something fails: that
 * keeps error handling out of the way of what an example wants to show.
 */
#ifndef EXAMPLES_COMMON_H
#define EXAMPLES_COMMON_H

#include <bus1.h>
#include <stdbool.h>
#include <sys/types.h>

/* What came out of a queue. text is a string; handles are the receiver's, to be released. */
struct event {
	uint64_t type;
	uint64_t id;
	uint64_t account;
	char text[128];
	size_t n_handles;
	uint64_t handles[4];
};

/* Prints one line, with the name of who says it in front. */
void say(const char *who, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Ends the process unless @ok. */
void expect(bool ok, const char *what);

/* Ends the process if @ret is negative, as it is when a function of libbus1 fails. */
int check(int ret, const char *what);

/* Creates a node in @owner and the first handle to it in @holder (-1: in @owner). */
void create_node(int owner, int holder, uint64_t *nodep, uint64_t *handlep);

/* Sends @text and, unless it is BUS1_INVALID, a copy of @handle to all @destinations. */
void multicast(int peer, const uint64_t *destinations, size_t n_destinations, const char *text,
	       uint64_t handle);
void send_text(int peer, uint64_t destination, const char *text, uint64_t handle);

/* Waits with poll(2) until there is something to receive, and receives it. */
void next_event(int peer, struct event *event);

void release(int peer, uint64_t id);

/* Passes a descriptor through a Unix socket. */
void socket_send_fd(int sock, int fd);
int socket_recv_fd(int sock);

/* Starts a process that runs @main(@arg) and exits with what it returns. */
pid_t start(int (*main)(void *arg), void *arg);

/* Waits for a process; it must have ended with status 0. */
void finish(pid_t pid, const char *who);

#endif /* EXAMPLES_COMMON_H */
