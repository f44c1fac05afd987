/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * user: a simulated address space for the commands under test
 *
 * Addresses are numbers; three stretches of them are mapped:
 *
 *	window	small, freely readable and writable: where nearly everything happens
 *	big	two megabytes of zeroes, for arrays with tens of thousands of elements
 *	pattern	read-only, the same 64 bytes again and again: such arrays at no cost
 *
 * Parts of them can be made unreadable or unwritable, to the byte (user_deny()), and the n-th copy
 * can be made to fail, whatever it is about (user_fail_nth).
 *
 * There are two spaces of this kind: the one that the module uses, and a copy for the reference,
 * so that all that was written can be compared.
 */
#ifndef FUZZ_USER_H
#define FUZZ_USER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USER_WINDOW 0x10000ULL
#define USER_WINDOW_SIZE 0x4000ULL
#define USER_BIG 0x20000000ULL
#define USER_BIG_SIZE 0x200000ULL
#define USER_PATTERN 0x40000000ULL
#define USER_PATTERN_SIZE 0x400000ULL
#define USER_PATTERN_PERIOD 64
/* nothing above this belongs to user space */
#define USER_LIMIT (1ULL << 47)

#define USER_READ 1
#define USER_WRITE 2

struct user_space {
	uint8_t window[USER_WINDOW_SIZE];
	uint8_t *big;
	size_t big_end;			/* nothing has been written behind this */
};

struct shim_lock;

extern struct user_space user_space;
extern uint8_t user_pattern[USER_PATTERN_PERIOD];
/* The copy that fails, counted from 1; 0: none. Counts down. */
extern unsigned long user_fail_nth;
/* While set, what has been read turns into something else, so that a second read goes wrong. */
extern bool user_flip;
/* Pointers and iovecs are those of a 32-bit program. */
extern bool user_compat;
/* Called at each access: what others do while the caller sleeps in a page fault. */
extern void (*user_hook)(void);
/* Bytes that were accessed since others could run. */
extern size_t user_n_since_resched;
/* The lock that may be held while user memory is touched. */
extern const struct shim_lock *user_lock;

/* What the module wrote since user_begin(), in that order. */
struct user_write {
	uint64_t addr;
	size_t n;
	size_t at;			/* in user_written_bytes */
	bool seen;			/* for who reads this */
};

extern struct user_write *user_writes;
extern size_t n_user_writes;
extern uint8_t *user_written_bytes;

void user_begin(void);
void user_end(void);

void user_deny(uint64_t start, uint64_t n, unsigned int access);
void user_allow_all(void);

bool user_can(uint64_t addr, uint64_t n, unsigned int access);
bool user_is_below_limit(uint64_t addr, uint64_t n);

/* Return: how many bytes could be copied */
size_t user_read(const struct user_space *space, uint64_t addr, void *to, size_t n);
size_t user_write(struct user_space *space, uint64_t addr, const void *from, size_t n);

/* Makes a part of @to what it is in @from, as far as it exists. */
void user_adopt(struct user_space *to, const struct user_space *from, uint64_t addr, uint64_t n);

void user_space_init(struct user_space *space);
void user_space_copy(struct user_space *to, const struct user_space *from);
void user_space_clear(struct user_space *space);

#endif /* FUZZ_USER_H */
