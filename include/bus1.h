/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * libbus1: one function per command of /dev/bus1
 *
 * Every function returns a negative errno value on failure and leaves the same error in errno. On
 * success it returns 0, unless said otherwise, and leaves errno alone. All functions are
 * thread-safe and async-signal-safe; they keep no state. Errors are listed cause by cause in the
 * manual page of each function; bus1(7) explains the concepts.
 */
#ifndef _BUS1_H
#define _BUS1_H

#include <linux/bus1.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
/* g++ -Wshadow does not like functions with the names of structs, as those of the commands are. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
extern "C" {
#endif

/**
 * bus1_peer_new() - become a peer
 *
 * Return: a new file descriptor (O_RDWR | O_CLOEXEC), to be closed with close(2), or the negative
 * error of open(2); -ENOENT, -ENODEV and -ENXIO mean that there is no device, mostly because the
 * kernel module is not loaded.
 */
int bus1_peer_new(void);

/**
 * bus1_cmd_transfer() - create nodes, and copy handles from one peer to another
 * @flags:	0
 * @from:	peer that owns the handles in @src, and will own the nodes to be created
 * @to:		peer that gets the new handles; -1 means the same as @from
 * @n:		number of entries in @src and @dst, 0 to 65536
 * @src:	handles to copy, or BUS1_TRANSFER_FLAG_CREATE with BUS1_INVALID; such an entry
 *		returns the ID of the new node, with flags 0
 * @dst:	returns the ID of each new handle, with flags 0
 *
 * Return: 0, or a negative errno value; then the arrays may have been modified, the bus has not.
 */
int bus1_cmd_transfer(uint64_t flags, int from, int to, size_t n,
		      struct bus1_transfer *src, struct bus1_transfer *dst);

/**
 * bus1_cmd_release() - release nodes and handles, in one transaction
 * @peerfd:	peer that owns them
 * @n_ids:	number of IDs, 0 to 65536; a repeated one counts once
 * @ids:	what to release
 *
 * Return: 0, or a negative errno value; then nothing has been released.
 */
int bus1_cmd_release(int peerfd, size_t n_ids, const uint64_t *ids);

/**
 * bus1_cmd_send() - send one message to any number of destinations, in one transaction
 * @peerfd:		peer to send as
 * @n_destinations:	number of destinations, 0 to 65536
 * @destinations:	handles of @peerfd; each gets one message
 * @errors:		NULL, or room for @n_destinations values, set to 0 on success
 * @message:		what to send; not modified
 *
 * Return: 0, or a negative errno value; then nothing has been sent.
 */
int bus1_cmd_send(int peerfd, size_t n_destinations, const uint64_t *destinations,
		  int32_t *errors, struct bus1_message *message);

/**
 * bus1_cmd_recv() - receive the next message or notification; never waits, see poll(2)
 * @peerfd:	peer to receive as
 * @metadata:	returns where the message came in, and from which account
 * @message:	room for the message: type BUS1_INVALID, capacities and pointers set; returns the
 *		type and the sizes. The caller owns the handles received and releases them.
 *
 * Return: 0, or a negative errno value: -EAGAIN if the queue is empty; -EMSGSIZE if there is not
 * enough room, then @message->n_transfers and @message->n_data say how much is needed, @metadata
 * is as on success, and the message stays queued.
 */
int bus1_cmd_recv(int peerfd, struct bus1_metadata *metadata, struct bus1_message *message);

#ifdef __cplusplus
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif

#endif /* _BUS1_H */
