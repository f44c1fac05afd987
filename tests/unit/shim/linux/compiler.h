/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_COMPILER_H
#define SHIM_COMPILER_H

#define likely(_x) __builtin_expect(!!(_x), 1)
#define unlikely(_x) __builtin_expect(!!(_x), 0)

/* relaxed atomics: marked accesses for the compiler and for the thread sanitizer */
#define READ_ONCE(_x) __atomic_load_n(&(_x), __ATOMIC_RELAXED)
#define WRITE_ONCE(_x, _v) __atomic_store_n(&(_x), (_v), __ATOMIC_RELAXED)

/* all options of the module are off */
#define IS_ENABLED(_option) 0

#endif /* SHIM_COMPILER_H */
