/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One directory, one file: what was created last is what vfs_accounts() shows. */
#ifndef FUZZ_DEBUGFS_H
#define FUZZ_DEBUGFS_H

#include <linux/fs.h>

struct dentry;

struct dentry *debugfs_create_dir(const char *name, struct dentry *parent);
struct dentry *debugfs_create_file(const char *name, umode_t mode, struct dentry *parent,
				   void *data, const struct file_operations *fops);
void debugfs_remove_recursive(struct dentry *dentry);

#endif /* FUZZ_DEBUGFS_H */
