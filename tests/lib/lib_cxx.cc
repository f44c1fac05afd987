/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib_cxx: every function of the library from C++11
 *
 * That the header is usable, that the functions are found under their C names, and that each does
 * what it does for C; the details are in lib_c.
 */
#include "lib.h"

#include <string>
#include <vector>

namespace {

/* What a C++ program would do first: a peer that closes itself. */
class Peer {
public:
	Peer() : fd_(peer_ok()) {}
	~Peer() { close(fd_); }
	Peer(const Peer &) = delete;
	Peer &operator=(const Peer &) = delete;

	operator int() const { return fd_; }

private:
	const int fd_;
};

START_TEST(test_roundtrip)
{
	Peer service, client;
	uint64_t service_node, service_handle, reply_node, reply_handle;

	node_ok(service, client, &service_node, &service_handle);
	node_ok(client, -1, &reply_node, &reply_handle);

	std::vector<bus1_transfer> transfers { { 0, reply_handle } };
	std::string text = "question";
	letter l;
	letter_out(&l, text.data(), text.size(), transfers.data(), transfers.size());
	const std::vector<uint64_t> destinations { service_handle };
	std::vector<int32_t> errors { 17 };
	expect_ok(bus1_cmd_send(client, destinations.size(), destinations.data(), errors.data(),
				&l.message));
	ck_assert_int_eq(errors[0], 0);

	std::string room(32, 'x');
	bus1_metadata metadata;
	bus1_transfer received {};
	letter_in(&l, &room[0], room.size(), &received, 1);
	expect_ok(bus1_cmd_recv(service, &metadata, &l.message));
	room.resize(l.message.n_data);
	ck_assert(room == text);
	ck_assert_uint_eq(metadata.id, service_node);
	ck_assert_uint_eq(l.message.type, BUS1_MESSAGE_TYPE_USER);
	ck_assert_uint_eq(l.message.n_transfers, 1);

	const uint64_t reply = received.id;
	expect_ok(send_text(service, reply, "answer"));
	expect_text(client, reply_node, "answer");
	expect_ok(bus1_cmd_release(service, 1, &reply));
	expect_ok(bus1_cmd_release(client, 1, &reply_handle));
	expect_note(client, BUS1_MESSAGE_TYPE_HANDLE_RELEASE, reply_node);
	expect_ok(bus1_cmd_release(service, 1, &service_node));
	expect_note(client, BUS1_MESSAGE_TYPE_NODE_RELEASE, service_handle);
	expect_empty(client);
	expect_empty(service);
}
END_TEST

START_TEST(test_emsgsize)
{
	Peer peer;
	uint64_t node, handle;

	node_ok(peer, -1, &node, &handle);
	expect_ok(send_text(peer, handle, "0123456789"));

	bus1_metadata metadata;
	letter l;
	letter_in(&l, nullptr, 0, nullptr, 0);
	expect_error(EMSGSIZE, bus1_cmd_recv(peer, &metadata, &l.message));
	std::vector<char> room(l.message.n_data);
	ck_assert_uint_eq(room.size(), 10);
	l.vec.iov_base = room.data();
	l.vec.iov_len = room.size();
	expect_ok(bus1_cmd_recv(peer, &metadata, &l.message));
	ck_assert(std::string(room.begin(), room.end()) == "0123456789");
	expect_empty(peer);
}
END_TEST

START_TEST(test_errors)
{
	Peer peer;
	bus1_transfer src { 0, BUS1_INVALID }, dst {};
	const uint64_t unknown = 2;
	bus1_metadata metadata;
	letter l;

	expect_error(EBADRQC, bus1_cmd_transfer(0, peer, -1, 1, &src, &dst));
	expect_error(EINVAL, bus1_cmd_transfer(1, peer, -1, 1, &src, &dst));
	expect_error(EBADF, bus1_cmd_transfer(0, -1, peer, 1, &src, &dst));
	expect_error(EBADRQC, bus1_cmd_release(peer, 1, &unknown));
	expect_error(EFAULT, bus1_cmd_release(peer, 1, nullptr));
	expect_error(EFAULT, bus1_cmd_send(peer, 1, &unknown, nullptr, nullptr));
	letter_out(&l, "x", 1, nullptr, 0);
	expect_error(EBADRQC, bus1_cmd_send(peer, 1, &unknown, nullptr, &l.message));
	expect_error(EINVAL, bus1_cmd_recv(peer, &metadata, &l.message));
	expect_empty(peer);
}
END_TEST

} /* namespace */

int main()
{
	Suite *suite = suite_create("lib_cxx");
	TCase *tc = tcase_create("library");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_roundtrip);
	tcase_add_test(tc, test_emsgsize);
	tcase_add_test(tc, test_errors);
	suite_add_tcase(suite, tc);

	SRunner *runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	const int n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
