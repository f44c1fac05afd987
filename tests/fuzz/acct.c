// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdlib.h>

#include "acct.h"
#include "ref.h"

#define N_SLOTS 2

struct acct_user {
	struct acct_user *next;
	unsigned int uid;
	uint64_t avail[N_SLOTS];
	struct acct_quota *quotas;
	bool seen;
};

struct acct_quota {
	struct acct_quota *next;
	struct acct_user *user;
	unsigned int uid;
	uint64_t claimed[N_SLOTS];
	uint64_t avail[N_SLOTS];
	struct acct_trace *traces;
	bool seen;
};

struct acct_trace {
	struct acct_trace *next;
	struct acct_quota *quota;
	uint64_t actor;
	uint64_t claimed[N_SLOTS];
	bool seen;
};

static struct acct_user *acct_users;
static uint64_t acct_max[N_SLOTS];

void acct_begin(uint64_t max_objects, uint64_t max_bytes)
{
	acct_users = NULL;
	acct_max[0] = max_objects;
	acct_max[1] = max_bytes;
}

static struct acct_user *acct_user(unsigned int uid)
{
	struct acct_user *user;
	int slot;

	for (user = acct_users; user; user = user->next) {
		if (user->uid == uid)
			return user;
	}
	user = ref_alloc(sizeof(*user));
	user->uid = uid;
	for (slot = 0; slot < N_SLOTS; slot++)
		user->avail[slot] = acct_max[slot];
	user->next = acct_users;
	acct_users = user;
	return user;
}

static struct acct_quota *acct_quota(struct acct_user *user, unsigned int uid)
{
	struct acct_quota *quota;

	for (quota = user->quotas; quota; quota = quota->next) {
		if (quota->uid == uid)
			return quota;
	}
	quota = ref_alloc(sizeof(*quota));
	quota->user = user;
	quota->uid = uid;
	quota->next = user->quotas;
	user->quotas = quota;
	return quota;
}

static struct acct_trace *acct_find_trace(struct acct_quota *quota, uint64_t actor)
{
	struct acct_trace *trace;

	for (trace = quota->traces; trace; trace = trace->next) {
		if (trace->actor == actor)
			return trace;
	}
	trace = ref_alloc(sizeof(*trace));
	trace->quota = quota;
	trace->actor = actor;
	trace->next = quota->traces;
	quota->traces = trace;
	return trace;
}

struct acct_trace *acct_trace(unsigned int user, unsigned int claimant, uint64_t actor)
{
	return acct_find_trace(acct_quota(acct_user(user), claimant), actor);
}

static bool acct_trace_counts(const struct acct_trace *trace)
{
	return trace->claimed[0] || trace->claimed[1];
}

static uint64_t acct_n_actors(const struct acct_quota *quota)
{
	const struct acct_trace *trace;
	uint64_t n = 0;

	for (trace = quota->traces; trace; trace = trace->next)
		n += acct_trace_counts(trace);
	return n;
}

/* How many claim from @user, @claimant among them. */
static uint64_t acct_n_users(const struct acct_user *user, const struct acct_quota *claimant)
{
	const struct acct_quota *quota;
	uint64_t n = 0;

	for (quota = user->quotas; quota; quota = quota->next)
		n += quota == claimant || acct_n_actors(quota);
	return n;
}

static uint64_t acct_shares(uint64_t n)
{
	uint64_t log = 0;

	while ((1ULL << log) < n + 1)
		log++;
	return (n + 1) * log + (n + 1);
}

/* (claim + share) * parts - share; what does not fit is more than anybody has */
static unsigned __int128 acct_reserve(uint64_t parts, uint64_t share, uint64_t claim)
{
	unsigned __int128 total = ((unsigned __int128)claim + share) * parts;

	return total >> 64 ? (unsigned __int128)1 << 100 : total - share;
}

static bool acct_take(const struct acct_trace *trace, int slot, uint64_t claim, uint64_t *takep)
{
	const struct acct_quota *quota = trace->quota;
	const struct acct_user *user = quota->user;
	unsigned __int128 m1, m2;

	*takep = 0;
	if (!claim)
		return true;
	m1 = acct_reserve(2, trace->claimed[slot], claim);
	if (m1 > UINT64_MAX)
		return false;
	if (m1 <= quota->avail[slot])
		return true;
	*takep = (uint64_t)m1 - quota->avail[slot];
	m2 = *takep;
	if (quota->uid != user->uid)
		m2 = acct_reserve(acct_shares(acct_n_users(user, quota)), quota->claimed[slot],
				  *takep);
	return m2 <= user->avail[slot];
}

uint64_t acct_room(const struct acct_trace *trace, uint64_t max)
{
	uint64_t low = 0, high = max, mid, take;

	while (high - low > 1) {
		mid = low + (high - low) / 2;
		if (acct_take(trace, 1, mid, &take))
			low = mid;
		else
			high = mid;
	}
	return low;
}

bool acct_charge(struct acct_trace *trace, uint64_t objects, uint64_t bytes)
{
	uint64_t claims[N_SLOTS] = { objects, bytes }, takes[N_SLOTS];
	struct acct_quota *quota = trace->quota;
	int slot;

	for (slot = 0; slot < N_SLOTS; slot++) {
		if (!acct_take(trace, slot, claims[slot], &takes[slot]))
			return false;
	}
	for (slot = 0; slot < N_SLOTS; slot++) {
		quota->user->avail[slot] -= takes[slot];
		quota->claimed[slot] += takes[slot];
		quota->avail[slot] += takes[slot];
		quota->avail[slot] -= claims[slot];
		trace->claimed[slot] += claims[slot];
	}
	return true;
}

void acct_discharge(struct acct_trace *trace, uint64_t objects, uint64_t bytes)
{
	uint64_t amounts[N_SLOTS] = { objects, bytes }, keep, n_actors;
	struct acct_quota *quota = trace->quota;
	int slot;

	n_actors = acct_n_actors(quota);
	for (slot = 0; slot < N_SLOTS; slot++) {
		if (!amounts[slot])
			continue;
		if (trace->claimed[slot] < amounts[slot])
			ref_mismatch("the reference gives back more than was charged");
		trace->claimed[slot] -= amounts[slot];
		quota->avail[slot] += amounts[slot];
		keep = (quota->claimed[slot] - quota->avail[slot]) / n_actors;
		if (quota->avail[slot] <= keep)
			continue;
		quota->claimed[slot] -= quota->avail[slot] - keep;
		quota->user->avail[slot] += quota->avail[slot] - keep;
		quota->avail[slot] = keep;
	}
}

/* Comparison with the text of the module */

static uint64_t acct_number(const char **textp)
{
	uint64_t number = 0;

	while (**textp < '0' || **textp > '9') {
		if (!**textp || **textp == '\n')
			ref_mismatch("accounts: a number is missing");
		(*textp)++;
	}
	for (; **textp >= '0' && **textp <= '9'; (*textp)++)
		number = 10 * number + (uint64_t)(**textp - '0');
	return number;
}

static void acct_expect(const char *what, uint64_t uid, int slot, uint64_t found, uint64_t expected)
{
	if (found != expected)
		ref_mismatch("%s %llu, slot %d: %llu in the module, %llu in the reference", what,
			     (unsigned long long)uid, slot, (unsigned long long)found,
			     (unsigned long long)expected);
}

static struct acct_user *acct_check_user(const char *text, bool adopt)
{
	struct acct_user *user = acct_user((unsigned int)acct_number(&text));
	uint64_t avail;
	int slot;

	user->seen = true;
	for (slot = 0; slot < N_SLOTS; slot++) {
		avail = acct_number(&text);
		if (adopt)
			user->avail[slot] = avail;
		acct_expect("available of user", user->uid, slot, avail, user->avail[slot]);
		acct_expect("maximum of user", user->uid, slot, acct_number(&text),
			    acct_max[slot]);
	}
	return user;
}

static struct acct_quota *acct_check_quota(struct acct_user *user, const char *text, bool adopt)
{
	struct acct_quota *quota = acct_quota(user, (unsigned int)acct_number(&text));
	uint64_t claimed, avail;
	int slot;

	quota->seen = true;
	for (slot = 0; slot < N_SLOTS; slot++) {
		claimed = acct_number(&text);
		avail = acct_number(&text);
		if (adopt) {
			quota->claimed[slot] = claimed;
			quota->avail[slot] = avail;
		}
		acct_expect("claims of quota", quota->uid, slot, claimed, quota->claimed[slot]);
		acct_expect("available of quota", quota->uid, slot, avail, quota->avail[slot]);
	}
	return quota;
}

static void acct_check_trace(struct acct_quota *quota, const char *text)
{
	struct acct_trace *trace = acct_find_trace(quota, acct_number(&text));
	int slot;

	trace->seen = true;
	for (slot = 0; slot < N_SLOTS; slot++)
		acct_expect("claims of peer", trace->actor, slot, acct_number(&text),
			    trace->claimed[slot]);
}

/* All that is claimed was listed, and the sums are right. */
static void acct_check_quota_sums(struct acct_quota *quota)
{
	uint64_t sums[N_SLOTS] = {};
	struct acct_trace *trace;
	int slot;

	for (trace = quota->traces; trace; trace = trace->next) {
		if (acct_trace_counts(trace) && !trace->seen)
			ref_mismatch("accounts: claims of peer %llu are not listed",
				     (unsigned long long)trace->actor);
		for (slot = 0; slot < N_SLOTS; slot++)
			sums[slot] += trace->claimed[slot];
		trace->seen = false;
	}
	for (slot = 0; slot < N_SLOTS; slot++)
		acct_expect("sum of quota", quota->uid, slot, sums[slot] + quota->avail[slot],
			    quota->claimed[slot]);
}

static void acct_check_sums(struct acct_user *user)
{
	uint64_t sums[N_SLOTS] = {};
	struct acct_quota *quota;
	int slot;

	for (quota = user->quotas; quota; quota = quota->next) {
		acct_check_quota_sums(quota);
		if (acct_n_actors(quota) && !quota->seen)
			ref_mismatch("accounts: claims of UID %u are not listed", quota->uid);
		for (slot = 0; slot < N_SLOTS; slot++)
			sums[slot] += quota->claimed[slot];
		if (!user->seen && (quota->claimed[0] || quota->claimed[1]))
			ref_mismatch("accounts: UID %u is not listed", user->uid);
		quota->seen = false;
	}
	for (slot = 0; slot < N_SLOTS; slot++)
		acct_expect("sum of user", user->uid, slot, sums[slot] + user->avail[slot],
			    acct_max[slot]);
	user->seen = false;
}

static void acct_compare(const char *text, bool adopt)
{
	struct acct_quota *quota = NULL;
	struct acct_user *user = NULL;

	for (; *text; text++) {
		if (*text != ' ')
			user = acct_check_user(text, adopt);
		else if (user && text[2] != ' ')
			quota = acct_check_quota(user, text, adopt);
		else if (quota)
			acct_check_trace(quota, text);
		while (*text != '\n')
			text++;
	}
	for (user = acct_users; user; user = user->next)
		acct_check_sums(user);
}

void acct_check(const char *text)
{
	acct_compare(text, false);
}

void acct_adopt(const char *text)
{
	acct_compare(text, true);
}
