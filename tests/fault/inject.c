// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * inject: lets the kernel fail on purpose, by its fault injection
 *
 * Either the n-th chance to fail is taken, by fail-nth of the calling thread. It counts all kinds
 * of faults together; kinds that are not wanted are kept from counting by their filter on stack
 * traces, which is told that nothing matches. For all chances from the n-th on to be taken, there is a
 * probability of 100 % for this thread, too: it has no effect while fail-nth counts.
 */
#include <dirent.h>

#include "fault.h"

#define DEBUGFS "/sys/kernel/debug/"

const char *const inject_names[INJECT_KINDS] = {
	[INJECT_SLAB] = "slab",
	[INJECT_PAGE] = "pages",
	[INJECT_COPY] = "user copy",
	[INJECT_SLAB_ON] = "slab, all from there on",
	[INJECT_PAGE_ON] = "pages, all from there on",
};

/* by what kind uses them: slab, pages, user copies */
static const char *const dirs[] = {
	DEBUGFS "failslab/", DEBUGFS "fail_page_alloc/", DEBUGFS "fail_usercopy/",
};

/* open all the time, so that they cost little */
static int nth_fd = -1, task_fd = -1;
static enum inject_kind kind_now = INJECT_KINDS;

static int knob_open(const char *dir, const char *name, int flags)
{
	char path[400];
	int fd;

	snprintf(path, sizeof(path), "%s%s", dir, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0) {
		fprintf(stderr, "fault: %s: %s; this needs tests/vm/run --debug kasan\n", path,
			strerror(errno));
		exit(EXIT_FAILURE);
	}
	return fd;
}

static void knob_write(int fd, unsigned int value)
{
	char text[16];
	int n = snprintf(text, sizeof(text), "%u", value);

	/* no pwrite(), as some of these have no position; none cares for it */
	if (write(fd, text, n) != n) {
		fprintf(stderr, "fault: writing %u to a knob: %s\n", value, strerror(errno));
		exit(EXIT_FAILURE);
	}
}

static void knob_set(const char *dir, const char *name, const char *value)
{
	int fd = knob_open(dir, name, O_WRONLY);

	if (write(fd, value, strlen(value)) < 0) {
		fprintf(stderr, "fault: %s%s: %s\n", dir, name, strerror(errno));
		exit(EXIT_FAILURE);
	}
	close(fd);
}

/*
 * All slab caches take part but those of the kernel's own checkers, which allocate something for
 * each allocation of others and cope when they do not get it.
 */
static void choose_caches(void)
{
	static const char dir[] = "/sys/kernel/slab";
	char path[sizeof(dir) + 1 + sizeof(((struct dirent *)0)->d_name)];
	struct dirent *entry;
	size_t n = 0;
	DIR *caches;

	caches = opendir(dir);
	while (caches && (entry = readdir(caches))) {
		if (entry->d_name[0] == '.' || strstr(entry->d_name, "kmemleak") ||
		    strstr(entry->d_name, "debug_objects"))
			continue;
		snprintf(path, sizeof(path), "%s/%s/", dir, entry->d_name);
		knob_set(path, "failslab", "1");
		n++;
	}
	if (!n) {
		fprintf(stderr, "fault: %s: no slab caches\n", dir);
		exit(EXIT_FAILURE);
	}
	closedir(caches);
	knob_set(dirs[0], "cache-filter", "Y");
}

/* Once for all, with nothing failing yet. */
void inject_init(void)
{
	size_t i;

	for (i = 0; i < B1T_N(dirs); i++) {
		knob_set(dirs[i], "probability", "0");
		knob_set(dirs[i], "task-filter", "Y");
		knob_set(dirs[i], "verbose", "0");
		knob_set(dirs[i], "interval", "1");
		knob_set(dirs[i], "times", "-1");
		knob_set(dirs[i], "stacktrace-depth", "0");
	}
	/* else only what cannot wait fails, and only what is larger than a page */
	knob_set(dirs[0], "ignore-gfp-wait", "N");
	choose_caches();
	knob_set(dirs[1], "ignore-gfp-wait", "N");
	knob_set(dirs[1], "ignore-gfp-highmem", "N");
	knob_set(dirs[1], "min-order", "0");
}

/* Once for each process: the files are those of its thread. */
void inject_open(void)
{
	nth_fd = knob_open("/proc/thread-self/", "fail-nth", O_RDWR);
	task_fd = knob_open("/proc/thread-self/", "make-it-fail", O_WRONLY);
	kind_now = INJECT_KINDS;
}

static void inject_choose(enum inject_kind kind)
{
	size_t i;

	if (kind == kind_now)
		return;
	kind_now = kind;
	for (i = 0; i < B1T_N(dirs); i++) {
		/* 1 to 0 is no stack trace */
		knob_set(dirs[i], "require-start", i == kind % 3 ? "0" : "1");
		knob_set(dirs[i], "require-end", i == kind % 3 ? "18446744073709551615" : "0");
		knob_set(dirs[i], "probability", i + 3 == kind ? "100" : "0");
	}
}

/* From here on the @n-th chance to fail is taken, counted from 1. */
void inject_arm(enum inject_kind kind, unsigned int n)
{
	inject_choose(kind);
	knob_write(nth_fd, n);
	if (kind >= INJECT_SLAB_ON)
		knob_write(task_fd, 1);
}

/* Nothing fails any more. Says whether something did. */
bool inject_disarm(enum inject_kind kind)
{
	char text[32] = "";
	ssize_t n;

	if (kind >= INJECT_SLAB_ON)
		knob_write(task_fd, 0);
	/* what is armed and unused may hit this copy; it is disarmed then */
	n = pread(nth_fd, text, sizeof(text) - 1, 0);
	if (n < 0 && errno == EFAULT)
		return false;
	if (n > 0 && strtoul(text, NULL, 10) == 0)
		return true;
	if (write(nth_fd, "0", 1) != 1 && errno != EFAULT) {
		fprintf(stderr, "fault: fail-nth: %s\n", strerror(errno));
		exit(EXIT_FAILURE);
	}
	return false;
}

/* Where a function of the kernel is, and what is behind it. */
static void find_function(const char *function, unsigned long *startp, unsigned long *endp)
{
	unsigned long address;
	char line[512], name[256];
	FILE *file;

	*startp = 0;
	*endp = ~0UL;
	file = fopen("/proc/kallsyms", "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%lx %*c %255s", &address, name) != 2)
			continue;
		if (!strcmp(name, function))
			*startp = address;
		else if (*startp && address > *startp && address < *endp)
			*endp = address;
	}
	if (file)
		fclose(file);
	if (!*startp) {
		fprintf(stderr, "fault: /proc/kallsyms: no %s\n", function);
		exit(EXIT_FAILURE);
	}
}

/*
 * From here on only what small allocations @function makes, itself or further down, are chances.
 * With NULL all is as after inject_open().
 */
void inject_within(const char *function)
{
	unsigned long start, end;
	char text[32];

	kind_now = INJECT_KINDS;
	knob_set(dirs[0], "stacktrace-depth", function ? "32" : "0");
	if (!function)
		return;
	inject_choose(INJECT_SLAB);
	find_function(function, &start, &end);
	snprintf(text, sizeof(text), "%lu", start);
	knob_set(dirs[0], "require-start", text);
	snprintf(text, sizeof(text), "%lu", end);
	knob_set(dirs[0], "require-end", text);
}
