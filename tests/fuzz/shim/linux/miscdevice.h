/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_MISCDEVICE_H
#define FUZZ_MISCDEVICE_H

#include <linux/fs.h>

#define MISC_DYNAMIC_MINOR 255

struct miscdevice {
	int minor;
	const char *name;
	const struct file_operations *fops;
	umode_t mode;
};

int misc_register(struct miscdevice *misc);
void misc_deregister(struct miscdevice *misc);

#endif /* FUZZ_MISCDEVICE_H */
