// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The scenarios that are searched completely: see sc.h.
 */
#include "sc.h"
#include "scenarios.h"

/* those that take long come last, so that a mistake is found early */
const struct il_scenario *const scenarios[] = {
	&sc_multicast, &sc_reaction, &sc_release_reaction,
	&sc_in_flight, &sc_discard, &sc_discard_recv, &sc_discard_two, &sc_discard_close,
	&sc_emsgsize, &sc_efault,
	&sc_transfer_close, &sc_transfer_release, &sc_transfer_abort, &sc_transfer_stat,
	&sc_seal, &sc_seal_multicast, &sc_close_both, &sc_in_flight_close, &sc_crossed_listen,
	&sc_two_releases, &sc_three_releases, &sc_same_release, &sc_release_atomic,
	&sc_release_order, &sc_two_readers,
	&sc_poll_wake, &sc_poll_multicast, &sc_edge, &sc_edge_looks, &sc_edge_transfer, &sc_edge_copy,
	&sc_edge_release, &sc_edge_handle,
	&sc_poll_buffers, &sc_in_flight_buffers, &sc_discard_buffers,
	&sc_charge, &sc_charge_put, &sc_charge_messages, &sc_trace_get, &sc_trace_walk,
	&sc_reuse, &sc_reuse_twice, &sc_reuse_close, &sc_reuse_handle,
	&sc_multicast_order, &sc_two_multicasts, &sc_born_dead, &sc_transfer_recv, &sc_both_ends,
	&sc_in_flight_release, &sc_in_flight_multicasts, &sc_told, &sc_poll_recv_agree,
	&sc_long_reaction, &sc_four_way, &sc_crossed, &sc_batch, &sc_stat_batch,
	NULL,
};
