/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Some conditions are constants only if code is inlined as in the kernel. */
#ifndef FUZZ_BUILD_BUG_H
#define FUZZ_BUILD_BUG_H

#define BUILD_BUG_ON(_condition) ((void)0)

#endif /* FUZZ_BUILD_BUG_H */
