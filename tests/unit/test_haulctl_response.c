/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a response is read the same however its bytes are cut, and nothing that is cut short, too long, ambiguous or no
 * HTTP at all gets through. Method: each text is fed whole and in pieces of every size; garbage is made from good
 * responses by a seeded generator and must only ever be refused, read or waited for.
 */
#include "tools/haulctl/response.h"
#include "unit.h"

#define OK_LINE "HTTP/1.1 200 OK\r\n"

/* Feed a text in pieces, then end. Returns the last state. */
static enum response_state feed(struct response *response, const char *text, size_t piece,
				size_t body_max)
{
	size_t length = strlen(text);

	response_init(response, body_max);
	for (size_t at = 0; at < length; at += piece)
		response_feed(response, text + at, length - at < piece ? length - at : piece);
	return response->state < RESPONSE_DONE ? response_end(response) : response->state;
}

static void expect_body(const char *text, const char *body)
{
	for (size_t piece = 1; piece <= strlen(text); piece++) {
		struct response response;

		assert_int_equal(feed(&response, text, piece, 4096), RESPONSE_DONE);
		assert_int_equal(response.body_bytes, strlen(body));
		if (body[0] != '\0')
			assert_string_equal(response.body, body);
		response_free(&response);
	}
}

static void expect_refusal(const char *text, const char *reason)
{
	for (size_t piece = 1; piece <= strlen(text); piece += 7) {
		struct response response;

		assert_int_equal(feed(&response, text, piece, 64), RESPONSE_REFUSED);
		assert_string_equal(response.reason, reason);
		response_free(&response);
	}
}

static void response_feed__body_with_length(void **state)
{
	(void)state;
	expect_body(OK_LINE "Content-Length: 5\r\nX: y\r\n\r\nhello", "hello");
	expect_body(OK_LINE "content-length:5  \n\nhello and more", "hello");
	expect_body(OK_LINE "Content-Length: 0\r\n\r\nmore", "");
	expect_body("HTTP/1.1 204 No Content\r\n\r\n", "");
	expect_body("HTTP/1.0 404 Not Found\r\nContent-Length: 2\r\n\r\n{}", "{}");
}

static void response_feed__body_in_chunks(void **state)
{
	(void)state;
	expect_body(OK_LINE "Transfer-Encoding: chunked\r\n\r\n"
			    "3\r\nabc\r\nA;name=value\r\n0123456789\r\n0\r\n\r\n",
		    "abc0123456789");
	expect_body(OK_LINE "Transfer-Encoding: Chunked\r\n\r\n0\r\nTrailer: x\r\n\r\n", "");
}

static void response_feed__body_to_the_end(void **state)
{
	(void)state;
	expect_body("HTTP/1.0 200 OK\r\n\r\nall of it", "all of it");
	expect_body(OK_LINE "\r\n", "");
}

static void response_feed__status(void **state)
{
	struct response response;

	(void)state;
	feed(&response, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", 1, 64);
	assert_int_equal(response.status, 503);
	assert_int_equal(feed(&response, "HTTP/1.1 200\r\n\r\n", 1, 64), RESPONSE_DONE);
	assert_int_equal(response.status, 200);
	response_free(&response);
}

static void response_end__truncated(void **state)
{
	const char *middle = "it ends in the middle";

	(void)state;
	expect_refusal("HTTP/1.1 200", middle);
	expect_refusal(OK_LINE "Content-Length: 5\r\n", middle);
	expect_refusal(OK_LINE "Content-Length: 5\r\n\r\nhell", middle);
	expect_refusal(OK_LINE "Transfer-Encoding: chunked\r\n\r\n5\r\nhel", middle);
	expect_refusal(OK_LINE "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", middle);
	expect_refusal(OK_LINE "Transfer-Encoding: chunked\r\n\r\n0\r\n", middle);
}

static void response_end__empty(void **state)
{
	struct response response;

	(void)state;
	response_init(&response, 64);
	assert_int_equal(response_end(&response), RESPONSE_REFUSED);
	assert_string_equal(response.reason, "it is empty");
}

static void response_feed__oversized_body(void **state)
{
	const char *reason = "its body is too long";
	char text[256];

	(void)state;
	expect_refusal(OK_LINE "Content-Length: 65\r\n\r\n", reason);
	expect_refusal(OK_LINE "Content-Length: 99999999999999999999999999\r\n\r\n", reason);
	expect_refusal(OK_LINE "Transfer-Encoding: chunked\r\n\r\n41\r\n", reason);
	expect_refusal(OK_LINE "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n", reason);
	snprintf(text, sizeof(text), OK_LINE "\r\n%065d", 0);
	expect_refusal(text, reason);
	snprintf(text, sizeof(text),
		 OK_LINE "Transfer-Encoding: chunked\r\n\r\n40\r\n%064d\r\n1\r\nx\r\n", 0);
	expect_refusal(text, reason);
}

static void response_feed__oversized_headers(void **state)
{
	char text[RESPONSE_LINE_BYTES_MAX + 64];
	struct response response;

	(void)state;
	snprintf(text, sizeof(text), OK_LINE "X: %0*d\r\n\r\n", (int)RESPONSE_LINE_BYTES_MAX, 0);
	expect_refusal(text, "one of its lines is too long");
	response_init(&response, 64);
	response_feed(&response, OK_LINE, strlen(OK_LINE));
	for (unsigned int i = 0; i < RESPONSE_HEADER_BYTES_MAX; i++)
		response_feed(&response, "X: y\r\n", 6);
	assert_int_equal(response.state, RESPONSE_REFUSED);
	assert_string_equal(response.reason, "its headers are too long");
}

static void response_feed__endless_chunks(void **state)
{
	struct response response;

	(void)state;
	response_init(&response, 64);
	response_feed(&response, OK_LINE "Transfer-Encoding: chunked\r\n\r\n", 47);
	for (unsigned int i = 0; i < 65; i++)
		response_feed(&response, "1\r\nx\r\n", 6);
	assert_int_equal(response.state, RESPONSE_REFUSED);
	response_free(&response);
}

static void response_feed__no_http(void **state)
{
	(void)state;
	expect_refusal("SSH-2.0-OpenSSH\r\n", "it does not begin with HTTP/1.0 or HTTP/1.1");
	expect_refusal("HTTP/2.0 200 OK\r\n", "it does not begin with HTTP/1.0 or HTTP/1.1");
	expect_refusal("\r\n", "it does not begin with HTTP/1.0 or HTTP/1.1");
	expect_refusal("HTTP/1.1 2x0 OK\r\n", "its status is no number of three digits");
	expect_refusal("HTTP/1.1 20", "it ends in the middle");
	expect_refusal("HTTP/1.1 2000\r\n", "its status is not one from 200 to 599");
	expect_refusal("HTTP/1.1 100 Continue\r\n", "its status is not one from 200 to 599");
}

static void response_feed__ambiguous(void **state)
{
	(void)state;
	expect_refusal(OK_LINE "Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
		       "it has two Content-Lengths");
	expect_refusal(OK_LINE "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
		       "it has both a Content-Length and chunks");
	expect_refusal(OK_LINE "Content-Length: +5\r\n\r\n", "its Content-Length is no number");
	expect_refusal(OK_LINE "Content-Length: 0x5\r\n\r\n", "its Content-Length is no number");
	expect_refusal(OK_LINE "Content-Length:\r\n\r\n", "its Content-Length is no number");
	expect_refusal(OK_LINE "Transfer-Encoding: gzip\r\n\r\n",
		       "it has a Transfer-Encoding other than chunked");
	expect_refusal(OK_LINE "Content-Length : 5\r\n\r\n", "one of its headers is malformed");
	expect_refusal(OK_LINE "X: y\r\n folded\r\n\r\n", "one of its headers is malformed");
	expect_refusal(OK_LINE "no colon\r\n\r\n", "one of its headers is malformed");
	expect_refusal(OK_LINE "Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n",
		       "a chunk is longer than its size");
	expect_refusal(OK_LINE "Transfer-Encoding: chunked\r\n\r\n-1\r\n",
		       "the size of a chunk is no number");
}

static void response_feed__zero_byte(void **state)
{
	struct response response;

	(void)state;
	response_init(&response, 64);
	response_feed(&response, "HTTP/1.1 200 OK\0\r\n", 18);
	assert_int_equal(response.state, RESPONSE_REFUSED);
}

static void response_feed__garbage(void **state)
{
	static const char *const good[] = {
		OK_LINE "Content-Length: 5\r\n\r\nhello",
		OK_LINE "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
		OK_LINE "\r\nto the end",
	};
	uint64_t seed = unit_seed();

	(void)state;
	for (unsigned int round = 0; round < 20000; round++) {
		char text[128];
		size_t length;
		struct response response;

		strcpy(text, good[unit_random_below(&seed, 3)]);
		length = strlen(text);
		for (uint64_t i = unit_random_below(&seed, 4); i > 0; i--)
			text[unit_random_below(&seed, length)] = (char)unit_random(&seed);
		response_init(&response, 64);
		response_feed(&response, text, unit_random_below(&seed, length + 1));
		response_end(&response);
		assert_true(response.state >= RESPONSE_DONE);
		assert_true(response.body_bytes <= 64);
		assert_true((response.state == RESPONSE_REFUSED) == (response.reason != NULL));
		response_free(&response);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(response_feed__body_with_length),
		cmocka_unit_test(response_feed__body_in_chunks),
		cmocka_unit_test(response_feed__body_to_the_end),
		cmocka_unit_test(response_feed__status),
		cmocka_unit_test(response_end__truncated),
		cmocka_unit_test(response_end__empty),
		cmocka_unit_test(response_feed__oversized_body),
		cmocka_unit_test(response_feed__oversized_headers),
		cmocka_unit_test(response_feed__endless_chunks),
		cmocka_unit_test(response_feed__no_http),
		cmocka_unit_test(response_feed__ambiguous),
		cmocka_unit_test(response_feed__zero_byte),
		cmocka_unit_test(response_feed__garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
