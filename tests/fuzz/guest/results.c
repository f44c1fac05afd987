// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest.h"

#define FIRST_COMMAND GUEST_CREATE
#define LAST_COMMAND GUEST_RELEASE_BOTH

static const char *const call_names[_GUEST_CALL_N] = {
	[GUEST_OPEN] = "open", [GUEST_CREATE] = "transfer new", [GUEST_COPY] = "transfer copy",
	[GUEST_SEND_NONE] = "send to none", [GUEST_SEND_ONE] = "send to one",
	[GUEST_SEND_MANY] = "send to many", [GUEST_SEND_HANDLES] = "send handles",
	[GUEST_RECV] = "recv", [GUEST_RELEASE_HANDLES] = "release handles",
	[GUEST_RELEASE_NODES] = "release nodes", [GUEST_RELEASE_BOTH] = "release both",
	[GUEST_NONSENSE] = "nonsense", [GUEST_POLL] = "poll", [GUEST_EPOLL] = "epoll",
	[GUEST_DUP] = "dup", [GUEST_CLOSE] = "close", [GUEST_PASS] = "pass",
	[GUEST_ACCEPT] = "accept", [GUEST_FORK] = "fork",
};

static const char *const result_names[_GUEST_RESULT_N] = {
	"ok", "EFAULT", "EINVAL", "EBADRQC", "EDQUOT", "EAGAIN", "EMSGSIZE", "E2BIG", "EBADF",
	"EOPNOTSUPP", "ENOTTY", "ENOMEM", "other",
};

static const char *const news_names[_GUEST_NEWS_N] = {
	[GUEST_DATA] = "messages", [GUEST_HANDLES] = "messages with handles",
	[GUEST_NODE_RELEASE] = "NODE_RELEASE", [GUEST_HANDLE_RELEASE] = "HANDLE_RELEASE",
};

static int n_failures;

static void fail(const char *what, const char *text)
{
	printf("FAILED: %s: %s\n", what, text);
	n_failures++;
}

int guest_count(enum guest_call call, int error)
{
	static const int errors[] = {
		[GUEST_EFAULT] = EFAULT, [GUEST_EINVAL] = EINVAL, [GUEST_EBADRQC] = EBADRQC,
		[GUEST_EDQUOT] = EDQUOT, [GUEST_EAGAIN] = EAGAIN, [GUEST_EMSGSIZE] = EMSGSIZE,
		[GUEST_E2BIG] = E2BIG, [GUEST_EBADF] = EBADF, [GUEST_EOPNOTSUPP] = EOPNOTSUPP,
		[GUEST_ENOTTY] = ENOTTY, [GUEST_ENOMEM] = ENOMEM,
	};
	unsigned int i;

	for (i = 0; i < GUEST_N(errors) && errors[i] != error; i++)
		;
	if (i == GUEST_N(errors)) {
		i = GUEST_OTHER;
		guest->other_error = error;
		guest->other_call = call;
	}
	guest->results[call][i]++;
	return error;
}

int guest_count_command(const struct guest_thread *thread, enum guest_call call, int error)
{
	if (!thread->hostile) {
		guest->n_friendly[call]++;
		if (!error)
			guest->n_friendly_ok[call]++;
		if (error == EDQUOT)
			guest->n_friendly_edquot[call]++;
	}
	return guest_count(call, error);
}

uint64_t guest_sum(enum guest_result result)
{
	unsigned int call;
	uint64_t n = 0;

	for (call = FIRST_COMMAND; call <= LAST_COMMAND; call++)
		n += guest->results[call][result];
	return n;
}

static void print_call(unsigned int call)
{
	unsigned int result;

	printf("%-15s", call_names[call]);
	for (result = 0; result < _GUEST_RESULT_N; result++)
		printf(" %10llu", (unsigned long long)guest->results[call][result]);
	if (guest->n_friendly[call])
		printf(" %11llu%%", (unsigned long long)(100 * guest->n_friendly_ok[call] /
							 guest->n_friendly[call]));
	putchar('\n');
}

static void print_results(void)
{
	unsigned int i;

	printf("%-15s", "");
	for (i = 0; i < _GUEST_RESULT_N; i++)
		printf(" %10s", result_names[i]);
	puts("  friendly ok");
	for (i = 0; i < _GUEST_CALL_N; i++)
		print_call(i);
	printf("received:");
	for (i = 0; i < _GUEST_NEWS_N; i++)
		printf(" %llu %s,", (unsigned long long)guest->news[i], news_names[i]);
	printf(" %llu handles\n"
	       "faults resolved late: %llu, changes of memory: %llu, signals: %llu, peers: %u\n",
	       (unsigned long long)guest->n_carried, (unsigned long long)guest->n_faults,
	       (unsigned long long)guest->n_shakes, (unsigned long long)guest->n_signals,
	       guest->last_serial + guest->last_shared_serial);
}

static unsigned int unseen(const char *what, uint64_t n, bool quiet)
{
	if (n)
		return 0;
	if (!quiet)
		fail(what, "never seen, or never with success");
	return 1;
}

/* What never gets in finds nothing. Returns how much has not been seen. */
static unsigned int check_seen(bool quiet)
{
	static const enum guest_result errors[] = {
		GUEST_EFAULT, GUEST_EINVAL, GUEST_EBADRQC, GUEST_EDQUOT, GUEST_EAGAIN,
		GUEST_EMSGSIZE, GUEST_E2BIG, GUEST_EOPNOTSUPP,
	};
	unsigned int i, n = 0;

	for (i = 0; i < _GUEST_CALL_N; i++) {
		if (i != GUEST_NONSENSE)
			n += unseen(call_names[i], guest->results[i][GUEST_OK], quiet);
	}
	for (i = 0; i < _GUEST_NEWS_N; i++)
		n += unseen(news_names[i], guest->news[i], quiet);
	for (i = 0; i < GUEST_N(errors); i++)
		n += unseen(result_names[errors[i]], guest_sum(errors[i]), quiet);
	if (guest->userfaultfd)
		n += unseen("userfaultfd", guest->n_faults, quiet);
	return n;
}

bool guest_is_complete(unsigned int seconds)
{
	return guest_sum(GUEST_OK) >= 20 * seconds && !check_seen(true);
}

/*
 * Neither does what hardly ever gets in. How many are refused for a quota depends on the speed of the
 * machine, so these are looked at apart.
 */
static void check_friendly(unsigned int call)
{
	uint64_t n = guest->n_friendly[call], n_ok = guest->n_friendly_ok[call];

	if (2 * n_ok < n - guest->n_friendly_edquot[call])
		fail(call_names[call], "most of those that are meant to succeed failed");
	if (10 * n_ok < n)
		fail(call_names[call], "hardly one of those that are meant to succeed did so");
}

static void check_call(unsigned int call)
{
	if (call >= FIRST_COMMAND && call <= LAST_COMMAND && call != GUEST_RECV)
		check_friendly(call);
	if (guest->results[call][GUEST_OTHER]) {
		printf("%s: %s\n", call_names[guest->other_call], strerror(guest->other_error));
		fail(call_names[call], "an error that there should not be");
	}
}

int guest_judge(unsigned int seconds)
{
	unsigned int i;

	print_results();
	check_seen(false);
	for (i = 0; i < _GUEST_CALL_N; i++)
		check_call(i);
	if (guest_sum(GUEST_OK) < 20 * seconds)
		fail("commands", "too few succeeded");
	return n_failures;
}
