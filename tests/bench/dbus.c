// SPDX-License-Identifier: LGPL-2.1-or-later
/* Messages of D-Bus in little endian, and a way to exchange them through a broker */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "dbus.h"
#include "measure.h"
#include "transport.h"

/* The header: 4 bytes, then three numbers. */
#define BODY_SIZE_AT 4
#define SERIAL_AT 8
#define FIELDS_SIZE_AT 12
#define FIELDS_AT 16

/* Names that the broker gives: the server connects first. */
#define SERVER_NAME ":1.0"
#define CLIENT_NAME ":1.1"

/* Writing */

void dbus_align(struct dbus_message *message, size_t alignment)
{
	while (message->size % alignment)
		message->data[message->size++] = 0;
}

void dbus_bytes(struct dbus_message *message, const void *data, size_t size)
{
	memcpy(message->data + message->size, data, size);
	message->size += size;
}

void dbus_u32(struct dbus_message *message, uint32_t value)
{
	dbus_align(message, sizeof(value));
	dbus_bytes(message, &value, sizeof(value));
}

void dbus_u64(struct dbus_message *message, uint64_t value)
{
	dbus_align(message, sizeof(value));
	dbus_bytes(message, &value, sizeof(value));
}

void dbus_string(struct dbus_message *message, const char *value)
{
	dbus_u32(message, strlen(value));
	dbus_bytes(message, value, strlen(value) + 1);
}

void dbus_signature(struct dbus_message *message, const char *value)
{
	message->data[message->size++] = strlen(value);
	dbus_bytes(message, value, strlen(value) + 1);
}

static void set_number(struct dbus_message *message, size_t offset, uint32_t value)
{
	memcpy(message->data + offset, &value, sizeof(value));
}

/* Its size comes before the padding, and does not count it. */
size_t dbus_begin_array(struct dbus_message *message, size_t alignment)
{
	size_t array;

	dbus_u32(message, 0);
	array = message->size;
	dbus_align(message, alignment);
	return array;
}

void dbus_end_array(struct dbus_message *message, size_t array, size_t alignment)
{
	size_t start = (array + alignment - 1) / alignment * alignment;

	set_number(message, array - sizeof(uint32_t), message->size - start);
}

void dbus_begin(struct dbus_message *message, unsigned int type, uint32_t serial)
{
	unsigned char first[] = { 'l', type, 0, 1 };

	message->size = 0;
	dbus_bytes(message, first, sizeof(first));
	dbus_u32(message, 0);
	dbus_u32(message, serial);
	dbus_u32(message, 0);
}

static void begin_field(struct dbus_message *message, unsigned int field, char type)
{
	char start[] = { field, 1, type, 0 };

	dbus_align(message, 8);
	dbus_bytes(message, start, sizeof(start));
}

void dbus_field(struct dbus_message *message, unsigned int field, char type, const char *value)
{
	begin_field(message, field, type);
	if (type == 'g')
		dbus_signature(message, value);
	else
		dbus_string(message, value);
}

void dbus_field_number(struct dbus_message *message, unsigned int field, uint32_t value)
{
	begin_field(message, field, 'u');
	dbus_u32(message, value);
}

void dbus_begin_body(struct dbus_message *message)
{
	set_number(message, FIELDS_SIZE_AT, message->size - FIELDS_AT);
	dbus_align(message, 8);
	message->body = message->size;
}

void dbus_end(struct dbus_message *message)
{
	set_number(message, BODY_SIZE_AT, message->size - message->body);
}

/* Exchanging */

uint32_t dbus_number_at(const struct dbus_message *message, size_t offset)
{
	uint32_t value;

	memcpy(&value, message->data + offset, sizeof(value));
	return value;
}

/* The connection is from root, who is "30" to D-Bus; file descriptors may be sent. */
void dbus_authenticate(int fd)
{
	static const char request[] = "\0AUTH EXTERNAL 30\r\nNEGOTIATE_UNIX_FD\r\nBEGIN\r\n";
	static const char last[] = "AGREE_UNIX_FD\r\n";
	char answer[256] = "";
	size_t have = 0;

	expect("write", write(fd, request, sizeof(request) - 1), sizeof(request) - 1);
	while (!strstr(answer, last)) {
		if (have == sizeof(answer) - 1 || read(fd, answer + have, 1) != 1)
			die("D-Bus: answer to AUTH: %s", answer);
		have++;
	}
}

void dbus_send(int fd, struct dbus_message *message)
{
	expect("D-Bus: send", send(fd, message->data, message->size, MSG_NOSIGNAL), message->size);
}

/* One message; that is one call, unless it is a large one. Nobody sends two without an answer. */
void dbus_recv(int fd, struct dbus_message *message)
{
	size_t have = 0, want = FIELDS_AT;
	ssize_t n;

	while (have < want) {
		n = recv(fd, message->data + have, sizeof(message->data) - have, 0);
		if (n <= 0)
			die("D-Bus: recv");
		have += n;
		if (have < FIELDS_AT)
			continue;
		message->body = FIELDS_AT + ((dbus_number_at(message, FIELDS_SIZE_AT) + 7) & ~7U);
		want = message->body + dbus_number_at(message, BODY_SIZE_AT);
	}
	message->size = want;
	/* A signal may follow the answer to the first call: keep it out of the way. */
	if (have > want)
		message->size = have;
}

void dbus_recv_return(int fd, struct dbus_message *message)
{
	dbus_recv(fd, message);
	if (message->data[1] != DBUS_RETURN)
		die("D-Bus: type %u instead of an answer: %.*s", message->data[1],
		    (int)(message->size - message->body), message->data + message->body + 4);
}

/* A link through the broker */

struct dbus_end {
	struct dbus_message out, in;
};

static int listener;

static void open_dbus(struct link *link)
{
	int i;

	listener = broker_start();
	for (i = 0; i < 2; i++)
		link->end[i].state = calloc(1, sizeof(struct dbus_end));
}

static void connect_to_broker(struct link_end *end, const char *name)
{
	struct dbus_end *state = end->state;
	struct sockaddr_un address;
	socklen_t size = sizeof(address);
	int fd;

	if (getsockname(listener, (struct sockaddr *)&address, &size) < 0)
		die("getsockname");
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) < 0)
		die("connect");
	end->in = end->out = fd;
	dbus_authenticate(fd);
	dbus_begin(&state->out, DBUS_CALL, 1);
	dbus_field(&state->out, DBUS_PATH, 'o', "/org/freedesktop/DBus");
	dbus_field(&state->out, DBUS_INTERFACE, 's', "org.freedesktop.DBus");
	dbus_field(&state->out, DBUS_MEMBER, 's', "Hello");
	dbus_field(&state->out, DBUS_DESTINATION, 's', "org.freedesktop.DBus");
	dbus_begin_body(&state->out);
	dbus_end(&state->out);
	dbus_send(fd, &state->out);
	dbus_recv_return(fd, &state->in);
	if (strcmp((char *)state->in.data + state->in.body + 4, name))
		die("D-Bus: name %s", state->in.data + state->in.body + 4);
	/* the signal that the name is ours, if it did not come along */
	if (state->in.size == state->in.body + 4 + strlen(name) + 1)
		dbus_recv(fd, &state->in);
}

static void add_data(struct dbus_message *message, struct link *link)
{
	dbus_begin_body(message);
	if (link->size) {
		dbus_u32(message, link->size);
		dbus_bytes(message, link->data, link->size);
	}
	dbus_end(message);
}

static void server_dbus(struct link *link)
{
	struct dbus_end *state = link->end[1].state;

	connect_to_broker(&link->end[1], SERVER_NAME);
	dbus_begin(&state->out, DBUS_RETURN, 2);
	dbus_field_number(&state->out, DBUS_REPLY_SERIAL, 0);
	dbus_field(&state->out, DBUS_DESTINATION, 's', CLIENT_NAME);
	if (link->size)
		dbus_field(&state->out, DBUS_SIGNATURE, 'g', "ay");
	add_data(&state->out, link);
}

static void client_dbus(struct link *link)
{
	struct dbus_end *state = link->end[0].state;

	connect_to_broker(&link->end[0], CLIENT_NAME);
	dbus_begin(&state->out, DBUS_CALL, 2);
	dbus_field(&state->out, DBUS_PATH, 'o', "/bench");
	dbus_field(&state->out, DBUS_MEMBER, 's', "Call");
	dbus_field(&state->out, DBUS_DESTINATION, 's', SERVER_NAME);
	if (link->size)
		dbus_field(&state->out, DBUS_SIGNATURE, 'g', "ay");
	add_data(&state->out, link);
}

static void check_size(struct dbus_message *message, struct link *link)
{
	size_t size = link->size ? link->size + 4 : 0;

	if (message->size - message->body != size)
		die("D-Bus: size of the message: %zu", message->size - message->body);
}

static void call_dbus(struct link *link)
{
	struct dbus_end *state = link->end[0].state;

	set_number(&state->out, SERIAL_AT, dbus_number_at(&state->out, SERIAL_AT) + 1);
	dbus_send(link->end[0].out, &state->out);
	dbus_recv_return(link->end[0].in, &state->in);
	check_size(&state->in, link);
}

static void serve_dbus(struct link *link)
{
	struct dbus_end *state = link->end[1].state;

	dbus_recv(link->end[1].in, &state->in);
	check_size(&state->in, link);
	set_number(&state->out, SERIAL_AT, dbus_number_at(&state->out, SERIAL_AT) + 1);
	/* the value of the first field */
	set_number(&state->out, FIELDS_AT + 4, dbus_number_at(&state->in, SERIAL_AT));
	dbus_send(link->end[1].out, &state->out);
}

const struct transport transport_dbus = {
	.name = "dbus-broker", .open = open_dbus, .server = server_dbus, .client = client_dbus,
	.call = call_dbus, .serve = serve_dbus,
};
