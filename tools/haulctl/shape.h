/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Answers of control planes that say the same in other words, brought into the shape that the commands read.
 */
#ifndef HAULCTL_SHAPE_H
#define HAULCTL_SHAPE_H

#include <jansson.h>

/** Add what a target's answer lacks; what is there stays. */
void shape_answer(const char *target, json_t *body);

/** The checks that follow from a status, for a control plane without /v1/doctor. A new array. */
json_t *shape_checks(const json_t *status);

#endif
