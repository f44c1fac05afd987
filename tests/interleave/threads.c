// SPDX-License-Identifier: LGPL-2.1-or-later
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "private.h"

#define STACK_SIZE (128 * 1024)

struct proc procs[P];

/* Threads: a stack each, and a way to switch */

#ifdef __x86_64__
void il_switch(void **from, void *to);
__asm__(".text\n"
	".globl il_switch\n"
	".type il_switch, @function\n"
	"il_switch:\n"
	"	push %rbp\n	push %rbx\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	mov %rsp, (%rdi)\n"
	"	mov %rsi, %rsp\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbx\n	pop %rbp\n"
	"	ret\n"
	".size il_switch, . - il_switch\n");

static void thread_main(void);

static void *stack_init(void *stack)
{
	void **top = (void **)((char *)stack + STACK_SIZE);

	/* what il_switch() takes off; a call leaves the stack off by one word from 16 bytes */
	*--top = NULL;
	*--top = (void *)thread_main;
	return top - 6;
}
#else
#include <ucontext.h>

static void thread_main(void);

/* one slot each, and one for main */
static ucontext_t switch_contexts[P + 1];

static void il_switch(void **from, void *to)
{
	ucontext_t *contexts[2];
	unsigned int i;

	contexts[0] = &switch_contexts[P];
	for (i = 0; i < P; i++) {
		if (from == &procs[i].sp)
			contexts[0] = &switch_contexts[i];
	}
	*from = contexts[0];
	contexts[1] = to;
	swapcontext(contexts[0], contexts[1]);
}

static void *stack_init(void *stack)
{
	ucontext_t *context = NULL;
	unsigned int i;

	for (i = 0; i < P; i++) {
		if (procs[i].stack == stack)
			context = &switch_contexts[i];
	}
	getcontext(context);
	context->uc_stack.ss_sp = stack;
	context->uc_stack.ss_size = STACK_SIZE;
	makecontext(context, thread_main, 0);
	return context;
}
#endif

/* What comes next */

struct pending *next_of(unsigned int q, struct pending *room)
{
	struct proc *proc = &procs[q % IL_MAX_THREADS];

	if (q < IL_MAX_THREADS)
		return &proc->pending;
	room->kind = proc->buffer[0].size ? IL_WRITE : IL_UNLOCK;
	room->flags = 0;
	room->addr = proc->buffer[0].addr;
	room->size = 0;
	room->what = proc->buffer[0].what;
	return room;
}

static bool is_enabled(unsigned int q)
{
	struct proc *proc = &procs[q % IL_MAX_THREADS];

	if (q >= IL_MAX_THREADS)
		return proc->n_buffered;
	if (!proc->live)
		return false;
	if ((proc->pending.flags & IL_F_FENCE) && proc->n_buffered)
		return false;
	switch (proc->pending.kind) {
	case IL_LOCK:
		return !((const volatile struct il_lock *)proc->pending.addr)->busy;
	case IL_WAIT:
		return ((const volatile struct il_waiter *)proc->pending.addr)->woken;
	default:
		return true;
	}
}

static uint32_t enabled_set(void)
{
	uint32_t set = 0;
	unsigned int i;

	for (i = 0; i < il.n_threads; i++) {
		if (is_enabled(i))
			set |= BIT(i);
		if (procs[i].n_buffered)
			set |= BIT(i + IL_MAX_THREADS);
	}
	return set;
}

static void fail_deadlock(void)
{
	char text[200] = "", name[40], where[60];
	size_t used = 0;
	unsigned int i;

	for (i = 0; i < il.n_threads; i++) {
		if (!procs[i].live || used >= sizeof(text))
			continue;
		used += snprintf(text + used, sizeof(text) - used, "%s%s waits for %s",
				 used ? ", " : "", proc_name(i, name, sizeof(name)),
				 name_of(procs[i].pending.addr, where, sizeof(where)));
	}
	il_fail("deadlock, or a wakeup got lost: %s", text);
}

/* The oldest store in the buffer of a thread reaches memory. */
static void flush(unsigned int thread)
{
	struct proc *proc = &procs[thread];
	struct buffered *store = &proc->buffer[0];

	if (store->size)
		memcpy((void *)store->addr, &store->value, store->size);
	else
		((struct il_lock *)store->addr)->busy = false;
	memmove(store, store + 1, --proc->n_buffered * sizeof(*store));
}

/* Called where the current thread cannot go on without a decision, or has ended. */
void dispatch(void)
{
	int from = il.current, q;
	uint32_t set;

	for (;;) {
		set = enabled_set();
		if (!set) {
			if (il.n_runnable)
				fail_deadlock();
			break;
		}
		q = choose(set);
		enter_event(q);
		if (q < IL_MAX_THREADS)
			break;
		flush(q - IL_MAX_THREADS);
	}
	if (!set) {
		il.current = -1;
		il_switch(&procs[from].sp, il.main_sp);
	} else if (q != from) {
		il.current = q;
		il_switch(from < 0 ? &il.main_sp : &procs[from].sp, procs[q].sp);
	}
}

void il_point(enum il_kind kind, unsigned int flags, const volatile void *addr, size_t size,
	      const char *what)
{
	struct pending *pending = &procs[il.current].pending;

	pending->kind = kind;
	pending->flags = flags;
	pending->addr = addr;
	pending->size = size;
	pending->what = what;
	dispatch();
}

static void thread_main(void)
{
	struct proc *proc = &procs[il.current];

	il.scenario->threads[il.current]();
	if (proc->context.n_held || proc->context.n_atomic)
		il_fail("a thread ends with a lock held");
	proc->live = false;
	il.n_runnable--;
	dispatch();
	abort();
}

static void proc_reset(struct proc *proc)
{
	memset(&proc->context, 0, sizeof(proc->context));
	memset(proc->clock, 0, sizeof(proc->clock));
	proc->n_events = 0;
	proc->n_buffered = 0;
	proc->label = NULL;
}

static void threads_start(void)
{
	unsigned int i;

	for (i = 0; i < P; i++)
		proc_reset(&procs[i]);
	il.n_threads = il.scenario->n_threads;
	il.n_runnable = il.n_threads;
	for (i = 0; i < il.n_threads; i++) {
		if (!procs[i].stack) {
			procs[i].stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (procs[i].stack == MAP_FAILED)
				il_fail("no memory for stacks");
		}
		procs[i].sp = stack_init(procs[i].stack);
		procs[i].pending = (struct pending){ .kind = IL_START };
		procs[i].live = true;
	}
}

/* Runs all threads until they have ended. */
void threads_run(void)
{
	threads_start();
	race_begin();
	il_running = true;
	dispatch();
	il_running = false;
}
