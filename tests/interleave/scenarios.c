// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The scenarios that are searched completely: see sc.h.
 */
#include "sc.h"
#include "scenarios.h"

/* those that take long come last, so that a mistake is found early */
const struct il_scenario *const scenarios[] = {
	&sc_edge_looks, &sc_edge_release, &sc_poll_wake, &sc_transfer_abort, &sc_transfer_stat,
	&sc_edge_handle, &sc_charge, &sc_charge_put, &sc_charge_messages, &sc_edge, &sc_load,
	&sc_load_handle,
	&sc_load_two, &sc_load_release, &sc_edge_transfer, &sc_edge_copy, &sc_discard,
	&sc_discard_recv, &sc_emsgsize, &sc_two_releases, &sc_same_release, &sc_two_readers,
	&sc_transfer_close, &sc_crossed_listen, &sc_kill_recv, &sc_kill_handle_recv,
	&sc_kill_handle, &sc_poll_buffers, &sc_in_flight_buffers, &sc_discard_buffers,
	&sc_reuse, &sc_reuse_twice, &sc_reuse_large, &sc_reuse_handle, &sc_reuse_close,
	&sc_release_order, &sc_transfer_release, &sc_close_both, &sc_discard_close,
	&sc_poll_multicast, &sc_multicast, &sc_reaction, &sc_bundle, &sc_seal, &sc_seal_multicast,
	&sc_kill_close, &sc_transfer_put, &sc_trace_walk,
	&sc_last_two, &sc_last_two_discarded, &sc_last_two_close, &sc_kill_poll, &sc_two_multicasts,
	&sc_transfer_recv, &sc_release_reaction, &sc_three_releases, &sc_multicast_order,
	&sc_release_atomic, &sc_in_flight_close, &sc_push, &sc_push_multicast,
	&sc_bundle_last_first, &sc_bundle_last, &sc_bundle_notes, &sc_bundle_notes_first,
	&sc_bundle_notes_close, &sc_bundle_all, &sc_bundle_reaction, &sc_bundle_tail,
	&sc_bundle_middle, &sc_bundle_head, &sc_in_flight, &sc_efault, &sc_both_ends, &sc_four_way,
	&sc_crossed, &sc_discard_two, &sc_trace_get, &sc_refuse_close, &sc_kill_node,
	&sc_push_half, &sc_born_dead, &sc_transfer_told, &sc_refuse_multicast, &sc_refuse,
	&sc_refuse_two, &sc_bundle_single, &sc_in_flight_release, &sc_long_reaction,
	&sc_in_flight_multicasts, &sc_in_flight_between, &sc_poll_recv_agree, &sc_refuse_poll, &sc_bundles_single,
	&sc_two_bundles_release, &sc_two_bundles, &sc_told, &sc_batch, &sc_stat_batch,
	NULL,
};
