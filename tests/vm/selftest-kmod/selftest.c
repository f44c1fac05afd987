// SPDX-License-Identifier: GPL-2.0-only
/*
 * A module that breaks the kernel on demand, to see that tests/vm/run notices
 *
 * What is written to /dev/b1_selftest says how: warn, pin (the module can never be unloaded),
 * leak (memory), overflow (a write behind an object), free (a write to a freed object), cache (an object of a slab cache that is then destroyed), oops,
 * panic, taint.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>

static void selftest_leak(void)
{
	unsigned int i;

	/* many, as one may survive by a stale pointer on some stack */
	for (i = 0; i < 32; i++)
		memset(kmalloc(100, GFP_KERNEL | __GFP_NOFAIL), 0x55, 100);
}

/* A write behind an object, or into a freed one */
static void selftest_corrupt(bool freed)
{
	char *p = kmalloc(128, GFP_KERNEL | __GFP_NOFAIL);

	OPTIMIZER_HIDE_VAR(p);
	if (!freed)
		p[128] = 1;
	kfree(p);
	OPTIMIZER_HIDE_VAR(p);
	if (freed)
		p[50] = 1;
}

static void selftest_cache(void)
{
	struct kmem_cache *cache = kmem_cache_create("b1_selftest", 100, 0, 0, NULL);

	if (!cache)
		return;
	kmem_cache_alloc(cache, GFP_KERNEL);
	kmem_cache_destroy(cache);
}

static ssize_t selftest_write(struct file *file, const char __user *data, size_t n, loff_t *pos)
{
	char word[16] = "";

	if (n >= sizeof(word) || copy_from_user(word, data, n))
		return -EINVAL;
	strim(word);
	if (!strcmp(word, "warn"))
		WARN_ON(1);
	else if (!strcmp(word, "pin"))
		__module_get(THIS_MODULE);
	else if (!strcmp(word, "leak"))
		selftest_leak();
	else if (!strcmp(word, "overflow"))
		selftest_corrupt(false);
	else if (!strcmp(word, "free"))
		selftest_corrupt(true);
	else if (!strcmp(word, "cache"))
		selftest_cache();
	else if (!strcmp(word, "oops"))
		BUG();
	else if (!strcmp(word, "panic"))
		panic("selftest");
	else if (!strcmp(word, "taint"))
		add_taint(TAINT_USER, LOCKDEP_STILL_OK);
	else
		return -EINVAL;
	return n;
}

static const struct file_operations selftest_fops = {
	.owner = THIS_MODULE,
	.write = selftest_write,
};

static struct miscdevice selftest_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "b1_selftest",
	.fops = &selftest_fops,
	.mode = 0666,
};

module_misc_device(selftest_device);
MODULE_DESCRIPTION("Breaks the kernel to test a test runner");
MODULE_LICENSE("GPL");
