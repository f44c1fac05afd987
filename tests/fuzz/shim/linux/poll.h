/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_POLL_H
#define FUZZ_POLL_H

#include_next <linux/poll.h>
#include <linux/fs.h>
#include <linux/wait.h>

struct poll_table_struct {
	wait_queue_head_t *wq;		/* what was registered with */
};

static inline void poll_wait(struct file *file, wait_queue_head_t *wq,
			     struct poll_table_struct *table)
{
	(void)file;
	table->wq = wq;
}

#endif /* FUZZ_POLL_H */
