/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What differs between the supported kernels: one block for each feature, with what is missing and
 * since when upstream has it. Tests for the feature itself, because stable trees get backports.
 */
#ifndef B1_COMPAT_H
#define B1_COMPAT_H

#include <linux/file.h>

/* fd_file(), since 6.12: before, struct fd had a field for the file */
#ifndef fd_file
#define fd_file(_fd) ((_fd).file)
#endif

#endif /* B1_COMPAT_H */
