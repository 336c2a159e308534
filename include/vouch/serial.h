/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The serial ports of this machine as core/console.c uses them: polled output, input by polling or interrupt. Port 0
 * is COM1, port 1 COM2. A port that is not there swallows output and gives no input.
 */
#ifndef VOUCH_SERIAL_H
#define VOUCH_SERIAL_H

#include <vouch/types.h>

#define SERIAL_PORTS 2u

/* 115200 8N1, FIFOs on, receive interrupt on if rx. False if nothing answers there. */
bool serial_init(unsigned int port, bool rx);
/*
 * Waits for room a bounded time for each FIFO's worth; false: there came none, and what was left was dropped. A port without a
 * peer cannot stop Vouch.
 */
bool serial_write(unsigned int port, const uint8_t *bytes, size_t n);
/* Whether SERIAL_FIFO bytes can be written without waiting. Ports that are not there are always ready. */
#define SERIAL_FIFO 16u
bool serial_ready(unsigned int port);
/* Waits a bounded time until the last byte has left the chip: before the machine goes off, and the chip with it. */
void serial_drain(unsigned int port);
/* One received byte, or -1. */
int serial_read(unsigned int port);

#endif
