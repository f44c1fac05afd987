/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What both targets do at the end of an input
 */
#ifndef FUZZ_COMMON_H
#define FUZZ_COMMON_H

#include <linux/bus1.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"

/* Where things are in the window. */
enum {
	AREA_CMD = 0x0,
	AREA_MESSAGE = 0x80,
	AREA_METADATA = 0x100,
	AREA_VECS = 0x180,
	AREA_IDS = 0x400,
	AREA_ERRORS = 0x800,
	AREA_SRC = 0xa00,
	AREA_DST = 0x1200,
	AREA_DATA = 0x1a00,
	AREA_END = USER_WINDOW_SIZE,
};

/* As many as the areas have room for; what the fuzzer sends fits, so all can be received. */
#define N_TRANSFERS_MAX 128
#define N_IDS_MAX 128
#define N_VECS_MAX 40
#define N_DATA_MAX (AREA_END - AREA_DATA)
/* payloads that are copied in parts; they come from USER_BIG and go there */
#define N_BIG_MAX 0x60000

static inline void put(uint64_t area, const void *from, size_t n)
{
	memcpy(user_space.window + area, from, n);
}

static inline uint64_t put_vec(unsigned int i, uint64_t base, uint64_t len, bool compat)
{
	uint32_t narrow[2] = { (uint32_t)base, (uint32_t)len };
	uint64_t wide[2] = { base, len };

	if (compat)
		put(AREA_VECS + i * sizeof(narrow), narrow, sizeof(narrow));
	else
		put(AREA_VECS + i * sizeof(wide), wide, sizeof(wide));
	return len;
}

/* Receives with room for everything. */
static inline long receive(int fd, bool compat)
{
	struct bus1_message message = {
		.type = BUS1_INVALID,
		.n_transfers = N_TRANSFERS_MAX,
		.ptr_transfers = USER_WINDOW + AREA_SRC,
		.n_data = N_BIG_MAX,
		.n_data_vecs = 1,
		.ptr_data_vecs = USER_WINDOW + AREA_VECS,
	};
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = USER_WINDOW + AREA_METADATA,
		.ptr_message = USER_WINDOW + AREA_MESSAGE,
	};

	put_vec(0, USER_BIG, N_BIG_MAX, compat);
	put(AREA_MESSAGE, &message, sizeof(message));
	put(AREA_CMD, &cmd, sizeof(cmd));
	return bus_ioctl(fd, BUS1_CMD_RECV, USER_WINDOW + AREA_CMD, compat);
}

static inline void drain(void)
{
	int fd;

	for (fd = 0; fd < VFS_N_FDS; fd++) {
		if (!bus_peer(fd))
			continue;
		bus_fdinfo(fd);
		do
			bus_poll(fd);
		while (!receive(fd, false));
		bus_fdinfo(fd);
	}
}

/* Closes all, beginning with @first. */
static inline void close_all(unsigned int first)
{
	unsigned int i;
	int fd;

	for (i = 0; i < VFS_N_FDS; i++) {
		fd = (int)((first + i) % VFS_N_FDS);
		if (bus_peer(fd))
			bus_close(fd);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned int seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
				 size_t size2, uint8_t *out, size_t max, unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static inline unsigned int chance(unsigned int *seed, unsigned int n)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (unsigned int)(((uint64_t)*seed * n) >> 32);
}

#endif /* FUZZ_COMMON_H */
