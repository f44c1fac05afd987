/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_SEQ_FILE_H
#define FUZZ_SEQ_FILE_H

#include <linux/fs.h>

struct seq_operations {
	void *(*start)(struct seq_file *seq, loff_t *pos);
	void *(*next)(struct seq_file *seq, void *record, loff_t *pos);
	void (*stop)(struct seq_file *seq, void *record);
	int (*show)(struct seq_file *seq, void *record);
};

struct seq_file {
	const struct seq_operations *op;
	void *private;
	size_t n;
	char text[65536];
};

struct user_namespace;

int seq_open_private(struct file *file, const struct seq_operations *ops, int size);
int seq_release_private(struct inode *inode, struct file *file);

/* what they do is what vfs_accounts() does */
#define seq_read NULL
#define seq_lseek NULL

void seq_printf(struct seq_file *seq, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static inline struct user_namespace *seq_user_ns(struct seq_file *seq)
{
	(void)seq;
	return NULL;
}

#endif /* FUZZ_SEQ_FILE_H */
