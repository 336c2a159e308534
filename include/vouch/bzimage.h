/* SPDX-License-Identifier: BSD-2-Clause */
/* A Linux bzImage's setup header (Linux Documentation/x86/boot.rst), parsed from a private copy of its first bytes. */
#ifndef VOUCH_BZIMAGE_H
#define VOUCH_BZIMAGE_H

#include <vouch/image_parse.h>

#define BZ_HEAD_LEN   0x1000u        /* bytes of the file that bzimage_parse() wants (or all, if it is shorter) */
#define BZ_HDR_OFFSET 0x1f1u

struct bzimage {
	uint16_t protocol;            /* boot protocol version, >= 0x020c accepted */
	uint32_t setup_bytes;         /* (setup_sects + 1) * 512: where the protected-mode part starts */
	uint32_t payload_bytes;       /* file size - setup_bytes */
	uint64_t pref_address;
	uint32_t init_size;           /* bytes needed from the load address on */
	uint32_t alignment;
	bool relocatable;
	uint32_t cmdline_max;         /* without the NUL */
	uint32_t initrd_max;          /* highest address of the initrd's last byte */
	uint16_t xloadflags;
	uint32_t header_end;          /* end of the setup header in the file: 0x202 + byte at 0x201 */
};

/* 0 or -1 with *err (each reason its own code). file_size is the whole file's; head holds min(file_size, BZ_HEAD_LEN). */
__must_check int bzimage_parse(struct bzimage *bz, const uint8_t *head, uint64_t file_size, struct image_error *err);

/* Does the kernel take a command line this long? 0 or -1 with *err. */
__must_check int bzimage_check_cmdline(const struct bzimage *bz, const char *cmdline, struct image_error *err);

/* Where all of it goes in guest memory. */
struct linux_layout {
	uint64_t load;                /* GPA of the protected-mode part */
	uint64_t initrd;              /* GPA, page aligned; 0 without an initrd */
	uint64_t initrd_size;
	uint64_t need_mib;            /* filled on IMG_ERR_MEMORY_SMALL: the MiB it would take */
};
/* Plans the layout in ram_bytes of guest RAM (fixed layout of vm.h). 0 or -1 with *err (too little: the MiB needed). */
__must_check int bzimage_layout(const struct bzimage *bz, uint64_t ram_bytes, uint64_t initrd_size,
				struct linux_layout *out, struct image_error *err);

#endif
