/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * bus1: capability-based IPC, the interface between user space and the kernel
 *
 * Every field is a __u64 and every struct is aligned to eight bytes, so the layout is the same for
 * 32-bit and 64-bit programs. Pointers travel as integers, see BUS1_FROM_PTR(). Fields called
 * flags are 0 unless a flag is named for them here. See bus1(7) for the concepts and the manual
 * page of each command for its errors.
 */
#ifndef _LINUX_BUS1_H
#define _LINUX_BUS1_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* ioctl(2) type byte of all commands */
#define BUS1_IOCTL_MAGIC		0x97

/* "no ID", "no account", "this peer", and what bus1_message.type must hold before a recv */
#define BUS1_INVALID			((__u64)-1)

/* bit that is set in every ID the kernel allocates */
#define BUS1_MANAGED			((__u64)1)

/* a pointer as a __u64, zero-extended on 32 bit, and back */
#define BUS1_FROM_PTR(_ptr)		((__u64)(__UINTPTR_TYPE__)(_ptr))
#define BUS1_TO_PTR(_value)		((void *)(__UINTPTR_TYPE__)(_value))

/* bus1_transfer.flags: create a node; id must be BUS1_INVALID. BUS1_CMD_TRANSFER sources only. */
#define BUS1_TRANSFER_FLAG_CREATE	((__u64)1 << 0)

/**
 * struct bus1_transfer - one handle that is passed on, or one node to create
 * @flags:	0 or BUS1_TRANSFER_FLAG_CREATE; the kernel stores 0
 * @id:		ID of the handle to copy; in results, ID of the new handle (or node)
 */
struct bus1_transfer {
	__u64 flags;
	__u64 id;
} __attribute__((__aligned__(8)));

/**
 * struct bus1_metadata - what the kernel says about a received message
 * @flags:	0
 * @id:		node the message came in on (USER, HANDLE_RELEASE), or the handle whose node is
 *		gone (NODE_RELEASE)
 * @account:	UID the sending peer is accounted to, as seen from the user namespace of the
 *		caller; BUS1_INVALID if it has no mapping there, and for notifications
 */
struct bus1_metadata {
	__u64 flags;
	__u64 id;
	__u64 account;
} __attribute__((__aligned__(8)));

/**
 * enum bus1_message_type - kinds of message
 * @BUS1_MESSAGE_TYPE_USER:		sent by a peer
 * @BUS1_MESSAGE_TYPE_NODE_RELEASE:	the node of a handle of the receiver is gone
 * @BUS1_MESSAGE_TYPE_HANDLE_RELEASE:	the last handle to a node of the receiver is gone
 * @_BUS1_MESSAGE_TYPE_N:		number of kinds
 */
enum bus1_message_type {
	BUS1_MESSAGE_TYPE_USER			= 0,
	BUS1_MESSAGE_TYPE_NODE_RELEASE		= 1,
	BUS1_MESSAGE_TYPE_HANDLE_RELEASE	= 2,
	_BUS1_MESSAGE_TYPE_N,
};

/**
 * struct bus1_message - a message to send, or room to receive one
 * @flags:		0
 * @type:		send: BUS1_MESSAGE_TYPE_USER; recv: BUS1_INVALID, overwritten with
 *			enum bus1_message_type
 * @n_transfers:	send: number of handles to pass (up to 65536); recv: capacity in entries,
 *			overwritten with the number received or, with EMSGSIZE, needed
 * @ptr_transfers:	struct bus1_transfer[n_transfers]
 * @n_data:		send: payload in bytes; recv: capacity in bytes, overwritten with the
 *			number received or, with EMSGSIZE, needed
 * @n_data_vecs:	number of iovecs, up to 1024
 * @ptr_data_vecs:	struct iovec[n_data_vecs], the caller's own layout of struct iovec
 */
struct bus1_message {
	__u64 flags;
	__u64 type;
	__u64 n_transfers;
	__u64 ptr_transfers;
	__u64 n_data;
	__u64 n_data_vecs;
	__u64 ptr_data_vecs;
} __attribute__((__aligned__(8)));

/**
 * struct bus1_cmd_transfer - argument of BUS1_CMD_TRANSFER
 * @flags:		0
 * @to:			file descriptor of the peer that gets the handles, BUS1_INVALID for the
 *			peer the command is called on
 * @n_transfers:	number of entries in both arrays, up to 65536
 * @ptr_src:		struct bus1_transfer[n_transfers], read and written
 * @ptr_dst:		struct bus1_transfer[n_transfers], written
 */
struct bus1_cmd_transfer {
	__u64 flags;
	__u64 to;
	__u64 n_transfers;
	__u64 ptr_src;
	__u64 ptr_dst;
} __attribute__((__aligned__(8)));

/**
 * struct bus1_cmd_release - argument of BUS1_CMD_RELEASE
 * @flags:	0
 * @n_ids:	number of IDs, up to 65536
 * @ptr_ids:	__u64[n_ids], IDs of nodes and handles of the calling peer
 */
struct bus1_cmd_release {
	__u64 flags;
	__u64 n_ids;
	__u64 ptr_ids;
} __attribute__((__aligned__(8)));

/**
 * struct bus1_cmd_send - argument of BUS1_CMD_SEND
 * @flags:		0
 * @n_destinations:	number of destinations, up to 65536
 * @ptr_destinations:	__u64[n_destinations], handles of the calling peer
 * @ptr_errors:		0 or __s32[n_destinations], set to 0 on success
 * @ptr_message:	struct bus1_message
 */
struct bus1_cmd_send {
	__u64 flags;
	__u64 n_destinations;
	__u64 ptr_destinations;
	__u64 ptr_errors;
	__u64 ptr_message;
} __attribute__((__aligned__(8)));

/**
 * struct bus1_cmd_recv - argument of BUS1_CMD_RECV
 * @flags:		0
 * @ptr_metadata:	struct bus1_metadata, written
 * @ptr_message:	struct bus1_message, read and written
 */
struct bus1_cmd_recv {
	__u64 flags;
	__u64 ptr_metadata;
	__u64 ptr_message;
} __attribute__((__aligned__(8)));

#define BUS1_CMD_TRANSFER	_IOWR(BUS1_IOCTL_MAGIC, 0x00, struct bus1_cmd_transfer)
#define BUS1_CMD_RELEASE	_IOWR(BUS1_IOCTL_MAGIC, 0x01, struct bus1_cmd_release)
#define BUS1_CMD_SEND		_IOWR(BUS1_IOCTL_MAGIC, 0x02, struct bus1_cmd_send)
#define BUS1_CMD_RECV		_IOWR(BUS1_IOCTL_MAGIC, 0x03, struct bus1_cmd_recv)

#endif /* _LINUX_BUS1_H */
