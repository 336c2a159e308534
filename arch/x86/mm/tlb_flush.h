/* SPDX-License-Identifier: BSD-2-Clause */
/* Before memory that a VM could reach is used for something else: no CPU may still know the way to it. */
#ifndef ARCH_X86_MM_TLB_FLUSH_H
#define ARCH_X86_MM_TLB_FLUSH_H

struct nested;

/*
 * Returns when every CPU that may have translations of these tables has acknowledged: it has left the guest and whatever
 * handler it was in, and the IDs it has handed out count no more, so that nothing it knew is used again without a flush.
 *
 * Call it after nested_unmap(), or when the VM runs no more and before nested_destroy(); then, not earlier, pages may go
 * back to the allocator. Waits for other CPUs (cpu_call()): host events off, no lock held.
 */
void tlb_flush_tables(struct nested *n);

#endif
