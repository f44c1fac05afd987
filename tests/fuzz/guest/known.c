// SPDX-License-Identifier: LGPL-2.1-or-later
#include "guest.h"

unsigned int guest_ident_new(bool shared)
{
	unsigned int serial = shared ? ++guest->last_shared_serial | GUEST_SHARED_SERIAL :
				       ++guest->last_serial;
	struct guest_ident *ident = guest_ident_of(serial);

	/* whoever has the peer that this was about knows nothing of it any more */
	memset(ident, 0, sizeof(*ident));
	ident->serial = serial;
	return serial;
}

struct guest_ident *guest_ident_of(unsigned int serial)
{
	if (serial & GUEST_SHARED_SERIAL)
		return &guest->shared_idents[serial % GUEST_N_SHARED_IDENTS];
	return &guest->idents[serial % GUEST_N_IDENTS];
}

uint64_t guest_find(struct guest_thread *thread, _Atomic uint64_t *ids)
{
	unsigned int i, at = guest_rand(&thread->rng, GUEST_N_IDS);
	uint64_t id;

	for (i = 0; i < GUEST_N_IDS; i++) {
		id = ids[(at + i) % GUEST_N_IDS];
		if (id)
			return id;
	}
	return 0;
}

uint64_t guest_take(struct guest_thread *thread, _Atomic uint64_t *ids)
{
	unsigned int i, at = guest_rand(&thread->rng, GUEST_N_IDS);
	uint64_t id;

	for (i = 0; i < GUEST_N_IDS; i++) {
		if (!ids[(at + i) % GUEST_N_IDS])
			continue;
		id = atomic_exchange(&ids[(at + i) % GUEST_N_IDS], 0);
		if (id)
			return id;
	}
	return 0;
}

uint64_t guest_remember(struct guest_thread *thread, _Atomic uint64_t *ids, uint64_t id)
{
	unsigned int i, at = guest_rand(&thread->rng, GUEST_N_IDS);
	uint64_t none;

	for (i = 0; i < GUEST_N_IDS; i++) {
		none = 0;
		if (atomic_compare_exchange_strong(&ids[(at + i) % GUEST_N_IDS], &none, id))
			return 0;
	}
	return atomic_exchange(&ids[at], id);
}

void guest_forget(struct guest_ident *ident, uint64_t id)
{
	unsigned int i;

	for (i = 0; i < GUEST_N_IDS; i++) {
		if (ident->handles[i] == id)
			ident->handles[i] = 0;
		if (ident->nodes[i] == id)
			ident->nodes[i] = 0;
	}
}
