/* SPDX-License-Identifier: BSD-2-Clause */
/* References to entities that nobody declares: Palacios' reader leaves them as text, an XML parser refuses them. */
#ifndef VOUCH_TOOLS_XMLENTITY_H
#define VOUCH_TOOLS_XMLENTITY_H

#include "common/bytes.h"

/* Where something was put in: offsets in the new text. */
struct xmlentity {
	struct bytes text;            /* the old text in which each unknown "&x;" became "&amp;x;" */
	size_t *inserted;             /* of the bytes put in, XMLENTITY_LEN at each */
	size_t count;
};
#define XMLENTITY_LEN 4               /* "amp;" */

/*
 * Comments, CDATA and processing instructions stay as they are. Whether the text is well-formed otherwise is not looked
 * at. Free with xmlentity_free().
 */
void xmlentity_keep(struct xmlentity *e, const struct bytes *text);
void xmlentity_free(struct xmlentity *e);

/* How many columns of the line up to offset at of the new text were not there in the old one. */
unsigned long xmlentity_shift(const struct xmlentity *e, size_t at);

#endif
