// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

#define WARMUP 32
#define MAX_ROUNDS 4096

int64_t measure_start;

static int64_t samples[MAX_ROUNDS + WARMUP];
static unsigned int n_rounds, n_samples;
static int64_t clock_cost;

void die(const char *format, ...)
{
	const char *error = strerror(errno);
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", error);
	exit(1);
}

/* The operation of a measurement must have succeeded, whatever it measures. */
void expect(const char *what, ssize_t result, ssize_t wanted)
{
	if (result != wanted)
		die("%s: %zd instead of %zd", what, result, wanted);
}

void store_sample(int64_t sample)
{
	samples[n_samples++] = sample;
	if (n_samples == WARMUP)
		mark_reset();
}

bool next_round(void)
{
	return n_samples < n_rounds + WARMUP;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int64_t median(void)
{
	int64_t *first = samples + WARMUP;

	qsort(first, n_rounds, sizeof(*first), compare);
	return first[n_rounds / 2];
}

/* The middle half of the rounds, for who wonders whether they are all alike. */
void measure_quartiles(const struct row *row, double *lowp, double *highp)
{
	unsigned int per = row->per ? row->per : 1;

	median();
	*lowp = (double)(samples[WARMUP + n_rounds / 4] - clock_cost) / per;
	*highp = (double)(samples[WARMUP + n_rounds * 3 / 4] - clock_cost) / per;
}

static double mean(void)
{
	int64_t sum = 0;
	unsigned int i;

	for (i = WARMUP; i < n_samples; i++)
		sum += samples[i];
	return (double)sum / n_rounds;
}

/* What a round took, for each of its operations, without the clock. */
double measure_result(const struct row *row)
{
	double result;

	if (!n_samples || next_round()) {
		errno = 0;
		die("%s: %u rounds of %u", row->name, n_samples, n_rounds + WARMUP);
	}
	result = row->flags & ROW_MEAN ? mean() : median();
	return (result - clock_cost) / (row->per ? row->per : 1);
}

int64_t measure_clock_cost(void)
{
	return clock_cost;
}

void measure_reset(void)
{
	n_samples = 0;
}

void measure_init(unsigned int rounds)
{
	n_rounds = rounds < MAX_ROUNDS ? rounds : MAX_ROUNDS;
	/* the pages are there before anything is measured */
	memset(samples, 0, sizeof(samples));
	while (next_round()) {
		begin();
		end();
	}
	clock_cost = median();
	measure_reset();
}
