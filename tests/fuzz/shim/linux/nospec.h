/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Nothing is secret here. */
#ifndef FUZZ_NOSPEC_H
#define FUZZ_NOSPEC_H

#define barrier_nospec() ((void)0)

#endif /* FUZZ_NOSPEC_H */
