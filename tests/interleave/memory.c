// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory is never given out twice in one execution, so that a late use is seen. */
#include <string.h>

#include "private.h"

#define ARENA_SIZE (4 * 1024 * 1024)
#define MAX_CHUNKS 16384
/* the largest object of a cache */
#define CTOR_SIZE 512

static char arena[ARENA_SIZE] __attribute__((aligned(64)));
static size_t arena_used;
static uint16_t owner[ARENA_SIZE / 16];
static struct chunk chunks[MAX_CHUNKS];
static unsigned int n_chunks;
static long n_live;

struct chunk *chunk_of(const volatile void *addr)
{
	uintptr_t offset = (uintptr_t)addr - (uintptr_t)arena;

	if (offset >= arena_used || !owner[offset / 16])
		return NULL;
	return &chunks[owner[offset / 16] - 1];
}

/* Where in the memory an address is, or -1. */
ptrdiff_t arena_offset(const volatile void *addr)
{
	return chunk_of(addr) ? (const volatile char *)addr - arena : -1;
}

void *il_alloc(size_t size, bool zero)
{
	size_t i, room = (size + 15) / 16 * 16;
	struct chunk *chunk;

	if (n_chunks == MAX_CHUNKS || ARENA_SIZE - arena_used < room + 16)
		il_fail("the scenario needs too much memory");
	chunk = &chunks[n_chunks++];
	chunk->base = arena + arena_used;
	chunk->size = size;
	chunk->freed = false;
	chunk->own = self()->own;
	chunk->locs = NULL;
	for (i = 0; i < room / 16; i++)
		owner[arena_used / 16 + i] = n_chunks;
	/* nobody owns the gap */
	owner[(arena_used + room) / 16] = 0;
	arena_used += room + 16;
	memset(chunk->base, zero ? 0 : 0xa5, room);
	n_live++;
	return chunk->base;
}

const void *il_allocated_for(const void *ptr)
{
	return chunk_of(ptr)->own;
}

/* What two runs of the constructor leave the same in different garbage is what it sets up. */
static void check_constructed(struct chunk *chunk, void (*ctor)(void *ptr), const char *what)
{
	char old[CTOR_SIZE], other[CTOR_SIZE];
	size_t i;

	if (chunk->size > CTOR_SIZE)
		il_fail("%s: too large for a constructor", what);
	memcpy(old, chunk->base, chunk->size);
	memset(chunk->base, 0xa5, chunk->size);
	ctor(chunk->base);
	memcpy(other, chunk->base, chunk->size);
	memset(chunk->base, 0x5a, chunk->size);
	ctor(chunk->base);
	for (i = 0; i < chunk->size; i++) {
		if (chunk->base[i] == other[i] && chunk->base[i] != old[i])
			il_fail("%s: byte %zu is not as the constructor set it up", what, i);
	}
}

void il_free(bool quiet, const void *ptr, void (*ctor)(void *ptr), const char *what)
{
	struct chunk *chunk = chunk_of(ptr);

	if (!chunk || chunk->base != ptr)
		il_fail("%s: %p was not allocated", what, ptr);
	if (chunk->freed)
		il_fail("%s: freed twice", what);
	if (il_running && (!quiet || il_loud))
		il_point(IL_FREE, IL_F_FENCE, ptr, chunk->size, what);
	/* whoever has used it must be known to have done so */
	race_access(ptr, chunk->size, true, false, what);
	if (ctor)
		check_constructed(chunk, ctor, what);
	chunk->freed = true;
	memset(chunk->base, 0x6b, chunk->size);
	n_live--;
}

long il_n_live(void)
{
	return n_live;
}

/* With all cleaned up: nothing is left, and nothing was written to after it was freed. */
void il_check_leaks(void)
{
	unsigned int i;
	size_t j;

	for (i = 0; i < n_chunks; i++) {
		if (!chunks[i].freed) {
			char name[60];

			il_fail("leaked: %zu bytes (%s), %ld such", chunks[i].size,
				name_of(chunks[i].base, name, sizeof(name)), n_live);
		}
		for (j = 0; j < chunks[i].size; j++) {
			if (chunks[i].base[j] != 0x6b)
				il_fail("freed memory was written to, at %zu of %zu", j,
					chunks[i].size);
		}
	}
	if (il_n_locked())
		il_fail("%ld locks are still held", il_n_locked());
}

void memory_reset(void)
{
	arena_used = n_chunks = 0;
	n_live = 0;
}
