/* SPDX-License-Identifier: BSD-2-Clause */
/* Doubles of what core/vm.c gives to devices and handlers: lines end in the log double (support/log.c), a stop in vm->stop. */
#include <vouch/vm.h>

#include <stdarg.h>
#include <stdio.h>

#include <vouch/log.h>

void vm_log(struct vm *vm, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	if (vm->log_budget == 0)
		return;
	vm->log_budget--;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_info("guest %s: %s", vm->name, text);
}

void vm_stop(struct vm *vm, enum stop_kind kind, const char *fmt, ...)
{
	va_list ap;

	if (vm->stop.kind != STOP_NONE)
		return;
	vm->stop.kind = kind;
	va_start(ap, fmt);
	vsnprintf(vm->stop.text, sizeof(vm->stop.text), fmt, ap);
	va_end(ap);
}

void vm_control_stop(void *ctx, enum stop_kind kind, const char *text)
{
	vm_stop(ctx, kind, "%s", text);
}
