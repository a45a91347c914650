/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a chunk that is cut is covered by its pieces exactly, each is told apart by sender and receiver, and the chunk is whole
 * with its last piece and not before.
 * Method: chunks of every length; records and flags made by hand.
 */
#include "base/check.h"
#include "rudp/piece.h"
#include "unit.h"

#include <string.h>

#define CHUNK_BYTES_MAX (RUDP_DATAGRAM_BYTES_MAX - RUDP_DATA_HEADER_BYTES)

static void piece_bytes__covers_every_length(void **state)
{
	(void)state;
	for (uint32_t length = 1; length <= CHUNK_BYTES_MAX; length++) {
		uint32_t sum = 0;
		uint32_t piece = 0;
		uint8_t flags;

		do {
			flags = piece_flags(length, piece);
			assert_int_equal(wire_piece(flags), piece);
			assert_true((flags & WIRE_FLAG_PIECE) != 0);
			sum += piece_bytes(length, piece++);
		} while ((flags & WIRE_FLAG_LAST) == 0);
		assert_int_equal(sum, length);
		assert_in_range(piece, 1, PIECES_MAX);
	}
}

static void piece_cut__sends_and_settles_each_once(void **state)
{
	struct sent_packet origin = { .length = 3 * PIECE_BYTES + 1, .newest = 77 };
	struct sent_packet packets[4];

	(void)state;
	piece_cut(&origin);
	for (uint32_t i = 0; i < 4; i++) {
		packets[i] = (struct sent_packet){ .age = (uint16_t)(i + 1) };
		assert_false(piece_is(&packets[i]));
		assert_int_equal(piece_waiting(&origin), i);
		piece_sent(&origin, &packets[i], i);
		assert_true(piece_is(&packets[i]));
	}
	assert_int_equal(piece_waiting(&origin), PIECES_MAX);
	assert_true(piece_again(&origin, &packets[2]));
	assert_int_equal(piece_waiting(&origin), 2);
	/* The first transmission came through after all. */
	assert_false(piece_settled(&origin, &packets[2]));
	assert_int_equal(piece_waiting(&origin), PIECES_MAX);
	assert_false(piece_again(&origin, &packets[2]));
	assert_false(piece_settled(&origin, &packets[0]));
	assert_false(piece_settled(&origin, &packets[0]));
	assert_false(piece_settled(&origin, &packets[3]));
	assert_true(piece_settled(&origin, &packets[1]));
}

static void piece_again__of_a_whole_transmission(void **state)
{
	struct sent_packet origin = { .length = 2 * PIECE_BYTES };
	struct sent_packet whole = { .age = 9 };

	(void)state;
	piece_cut(&origin);
	assert_false(piece_again(&origin, &whole));
	assert_false(piece_again(&origin, &origin));
}

static void pieces_set__whole_with_the_last_missing(void **state)
{
	static struct pieces pieces;
	const uint32_t length = PIECES_MAX * PIECE_BYTES;

	(void)state;
	memset(&pieces, 0, sizeof(pieces));
	for (uint32_t last = 0; last < PIECES_MAX; last++) {
		uint32_t identity = UINT32_MAX - 3 + last;
		uint32_t bytes = length - (PIECES_MAX - 1 - last) * PIECE_BYTES;

		assert_false(pieces_any(&pieces, identity));
		/* From the last one down, and each twice. */
		for (uint32_t i = last + 1; i-- > 0;) {
			uint8_t flags = piece_flags(bytes, i);

			assert_false(pieces_test(&pieces, identity, flags));
			assert_int_equal(pieces_set(&pieces, identity, flags), i == 0);
			assert_int_equal(pieces_set(&pieces, identity, flags), i == 0);
			assert_true(pieces_test(&pieces, identity, flags));
			assert_true(pieces_any(&pieces, identity));
		}
	}
	assert_int_equal(pieces.count, PIECES_MAX);
}

static void pieces_move__forgets_what_leaves_the_window(void **state)
{
	static struct pieces pieces;
	const uint32_t first = UINT32_MAX - 10;

	(void)state;
	memset(&pieces, 0, sizeof(pieces));
	pieces_set(&pieces, first, WIRE_FLAG_PIECE);
	pieces_set(&pieces, first + 20, WIRE_FLAG_PIECE);
	/* What is older than the window, or from beyond what it could reach, moves nothing. */
	pieces_move(&pieces, first + 21, first + 20);
	pieces_move(&pieces, first + 21, first + 21 + WIRE_AGE_LIMIT);
	assert_int_equal(pieces.count, 2);
	pieces_move(&pieces, first + 21, first + WIRE_AGE_LIMIT - 1);
	assert_int_equal(pieces.count, 2);
	pieces_move(&pieces, first + WIRE_AGE_LIMIT, first + WIRE_AGE_LIMIT + 10);
	assert_int_equal(pieces.count, 1);
	assert_false(pieces_any(&pieces, first));
	assert_true(pieces_any(&pieces, first + 20));
	pieces_move(&pieces, first + WIRE_AGE_LIMIT + 11, first + WIRE_AGE_LIMIT + 200);
	assert_int_equal(pieces.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(piece_bytes__covers_every_length),
		cmocka_unit_test(piece_cut__sends_and_settles_each_once),
		cmocka_unit_test(piece_again__of_a_whole_transmission),
		cmocka_unit_test(pieces_set__whole_with_the_last_missing),
		cmocka_unit_test(pieces_move__forgets_what_leaves_the_window),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
