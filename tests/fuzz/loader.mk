# SPDX-License-Identifier: BSD-2-Clause
fuzz-loader-srcs := loader/error.c loader/escape.c loader/xml_arena.c loader/xml.c loader/xml_tree.c loader/manifest.c \
	loader/config.c loader/config_devices.c loader/plan.c tests/fuzz/loader.c

fuzz += image image2 config bzimage mb2 options
fuzz-container-srcs := $(fuzz-loader-srcs) tests/unit/support/panic.c \
	$(addprefix loader/,image.c image2.c chunk.c signature.c crypto.c verify.c judge.c)
fuzz-image-srcs := $(fuzz-container-srcs)
fuzz-image-libs := -lexpat -lmbedcrypto
fuzz-image2-srcs := $(fuzz-container-srcs) loader/policy_decide.c loader/policy_image.c loader/options.c
fuzz-image2-libs := -lexpat -lmbedcrypto
fuzz-config-srcs := $(fuzz-loader-srcs)
fuzz-config-libs := -lexpat
fuzz-bzimage-srcs := loader/bzimage.c loader/error.c
fuzz-mb2-srcs := loader/mb2.c
fuzz-options-srcs := loader/options.c loader/escape.c

fuzz += launch_policy
fuzz-launch_policy-srcs := loader/policy.c loader/policy_decide.c loader/crypto.c loader/options.c loader/escape.c \
	tests/unit/support/panic.c
fuzz-launch_policy-libs := -lfdt -lmbedcrypto
