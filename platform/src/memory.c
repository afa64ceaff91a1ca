/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest-physical memory: RAM that comes when it is touched, the local APIC, and nothing. */
#include "platform.h"

#include "xrw/paging.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define QUALIFICATION_WRITE 2u
#define TRIES 8u /* pages that one instruction may still need */

static uint64_t ram_pages(const struct xrw_platform *p)
{
    return p->ram_bytes / XRW_PAGE_BYTES;
}

int platform_page(void *ctx, xrw_gfn gfn, uint8_t *content, unsigned *ept)
{
    struct xrw_platform *p = ctx;

    if (gfn >= ram_pages(p)) {
        *ept = 0;
        return 0;
    }
    memcpy(content, p->ram + gfn * XRW_PAGE_BYTES, XRW_PAGE_BYTES);
    *ept = p->ept[gfn];
    return 0;
}

static int allow(struct xrw_platform *p, xrw_gfn gfn, unsigned ept, struct xrw_error *err)
{
    const uint8_t *content = xrw_platform_page(p, gfn);
    int rc;

    p->ept[gfn] = (uint8_t)ept;
    rc = xrw_machine_set_page(p->machine, gfn, content, ept);
    return rc ? xrw_error_set(err, rc, "out of memory") : 0;
}

int touch_page(struct xrw_platform *p, xrw_gpa gpa, bool write)
{
    xrw_gfn gfn = gpa / XRW_PAGE_BYTES;
    unsigned ept = write ? XRW_EPT_ALL : XRW_EPT_READ | XRW_EPT_EXECUTE;

    if (gfn >= ram_pages(p))
        return -EFAULT;
    return (p->ept[gfn] & ept) == ept ? 0 : allow(p, gfn, p->ept[gfn] | ept, NULL);
}

/* ---- linear addresses ----------------------------------------------------- */

static int read_table(void *ctx, xrw_gpa gpa, void *buf, size_t bytes)
{
    struct xrw_platform *p = ctx;
    int rc = touch_page(p, gpa, true); /* accessed bits: Xen takes a page table as its own */

    return rc ? rc : xrw_machine_read(p->machine, gpa, buf, bytes);
}

static int translate(struct xrw_platform *p, xrw_gva gva, xrw_gpa *gpa)
{
    struct xrw_registers regs;

    xrw_machine_registers(p->machine, &regs);
    return xrw_paging_translate(&regs, gva, read_table, p, gpa);
}

static size_t to_page_end(xrw_gva gva, size_t bytes)
{
    size_t left = XRW_PAGE_BYTES - (gva & (XRW_PAGE_BYTES - 1));

    return bytes < left ? bytes : left;
}

int read_linear(struct xrw_platform *p, xrw_gva gva, void *buf, size_t bytes)
{
    uint8_t *to = buf;

    while (bytes) {
        size_t part = to_page_end(gva, bytes);
        xrw_gpa gpa;
        int rc = translate(p, gva, &gpa);

        if (!rc)
            rc = touch_page(p, gpa, false);
        if (!rc)
            rc = xrw_machine_read(p->machine, gpa, to, part);
        if (rc)
            return rc;
        to += part;
        gva += part;
        bytes -= part;
    }
    return 0;
}

int write_linear(struct xrw_platform *p, xrw_gva gva, const void *buf, size_t bytes)
{
    const uint8_t *from = buf;

    while (bytes) {
        size_t part = to_page_end(gva, bytes);
        xrw_gpa gpa;
        int rc = translate(p, gva, &gpa);

        if (!rc)
            rc = touch_page(p, gpa, true);
        if (!rc)
            rc = xrw_machine_write(p->machine, gpa, from, part);
        if (rc)
            return rc;
        from += part;
        gva += part;
        bytes -= part;
    }
    return 0;
}

/* ---- accesses where no RAM is ---------------------------------------------- */

/* The instruction is carried out by the machine, on a page that stands in for the device. */
static int step(struct xrw_platform *p, struct xrw_machine_result *result, struct xrw_error *err)
{
    const struct xrw_machine_until one = {.instructions = 1};

    for (unsigned i = 0; i < TRIES; i++) {
        xrw_gfn gfn;
        int rc = xrw_machine_run(p->machine, &one, result);

        if (rc)
            return rc;
        if (result->stop == XRW_STOP_COUNT)
            return 0;
        gfn = result->exit.field[XRW_EXIT_gpa] / XRW_PAGE_BYTES;
        if (result->stop != XRW_STOP_EXIT || !result->exit.field_known[XRW_EXIT_gpa] ||
            gfn >= ram_pages(p))
            break;
        rc = allow(p, gfn, XRW_EPT_ALL, err);
        if (rc)
            return rc;
    }
    return xrw_error_set(err, -ENOTSUP,
                         "an instruction that accesses a device cannot be carried out");
}

static int step_on_page(struct xrw_platform *p, xrw_gfn gfn, uint8_t *page, struct xrw_error *err)
{
    struct xrw_machine_result result;
    int rc = xrw_machine_set_page(p->machine, gfn, page, XRW_EPT_ALL);

    if (!rc)
        rc = step(p, &result, err);
    if (rc)
        return rc;
    memcpy(page, xrw_machine_page_content(p->machine, gfn), XRW_PAGE_BYTES);
    return xrw_machine_set_page(p->machine, gfn, NULL, 0);
}

/* Nothing answers there: reads are all ones, writes are lost. */
static int handle_nothing(struct xrw_platform *p, xrw_gfn gfn, struct xrw_error *err)
{
    uint8_t page[XRW_PAGE_BYTES];

    memset(page, 0xff, sizeof page);
    return step_on_page(p, gfn, page, err);
}

int handle_ept(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    xrw_gfn gfn = exit->field[XRW_EXIT_gpa] / XRW_PAGE_BYTES;
    bool write = exit->field[XRW_EXIT_qualification] & QUALIFICATION_WRITE;

    if (gfn >= ram_pages(p))
        return handle_nothing(p, gfn, err);
    return allow(p, gfn, write ? XRW_EPT_ALL : XRW_EPT_READ | XRW_EPT_EXECUTE, err);
}

/* ---- the local APIC --------------------------------------------------------- */

static void fill_registers(const struct xrw_platform *p, uint8_t *page)
{
    for (uint32_t offset = 0; offset < XRW_PAGE_BYTES; offset += 16) {
        uint32_t value = lapic_read(&p->lapic, offset, xrw_platform_time_ns(p));

        memcpy(page + offset, &value, sizeof value);
    }
}

int handle_apic_access(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    uint64_t qualification = exit->field[XRW_EXIT_qualification];
    uint32_t offset = qualification & 0xff0;
    bool write = (qualification >> 12 & 0xf) == 1;
    enum xrw_machine_apic apic = p->controls.apic;
    uint8_t page[XRW_PAGE_BYTES] = {0};
    uint32_t value;
    int rc;

    fill_registers(p, page);
    p->controls.apic = XRW_APIC_NONE;
    rc = xrw_machine_set_controls(p->machine, &p->controls);
    if (!rc)
        rc = step_on_page(p, LAPIC_GFN, page, err);
    p->controls.apic = apic;
    if (!rc)
        rc = xrw_machine_set_controls(p->machine, &p->controls);
    if (rc || !write)
        return rc;
    memcpy(&value, page + offset, sizeof value);
    p->nmi_pending |= lapic_write(&p->lapic, offset, value, xrw_platform_time_ns(p));
    return 0;
}

/* ---- for the recorder --------------------------------------------------------- */

const uint8_t *xrw_platform_page(const struct xrw_platform *p, xrw_gfn gfn)
{
    const uint8_t *content;

    if (gfn >= ram_pages(p))
        return NULL;
    content = xrw_machine_page_content(p->machine, gfn);
    return content ? content : p->ram + gfn * XRW_PAGE_BYTES;
}

uint64_t xrw_platform_memory_bytes(const struct xrw_platform *p)
{
    return p->ram_bytes;
}
