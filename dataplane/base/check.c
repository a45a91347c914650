/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The end of a process that found a defect in itself: one line, then abort for a core file. Called
 * from any thread, a signal handler included, so it uses nothing but write(2).
 */
#include "base/check.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void text_write(const char *text)
{
	ssize_t written = write(STDERR_FILENO, text, strlen(text));

	(void)written;
}

void check_failed(const char *file, int line, const char *condition)
{
	char digits[12];
	unsigned int at = sizeof(digits) - 1;
	unsigned int rest = line > 0 ? (unsigned int)line : 0;

	digits[at] = '\0';
	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest != 0 && at > 0);

	text_write("defect: ");
	text_write(file);
	text_write(":");
	text_write(&digits[at]);
	text_write(": ");
	text_write(condition);
	text_write("\n");
	abort();
}
