/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The frame of the measurements: rows, rounds, and the clock
 *
 * A row is one operation of one way to pass messages, its peer. Each row runs in a process of its
 * own:
 *
 *	prepare;
 *	while (next_round()) {
 *		begin();
 *		the operation;
 *		end();
 *	}
 *
 * What is between begin() and end() counts, less what they cost themselves. The result is the
 * median of the rounds, so that interrupts do not count. Where part of the work is done later, by
 * the kernel and for many operations at once, the result is the mean (ROW_MEAN).
 *
 * Under QEMU's -icount shift=0 the time stamp counter counts the instructions of the machine.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	ROW_MEAN	= 1 << 0,	/* the mean of the rounds, not the median */
	ROW_LONG	= 1 << 1,	/* takes long to prepare: not with --quick */
};

struct row {
	const char *name;		/* such as one-way/64 */
	const char *peer;
	void (*run)(const struct row *row);
	const void *data;		/* for run() */
	size_t size;			/* for run(): bytes, receivers, handles */
	unsigned int per;		/* operations between begin() and end() */
	unsigned int flags;
};

/* In the order of the table; each ends with an empty row. */
extern const struct row one_way_rows[], ping_pong_rows[], fan_out_rows[], handle_rows[];
extern const struct row object_rows[], notify_rows[], load_rows[], idle_rows[];

extern int64_t measure_start;

void measure_init(unsigned int rounds);
double measure_result(const struct row *row);
int64_t measure_clock_cost(void);
void measure_quartiles(const struct row *row, double *lowp, double *highp);
void measure_reset(void);

bool next_round(void);
void store_sample(int64_t sample);

__attribute__((noreturn, format(printf, 1, 2))) void die(const char *format, ...);
void expect(const char *what, ssize_t result, ssize_t wanted);

/*
 * Instructions that do nothing, for the tool that counts instructions by function to know where to
 * begin and end, and that what came before does not matter; see count.c.
 */
static inline void mark_begin(void)
{
	asm volatile("nopl 0x0b051001(%%rax)" : : : "memory");
}

static inline void mark_end(void)
{
	asm volatile("nopl 0x0b051002(%%rax)" : : : "memory");
}

static inline void mark_reset(void)
{
	asm volatile("nopl 0x0b051003(%%rax)" : : : "memory");
}

static inline int64_t count_instructions(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (int64_t)((uint64_t)high << 32 | low);
}

static inline void begin(void)
{
	mark_begin();
	measure_start = count_instructions();
}

static inline void end(void)
{
	int64_t sample = count_instructions() - measure_start;

	mark_end();
	store_sample(sample);
}

#endif /* MEASURE_H */
