// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A plugin for QEMU that counts instructions by their address, for tests/bench/run --profile
 *
 * The measured program marks each round with instructions that do nothing (mark_begin() and so on
 * in measure.h). Each instruction of the machine adds one to a counter of its own; the difference
 * between the two ends of a round is what the round has executed. Instructions of user space share
 * one counter. At the end, the round in the middle of all, or the mean of all, is written:
 *
 *	COUNT ADDRESS
 *
 * Arguments: out=FILE, mean=on. The declarations are those of QEMU's documented interface for
 * plugins, version 1, as not every distribution has its header.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id,
	void (*function)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
extern void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id,
	void (*function)(qemu_plugin_id_t id, void *data), void *data);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
extern size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn,
	void (*function)(unsigned int cpu, void *data), int flags, void *data);
extern void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op,
	void *counter, uint64_t increment);

EXPORT int qemu_plugin_version = 1;

enum { NO_REGISTERS = 0 };
enum { ADD = 0 };
enum { MARK_BEGIN = 1, MARK_END, MARK_RESET };

#define MAX_COUNTERS (1U << 22)
#define N_SLOTS (1U << 23)
#define MAX_ROUNDS 8192
#define USER 0		/* the counter of all user space */

struct entry {
	uint32_t counter;
	uint32_t n;
};

struct round {
	struct entry *entries;
	size_t n_entries;
	uint64_t total;
};

static uint64_t counters[MAX_COUNTERS], before[MAX_COUNTERS], addresses[MAX_COUNTERS];
static uint32_t n_counters = 1, n_before;
static uint32_t slots[N_SLOTS];
static struct round rounds[MAX_ROUNDS];
static size_t n_rounds;
static const char *out = "counts";
static bool mean;

/* The counter of an address; the kernel's are those with the highest bit. */
static uint32_t find_counter(uint64_t address)
{
	uint32_t slot;

	if (!(address >> 63))
		return USER;
	slot = (address * 0x9e3779b97f4a7c15ULL) >> 41;
	for (; slots[slot]; slot = (slot + 1) % N_SLOTS) {
		if (addresses[slots[slot]] == address)
			return slots[slot];
	}
	if (n_counters == MAX_COUNTERS) {
		fprintf(stderr, "count: too many addresses\n");
		exit(1);
	}
	addresses[n_counters] = address;
	slots[slot] = n_counters;
	return n_counters++;
}

static void begin_round(void)
{
	memcpy(before, counters, n_counters * sizeof(*counters));
	n_before = n_counters;
}

/* What has been executed since begin_round(). Counters that are newer started at 0. */
static void end_round(void)
{
	static struct entry entries[MAX_COUNTERS];
	struct round *round = &rounds[n_rounds];
	uint32_t i;

	if (!n_before || n_rounds == MAX_ROUNDS)
		return;
	*round = (struct round){};
	for (i = 0; i < n_counters; i++) {
		uint64_t n = counters[i] - (i < n_before ? before[i] : 0);

		if (!n)
			continue;
		entries[round->n_entries++] = (struct entry){ .counter = i, .n = n };
		round->total += n;
	}
	round->entries = malloc(round->n_entries * sizeof(*entries));
	memcpy(round->entries, entries, round->n_entries * sizeof(*entries));
	n_rounds++;
	n_before = 0;
}

static void reset_rounds(void)
{
	while (n_rounds)
		free(rounds[--n_rounds].entries);
}

static void at_mark(unsigned int cpu, void *data)
{
	(void)cpu;
	switch ((uintptr_t)data) {
	case MARK_BEGIN: begin_round(); break;
	case MARK_END: end_round(); break;
	case MARK_RESET: reset_rounds(); break;
	}
}

/* nopl 0x0b0510XX(%rax): XX, or 0 if it is something else */
static unsigned int which_mark(const struct qemu_plugin_insn *insn)
{
	static const uint8_t nop[] = { 0x0f, 0x1f, 0x80 }, magic[] = { 0x10, 0x05, 0x0b };
	const uint8_t *data = qemu_plugin_insn_data(insn);

	if (qemu_plugin_insn_size(insn) != 7 || memcmp(data, nop, sizeof(nop)) ||
	    memcmp(data + 4, magic, sizeof(magic)))
		return 0;
	return data[3];
}

static void at_translation(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		uint32_t counter = find_counter(qemu_plugin_insn_vaddr(insn));
		uintptr_t mark = which_mark(insn);

		if (mark)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, at_mark, NO_REGISTERS,
							       (void *)mark);
		qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD, &counters[counter], 1);
	}
}

static int compare(const void *a, const void *b)
{
	const struct round *x = a, *y = b;

	return (x->total > y->total) - (x->total < y->total);
}

static void write_round(FILE *file, const struct round *round, double divisor)
{
	size_t i;

	for (i = 0; i < round->n_entries; i++)
		fprintf(file, "%.4f %016" PRIx64 "\n", round->entries[i].n / divisor,
			addresses[round->entries[i].counter]);
}

static void at_exit(qemu_plugin_id_t id, void *data)
{
	FILE *file = fopen(out, "w");
	size_t i;

	(void)id;
	(void)data;
	if (!file || !n_rounds) {
		fprintf(stderr, "count: %s\n", file ? "no rounds" : out);
		return;
	}
	qsort(rounds, n_rounds, sizeof(*rounds), compare);
	if (mean)
		for (i = 0; i < n_rounds; i++)
			write_round(file, &rounds[i], n_rounds);
	else
		write_round(file, &rounds[n_rounds / 2], 1);
	fclose(file);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void *info, int argc, char **argv)
{
	int i;

	(void)info;
	for (i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
		else if (!strcmp(argv[i], "mean=on"))
			mean = true;
		else
			return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, at_translation);
	qemu_plugin_register_atexit_cb(id, at_exit, NULL);
	return 0;
}
