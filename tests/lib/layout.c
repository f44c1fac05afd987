/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layout: every number of the ABI
 *
 * Compiled by headers.sh in every language and word size that the headers promise to support; the
 * numbers below are the contract and are the same for all of them. Run, it checks what is no
 * constant expression: the conversion of pointers.
 */
#include <linux/bus1.h>
#include <stddef.h>
#include <bus1.h>

#if defined(__cplusplus)
# define CHECK(_what) static_assert(_what, #_what)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
# define CHECK(_what) _Static_assert(_what, #_what)
#else
# define CHECK_CAT2(_a, _b) _a ## _b
# define CHECK_CAT(_a, _b) CHECK_CAT2(_a, _b)
# define CHECK(_what) typedef char CHECK_CAT(check_, __LINE__)[(_what) ? 1 : -1]
#endif

/* One field: where it is, and that it is a 64-bit one. */
#define FIELD(_struct, _field, _offset)							\
	CHECK(offsetof(struct _struct, _field) == (_offset) &&				\
	      sizeof(((struct _struct *)0)->_field) == 8)
/* The struct: its size and, by what follows a single byte, its alignment. */
#define STRUCT(_struct, _size)								\
	struct _struct ## _aligned { char byte; struct _struct value; };		\
	CHECK(sizeof(struct _struct) == (_size) && sizeof(struct _struct) % 8 == 0)

CHECK(BUS1_IOCTL_MAGIC == 0x97);
CHECK(BUS1_INVALID == 0xffffffffffffffffULL);
CHECK(BUS1_MANAGED == 1);
CHECK(BUS1_TRANSFER_FLAG_CREATE == 1);
CHECK(sizeof(BUS1_INVALID) == 8);
CHECK(sizeof(BUS1_MANAGED) == 8);
CHECK(sizeof(BUS1_TRANSFER_FLAG_CREATE) == 8);
CHECK(sizeof(BUS1_FROM_PTR(NULL)) == 8);
CHECK(sizeof(BUS1_TO_PTR(0)) == sizeof(void *));
CHECK(BUS1_INVALID > 0);
CHECK(BUS1_INVALID == UINT64_MAX);

CHECK(BUS1_MESSAGE_TYPE_USER == 0);
CHECK(BUS1_MESSAGE_TYPE_NODE_RELEASE == 1);
CHECK(BUS1_MESSAGE_TYPE_HANDLE_RELEASE == 2);
CHECK(_BUS1_MESSAGE_TYPE_N == 3);

STRUCT(bus1_transfer, 16);
FIELD(bus1_transfer, flags, 0);
FIELD(bus1_transfer, id, 8);

STRUCT(bus1_metadata, 24);
FIELD(bus1_metadata, flags, 0);
FIELD(bus1_metadata, id, 8);
FIELD(bus1_metadata, account, 16);

STRUCT(bus1_message, 56);
FIELD(bus1_message, flags, 0);
FIELD(bus1_message, type, 8);
FIELD(bus1_message, n_transfers, 16);
FIELD(bus1_message, ptr_transfers, 24);
FIELD(bus1_message, n_data, 32);
FIELD(bus1_message, n_data_vecs, 40);
FIELD(bus1_message, ptr_data_vecs, 48);

STRUCT(bus1_cmd_transfer, 40);
FIELD(bus1_cmd_transfer, flags, 0);
FIELD(bus1_cmd_transfer, to, 8);
FIELD(bus1_cmd_transfer, n_transfers, 16);
FIELD(bus1_cmd_transfer, ptr_src, 24);
FIELD(bus1_cmd_transfer, ptr_dst, 32);

STRUCT(bus1_cmd_release, 24);
FIELD(bus1_cmd_release, flags, 0);
FIELD(bus1_cmd_release, n_ids, 8);
FIELD(bus1_cmd_release, ptr_ids, 16);

STRUCT(bus1_cmd_send, 40);
FIELD(bus1_cmd_send, flags, 0);
FIELD(bus1_cmd_send, n_destinations, 8);
FIELD(bus1_cmd_send, ptr_destinations, 16);
FIELD(bus1_cmd_send, ptr_errors, 24);
FIELD(bus1_cmd_send, ptr_message, 32);

STRUCT(bus1_cmd_recv, 24);
FIELD(bus1_cmd_recv, flags, 0);
FIELD(bus1_cmd_recv, ptr_metadata, 8);
FIELD(bus1_cmd_recv, ptr_message, 16);

CHECK(BUS1_CMD_TRANSFER == 0xc0289700u);
CHECK(BUS1_CMD_RELEASE == 0xc0189701u);
CHECK(BUS1_CMD_SEND == 0xc0289702u);
CHECK(BUS1_CMD_RECV == 0xc0189703u);

int main(void)
{
	/* On 32 bit this has the top bit set, on 64 bit too: nothing may be sign-extended. */
	const __UINTPTR_TYPE__ high = ~((__UINTPTR_TYPE__)-1 >> 1);
	const char *pointer = (const char *)high;
	int object = 0;

	if (BUS1_FROM_PTR(pointer) != (uint64_t)high)
		return 1;
	if (BUS1_TO_PTR(BUS1_FROM_PTR(&object)) != &object)
		return 2;
	if (BUS1_FROM_PTR(NULL) != 0 || BUS1_TO_PTR(0) != NULL)
		return 3;
	return 0;
}
