/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Every reason to refuse an image or its configuration: value and stable text. docs/image-format.md explains each, and
 * a unit test checks that the two lists are the same. Messages always hold the stable text; a detail may follow it.
 */
#ifndef VOUCH_IMAGE_ERR_H
#define VOUCH_IMAGE_ERR_H

#define IMAGE_ERRORS(X) \
	X(IMG_OK, "no error") \
	/* The container. */ \
	X(IMG_ERR_READ, "the image cannot be read") \
	X(IMG_ERR_TRUNCATED, "the image ends inside its fixed header") \
	X(IMG_ERR_COOKIE, "not a v3vee image") \
	X(IMG_ERR_VERSION, "unknown image version") \
	X(IMG_ERR_XML_TOO_LONG, "XML longer than Vouch accepts") \
	X(IMG_ERR_XML_LEN, "XML length beyond the image") \
	X(IMG_ERR_XML_NUL, "NUL byte inside the XML") \
	X(IMG_ERR_XML_END, "XML does not end where its length says") \
	X(IMG_ERR_PAD_XML, "padding after the XML is not zero") \
	X(IMG_ERR_FILE_COUNT, "more files than Vouch accepts") \
	X(IMG_ERR_TABLE_LEN, "file table beyond the image") \
	X(IMG_ERR_PAD_TABLE, "padding after the file table is not zero") \
	X(IMG_ERR_HDR_INDEX, "file header index is not its position") \
	X(IMG_ERR_FILE_IN_HEAD, "file data inside the headers") \
	X(IMG_ERR_FILE_SPAN, "file data beyond the image") \
	X(IMG_ERR_FILE_OVERLAP, "files overlap") \
	X(IMG_ERR_GAP, "a byte between the files is not zero") \
	X(IMG_ERR_TRAILING, "a byte after the last file is not zero") \
	X(IMG_ERR_HASH, "file does not match its hash") \
	X(IMG_ERR_UNHASHED, "the image holds no hashes (v0)") \
	X(IMG_ERR_WHOLE, "image of version 0 or 1 larger than 1 GiB") \
	/* The container, version 2. */ \
	X(IMG_ERR_RESERVED, "a reserved byte is not zero") \
	X(IMG_ERR_FILE_PLACE, "file data is not where it belongs") \
	X(IMG_ERR_SEAL_PLACE, "seal is not where it belongs") \
	X(IMG_ERR_SEAL_LEN, "the image ends before its seal does") \
	X(IMG_ERR_SEAL_COOKIE, "no seal where the header says") \
	X(IMG_ERR_AFTER_SEAL, "bytes behind the seal") \
	X(IMG_ERR_MANIFEST, "header, XML or table do not match the seal") \
	X(IMG_ERR_CHUNK_LIST, "chunk digests do not match their file") \
	X(IMG_ERR_CHUNK, "file chunk does not match its digest") \
	X(IMG_ERR_SIG_COUNT, "more signatures than Vouch accepts") \
	X(IMG_ERR_SIG_KIND, "unknown kind of signature") \
	X(IMG_ERR_SIG_FORM, "signature is not canonical") \
	X(IMG_ERR_SIG_ORDER, "signatures are not in the order of key ids") \
	/* What was required of it. */ \
	X(IMG_ERR_NO_DIGESTS, "the image holds no SHA-256 digests (v0, v1)") \
	X(IMG_ERR_SIG_NONE, "the image is not signed") \
	X(IMG_ERR_SIG_UNKNOWN, "no signature by a trusted key") \
	X(IMG_ERR_SIG_BAD, "signature by a trusted key does not verify") \
	X(IMG_ERR_SIG_KEY, "trusted key is not usable") \
	X(IMG_ERR_SECURITY, "security version is too low") \
	X(IMG_ERR_UNNAMED, "no vm@name, which a signed guest needs") \
	/* The XML as such. */ \
	X(IMG_ERR_XML_SYNTAX, "XML is not well-formed") \
	X(IMG_ERR_XML_PI, "XML declaration or processing instruction") \
	X(IMG_ERR_XML_DOCTYPE, "XML document type declaration") \
	X(IMG_ERR_XML_DEPTH, "XML nested too deeply") \
	X(IMG_ERR_XML_ELEMENTS, "XML has too many elements") \
	X(IMG_ERR_XML_ATTRIBUTES, "XML element has too many attributes") \
	X(IMG_ERR_XML_TEXT, "XML text too long") \
	X(IMG_ERR_XML_MEMORY, "XML needs more memory than Vouch grants") \
	X(IMG_ERR_PARAM_TWICE, "parameter given twice") \
	X(IMG_ERR_PARAM_MIXED, "parameter text is cut by a child element") \
	/* The files section. */ \
	X(IMG_ERR_INDEX_MISSING, "file entry without an index") \
	X(IMG_ERR_INDEX_NUMBER, "file index is not a decimal number") \
	X(IMG_ERR_INDEX_RANGE, "file index beyond the file table") \
	X(IMG_ERR_INDEX_DUPLICATE, "file index used twice") \
	X(IMG_ERR_ID_MISSING, "file entry without an id") \
	X(IMG_ERR_ID_EMPTY, "file id is empty") \
	X(IMG_ERR_ID_BOTH, "file id given as attribute and as element") \
	X(IMG_ERR_ID_LONG, "file id longer than 255 bytes") \
	X(IMG_ERR_ID_DUPLICATE, "file id used twice") \
	X(IMG_ERR_HDR_UNNAMED, "file header without an XML entry") \
	/* The configuration. */ \
	X(IMG_ERR_CFG_ROOT, "root element is not vm") \
	X(IMG_ERR_CFG_CLASS, "vm class is not PC") \
	X(IMG_ERR_CFG_NAME, "guest name not allowed") \
	X(IMG_ERR_CFG_SECTION_TWICE, "section given twice") \
	X(IMG_ERR_CFG_NUMBER, "not a decimal number") \
	X(IMG_ERR_CFG_HEX, "not a hexadecimal number") \
	X(IMG_ERR_CFG_MEMORY_MISSING, "no memory size") \
	X(IMG_ERR_CFG_CORES_MISSING, "no cores count") \
	X(IMG_ERR_CFG_FIRMWARE, "boot by firmware is not supported") \
	X(IMG_ERR_CFG_MULTIBOOT, "boot by multiboot is not supported") \
	X(IMG_ERR_CFG_HVM, "hybrid runtime (hvm) is not supported") \
	X(IMG_ERR_CFG_MEMMAP, "memmap of host memory is not allowed") \
	X(IMG_ERR_CFG_OLD_DIALECT, "device without class: the old dialect") \
	X(IMG_ERR_CFG_DEVICE_CLASS, "device class is not supported") \
	X(IMG_ERR_CFG_DEVICE_ID, "device without id") \
	X(IMG_ERR_CFG_DEVICE_ID_TWICE, "device id used twice") \
	X(IMG_ERR_CFG_DEVICE_TWICE, "device present already") \
	X(IMG_ERR_CFG_DEVICE_REF, "device names no earlier device") \
	X(IMG_ERR_CFG_DEVICES_MANY, "too many devices") \
	X(IMG_ERR_CFG_COM_PORT, "com_port is not supported") \
	X(IMG_ERR_CFG_PASSTHROUGH, "passthrough to the host is not allowed") \
	X(IMG_ERR_CFG_MODE, "unknown GENERIC mode") \
	X(IMG_ERR_CFG_RANGE_END, "range without start or end") \
	X(IMG_ERR_CFG_RANGES_MANY, "too many GENERIC ranges") \
	X(IMG_ERR_CFG_BOOT_KERNEL, "boot without kernel") \
	X(IMG_ERR_CFG_BOOT_FILE, "boot names no file of this image") \
	X(IMG_ERR_CFG_CMDLINE, "kernel command line too long") \
	/* The plan as a whole. */ \
	X(IMG_ERR_PLAN_NO_BOOT, "nothing to start: no boot element") \
	X(IMG_ERR_PLAN_MEMORY, "memory size out of range") \
	X(IMG_ERR_PLAN_CORES, "number of cores not supported") \
	X(IMG_ERR_PLAN_FILE, "plan names a file that is not there") \
	X(IMG_ERR_PLAN_DEVICES, "devices that cannot work together") \
	X(IMG_ERR_PLAN_RANGE, "GENERIC range not allowed") \
	X(IMG_ERR_PLAN_OVERLAP, "GENERIC range overlaps") \
	/* The Linux kernel. */ \
	X(IMG_ERR_BZ_SHORT, "kernel shorter than its header") \
	X(IMG_ERR_BZ_MAGIC, "kernel is not a Linux bzImage") \
	X(IMG_ERR_BZ_PROTOCOL, "kernel boot protocol too old") \
	X(IMG_ERR_BZ_HEADER, "kernel setup header malformed") \
	X(IMG_ERR_BZ_LOW, "kernel is a zImage, not a bzImage") \
	X(IMG_ERR_BZ_SIZE, "kernel sizes exceed its file") \
	X(IMG_ERR_BZ_ALIGNMENT, "kernel alignment malformed") \
	X(IMG_ERR_BZ_ADDRESS, "kernel load address not usable") \
	X(IMG_ERR_BZ_CMDLINE, "command line longer than the kernel takes") \
	X(IMG_ERR_BZ_INITRD, "initrd does not fit below its limit") \
	X(IMG_ERR_MEMORY_SMALL, "guest memory too small") \
	/* The operator. */ \
	X(IMG_ERR_POLICY, "launch policy") \
	/* The machine. */ \
	X(IMG_ERR_HOST_MEMORY, "not enough host memory") \
	X(IMG_ERR_HOST_CPU, "no such CPU in this machine") \
	X(IMG_ERR_NAME_TAKEN, "guest name is taken") \
	X(IMG_ERR_CHANGED, "the module has changed")

enum image_err {
#define X(value, text) value,
	IMAGE_ERRORS(X)
#undef X
	IMG_ERR_COUNT
};

#endif
