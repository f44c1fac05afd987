/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Sorted trees: here kept flat by chance. Each node has a random weight, and none is heavier than
 * its parent.
 */
#ifndef SHIM_RBTREE_H
#define SHIM_RBTREE_H

#include <linux/bug.h>
#include <linux/container_of.h>
#include <linux/types.h>

struct rb_node {
	struct rb_node *parent;
	union {
		struct rb_node *children[2];
		struct {
			struct rb_node *rb_left;
			struct rb_node *rb_right;
		};
	};
	const struct rb_root *tree;	/* NULL: empty */
	unsigned int weight;
};

struct rb_root {
	struct rb_node *rb_node;
};

/* the tree of a node that was erased: that does not make it empty */
#define SHIM_RB_ERASED ((const struct rb_root *)1)

#define RB_ROOT ((struct rb_root){ NULL })
#define RB_CLEAR_NODE(_node) ((void)((_node)->tree = NULL))
#define RB_EMPTY_NODE(_node) (!(_node)->tree)
#define RB_EMPTY_ROOT(_tree) (!(_tree)->rb_node)

#define rb_entry(_node, _type, _member) container_of(_node, _type, _member)
#define rb_entry_safe(_node, _type, _member)						\
	({										\
		__typeof__(_node) shim_node = (_node);					\
		shim_node ? rb_entry(shim_node, _type, _member) : NULL;			\
	})

static inline struct rb_node *shim_rb_leftmost(struct rb_node *node)
{
	while (node && node->children[0])
		node = node->children[0];
	return node;
}

static inline struct rb_node *rb_first(const struct rb_root *tree)
{
	return shim_rb_leftmost(tree->rb_node);
}

static inline struct rb_node *rb_next(const struct rb_node *node)
{
	WARN_ON(!node->tree);
	if (node->children[1])
		return shim_rb_leftmost(node->children[1]);
	while (node->parent && node == node->parent->children[1])
		node = node->parent;
	return node->parent;
}

static inline struct rb_node *rb_prev(const struct rb_node *node)
{
	struct rb_node *prev = node->children[0];

	WARN_ON(!node->tree);
	if (prev) {
		while (prev->children[1])
			prev = prev->children[1];
		return prev;
	}
	while (node->parent && node == node->parent->children[0])
		node = node->parent;
	return node->parent;
}

/* Where the tree refers to a node. */
static inline struct rb_node **shim_rb_place(struct rb_node *node, struct rb_root *tree)
{
	return node->parent ? &node->parent->children[node == node->parent->children[1]] :
			      &tree->rb_node;
}

/* A node and its parent change places. */
static inline void shim_rb_raise(struct rb_node *node, struct rb_root *tree)
{
	struct rb_node *parent = node->parent;
	int side = node == parent->children[1];

	*shim_rb_place(parent, tree) = node;
	node->parent = parent->parent;
	parent->children[side] = node->children[!side];
	if (parent->children[side])
		parent->children[side]->parent = parent;
	node->children[!side] = parent;
	parent->parent = node;
}

static inline struct rb_node *rb_find(const void *key, const struct rb_root *tree,
				      int (*cmp)(const void *key, const struct rb_node *node))
{
	struct rb_node *node = tree->rb_node;
	int c;

	while (node && (c = cmp(key, node)))
		node = node->children[c > 0];
	return node;
}

static inline void rb_link_node(struct rb_node *node, struct rb_node *parent,
				struct rb_node **place)
{
	static unsigned long long seed;
	unsigned long long random;

	/* memory that was just allocated, or a node that was erased */
	WARN_ON((node->tree && node->tree != SHIM_RB_ERASED) || *place);
	random = __atomic_add_fetch(&seed, 0x9e3779b97f4a7c15ULL, __ATOMIC_RELAXED);
	/* mixed well: what only rises or falls makes a list of the tree */
	random = (random ^ random >> 30) * 0xbf58476d1ce4e5b9ULL;
	random = (random ^ random >> 27) * 0x94d049bb133111ebULL;
	*node = (struct rb_node){ .parent = parent, .weight = random >> 32 };
	*place = node;
}

static inline void rb_insert_color(struct rb_node *node, struct rb_root *tree)
{
	node->tree = tree;
	WARN_ON(*shim_rb_place(node, tree) != node);
	while (node->parent && node->parent->weight < node->weight)
		shim_rb_raise(node, tree);
}

static inline void rb_add(struct rb_node *node, struct rb_root *tree,
			  bool (*less)(struct rb_node *node, const struct rb_node *other))
{
	struct rb_node *parent = NULL, **place = &tree->rb_node;

	while (*place) {
		parent = *place;
		place = &parent->children[!less(node, parent)];
	}
	rb_link_node(node, parent, place);
	rb_insert_color(node, tree);
}

static inline void rb_erase(struct rb_node *node, struct rb_root *tree)
{
	struct rb_node *left, *right;

	WARN_ON(node->tree != tree);
	while (node->children[0] || node->children[1]) {
		left = node->children[0];
		right = node->children[1];
		shim_rb_raise(!right || (left && left->weight > right->weight) ? left : right,
			      tree);
	}
	*shim_rb_place(node, tree) = NULL;
	node->tree = SHIM_RB_ERASED;
}

static inline void rb_replace_node(struct rb_node *old, struct rb_node *node, struct rb_root *tree)
{
	int side;

	WARN_ON(old->tree != tree || (node->tree && node->tree != SHIM_RB_ERASED));
	*node = *old;
	*shim_rb_place(old, tree) = node;
	for (side = 0; side < 2; side++)
		if (node->children[side])
			node->children[side]->parent = node;
	old->tree = SHIM_RB_ERASED;
}

#endif /* SHIM_RBTREE_H */
