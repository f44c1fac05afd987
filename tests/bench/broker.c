// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Starts dbus-broker without its launcher
 *
 * The broker is told over a socket of its own, in D-Bus, where to listen and who may do what. Here,
 * everybody may do everything.
 */
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dbus.h"
#include "measure.h"

#define PROGRAM "/usr/bin/dbus-broker"
#define MACHINE_ID "00000000000000000000000000000001"
#define EVERYBODY UINT32_MAX
#define CONTROLLER_FD "3"

/* What a rule about messages and one about names has, as D-Bus calls it; and what a user has. */
#define RULES_BATCH "bta(btbs)a(btssssuutt)a(btssssuutt)"
#define RULES "(a(u(" RULES_BATCH "))a(buu(" RULES_BATCH "))a(ss)bs)"

static void spawn(int controller)
{
	if (fork())
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (controller == 3)
		fcntl(3, F_SETFD, 0);
	else
		dup2(controller, 3);
	execl(PROGRAM, "dbus-broker", "--controller", CONTROLLER_FD, "--machine-id", MACHINE_ID,
	      "--max-bytes", "536870912", "--max-objects", "16384", NULL);
	die(PROGRAM);
}

/* All messages are allowed. */
static void add_message_rules(struct dbus_message *message)
{
	size_t array = dbus_begin_array(message, 8);
	int i;

	dbus_u32(message, 1);		/* allowed */
	dbus_u64(message, 1);		/* priority */
	for (i = 0; i < 4; i++)		/* name, path, interface, member: any */
		dbus_string(message, "");
	dbus_u32(message, 0);		/* type: any */
	dbus_u32(message, 0);		/* broadcast or not */
	dbus_u64(message, 0);		/* file descriptors: as many as they like */
	dbus_u64(message, UINT64_MAX);
	dbus_end_array(message, array, 8);
}

static void add_rules(struct dbus_message *message)
{
	size_t array;

	dbus_signature(message, RULES);
	dbus_align(message, 8);
	array = dbus_begin_array(message, 8);
	dbus_u32(message, EVERYBODY);
	dbus_align(message, 8);
	dbus_u32(message, 1);		/* may connect */
	dbus_u64(message, 1);		/* priority */
	dbus_end_array(message, dbus_begin_array(message, 8), 8);	/* names */
	add_message_rules(message);	/* to send */
	add_message_rules(message);	/* to receive */
	dbus_end_array(message, array, 8);
	dbus_end_array(message, dbus_begin_array(message, 8), 8);	/* ranges of users */
	dbus_end_array(message, dbus_begin_array(message, 8), 8);	/* SELinux */
	dbus_u32(message, 0);		/* AppArmor */
	dbus_string(message, "user");
}

static void send_with_fd(int socket, struct dbus_message *message, int fd)
{
	union {
		char data[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = {
		.header.cmsg_len = CMSG_LEN(sizeof(int)),
		.header.cmsg_level = SOL_SOCKET,
		.header.cmsg_type = SCM_RIGHTS,
	};
	struct iovec vec = { .iov_base = message->data, .iov_len = message->size };
	struct msghdr header = {
		.msg_iov = &vec,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.data),
	};

	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	expect("sendmsg", sendmsg(socket, &header, MSG_NOSIGNAL), message->size);
}

static void add_listener(int controller, int listener)
{
	static struct dbus_message message;

	dbus_begin(&message, DBUS_CALL, 1);
	dbus_field(&message, DBUS_PATH, 'o', "/org/bus1/DBus/Broker");
	dbus_field(&message, DBUS_INTERFACE, 's', "org.bus1.DBus.Broker");
	dbus_field(&message, DBUS_MEMBER, 's', "AddListener");
	dbus_field(&message, DBUS_SIGNATURE, 'g', "ohv");
	dbus_field_number(&message, DBUS_UNIX_FDS, 1);
	dbus_begin_body(&message);
	dbus_string(&message, "/org/bus1/DBus/Listener/0");
	dbus_u32(&message, 0);		/* the first file descriptor of the message */
	add_rules(&message);
	dbus_end(&message);
	send_with_fd(controller, &message, listener);
	dbus_recv_return(controller, &message);
}

/* Returns the socket that the broker listens to. */
int broker_start(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int ends[2], listener;

	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* an address that the kernel chooses */
	if (listener < 0 ||
	    bind(listener, (struct sockaddr *)&address, sizeof(address.sun_family)) < 0 ||
	    listen(listener, 16) < 0)
		die("listen");
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
		die("socketpair");
	spawn(ends[1]);
	close(ends[1]);
	dbus_authenticate(ends[0]);
	add_listener(ends[0], listener);
	return listener;
}
