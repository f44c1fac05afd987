/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* As much of D-Bus as it takes to send messages through a broker */
#ifndef DBUS_H
#define DBUS_H

#include <stddef.h>
#include <stdint.h>

#define DBUS_MAX_MESSAGE (65536 + 1024)

enum {
	DBUS_CALL = 1,
	DBUS_RETURN = 2,
};

enum {
	DBUS_PATH = 1,
	DBUS_INTERFACE = 2,
	DBUS_MEMBER = 3,
	DBUS_REPLY_SERIAL = 5,
	DBUS_DESTINATION = 6,
	DBUS_SIGNATURE = 8,
	DBUS_UNIX_FDS = 9,
};

/* A message while it is written, and after that. */
struct dbus_message {
	unsigned char data[DBUS_MAX_MESSAGE];
	size_t size;
	size_t body;		/* where it starts */
};

void dbus_begin(struct dbus_message *message, unsigned int type, uint32_t serial);
void dbus_field(struct dbus_message *message, unsigned int field, char type, const char *value);
void dbus_field_number(struct dbus_message *message, unsigned int field, uint32_t value);
void dbus_begin_body(struct dbus_message *message);
void dbus_end(struct dbus_message *message);

void dbus_align(struct dbus_message *message, size_t alignment);
void dbus_bytes(struct dbus_message *message, const void *data, size_t size);
void dbus_u32(struct dbus_message *message, uint32_t value);
void dbus_u64(struct dbus_message *message, uint64_t value);
void dbus_string(struct dbus_message *message, const char *value);
void dbus_signature(struct dbus_message *message, const char *value);
size_t dbus_begin_array(struct dbus_message *message, size_t alignment);
void dbus_end_array(struct dbus_message *message, size_t array, size_t alignment);

void dbus_authenticate(int fd);
void dbus_send(int fd, struct dbus_message *message);
void dbus_recv(int fd, struct dbus_message *message);
void dbus_recv_return(int fd, struct dbus_message *message);
uint32_t dbus_number_at(const struct dbus_message *message, size_t offset);

int broker_start(void);

#endif /* DBUS_H */
