# SPDX-License-Identifier: BSD-2-Clause
unit += rollback
unit-rollback-srcs := core/rollback.c loader/tpm.c loader/eventlog.c loader/crypto.c loader/error.c loader/escape.c \
	loader/policy_decide.c loader/options.c $(addprefix tests/unit/support/,log.c panic.c)
unit-rollback-libs := -lmbedcrypto
