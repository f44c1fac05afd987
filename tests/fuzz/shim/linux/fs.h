/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_FS_H
#define FUZZ_FS_H

#include <linux/types.h>

typedef unsigned short umode_t;

struct inode;
struct module;
struct poll_table_struct;
struct seq_file;
struct file;

struct file_operations {
	struct module *owner;
	int (*open)(struct inode *inode, struct file *file);
	int (*release)(struct inode *inode, struct file *file);
	__poll_t (*poll)(struct file *file, struct poll_table_struct *wait);
	long (*unlocked_ioctl)(struct file *file, unsigned int cmd, unsigned long arg);
	long (*compat_ioctl)(struct file *file, unsigned int cmd, unsigned long arg);
	void (*show_fdinfo)(struct seq_file *seq, struct file *file);
	const void *read, *llseek;	/* not called, see seq_file.h */
};

struct file {
	const struct file_operations *f_op;
	void *private_data;
	unsigned int n_refs;
	struct wait_queue_head *wq;	/* as of the last poll */
};

int nonseekable_open(struct inode *inode, struct file *file);
long compat_ptr_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

#endif /* FUZZ_FS_H */
