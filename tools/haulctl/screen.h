/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The terminal as a live screen: text replaces text in place, cut to the window as it is now, and everything is as it was
 * when it ends, also by a signal. Plain ANSI sequences. One a process.
 */
#ifndef HAULCTL_SCREEN_H
#define HAULCTL_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

/** Can standard input and output be one? Not when they are no terminals, nor dumb ones. */
bool screen_is_there(void);

/** Take the terminal over. False, and nothing done, when it cannot be. */
bool screen_begin(void);
void screen_end(void);

unsigned int screen_width(void);

/** Show text, whose lines end with a line feed: what does not fit into the window is left out. */
void screen_show(const char *text);

/** Wait; true when the user wants to leave (q, Ctrl-C, TERM, or the terminal is gone). Early, with false, when the window changed. */
bool screen_wait(uint64_t time_us);

#endif
