/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The file is walked, not asked: every setting in it must be a key of some table, so that a
 * misspelt one is an error instead of a default. Groups wait on a small stack; their depth is
 * bounded by the tables'.
 */
#include "conf/load.h"

#include "base/check.h"
#include "base/error.h"

#include <errno.h>
#include <libconfig.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_BYTES 128u
#define GROUPS_MAX 32u /* inner groups of a file: each of a table's has one at most */

/* A group of the file that is still to be walked. */
struct pending_group {
	const config_setting_t *setting;
	char path[PATH_BYTES]; /* "" for the top level, else with a dot at the end */
};

struct loader {
	config_t config;
	const char *file;
	const struct conf_section *sections;
	unsigned int section_count;
	struct pending_group pending[GROUPS_MAX];
	unsigned int pending_count;
	char *error; /* CONF_ERROR_BYTES */
};

/* Make a path; one that is too long for any key is cut, and its length says so. */
__attribute__((format(printf, 2, 3))) static int path_make(char path[PATH_BYTES],
							   const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(path, PATH_BYTES, format, arguments);
	va_end(arguments);
	return length;
}

/* Say `file:line: key: why`; the line is that of the setting, or of the file's beginning. */
__attribute__((format(printf, 4, 5))) static int fail(const struct loader *loader,
						      const config_setting_t *setting,
						      const char *path, const char *format, ...)
{
	const char *file = setting != NULL ? config_setting_source_file(setting) : NULL;
	unsigned int line = setting != NULL ? config_setting_source_line(setting) : 0;
	va_list arguments;
	int length;

	length = snprintf(loader->error, CONF_ERROR_BYTES,
			  "%s:%u: %s: ", file != NULL ? file : loader->file, MAX(line, 1u), path);
	if (length < 0 || length >= (int)CONF_ERROR_BYTES)
		return -EINVAL;
	va_start(arguments, format);
	vsnprintf(loader->error + length, CONF_ERROR_BYTES - (size_t)length, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int fail_value(const struct loader *loader, const config_setting_t *setting,
		      const char *path, const struct conf_key *key, const char *why)
{
	char allowed[256];

	conf_allowed(key, allowed, sizeof(allowed));
	return fail(loader, setting, path, "%s; allowed: %s", why, allowed);
}

static bool is_integer(const config_setting_t *setting)
{
	int type = config_setting_type(setting);

	return type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;
}

static int integer_load(const struct loader *loader, const config_setting_t *setting,
			const char *path, const struct conf_key *key, void *member)
{
	int64_t number = config_setting_get_int64(setting);
	uint32_t narrow = (uint32_t)number;

	if (!is_integer(setting))
		return fail_value(loader, setting, path, key, "not an integer");
	if (number < key->minimum || number > key->maximum)
		return fail_value(loader, setting, path, key, "out of range");
	if (key->type == CONF_U32 || key->type == CONF_U32_LIST)
		memcpy(member, &narrow, sizeof(narrow));
	else
		memcpy(member, &number, sizeof(number));
	return 0;
}

static int text_load(const struct loader *loader, const config_setting_t *setting, const char *path,
		     const struct conf_key *key, void *member)
{
	const char *text = config_setting_get_string(setting);
	const char *wrong;

	if (text == NULL)
		return fail_value(loader, setting, path, key, "not a string");
	wrong = conf_text_set(key, member, text);
	if (wrong == NULL && key->check != NULL)
		wrong = key->check(member);
	return wrong != NULL ? fail_value(loader, setting, path, key, wrong) : 0;
}

static int bool_load(const struct loader *loader, const config_setting_t *setting, const char *path,
		     const struct conf_key *key, void *member)
{
	bool truth = config_setting_get_bool(setting) != 0;

	if (config_setting_type(setting) != CONFIG_TYPE_BOOL)
		return fail_value(loader, setting, path, key, "not a truth value");
	memcpy(member, &truth, sizeof(truth));
	return 0;
}

/* One value that is no list, of the key's type or, inside a list, of its elements'. */
static int scalar_load(const struct loader *loader, const config_setting_t *setting,
		       const char *path, const struct conf_key *key, void *member)
{
	switch (key->type) {
	case CONF_BOOL:
		return bool_load(loader, setting, path, key, member);
	case CONF_U32:
	case CONF_U64:
	case CONF_I64:
	case CONF_U32_LIST:
		return integer_load(loader, setting, path, key, member);
	case CONF_BYTES:
		if (is_integer(setting))
			return integer_load(loader, setting, path, key, member);
		return text_load(loader, setting, path, key, member);
	default:
		return text_load(loader, setting, path, key, member);
	}
}

static const struct conf_key *table_find(const struct conf_table *table, const char *name)
{
	for (unsigned int i = 0; i < table->key_count; i++) {
		if (strcmp(table->keys[i].path, name) == 0)
			return &table->keys[i];
	}
	return NULL;
}

/* Say what a table has at a level; `prefix` names the level, "" or with a dot at the end. */
static size_t names_append(const struct conf_table *table, const char *prefix, char *text,
			   size_t size, size_t length)
{
	for (unsigned int i = 0; i < table->key_count && length < size; i++) {
		const char *path = table->keys[i].path;
		int added;

		if (strncmp(path, prefix, strlen(prefix)) != 0)
			continue;
		added = snprintf(text + length, size - length, "%s%s", length > 0 ? ", " : "",
				 path + strlen(prefix));
		length += (size_t)MAX(added, 0);
	}
	return length;
}

static int element_required_check(const struct loader *loader, const config_setting_t *setting,
				  const char *path, const struct conf_table *table)
{
	for (unsigned int i = 0; i < table->key_count; i++) {
		const struct conf_key *key = &table->keys[i];
		char key_path[PATH_BYTES];

		if (key->example == NULL || config_setting_get_member(setting, key->path) != NULL)
			continue;
		path_make(key_path, "%s.%s", path, key->path);
		return fail_value(loader, setting, key_path, key, "missing, but required");
	}
	return 0;
}

/* One group of a list of groups. */
static int element_load(const struct loader *loader, const config_setting_t *setting,
			const char *path, const struct conf_table *table, uint8_t *element)
{
	if (!config_setting_is_group(setting))
		return fail(loader, setting, path, "not a group; allowed: { key = value; ... }");
	conf_defaults(table, element);
	for (int i = 0; i < config_setting_length(setting); i++) {
		const config_setting_t *child = config_setting_get_elem(setting, (unsigned int)i);
		const struct conf_key *key = table_find(table, config_setting_name(child));
		char child_path[PATH_BYTES];
		char known[512] = "";
		int error;

		path_make(child_path, "%s.%s", path, config_setting_name(child));
		if (key == NULL) {
			names_append(table, "", known, sizeof(known), 0);
			return fail(loader, child, child_path, "unknown key; known here: %s",
				    known);
		}
		error = scalar_load(loader, child, child_path, key, element + key->offset);
		if (error != 0)
			return error;
	}
	if (table->check != NULL && table->check(element) != NULL)
		return fail(loader, setting, path, "%s", table->check(element));
	return element_required_check(loader, setting, path, table);
}

static bool is_list_for(const config_setting_t *setting, const struct conf_key *key)
{
	if (key->type == CONF_GROUP_LIST)
		return config_setting_is_list(setting);
	return config_setting_is_array(setting) || config_setting_is_list(setting);
}

static int list_load(const struct loader *loader, const config_setting_t *setting, const char *path,
		     const struct conf_key *key, uint8_t *target)
{
	uint32_t count = 0;

	if (!is_list_for(setting, key))
		return fail_value(loader, setting, path, key, "not a list");
	if (config_setting_length(setting) > (int)key->count_max)
		return fail_value(loader, setting, path, key, "too many elements");
	for (; count < (uint32_t)config_setting_length(setting); count++) {
		const config_setting_t *child = config_setting_get_elem(setting, count);
		uint8_t *element = target + key->offset + count * key->size;
		char child_path[PATH_BYTES];
		int error;

		path_make(child_path, "%s[%u]", path, count);
		if (key->type == CONF_GROUP_LIST)
			error = element_load(loader, child, child_path, key->element, element);
		else
			error = scalar_load(loader, child, child_path, key, element);
		if (error != 0)
			return error;
	}
	memcpy(target + key->count_offset, &count, sizeof(count));
	return 0;
}

static bool key_is_list(const struct conf_key *key)
{
	return key->type == CONF_U32_LIST || key->type == CONF_STRING_LIST ||
	       key->type == CONF_GROUP_LIST;
}

/* The part of a full path that is inside the table's group, or NULL when it is not in there. */
static const char *path_inside(const struct conf_table *table, const char *path)
{
	size_t length = strlen(table->group);

	if (length == 0)
		return path;
	if (strncmp(path, table->group, length) != 0 || path[length] != '.')
		return NULL;
	return path + length + 1;
}

/* True when some key lies in the group of this path, or of a part of it. */
static bool path_is_group(const struct loader *loader, const char *path)
{
	for (unsigned int i = 0; i < loader->section_count; i++) {
		const struct conf_table *table = loader->sections[i].table;
		const char *inside = path_inside(table, path);

		if (strcmp(table->group, path) == 0)
			return true;
		for (unsigned int j = 0; inside != NULL && j < table->key_count; j++) {
			const char *key_path = table->keys[j].path;

			size_t length = strlen(inside);

			if (strncmp(key_path, inside, length) == 0 && key_path[length] == '.')
				return true;
		}
	}
	return false;
}

static int fail_unknown(const struct loader *loader, const config_setting_t *setting,
			const char *path, const char *prefix)
{
	char known[512] = "";
	size_t length = 0;

	for (unsigned int i = 0; i < loader->section_count; i++) {
		const struct conf_table *table = loader->sections[i].table;
		const char *inside = prefix[0] == '\0' && table->group[0] != '\0'
					     ? NULL
					     : path_inside(table, prefix);

		if (inside != NULL)
			length = names_append(table, inside, known, sizeof(known), length);
		else if (prefix[0] == '\0' && length < sizeof(known))
			length += (size_t)snprintf(known + length, sizeof(known) - length, "%s%s",
						   length > 0 ? ", " : "", table->group);
	}
	return fail(loader, setting, path, "unknown key; known here: %s", known);
}

static int group_push(struct loader *loader, const config_setting_t *setting, const char *path)
{
	struct pending_group *group;

	if (!config_setting_is_group(setting))
		return fail(loader, setting, path, "not a group; allowed: { key = value; ... }");
	if (loader->pending_count == GROUPS_MAX)
		return fail(loader, setting, path, "more than %u groups", GROUPS_MAX);
	group = &loader->pending[loader->pending_count++];
	group->setting = setting;
	path_make(group->path, "%s%s", path, path[0] != '\0' ? "." : "");
	return 0;
}

static int setting_load(struct loader *loader, const config_setting_t *setting, const char *prefix)
{
	char path[PATH_BYTES];
	int length = path_make(path, "%s%s", prefix, config_setting_name(setting));

	if (length >= (int)sizeof(path) - 1)
		return fail(loader, setting, path, "unknown key");
	for (unsigned int i = 0; i < loader->section_count; i++) {
		const struct conf_section *section = &loader->sections[i];
		const char *inside = path_inside(section->table, path);
		const struct conf_key *key =
			inside != NULL ? table_find(section->table, inside) : NULL;
		uint8_t *target = section->target;

		if (key == NULL)
			continue;
		if (key_is_list(key))
			return list_load(loader, setting, path, key, target);
		return scalar_load(loader, setting, path, key, target + key->offset);
	}
	if (path_is_group(loader, path))
		return group_push(loader, setting, path);
	return fail_unknown(loader, setting, path, prefix);
}

static int settings_load(struct loader *loader)
{
	int error = group_push(loader, config_root_setting(&loader->config), "");

	while (error == 0 && loader->pending_count > 0) {
		struct pending_group group = loader->pending[--loader->pending_count];

		for (int i = 0; error == 0 && i < config_setting_length(group.setting); i++) {
			const config_setting_t *setting =
				config_setting_get_elem(group.setting, (unsigned int)i);

			error = setting_load(loader, setting, group.path);
		}
	}
	return error;
}

/* The full path of a key, given as a path inside the table, which may have ": ..." behind it. */
static void path_full(const struct conf_table *table, const char *inside, char path[PATH_BYTES])
{
	path_make(path, "%s%s%.*s", table->group, table->group[0] != '\0' ? "." : "",
		  (int)strcspn(inside, ":"), inside);
}

/* What can be said only when all keys are in: the required ones, and each table's own check. */
static int section_check(const struct loader *loader, const struct conf_section *section)
{
	const struct conf_table *table = section->table;
	const config_setting_t *root = config_root_setting(&loader->config);
	const char *wrong;
	char path[PATH_BYTES];

	for (unsigned int i = 0; i < table->key_count; i++) {
		const struct conf_key *key = &table->keys[i];

		path_full(table, key->path, path);
		if (key->example != NULL && config_lookup(&loader->config, path) == NULL)
			return fail_value(loader, root, path, key, "missing, but required");
	}
	wrong = table->check != NULL ? table->check(section->target) : NULL;
	if (wrong == NULL)
		return 0;
	path_full(table, wrong, path);
	wrong += strcspn(wrong, ":");
	return fail(loader, config_lookup(&loader->config, path), path, "%s",
		    wrong[0] != '\0' ? wrong + 2 : "wrong");
}

static int file_load(struct loader *loader, FILE *file)
{
	int error;

	if (config_read(&loader->config, file) != CONFIG_TRUE) {
		const char *name = config_error_file(&loader->config);

		snprintf(loader->error, CONF_ERROR_BYTES, "%s:%d: %s",
			 name != NULL ? name : loader->file, config_error_line(&loader->config),
			 config_error_text(&loader->config));
		return -EINVAL;
	}
	error = settings_load(loader);
	for (unsigned int i = 0; error == 0 && i < loader->section_count; i++)
		error = section_check(loader, &loader->sections[i]);
	return error;
}

/* libconfig's scanner ends the process when it cannot read, as from a directory. */
static int file_open(const char *path, FILE **file_out)
{
	struct stat status;
	FILE *file = fopen(path, "re");

	if (file == NULL)
		return -errno;
	if (fstat(fileno(file), &status) != 0 || S_ISDIR(status.st_mode)) {
		fclose(file);
		return -EISDIR;
	}
	*file_out = file;
	return 0;
}

int conf_load(const char *path, const struct conf_section *sections, unsigned int section_count,
	      char error[CONF_ERROR_BYTES])
{
	struct loader loader = {
		.file = path, .sections = sections, .section_count = section_count, .error = error
	};
	FILE *file = NULL;
	int result = file_open(path, &file);

	error[0] = '\0';
	if (result != 0) {
		snprintf(error, CONF_ERROR_BYTES, "%s: cannot be opened: %s", path,
			 errno_text(result));
		return result;
	}
	for (unsigned int i = 0; i < section_count; i++)
		conf_defaults(sections[i].table, sections[i].target);
	config_init(&loader.config);
	result = file_load(&loader, file);
	config_destroy(&loader.config);
	fclose(file);
	return result;
}
