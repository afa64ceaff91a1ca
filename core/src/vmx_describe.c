/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/vmx.h"

#include "names.h"
#include "xrw/error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* A bounded text that goes on counting when it is full, as snprintf does. */
struct text {
    char *start;
    size_t bytes;
    size_t length;
};

static void add(struct text *text, const char *format, ...) XRW_PRINTF(2, 3);

static void add(struct text *text, const char *format, ...)
{
    size_t used = text->length < text->bytes ? text->length : text->bytes;
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(text->bytes ? text->start + used : NULL, text->bytes - used, format, args);
    va_end(args);
    if (n > 0)
        text->length += (size_t)n;
}

/* A value in hex, or "?" where it is not known. */
static void add_hex(struct text *text, bool known, uint64_t value)
{
    if (known)
        add(text, "%#" PRIx64, value);
    else
        add(text, "?");
}

static void add_register(struct text *text, const struct xrw_registers *regs, int reg,
                         uint64_t mask)
{
    add_hex(text, regs->known[reg], regs->value[reg] & mask);
}

#define MASK32 UINT64_C(0xffffffff)

static uint64_t size_mask(unsigned size)
{
    return size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
}

/* EDX:EAX as one value. */
static void add_edx_eax(struct text *text, const struct xrw_registers *regs)
{
    add_hex(text, regs->known[XRW_REG_rax] && regs->known[XRW_REG_rdx],
            (regs->value[XRW_REG_rdx] << 32) | (regs->value[XRW_REG_rax] & MASK32));
}

static void add_field(struct text *text, const struct xrw_exit *exit, enum xrw_exit_field field)
{
    add_hex(text, exit->field_known[field], exit->field[field]);
}

static void describe_cpuid(struct text *text, const struct xrw_exit *exit)
{
    add(text, "leaf ");
    add_register(text, &exit->before, XRW_REG_rax, MASK32);
    add(text, " subleaf ");
    add_register(text, &exit->before, XRW_REG_rcx, MASK32);
    if (!exit->has_after)
        return;
    add(text, " -> eax ");
    add_register(text, &exit->after, XRW_REG_rax, MASK32);
    add(text, " ebx ");
    add_register(text, &exit->after, XRW_REG_rbx, MASK32);
    add(text, " ecx ");
    add_register(text, &exit->after, XRW_REG_rcx, MASK32);
    add(text, " edx ");
    add_register(text, &exit->after, XRW_REG_rdx, MASK32);
}

static void describe_io(struct text *text, const struct xrw_exit *exit)
{
    uint64_t q = exit->field[XRW_EXIT_qualification];
    unsigned size = (unsigned)(q & 7) + 1;
    bool in = q & 8, string = q & 16, rep = q & 32;

    if (!exit->field_known[XRW_EXIT_qualification])
        return;
    add(text, "%s%s%s port %#x size %u", rep ? "REP " : "", in ? "IN" : "OUT", string ? "S" : "",
        (unsigned)(q >> 16) & 0xffff, size);
    if (string) {
        add(text, in ? " to " : " from ");
        add_register(text, &exit->before, in ? XRW_REG_rdi : XRW_REG_rsi, UINT64_MAX);
        if (rep) {
            add(text, " count ");
            add_register(text, &exit->before, XRW_REG_rcx, UINT64_MAX);
        }
    } else if (!in) {
        add(text, " value ");
        add_register(text, &exit->before, XRW_REG_rax, size_mask(size));
    } else if (exit->has_after) {
        add(text, " -> ");
        add_register(text, &exit->after, XRW_REG_rax, size_mask(size));
    }
}

static void describe_msr(struct text *text, const struct xrw_exit *exit)
{
    bool write = xrw_exit_basic_reason(exit) == XRW_VMX_MSR_WRITE;
    const char *name = xrw_msr_name((uint32_t)exit->before.value[XRW_REG_rcx]);

    add(text, "msr ");
    add_register(text, &exit->before, XRW_REG_rcx, MASK32);
    if (name && exit->before.known[XRW_REG_rcx])
        add(text, " (%s)", name);
    if (write) {
        add(text, " = ");
        add_edx_eax(text, &exit->before);
    } else if (exit->has_after) {
        add(text, " -> ");
        add_edx_eax(text, &exit->after);
    }
}

static void describe_cr(struct text *text, const struct xrw_exit *exit)
{
    uint64_t q = exit->field[XRW_EXIT_qualification];
    unsigned cr = (unsigned)q & 15, gpr = (unsigned)(q >> 8) & 15;

    if (!exit->field_known[XRW_EXIT_qualification])
        return;
    switch ((q >> 4) & 3) {
    case 0:
        add(text, "cr%u = ", cr);
        add_register(text, &exit->before, (int)gpr, UINT64_MAX);
        add(text, " (%s)", xrw_register_table[gpr].name);
        break;
    case 1:
        add(text, "read cr%u into %s", cr, xrw_register_table[gpr].name);
        if (exit->has_after) {
            add(text, " -> ");
            add_register(text, &exit->after, (int)gpr, UINT64_MAX);
        }
        break;
    case 2:
        add(text, "CLTS");
        break;
    default:
        add(text, "LMSW %#x", (unsigned)(q >> 16) & 0xffff);
    }
}

static void describe_dr(struct text *text, const struct xrw_exit *exit)
{
    uint64_t q = exit->field[XRW_EXIT_qualification];
    unsigned dr = (unsigned)q & 7, gpr = (unsigned)(q >> 8) & 15;

    if (!exit->field_known[XRW_EXIT_qualification])
        return;
    if (q & 16) {
        add(text, "read dr%u into %s", dr, xrw_register_table[gpr].name);
    } else {
        add(text, "dr%u = ", dr);
        add_register(text, &exit->before, (int)gpr, UINT64_MAX);
    }
}

static void describe_ept(struct text *text, const struct xrw_exit *exit)
{
    uint64_t q = exit->field[XRW_EXIT_qualification];

    if (!exit->field_known[XRW_EXIT_qualification])
        return;
    add(text, "%s%s%s", q & 1 ? "read " : "", q & 2 ? "write " : "", q & 4 ? "fetch " : "");
    add(text, "gpa ");
    add_field(text, exit, XRW_EXIT_gpa);
    if (q & 0x80) {
        add(text, " gla ");
        add_field(text, exit, XRW_EXIT_gla);
        if (!(q & 0x100))
            add(text, " (page walk)");
    }
    if (q & 0x38)
        add(text, " entry %s%s%s", q & 8 ? "r" : "-", q & 16 ? "w" : "-", q & 32 ? "x" : "-");
    else
        add(text, " not present");
}

static void describe_ept_misconfig(struct text *text, const struct xrw_exit *exit)
{
    add(text, "gpa ");
    add_field(text, exit, XRW_EXIT_gpa);
}

/* Interruption information, as of an exit, of IDT vectoring or of an entry. */
static void add_interruption(struct text *text, uint64_t info, bool error_known, uint64_t error)
{
    static const char *const types[8] = {
        "external interrupt", "reserved",           "NMI",
        "exception",          "software interrupt", "privileged software exception",
        "software exception", "other event"};
    unsigned vector = (unsigned)info & 0xff, type = (unsigned)(info >> 8) & 7;
    const char *name = type == 0 || type == 4 ? NULL : xrw_exception_name(vector);

    add(text, "%s vector %u", types[type], vector);
    if (name)
        add(text, " (%s)", name);
    if (info & 0x800) {
        add(text, " error ");
        add_hex(text, error_known, error);
    }
}

static void describe_exception(struct text *text, const struct xrw_exit *exit)
{
    if (!exit->field_known[XRW_EXIT_intr_info])
        return;
    add_interruption(text, exit->field[XRW_EXIT_intr_info], exit->field_known[XRW_EXIT_intr_error],
                     exit->field[XRW_EXIT_intr_error]);
    if ((exit->field[XRW_EXIT_intr_info] & 0xff) == 14) {
        add(text, " address ");
        add_field(text, exit, XRW_EXIT_qualification);
    } else if ((exit->field[XRW_EXIT_intr_info] & 0xff) == 1) {
        add(text, " dr6 bits ");
        add_field(text, exit, XRW_EXIT_qualification);
    }
}

static void describe_vmcall(struct text *text, const struct xrw_exit *exit)
{
    static const int args[] = {XRW_REG_rdi, XRW_REG_rsi, XRW_REG_rdx, XRW_REG_r10, XRW_REG_r8};
    const char *name = xrw_hypercall_name(exit->before.value[XRW_REG_rax] & MASK32);

    add(text, "hypercall ");
    add_register(text, &exit->before, XRW_REG_rax, MASK32);
    if (name && exit->before.known[XRW_REG_rax])
        add(text, " (%s)", name);
    for (size_t i = 0; i < sizeof args / sizeof *args; i++) {
        add(text, i ? ", " : " args ");
        add_register(text, &exit->before, args[i], UINT64_MAX);
    }
    if (exit->has_after) {
        add(text, " -> ");
        add_register(text, &exit->after, XRW_REG_rax, UINT64_MAX);
    }
}

static void describe_xsetbv(struct text *text, const struct xrw_exit *exit)
{
    add(text, "xcr");
    add_register(text, &exit->before, XRW_REG_rcx, MASK32);
    add(text, " = ");
    add_edx_eax(text, &exit->before);
}

static void describe_rdtsc(struct text *text, const struct xrw_exit *exit)
{
    if (!exit->has_after)
        return;
    add(text, "-> ");
    add_edx_eax(text, &exit->after);
}

static void describe_task_switch(struct text *text, const struct xrw_exit *exit)
{
    static const char *const sources[4] = {"CALL", "IRET", "JMP", "task gate"};
    uint64_t q = exit->field[XRW_EXIT_qualification];

    if (exit->field_known[XRW_EXIT_qualification])
        add(text, "to TSS %#x by %s", (unsigned)q & 0xffff, sources[(q >> 30) & 3]);
}

static void describe_apic(struct text *text, const struct xrw_exit *exit)
{
    uint64_t q = exit->field[XRW_EXIT_qualification];
    unsigned type = (unsigned)(q >> 12) & 15;

    if (!exit->field_known[XRW_EXIT_qualification])
        return;
    if (xrw_exit_basic_reason(exit) == XRW_VMX_APIC_ACCESS)
        add(text, "%s ", type == 0 ? "read" : type == 1 ? "write" : type == 2 ? "fetch" : "event");
    add(text, "offset %#x", (unsigned)q & 0xfff);
    if (xrw_lapic_register_name((unsigned)q & 0xfff))
        add(text, " (%s)", xrw_lapic_register_name((unsigned)q & 0xfff));
}

static void describe_address(struct text *text, const struct xrw_exit *exit)
{
    add(text, "address ");
    add_field(text, exit, XRW_EXIT_qualification);
}

static const struct {
    unsigned reason;
    void (*describe)(struct text *text, const struct xrw_exit *exit);
} describers[] = {
    {XRW_VMX_EXCEPTION_NMI, describe_exception},
    {XRW_VMX_EXTERNAL_INTERRUPT, describe_exception},
    {XRW_VMX_TASK_SWITCH, describe_task_switch},
    {XRW_VMX_CPUID, describe_cpuid},
    {XRW_VMX_INVLPG, describe_address},
    {XRW_VMX_RDTSC, describe_rdtsc},
    {XRW_VMX_VMCALL, describe_vmcall},
    {XRW_VMX_CR_ACCESS, describe_cr},
    {XRW_VMX_DR_ACCESS, describe_dr},
    {XRW_VMX_IO_INSTRUCTION, describe_io},
    {XRW_VMX_MSR_READ, describe_msr},
    {XRW_VMX_MSR_WRITE, describe_msr},
    {XRW_VMX_APIC_ACCESS, describe_apic},
    {XRW_VMX_EPT_VIOLATION, describe_ept},
    {XRW_VMX_EPT_MISCONFIG, describe_ept_misconfig},
    {XRW_VMX_RDTSCP, describe_rdtsc},
    {XRW_VMX_XSETBV, describe_xsetbv},
    {XRW_VMX_APIC_WRITE, describe_apic},
};

size_t xrw_vmx_describe(const struct xrw_exit *exit, char *buf, size_t bytes)
{
    struct text text = {buf, bytes, 0};

    if (bytes)
        buf[0] = '\0';
    if (!exit->field_known[XRW_EXIT_reason])
        return 0;
    for (size_t i = 0; i < sizeof describers / sizeof *describers; i++)
        if (describers[i].reason == xrw_exit_basic_reason(exit))
            describers[i].describe(&text, exit);
    if (exit->field_known[XRW_EXIT_idt_info] && exit->field[XRW_EXIT_idt_info] >> 31 & 1) {
        add(&text, text.length ? ", while delivering " : "while delivering ");
        add_interruption(&text, exit->field[XRW_EXIT_idt_info],
                         exit->field_known[XRW_EXIT_idt_error], exit->field[XRW_EXIT_idt_error]);
    }
    return text.length;
}
