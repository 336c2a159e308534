/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The XML configuration inside an image (spec: docs/configuration.md). manifest_files() is what judging the container
 * needs (ids and indices); manifest_plan() interprets the rest. Both run over the private copy of the XML only.
 */
#ifndef VOUCH_MANIFEST_H
#define VOUCH_MANIFEST_H

#include <vouch/image_parse.h>
#include <vouch/plan.h>

/* Memory for the XML parser: the caller's, bounded; running out is IMG_ERR_XML_MEMORY, never a crash. */
struct xml_arena {
	void *base;
	size_t size;
	size_t used;
	size_t last;                  /* offset of the newest block, which alone can grow or be freed */
};
#define XML_ARENA_SIZE (8ul << 20)

/*
 * Parses the XML and marries its files section to the table: ids and indices checked, each header named once.
 * 0 or -1 with *err. In Vouch the caller holds lib_enter() (core/lib.h) around all calls here.
 */
__must_check int manifest_files(struct image *img, struct xml_arena *arena, struct image_error *err);

/*
 * Fills *plan from the XML: refuses by name what is not supported; logs (log_info/log_warn) what is ignored.
 * After manifest_files(). Ends with plan_check(). 0 or -1 with *err.
 */
__must_check int manifest_plan(const struct image *img, struct xml_arena *arena, struct vm_plan *plan,
			       struct image_error *err);

/* The guest has a vm@name, and one that is allowed: signatures vouch for names. Resets the arena. 0 or -1 with *err. */
__must_check int manifest_check_name(const struct image *img, struct xml_arena *arena, struct image_error *err);

/* Checks a plan whole (ranges, counts, devices that need each other). 0 or -1 with *err. */
__must_check int plan_check(const struct vm_plan *plan, const struct image *img, struct image_error *err);

#endif
