/* SPDX-License-Identifier: BSD-3-Clause */
/* A live screen by ANSI sequences; screen.h has the promises. */
#include "tools/haulctl/screen.h"

#include "base/check.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* The other buffer, so that what was on the terminal comes back; the cursor is hidden meanwhile. */
#define SCREEN_BEGIN "\033[?1049h\033[?25l"
#define SCREEN_END   "\033[?25h\033[?1049l"
#define SCREEN_HOME  "\033[H"
/* The rest of a line, and of the screen, is cleared behind what is written: nothing flickers. */
#define SCREEN_LINE_END "\033[K"
#define SCREEN_REST     "\033[J"

/* Of a terminal that does not say. */
#define SCREEN_ROWS    24u
#define SCREEN_COLUMNS 80u

static const int screen_signals[] = { SIGINT, SIGTERM, SIGHUP, SIGWINCH };

static struct {
	struct termios terminal; /* as it was */
	struct sigaction actions[ARRAY_SIZE(screen_signals)];
	sigset_t mask; /* as it was, for the wait */
} screen;

static volatile sig_atomic_t screen_is_leaving;

static void screen_on_signal(int number)
{
	if (number != SIGWINCH)
		screen_is_leaving = 1;
}

bool screen_is_there(void)
{
	const char *terminal = getenv("TERM");

	return isatty(STDIN_FILENO) == 1 && isatty(STDOUT_FILENO) == 1 && terminal != NULL &&
	       terminal[0] != '\0' && strcmp(terminal, "dumb") != 0;
}

bool screen_begin(void)
{
	struct sigaction action = { .sa_handler = screen_on_signal };
	struct termios terminal;
	sigset_t blocked;

	if (tcgetattr(STDIN_FILENO, &screen.terminal) != 0)
		return false;
	terminal = screen.terminal;
	terminal.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	terminal.c_cc[VMIN] = 0;
	terminal.c_cc[VTIME] = 0;
	/* The signals come in while it waits, and only then: none is missed between a look and a wait. */
	sigemptyset(&blocked);
	for (size_t i = 0; i < ARRAY_SIZE(screen_signals); i++)
		sigaddset(&blocked, screen_signals[i]);
	sigprocmask(SIG_BLOCK, &blocked, &screen.mask);
	for (size_t i = 0; i < ARRAY_SIZE(screen_signals); i++)
		sigaction(screen_signals[i], &action, &screen.actions[i]);
	if (tcsetattr(STDIN_FILENO, TCSANOW, &terminal) != 0) {
		screen_end();
		return false;
	}
	fputs(SCREEN_BEGIN, stdout);
	fflush(stdout);
	return true;
}

void screen_end(void)
{
	fputs(SCREEN_END, stdout);
	fflush(stdout);
	tcsetattr(STDIN_FILENO, TCSANOW, &screen.terminal);
	for (size_t i = 0; i < ARRAY_SIZE(screen_signals); i++)
		sigaction(screen_signals[i], &screen.actions[i], NULL);
	sigprocmask(SIG_SETMASK, &screen.mask, NULL);
}

static void screen_size(unsigned int *rows_out, unsigned int *columns_out)
{
	struct winsize size = { 0 };

	*rows_out = SCREEN_ROWS;
	*columns_out = SCREEN_COLUMNS;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_row == 0 || size.ws_col == 0)
		return;
	*rows_out = size.ws_row;
	*columns_out = size.ws_col;
}

unsigned int screen_width(void)
{
	unsigned int rows;
	unsigned int columns;

	screen_size(&rows, &columns);
	return columns;
}

void screen_show(const char *text)
{
	unsigned int rows;
	unsigned int columns;

	screen_size(&rows, &columns);
	fputs(SCREEN_HOME, stdout);
	for (unsigned int row = 0; row < rows && *text != '\0'; row++) {
		size_t length = strcspn(text, "\n");

		printf("%.*s" SCREEN_LINE_END "%s", (int)MIN(length, columns), text,
		       row + 1 < rows ? "\r\n" : "");
		text += length + (text[length] == '\n');
	}
	fputs(SCREEN_REST, stdout);
	fflush(stdout);
}

/* Keys that were pressed: is one of them q? */
static bool screen_has_quit_key(void)
{
	char keys[64];
	ssize_t count = read(STDIN_FILENO, keys, sizeof(keys));

	return count <= 0 || memchr(keys, 'q', (size_t)count) != NULL ||
	       memchr(keys, 'Q', (size_t)count) != NULL;
}

bool screen_wait(uint64_t time_us)
{
	const struct timespec limit = { .tv_sec = (time_t)(time_us / 1000000),
					.tv_nsec = (long)(time_us % 1000000) * 1000 };
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	int count = ppoll(&input, 1, &limit, &screen.mask);

	if (screen_is_leaving)
		return true;
	return count > 0 && screen_has_quit_key();
}
