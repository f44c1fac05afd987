// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Plain accesses: a build of its own, in which the compiler reports each of them
 *
 * The scheduler switches only at events, so it takes for granted that plain accesses are ordered by
 * these. Here that is checked, in each execution: two accesses to the same byte by two threads, at
 * least one of which writes and at least one of which is plain, are a race, unless what the threads
 * did in between orders them: a lock, a release and the acquire that follows, a reference count.
 * Free is a write. If no execution has a race, a switch between two events could not show anything
 * that a switch at an event does not, because no plain access is seen by others.
 *
 * kmod/ is compiled with -fsanitize=thread, but not linked with its runtime: this is another one.
 * Memory that is not allocated, and accesses while setting up and cleaning up, are left out.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

#define N_WORDS (64 * 1024)
#define N_CELLS 65536
#define N_SYNCS 8192

typedef uint32_t race_clock[IL_MAX_THREADS];

static race_clock clocks[IL_MAX_THREADS];

/* What the last release of an address knew. */
static struct sync {
	const volatile void *addr;
	uint64_t run;
	race_clock clock;
} syncs[N_SYNCS];

/* The last accesses of each thread, and where they were. */
struct access {
	uint32_t at;			/* the clock of the thread, 0: none */
	const void *where;
};

enum { PLAIN_READ, MARKED_READ, PLAIN_WRITE, MARKED_WRITE, N_ACCESSES };

struct cell {
	struct access last[N_ACCESSES][IL_MAX_THREADS];
};

/* Cells of the accesses that begin in a word: fields do not overlap. */
static struct word {
	uint64_t run;
	uint16_t cells[8];		/* 0: none */
} words[N_WORDS];

static struct cell cells[N_CELLS];
static unsigned int n_cells;

void race_begin(void)
{
	unsigned int i;

	n_cells = 0;
	memset(clocks, 0, sizeof(clocks));
	for (i = 0; i < IL_MAX_THREADS; i++)
		clocks[i][i] = 1;
}

static struct sync *sync_of(const volatile void *addr)
{
	unsigned int i = (uint64_t)(uintptr_t)addr * 0x9e3779b97f4a7c15ULL >> 40;
	struct sync *sync;

	for (;; i++) {
		sync = &syncs[i % N_SYNCS];
		if (sync->run != il.run)
			break;
		if (sync->addr == addr)
			return sync;
	}
	sync->run = il.run;
	sync->addr = addr;
	memset(sync->clock, 0, sizeof(sync->clock));
	return sync;
}

static void race_join(uint32_t *to, const uint32_t *from)
{
	unsigned int i;

	for (i = 0; i < IL_MAX_THREADS; i++) {
		if (to[i] < from[i])
			to[i] = from[i];
	}
}

void race_acquire(const volatile void *addr)
{
	if (il_running)
		race_join(clocks[il.current], sync_of(addr)->clock);
}

void race_release(const volatile void *addr)
{
	if (!il_running)
		return;
	race_join(sync_of(addr)->clock, clocks[il.current]);
	clocks[il.current][il.current]++;
}

/* An address in the program: its line, as well as that can be found. */
extern const char __executable_start[];
extern const char etext[];

static void describe(const void *where, char *text, size_t size)
{
	char command[100];
	FILE *pipe;

	if ((const char *)where < __executable_start || (const char *)where >= etext) {
		/* it says itself where it is */
		snprintf(text, size, "%s", (const char *)where);
		return;
	}
	snprintf(command, sizeof(command), "addr2line -s -e /proc/%d/exe %#tx 2>/dev/null",
		 (int)getpid(), (const char *)where - __executable_start - 1);
	snprintf(text, size, "%p", where);
	pipe = popen(command, "r");
	if (!pipe)
		return;
	if (fgets(text, size, pipe))
		text[strcspn(text, "\n")] = 0;
	pclose(pipe);
}

static _Noreturn void race_found(const volatile void *addr, int kind, const void *where,
				 int other_kind, unsigned int other, const void *other_where)
{
	static const char *const kinds[] = { "plain read", "marked read", "plain write", "marked write" };
	char name[60], here[100], there[100], me[40], them[40];

	describe(where, here, sizeof(here));
	describe(other_where, there, sizeof(there));
	il_fail("race at %s: %s by %s (%s), %s by %s (%s)", name_of(addr, name, sizeof(name)),
		kinds[kind], proc_name(il.current, me, sizeof(me)), here, kinds[other_kind],
		proc_name(other, them, sizeof(them)), there);
}

static _Noreturn void race_use_after_free(const volatile void *addr, const void *where)
{
	char name[60], here[100], me[40];

	describe(where, here, sizeof(here));
	il_fail("use after free at %s by %s (%s)", name_of(addr, name, sizeof(name)),
		proc_name(il.current, me, sizeof(me)), here);
}

static void check(const struct cell *cell, const volatile void *addr, int kind, const void *where)
{
	const uint32_t *clock = clocks[il.current];
	unsigned int other, i;

	for (other = 0; other < N_ACCESSES; other++) {
		/* two reads, or two marked ones */
		if ((kind < PLAIN_WRITE && other < PLAIN_WRITE) || (kind & other & 1))
			continue;
		for (i = 0; i < il.n_threads; i++) {
			if (i != (unsigned int)il.current && cell->last[other][i].at > clock[i])
				race_found(addr, kind, where, other, i, cell->last[other][i].where);
		}
	}
}

static struct word *word_of(size_t offset)
{
	struct word *word = &words[offset / 8];

	if (word->run != il.run) {
		word->run = il.run;
		memset(word->cells, 0, sizeof(word->cells));
	}
	return word;
}

static struct cell *cell_of(size_t offset)
{
	struct word *word = word_of(offset);

	if (!word->cells[offset % 8]) {
		if (n_cells == N_CELLS - 1)
			il_fail("too many accesses for the race detector");
		word->cells[offset % 8] = ++n_cells;
		memset(&cells[n_cells], 0, sizeof(cells[n_cells]));
	}
	return &cells[word->cells[offset % 8]];
}

static void check_all(const volatile void *addr, size_t offset, size_t size, const void *where)
{
	const struct word *word;
	size_t i;

	for (i = offset; i < offset + size; i++) {
		word = word_of(i);
		if (word->cells[i % 8])
			check(&cells[word->cells[i % 8]],
			      (const volatile char *)addr + (i - offset), PLAIN_WRITE, where);
	}
}

void race_access(const volatile void *addr, size_t size, bool writes, bool marked,
		 const void *where)
{
	ptrdiff_t offset = arena_offset(addr);
	struct cell *cell;
	int kind;

	marked |= il_may_race;
	kind = (writes ? PLAIN_WRITE : PLAIN_READ) + marked;
	if (!il_running || offset < 0)
		return;
	if (offset + size > 8 * N_WORDS)
		il_fail("too much memory for the race detector");
	if (!marked && chunk_of(addr)->freed)
		race_use_after_free(addr, where);
	if (size > 16) {
		check_all(addr, offset, size, where);
		return;
	}
	cell = cell_of(offset);
	check(cell, addr, kind, where);
	cell->last[kind][il.current].at = clocks[il.current][il.current];
	cell->last[kind][il.current].where = where;
}

/* What the compiler calls. */

#define ACCESS(_name, _size, _writes)							\
	void __tsan_##_name(void *addr);						\
	void __tsan_##_name(void *addr)							\
	{										\
		race_access(addr, _size, _writes, false, __builtin_return_address(0));	\
	}

ACCESS(read1, 1, false)
ACCESS(read2, 2, false)
ACCESS(read4, 4, false)
ACCESS(read8, 8, false)
ACCESS(read16, 16, false)
ACCESS(write1, 1, true)
ACCESS(write2, 2, true)
ACCESS(write4, 4, true)
ACCESS(write8, 8, true)
ACCESS(write16, 16, true)
ACCESS(unaligned_read2, 2, false)
ACCESS(unaligned_read4, 4, false)
ACCESS(unaligned_read8, 8, false)
ACCESS(unaligned_write2, 2, true)
ACCESS(unaligned_write4, 4, true)
ACCESS(unaligned_write8, 8, true)

static void range(char *addr, size_t size, bool writes, const void *where)
{
	size_t i;

	for (i = 0; i < size; i += 8)
		race_access(addr + i, size - i < 8 ? size - i : 8, writes, false, where);
}

void __tsan_read_range(void *addr, size_t size);
void __tsan_read_range(void *addr, size_t size)
{
	range(addr, size, false, __builtin_return_address(0));
}

void __tsan_write_range(void *addr, size_t size);
void __tsan_write_range(void *addr, size_t size)
{
	range(addr, size, true, __builtin_return_address(0));
}

void __tsan_init(void);
void __tsan_init(void)
{
}

void __tsan_func_entry(void *caller);
void __tsan_func_entry(void *caller)
{
	(void)caller;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void)
{
}

/* the shim of tests/unit counts with these */
int64_t __tsan_atomic64_fetch_add(volatile int64_t *addr, int64_t value, int order);
int64_t __tsan_atomic64_fetch_add(volatile int64_t *addr, int64_t value, int order)
{
	(void)order;
	return (*addr += value) - value;
}
