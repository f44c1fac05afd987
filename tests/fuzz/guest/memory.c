// SPDX-License-Identifier: LGPL-2.1-or-later
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "guest.h"

#define PAGE 4096
#define N_SHAKY 4
#define N_FAULTING 8

/* Pages in a row, so that objects can begin in one kind and end in another. */
enum page {
	PAGE_GOOD,
	PAGE_NONE,			/* cannot be accessed */
	PAGE_GOOD2,
	PAGE_READ_ONLY,
	PAGE_HOLE,			/* not mapped */
	PAGE_FILE,			/* of a file that is shorter now and then */
	PAGE_FILE_END,
	PAGE_SHAKY,			/* becomes any of those above */
	PAGE_FAULTING = PAGE_SHAKY + N_SHAKY,
	PAGE_END = PAGE_FAULTING + N_FAULTING,	/* cannot be accessed: behind it is our own memory */
	_PAGE_N,
};

static uint8_t *pages;
static int page_file = -1;
static int fault_fd = -1;
static uint8_t fault_page[PAGE] __attribute__((aligned(PAGE)));
static struct guest_rng shake_rng, fault_rng;

static void *map(void *at, size_t n, int prot)
{
	void *p = mmap(at, n, prot, MAP_PRIVATE | MAP_ANONYMOUS | (at ? MAP_FIXED : 0), -1, 0);

	if (p == MAP_FAILED)
		_exit(EXIT_FAILURE);
	return p;
}

uint8_t *guest_memory_good(void)
{
	uint8_t *good = map(NULL, GUEST_GOOD_SIZE + PAGE, PROT_READ | PROT_WRITE);

	/* a count that is too large must not reach what is behind */
	map(good + GUEST_GOOD_SIZE, PAGE, PROT_NONE);
	return good;
}

static void init_faults(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)(pages + PAGE_FAULTING * PAGE), N_FAULTING * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	uint64_t *words = (uint64_t *)fault_page;
	unsigned int i;

	/* small numbers: plausible as flags, counts and IDs */
	for (i = 0; i < PAGE / 8; i++)
		words[i] = guest_rand(&fault_rng, 3) ? guest_rand(&fault_rng, 40) | 1 : 0;
	fault_fd = guest_keep_fd((int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
	if (fault_fd < 0 || ioctl(fault_fd, UFFDIO_API, &api) ||
	    ioctl(fault_fd, UFFDIO_REGISTER, &range))
		_exit(EXIT_FAILURE);
}

void guest_memory_init(struct guest_rng *rng)
{
	shake_rng.state = rng->state + 1;
	fault_rng.state = rng->state + 2;
	pages = map(NULL, _PAGE_N * PAGE, PROT_READ | PROT_WRITE);
	map(pages + PAGE_NONE * PAGE, PAGE, PROT_NONE);
	map(pages + PAGE_END * PAGE, PAGE, PROT_NONE);
	map(pages + PAGE_READ_ONLY * PAGE, PAGE, PROT_READ);
	munmap(pages + PAGE_HOLE * PAGE, PAGE);
	page_file = guest_keep_fd((int)syscall(SYS_memfd_create, "fuzz", 1));
	if (page_file < 0 || ftruncate(page_file, 2 * PAGE) ||
	    mmap(pages + PAGE_FILE * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED,
		 page_file, 0) == MAP_FAILED)
		_exit(EXIT_FAILURE);
	if (guest->userfaultfd)
		init_faults();
}

static void pause_us(unsigned int us)
{
	struct timespec ts = { .tv_nsec = us * 1000L };

	nanosleep(&ts, NULL);
}

/* Lets a fault wait for a while, then gives it a page; or never. */
static void resolve(const struct uffd_msg *msg)
{
	struct uffdio_copy copy = {
		.dst = msg->arg.pagefault.address & ~(PAGE - 1ULL),
		.src = (uintptr_t)fault_page,
		.len = PAGE,
	};

	if (guest_once(&fault_rng, 40))
		return;
	if (guest_once(&fault_rng, 2))
		pause_us(guest_rand(&fault_rng, 5000));
	if (!ioctl(fault_fd, UFFDIO_COPY, &copy))
		guest->n_faults++;
}

void *guest_handle_faults(void *unused)
{
	struct pollfd pollfd = { .fd = fault_fd, .events = POLLIN };
	struct uffd_msg msg;

	for (;;) {
		poll(&pollfd, 1, 100);
		while (read(fault_fd, &msg, sizeof(msg)) == sizeof(msg)) {
			if (msg.event == UFFD_EVENT_PAGEFAULT)
				resolve(&msg);
		}
	}
	return unused;
}

/* Pages come and go, and change their protection, while commands use them. */
static void shake_page(uint8_t *page)
{
	switch (guest_rand(&shake_rng, 6)) {
	case 0: munmap(page, PAGE); break;
	case 1: mprotect(page, PAGE, PROT_NONE); break;
	case 2: mprotect(page, PAGE, PROT_READ); break;
	case 3: madvise(page, PAGE, MADV_DONTNEED); break;
	default: map(page, PAGE, PROT_READ | PROT_WRITE); break;
	}
}

void *guest_shake(void *unused)
{
	uint8_t *faulting = pages + PAGE_FAULTING * PAGE;

	for (;;) {
		shake_page(pages + (PAGE_SHAKY + guest_rand(&shake_rng, N_SHAKY)) * PAGE);
		if (guest_once(&shake_rng, 8) &&
		    ftruncate(page_file, PAGE * (off_t)guest_rand(&shake_rng, 3)))
			_exit(EXIT_FAILURE);
		/* the next access to it faults again; whoever waits for one that is gone goes on */
		if (fault_fd >= 0 && guest_once(&shake_rng, 4))
			madvise(faulting + guest_rand(&shake_rng, N_FAULTING) * PAGE, PAGE,
				MADV_DONTNEED);
		guest->n_shakes++;
		pause_us(guest_rand(&shake_rng, 2000));
	}
	return unused;
}

bool guest_is_good(const struct guest_thread *thread, uint64_t addr, size_t n)
{
	uint64_t at = addr - (uintptr_t)thread->good;

	return at <= GUEST_GOOD_SIZE && n <= GUEST_GOOD_SIZE - at;
}

static uint64_t place_good(struct guest_thread *thread, const void *from, size_t n)
{
	uint8_t *place = thread->good + thread->n_good;

	/* arrays of more than that are not filled */
	if (n > GUEST_GOOD_SIZE - thread->n_good)
		return (uintptr_t)thread->good;
	thread->n_good += (n + 15) & ~(size_t)15;
	if (from)
		memcpy(place, from, n);
	else
		memset(place, 0xaa, n);
	return (uintptr_t)place;
}

/* Somewhere in the pages, often at the border of two. */
static uint8_t *choose_bad(struct guest_thread *thread, size_t n)
{
	struct guest_rng *rng = &thread->rng;
	uint8_t *page;

	page = pages + guest_rand(rng, guest->userfaultfd ? PAGE_END : PAGE_FAULTING) * PAGE;
	if (guest_once(rng, 2))
		return page + guest_rand(rng, PAGE / 8) * 8;
	return page + PAGE - (n ? guest_rand(rng, (uint32_t)(n > 512 ? 512 : n) + 1) : 0);
}

uint64_t guest_place(struct guest_thread *thread, const void *from, size_t n)
{
	struct guest_rng *rng = &thread->rng;
	struct iovec local = { (void *)from, n }, remote;
	uint8_t *place;

	if (!thread->hostile || !guest_once(rng, 8))
		return place_good(thread, from, n);
	if (guest_once(rng, 8)) {
		static const uint64_t values[] = {
			0, 1, 8, PAGE, 1ULL << 31, 1ULL << 32, 1ULL << 47, 1ULL << 63, ~0ULL, ~7ULL,
			0xffff888000000000ULL,
		};
		return values[guest_rand(rng, GUEST_N(values))];
	}
	place = choose_bad(thread, n);
	remote = (struct iovec){ place, n };
	/* as far as that is possible, without a signal if it is not */
	if (from && place < pages + PAGE_FAULTING * PAGE)
		syscall(SYS_process_vm_writev, getpid(), &local, 1, &remote, 1, 0);
	return (uintptr_t)place;
}

uint64_t guest_place_slow(struct guest_thread *thread, size_t n)
{
	if (thread->hostile || !guest->userfaultfd || n > PAGE || !guest_once(&thread->rng, 100))
		return guest_place(thread, NULL, n);
	return (uintptr_t)pages + (PAGE_FAULTING + guest_rand(&thread->rng, N_FAULTING)) * PAGE;
}
