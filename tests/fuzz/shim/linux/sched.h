/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The n-th look for a fatal signal finds one, if the fuzzer wants that. */
#ifndef FUZZ_SCHED_H
#define FUZZ_SCHED_H

#include_next <linux/sched.h>

#include "../vfs.h"

#define fatal_signal_pending(_task) ((void)(_task), vfs_is_killed())

#endif /* FUZZ_SCHED_H */
