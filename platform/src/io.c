/* SPDX-License-Identifier: GPL-2.0-or-later */
/* I/O ports: the few devices there are, and IN, OUT, INS and OUTS on them. */
#include "platform.h"

#include <errno.h>
#include <string.h>

#define CONSOLE_PORT 0xe9u
#define PORT_61_GATE2 0x01u
#define PORT_61_OUTPUT2 0x20u
#define KEYBOARD_COMMAND 0x64u /* of the keyboard controller, which resets the PC as well */
#define KEYBOARD_RESET 0xfeu
#define RESET_CONTROL 0xcf9u
#define RESET_NOW 0x04u
#define CMOS_STATUS_D 0x0du
#define CMOS_VALID 0x80u
#define RFLAGS_DF (UINT64_C(1) << 10)

/* ---- devices, a byte at a time ---------------------------------------------- */

static uint8_t read_61(const struct xrw_platform *p)
{
    bool high = pit_output2(&p->pit, xrw_platform_time_ns(p));

    return (uint8_t)((p->port_61 & 0x0fu) | (high ? PORT_61_OUTPUT2 : 0));
}

static void write_61(struct xrw_platform *p, uint8_t value)
{
    p->port_61 = value & 0x0fu;
    pit_gate2(&p->pit, value & PORT_61_GATE2, xrw_platform_time_ns(p));
}

static uint8_t read_pc(struct xrw_platform *p, uint16_t port)
{
    if (port - SERIAL_PORT < 8u)
        return serial_read(&p->serial, port - SERIAL_PORT);
    switch (port) {
    case 0x20:
    case 0x21:
    case 0xa0:
    case 0xa1:
        return pic_read(&p->pic, port);
    case 0x40:
    case 0x41:
    case 0x42:
    case 0x43:
        return pit_read(&p->pit, port, xrw_platform_time_ns(p));
    case 0x61:
        return read_61(p);
    case KEYBOARD_COMMAND: /* nothing waits, nothing is busy */
        return 0;
    case 0x71: /* a clock that stands at zero; its date is valid */
        return p->cmos_index == CMOS_STATUS_D ? CMOS_VALID : 0;
    default:
        return 0xff;
    }
}

static void write_serial(struct xrw_platform *p, unsigned offset, uint8_t value)
{
    uint8_t byte;

    if (serial_write(&p->serial, offset, value, &byte))
        platform_print(p, (char)byte);
}

static void write_pc(struct xrw_platform *p, uint16_t port, uint8_t value)
{
    if (port - SERIAL_PORT < 8u)
        write_serial(p, port - SERIAL_PORT, value);
    switch (port) {
    case 0x20:
    case 0x21:
    case 0xa0:
    case 0xa1:
        pic_write(&p->pic, port, value);
        break;
    case 0x40:
    case 0x41:
    case 0x42:
    case 0x43:
        pit_write(&p->pit, port, value, xrw_platform_time_ns(p));
        break;
    case 0x61:
        write_61(p, value);
        break;
    case 0x70:
        p->cmos_index = value & 0x7fu;
        break;
    case KEYBOARD_COMMAND:
        if (value == KEYBOARD_RESET)
            guest_ends(p, "the guest rebooted");
        break;
    default:
        break;
    }
}

static uint32_t read_port(struct xrw_platform *p, uint16_t port, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < bytes; i++)
        value |= (uint32_t)(p->xen ? 0xff : read_pc(p, (uint16_t)(port + i))) << 8 * i;
    return value;
}

static void write_port(struct xrw_platform *p, uint16_t port, unsigned bytes, uint32_t value)
{
    if (port == CONSOLE_PORT)
        platform_print(p, (char)value);
    else if (port == XRW_PLATFORM_EXIT_PORT)
        guest_ends(p, "the guest ended itself through the exit port");
    else if (!p->xen && port == RESET_CONTROL && bytes == 1 && value & RESET_NOW)
        guest_ends(p, "the guest rebooted"); /* wider accesses there are PCI's */
    else if (!p->xen)
        for (unsigned i = 0; i < bytes; i++)
            write_pc(p, (uint16_t)(port + i), (uint8_t)(value >> 8 * i));
}

/* ---- instructions ----------------------------------------------------------- */

struct access {
    uint16_t port;
    unsigned bytes;
    bool in, string, repeated;
};

static struct access decode(uint64_t qualification)
{
    return (struct access){.port = (uint16_t)(qualification >> 16),
                           .bytes = (unsigned)(qualification & 7) + 1,
                           .in = qualification & 8,
                           .string = qualification & 16,
                           .repeated = qualification & 32};
}

static void move(struct xrw_platform *p, const struct access *access)
{
    uint64_t rax = reg(p, XRW_REG_rax);
    uint64_t mask = access->bytes == 4 ? UINT64_MAX : (UINT64_C(1) << 8 * access->bytes) - 1;

    if (access->in) /* 32 bits clear the upper half */
        set_reg(p, XRW_REG_rax, (rax & ~mask) | read_port(p, access->port, access->bytes));
    else
        write_port(p, access->port, access->bytes, (uint32_t)rax);
}

/* Bits of a register that an instruction of this address size uses. */
static uint64_t address_mask(const struct xrw_exit *exit)
{
    switch (exit->field[XRW_EXIT_insn_info] >> 7 & 7) {
    case 0:
        return 0xffff;
    case 1:
        return 0xffffffff;
    default:
        return UINT64_MAX;
    }
}

static void add_to_register(struct xrw_platform *p, enum xrw_register r, uint64_t mask,
                            uint64_t addend)
{
    uint64_t old = reg(p, r), kept = mask == 0xffff ? old & ~mask : 0;

    set_reg(p, r, kept | ((old + addend) & mask));
}

static int move_element(struct xrw_platform *p, const struct access *access, xrw_gva gva)
{
    uint32_t value = 0;
    int rc;

    if (access->in) {
        value = read_port(p, access->port, access->bytes);
        return write_linear(p, gva, &value, access->bytes);
    }
    rc = read_linear(p, gva, &value, access->bytes);
    if (!rc)
        write_port(p, access->port, access->bytes, value);
    return rc;
}

static void raise_page_fault(struct xrw_platform *p, xrw_gva gva, bool write)
{
    bool user = (reg(p, XRW_REG_ss_attr) >> 5 & 3) == 3;

    set_reg(p, XRW_REG_cr2, gva);
    raise_exception(p, VECTOR_PF, true, (write ? 2u : 0u) | (user ? 4u : 0u));
}

/* Element by element, within the page that it began in: what is left is another exit. */
static int move_string(struct xrw_platform *p, const struct xrw_exit *exit,
                       const struct access *access)
{
    uint64_t mask = address_mask(exit), gva = exit->field[XRW_EXIT_gla],
             page = gva >> XRW_PAGE_SHIFT;
    uint64_t count = access->repeated ? reg(p, XRW_REG_rcx) & mask : 1;
    uint64_t step = reg(p, XRW_REG_rflags) & RFLAGS_DF ? -(uint64_t)access->bytes : access->bytes;
    bool first = true;

    for (; count && !p->ended && (first || gva >> XRW_PAGE_SHIFT == page); count--, first = false) {
        int rc = move_element(p, access, gva);

        if (rc == -EFAULT) {
            raise_page_fault(p, gva, access->in);
            return 0;
        }
        if (rc)
            return rc;
        gva += step;
        add_to_register(p, access->in ? XRW_REG_rdi : XRW_REG_rsi, mask, step);
        if (access->repeated)
            add_to_register(p, XRW_REG_rcx, mask, UINT64_MAX);
    }
    if (!count)
        skip_instruction(p, exit);
    return 0;
}

int handle_io(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    struct access access = decode(exit->field[XRW_EXIT_qualification]);
    int rc = 0;

    if (access.string)
        rc = move_string(p, exit, &access);
    else {
        move(p, &access);
        skip_instruction(p, exit);
    }
    return rc ? xrw_error_set(err, rc, "a string I/O instruction cannot be carried out") : 0;
}
