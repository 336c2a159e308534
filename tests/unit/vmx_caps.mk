# SPDX-License-Identifier: BSD-2-Clause
unit += vmx_caps
unit-vmx_caps-srcs := arch/x86/vmx/caps.c
