/* SPDX-License-Identifier: BSD-2-Clause */
/* Holds struct vmcb to the manual: APM 2 appendix B "Layout of VMCB". No code. */
#include "arch/x86/svm/vmcb.h"

#define AT(field, offset) _Static_assert(offsetof(struct vmcb, field) == (offset), #field)

_Static_assert(sizeof(struct vmcb) == 4096, "a VMCB is one page");
AT(intercept_cr_read, 0x000);
AT(intercept_cr_write, 0x002);
AT(intercept_dr_read, 0x004);
AT(intercept_exceptions, 0x008);
AT(intercept1, 0x00c);
AT(intercept2, 0x010);
AT(pause_threshold, 0x03c);
AT(iopm_pa, 0x040);
AT(msrpm_pa, 0x048);
AT(tsc_offset, 0x050);
AT(asid, 0x058);
AT(tlb_control, 0x05c);
AT(int_ctl, 0x060);
AT(int_state, 0x068);
AT(exit_code, 0x070);
AT(info1, 0x078);
AT(info2, 0x080);
AT(exit_int_info, 0x088);
AT(np_enable, 0x090);
AT(event_inj, 0x0a8);
AT(nested_cr3, 0x0b0);
AT(virt_ext, 0x0b8);
AT(clean, 0x0c0);
AT(next_rip, 0x0c8);
AT(insn_len, 0x0d0);
AT(es, 0x400);
AT(cs, 0x410);
AT(ss, 0x420);
AT(ds, 0x430);
AT(fs, 0x440);
AT(gs, 0x450);
AT(gdtr, 0x460);
AT(ldtr, 0x470);
AT(idtr, 0x480);
AT(tr, 0x490);
AT(cpl, 0x4cb);
AT(efer, 0x4d0);
AT(cr4, 0x548);
AT(cr3, 0x550);
AT(cr0, 0x558);
AT(dr7, 0x560);
AT(dr6, 0x568);
AT(rflags, 0x570);
AT(rip, 0x578);
AT(rsp, 0x5d8);
AT(s_cet, 0x5e0);
AT(rax, 0x5f8);
AT(star, 0x600);
AT(kernel_gs_base, 0x620);
AT(sysenter_cs, 0x628);
AT(cr2, 0x640);
AT(pat, 0x668);
