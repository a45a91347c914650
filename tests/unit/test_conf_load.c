/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: a right file fills the structs, and a wrong one says file, line, key, why and what is
 * allowed. Method: small files, one mistake each, and the whole message compared; a second section
 * stands for a driver's.
 */
#include "base/check.h"
#include "conf/controlplane.h"
#include "conf/dataplane.h"
#include "conf/load.h"
#include "unit.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* libconfig forgets the string it was reading when it meets a syntax error in it. */
const char *__lsan_default_suppressions(void);

const char *__lsan_default_suppressions(void)
{
	return "leak:strbuf_append";
}

struct port {
	char name[16];
	char device[32];
	uint32_t mtu;
};

struct driver {
	uint32_t burst;
	char deep[16];
	struct port ports[2];
	uint32_t port_count;
};

static const struct conf_key port_keys[] = {
	CONF_KEY_STRING(struct port, name, "name", "port0", conf_check_name, "name"),
	CONF_KEY_REQUIRED(struct port, device, "device", "net_virtio_user0", NULL, "device"),
	CONF_KEY_U32(struct port, mtu, "mtu", 1500, 576, 9000, "bytes", "largest packet"),
};

static const struct conf_table port_table = CONF_TABLE("", port_keys, NULL);

static const struct conf_key driver_keys[] = {
	CONF_KEY_U32(struct driver, burst, "burst", 32, 1, 64, "packets", "packets at a time"),
	CONF_KEY_STRING(struct driver, deep, "inner.deep", "x", NULL, "something deep"),
	CONF_KEY_GROUP_LIST(struct driver, ports, port_count, "ports", &port_table, "ports"),
};

static const struct conf_table driver_table = CONF_TABLE("wire", driver_keys, NULL);

static struct dataplane_conf conf;
static struct driver driver;

static const struct conf_section sections[] = {
	{ &dataplane_conf_table, &conf },
	{ &driver_table, &driver },
};

static char path[] = "/tmp/haul-test-XXXXXX";
static char error[CONF_ERROR_BYTES];

static int file_make(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	return fd < 0 ? -1 : 0;
}

static int file_remove(void **state)
{
	(void)state;
	return unlink(path);
}

static int text_load(const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	fclose(file);
	return conf_load(path, sections, ARRAY_SIZE(sections), error);
}

/* The file is refused, and the message is the path followed by this. */
static void refused(const char *text, const char *expected)
{
	assert_int_equal(text_load(text), -EINVAL);
	assert_memory_equal(error, path, strlen(path));
	assert_string_equal(error + strlen(path), expected);
}

#define NEEDED "node = \"a\"; cluster_key_file = \"/k\";\n"

static void conf_load__fills_structs(void **state)
{
	(void)state;
	assert_int_equal(text_load(NEEDED "log_level = \"debug\"; attach_mode = \"0666\";\n"
					  "segment_bytes_max = \"2G\"; workers = [ 3, 1 ];\n"
					  "transports = [ \"udp\" ];\n"
					  "tenants = ( { uid = 7; tenant = \"t\"; } );\n"
					  "quotas = ( { uid = -1; channels = 2; },\n"
					  "           { uid = 7; bytes = \"1K\"; } );\n"
					  "wire = { inner = { deep = \"down\"; };\n"
					  "  ports = ( { device = \"d0\"; },\n"
					  "            { device = \"d1\"; mtu = 9000; } ); };\n"),
			 0);
	assert_string_equal(error, "");
	assert_string_equal(conf.node, "a");
	assert_int_equal(conf.log_level, 3);
	assert_int_equal(conf.attach_mode, 0666);
	assert_int_equal(conf.segment_bytes_max, UINT64_C(2) << 30);
	assert_int_equal(conf.worker_count, 2);
	assert_int_equal(conf.workers[0], 3);
	assert_int_equal(conf.transport_count, 1);
	assert_string_equal(conf.transports[0], "udp");
	assert_int_equal(conf.tenants[0].uid, 7);
	assert_int_equal(conf.quotas[1].bytes, 1024);
	assert_int_equal(conf.quotas[1].channels, 64);
	assert_string_equal(driver.deep, "down");
	assert_int_equal(driver.burst, 32);
	assert_int_equal(driver.port_count, 2);
	assert_int_equal(driver.ports[0].mtu, 1500);
	assert_string_equal(driver.ports[1].device, "d1");
	/* What a file leaves out has its default again. */
	assert_int_equal(text_load(NEEDED), 0);
	assert_int_equal(conf.log_level, 2);
	assert_int_equal(conf.tenant_count, 0);
	assert_int_equal(driver.port_count, 0);
}

static void conf_load__unknown_keys(void **state)
{
	(void)state;
	refused(NEEDED "wire = {\n brust = 3; };",
		":3: wire.brust: unknown key; known here: burst, inner.deep, ports");
	refused(NEEDED "wire = { inner = {\n\n dep = 3; }; };",
		":4: wire.inner.dep: unknown key; known here: deep");
	refused(NEEDED "wire = { ports = ( { device = \"d\"; speed = 3; } ); };",
		":2: wire.ports[0].speed: unknown key; known here: name, device, mtu");
	assert_int_equal(text_load("nod = 3;"), -EINVAL);
	assert_non_null(strstr(error, ":1: nod: unknown key; known here: node, run_directory, "));
	assert_non_null(strstr(error, ", wire"));
}

static void conf_load__wrong_types(void **state)
{
	(void)state;
	refused("\nnode = 3;", ":2: node: not a string; allowed: a string of at most 63 bytes");
	refused(NEEDED "wire = 3;", ":2: wire: not a group; allowed: { key = value; ... }");
	refused(NEEDED "wire = { inner = 3; };",
		":2: wire.inner: not a group; allowed: { key = value; ... }");
	refused(NEEDED "channels_max = \"9\";",
		":2: channels_max: not an integer; allowed: an integer from 1 to 4096");
	refused(NEEDED "channels_max = 9.5;",
		":2: channels_max: not an integer; allowed: an integer from 1 to 4096");
	refused(NEEDED "workers = 3;", ":2: workers: not a list; allowed: an array of at most 64 "
				       "integers from 0 to 1023");
	refused(NEEDED "wire = { ports = ( 3 ); };",
		":2: wire.ports[0]: not a group; allowed: { key = value; ... }");
	refused(NEEDED "wire = { ports = [ 3 ]; };",
		":2: wire.ports: not a list; allowed: a list of at most 2 groups");
}

static void conf_load__out_of_range(void **state)
{
	(void)state;
	refused(NEEDED "channels_max = 0;",
		":2: channels_max: out of range; allowed: an integer from 1 to 4096");
	refused(NEEDED "channels_max = -1;",
		":2: channels_max: out of range; allowed: an integer from 1 to 4096");
	refused(NEEDED "channels_max = 4294967297L;",
		":2: channels_max: out of range; allowed: an integer from 1 to 4096");
	refused(NEEDED "workers = [ 1, 2000 ];", ":2: workers[1]: out of range; allowed: an array "
						 "of at most 64 integers from 0 to 1023");
	refused(NEEDED "huge_pages = \"some\";",
		":2: huge_pages: not a word that is known here; allowed: one of \"auto\", "
		"\"off\", \"require\"");
	refused(NEEDED "attach_mode = \"0999\";", ":2: attach_mode: not a file mode; allowed: a "
						  "file mode in octal digits, such as \"0660\"");
	refused(NEEDED "run_directory = \"run\";",
		":2: run_directory: not an absolute path; allowed: a string of at most 255 bytes");
	refused(NEEDED "wire = { ports = ( { device = \"d\"; }, { device = \"d\"; },\n"
		       "{ device = \"d\"; } ); };",
		":2: wire.ports: too many elements; allowed: a list of at most 2 groups");
}

static void conf_load__whole_struct(void **state)
{
	(void)state;
	refused(NEEDED "\nchannel_entries = 100;", ":3: channel_entries: not a power of two");
	refused(NEEDED "workers = [ 1, 2, 1 ];", ":2: workers: a processor is named twice");
	refused(NEEDED "transports = [ ];", ":2: transports: empty, at least one is needed");
}

static void conf_load__required(void **state)
{
	(void)state;
	refused("cluster_key_file = \"/k\";",
		":1: node: missing, but required; allowed: a string of at most 63 bytes");
	refused(NEEDED "wire = { ports = ( { mtu = 600; } ); };",
		":2: wire.ports[0].device: missing, but required; allowed: a string of "
		"at most 31 bytes");
}

static void conf_load__not_a_file_of_ours(void **state)
{
	(void)state;
	refused("node = \"a\";\nnode = \"b\";", ":2: duplicate setting name");
	refused("node = ", ":1: syntax error");
	assert_int_equal(conf_load("/nonexistent", sections, 2, error), -ENOENT);
	assert_string_equal(error, "/nonexistent: cannot be opened: No such file or directory");
	assert_int_equal(conf_load("/tmp", sections, 2, error), -EISDIR);
}

static void conf_load__printed_defaults(void **state)
{
	static struct controlplane_conf controlplane;
	const struct conf_section control_section = { &controlplane_conf_table, &controlplane };
	FILE *file = fopen(path, "w");

	(void)state;
	assert_non_null(file);
	conf_print(file, sections, ARRAY_SIZE(sections));
	fclose(file);
	assert_int_equal(conf_load(path, sections, ARRAY_SIZE(sections), error), 0);
	assert_string_equal(conf.node, "node-a");
	file = fopen(path, "w");
	assert_non_null(file);
	conf_print(file, &control_section, 1);
	fclose(file);
	assert_int_equal(conf_load(path, &control_section, 1, error), 0);
	assert_int_equal(controlplane.redis.port, 6379);
}

/*
 * Files of random bytes, and a right one with random damage: refused or loaded, but nothing else.
 */
static void conf_load__random_damage(void **state)
{
	char text[] =
		NEEDED "wire = { inner = { deep = \"d\"; }; ports = ( { device = \"d0\"; } ); };\n"
		       "workers = [ 1, 2 ]; segment_bytes_max = \"2G\"; beat = 3;\n";
	uint64_t seed = unit_seed();

	(void)state;
	for (int i = 0; i < 3000; i++) {
		size_t at = unit_random_below(&seed, sizeof(text) - 1);
		char saved = text[at];

		text[at] = (char)(1 + unit_random_below(&seed, 126));
		if (text[at] != '@') /* "@include" would read another file */
			text_load(text);
		text[at] = saved;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(conf_load__fills_structs),
		cmocka_unit_test(conf_load__unknown_keys),
		cmocka_unit_test(conf_load__wrong_types),
		cmocka_unit_test(conf_load__out_of_range),
		cmocka_unit_test(conf_load__whole_struct),
		cmocka_unit_test(conf_load__required),
		cmocka_unit_test(conf_load__not_a_file_of_ours),
		cmocka_unit_test(conf_load__printed_defaults),
		cmocka_unit_test(conf_load__random_damage),
	};

	return cmocka_run_group_tests(tests, file_make, file_remove);
}
