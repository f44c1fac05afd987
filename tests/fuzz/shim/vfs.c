// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/bug.h>
#include <linux/cred.h>
#include <linux/debugfs.h>
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/moduleparam.h>
#include <linux/poll.h>
#include <linux/seq_file.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "user.h"
#include "vfs.h"

unsigned int vfs_uid;
enum vfs_ns vfs_ns;
unsigned long vfs_kill_nth;
bool vfs_killed;
unsigned long vfs_memory = 16UL << 30;

static const struct file_operations vfs_other_fops;
static struct file vfs_other = { .f_op = &vfs_other_fops, .n_refs = 1 };
static struct file *vfs_fds[VFS_N_FDS] = { [VFS_OTHER] = &vfs_other };

static struct miscdevice *vfs_misc;
static const struct file_operations *vfs_accounts_fops;
static struct seq_file vfs_seq;
static int n_vfs_fdget;

/* What is being called: a file, anything else while nothing may be waited for, or NULL. */
static const void *vfs_called;
static const char vfs_stranger;
static struct {
	const void *mutex;
	const void *file;		/* that took it first */
} vfs_mutexes[2 * VFS_N_FDS];

void vfs_check_mutex(const void *mutex)
{
	unsigned int i, place = 0;

	if (!vfs_called)
		return;
	if (vfs_called == &vfs_stranger)
		shim_bug(__FILE__, __LINE__, "who only looks takes a mutex");
	for (i = 0; i < 2 * VFS_N_FDS; i++) {
		if (!vfs_mutexes[i].mutex)
			place = i;
		if (vfs_mutexes[i].mutex != mutex)
			continue;
		if (vfs_mutexes[i].file != vfs_called)
			shim_bug(__FILE__, __LINE__, "a mutex of another peer is taken");
		return;
	}
	if (vfs_mutexes[place].mutex)
		shim_bug(__FILE__, __LINE__, "peers have more than two mutexes each");
	vfs_mutexes[place].mutex = mutex;
	vfs_mutexes[place].file = vfs_called;
}

static void vfs_forget_mutexes(const struct file *file)
{
	unsigned int i;

	for (i = 0; i < 2 * VFS_N_FDS; i++) {
		if (vfs_mutexes[i].file == file)
			vfs_mutexes[i].mutex = vfs_mutexes[i].file = NULL;
	}
}

unsigned int vfs_map_uid(unsigned int uid)
{
	switch (vfs_ns) {
	case VFS_NS_SHIFTED:
		return uid + VFS_NS_SHIFT;
	case VFS_NS_PARTIAL:
		return uid % 2 ? -1 : uid;
	default:
		return uid;
	}
}

bool vfs_is_killed(void)
{
	if (vfs_kill_nth && !--vfs_kill_nth)
		vfs_killed = true;
	return vfs_killed;
}

/* What the module calls */

int misc_register(struct miscdevice *misc)
{
	WARN_ON(vfs_misc);
	if (shim_alloc_fails())
		return -ENOMEM;
	vfs_misc = misc;
	return 0;
}

void misc_deregister(struct miscdevice *misc)
{
	WARN_ON(vfs_misc != misc);
	vfs_misc = NULL;
}

struct dentry *debugfs_create_dir(const char *name, struct dentry *parent)
{
	(void)name;
	(void)parent;
	return NULL;
}

struct dentry *debugfs_create_file(const char *name, umode_t mode, struct dentry *parent,
				   void *data, const struct file_operations *fops)
{
	(void)name;
	(void)mode;
	(void)parent;
	(void)data;
	vfs_accounts_fops = fops;
	return NULL;
}

void debugfs_remove_recursive(struct dentry *dentry)
{
	(void)dentry;
	vfs_accounts_fops = NULL;
}

struct fd fdget(unsigned int fd)
{
	struct fd result = { fd < VFS_N_FDS ? vfs_fds[fd] : NULL };

	if (result.file) {
		result.file->n_refs++;
		n_vfs_fdget++;
	}
	return result;
}

void fdput(struct fd fd)
{
	if (!fd.file)
		return;
	WARN_ON(!--fd.file->n_refs);
	n_vfs_fdget--;
}

int nonseekable_open(struct inode *inode, struct file *file)
{
	(void)inode;
	(void)file;
	return 0;
}

long compat_ptr_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return file->f_op->unlocked_ioctl(file, cmd, (uint32_t)arg);
}

int seq_open_private(struct file *file, const struct seq_operations *ops, int size)
{
	file->private_data = &vfs_seq;
	vfs_seq.op = ops;
	vfs_seq.private = calloc(1, (size_t)size);
	return vfs_seq.private ? 0 : -ENOMEM;
}

int seq_release_private(struct inode *inode, struct file *file)
{
	(void)inode;
	(void)file;
	free(vfs_seq.private);
	return 0;
}

void seq_printf(struct seq_file *seq, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(seq->text + seq->n, sizeof(seq->text) - seq->n, format, args);
	va_end(args);
	WARN_ON(n < 0 || (size_t)n >= sizeof(seq->text) - seq->n);
	seq->n += (size_t)n;
}

/* What programs call */

static int vfs_set_param(const struct kernel_param *param, unsigned long value)
{
	char text[32];

	/* what an earlier load has left is not there in a kernel */
	*(unsigned long *)param->arg = 0;
	if (value == VFS_DEFAULT)
		return 0;
	sprintf(text, "%lu", value);
	return param->ops->set(text, param);
}

int vfs_set_param_text(const char *text)
{
	return vfs_param_max_objects.ops->set(text, &vfs_param_max_objects);
}

static unsigned long vfs_get_param(const struct kernel_param *param)
{
	char text[32];

	WARN_ON(param->ops->get(text, param) < 0);
	return strtoul(text, NULL, 10);
}

int vfs_load(unsigned long max_objects, unsigned long max_bytes)
{
	int ret;

	ret = vfs_set_param(&vfs_param_max_objects, max_objects);
	if (ret)
		return ret;
	ret = vfs_set_param(&vfs_param_max_bytes, max_bytes);
	return ret ?: vfs_module_init();
}

unsigned long vfs_max_objects(void)
{
	return vfs_get_param(&vfs_param_max_objects);
}

unsigned long vfs_max_bytes(void)
{
	return vfs_get_param(&vfs_param_max_bytes);
}

void vfs_unload(void)
{
	vfs_module_exit();
	WARN_ON(vfs_misc);
}

static int vfs_free_fd(void)
{
	int fd;

	for (fd = 0; fd < VFS_N_FDS; fd++) {
		if (!vfs_fds[fd])
			return fd;
	}
	return -EMFILE;
}

int vfs_open(void)
{
	int ret, fd = vfs_free_fd();
	struct file *file;

	if (fd < 0)
		return fd;
	file = calloc(1, sizeof(*file));
	if (!file)
		abort();
	file->f_op = vfs_misc->fops;
	file->n_refs = 1;
	ret = file->f_op->open(NULL, file);
	if (ret) {
		free(file);
		return ret;
	}
	vfs_fds[fd] = file;
	return fd;
}

int vfs_dup(int fd)
{
	int copy = vfs_free_fd();

	if (copy < 0)
		return copy;
	vfs_fds[copy] = vfs_fds[fd];
	vfs_fds[copy]->n_refs++;
	return copy;
}

bool vfs_is_last(int fd)
{
	return vfs_fds[fd]->n_refs == 1;
}

void vfs_close(int fd)
{
	struct file *file = vfs_fds[fd];

	vfs_fds[fd] = NULL;
	if (--file->n_refs)
		return;
	vfs_called = file;
	if (file->f_op->release(NULL, file))
		shim_bug(__FILE__, __LINE__, "a close fails");
	vfs_called = NULL;
	vfs_forget_mutexes(file);
	free(file);
}

long vfs_ioctl(int fd, unsigned int cmd, uint64_t arg, bool compat)
{
	struct file *file = vfs_fds[fd];
	long ret;

	user_compat = compat;
	user_lock = NULL;
	vfs_called = file;
	ret = (compat ? file->f_op->compat_ioctl : file->f_op->unlocked_ioctl)(file, cmd, arg);
	vfs_called = NULL;
	WARN_ON(shim_n_locked());
	WARN_ON(n_vfs_fdget);
	return ret;
}

unsigned int vfs_poll(int fd)
{
	struct file *file = vfs_fds[fd];
	struct poll_table_struct table = {};
	__poll_t mask;

	vfs_called = file;
	mask = file->f_op->poll(file, &table);
	vfs_called = NULL;
	WARN_ON(!table.wq);
	table.wq->n_sleepers = 1;
	file->wq = table.wq;
	return mask;
}

unsigned int vfs_n_wakes(int fd)
{
	return vfs_fds[fd]->wq->n_wakes;
}

const char *vfs_fdinfo(int fd)
{
	const void *called = vfs_called;
	struct file *file = vfs_fds[fd];

	vfs_seq.n = 0;
	vfs_called = &vfs_stranger;
	file->f_op->show_fdinfo(&vfs_seq, file);
	vfs_called = called;
	return vfs_seq.text;
}

const char *vfs_accounts(void)
{
	struct file file = { .f_op = vfs_accounts_fops };
	loff_t pos = 0;
	void *record;

	vfs_called = &vfs_stranger;
	if (file.f_op->open(NULL, &file))
		abort();
	vfs_seq.n = 0;
	vfs_seq.text[0] = '\0';
	record = vfs_seq.op->start(&vfs_seq, &pos);
	while (record) {
		WARN_ON(vfs_seq.op->show(&vfs_seq, record));
		record = vfs_seq.op->next(&vfs_seq, record, &pos);
		/* the buffer of the reader is full every now and then */
		if (pos % 3)
			continue;
		vfs_seq.op->stop(&vfs_seq, record);
		record = vfs_seq.op->start(&vfs_seq, &pos);
	}
	vfs_seq.op->stop(&vfs_seq, record);
	WARN_ON(file.f_op->release(NULL, &file));
	vfs_called = NULL;
	return vfs_seq.text;
}
