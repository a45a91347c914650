/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file, all in host order:
 *
 *     struct file_header
 *     struct file_group   x group_count
 *     struct file_spec    x the sum of their spec_count
 *     blocks: for each group, thread_count blocks of spec_count u64, each block on cache lines of its own
 *
 * A reader copies the directory and checks every offset against the size it mapped, then only loads
 * counters; a file that its owner shrinks later is not defended against, since only the daemon's
 * user can write it.
 */
#include "base/counters.h"

#include "base/check.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MAGIC   UINT64_C(0x524e54434c554148) /* "HAULCTNR" */
#define FILE_VERSION 1u
#define BLOCK_ALIGN  64u
#define FILE_MODE    0644

struct file_header {
	uint64_t magic;
	uint32_t version;
	uint32_t group_count;
	uint32_t thread_count;
	uint32_t spec_count; /* of all groups */
	uint64_t bytes;      /* of the file */
};

struct file_group {
	char name[32];
	uint32_t spec_first;   /* index of its first spec */
	uint32_t spec_count;   /* of its own */
	uint64_t block_offset; /* of thread 0's block in the file */
	uint64_t block_stride; /* from one thread's block to the next */
};

struct file_spec {
	char name[48];
	char unit[16];
	char meaning[192];
};

/* One mapping of the file, of its writer or of a reader. */
struct counters_map {
	uint8_t *base;
	uint64_t bytes;
	struct file_header header;       /* a reader's checked copy */
	const struct file_group *groups; /* in the mapping (writer) or a checked copy (reader) */
	const struct file_spec *specs;   /* likewise */
};

struct counters {
	struct counters_map map;
	char *path;
};

struct counters_view {
	struct counters_map map;
	struct file_group *groups; /* what map.groups points to */
	struct file_spec *specs;   /* what map.specs points to */
};

static uint64_t block_stride(uint32_t spec_count)
{
	uint64_t bytes = (uint64_t)spec_count * sizeof(uint64_t);

	return (bytes + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
}

static uint64_t directory_bytes(const struct file_header *header)
{
	uint64_t bytes = sizeof(*header) +
			 (uint64_t)header->group_count * sizeof(struct file_group) +
			 (uint64_t)header->spec_count * sizeof(struct file_spec);

	return (bytes + BLOCK_ALIGN - 1) / BLOCK_ALIGN * BLOCK_ALIGN;
}

/* Copy a string into a field that must hold its final zero too. */
static int text_copy(char *field, size_t size, const char *text)
{
	size_t length = strlen(text);

	if (length >= size)
		return -EINVAL;
	memcpy(field, text, length + 1);
	return 0;
}

static int header_make(const struct counter_group *groups, unsigned int group_count,
		       unsigned int thread_count, struct file_header *header)
{
	*header = (struct file_header){ .magic = FILE_MAGIC,
					.version = FILE_VERSION,
					.group_count = group_count,
					.thread_count = thread_count };
	if (group_count > COUNTERS_GROUPS_MAX || thread_count == 0 ||
	    thread_count > COUNTERS_THREADS_MAX)
		return -EINVAL;
	for (unsigned int i = 0; i < group_count; i++) {
		if (groups[i].count > COUNTERS_SPECS_MAX)
			return -EINVAL;
		header->spec_count += groups[i].count;
		header->bytes += block_stride(groups[i].count) * thread_count;
	}
	header->bytes += directory_bytes(header);
	return 0;
}

static int specs_write(struct file_spec *specs, const struct counter_group *group)
{
	for (unsigned int i = 0; i < group->count; i++) {
		const struct counter_spec *spec = &group->specs[i];

		if (text_copy(specs[i].name, sizeof(specs[i].name), spec->name) != 0 ||
		    text_copy(specs[i].unit, sizeof(specs[i].unit), spec->unit) != 0 ||
		    text_copy(specs[i].meaning, sizeof(specs[i].meaning), spec->meaning) != 0)
			return -EINVAL;
	}
	return 0;
}

static int directory_write(uint8_t *base, const struct file_header *header,
			   const struct counter_group *groups)
{
	struct file_group *file_groups = (struct file_group *)(void *)(base + sizeof(*header));
	struct file_spec *specs = (struct file_spec *)(void *)(file_groups + header->group_count);
	uint64_t offset = directory_bytes(header);
	uint32_t spec_first = 0;

	ASSERT(base != NULL);
	memcpy(base, header, sizeof(*header));
	for (unsigned int i = 0; i < header->group_count; i++) {
		struct file_group *group = &file_groups[i];

		group->spec_first = spec_first;
		group->spec_count = groups[i].count;
		group->block_offset = offset;
		group->block_stride = block_stride(groups[i].count);
		if (text_copy(group->name, sizeof(group->name), groups[i].name) != 0 ||
		    specs_write(specs + spec_first, &groups[i]) != 0)
			return -EINVAL;
		spec_first += groups[i].count;
		offset += group->block_stride * header->thread_count;
	}
	ASSERT(offset == header->bytes);
	return 0;
}

static int map_make(struct counters_map *map, int fd, uint64_t bytes, int protection)
{
	void *base = mmap(NULL, bytes, protection, MAP_SHARED, fd, 0);

	if (base == MAP_FAILED)
		return -errno;
	map->base = base;
	map->bytes = bytes;
	return 0;
}

static void map_unmake(struct counters_map *map)
{
	if (map->base != NULL)
		munmap(map->base, map->bytes);
}

/*
 * Fill the file under a temporary name, then give it its own: nobody ever reads half a directory.
 */
static int file_make(struct counters *counters, const struct file_header *header,
		     const struct counter_group *groups)
{
	char path_new[4096];
	int length = snprintf(path_new, sizeof(path_new), "%s.new", counters->path);
	int error;
	int fd;

	if (length < 0 || (size_t)length >= sizeof(path_new))
		return -ENAMETOOLONG;
	unlink(path_new);
	fd = open(path_new, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
	if (fd < 0)
		return -errno;
	error = ftruncate(fd, (off_t)header->bytes) == 0 ? 0 : -errno;
	if (error == 0)
		error = map_make(&counters->map, fd, header->bytes, PROT_READ | PROT_WRITE);
	close(fd);
	if (error == 0)
		error = directory_write(counters->map.base, header, groups);
	if (error == 0 && rename(path_new, counters->path) != 0)
		error = -errno;
	if (error != 0)
		unlink(path_new);
	return error;
}

int counters_create(const char *path, const struct counter_group *groups, unsigned int group_count,
		    unsigned int thread_count, struct counters **out)
{
	struct file_header header;
	struct counters *counters;
	int error = header_make(groups, group_count, thread_count, &header);

	if (error != 0)
		return error;
	counters = calloc(1, sizeof(*counters));
	if (counters == NULL)
		return -ENOMEM;
	counters->path = strdup(path);
	error = counters->path == NULL ? -ENOMEM : file_make(counters, &header, groups);
	if (error != 0) {
		map_unmake(&counters->map);
		free(counters->path);
		free(counters);
		return error;
	}
	counters->map.header = header;
	counters->map.groups =
		(const struct file_group *)(const void *)(counters->map.base + sizeof(header));
	*out = counters;
	return 0;
}

uint64_t *counters_block(struct counters *counters, unsigned int group, unsigned int thread)
{
	const struct counters_map *map = &counters->map;

	BUG_ON(group >= map->header.group_count || thread >= map->header.thread_count);
	return (uint64_t *)(void *)(map->base + map->groups[group].block_offset +
				    thread * map->groups[group].block_stride);
}

void counters_destroy(struct counters *counters)
{
	if (counters == NULL)
		return;
	unlink(counters->path);
	map_unmake(&counters->map);
	free(counters->path);
	free(counters);
}

/* Zero-terminate what came from a file. */
static void text_end(char *field, size_t size)
{
	field[size - 1] = '\0';
}

static int header_check(const struct file_header *header, uint64_t bytes)
{
	if (header->magic != FILE_MAGIC)
		return -EINVAL;
	if (header->version != FILE_VERSION)
		return -EPROTONOSUPPORT;
	if (header->group_count > COUNTERS_GROUPS_MAX || header->thread_count == 0 ||
	    header->thread_count > COUNTERS_THREADS_MAX ||
	    header->spec_count > COUNTERS_GROUPS_MAX * COUNTERS_SPECS_MAX ||
	    header->bytes != bytes || directory_bytes(header) > bytes)
		return -EINVAL;
	return 0;
}

static int group_check(struct file_group *group, const struct file_header *header)
{
	uint64_t bytes;

	text_end(group->name, sizeof(group->name));
	if (group->spec_count > COUNTERS_SPECS_MAX || group->spec_first > header->spec_count ||
	    group->spec_count > header->spec_count - group->spec_first)
		return -EINVAL;
	bytes = block_stride(group->spec_count) * header->thread_count;
	if (group->block_stride != block_stride(group->spec_count) ||
	    group->block_offset % BLOCK_ALIGN != 0 || group->block_offset > header->bytes ||
	    bytes > header->bytes - group->block_offset)
		return -EINVAL;
	return 0;
}

/* Copy the directory out of the mapping, then check the copy. */
static int directory_read(struct counters_view *view)
{
	const struct file_header *header = &view->map.header;
	size_t groups_bytes = header->group_count * sizeof(*view->groups);
	size_t specs_bytes = header->spec_count * sizeof(*view->specs);
	const uint8_t *at = view->map.base + sizeof(*header);

	view->groups = malloc(groups_bytes + 1);
	view->specs = malloc(specs_bytes + 1);
	if (view->groups == NULL || view->specs == NULL)
		return -ENOMEM;
	memcpy(view->groups, at, groups_bytes);
	memcpy(view->specs, at + groups_bytes, specs_bytes);
	for (unsigned int i = 0; i < header->group_count; i++) {
		if (group_check(&view->groups[i], header) != 0)
			return -EINVAL;
	}
	for (unsigned int i = 0; i < header->spec_count; i++) {
		text_end(view->specs[i].name, sizeof(view->specs[i].name));
		text_end(view->specs[i].unit, sizeof(view->specs[i].unit));
		text_end(view->specs[i].meaning, sizeof(view->specs[i].meaning));
	}
	view->map.groups = view->groups;
	view->map.specs = view->specs;
	return 0;
}

static int view_fill(struct counters_view *view, int fd)
{
	struct stat status;
	int error;

	if (fstat(fd, &status) != 0)
		return -errno;
	if ((size_t)status.st_size < sizeof(view->map.header))
		return -EINVAL;
	error = map_make(&view->map, fd, (uint64_t)status.st_size, PROT_READ);
	if (error != 0)
		return error;
	ASSERT(view->map.base != NULL);
	memcpy(&view->map.header, view->map.base, sizeof(view->map.header));
	error = header_check(&view->map.header, view->map.bytes);
	return error != 0 ? error : directory_read(view);
}

int counters_open(const char *path, struct counters_view **out)
{
	struct counters_view *view;
	int error;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	view = calloc(1, sizeof(*view));
	error = view == NULL ? -ENOMEM : view_fill(view, fd);
	close(fd);
	if (error != 0) {
		counters_close(view);
		return error;
	}
	*out = view;
	return 0;
}

unsigned int counters_threads(const struct counters_view *view)
{
	return view->map.header.thread_count;
}

static uint64_t value_sum(const struct counters_map *map, const struct file_group *group,
			  unsigned int spec, unsigned int thread_first, unsigned int thread_end)
{
	uint64_t sum = 0;

	for (unsigned int thread = thread_first; thread < thread_end; thread++) {
		const uint8_t *block =
			map->base + group->block_offset + thread * group->block_stride;
		const uint64_t *values = (const uint64_t *)(const void *)block;

		sum += __atomic_load_n(&values[spec], __ATOMIC_RELAXED);
	}
	return sum;
}

static void view_walk(const struct counters_view *view, unsigned int thread_first,
		      unsigned int thread_end, counters_fn fn, void *argument)
{
	const struct counters_map *map = &view->map;

	for (unsigned int i = 0; i < map->header.group_count; i++) {
		const struct file_group *group = &map->groups[i];

		for (unsigned int j = 0; j < group->spec_count; j++) {
			const struct file_spec *spec = &map->specs[group->spec_first + j];
			struct counter_value value = { .group = group->name,
						       .name = spec->name,
						       .unit = spec->unit,
						       .meaning = spec->meaning };

			value.value = value_sum(map, group, j, thread_first, thread_end);
			fn(&value, argument);
		}
	}
}

void counters_each(const struct counters_view *view, counters_fn fn, void *argument)
{
	view_walk(view, 0, view->map.header.thread_count, fn, argument);
}

void counters_each_of(const struct counters_view *view, unsigned int thread, counters_fn fn,
		      void *argument)
{
	if (thread < view->map.header.thread_count)
		view_walk(view, thread, thread + 1, fn, argument);
}

void counters_close(struct counters_view *view)
{
	if (view == NULL)
		return;
	map_unmake(&view->map);
	free(view->groups);
	free(view->specs);
	free(view);
}
