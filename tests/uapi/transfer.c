// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * IDs and the transfer command: sections "IDs" and "transfer" of the contract, n = 1 to 5
 */
#include "b1t.h"

#include <sys/mman.h>

/* Fills @src with @n requests for a new node. */
static void want_nodes(struct bus1_transfer *src, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		src[i] = (struct bus1_transfer){ BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID };
}

/* The IDs of a successful transfer: flags 0, managed, rising above *@lastp, which is updated. */
static void check_ids(const struct bus1_transfer *t, size_t n, uint64_t *lastp)
{
	size_t i;

	for (i = 0; i < n; i++) {
		ck_assert_uint_eq(t[i].flags, 0);
		ck_assert(t[i].id & BUS1_MANAGED);
		ck_assert(t[i].id != BUS1_INVALID);
		ck_assert_uint_gt(t[i].id, *lastp);
		*lastp = t[i].id;
	}
}

/* @handle of @fd reaches @node of @owner. */
static void check_link(int fd, uint64_t handle, int owner, uint64_t node)
{
	ck_assert_int_eq(b1t_send_text(fd, handle, "link"), 0);
	b1t_expect_text(owner, node, "link");
}

/* CREATE: a node in from and a handle to it in to, for each element; flags come back as 0 */
START_TEST(transfer_creates_n_nodes)
{
	struct bus1_transfer src[5], dst[5];
	uint64_t last_a, last_b;
	size_t n, i;
	int a, b;

	for (n = 1; n <= 5; n++) {
		a = b1t_peer();
		b = b1t_peer();
		want_nodes(src, n);
		memset(dst, 0xff, sizeof(dst));
		ck_assert_int_eq(b1t_transfer(a, b, n, src, dst), 0);
		last_a = last_b = 0;
		check_ids(src, n, &last_a);
		check_ids(dst, n, &last_b);
		for (i = 0; i < n; i++)
			check_link(b, dst[i].id, a, src[i].id);
		for (i = n; i < 5; i++)
			ck_assert_uint_eq(dst[i].id, BUS1_INVALID);
		close(a);
		close(b);
	}
}
END_TEST

/* without CREATE: a new handle to the same node appears in to, for each element */
START_TEST(transfer_copies_n_handles)
{
	struct bus1_transfer src[5], mid[5], copy[5], dst[5];
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t last = 0;
	size_t i;

	want_nodes(src, 5);
	ck_assert_int_eq(b1t_transfer(a, b, 5, src, mid), 0);
	memcpy(copy, mid, sizeof(mid));
	ck_assert_int_eq(b1t_transfer(b, c, 5, copy, dst), 0);
	check_ids(dst, 5, &last);
	for (i = 0; i < 5; i++) {
		ck_assert_uint_eq(copy[i].id, mid[i].id);
		check_link(c, dst[i].id, a, src[i].id);
		check_link(b, mid[i].id, a, src[i].id);
	}
}
END_TEST

/* copies and creations may be mixed in one call */
START_TEST(transfer_mixes_create_and_copy)
{
	struct bus1_transfer src[5], dst[5];
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t last = 0, n0, h0, n1, h1;
	size_t i;

	b1t_node_ok(b, a, &n0, &h0);
	b1t_node_ok(b, a, &n1, &h1);
	want_nodes(src, 5);
	src[1] = (struct bus1_transfer){ .id = h1 };
	src[3] = (struct bus1_transfer){ .id = h0 };
	ck_assert_int_eq(b1t_transfer(a, c, 5, src, dst), 0);
	check_ids(dst, 5, &last);
	for (i = 0; i < 5; i += 2)
		check_link(c, dst[i].id, a, src[i].id);
	check_link(c, dst[1].id, b, n1);
	check_link(c, dst[3].id, b, n0);
}
END_TEST

/* one handle named several times gives as many copies, each counted */
START_TEST(transfer_copies_one_handle_several_times)
{
	struct bus1_transfer src[4], dst[4];
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t last = 0, node, handle;
	size_t i;

	b1t_node_ok(a, b, &node, &handle);
	for (i = 0; i < 4; i++)
		src[i] = (struct bus1_transfer){ .id = handle };
	ck_assert_int_eq(b1t_transfer(b, c, 4, src, dst), 0);
	check_ids(dst, 4, &last);
	ck_assert_int_eq(b1t_release1(b, handle), 0);
	for (i = 0; i < 4; i++) {
		check_link(c, dst[i].id, a, node);
		b1t_expect_empty(a);
		ck_assert_int_eq(b1t_release1(c, dst[i].id), 0);
	}
	b1t_expect_handle_release(a, node);
}
END_TEST

/* one array for both: copies replace what they are copies of; of a new node only the handle is left */
START_TEST(transfer_in_one_array)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	struct bus1_transfer both[3];
	uint64_t last = 0, node[2], handle[2];
	size_t i;

	/* so that the node and the handle get different IDs */
	b1t_node_ok(a, b, NULL, &handle[0]);
	for (i = 0; i < 2; i++) {
		b1t_node_ok(a, b, &node[i], &handle[i]);
		both[i] = (struct bus1_transfer){ .id = handle[i] };
	}
	want_nodes(&both[2], 1);
	ck_assert_int_eq(b1t_transfer(b, c, 3, both, both), 0);
	check_ids(both, 3, &last);
	for (i = 0; i < 2; i++)
		check_link(c, both[i].id, a, node[i]);
	/* the first ID behind the two handles: the node that nobody has told of */
	ck_assert_uint_ne(both[2].id, handle[1] + 2);
	check_link(c, both[2].id, b, handle[1] + 2);
}
END_TEST

/* from and to may be one peer: as -1, through its own descriptor, through a dup */
START_TEST(transfer_to_the_same_peer)
{
	struct bus1_transfer src[3], dst[3], copy[3];
	int a = b1t_peer(), to[3] = { -1, a, dup(a) };
	uint64_t last = 0, low;
	size_t i, k;

	for (k = 0; k < 3; k++) {
		want_nodes(src, 3);
		ck_assert_int_eq(b1t_transfer(a, to[k], 3, src, dst), 0);
		for (low = last, i = 0; i < 3; i++) {
			ck_assert_uint_gt(src[i].id, low);
			ck_assert_uint_gt(dst[i].id, low);
			ck_assert_uint_ne(dst[i].id, src[i].id);
			check_link(a, dst[i].id, a, src[i].id);
			last = src[i].id > last ? src[i].id : last;
			last = dst[i].id > last ? dst[i].id : last;
		}
		memcpy(copy, dst, sizeof(copy));
		ck_assert_int_eq(b1t_transfer(to[2], to[k], 3, copy, dst), 0);
		check_ids(dst, 3, &last);
		for (i = 0; i < 3; i++)
			check_link(a, dst[i].id, a, src[i].id);
	}
}
END_TEST

/* all n happen or none: behind a bad fourth element there are no ghosts of the first three */
START_TEST(transfer_all_or_nothing)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	struct bus1_transfer src[5], dst[5];
	uint64_t node, handle;
	size_t i, bad;

	b1t_node_ok(a, b, &node, &handle);
	for (bad = 0; bad < 5; bad++) {
		for (i = 0; i < 5; i++)
			src[i] = (struct bus1_transfer){ .id = i == bad ? handle + 1 : handle };
		ck_assert_int_eq(b1t_transfer(b, c, 5, src, dst), -EBADRQC);
		src[bad] = (struct bus1_transfer){ .flags = 2, .id = handle };
		ck_assert_int_eq(b1t_transfer(b, c, 5, src, dst), -EINVAL);
	}
	check_link(b, handle, a, node);
	ck_assert_int_eq(b1t_release1(b, handle), 0);
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
}
END_TEST

/* a transfer that is not a creation changes nothing in from and does not tell the owner */
START_TEST(transfer_is_silent)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t node, handle;

	b1t_node_ok(a, b, &node, &handle);
	b1t_copy_ok(b, c, handle);
	b1t_expect_empty(a);
	b1t_expect_empty(b);
	b1t_expect_empty(c);
	check_link(b, handle, a, node);
}
END_TEST

/* a dead handle may be transferred; the copy is dead and gets NODE_RELEASE at once */
START_TEST(transfer_of_dead_handles)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	struct bus1_transfer src[3], dst[3];
	uint64_t nodes[2], handles[2], ids[3], alive, node;
	size_t i;

	b1t_node_ok(a, b, &nodes[0], &handles[0]);
	b1t_node_ok(a, b, &node, &alive);
	b1t_node_ok(a, b, &nodes[1], &handles[1]);
	ck_assert_int_eq(b1t_release(a, 2, nodes), 0);
	b1t_expect_node_releases(b, 2, handles);

	src[0] = (struct bus1_transfer){ .id = handles[0] };
	src[1] = (struct bus1_transfer){ .id = alive };
	src[2] = (struct bus1_transfer){ .id = handles[1] };
	ck_assert_int_eq(b1t_transfer(b, c, 3, src, dst), 0);
	for (i = 0; i < 3; i++)
		ids[i] = dst[i].id;
	check_link(c, ids[1], a, node);
	ids[1] = ids[2];
	b1t_expect_node_releases(c, 2, ids);
	b1t_expect_empty(c);
	b1t_expect_empty(b);

	/* the same within one peer, and the copy of a copy */
	ids[0] = b1t_copy_ok(c, -1, ids[0]);
	b1t_expect_node_release(c, ids[0]);
	ids[0] = b1t_copy_ok(c, b, ids[0]);
	b1t_expect_node_release(b, ids[0]);
	b1t_expect_empty(c);
	b1t_expect_empty(a);
}
END_TEST

/* nodes and handles share one ID space per peer; peers know nothing of each other's */
START_TEST(ids_are_one_space_per_peer)
{
	int a = b1t_peer(), b = b1t_peer(), c = b1t_peer();
	uint64_t ids[10], node, handle, other = 0;
	size_t i, j;

	for (i = 0; i < 10; i += 2)
		b1t_node_ok(a, -1, &ids[i], &ids[i + 1]);
	for (i = 0; i < 10; i++)
		for (j = 0; j < i; j++)
			ck_assert_uint_ne(ids[i], ids[j]);
	for (i = 0; i < 10; i++)
		b1t_expect_unknown(c, ids[i]);
	b1t_node_ok(b, a, &node, &handle);
	for (i = 0; i < 10; i++)
		ck_assert_uint_gt(handle, ids[i]);
	/* as many objects more in one peer do not show in the IDs of another */
	for (i = 0; i < 50; i++)
		b1t_node_ok(a, -1, NULL, &handle);
	b1t_node_ok(b, c, &other, &handle);
	ck_assert_uint_lt(other - node, 50);
}
END_TEST

/* an ID that is not an object of the wanted kind is EBADRQC; even IDs, 0 and INVALID never exist */
START_TEST(ids_of_the_wrong_kind)
{
	int a = b1t_peer();
	struct bus1_transfer src, dst;
	uint64_t node, handle, id;

	b1t_node_ok(a, -1, &node, &handle);
	src = (struct bus1_transfer){ .id = node };
	ck_assert_int_eq(b1t_transfer(a, -1, 1, &src, &dst), -EBADRQC);
	ck_assert_int_eq(b1t_send_text(a, node, "x"), -EBADRQC);
	ck_assert_int_eq(b1t_send(a, 1, &handle, "x", 1, &node, 1), -EBADRQC);
	for (id = 0; id <= handle + 1; id += 2)
		b1t_expect_unknown(a, id);
	b1t_expect_unknown(a, BUS1_INVALID);
	b1t_expect_unknown(a, BUS1_INVALID - 1);
	b1t_expect_unknown(a, (node > handle ? node : handle) + 2);
	b1t_expect_empty(a);
	check_link(a, handle, a, node);
}
END_TEST

/* released IDs do not come back */
START_TEST(ids_never_reused_after_release)
{
	int a = b1t_peer();
	uint64_t node, handle, last = 0;
	size_t i;

	for (i = 0; i < 100; i++) {
		b1t_node_ok(a, -1, &node, &handle);
		ck_assert_uint_gt(node, last);
		ck_assert_uint_gt(handle, last);
		last = node > handle ? node : handle;
		ck_assert_int_eq(B1T_RELEASE(a, handle, node), 0);
		b1t_expect_unknown(a, node);
		b1t_expect_unknown(a, handle);
	}
}
END_TEST

/* an ID that a failing transfer handed out is used up, and names nothing */
START_TEST(ids_never_reused_after_failed_transfer)
{
	struct bus1_transfer *rw, *ro, *src;
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle, seen = 0;
	size_t i;

	rw = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(rw, MAP_FAILED);
	ck_assert_int_eq(mprotect((char *)rw + 4096, 4096, PROT_READ), 0);
	ro = (struct bus1_transfer *)((char *)rw + 4096);
	src = rw;
	b1t_node_ok(a, b, &node, &handle);
	/* dst straddles the edge of the writable page: IDs may be stored before the fault */
	for (i = 0; i < 10; i++) {
		want_nodes(src, 4);
		memset(ro - 2, 0, 2 * sizeof(*ro));
		ck_assert_int_eq(b1t_transfer(a, b, 4, src, ro - 2), -EFAULT);
		if (ro[-1].id > seen && ro[-1].id != BUS1_INVALID)
			seen = ro[-1].id;
	}
	b1t_expect_empty(a);
	b1t_node_ok(a, b, NULL, &handle);
	ck_assert_uint_gt(handle, seen);
	if (seen)
		b1t_expect_unknown(b, seen);
	/* no node was left behind with a count, none without */
	ck_assert_int_eq(b1t_release1(b, handle), 0);
	ck_assert_int_eq(b1t_release1(a, node), 0);
}
END_TEST

/* an ID that a failing recv stored is used up too; the retry installs fresh ones */
START_TEST(ids_never_reused_after_failed_recv)
{
	int a = b1t_peer(), b = b1t_peer();
	struct bus1_message message = { .type = BUS1_INVALID, .n_transfers = 2 };
	struct bus1_metadata metadata;
	struct bus1_cmd_recv cmd = {
		.ptr_metadata = BUS1_FROM_PTR(&metadata),
		.ptr_message = BUS1_FROM_PTR(&message),
	};
	uint64_t node, handle, own_node, own, got[2], seen;
	struct bus1_transfer *edge;
	char *map;

	map = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert_ptr_ne(map, MAP_FAILED);
	ck_assert_int_eq(mprotect(map + 4096, 4096, PROT_READ), 0);
	edge = (struct bus1_transfer *)(map + 4096);
	b1t_node_ok(b, a, &node, &handle);
	b1t_node_ok(a, -1, &own_node, &own);
	b1t_send_ok(a, handle, "", 2, (uint64_t[]){ own, own });

	message.ptr_transfers = BUS1_FROM_PTR(edge - 1);
	ck_assert_int_eq(b1t_ioctl(b, BUS1_CMD_RECV, &cmd), -EFAULT);
	seen = edge[-1].id;
	b1t_expect_handles(b, node, "", 2, got);
	ck_assert_uint_gt(got[0], seen);
	ck_assert_uint_gt(got[1], got[0]);
	if (seen)
		b1t_expect_unknown(b, seen);
	check_link(b, got[0], a, own_node);
	check_link(b, got[1], a, own_node);
}
END_TEST

/* reading NODE_RELEASE does not end the handle's ID; only its release does */
START_TEST(ids_of_dead_handles_stay_valid)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle, copy;

	b1t_node_ok(a, b, &node, &handle);
	ck_assert_int_eq(b1t_release1(a, node), 0);
	ck_assert_int_eq(b1t_send_text(b, handle, "unread note"), 0);
	b1t_expect_node_release(b, handle);
	ck_assert_int_eq(b1t_send_text(b, handle, "read note"), 0);
	copy = b1t_copy_ok(b, -1, handle);
	ck_assert_int_eq(B1T_RELEASE(b, handle, copy), 0);
	b1t_expect_unknown(b, handle);
	b1t_expect_unknown(b, copy);
	b1t_expect_empty(b);
	b1t_expect_empty(a);
}
END_TEST

/* reading HANDLE_RELEASE does not end the node's ID; only its release does */
START_TEST(ids_of_unreachable_nodes_stay_valid)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle;

	b1t_node_ok(a, b, &node, &handle);
	ck_assert_int_eq(b1t_release1(b, handle), 0);
	b1t_expect_handle_release(a, node);
	/* still a node: not a handle, and known to release */
	ck_assert_int_eq(b1t_send_text(a, node, "x"), -EBADRQC);
	ck_assert_int_eq(b1t_release1(a, node), 0);
	ck_assert_int_eq(b1t_release1(a, node), -EBADRQC);
	b1t_expect_empty(a);
}
END_TEST

/* handles are not coalesced: not with one the receiver has, not with the owner's own node */
START_TEST(ids_are_fresh_for_every_transfer)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, ids[5];
	size_t i, j;

	b1t_node_ok(a, b, &node, &ids[0]);
	for (i = 1; i < 5; i++)
		ids[i] = b1t_copy_ok(b, b, ids[0]);
	for (i = 0; i < 5; i++)
		for (j = 0; j < i; j++)
			ck_assert_uint_ne(ids[i], ids[j]);
	for (i = 0; i < 5; i++) {
		check_link(b, ids[i], a, node);
		ck_assert_int_eq(b1t_release1(b, ids[i]), 0);
		for (j = i + 1; j < 5; j++)
			check_link(b, ids[j], a, node);
	}
	b1t_expect_handle_release(a, node);
}
END_TEST

/* a handle given back to the owner is a fresh handle, not the node */
START_TEST(ids_are_fresh_for_the_owner)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle, own[2];

	b1t_node_ok(a, b, &node, &handle);
	own[0] = b1t_copy_ok(b, a, handle);
	own[1] = b1t_copy_ok(b, a, handle);
	ck_assert_uint_ne(own[0], node);
	ck_assert_uint_ne(own[1], node);
	ck_assert_uint_ne(own[0], own[1]);
	check_link(a, own[0], a, node);
	check_link(a, own[1], a, node);
}
END_TEST

/* the owner's own handles count as handles */
START_TEST(ids_own_handles_count)
{
	int a = b1t_peer(), b = b1t_peer();
	uint64_t node, handle, own;

	b1t_node_ok(a, b, &node, &handle);
	own = b1t_copy_ok(b, a, handle);
	ck_assert_int_eq(b1t_release1(b, handle), 0);
	b1t_expect_empty(a);
	check_link(a, own, a, node);
	ck_assert_int_eq(b1t_release1(a, own), 0);
	b1t_expect_handle_release(a, node);
	b1t_expect_empty(a);
}
END_TEST

TCase *b1t_tcase_transfer(void)
{
	TCase *tc = tcase_create("transfer");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, transfer_creates_n_nodes);
	tcase_add_test(tc, transfer_copies_n_handles);
	tcase_add_test(tc, transfer_mixes_create_and_copy);
	tcase_add_test(tc, transfer_copies_one_handle_several_times);
	tcase_add_test(tc, transfer_in_one_array);
	tcase_add_test(tc, transfer_to_the_same_peer);
	tcase_add_test(tc, transfer_all_or_nothing);
	tcase_add_test(tc, transfer_is_silent);
	tcase_add_test(tc, transfer_of_dead_handles);
	tcase_add_test(tc, ids_are_one_space_per_peer);
	tcase_add_test(tc, ids_of_the_wrong_kind);
	tcase_add_test(tc, ids_never_reused_after_release);
	tcase_add_test(tc, ids_never_reused_after_failed_transfer);
	tcase_add_test(tc, ids_never_reused_after_failed_recv);
	tcase_add_test(tc, ids_of_dead_handles_stay_valid);
	tcase_add_test(tc, ids_of_unreachable_nodes_stay_valid);
	tcase_add_test(tc, ids_are_fresh_for_every_transfer);
	tcase_add_test(tc, ids_are_fresh_for_the_owner);
	tcase_add_test(tc, ids_own_handles_count);
	return tc;
}
