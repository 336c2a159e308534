# SPDX-License-Identifier: BSD-2-Clause
fuzz += xmlwrite
fuzz-xmlwrite-srcs := tools/xmlwrite.c tools/xmlentity.c tools/utf16.c tools/common/bytes.c
fuzz-xmlwrite-libs := -lexpat
