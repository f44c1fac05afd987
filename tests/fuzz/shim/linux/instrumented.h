/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The copies of the simulation are checked by the compiler. */
#ifndef FUZZ_INSTRUMENTED_H
#define FUZZ_INSTRUMENTED_H

#define instrument_copy_from_user_before(_to, _from, _n) ((void)0)
#define instrument_copy_from_user_after(_to, _from, _n, _left) ((void)0)
#define instrument_copy_to_user(_to, _from, _n) ((void)0)

#endif /* FUZZ_INSTRUMENTED_H */
