// SPDX-License-Identifier: LGPL-2.1-or-later
/* replay: what libFuzzer does with given inputs, for compilers that do not have it; see tests/coverage */
#include <stdio.h>
#include <stdlib.h>

#include "common.h"

/* Only for new inputs. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	abort();
}

static void replay(const char *path)
{
	static uint8_t data[1 << 20];
	size_t size;
	FILE *file;

	file = fopen(path, "r");
	if (!file) {
		perror(path);
		exit(2);
	}
	size = fread(data, 1, sizeof(data), file);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
}

int main(int argc, char **argv)
{
	int i;

	LLVMFuzzerInitialize(&argc, &argv);
	for (i = 1; i < argc; i++)
		replay(argv[i]);
	printf("%d inputs\n", argc - 1);
	return argc < 2;
}
