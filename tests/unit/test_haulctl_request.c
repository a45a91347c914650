/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: an answer arrives whatever its pieces, and every way not to get one ends in time with a sentence that helps.
 * Method: a server on a thread that answers with bytes of the test.
 */
#include "http_server.h"
#include "tools/haulctl/request.h"
#include "tools/haulctl/response.h"
#include "unit.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char reason[REQUEST_REASON_BYTES];

static enum request_result get(const char *path, uint64_t timeout_us, struct response *response)
{
	const struct request request = { .socket_path = path,
					 .target = "/v1/status",
					 .timeout_us = timeout_us,
					 .body_max = 4096 };

	return request_get(&request, response, reason);
}

static void expect_unreachable(const char *path, const char *words)
{
	struct response response;

	assert_int_equal(get(path, 1000000, &response), REQUEST_UNREACHABLE);
	assert_non_null(strstr(reason, words));
	response_free(&response);
}

static void request_get__answered(void **state)
{
	static const enum http_manner manners[] = { HTTP_AT_ONCE, HTTP_BYTEWISE };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		char *bytes = http_good("{\"a\": 1}");
		const struct http_answer answers[] = { { "/v1/status", bytes }, { NULL, NULL } };
		struct http_server server;
		struct response response;

		http_server_start(&server, answers, manners[i]);
		assert_int_equal(get(server.path, 5000000, &response), REQUEST_ANSWERED);
		assert_int_equal(response.status, 200);
		assert_string_equal(response.body, "{\"a\": 1}");
		response_free(&response);
		http_server_stop(&server);
		free(bytes);
	}
}

static void request_get__nobody(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/tmp/haul-left.XXXXXX" };
	char path[200];
	int fd = mkstemp(address.sun_path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	expect_unreachable(address.sun_path, "nobody listens");
	unlink(address.sun_path);
	expect_unreachable(address.sun_path, "no such socket");
	memset(path, 'x', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	expect_unreachable(path, "at most 107 bytes");
}

static void request_get__other_kind(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "/tmp/haul-kind.XXXXXX" };
	int fd = mkstemp(address.sun_path);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	unlink(address.sun_path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	expect_unreachable(address.sun_path, "another kind of socket");
	close(fd);
	unlink(address.sun_path);
}

static void request_get__silence(void **state)
{
	const struct http_answer answers[] = { { NULL, NULL } };
	struct http_server server;
	struct response response;

	(void)state;
	http_server_start(&server, answers, HTTP_SILENT);
	assert_int_equal(get(server.path, 100000, &response), REQUEST_UNREACHABLE);
	assert_string_equal(reason, "no answer within 0.1 s; see haul-controlplane's log");
	response_free(&response);
	http_server_stop(&server);
}

static void request_get__broken(void **state)
{
	static const char *const bytes[] = { NULL, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx",
					     "+PONG\r\n" };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		const struct http_answer answers[] = { { NULL, bytes[i] } };
		struct http_server server;
		struct response response;

		http_server_start(&server, answers, HTTP_AT_ONCE);
		assert_int_equal(get(server.path, 5000000, &response), REQUEST_BROKEN);
		assert_non_null(strstr(reason, "the answer is not usable: "));
		response_free(&response);
		http_server_stop(&server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_get__answered),   cmocka_unit_test(request_get__nobody),
		cmocka_unit_test(request_get__other_kind), cmocka_unit_test(request_get__silence),
		cmocka_unit_test(request_get__broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
