/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: status and doctor say what the control plane says, one screen each, and doctor fails exactly when a check does.
 * Method: a server of the test; of doctor's host checks only that they are there is looked at.
 */
#include "haulctl_rig.h"

static void status_run__one_screen(void **state)
{
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(
		rig_run_body(&haulctl, status_run, NULL,
			     "{\"version\": \"0.1.0\", \"cluster\": \"c\", \"node\": \"a\","
			     " \"node_state\": \"refused\", \"node_reason\": \"the name is taken\","
			     " \"dataplane\": true, \"segments\": 2, \"channels\": null,"
			     " \"redis\": {\"state\": \"ready\", \"address\": \"unix:/r\","
			     " \"reason\": \"\"}, \"nodes\": [{\"name\": \"a\"}]}"),
		HAULCTL_DONE);
	assert_string_equal(rig_text,
			    "cluster    c\n"
			    "node       a, refused: the name is taken\n"
			    "dataplane  connected\n"
			    "redis      ready, unix:/r\n"
			    "segments   2\n"
			    "channels   -\n"
			    "version    0.1.0\n"
			    "\n"
			    "NAME  STATE  SELF  BEAT  TERM  SEGMENTS  INCARNATION  ADDRESSES\n"
			    "a     -      -        -     -         -  -            -\n");
}

static int run_doctor(struct haulctl *haulctl, const char *check_state)
{
	char body[256];
	char *doctor;
	char *nodes = http_good("{\"nodes\": [{\"state\": \"dead\"}, {\"state\": \"alive\"}]}");
	struct http_answer answers[] = { { "/v1/doctor", NULL }, { "/v1/nodes", nodes }, { 0 } };
	int status;

	snprintf(body, sizeof(body),
		 "{\"checks\": [{\"name\": \"redis\", \"state\": \"%s\","
		 " \"detail\": \"found\", \"advice\": \"mend\"}]}",
		 check_state);
	doctor = http_good(body);
	answers[0].bytes = doctor;
	status = rig_run(haulctl, doctor_run, NULL, answers);
	free(doctor);
	free(nodes);
	return status;
}

static void doctor_run__fails_with_a_check(void **state)
{
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(run_doctor(&haulctl, "warn"), HAULCTL_DONE);
	assert_non_null(strstr(rig_text, "warn  redis           found\n"
					 "                      -> mend\n"));
	assert_non_null(strstr(rig_text, "warn  cluster         2 known, 1 silent\n"));
	assert_non_null(strstr(rig_text, "processors"));
	assert_non_null(strstr(rig_text, " 0 fail\n"));
	assert_int_equal(run_doctor(&haulctl, "fail"), HAULCTL_FAILED);
	assert_non_null(strstr(rig_text, " 1 fail\n"));
	assert_int_equal(run_doctor(&haulctl, "worse"), HAULCTL_FAILED);
}

static void doctor_run__json(void **state)
{
	struct haulctl haulctl = { .is_json = true };

	(void)state;
	assert_int_equal(run_doctor(&haulctl, "ok"), HAULCTL_DONE);
	assert_int_equal(rig_text[0], '{');
	assert_non_null(strstr(rig_text, "\"name\": \"clock\""));
}

static void doctor_run__unreachable(void **state)
{
	const struct http_answer answers[] = { { NULL, NULL } };
	struct haulctl haulctl = { 0 };

	(void)state;
	assert_int_equal(rig_run(&haulctl, doctor_run, NULL, answers), HAULCTL_FAILED);
	assert_non_null(strstr(rig_text, "fail  control plane   "));
	assert_non_null(strstr(rig_text, "processors"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(status_run__one_screen),
		cmocka_unit_test(doctor_run__fails_with_a_check),
		cmocka_unit_test(doctor_run__json),
		cmocka_unit_test(doctor_run__unreachable),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);

	free(rig_text);
	return failed;
}
