/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lines are collected until their end and then read as a whole; bodies are copied as they come. One step takes from the
 * input what its state can use, and response_feed makes steps until the input is used up.
 */
#include "tools/haulctl/response.h"

#include "base/check.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The first room for a body; it doubles from there. */
#define RESPONSE_ROOM_MIN 4096u

void response_init(struct response *response, size_t body_max)
{
	BUG_ON(body_max > RESPONSE_BODY_BYTES_MAX);
	memset(response, 0, sizeof(*response));
	response->body_max = body_max;
}

void response_free(struct response *response)
{
	free(response->body);
	response->body = NULL;
	response->body_bytes = 0;
	response->body_room = 0;
}

static void response_refuse(struct response *response, const char *reason)
{
	response->state = RESPONSE_REFUSED;
	response->reason = reason;
}

/* The value of a digit; 16 for anything else. */
static unsigned int response_digit(char digit)
{
	if (digit >= '0' && digit <= '9')
		return (unsigned int)(digit - '0');
	if (digit >= 'a' && digit <= 'f')
		return (unsigned int)(digit - 'a') + 10;
	if (digit >= 'A' && digit <= 'F')
		return (unsigned int)(digit - 'A') + 10;
	return 16;
}

/* Digits of a base, all of the text, without sign or blanks; what is over body_max stays over it. */
static bool response_number(const struct response *response, const char *text, size_t length,
			    unsigned int base, uint64_t *number_out)
{
	uint64_t number = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned int digit = response_digit(text[i]);

		if (digit >= base)
			return false;
		number = MIN(number * base + digit, (uint64_t)response->body_max + 1);
	}
	*number_out = number;
	return length > 0;
}

/* "HTTP/1.1 200 OK": the words behind the number are not looked at. */
static void response_read_status(struct response *response)
{
	const char *line = response->line;
	unsigned int status = 0;

	if (strncmp(line, "HTTP/1.", 7) != 0 || (line[7] != '0' && line[7] != '1') ||
	    line[8] != ' ') {
		response_refuse(response, "it does not begin with HTTP/1.0 or HTTP/1.1");
		return;
	}
	for (unsigned int i = 9; i < 12; i++) {
		if (line[i] < '0' || line[i] > '9') {
			response_refuse(response, "its status is no number of three digits");
			return;
		}
		status = status * 10 + (unsigned int)(line[i] - '0');
	}
	if ((line[12] != ' ' && line[12] != '\0') || status < 200 || status > 599) {
		response_refuse(response, "its status is not one from 200 to 599");
		return;
	}
	response->status = status;
	response->state = RESPONSE_HEADERS;
}

static void response_read_length(struct response *response, const char *value)
{
	uint64_t length;

	if (!response_number(response, value, strlen(value), 10, &length))
		response_refuse(response, "its Content-Length is no number");
	else if (response->has_length && response->length != length)
		response_refuse(response, "it has two Content-Lengths");
	else if (length > response->body_max)
		response_refuse(response, "its body is too long");
	response->has_length = 1;
	response->length = length;
}

static void response_read_encoding(struct response *response, const char *value)
{
	if (strcasecmp(value, "chunked") != 0 || response->is_chunked)
		response_refuse(response, "it has a Transfer-Encoding other than chunked");
	response->is_chunked = 1;
}

/* "Name: value": refused when the name has a blank or a control character, which is how one header hides in another. */
static void response_read_header(struct response *response)
{
	char *line = response->line;
	size_t name = strcspn(line, ":");
	char *value = line + name;
	size_t length;

	for (size_t i = 0; i < name; i++) {
		if (line[i] <= ' ' || line[i] > '~')
			name = 0;
	}
	if (name == 0 || *value == '\0') {
		response_refuse(response, "one of its headers is malformed");
		return;
	}
	*value++ = '\0';
	value += strspn(value, " \t");
	length = strlen(value);
	while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
		value[--length] = '\0';
	if (strcasecmp(line, "Content-Length") == 0)
		response_read_length(response, value);
	else if (strcasecmp(line, "Transfer-Encoding") == 0)
		response_read_encoding(response, value);
}

/* The empty line: how the body ends. A request has asked for Connection: close, so it may end with the connection. */
static void response_end_headers(struct response *response)
{
	bool has_body = response->status != 204 && response->status != 304;

	if (response->is_chunked && response->has_length) {
		response_refuse(response, "it has both a Content-Length and chunks");
	} else if (!has_body || (response->has_length && response->length == 0)) {
		response->state = RESPONSE_DONE;
	} else if (response->is_chunked) {
		response->state = RESPONSE_SIZE;
	} else if (response->has_length) {
		response->left = response->length;
		response->state = RESPONSE_LENGTH;
	} else {
		response->state = RESPONSE_TO_END;
	}
}

/* "1a2b;extension": the extension is not looked at. */
static void response_read_size(struct response *response)
{
	size_t length = strcspn(response->line, "; \t");

	if (!response_number(response, response->line, length, 16, &response->left))
		response_refuse(response, "the size of a chunk is no number");
	else if (response->left > response->body_max - response->body_bytes)
		response_refuse(response, "its body is too long");
	else
		response->state = response->left == 0 ? RESPONSE_TRAILER : RESPONSE_CHUNK;
}

static void response_read_line(struct response *response)
{
	switch (response->state) {
	case RESPONSE_STATUS:
		response_read_status(response);
		break;
	case RESPONSE_HEADERS:
		if (response->line_bytes == 0)
			response_end_headers(response);
		else
			response_read_header(response);
		break;
	case RESPONSE_SIZE:
		response_read_size(response);
		break;
	case RESPONSE_GAP:
		if (response->line_bytes != 0)
			response_refuse(response, "a chunk is longer than its size");
		else
			response->state = RESPONSE_SIZE;
		break;
	case RESPONSE_TRAILER:
		if (response->line_bytes == 0)
			response->state = RESPONSE_DONE;
		break;
	default:
		BUG_ON(true);
	}
}

/* Take up to the end of the line; a line without its end waits for more. Returns how many bytes were used. */
static size_t response_take_line(struct response *response, const char *bytes, size_t length)
{
	const char *end = memchr(bytes, '\n', length);
	size_t used = end != NULL ? (size_t)(end - bytes) + 1 : length;
	size_t text = end != NULL ? used - 1 : used;
	bool is_size = response->state == RESPONSE_SIZE || response->state == RESPONSE_GAP;

	if (text >= sizeof(response->line) - response->line_bytes) {
		response_refuse(response, "one of its lines is too long");
		return used;
	}
	response->header_bytes += is_size ? 0 : used;
	if (response->header_bytes > RESPONSE_HEADER_BYTES_MAX) {
		response_refuse(response, "its headers are too long");
		return used;
	}
	memcpy(response->line + response->line_bytes, bytes, text);
	response->line_bytes += text;
	if (end == NULL)
		return used;
	if (response->line_bytes > 0 && response->line[response->line_bytes - 1] == '\r')
		response->line_bytes--;
	response->line[response->line_bytes] = '\0';
	if (memchr(response->line, '\0', response->line_bytes) != NULL)
		response_refuse(response, "a zero byte stands in one of its lines");
	else
		response_read_line(response);
	response->line_bytes = 0;
	return used;
}

static bool response_make_room(struct response *response, size_t length)
{
	size_t needed = response->body_bytes + length + 1;
	size_t room = MAX(response->body_room, (size_t)RESPONSE_ROOM_MIN);
	char *body;

	if (needed <= response->body_room)
		return true;
	while (room < needed)
		room *= 2;
	body = realloc(response->body, room);
	if (body == NULL)
		return false;
	response->body = body;
	response->body_room = room;
	return true;
}

/* Take bytes of the body. Returns how many were used. */
static size_t response_take_body(struct response *response, const char *bytes, size_t length)
{
	bool is_bounded = response->state != RESPONSE_TO_END;
	size_t used = is_bounded ? (size_t)MIN(response->left, (uint64_t)length) : length;

	if (used > response->body_max - response->body_bytes) {
		response_refuse(response, "its body is too long");
		return used;
	}
	if (!response_make_room(response, used)) {
		response_refuse(response, "there is no memory for its body");
		return used;
	}
	memcpy(response->body + response->body_bytes, bytes, used);
	response->body_bytes += used;
	response->body[response->body_bytes] = '\0';
	if (!is_bounded)
		return used;
	response->left -= used;
	if (response->left == 0)
		response->state = response->state == RESPONSE_CHUNK ? RESPONSE_GAP : RESPONSE_DONE;
	return used;
}

enum response_state response_feed(struct response *response, const char *bytes, size_t length)
{
	while (length > 0 && response->state < RESPONSE_DONE) {
		bool is_body = response->state == RESPONSE_LENGTH ||
			       response->state == RESPONSE_TO_END ||
			       response->state == RESPONSE_CHUNK;
		size_t used = is_body ? response_take_body(response, bytes, length)
				      : response_take_line(response, bytes, length);

		ASSERT(used > 0 && used <= length);
		bytes += used;
		length -= used;
	}
	return response->state;
}

enum response_state response_end(struct response *response)
{
	if (response->state == RESPONSE_TO_END)
		response->state = RESPONSE_DONE;
	else if (response->state == RESPONSE_STATUS && response->header_bytes == 0)
		response_refuse(response, "it is empty");
	else if (response->state < RESPONSE_DONE)
		response_refuse(response, "it ends in the middle");
	return response->state;
}
