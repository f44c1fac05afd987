/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef SHIM_COMPILER_H
#define SHIM_COMPILER_H

#define likely(_x) __builtin_expect(!!(_x), 1)
#define unlikely(_x) __builtin_expect(!!(_x), 0)
#define noinline __attribute__((__noinline__))

/* relaxed atomics: marked accesses for the compiler and for the thread sanitizer */
#define READ_ONCE(_x) __atomic_load_n(&(_x), __ATOMIC_RELAXED)
#define WRITE_ONCE(_x, _v) __atomic_store_n(&(_x), (_v), __ATOMIC_RELAXED)

/* an access that may race, and does no harm */
#define data_race(_expression) (_expression)

/* options of the module, which are off, and of the kernel */
#define IS_ENABLED(_option) SHIM_ENABLED_##_option
#define SHIM_ENABLED_B1_ACCT_OFF 0
#define SHIM_ENABLED_CONFIG_KMSAN 0
/* AddressSanitizer is to see each use of what was freed */
#if defined(__SANITIZE_ADDRESS__)
#define SHIM_ENABLED_CONFIG_KASAN 1
#elif defined(__has_feature)
#define SHIM_ENABLED_CONFIG_KASAN __has_feature(address_sanitizer)
#else
#define SHIM_ENABLED_CONFIG_KASAN 0
#endif

#endif /* SHIM_COMPILER_H */
