// SPDX-License-Identifier: LGPL-2.1-or-later
#include <linux/bug.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "../../unit/shim/shim.h"
#include "user.h"

#define USER_N_DENIED 4

/* The most bytes of one copy without a chance for others, and of several small ones together. */
#define USER_N_AT_ONCE 0x10000
#define USER_N_TOGETHER (2 * USER_N_AT_ONCE + 0x1000)

struct user_denied {
	uint64_t start, end;
	unsigned int access;
};

struct user_space user_space;
uint8_t user_pattern[USER_PATTERN_PERIOD];
unsigned long user_fail_nth;
bool user_flip;
bool user_compat;
void (*user_hook)(void);
size_t user_n_since_resched;
const struct shim_lock *user_lock;

struct user_write *user_writes;
size_t n_user_writes;
uint8_t *user_written_bytes;

static struct user_denied user_denied[USER_N_DENIED];
static unsigned int n_user_denied;
static uint8_t user_flipped[USER_WINDOW_SIZE];
static size_t n_written_bytes, max_writes, max_written_bytes;
static bool user_in_section;
static size_t n_writes_before;		/* when the section began */

void user_deny(uint64_t start, uint64_t n, unsigned int access)
{
	uint64_t end;

	if (n_user_denied == USER_N_DENIED || !n)
		return;
	if (__builtin_add_overflow(start, n, &end))
		end = UINT64_MAX;
	user_denied[n_user_denied++] = (struct user_denied){ start, end, access };
}

void user_allow_all(void)
{
	n_user_denied = 0;
}

/* How many bytes from @addr on may be accessed, and where they are; at most @n. */
static size_t user_resolve(const struct user_space *space, uint64_t addr, size_t n,
			   unsigned int access, const uint8_t **placep)
{
	const struct user_denied *denied;
	uint64_t offset, max;

	if (addr - USER_WINDOW < USER_WINDOW_SIZE) {
		offset = addr - USER_WINDOW;
		max = USER_WINDOW_SIZE - offset;
		*placep = space->window + offset;
	} else if (addr - USER_BIG < USER_BIG_SIZE) {
		offset = addr - USER_BIG;
		max = USER_BIG_SIZE - offset;
		*placep = space->big + offset;
	} else if (addr - USER_PATTERN < USER_PATTERN_SIZE && access == USER_READ) {
		offset = (addr - USER_PATTERN) % USER_PATTERN_PERIOD;
		max = USER_PATTERN_PERIOD - offset;
		*placep = user_pattern + offset;
	} else {
		return 0;
	}
	for (denied = user_denied; denied < user_denied + n_user_denied; denied++) {
		if (!(denied->access & access) || denied->end <= addr)
			continue;
		if (denied->start <= addr)
			return 0;
		if (denied->start - addr < max)
			max = denied->start - addr;
	}
	return n < max ? n : max;
}

bool user_can(uint64_t addr, uint64_t n, unsigned int access)
{
	const uint8_t *place;
	size_t part;

	for (; n; n -= part, addr += part) {
		part = user_resolve(&user_space, addr, n, access, &place);
		if (!part)
			return false;
	}
	return true;
}

bool user_is_below_limit(uint64_t addr, uint64_t n)
{
	return n <= USER_LIMIT && addr <= USER_LIMIT - n;
}

size_t user_read(const struct user_space *space, uint64_t addr, void *to, size_t n)
{
	const uint8_t *place;
	size_t part, done;

	for (done = 0; done < n; done += part) {
		part = user_resolve(space, addr + done, n - done, USER_READ, &place);
		if (!part)
			break;
		memcpy((uint8_t *)to + done, place, part);
	}
	return done;
}

size_t user_write(struct user_space *space, uint64_t addr, const void *from, size_t n)
{
	const uint8_t *place;
	size_t part, done;

	for (done = 0; done < n; done += part) {
		part = user_resolve(space, addr + done, n - done, USER_WRITE, &place);
		if (!part)
			break;
		memcpy((uint8_t *)place, (const uint8_t *)from + done, part);
		if (place >= space->big && place < space->big + USER_BIG_SIZE &&
		    (size_t)(place - space->big) + part > space->big_end)
			space->big_end = (size_t)(place - space->big) + part;
	}
	return done;
}

void user_adopt(struct user_space *to, const struct user_space *from, uint64_t addr, uint64_t n)
{
	uint64_t offset;

	if (addr < USER_WINDOW + USER_WINDOW_SIZE && n > USER_WINDOW + USER_WINDOW_SIZE - addr)
		n = USER_WINDOW + USER_WINDOW_SIZE - addr;
	for (; n; n--, addr++) {
		offset = addr - USER_WINDOW;
		if (offset < USER_WINDOW_SIZE)
			to->window[offset] = from->window[offset];
		offset = addr - USER_BIG;
		if (offset >= USER_BIG_SIZE)
			continue;
		if (offset >= from->big_end)
			break;
		to->big[offset] = from->big[offset];
		if (offset >= to->big_end)
			to->big_end = offset + 1;
	}
}

void user_space_init(struct user_space *space)
{
	space->big = mmap(NULL, USER_BIG_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (space->big == MAP_FAILED)
		abort();
	space->big_end = 0;
}

void user_space_clear(struct user_space *space)
{
	memset(space->window, 0, sizeof(space->window));
	memset(space->big, 0, space->big_end);
	space->big_end = 0;
}

void user_space_copy(struct user_space *to, const struct user_space *from)
{
	size_t end = to->big_end > from->big_end ? to->big_end : from->big_end;

	memcpy(to->window, from->window, sizeof(to->window));
	memcpy(to->big, from->big, end);
	to->big_end = from->big_end;
}

/* Begins to record what is written. */
void user_begin(void)
{
	n_user_writes = 0;
	n_written_bytes = 0;
	user_n_since_resched = 0;
	if (user_flip)
		memset(user_flipped, 0, sizeof(user_flipped));
}

/* Makes what was read what it was before. */
void user_end(void)
{
	size_t i;

	if (!user_flip)
		return;
	for (i = 0; i < USER_WINDOW_SIZE; i++)
		user_space.window[i] ^= user_flipped[i];
}

static void user_do_flip(uint64_t addr, size_t n)
{
	for (; n; n--, addr++) {
		uint64_t offset = addr - USER_WINDOW;

		if (offset >= USER_WINDOW_SIZE || user_flipped[offset])
			continue;
		user_space.window[offset] ^= 0xff;
		user_flipped[offset] = 0xff;
	}
}

static void user_unflip(uint64_t addr, size_t n)
{
	uint64_t offset = addr - USER_WINDOW;

	/* no access begins outside of the window and ends in it */
	if (offset < USER_WINDOW_SIZE)
		memset(user_flipped + offset, 0, n);
}

static void *user_grow(void *array, size_t *maxp, size_t n, size_t size)
{
	if (n <= *maxp)
		return array;
	*maxp = 2 * n + 64;
	array = realloc(array, *maxp * size);
	if (!array)
		abort();
	return array;
}

/* What comes right behind the last write of the same section is a part of that. */
static void user_record(uint64_t addr, const void *from, size_t n)
{
	struct user_write *last = n_user_writes ? &user_writes[n_user_writes - 1] : NULL;

	if (user_in_section && n_writes_before < n_user_writes && last->addr + last->n == addr) {
		user_written_bytes = user_grow(user_written_bytes, &max_written_bytes,
					       n_written_bytes + n, 1);
		memcpy(user_written_bytes + n_written_bytes, from, n);
		n_written_bytes += n;
		last->n += n;
		return;
	}
	user_writes = user_grow(user_writes, &max_writes, n_user_writes + 1, sizeof(*user_writes));
	user_written_bytes = user_grow(user_written_bytes, &max_written_bytes, n_written_bytes + n,
				       1);
	user_writes[n_user_writes++] = (struct user_write){
		.addr = addr,
		.n = n,
		.at = n_written_bytes,
	};
	memcpy(user_written_bytes + n_written_bytes, from, n);
	n_written_bytes += n;
}

static void user_call_hook(void)
{
	size_t n = user_n_since_resched;

	if (user_hook)
		user_hook();
	user_n_since_resched = n;
}

/*
 * A copy may sleep for as long as the program likes, so nobody else may need what is locked. If it does
 * not sleep, it must not be long.
 */
static bool user_access(uint64_t addr, size_t n)
{
	shim_might_sleep("access to user memory");
	if (user_in_section)
		shim_bug(__FILE__, __LINE__, "a section of accesses has not ended");
	if (shim_n_locked() > (user_lock && shim_lock_is_held(user_lock)))
		shim_bug(__FILE__, __LINE__, "user memory is touched with a lock held");
	user_call_hook();
	user_n_since_resched += n;
	if (n > USER_N_AT_ONCE || user_n_since_resched > USER_N_TOGETHER)
		shim_bug(__FILE__, __LINE__, "much is copied without letting others run");
	/* no bytes, no fault */
	if (n && user_fail_nth && !--user_fail_nth)
		return false;
	return user_is_below_limit(addr, n);
}

bool user_access_ok(const void __user *ptr, size_t n)
{
	return user_is_below_limit((uintptr_t)ptr, n);
}

bool user_access_begin(const void __user *ptr, size_t n)
{
	user_in_section = user_access((uintptr_t)ptr, n);
	n_writes_before = n_user_writes;
	return user_in_section;
}

void user_access_end(void)
{
	if (!user_in_section)
		shim_bug(__FILE__, __LINE__, "a section of accesses ends that has not begun");
	user_in_section = false;
}

unsigned long user_get(void *to, const void __user *from, size_t n)
{
	uint64_t addr = (uintptr_t)from;
	size_t done = user_read(&user_space, addr, to, n);

	if (user_flip)
		user_do_flip(addr, done);
	return n - done;
}

unsigned long user_put(void __user *to, const void *from, size_t n)
{
	uint64_t addr = (uintptr_t)to;
	size_t done = user_write(&user_space, addr, from, n);

	user_unflip(addr, done);
	user_record(addr, from, done);
	return n - done;
}

/* What cannot be read becomes zero, as in the kernel. */
unsigned long raw_copy_from_user(void *to, const void __user *from, unsigned long n)
{
	return user_access((uintptr_t)from, n) ? user_get(to, from, n) : n;
}

unsigned long raw_copy_to_user(void __user *to, const void *from, unsigned long n)
{
	return user_access((uintptr_t)to, n) ? user_put(to, from, n) : n;
}

unsigned long copy_from_user(void *to, const void __user *from, unsigned long n)
{
	unsigned long left = raw_copy_from_user(to, from, n);

	memset((uint8_t *)to + n - left, 0, left);
	return left;
}

unsigned long copy_to_user(void __user *to, const void *from, unsigned long n)
{
	return raw_copy_to_user(to, from, n);
}

unsigned long clear_user(void __user *to, unsigned long n)
{
	static const uint8_t zeroes[4096];
	uint64_t addr = (uintptr_t)to;
	unsigned long left;
	size_t part;

	if (!user_access(addr, n))
		return n;
	for (; n; n -= part, addr += part) {
		part = n < sizeof(zeroes) ? n : sizeof(zeroes);
		left = part - user_write(&user_space, addr, zeroes, part);
		user_unflip(addr, part - left);
		if (left)
			return n - part + left;
	}
	return 0;
}

/* Vectors */

static int user_copy_vec(struct iovec *vec, uint64_t user_vecs, size_t i)
{
	struct {
		uint32_t base, len;
	} compat;
	uint64_t native[2];

	if (user_compat) {
		if (copy_from_user(&compat, (void *)(uintptr_t)(user_vecs + i * sizeof(compat)),
				   sizeof(compat)))
			return -EFAULT;
		vec->iov_base = (void *)(uintptr_t)compat.base;
		vec->iov_len = compat.len;
		return (int32_t)compat.len < 0 ? -EINVAL : 0;
	}
	if (copy_from_user(native, (void *)(uintptr_t)(user_vecs + i * sizeof(native)),
			   sizeof(native)))
		return -EFAULT;
	vec->iov_base = (void *)(uintptr_t)native[0];
	vec->iov_len = native[1];
	return (int64_t)native[1] < 0 ? -EINVAL : 0;
}

static int user_copy_vecs(struct iovec *vecs, uint64_t user_vecs, size_t n, size_t *countp)
{
	size_t i;
	int ret;

	*countp = 0;
	for (i = 0; i < n; i++) {
		ret = user_copy_vec(&vecs[i], user_vecs, i);
		if (ret)
			return ret;
	}
	for (i = 0; i < n; i++) {
		if (!user_is_below_limit((uintptr_t)vecs[i].iov_base, vecs[i].iov_len))
			return -EFAULT;
		vecs[i].iov_len = min(vecs[i].iov_len, MAX_RW_COUNT - *countp);
		*countp += vecs[i].iov_len;
	}
	return 0;
}

/* As in the kernel: on return *@vecsp is what the caller has to free, also after an error. */
ssize_t import_iovec(int direction, const void __user *user_vecs, unsigned int n_vecs,
		     unsigned int n_fast, struct iovec **vecsp, struct iov_iter *iter)
{
	struct iovec *vecs = *vecsp;
	int ret;

	*vecsp = NULL;
	if (n_vecs > UIO_MAXIOV)
		return -EINVAL;
	if (n_vecs > n_fast) {
		/* not accounted in the kernel, which is not what the shim looks for */
		vecs = kmalloc(n_vecs * sizeof(*vecs), GFP_KERNEL_ACCOUNT);
		if (!vecs)
			return -ENOMEM;
		*vecsp = vecs;
	}
	*iter = (struct iov_iter){ .direction = direction, .vecs = vecs, .n_vecs = n_vecs };
	ret = user_copy_vecs(vecs, (uintptr_t)user_vecs, n_vecs, &iter->count);
	if (ret) {
		kfree(*vecsp);
		*vecsp = NULL;
		return ret;
	}
	return (ssize_t)iter->count;
}

/* Copies some bytes; what is in the way of more is either the end or a fault. */
static size_t user_iter_some(struct iov_iter *iter, uint8_t *kernel, size_t n)
{
	const struct iovec *vec = iter->vecs;
	size_t part = min(n, vec->iov_len - iter->offset);
	void *addr = (uint8_t *)vec->iov_base + iter->offset;
	size_t left = 0;

	if (part && iter->direction == ITER_SOURCE)
		left = copy_from_user(kernel, addr, part);
	else if (part)
		left = copy_to_user(addr, kernel, part);
	iter->offset += part - left;
	iter->count -= part - left;
	if (iter->offset == vec->iov_len) {
		iter->vecs++;
		iter->n_vecs--;
		iter->offset = 0;
	}
	return part - left;
}

static size_t user_iter_copy(struct iov_iter *iter, void *kernel, size_t n)
{
	size_t done = 0, n_vecs, part;

	while (done < n && iter->n_vecs) {
		n_vecs = iter->n_vecs;
		part = user_iter_some(iter, (uint8_t *)kernel + done, n - done);
		done += part;
		if (!part && iter->n_vecs == n_vecs)
			break;
	}
	return done;
}

size_t copy_from_iter(void *to, size_t n, struct iov_iter *iter)
{
	WARN_ON(iter->direction != ITER_SOURCE);
	return user_iter_copy(iter, to, n);
}

size_t copy_to_iter(const void *from, size_t n, struct iov_iter *iter)
{
	WARN_ON(iter->direction != ITER_DEST);
	return user_iter_copy(iter, (void *)from, n);
}
