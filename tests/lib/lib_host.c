/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lib_host: how the library reports errors, on a machine that need not have the module
 *
 * No call here reaches a peer: the descriptors are bad ones, or not of bus1.
 */
#include "lib.h"

START_TEST(test_no_device)
{
	int fd;

	if (access("/dev/bus1", F_OK) == 0) {
		fd = peer_ok();
		ck_assert_int_eq(close(fd), 0);
		return;
	}
	errno = ERRNO_UNTOUCHED;
	fd = bus1_peer_new();
	ck_assert_msg(fd == -ENOENT || fd == -ENXIO, "bus1_peer_new returned %d", fd);
	ck_assert_int_eq(errno, -fd);
}
END_TEST

static void all_calls_fail(int error, int fd)
{
	struct bus1_transfer src = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID }, dst;
	struct bus1_metadata metadata;
	const uint64_t id = 1;
	struct letter out, in;

	letter_out(&out, "x", 1, NULL, 0);
	letter_in(&in, NULL, 0, NULL, 0);
	expect_error(error, bus1_cmd_transfer(0, fd, -1, 1, &src, &dst));
	expect_error(error, bus1_cmd_transfer(0, fd, fd, 0, NULL, NULL));
	expect_error(error, bus1_cmd_release(fd, 1, &id));
	expect_error(error, bus1_cmd_send(fd, 1, &id, NULL, &out.message));
	expect_error(error, bus1_cmd_recv(fd, &metadata, &in.message));
	ck_assert_uint_eq(src.flags, BUS1_TRANSFER_FLAG_CREATE);
	ck_assert_uint_eq(src.id, BUS1_INVALID);
	ck_assert_uint_eq(in.message.type, BUS1_INVALID);
}

START_TEST(test_bad_descriptor)
{
	int fd = dup(0);

	all_calls_fail(EBADF, -1);
	all_calls_fail(EBADF, -4711);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(close(fd), 0);
	all_calls_fail(EBADF, fd);
}
END_TEST

START_TEST(test_foreign_descriptor)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC), fds[2];

	ck_assert_int_ge(null, 0);
	ck_assert_int_eq(pipe(fds), 0);
	all_calls_fail(ENOTTY, null);
	all_calls_fail(ENOTTY, fds[0]);
	close(null);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("lib_host");
	TCase *tc = tcase_create("errors");
	SRunner *runner;
	int n_failed;

	tcase_add_test(tc, test_no_device);
	tcase_add_test(tc, test_bad_descriptor);
	tcase_add_test(tc, test_foreign_descriptor);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	n_failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
