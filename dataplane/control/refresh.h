/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * Fetching the descriptors of open segments again. What comes replaces the view only when it is good and newer; absent,
 * unreachable and malformed are three different answers, and only the first, twice in a row, takes a segment away.
 *
 * Refreshes of one opening are coalesced, and after failures come ever more seldom, until there is news. When no rail to
 * a peer can be had its record is fetched again, by one refresh for all that is open of it, and no peer but that one.
 * Control thread only.
 */
#ifndef CONTROL_REFRESH_H
#define CONTROL_REFRESH_H

#include <stdint.h>

struct node;
struct opening;

/** Fetch the descriptor again, now or when its pace allows. Not for what is retired, which is left alone. */
void refresh_want(struct opening *opening);

/** No rail to a peer could be had: fetch its record again, unless that was done just now. */
void refresh_seek_peer(struct node *node, uint32_t peer);

#endif
