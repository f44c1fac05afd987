/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_FILE_H
#define FUZZ_FILE_H

#include <linux/fs.h>

struct fd {
	struct file *file;
};

struct fd fdget(unsigned int fd);
void fdput(struct fd fd);

#endif /* FUZZ_FILE_H */
