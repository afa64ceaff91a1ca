/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serial.h"

enum registers { DATA, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCRATCH };

#define IER_THR_EMPTY 0x02u
#define IIR_NONE 0x01u
#define IIR_THR_EMPTY 0x02u
#define IIR_FIFO 0xc0u
#define FCR_ENABLE 0x01u
#define LCR_DIVISOR 0x80u
#define LSR_EMPTY 0x60u /* holding and shift register */
#define MSR_CONNECTED 0xb0u

static bool divisor_selected(const struct serial *serial)
{
    return serial->lcr & LCR_DIVISOR;
}

static int send(struct serial *serial, uint8_t value, uint8_t *byte)
{
    serial->thr_empty_pending = true;
    *byte = value;
    return 1;
}

int serial_write(struct serial *serial, unsigned offset, uint8_t value, uint8_t *byte)
{
    switch (offset) {
    case DATA:
        if (!divisor_selected(serial))
            return send(serial, value, byte);
        serial->divisor = (uint16_t)((serial->divisor & 0xff00u) | value);
        break;
    case IER:
        if (divisor_selected(serial)) {
            serial->divisor = (uint16_t)((serial->divisor & 0xffu) | value << 8);
            break;
        }
        /* Enabling it raises it: the transmitter is empty already. */
        if (value & ~serial->ier & IER_THR_EMPTY)
            serial->thr_empty_pending = true;
        serial->ier = value & 0x0fu;
        break;
    case IIR_FCR:
        serial->fcr = value;
        break;
    case LCR:
        serial->lcr = value;
        break;
    case MCR:
        serial->mcr = value & 0x1fu;
        break;
    case SCRATCH:
        serial->scratch = value;
        break;
    default:
        break; /* status registers */
    }
    return 0;
}

static uint8_t identify_interrupt(struct serial *serial)
{
    uint8_t fifo = serial->fcr & FCR_ENABLE ? IIR_FIFO : 0;

    if (!serial_irq(serial))
        return fifo | IIR_NONE;
    serial->thr_empty_pending = false;
    return fifo | IIR_THR_EMPTY;
}

uint8_t serial_read(struct serial *serial, unsigned offset)
{
    switch (offset) {
    case DATA:
        return divisor_selected(serial) ? (uint8_t)serial->divisor : 0;
    case IER:
        return divisor_selected(serial) ? (uint8_t)(serial->divisor >> 8) : serial->ier;
    case IIR_FCR:
        return identify_interrupt(serial);
    case LCR:
        return serial->lcr;
    case MCR:
        return serial->mcr;
    case LSR:
        return LSR_EMPTY;
    case MSR:
        return MSR_CONNECTED;
    default:
        return serial->scratch;
    }
}

bool serial_irq(const struct serial *serial)
{
    return serial->thr_empty_pending && serial->ier & IER_THR_EMPTY;
}
