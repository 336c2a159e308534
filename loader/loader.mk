# SPDX-License-Identifier: BSD-2-Clause
# judge.c is for host programs only.
hv-srcs += loader/error.c loader/escape.c loader/image.c loader/verify.c
hv-srcs += loader/xml_arena.c loader/xml.c loader/xml_tree.c
hv-srcs += loader/manifest.c loader/config.c loader/config_devices.c loader/plan.c
hv-srcs += loader/bzimage.c loader/mb2.c loader/options.c
hv-srcs += loader/image2.c loader/chunk.c loader/signature.c loader/crypto.c loader/crypto_memory.c \
	loader/host_key.c loader/sha256_ni.c loader/tao.c
hv-srcs += loader/policy.c loader/policy_decide.c loader/policy_image.c
hv-srcs += loader/tpm.c loader/eventlog.c loader/measure.c
