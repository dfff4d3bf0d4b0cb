/* SPDX-License-Identifier: MIT */
/* holder MIB - fills memory that no store can compress, says "ready" with its process
 * number, waits for a line on standard input, and checks every byte.
 *
 * Between the two the driver damages the swap file under it, or looks at the process.
 * Exit status 0: all bytes were right.  3: some were wrong, which must never happen.
 */
#define _GNU_SOURCE 1

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common.h"

int main(int argc, char **argv)
{
	size_t bytes = (argc > 1 ? strtoul(argv[1], NULL, 10) : 64) * MIB;
	char *data = qr_pages_map(bytes);
	char line[16];

	qr_noise_fill(data, bytes, 191);
	printf("ready %d\n", (int)getpid());
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		return 2;
	if (!qr_noise_match(data, bytes, 191)) {
		puts("wrong bytes");
		return 3;
	}
	puts("all bytes right");
	return 0;
}
