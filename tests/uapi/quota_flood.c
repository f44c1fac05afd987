// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Floods: users who send a service all that they are granted, each with several peers. How much an
 * honest newcomer can still send, and that the service itself does not notice. Prints a table.
 */
#include "quota.h"

#define SERVICE 500
#define NEWCOMER 600
#define ATTACKER 10000
#define N_PEERS 4

static const size_t n_attackers[] = { 0, 1, 10, 100 };

/* Everything that the service does for itself; its own use is small. */
static void serve(struct q_peer *service, struct q_dest self, size_t n_queued)
{
	size_t i;

	ck_assert(q_nodes(service, service, 1, NULL));
	ck_assert(q_copies(service, service, self.handle, 3));
	for (i = 0; i < 4; i++)
		q_release(service, q_last(service));
	q_release(service, q_last(service));
	if (service->n_messages < n_queued + 5)
		ck_assert(q_send(service, self, 2, 64));
}

/* One peer sends what it may, first of the bytes, because a message takes an object. */
static bool attack(struct q_peer *peer, struct q_dest dest)
{
	struct q_who who = q_who(dest.peer, peer);
	bool sent = false;
	uint64_t most;

	most = q_most(who, Q_BYTES);
	if (most && q_grants(who, 1, most))
		sent |= q_send(peer, dest, 0, most);
	most = q_most(who, Q_OBJECTS);
	if (most && q_grants(who, most, 0))
		sent |= q_send(peer, dest, most - 1, 0);
	return sent;
}

/* All peers of all attackers in turn, until nobody is granted anything. */
static void flood(struct q_peer *service, size_t n)
{
	size_t i, n_peers = n * N_PEERS;
	struct q_peer **peers = calloc(n_peers + 1, sizeof(*peers));
	struct q_dest *dests = calloc(n_peers + 1, sizeof(*dests));
	bool sent;

	ck_assert(peers && dests);
	for (i = 0; i < n_peers; i++) {
		peers[i] = q_peer(ATTACKER + i / N_PEERS);
		dests[i] = q_connect(peers[i], service);
	}
	do {
		sent = false;
		for (i = 0; i < n_peers; i++)
			sent |= attack(peers[i], dests[i]);
	} while (sent);
	for (i = 0; i < n_peers; i++) {
		ck_assert(!q_send(peers[i], dests[i], 0, 1));
		ck_assert(!q_send(peers[i], dests[i], 1, 0));
	}
	free(peers);
	free(dests);
}

/* The first message of a newcomer: it gets what the formulas say, and not more. */
static void arrive(struct q_peer *newcomer, struct q_dest dest, uint64_t objects, uint64_t bytes)
{
	struct q_who who = q_who(dest.peer, newcomer);

	ck_assert_uint_gt(objects, 0);
	ck_assert_uint_gt(bytes, 0);
	ck_assert(!q_send(newcomer, dest, objects, 0));
	ck_assert(!q_send(newcomer, dest, 0, bytes + 1));
	ck_assert(q_send(newcomer, dest, 0, bytes));
	if (q_grants(who, objects, 0))
		ck_assert(q_send(newcomer, dest, objects - 1, 0));
}

/* The service reads all, keeps nothing of it, and goes on with its work meanwhile. */
static void drain(struct q_peer *service, struct q_dest self)
{
	size_t own = service->n_objects;

	while (service->n_messages) {
		q_recv(service);
		while (service->n_objects > own)
			q_release(service, q_last(service));
		serve(service, self, 0);
		if (service->n_messages <= 5)
			break;
	}
	while (service->n_messages) {
		q_recv(service);
		while (service->n_objects > own)
			q_release(service, q_last(service));
	}
}

START_TEST(flood_of_users)
{
	struct q_peer *service = q_peer(SERVICE), *newcomer = q_peer(NEWCOMER);
	struct q_dest self = q_connect(service, service), dest = q_connect(newcomer, service);
	uint64_t left[Q_SLOTS], objects, bytes;
	size_t n_queued;

	if (!_i)
		printf("attackers  peers  objects left   bytes left  newcomer: objects    bytes\n");
	flood(service, n_attackers[_i]);
	left[Q_OBJECTS] = q_avail(SERVICE, Q_OBJECTS);
	left[Q_BYTES] = q_avail(SERVICE, Q_BYTES);
	objects = q_most(q_who(service, newcomer), Q_OBJECTS);
	bytes = q_most(q_who(service, newcomer), Q_BYTES);
	printf("%9zu %6zu %7llu of %-5llu %7llu of %-8llu %10llu %8llu\n", n_attackers[_i],
	       n_attackers[_i] * N_PEERS, (unsigned long long)left[Q_OBJECTS],
	       (unsigned long long)q_max(Q_OBJECTS), (unsigned long long)left[Q_BYTES],
	       (unsigned long long)q_max(Q_BYTES), (unsigned long long)objects,
	       (unsigned long long)bytes);
	fflush(stdout);
	arrive(newcomer, dest, objects, bytes);
	q_check();
	n_queued = service->n_messages;
	serve(service, self, n_queued);
	serve(service, self, n_queued);
	drain(service, self);
	q_check();
	/* after that everything is as it was before the flood */
	ck_assert_uint_eq(q_claimed(q_who(service, newcomer), Q_OBJECTS), 0);
	ck_assert_uint_gt(q_avail(SERVICE, Q_OBJECTS), q_max(Q_OBJECTS) - 20);
	ck_assert_uint_eq(q_avail(SERVICE, Q_BYTES), q_max(Q_BYTES));
}
END_TEST

TCase *b1t_tcase_flood(void)
{
	TCase *tc = tcase_create("flood");

	tcase_set_timeout(tc, 240);
	tcase_add_checked_fixture(tc, q_setup, q_teardown);
	tcase_add_loop_test(tc, flood_of_users, 0, B1T_N(n_attackers));
	return tc;
}
