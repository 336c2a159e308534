# SPDX-License-Identifier: BSD-2-Clause
loader-image-srcs := loader/error.c loader/escape.c loader/image.c loader/image2.c loader/chunk.c loader/signature.c \
	loader/crypto.c loader/verify.c loader/judge.c loader/xml_arena.c loader/xml.c loader/xml_tree.c \
	loader/manifest.c loader/config.c loader/config_devices.c loader/plan.c
loader-test-srcs := $(loader-image-srcs) tests/unit/support/log.c tests/unit/support/lib.c tests/unit/support/image.c \
	tests/unit/support/panic.c

unit += image
unit-image-srcs := $(loader-test-srcs)
unit-image-libs := -lexpat -lmbedcrypto

unit += vectors
unit-vectors-srcs := $(loader-test-srcs)
unit-vectors-libs := -lexpat -lmbedcrypto

unit += manifest
unit-manifest-srcs := $(loader-test-srcs)
unit-manifest-libs := -lexpat -lmbedcrypto

unit += config
unit-config-srcs := $(loader-test-srcs)
unit-config-libs := -lexpat -lmbedcrypto

unit += bzimage mb2 options
unit-bzimage-srcs := loader/bzimage.c loader/error.c
unit-mb2-srcs := loader/mb2.c
unit-options-srcs := loader/options.c loader/escape.c

unit += image_err
unit-image_err-srcs := loader/error.c

unit += plan_machine
unit-plan_machine-srcs := loader/plan.c loader/error.c arch/x86/dev/table.c

loader-key-srcs := loader/crypto.c tools/key.c $(addprefix tools/common/,bytes.c cli.c file.c) \
	tests/unit/support/panic.c

unit += crypto
unit-crypto-srcs := $(loader-key-srcs) loader/sha256_ni.c loader/host_key.c
unit-crypto-libs := -lmbedcrypto
unit-crypto-cflags := -D_GNU_SOURCE

unit += crypto_memory
unit-crypto_memory-srcs := loader/crypto_memory.c tests/unit/support/lib.c tests/unit/support/panic.c

unit += launch_policy
unit-launch_policy-srcs := loader/policy.c loader/policy_decide.c loader/crypto.c loader/options.c loader/escape.c \
	tests/unit/support/tree.c tests/unit/support/panic.c
unit-launch_policy-libs := -lfdt -lmbedcrypto

unit += tao eventlog
unit-tao-srcs := loader/tao.c loader/crypto.c tests/unit/support/panic.c
unit-tao-libs := -lmbedcrypto
unit-eventlog-srcs := loader/eventlog.c loader/measure.c loader/tao.c loader/crypto.c tests/unit/support/panic.c
unit-eventlog-libs := -lmbedcrypto

unit += image2
unit-image2-srcs := $(loader-test-srcs) $(loader-key-srcs) tests/unit/support/image2.c
unit-image2-libs := -lexpat -lmbedcrypto
unit-image2-cflags := -D_GNU_SOURCE

unit += policy_image
unit-policy_image-srcs := $(loader-test-srcs) $(loader-key-srcs) tests/unit/support/image2.c loader/policy_image.c \
	loader/policy_decide.c loader/options.c
unit-policy_image-libs := -lexpat -lmbedcrypto
unit-policy_image-cflags := -D_GNU_SOURCE

unit += file_copy
unit-file_copy-srcs := $(loader-test-srcs) $(loader-key-srcs) core/file_copy.c core/block.c core/page.c \
	$(addprefix tests/unit/support/,image2.c hostram.c host_tsc.c lock.c)
unit-file_copy-libs := -lexpat -lmbedcrypto
unit-file_copy-cflags := -D_GNU_SOURCE -DDIRECT_MAP_BASE=0x200000000000ull

unit += file_share
unit-file_share-srcs := $(loader-test-srcs) $(loader-key-srcs) core/file_copy.c core/file_share.c \
	$(addprefix tests/unit/support/,image2.c lock_threads.c)
unit-file_share-libs := -lexpat -lmbedcrypto -lpthread
unit-file_share-cflags := -D_GNU_SOURCE
unit-file_share-san := $(if $(COVERAGE),,-fsanitize=thread)

unit += launch
unit-launch-srcs := $(loader-test-srcs) $(loader-key-srcs) \
	$(addprefix loader/,bzimage.c crypto_memory.c host_key.c options.c policy_decide.c policy_image.c tao.c) \
	$(addprefix core/,block.c file_copy.c file_share.c gpa.c gpa_build.c identity.c launch.c page.c ram.c) \
	$(addprefix arch/x86/mm/,mtrr.c nested.c npt.c) arch/x86/guest/linux.c \
	$(addprefix tests/unit/support/,image2.c hostram.c host_tsc.c lock.c)
unit-launch-libs := -lexpat -lmbedcrypto
unit-launch-cflags := -D_GNU_SOURCE -DDIRECT_MAP_BASE=0x200000000000ull
