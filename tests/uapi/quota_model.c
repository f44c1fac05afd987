// SPDX-License-Identifier: LGPL-2.1-or-later
/* The accounts as the documentation has them; the numbers are far from what could overflow. */
#include "quota.h"

#include <stdarg.h>

/* each of these is an element of a sorted array, and begins with its key */
struct trace {
	uint64_t actor;
	uint64_t claimed[Q_SLOTS];
};

struct quota {
	uint64_t uid;
	uint64_t claimed[Q_SLOTS], avail[Q_SLOTS];
	size_t n;
	struct trace *traces;
};

struct user {
	uint64_t uid;
	uint64_t avail[Q_SLOTS];
	size_t n;
	struct quota *quotas;
};

static uint64_t maxima[Q_SLOTS];
static size_t n_users;
static struct user *users;

uint64_t q_max(enum q_slot slot)
{
	return maxima[slot];
}

void q_model_init(void)
{
	static const char * const paths[] = {
		"/sys/module/bus1/parameters/max_objects",
		"/sys/module/bus1/parameters/max_bytes",
	};
	char *text;
	size_t i;

	for (i = 0; i < Q_SLOTS; i++) {
		text = q_read(paths[i]);
		maxima[i] = strtoull(text, NULL, 10);
		free(text);
		/* what the tests are made for: larger ones take too long to use up */
		ck_assert_msg(maxima[i] >= 4096 && maxima[i] <= 1 << 22, "%s: %llu is no good",
			      paths[i], (unsigned long long)maxima[i]);
	}
	n_users = 0;
	users = NULL;
}

/* The element with @key of an array of @n, inserted with zeroes if it is new. */
static void *element(void **array, size_t *n, size_t size, uint64_t key, bool *is_newp)
{
	char *at = *array;
	size_t i;

	for (i = 0; i < *n && *(uint64_t *)(at + i * size) < key; i++)
		;
	*is_newp = i == *n || *(uint64_t *)(at + i * size) != key;
	if (*is_newp) {
		at = realloc(at, (*n + 1) * size);
		ck_assert_ptr_nonnull(at);
		memmove(at + (i + 1) * size, at + i * size, (*n - i) * size);
		memset(at + i * size, 0, size);
		*(uint64_t *)(at + i * size) = key;
		*array = at;
		++*n;
	}
	return at + i * size;
}

static struct user *find_user(uint32_t uid)
{
	bool is_new;
	struct user *user = element((void **)&users, &n_users, sizeof(*user), uid, &is_new);

	if (is_new)
		memcpy(user->avail, maxima, sizeof(maxima));
	return user;
}

static void find(struct q_who who, struct user **userp, struct quota **quotap,
		 struct trace **tracep)
{
	struct quota *quota;
	bool is_new;

	*userp = find_user(who.user);
	quota = element((void **)&(*userp)->quotas, &(*userp)->n, sizeof(*quota), who.claimant,
			&is_new);
	*quotap = quota;
	*tracep = element((void **)&quota->traces, &quota->n, sizeof(**tracep), who.actor, &is_new);
}

static bool is_active(const struct trace *trace)
{
	return trace->claimed[Q_OBJECTS] || trace->claimed[Q_BYTES];
}

static uint64_t n_actors(const struct quota *quota)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < quota->n; i++)
		n += is_active(&quota->traces[i]);
	return n;
}

static uint64_t n_claimants(const struct user *user, const struct quota *claimant)
{
	uint64_t n = 0;
	size_t i;

	for (i = 0; i < user->n; i++)
		n += &user->quotas[i] == claimant || n_actors(&user->quotas[i]);
	return n;
}

static uint64_t reserve(uint64_t a, uint64_t share, uint64_t x)
{
	return (x + share) * a - share;
}

static uint64_t a_ql(uint64_t n)
{
	uint64_t log = 0;

	while ((1ULL << log) < n + 1)
		log++;
	return (n + 1) * log + (n + 1);
}

/* Whether @x of @slot is granted, and what that takes from the user. */
static bool grants(const struct user *user, const struct quota *quota, const struct trace *trace,
		   int slot, uint64_t x, uint64_t *rp)
{
	uint64_t m1 = reserve(2, trace->claimed[slot], x), m2;

	*rp = !x || m1 <= quota->avail[slot] ? 0 : m1 - quota->avail[slot];
	m2 = *rp;
	if (*rp && quota->uid != user->uid)
		m2 = reserve(a_ql(n_claimants(user, quota)), quota->claimed[slot], *rp);
	return m2 <= user->avail[slot];
}

static bool try(struct q_who who, const uint64_t *x, bool apply)
{
	struct quota *quota;
	struct trace *trace;
	struct user *user;
	uint64_t r[Q_SLOTS];
	int slot;

	find(who, &user, &quota, &trace);
	for (slot = 0; slot < Q_SLOTS; slot++)
		if (!grants(user, quota, trace, slot, x[slot], &r[slot]))
			return false;
	for (slot = 0; apply && slot < Q_SLOTS; slot++) {
		user->avail[slot] -= r[slot];
		quota->claimed[slot] += r[slot];
		quota->avail[slot] = quota->avail[slot] + r[slot] - x[slot];
		trace->claimed[slot] += x[slot];
	}
	return true;
}

/* What q_charge() would say. */
bool q_grants(struct q_who who, uint64_t objects, uint64_t bytes)
{
	return try(who, (uint64_t[]){ objects, bytes }, false);
}

bool q_charge(struct q_who who, uint64_t objects, uint64_t bytes)
{
	return try(who, (uint64_t[]){ objects, bytes }, true);
}

void q_discharge(struct q_who who, uint64_t objects, uint64_t bytes)
{
	const uint64_t x[] = { objects, bytes };
	struct quota *quota;
	struct trace *trace;
	struct user *user;
	uint64_t n, keep;
	int slot;

	find(who, &user, &quota, &trace);
	n = n_actors(quota);
	for (slot = 0; slot < Q_SLOTS; slot++) {
		if (!x[slot])
			continue;
		ck_assert_uint_ge(trace->claimed[slot], x[slot]);
		trace->claimed[slot] -= x[slot];
		quota->avail[slot] += x[slot];
		keep = (quota->claimed[slot] - quota->avail[slot]) / n;
		if (quota->avail[slot] <= keep)
			continue;
		user->avail[slot] += quota->avail[slot] - keep;
		quota->claimed[slot] -= quota->avail[slot] - keep;
		quota->avail[slot] = keep;
	}
}

/* The most that one message would get: in all objects, or in bytes. */
uint64_t q_most(struct q_who who, enum q_slot slot)
{
	uint64_t x[Q_SLOTS] = { 1, 0 }, low = 0, high = maxima[slot];

	while (low < high) {
		x[slot] = low + (high - low) / 2 + 1;
		if (try(who, x, false))
			low = x[slot];
		else
			high = x[slot] - 1;
	}
	return low;
}

uint64_t q_claimed(struct q_who who, enum q_slot slot)
{
	struct quota *quota;
	struct trace *trace;
	struct user *user;

	find(who, &user, &quota, &trace);
	return trace->claimed[slot];
}

uint64_t q_avail(uint32_t uid, enum q_slot slot)
{
	return find_user(uid)->avail[slot];
}

static FILE *out;

static void __attribute__((format(printf, 1, 2))) put(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vfprintf(out, format, ap);
	va_end(ap);
}

static void put_quota(const struct quota *quota)
{
	size_t i;

	if (!n_actors(quota))
		return;
	put("  by user %llu: objects %llu, %llu of them unused, bytes %llu, %llu unused\n",
	    (unsigned long long)quota->uid, (unsigned long long)quota->claimed[Q_OBJECTS],
	    (unsigned long long)quota->avail[Q_OBJECTS],
	    (unsigned long long)quota->claimed[Q_BYTES], (unsigned long long)quota->avail[Q_BYTES]);
	for (i = 0; i < quota->n; i++)
		if (is_active(&quota->traces[i]))
			put("    by peer %llu: objects %llu, bytes %llu\n",
			    (unsigned long long)quota->traces[i].actor,
			    (unsigned long long)quota->traces[i].claimed[Q_OBJECTS],
			    (unsigned long long)quota->traces[i].claimed[Q_BYTES]);
}

/* What debugfs shows, without those who have nothing. */
char *q_model_text(void)
{
	const struct user *user;
	char *text = NULL;
	size_t size, i;

	out = open_memstream(&text, &size);
	ck_assert_ptr_nonnull(out);
	for (user = users; user < users + n_users; user++) {
		if (!n_claimants(user, NULL))
			continue;
		put("user %llu: objects %llu of %llu available, bytes %llu of %llu available\n",
		    (unsigned long long)user->uid, (unsigned long long)user->avail[Q_OBJECTS],
		    (unsigned long long)maxima[Q_OBJECTS], (unsigned long long)user->avail[Q_BYTES],
		    (unsigned long long)maxima[Q_BYTES]);
		for (i = 0; i < user->n; i++)
			put_quota(&user->quotas[i]);
	}
	fclose(out);
	return text;
}
