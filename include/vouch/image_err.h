/* SPDX-License-Identifier: BSD-2-Clause */
/* Every reason to refuse an image or its configuration: value and stable text. docs/image-format.md explains each. */
#ifndef VOUCH_IMAGE_ERR_H
#define VOUCH_IMAGE_ERR_H

#define IMAGE_ERRORS(X) \
	X(IMG_OK, "no error") \
	X(IMG_ERR_MEMORY_SMALL, "guest memory too small")

enum image_err {
#define X(value, text) value,
	IMAGE_ERRORS(X)
#undef X
	IMG_ERR_COUNT
};

#endif
