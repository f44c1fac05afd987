/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Who does what at the same time. What must come of it is checked by ops_finish(), the same for
 * all; a scenario adds what only it knows.
 *
 *	sc.c		who is there and what they do, if more than one of these needs it
 *	sc_messages.c	messages and multicasts
 *	sc_flight.c	handles in flight
 *	sc_refuse.c	messages to a node that is released
 *	sc_bundles.c	several entries of a transaction in one queue
 *	sc_release.c	releases
 *	sc_transfer.c	handles that are copied
 *	sc_load.c	a look at what is queued
 *	sc_close.c	peers that close
 *	sc_wait.c	peers that wait
 *	sc_kill.c	threads that are being killed
 *	sc_reuse.c	memory that is used again
 *	sc_acct.c	accounting
 *	scenarios.c	the table of all
 *
 * Names: a thread is named after the peer it works for. Peers that stay are pinned, so are objects
 * that nobody releases: their counts are then of no interest to the search.
 */
#ifndef SC_H
#define SC_H

#include "ops.h"

/* peers: owner of a node, sender, receivers */
extern struct peer *o, *s, *s2, *a, *b, *c;
extern u64 node, inbox_a, inbox_b, inbox_c;
/* handles, by holder and what they refer to */
extern u64 s_a, s_b, s2_a, s2_b, a_c, s_node, a_node, b_node;

struct peer *open_pinned(const char *name);
/* An inbox of @owner that stays, and a handle of @holder to send through. */
u64 channel(struct peer *owner, struct peer *holder, u64 *inbox);
/* Another handle to where @handle refers to. */
u64 copy(struct peer *from, struct peer *to, u64 handle);

/* what there is: peers, and handles that are named after holder and node */
void multicast_setup(void);		/* s_a, s_b */
void two_multicasts_setup(void);	/* and s2_a, s2_b */
void transfer_setup(void);		/* a_node, the last one; o may close; b has nothing */
void two_releases_setup(void);		/* a_node, b_node */
void release_atomic_setup(void);	/* a_node; b has one of a second node of o */

/* what a thread does */
void send_to_a(void);
void send2_to_a(void);
void send_twice_to_a(void);
void multicast_send(void);		/* to a and b */
void in_flight_send(void);		/* s_node, to a */
void send_and_forget(void);		/* the same, and then releases it */
void recv_on_a(void);
void recv_on_b(void);
void poll_on_a(void);
void recv_twice_on_a(void);
void recv_twice_on_b(void);
void recv_twice_on_c(void);
void recv_twice_on_o(void);
void reaction_react(void);		/* a receives, and sends to c */
void transfer_a_b(void);		/* a_node, if it is still there */
void release_node(void);
void release_a_node(void);
void release_b_node(void);
void release_both(void);		/* nodes of release_atomic_setup() */
void close_o(void);
void close_a(void);

extern const struct il_scenario sc_multicast, sc_multicast_order, sc_two_multicasts, sc_four_way;
extern const struct il_scenario sc_reaction, sc_long_reaction, sc_two_readers;

extern const struct il_scenario sc_in_flight, sc_in_flight_buffers, sc_in_flight_multicasts;
extern const struct il_scenario sc_in_flight_between;
extern const struct il_scenario sc_poll_recv_agree, sc_born_dead, sc_told, sc_in_flight_release;
extern const struct il_scenario sc_transfer_recv, sc_batch, sc_efault, sc_discard, sc_discard_recv;
extern const struct il_scenario sc_discard_buffers, sc_discard_two, sc_discard_close;
extern const struct il_scenario sc_emsgsize, sc_crossed, sc_crossed_listen;

extern const struct il_scenario sc_push, sc_push_multicast, sc_push_half;
extern const struct il_scenario sc_refuse, sc_refuse_poll, sc_refuse_close, sc_refuse_two;
extern const struct il_scenario sc_refuse_multicast;

extern const struct il_scenario sc_bundle, sc_bundle_single, sc_two_bundles, sc_bundles_single;
extern const struct il_scenario sc_bundle_head, sc_bundle_middle, sc_bundle_tail, sc_bundle_all;
extern const struct il_scenario sc_two_bundles_release, sc_bundle_reaction;
extern const struct il_scenario sc_bundle_notes, sc_bundle_notes_first, sc_bundle_notes_close;
extern const struct il_scenario sc_bundle_last, sc_bundle_last_first;

extern const struct il_scenario sc_last_two, sc_last_two_discarded, sc_last_two_close;
extern const struct il_scenario sc_two_releases, sc_three_releases, sc_same_release;
extern const struct il_scenario sc_release_atomic, sc_release_order, sc_release_reaction;

extern const struct il_scenario sc_transfer_close, sc_transfer_release, sc_transfer_abort;
extern const struct il_scenario sc_transfer_stat, sc_stat_batch, sc_transfer_told;
extern const struct il_scenario sc_transfer_put;

extern const struct il_scenario sc_load, sc_load_handle, sc_load_release, sc_load_two;

extern const struct il_scenario sc_seal, sc_seal_multicast, sc_close_both, sc_both_ends;
extern const struct il_scenario sc_in_flight_close;

extern const struct il_scenario sc_poll_wake, sc_poll_multicast, sc_poll_buffers, sc_edge;
extern const struct il_scenario sc_edge_looks, sc_edge_transfer, sc_edge_copy, sc_edge_release;
extern const struct il_scenario sc_edge_handle;

extern const struct il_scenario sc_kill_handle, sc_kill_handle_recv, sc_kill_close, sc_kill_node;
extern const struct il_scenario sc_kill_recv, sc_kill_poll;

extern const struct il_scenario sc_reuse, sc_reuse_twice, sc_reuse_close, sc_reuse_handle;
extern const struct il_scenario sc_reuse_large;

extern const struct il_scenario sc_charge, sc_charge_put, sc_trace_get, sc_trace_walk;
extern const struct il_scenario sc_charge_messages;

#endif /* SC_H */
