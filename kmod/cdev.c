// SPDX-License-Identifier: GPL-2.0-only
#include <linux/compat.h>
#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/user_namespace.h>
#include <linux/bus1.h>

#include "cdev.h"
#include "compat.h"
#include "debug.h"
#include "recv.h"
#include "relax.h"
#include "release.h"
#include "send.h"
#include "transfer.h"
#include "user.h"

/* most elements of any array but iovecs */
#define B1_CDEV_N_MAX 65536
/* arrays up to this many elements are kept on the stack */
#define B1_CDEV_N_STACK 8

static const struct file_operations b1_cdev_fops;

static void *b1_cdev_copy_large_array(u64 ptr, size_t n, size_t size)
{
	void *array = kvmalloc_array(n, size, B1_MESSAGE_GFP);

	if (!array)
		return ERR_PTR(-ENOMEM);
	if (access_ok(u64_to_user_ptr(ptr), n * size) &&
	    b1_user_read(array, u64_to_user_ptr(ptr), n * size))
		return array;
	kvfree(array);
	return ERR_PTR(-EFAULT);
}

/*
 * Copies an array of @n elements, to @stack if it fits there. A count of 0 never looks at the
 * pointer. The result is freed with b1_cdev_free_array().
 */
static __always_inline void *b1_cdev_copy_array(u64 ptr, size_t n, size_t size, void *stack)
{
	if (n > B1_CDEV_N_STACK)
		return b1_cdev_copy_large_array(ptr, n, size);
	/* no loop for what nearly always is all */
	if (likely(n == 1 ? b1_user_get(stack, u64_to_user_ptr(ptr), size) :
		   !n || b1_user_get_words(stack, u64_to_user_ptr(ptr), n * size / sizeof(u64))))
		return stack;
	return ERR_PTR(-EFAULT);
}

static void b1_cdev_free_array(void *array, void *stack)
{
	if (array != stack)
		kvfree(array);
}

/*
 * The user memory of a payload. Nearly always it is in one piece, and then is copied without an
 * iterator: that saves some 200 instructions of each send and of each receive.
 */
struct b1_cdev_buffer {
	size_t size;			/* of all pieces */
	void __user *piece;		/* the only one, or */
	bool many;			/* what comes next is used */
	struct iovec *vecs;
	struct iov_iter iter;
	struct iovec stack_vecs[UIO_FASTIOV];
};

static int b1_cdev_import_pieces(struct b1_cdev_buffer *buffer, int direction,
				 const struct bus1_message *message)
{
	ssize_t ret;

	buffer->many = true;
	buffer->vecs = buffer->stack_vecs;
	ret = import_iovec(direction, u64_to_user_ptr(message->ptr_data_vecs), message->n_data_vecs,
			   ARRAY_SIZE(buffer->stack_vecs), &buffer->vecs, &buffer->iter);
	if (ret < 0)
		return ret;
	buffer->size = ret;
	return 0;
}

/* On success to be freed with b1_cdev_free_buffer(). */
static __always_inline int b1_cdev_import_buffer(struct b1_cdev_buffer *buffer, int direction,
						 const struct bus1_message *message)
{
	struct iovec vec __uninitialized;

	if (message->n_data_vecs != 1 || in_compat_syscall())
		return b1_cdev_import_pieces(buffer, direction, message);
	buffer->many = false;
	if (!b1_user_get(&vec, u64_to_user_ptr(message->ptr_data_vecs), sizeof(vec)))
		return -EFAULT;
	if ((ssize_t)vec.iov_len < 0)
		return -EINVAL;
	/* no more is ever touched */
	buffer->size = min_t(size_t, vec.iov_len, MAX_RW_COUNT);
	buffer->piece = vec.iov_base;
	return access_ok(buffer->piece, buffer->size) ? 0 : -EFAULT;
}

static void b1_cdev_free_buffer(struct b1_cdev_buffer *buffer)
{
	/* NULL if it was the array on the stack that was used */
	if (buffer->many)
		kfree(buffer->vecs);
}

/* Several pieces, @n bytes in all; lets others run like b1_user_read(). */
static noinline bool b1_cdev_copy_from_pieces(void *to, struct iov_iter *iter, size_t n)
{
	size_t done, chunk;

	for (done = 0; done < n; done += chunk) {
		chunk = min_t(size_t, n - done, B1_USER_CHUNK);
		if (copy_from_iter(to + done, chunk, iter) != chunk)
			return false;
		cond_resched();
	}
	return true;
}

static noinline bool b1_cdev_copy_to_pieces(struct iov_iter *iter, const void *from, size_t n)
{
	size_t done, chunk;

	for (done = 0; done < n; done += chunk) {
		chunk = min_t(size_t, n - done, B1_USER_CHUNK);
		if (copy_to_iter(from + done, chunk, iter) != chunk)
			return false;
		cond_resched();
	}
	return true;
}

/* The first @n bytes, of those there are, to a place for @size. */
static __always_inline bool b1_cdev_copy_from_buffer(void *to, size_t size,
						     struct b1_cdev_buffer *buffer, size_t n)
{
	if (WARN_ON_ONCE(n > size))
		return false;
	if (buffer->many)
		return b1_cdev_copy_from_pieces(to, &buffer->iter, n);
	return b1_user_read(to, buffer->piece, n);
}

static __always_inline bool b1_cdev_copy_to_buffer(struct b1_cdev_buffer *buffer, const void *from,
						   size_t size, size_t n)
{
	if (WARN_ON_ONCE(n > size))
		return false;
	if (buffer->many)
		return b1_cdev_copy_to_pieces(&buffer->iter, from, n);
	return b1_user_write(buffer->piece, from, n);
}

/* BUS1_CMD_TRANSFER */

static int b1_cdev_check_sources(const struct bus1_transfer *sources, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (sources[i].flags & ~BUS1_TRANSFER_FLAG_CREATE)
			return -EINVAL;
		if (sources[i].flags && sources[i].id != BUS1_INVALID)
			return -EINVAL;
		b1_relax(i);
	}
	return 0;
}

/* Sources are written back only where a node was created: the others may be constants. */
static int b1_cdev_write_slots(const struct bus1_cmd_transfer *cmd,
			       const struct b1_transfer_slot *slots)
{
	struct bus1_transfer __user *src = u64_to_user_ptr(cmd->ptr_src);
	struct bus1_transfer __user *dst = u64_to_user_ptr(cmd->ptr_dst);
	struct bus1_transfer transfer = {};
	size_t i;

	for (i = 0; i < cmd->n_transfers; i++) {
		if (slots[i].node) {
			transfer.id = slots[i].node->obj.id;
			if (!b1_user_put(&src[i], &transfer, sizeof(transfer)))
				return -EFAULT;
		}
		transfer.id = slots[i].handle->obj.id;
		if (!b1_user_put(&dst[i], &transfer, sizeof(transfer)))
			return -EFAULT;
		b1_relax(i);
	}
	return 0;
}

static int b1_cdev_transfer_locked(struct b1_peer *from, struct b1_peer *to,
				   const struct bus1_cmd_transfer *cmd,
				   const struct bus1_transfer *sources,
				   struct b1_transfer_slot *slots)
{
	int ret;

	ret = b1_transfer_prepare(from, to, sources, slots, cmd->n_transfers);
	if (ret)
		return ret;
	ret = b1_cdev_write_slots(cmd, slots);
	if (ret)
		b1_transfer_abort(slots, cmd->n_transfers);
	else
		b1_transfer_commit(to, slots, cmd->n_transfers);
	return ret;
}

static int b1_cdev_transfer_arrays(struct b1_peer *from, struct b1_peer *to,
				   const struct bus1_cmd_transfer *cmd)
{
	struct b1_transfer_slot stack_slots[B1_CDEV_N_STACK] = {}, *slots = stack_slots;
	struct bus1_transfer stack_sources[B1_CDEV_N_STACK] __uninitialized, *sources;
	int ret;

	if (cmd->n_transfers > B1_CDEV_N_MAX)
		return -E2BIG;
	sources = b1_cdev_copy_array(cmd->ptr_src, cmd->n_transfers, sizeof(*sources),
				     stack_sources);
	if (IS_ERR(sources))
		return PTR_ERR(sources);
	ret = b1_cdev_check_sources(sources, cmd->n_transfers);
	if (ret)
		goto free_sources;
	if (cmd->n_transfers > B1_CDEV_N_STACK) {
		slots = kvcalloc(cmd->n_transfers, sizeof(*slots), B1_MESSAGE_GFP);
		if (!slots) {
			ret = -ENOMEM;
			goto free_sources;
		}
	}
	ret = mutex_lock_killable(&from->lock);
	if (!ret) {
		ret = b1_cdev_transfer_locked(from, to, cmd, sources, slots);
		mutex_unlock(&from->lock);
	}
	b1_cdev_free_array(slots, stack_slots);
free_sources:
	b1_cdev_free_array(sources, stack_sources);
	return ret;
}

static noinline int b1_cdev_transfer(struct b1_peer *peer, void __user *arg)
{
	struct bus1_cmd_transfer cmd __uninitialized;
	struct fd to;
	int ret;

	if (!b1_user_get(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (cmd.flags)
		return -EINVAL;
	if (cmd.to == BUS1_INVALID)
		return b1_cdev_transfer_arrays(peer, peer, &cmd);
	if (cmd.to > INT_MAX)
		return -EBADF;

	to = fdget(cmd.to);
	if (!fd_file(to))
		return -EBADF;
	if (fd_file(to)->f_op != &b1_cdev_fops)
		ret = -EOPNOTSUPP;
	else
		ret = b1_cdev_transfer_arrays(peer, fd_file(to)->private_data, &cmd);
	fdput(to);
	return ret;
}

/* BUS1_CMD_RELEASE */

/*
 * Collects all objects, a few IDs at a time because a release allocates nothing. After an ID that
 * is wrong the rest of the array must still be readable.
 */
static int b1_cdev_collect(struct b1_release *release, const struct bus1_cmd_release *cmd)
{
	u64 __user *user_ids = u64_to_user_ptr(cmd->ptr_ids);
	u64 ids[4 * B1_CDEV_N_STACK] __uninitialized;
	size_t n, done;
	int ret = 0;

	for (done = 0; done < cmd->n_ids; done += n) {
		n = min_t(size_t, cmd->n_ids - done, ARRAY_SIZE(ids));
		if (!b1_user_get_words(ids, user_ids + done, n))
			return -EFAULT;
		if (!ret)
			ret = b1_release_collect(release, ids, n);
		if (n == ARRAY_SIZE(ids))
			cond_resched();
	}
	return ret;
}

static noinline int b1_cdev_release_ids(struct b1_peer *peer, void __user *arg)
{
	struct bus1_cmd_release cmd __uninitialized;
	struct b1_release release;
	int ret;

	if (!b1_user_get(&cmd, arg, sizeof(cmd)))
		return -EFAULT;
	if (cmd.flags)
		return -EINVAL;
	if (cmd.n_ids > B1_CDEV_N_MAX)
		return -E2BIG;

	ret = mutex_lock_killable(&peer->lock);
	if (ret)
		return ret;
	b1_release_init(&release, peer);
	ret = b1_cdev_collect(&release, &cmd) ?: b1_release_prepare(&release);
	if (ret)
		b1_release_abort(&release);
	else
		b1_release_commit(&release);
	mutex_unlock(&peer->lock);
	return ret;
}

/* BUS1_CMD_SEND */

static int b1_cdev_check_send(const struct bus1_cmd_send *cmd, const struct bus1_message *message)
{
	if (message->flags || message->type != BUS1_MESSAGE_TYPE_USER)
		return -EINVAL;
	if (cmd->n_destinations > B1_CDEV_N_MAX || message->n_transfers > B1_CDEV_N_MAX)
		return -E2BIG;
	if (message->n_data > MAX_RW_COUNT)
		return -EMSGSIZE;
	if (message->n_data_vecs > UIO_MAXIOV)
		return -EINVAL;
	return 0;
}

static noinline bool b1_cdev_many_have_flags(const struct bus1_transfer *transfers, size_t n)
{
	u64 flags = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		flags |= transfers[i].flags;
		b1_relax(i);
	}
	return flags;
}

/* At least one element. Most often there are few, and no others to let run. */
static __always_inline bool b1_cdev_have_flags(const struct bus1_transfer *transfers, size_t n)
{
	if (n > B1_CDEV_N_STACK)
		return b1_cdev_many_have_flags(transfers, n);
	do {
		if (transfers[--n].flags)
			return true;
	} while (n);
	return false;
}

/* What a send has copied from user space. */
struct b1_cdev_send {
	struct b1_send_request request;
	struct b1_cdev_buffer payload;
};

/* All are 0. */
static int b1_cdev_write_errors(const struct bus1_cmd_send *cmd)
{
	char __user *errors = u64_to_user_ptr(cmd->ptr_errors);
	size_t size = cmd->n_destinations * sizeof(s32), done, n;

	for (done = 0; done < size; done += n) {
		n = min_t(size_t, size - done, B1_USER_CHUNK);
		if (clear_user(errors + done, n))
			return -EFAULT;
		cond_resched();
	}
	return 0;
}

static __always_inline int b1_cdev_send_locked(struct b1_send *send, struct b1_cdev_send *args)
{
	size_t n_data = args->request.message.n_data;
	int ret;

	ret = b1_send_prepare(send, &args->request);
	if (ret)
		return ret;
	if (send->data && n_data &&
	    !b1_cdev_copy_from_buffer(send->data, send->data_size, &args->payload, n_data))
		return -EFAULT;
	if (args->request.cmd.ptr_errors && b1_cdev_write_errors(&args->request.cmd))
		return -EFAULT;
	b1_send_commit(send);
	return 0;
}

static __always_inline int b1_cdev_send_buffer(struct b1_peer *peer, struct b1_cdev_send *args)
{
	struct b1_send send __uninitialized;
	int ret;

	if (args->payload.size < args->request.message.n_data)
		return -EMSGSIZE;
	if (unlikely(args->request.message.n_transfers) &&
	    b1_cdev_have_flags(args->request.transfers, args->request.message.n_transfers))
		return -EINVAL;
	ret = mutex_lock_killable(&peer->lock);
	if (ret)
		return ret;
	b1_send_init(&send, peer);
	ret = b1_cdev_send_locked(&send, args);
	b1_send_deinit(&send);
	mutex_unlock(&peer->lock);
	return ret;
}

static __always_inline int b1_cdev_send_message(struct b1_peer *peer, struct b1_cdev_send *args)
{
	struct bus1_transfer stack_transfers[B1_CDEV_N_STACK] __uninitialized, *transfers;
	u64 stack_destinations[B1_CDEV_N_STACK] __uninitialized, *destinations;
	const struct bus1_message *message = &args->request.message;
	const struct bus1_cmd_send *cmd = &args->request.cmd;
	int ret;

	transfers = b1_cdev_copy_array(message->ptr_transfers, message->n_transfers,
				       sizeof(*transfers), stack_transfers);
	if (IS_ERR(transfers))
		return PTR_ERR(transfers);
	destinations = b1_cdev_copy_array(cmd->ptr_destinations, cmd->n_destinations,
					  sizeof(*destinations), stack_destinations);
	if (IS_ERR(destinations)) {
		ret = PTR_ERR(destinations);
		goto free_transfers;
	}
	ret = b1_cdev_import_buffer(&args->payload, ITER_SOURCE, message);
	if (ret)
		goto free_destinations;
	args->request.destinations = destinations;
	args->request.transfers = transfers;
	ret = b1_cdev_send_buffer(peer, args);
	b1_cdev_free_buffer(&args->payload);
free_destinations:
	b1_cdev_free_array(destinations, stack_destinations);
free_transfers:
	b1_cdev_free_array(transfers, stack_transfers);
	return ret;
}

static noinline int b1_cdev_send(struct b1_peer *peer, void __user *arg)
{
	struct b1_cdev_send args __uninitialized;
	struct bus1_message *message = &args.request.message;
	struct bus1_cmd_send *cmd = &args.request.cmd;
	int ret;

	if (!b1_user_get(cmd, arg, sizeof(*cmd)))
		return -EFAULT;
	if (cmd->flags)
		return -EINVAL;
	if (!b1_user_get(message, u64_to_user_ptr(cmd->ptr_message), sizeof(*message)))
		return -EFAULT;
	ret = b1_cdev_check_send(cmd, message);
	if (ret)
		return ret;
	return b1_cdev_send_message(peer, &args);
}

/* BUS1_CMD_RECV */

/* What a receive has copied from user space. */
struct b1_cdev_recv {
	struct bus1_cmd_recv cmd;
	struct bus1_message request;
	struct b1_cdev_buffer data;
};

/* The UID as the caller knows it, -1 if it does not. What nearly always maps to itself needs no search. */
static uid_t b1_cdev_map_account(kuid_t account)
{
	struct user_namespace *ns = current_user_ns();

	return ns == &init_user_ns ? __kuid_val(account) : from_kuid(ns, account);
}

static __always_inline int b1_cdev_write_metadata(const struct b1_cdev_recv *args,
						  const struct b1_recv *recv)
{
	const struct b1_message *message = recv->message;
	uid_t uid = message ? b1_cdev_map_account(message->account) : (uid_t)-1;
	const struct bus1_metadata metadata = {
		.id = recv->id,
		.account = uid == (uid_t)-1 ? BUS1_INVALID : uid,
	};

	if (!b1_user_put(u64_to_user_ptr(args->cmd.ptr_metadata), &metadata, sizeof(metadata)))
		return -EFAULT;
	return 0;
}

/*
 * What the next entry is, and what it needs; it stays in the queue. By value: so @recv is in registers
 * where this is not called.
 */
static noinline int b1_cdev_write_size(const struct b1_cdev_recv *args, const struct b1_recv recv)
{
	struct bus1_message __user *user_message = u64_to_user_ptr(args->cmd.ptr_message);

	if (b1_cdev_write_metadata(args, &recv) ||
	    put_user(recv.n_handles, &user_message->n_transfers) ||
	    put_user(recv.n_data, &user_message->n_data))
		return -EFAULT;
	return -EMSGSIZE;
}

static __always_inline int b1_cdev_write_message(const struct b1_cdev_recv *args,
						 const struct b1_recv *recv)
{
	struct bus1_message __user *user_message = u64_to_user_ptr(args->cmd.ptr_message);

	might_fault();
	if (should_fail_usercopy() ||
	    !user_write_access_begin(user_message, sizeof(*user_message)))
		return -EFAULT;
	unsafe_put_user(recv->entry->type, &user_message->type, fault);
	unsafe_put_user(recv->n_handles, &user_message->n_transfers, fault);
	unsafe_put_user(recv->n_data, &user_message->n_data, fault);
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

/* Some handles of a message, from @first on. */
static int b1_cdev_write_some(struct bus1_transfer __user *user_transfers,
			      const struct b1_message *message, size_t first, size_t n)
{
	size_t i;

	might_fault();
	if (should_fail_usercopy() ||
	    !user_write_access_begin(user_transfers + first, n * sizeof(*user_transfers)))
		return -EFAULT;
	for (i = first; i < first + n; i++) {
		unsafe_put_user(0, &user_transfers[i].flags, fault);
		unsafe_put_user(message->handles[i]->obj.id, &user_transfers[i].id, fault);
	}
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

static int b1_cdev_write_handles(u64 ptr, const struct b1_message *message)
{
	size_t i, n;
	int ret;

	/* nothing reschedules by itself while user memory is accessible */
	for (i = 0; i < message->n_handles; i += n) {
		n = min_t(size_t, message->n_handles - i, B1_RELAX_BATCH);
		ret = b1_cdev_write_some(u64_to_user_ptr(ptr), message, i, n);
		if (ret)
			return ret;
		b1_relax(i + n - 1);
	}
	return 0;
}

/* All outputs. */
static __always_inline int b1_cdev_write_entry(struct b1_cdev_recv *args,
					       const struct b1_recv *recv)
{
	if (recv->n_handles &&
	    b1_cdev_write_handles(args->request.ptr_transfers, recv->message))
		return -EFAULT;
	if (recv->n_data &&
	    !b1_cdev_copy_to_buffer(&args->data, recv->message->data, recv->message->data_size,
				    recv->n_data))
		return -EFAULT;
	return b1_cdev_write_metadata(args, recv) ?: b1_cdev_write_message(args, recv);
}

static __always_inline int b1_cdev_recv_locked(struct b1_peer *peer, struct b1_cdev_recv *args)
{
	struct b1_recv recv;
	int ret;

	ret = b1_recv_peek(&recv, peer);
	if (ret)
		return ret;
	ret = b1_cdev_import_buffer(&args->data, ITER_DEST, &args->request);
	if (ret)
		return ret;
	if (recv.n_handles > args->request.n_transfers ||
	    recv.n_data > min_t(u64, args->request.n_data, args->data.size)) {
		ret = b1_cdev_write_size(args, recv);
	} else {
		b1_recv_prepare(&recv);
		ret = b1_cdev_write_entry(args, &recv) ?: b1_recv_commit(&recv);
		if (ret)
			b1_recv_abort(&recv);
	}
	b1_cdev_free_buffer(&args->data);
	return ret;
}

static noinline int b1_cdev_recv(struct b1_peer *peer, void __user *arg)
{
	struct b1_cdev_recv args __uninitialized;
	struct bus1_message *request = &args.request;
	int ret;

	if (!b1_user_get(&args.cmd, arg, sizeof(args.cmd)))
		return -EFAULT;
	if (args.cmd.flags)
		return -EINVAL;
	if (!b1_user_get(request, u64_to_user_ptr(args.cmd.ptr_message), sizeof(*request)))
		return -EFAULT;
	if (request->flags || request->type != BUS1_INVALID || request->n_data_vecs > UIO_MAXIOV)
		return -EINVAL;

	ret = mutex_lock_killable(&peer->lock);
	if (ret)
		return ret;
	ret = b1_cdev_recv_locked(peer, &args);
	mutex_unlock(&peer->lock);
	return ret;
}

/* File operations */

static long b1_cdev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *user_arg = (void __user *)arg;
	struct b1_peer *peer = file->private_data;

	switch (cmd) {
	case BUS1_CMD_TRANSFER:
		return b1_cdev_transfer(peer, user_arg);
	case BUS1_CMD_RELEASE:
		return b1_cdev_release_ids(peer, user_arg);
	case BUS1_CMD_SEND:
		return b1_cdev_send(peer, user_arg);
	case BUS1_CMD_RECV:
		return b1_cdev_recv(peer, user_arg);
	default:
		return -ENOTTY;
	}
}

static __poll_t b1_cdev_poll(struct file *file, struct poll_table_struct *wait)
{
	struct b1_peer *peer = file->private_data;
	__poll_t mask = EPOLLOUT | EPOLLWRNORM;

	/* first register, then look: see "Ordering" in the header */
	poll_wait(file, &peer->wq, wait);
	/* also if the caller is being killed: what it polls for others must not be lost for them */
	if (b1_recv_ready(peer))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static int b1_cdev_open(struct inode *inode, struct file *file)
{
	struct b1_peer *peer;
	int ret;

	ret = b1_peer_new(current_euid(), &peer);
	if (ret)
		return ret;
	file->private_data = peer;
	return nonseekable_open(inode, file);
}

static int b1_cdev_release(struct inode *inode, struct file *file)
{
	struct b1_peer *peer = file->private_data;

	b1_release_close(peer);
	b1_peer_unref(peer);
	return 0;
}

static void b1_cdev_show_fdinfo(struct seq_file *seq, struct file *file)
{
	b1_debug_show_peer(seq, file->private_data);
}

static const struct file_operations b1_cdev_fops = {
	.owner = THIS_MODULE,
	.open = b1_cdev_open,
	.release = b1_cdev_release,
	.poll = b1_cdev_poll,
	.unlocked_ioctl = b1_cdev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.show_fdinfo = b1_cdev_show_fdinfo,
};

static struct miscdevice b1_cdev_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bus1",
	.fops = &b1_cdev_fops,
	.mode = 0666,
};

/**
 * b1_cdev_init() - register /dev/bus1
 *
 * Return: 0, or a negative errno value.
 */
int b1_cdev_init(void)
{
	return misc_register(&b1_cdev_misc);
}

/**
 * b1_cdev_exit() - unregister /dev/bus1
 */
void b1_cdev_exit(void)
{
	misc_deregister(&b1_cdev_misc);
}
