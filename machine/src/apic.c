/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local APIC's page as VMX virtualises it, and CR8.  Source: Intel SDM, "APIC Virtualization
 * and Virtual Interrupts". */
#include "cpu.h"

#include <string.h>

#define APIC_TPR 0x80u
#define QUAL_WRITE (UINT64_C(1) << 12)
#define QUAL_FETCH (UINT64_C(2) << 12)
#define QUAL_DELIVERY (UINT64_C(3) << 12)

static uint64_t access_kind(const struct xrw_machine *m, unsigned access)
{
    if (m->delivering.valid)
        return QUAL_DELIVERY;
    return access & ACCESS_WRITE ? QUAL_WRITE : access & ACCESS_EXECUTE ? QUAL_FETCH : 0;
}

/* Registers that reads of the virtual page serve. Source: Intel SDM, "Virtualizing Reads from the
 * APIC-Access Page". */
static bool readable(unsigned offset)
{
    static const uint16_t single[] = {0x20,  0x30,  0x80,  0xb0,  0xd0,  0xe0,
                                      0xf0,  0x280, 0x300, 0x310, 0x320, 0x330,
                                      0x340, 0x350, 0x360, 0x370, 0x380, 0x3e0};

    if (offset >= 0x100 && offset < 0x280)
        return true;
    for (unsigned i = 0; i < sizeof single / sizeof *single; i++)
        if (single[i] == (offset & ~15u))
            return true;
    return false;
}

static bool writable(unsigned offset)
{
    static const uint16_t single[] = {0x20,  0x80,  0xb0,  0xd0,  0xe0,  0xf0,  0x280, 0x300, 0x310,
                                      0x320, 0x330, 0x340, 0x350, 0x360, 0x370, 0x380, 0x3e0};

    for (unsigned i = 0; i < sizeof single / sizeof *single; i++)
        if (single[i] == (offset & ~15u))
            return true;
    return false;
}

static bool virtualised(const struct xrw_machine *m, unsigned bytes, unsigned access)
{
    unsigned offset = m->apic_offset;

    if (access & ACCESS_EXECUTE || !m->controls.apic_page || bytes > 4 ||
        (offset & 15) + bytes > 4 ||
        (access & (ACCESS_READ | ACCESS_WRITE)) == (ACCESS_READ | ACCESS_WRITE))
        return false;
    if (offset == APIC_TPR)
        return true;
    if (m->controls.apic != XRW_APIC_REGISTERS)
        return false;
    return access & ACCESS_WRITE ? writable(offset) : readable(offset);
}

uint8_t *apic_access(struct xrw_machine *m, uint64_t linear, unsigned bytes, unsigned access)
{
    uint8_t *copy = m->bounce + (linear & (XRW_PAGE_BYTES - 1));

    if (!virtualised(m, bytes, access)) {
        xrw_exit_set(&m->result->exit, XRW_EXIT_gla, linear);
        leave_exit(m, XRW_VMX_APIC_ACCESS, (m->apic_offset & 0xfff) | access_kind(m, access));
    }
    memcpy(copy, m->controls.apic_page + m->apic_offset, bytes);
    if (access & ACCESS_WRITE) {
        m->bounced = bytes;
        m->bounce_linear = linear;
        m->apic_written = true;
    }
    return copy;
}

static void check_threshold(struct xrw_machine *m)
{
    if (m->controls.exits & XRW_EXITS_TPR_THRESHOLD &&
        m->controls.apic_page[APIC_TPR] >> 4 < m->controls.tpr_threshold)
        exit_after(m, XRW_VMX_TPR_BELOW_THRESHOLD, 0);
}

void apic_commit(struct xrw_machine *m, const uint8_t *value, unsigned bytes)
{
    memcpy(m->controls.apic_page + m->apic_offset, value, bytes);
    if (m->apic_offset == APIC_TPR) {
        memset(m->controls.apic_page + APIC_TPR + 1, 0, 3);
        check_threshold(m);
    } else {
        exit_after(m, XRW_VMX_APIC_WRITE, m->apic_offset & 0xff0);
    }
}

uint64_t apic_read_cr8(struct xrw_machine *m)
{
    return m->controls.apic_page ? m->controls.apic_page[APIC_TPR] >> 4 : m->cr8;
}

void apic_write_cr8(struct xrw_machine *m, uint64_t value)
{
    m->cr8 = value;
    if (!m->controls.apic_page)
        return;
    memset(m->controls.apic_page + APIC_TPR, 0, 4);
    m->controls.apic_page[APIC_TPR] = (uint8_t)(value << 4);
    check_threshold(m);
}
