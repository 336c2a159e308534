/* SPDX-License-Identifier: BSD-2-Clause */
/* A kernel's header, and where it goes with RAM and initrd sizes from the input (its first 24 bytes). */
#include <vouch/bzimage.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_layout(const struct bzimage *bz, const struct linux_layout *l, uint64_t ram, uint64_t initrd)
{
	uint64_t kernel_end = l->load + max_u64(bz->init_size, bz->payload_bytes);

	if (l->load - bz->setup_bytes < 0x100000 || kernel_end > ram || kernel_end > 0xc0000000)
		abort();
	if (!initrd)
		return;
	if (l->initrd % PAGE_SIZE || l->initrd < kernel_end || l->initrd + initrd > min_u64(ram, 0xc0000000) ||
	    l->initrd + initrd - 1 > bz->initrd_max)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t sizes[3];
	struct linux_layout l;
	struct image_error err;
	struct bzimage bz;
	uint8_t *head;
	size_t len;

	if (size < sizeof(sizes))
		return 0;
	memcpy(sizes, data, sizeof(sizes));
	len = size - sizeof(sizes) < BZ_HEAD_LEN ? size - sizeof(sizes) : BZ_HEAD_LEN;
	/* A copy of its own, so that ASan sees its end; the file may be longer, but only beyond a whole head. */
	head = malloc(len);
	if (len)
		memcpy(head, data + sizeof(sizes), len);
	if (!bzimage_parse(&bz, head, len < BZ_HEAD_LEN ? len : BZ_HEAD_LEN + sizes[0] % (1ull << 33), &err)) {
		if (!bzimage_layout(&bz, sizes[1], sizes[2], &l, &err))
			check_layout(&bz, &l, sizes[1], sizes[2]);
		else if (l.need_mib && bzimage_layout(&bz, l.need_mib << 20, sizes[2], &l, &err))
			abort();
	}
	free(head);
	return 0;
}
