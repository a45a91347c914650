/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Goal: each check tells a good host from a bad one and from one that hides it, and says what would be right whenever it
 * is not ok. Method: a small /proc and /sys in a folder of the test.
 */
#include "tools/haulctl/host.h"
#include "unit.h"

#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];
static struct host_finding findings[16];
static unsigned int count;

static void put(const char *path, const char *text)
{
	char whole[512];
	FILE *file;

	snprintf(whole, sizeof(whole), "%s%s", root, path);
	for (char *at = strchr(whole + strlen(root) + 1, '/'); at != NULL;
	     at = strchr(at + 1, '/')) {
		*at = '\0';
		mkdir(whole, 0700);
		*at = '/';
	}
	file = fopen(whole, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

/* A host where all is well: four processors, one daemon with one worker. */
static int root_make(void **state)
{
	(void)state;
	strcpy(root, "/tmp/haul-host.XXXXXX");
	assert_non_null(mkdtemp(root));
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "512\n");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "100\n");
	put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n");
	put("/sys/devices/system/cpu/online", "0-2,5\n");
	put("/proc/meminfo", "MemTotal: 2097152 kB\nMemAvailable:   1048576 kB\n");
	put("/proc/self/comm", "haulctl\n");
	put("/proc/77/comm", "haul-dataplane\n");
	put("/proc/77/limits", "Limit  Soft Limit  Hard Limit\n"
			       "Max locked memory         unlimited            unlimited  bytes\n");
	put("/proc/77/task/77/comm", "haul-dataplane\n");
	put("/proc/77/task/78/comm", "haul-dataplane\n");
	put("/proc/77/task/79/comm", "haul-long\n");
	put("/proc/80/comm", "haul-controlpla\n");
	return 0;
}

static int root_remove(void **state)
{
	(void)state;
	return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void finding_keep(const struct host_finding *finding, void *argument)
{
	(void)argument;
	assert_true(count < 16);
	assert_true((finding->state == HOST_OK) == (finding->advice[0] == '\0'));
	assert_true(finding->detail[0] != '\0');
	findings[count++] = *finding;
}

static void expect(const char *name, enum host_state state, const char *words)
{
	count = 0;
	host_check(root, finding_keep, NULL);
	for (unsigned int i = 0; i < count; i++) {
		if (strcmp(findings[i].name, name) != 0)
			continue;
		assert_int_equal(findings[i].state, state);
		assert_non_null(strstr(findings[i].detail, words));
		return;
	}
	fail_msg("no check of %s", name);
}

static void host_check__all_well(void **state)
{
	(void)state;
	expect("processors", HOST_OK, "4 online, 1 used by workers");
	expect("locked memory", HOST_OK, "all it needs");
	expect("huge pages", HOST_OK, "100 of 512 pages");
	expect("shared memory", HOST_OK, "1.0 GiB");
	expect("clock", HOST_OK, "tsc");
}

static void host_check__huge_pages(void **state)
{
	(void)state;
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "0\n");
	expect("huge pages", HOST_WARN, "0 of 512");
	put("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
	expect("huge pages", HOST_WARN, "none are set aside");
}

static void host_check__workers(void **state)
{
	(void)state;
	put("/proc/77/task/80/comm", "haul-worker\n");
	put("/proc/77/task/81/comm", "haul-worker-2\n");
	put("/proc/77/task/82/comm", "eal-intr-thread\n");
	expect("processors", HOST_OK, "4 online, 3 used");
	put("/sys/devices/system/cpu/online", "0-2\n");
	expect("processors", HOST_WARN, "3 online, 3 used");
}

static void host_check__locked(void **state)
{
	(void)state;
	put("/proc/78/comm", "haul-dataplane\n");
	put("/proc/78/limits", "Max locked memory         8388608  8388608  bytes\n");
	expect("locked memory", HOST_WARN, "may lock 8.0 MiB");
}

static void host_check__clock(void **state)
{
	(void)state;
	put("/sys/devices/system/clocksource/clocksource0/current_clocksource", "hpet\n");
	expect("clock", HOST_WARN, "hpet");
}

static void host_check__memory(void **state)
{
	(void)state;
	put("/proc/meminfo", "MemAvailable: 1024 kB\n");
	expect("shared memory", HOST_WARN, "1.0 MiB");
}

static void host_check__hidden(void **state)
{
	(void)state;
	strcat(root, "/none");
	expect("processors", HOST_WARN, "cannot be seen");
	expect("locked memory", HOST_WARN, "unknown");
	expect("huge pages", HOST_WARN, "cannot be seen");
	expect("shared memory", HOST_WARN, "cannot be seen");
	expect("clock", HOST_WARN, "cannot be seen");
	*strrchr(root, '/') = '\0';
}

#define HOST_TEST(name) cmocka_unit_test_setup_teardown(name, root_make, root_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(host_check__all_well), HOST_TEST(host_check__huge_pages),
		HOST_TEST(host_check__workers),  HOST_TEST(host_check__locked),
		HOST_TEST(host_check__clock),    HOST_TEST(host_check__memory),
		HOST_TEST(host_check__hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
