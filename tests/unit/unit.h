/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the unit tests share: hooks that act once, at the n-th moment of a kind, and the end of
 * main().
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdlib.h>

#include "shim/shim.h"

#define UNIT_N(_array) (sizeof(_array) / sizeof((_array)[0]))

/* Multi-threaded tests do less where a sanitizer makes each step slow. */
#if defined(__SANITIZE_THREAD__)
#define UNIT_SCALE(_n) ((_n) / 8)
#elif defined(__SANITIZE_ADDRESS__)
#define UNIT_SCALE(_n) ((_n) / 4)
#else
#define UNIT_SCALE(_n) (_n)
#endif

/* For what is asserted very often: check makes a system call for each of its own assertions. */
#define QUICK_ASSERT(_cond)								\
	do {										\
		if (!(_cond))								\
			ck_abort_msg("%s", #_cond);					\
	} while (0)

/* An action at the @nth time that @point is reached, at @addr unless that is NULL. */
struct unit_trap {
	enum shim_point point;
	const void *addr;
	unsigned int nth;
	void (*action)(void);
};

static struct unit_trap unit_trap;
static unsigned int unit_n_trapped;

static inline void unit_hook(enum shim_point point, const void *addr)
{
	if (!unit_trap.action || point != unit_trap.point)
		return;
	if (unit_trap.addr && addr != unit_trap.addr)
		return;
	if (--unit_trap.nth)
		return;
	unit_n_trapped++;
	unit_trap.action();
}

static inline void unit_arm(enum shim_point point, const void *addr, unsigned int nth,
			    void (*action)(void))
{
	unit_trap = (struct unit_trap){ point, addr, nth, action };
	unit_n_trapped = 0;
	shim_hook = unit_hook;
}

/* The action has been carried out: a test whose moment never came proves nothing. */
static inline void unit_disarm(void)
{
	shim_hook = NULL;
	ck_assert_msg(unit_n_trapped == 1, "the trap was not reached");
}

/* Small, repeatable random numbers. */
static inline unsigned int unit_random(unsigned long long *seed, unsigned int n)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (*seed >> 33) % n;
}

static inline int unit_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int n_failed;

	srunner_run_all(runner, CK_ENV);
	n_failed = srunner_ntests_failed(runner);
	if (!srunner_ntests_run(runner))
		n_failed = 1;
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

#endif /* UNIT_H */
