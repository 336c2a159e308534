/* SPDX-License-Identifier: BSD-2-Clause */
/* What modes.c and modes.S share: fixed places below 64 K, and the offsets of parameters and results there. */
#ifndef GUEST_MODES_H
#define GUEST_MODES_H

#define RESULTS   0x7000
#define PARAMS    0x7100
#define LOW_BASE  0x8000
#define LOW_STACK 0x6ff0
#define IPI_VECTOR 0x60

#define PARAM_KIND      (PARAMS + 0)
#define PARAM_CR0       (PARAMS + 4)
#define PARAM_CR3       (PARAMS + 8)
#define PARAM_CR4       (PARAMS + 12)
#define PARAM_RESULTS   (PARAMS + 16)
#define PARAM_LAPIC     (PARAMS + 20)
#define PARAM_CODE      (PARAMS + 24)
#define PARAM_IDT       (PARAMS + 28)   /* 6 bytes */
#define PARAM_SAVED_RSP (PARAMS + 40)   /* 8 bytes */
#define PARAM_SAVED_CR0 (PARAMS + 48)
#define PARAM_SAVED_CR3 (PARAMS + 52)
#define PARAM_SAVED_CR4 (PARAMS + 56)

#define KIND_32     0
#define KIND_16     1
#define KIND_REAL   2
#define KIND_COMPAT 3

#define R_CPUID      0
#define R_IN         4
#define R_MMIO_READ  8
#define R_MMIO_WRITE 12
#define R_INS        16
#define R_OUTS       20
#define R_OUTS_SEEN  24
#define R_EFER       28
#define R_CR0        32
#define R_CS         36
#define R_UD         40
#define R_IPI        44
#define R_WORD       48
#define R_WORD2      52
#define R_HOLE       56
#define R_DONE       60
#define R_SIZE       64

#endif
