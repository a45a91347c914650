/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * The simulator's performance mode: what loss, reordering, sharing and absent-minded hosts leave of the bandwidth,
 * under congestion control of a name.
 */
#ifndef SIM_BENCH_H
#define SIM_BENCH_H

/**
 * `sim --bench` with the arguments behind it:
 *
 *     [--cc NAME] [--seed S] [--json FILE] [--floors | --smoke]
 *
 * Prints a table. With --floors rows below their floors are named and the result is 1; --smoke is a
 * fifth of the time and half of the floors. Returns the exit code, 2 = usage.
 */
int bench_main(int argc, char **argv);

#endif
