/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef FUZZ_UIO_H
#define FUZZ_UIO_H

#include <linux/types.h>
#include <sys/uio.h>

#define UIO_FASTIOV 8
#undef UIO_MAXIOV
#define UIO_MAXIOV 1024

#define ITER_DEST 0
#define ITER_SOURCE 1

struct iov_iter {
	int direction;
	const struct iovec *vecs;
	size_t n_vecs;
	size_t offset;			/* in the first one */
	size_t count;
};

ssize_t import_iovec(int direction, const void __user *user_vecs, unsigned int n_vecs,
		     unsigned int n_fast, struct iovec **vecsp, struct iov_iter *iter);
size_t copy_from_iter(void *to, size_t n, struct iov_iter *iter);
size_t copy_to_iter(const void *from, size_t n, struct iov_iter *iter);

#endif /* FUZZ_UIO_H */
