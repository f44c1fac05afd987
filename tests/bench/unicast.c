// SPDX-License-Identifier: LGPL-2.1-or-later
/* What it costs to send a message of 64 bytes to another peer of the same thread, and to receive it */
#include "bench.h"

int main(void)
{
	struct bus1_transfer src = { BUS1_TRANSFER_FLAG_CREATE, BUS1_INVALID }, dst;
	int sender = open("/dev/bus1", O_RDWR | O_CLOEXEC);
	int receiver = open("/dev/bus1", O_RDWR | O_CLOEXEC);
	int64_t send, recv;

	if (sender < 0 || receiver < 0)
		die("/dev/bus1");
	transfer(receiver, sender, 1, &src, &dst);
	measure(sender, receiver, dst.id, dst.id, &send, &recv);
	printf("unicast, 64 bytes: send %lld, recv %lld, both %lld\n", (long long)send,
	       (long long)recv, (long long)(send + recv));
	return 0;
}
