/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault: each command, open and close, with each of its allocations and user copies failing
 *
 * A scenario is a small bus and one call on it. It is built again and again, each time with the
 * call failing at the next place, until it finds nothing more that can fail. inject.c lets the
 * kernel fail, world.c describes a bus so completely that two descriptions tell whether anything
 * differs, scenarios.c has the scenarios, main.c compares.
 */
#ifndef FAULT_H
#define FAULT_H

#include "b1t.h"

/* what fails */
enum inject_kind {
	INJECT_SLAB,		/* one small allocation */
	INJECT_PAGE,		/* one allocation of pages */
	INJECT_COPY,		/* one copy from or to user space */
	INJECT_SLAB_ON,		/* all small allocations from one on */
	INJECT_PAGE_ON,		/* all allocations of pages from one on */
	INJECT_KINDS
};

extern const char *const inject_names[INJECT_KINDS];

void inject_init(void);
void inject_open(void);
void inject_arm(enum inject_kind kind, unsigned int n);
bool inject_disarm(enum inject_kind kind);
void inject_within(const char *function);

/* A bus: some peers, and what the call of a scenario works on. */
#define WORLD_PEERS 8
#define WORLD_TRANSFERS 2048
#define WORLD_DATA (2 << 20)
#define WORLD_VECS 32
#define WORLD_IDS 20000			/* above all IDs that anybody gets here */

struct world {
	size_t n_peers;
	int peers[WORLD_PEERS];		/* -1: closed */
	uint64_t actors[WORLD_PEERS];	/* as the kernel numbers them */

	/* arguments of the call; the memory behind them is there before the call */
	int a, b;			/* peers */
	size_t n, n_data, n_vecs;
	uint64_t ids[WORLD_TRANSFERS];
	uint64_t nodes[WORLD_TRANSFERS];
};

void world_init(struct world *w);
int world_peer(struct world *w, uid_t uid);
void world_add(struct world *w, int fd);
void world_close(struct world *w);
char *world_look(struct world *w);
char *world_end(struct world *w);

/* One bus and one call */
struct scenario {
	const char *name;
	void (*setup)(struct world *w);
	int (*call)(struct world *w);
	void (*done)(struct world *w);	/* after a call that succeeded */
	int want;			/* what the call returns when nothing fails */
	unsigned int kinds;		/* bits of those that take too long here: left out */
	bool frees;			/* allocates nothing, and so never fails for memory */
	uid_t uid;			/* effective UID during the call */
};

extern const struct scenario scenarios[];
extern const size_t n_scenarios;

#endif /* FAULT_H */
