/* SPDX-License-Identifier: BSD-2-Clause */
/* Marries the XML's files section to the image's table: each header named once, each id unique. Reads nothing else. */
#include <vouch/manifest.h>

#include <inttypes.h>
#include <string.h>

#include "config.h"

static int duplicate_id(const struct image *img, const char *id)
{
	for (uint32_t i = 0; i < img->file_count; i++) {
		if (img->file[i].named && !strcmp(img->file[i].id, id))
			return -1;
	}
	return 0;
}

static int read_id(const struct image *img, const struct xml_node *entry, const char **id, struct image_error *err)
{
	char quoted[CONFIG_QUOTE];
	struct xml_value v;
	bool cut;

	xml_find_param(entry, "id", &v, &cut);
	if (v.attributes && v.elements)
		return xml_fail(err, IMG_ERR_ID_BOTH, &v.place, "remove one");
	if (xml_param(entry, "id", &v, err))
		return -1;
	if (!v.text)
		return xml_fail(err, IMG_ERR_ID_MISSING, &v.place, "%s", "");
	if (!*v.text)
		return xml_fail(err, IMG_ERR_ID_EMPTY, &v.place, "%s", "");
	if (strlen(v.text) > IMAGE_MAX_ID)
		return xml_fail(err, IMG_ERR_ID_LONG, &v.place, "\"%s\"", config_quote(quoted, v.text));
	if (duplicate_id(img, v.text))
		return xml_fail(err, IMG_ERR_ID_DUPLICATE, &v.place, "\"%s\"", config_quote(quoted, v.text));
	*id = v.text;
	return 0;
}

static int read_index(const struct image *img, const struct xml_node *entry, uint64_t *index, struct image_error *err)
{
	char quoted[CONFIG_QUOTE];
	struct xml_value v;

	if (xml_param(entry, "index", &v, err))
		return -1;
	if (!v.text)
		return xml_fail(err, IMG_ERR_INDEX_MISSING, &v.place, "was the image made by a builder?");
	if (xml_decimal(v.text, UINT32_MAX, index))
		return xml_fail(err, IMG_ERR_INDEX_NUMBER, &v.place, "\"%s\"", config_quote(quoted, v.text));
	if (*index >= img->file_count)
		return xml_fail(err, IMG_ERR_INDEX_RANGE, &v.place, "%" PRIu64 " of %" PRIu32, *index, img->file_count);
	if (img->file[*index].named)
		return xml_fail(err, IMG_ERR_INDEX_DUPLICATE, &v.place, "%" PRIu64, *index);
	return 0;
}

static int read_entry(struct image *img, const struct xml_node *entry, struct image_error *err)
{
	const char *id;
	uint64_t index;

	if (read_id(img, entry, &id, err) || read_index(img, entry, &index, err))
		return -1;
	strcpy(img->file[index].id, id);
	img->file[index].named = true;
	return 0;
}

static int all_named(const struct image *img, struct image_error *err)
{
	for (uint32_t i = 0; i < img->file_count; i++) {
		if (!img->file[i].named)
			return image_fail(err, IMG_ERR_HDR_UNNAMED, img->table + (uint64_t)i * img->header_len,
					  "header %" PRIu32, i);
	}
	return 0;
}

int manifest_files(struct image *img, struct xml_arena *arena, struct image_error *err)
{
	const struct xml_node *files, *entry, *second;

	memset(err, 0, sizeof(*err));
	for (uint32_t i = 0; i < img->file_count; i++) {
		img->file[i].named = false;
		memset(img->file[i].id, 0, sizeof(img->file[i].id));
	}
	entry = xml_parse(img, arena, err);
	if (!entry)
		return -1;
	files = xml_child(entry, "files");
	for (entry = xml_child(files, "file"); entry; entry = xml_sibling(entry, "file")) {
		if (read_entry(img, entry, err))
			return -1;
	}
	second = files ? xml_sibling(files, "files") : NULL;
	if (second && !img->noted)
		log_warn("image: second files section in line %" PRIu32 " of the XML ignored", second->place.line);
	return all_named(img, err);
}
