/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * User memory
 *
 * Purpose: copies between user memory and what is known here to be large enough. Included by cdev.c only.
 *
 * The kernel's copy_from_user() and copy_to_user() are calls, which find out which object the kernel's
 * side belongs to and how long that is. A send and a receive copy eight structs and two payloads; to
 * do without these calls takes some 800 of 3000 instructions less (tests/bench/NOTES.md). What makes ours
 * safe: structs and short arrays are copied word by word in sections that user_read_access_begin() or
 * user_write_access_begin() has opened, so the range is checked, and the kernel's side is of constant
 * size or bounded by the caller. Payloads follow access_ok() and barrier_nospec(), and their callers check
 * the room. Sanitizers and fault injection see all of it.
 *
 * Context: may fault, so may sleep; a copy of more than B1_USER_CHUNK lets others run in between.
 */
#ifndef B1_USER_H
#define B1_USER_H

#include <linux/build_bug.h>
#include <linux/fault-inject-usercopy.h>
#include <linux/instrumented.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/types.h>
#include <linux/uaccess.h>

/* most bytes that are copied in one go */
#define B1_USER_CHUNK SZ_64K

/*
 * clang unrolls what is short and of known length by itself, and takes the request to unroll anything
 * else for an error.
 */
#ifdef __clang__
#define B1_USER_UNROLL
#else
#define B1_USER_UNROLL _Pragma("GCC unroll 8")
#endif

/* A struct: @size is a constant multiple of 8. */
static __always_inline bool b1_user_get(void *to, const void __user *from, size_t size)
{
	const u64 __user *src = from;
	u64 *dst = to;
	size_t i;

	BUILD_BUG_ON(!__builtin_constant_p(size) || size % sizeof(u64));
	might_fault();
	if (should_fail_usercopy() || !user_read_access_begin(src, size))
		return false;
	B1_USER_UNROLL
	for (i = 0; i < size / sizeof(u64); i++)
		unsafe_get_user(dst[i], &src[i], fault);
	user_read_access_end();
	return true;
fault:
	user_read_access_end();
	return false;
}

static __always_inline bool b1_user_put(void __user *to, const void *from, size_t size)
{
	const u64 *src = from;
	u64 __user *dst = to;
	size_t i;

	BUILD_BUG_ON(!__builtin_constant_p(size) || size % sizeof(u64));
	might_fault();
	if (should_fail_usercopy() || !user_write_access_begin(dst, size))
		return false;
	B1_USER_UNROLL
	for (i = 0; i < size / sizeof(u64); i++)
		unsafe_put_user(src[i], &dst[i], fault);
	user_write_access_end();
	return true;
fault:
	user_write_access_end();
	return false;
}

/* A short array of @n words, some dozens at most: nothing reschedules while user memory is open. */
static __always_inline bool b1_user_get_words(u64 *to, const u64 __user *from, size_t n)
{
	size_t i;

	might_fault();
	if (should_fail_usercopy() || !user_read_access_begin(from, n * sizeof(*from)))
		return false;
	B1_USER_UNROLL
	for (i = 0; i < n; i++)
		unsafe_get_user(to[i], &from[i], fault);
	user_read_access_end();
	return true;
fault:
	user_read_access_end();
	return false;
}

/* @n bytes of user memory that access_ok() has been called for. */
static __always_inline bool b1_user_read_chunk(void *to, const void __user *from, size_t n)
{
	size_t left;

	might_fault();
	if (should_fail_usercopy())
		return false;
	/* no speculation past access_ok() */
	barrier_nospec();
	instrument_copy_from_user_before(to, from, n);
	left = raw_copy_from_user(to, from, n);
	instrument_copy_from_user_after(to, from, n, left);
	return !left;
}

static __always_inline bool b1_user_write_chunk(void __user *to, const void *from, size_t n)
{
	might_fault();
	if (should_fail_usercopy())
		return false;
	instrument_copy_to_user(to, from, n);
	return !raw_copy_to_user(to, from, n);
}

/* The rest of a copy that is too long for one go. */
static noinline bool b1_user_read_long(void *to, const void __user *from, size_t n)
{
	size_t done, chunk;

	for (done = 0; done < n; done += chunk) {
		chunk = min_t(size_t, n - done, B1_USER_CHUNK);
		if (!b1_user_read_chunk(to + done, from + done, chunk))
			return false;
		cond_resched();
	}
	return true;
}

static noinline bool b1_user_write_long(void __user *to, const void *from, size_t n)
{
	size_t done, chunk;

	for (done = 0; done < n; done += chunk) {
		chunk = min_t(size_t, n - done, B1_USER_CHUNK);
		if (!b1_user_write_chunk(to + done, from + done, chunk))
			return false;
		cond_resched();
	}
	return true;
}

/* Any number of bytes of user memory that access_ok() has been called for. */
static __always_inline bool b1_user_read(void *to, const void __user *from, size_t n)
{
	return likely(n <= B1_USER_CHUNK) ? b1_user_read_chunk(to, from, n) :
					    b1_user_read_long(to, from, n);
}

static __always_inline bool b1_user_write(void __user *to, const void *from, size_t n)
{
	return likely(n <= B1_USER_CHUNK) ? b1_user_write_chunk(to, from, n) :
					    b1_user_write_long(to, from, n);
}

#endif /* B1_USER_H */
