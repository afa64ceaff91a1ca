/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From exit to exit: running, and which exit is handled by whom. */
#include "platform.h"

#include "xrw/vmx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DR6_BS (UINT64_C(1) << 14)
#define EVENT_TYPE(info) ((info) >> 8 & 7)
#define EVENT_SOFTWARE 4u          /* INT n; the types above are INT1, INT3 and INTO */
#define SLICE (UINT64_C(16) << 20) /* instructions, before the caller is asked again */

/* ---- what handlers do ------------------------------------------------------- */

/* Xen raises the exception of a single step itself; else the machine has it pending. */
static void step_as_xen(struct xrw_platform *p)
{
    set_reg(p, XRW_REG_rflags, reg(p, XRW_REG_rflags) | RFLAGS_TF);
    set_reg(p, XRW_REG_dr6, reg(p, XRW_REG_dr6) | DR6_BS);
    raise_exception(p, VECTOR_DB, false, 0);
}

void skip_instruction(struct xrw_platform *p, const struct xrw_exit *exit)
{
    uint64_t rflags = reg(p, XRW_REG_rflags);
    bool steps = p->xen && rflags & RFLAGS_TF;

    if (steps)
        set_reg(p, XRW_REG_rflags, rflags & ~RFLAGS_TF);
    xrw_machine_skip(p->machine, (unsigned)exit->field[XRW_EXIT_insn_len]);
    if (steps)
        step_as_xen(p);
}

void raise_exception(struct xrw_platform *p, unsigned vector, bool has_error, uint32_t error)
{
    p->next = (struct injection){.info = EVENT_VALID | EVENT_EXCEPTION | vector |
                                         (has_error ? EVENT_HAS_ERROR : 0),
                                 .error = error};
}

void guest_ends(struct xrw_platform *p, const char *how)
{
    p->ended = true;
    (void)snprintf(p->end, sizeof p->end, "%s", how);
}

void platform_print(struct xrw_platform *p, char byte)
{
    if (p->console)
        p->console(p->console_ctx, &byte, 1);
}

uint64_t xrw_platform_time_ns(const struct xrw_platform *p)
{
    return xrw_machine_count(p->machine) * XRW_PLATFORM_NS_PER_INSTRUCTION + p->skipped_ns;
}

/* ---- simple exits ------------------------------------------------------------ */

static int handle_skip(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    (void)err;
    skip_instruction(p, exit);
    return 0;
}

/* Xen runs another vCPU for a while; the instruction comes again, as the first of a new loop. */
static int handle_pause(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    (void)p, (void)exit, (void)err;
    return 0;
}

static int handle_host(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    (void)p, (void)exit, (void)err;
    return 0;
}

static int handle_undefined(struct xrw_platform *p, const struct xrw_exit *exit,
                            struct xrw_error *err)
{
    (void)exit, (void)err;
    raise_exception(p, VECTOR_UD, false, 0);
    return 0;
}

static int handle_cpuid(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    static const enum xrw_register registers[] = {XRW_REG_rax, XRW_REG_rbx, XRW_REG_rcx,
                                                  XRW_REG_rdx};
    uint32_t out[4];

    (void)err;
    platform_cpuid(p, (uint32_t)reg(p, XRW_REG_rax), (uint32_t)reg(p, XRW_REG_rcx), out);
    for (unsigned i = 0; i < 4; i++)
        set_reg(p, registers[i], out[i]);
    skip_instruction(p, exit);
    return 0;
}

static int handle_rdtsc(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    uint64_t tsc = xrw_platform_time_ns(p);

    (void)err;
    set_reg(p, XRW_REG_rax, tsc & 0xffffffff);
    set_reg(p, XRW_REG_rdx, tsc >> 32);
    if (xrw_exit_basic_reason(exit) == XRW_VMX_RDTSCP)
        set_reg(p, XRW_REG_rcx, reg(p, XRW_REG_tsc_aux));
    skip_instruction(p, exit);
    return 0;
}

static int handle_hlt(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    (void)err;
    skip_instruction(p, exit);
    p->halted = true;
    return 0;
}

/* Hand the debug registers out: the instruction comes again, and does not exit. */
static int handle_dr(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    (void)exit, (void)err;
    p->dr_granted = true;
    return 0;
}

static int handle_triple_fault(struct xrw_platform *p, const struct xrw_exit *exit,
                               struct xrw_error *err)
{
    (void)exit, (void)err;
    guest_ends(p, "the guest rebooted (triple fault)");
    return 0;
}

/* Exceptions that exit go on to the guest; #DB tells in DR6 what it was. */
static int handle_exception(struct xrw_platform *p, const struct xrw_exit *exit,
                            struct xrw_error *err)
{
    uint32_t info = (uint32_t)exit->field[XRW_EXIT_intr_info];

    (void)err;
    p->next = (struct injection){.info = info & (EVENT_VALID | EVENT_HAS_ERROR | 0x7ff),
                                 .error = (uint32_t)exit->field[XRW_EXIT_intr_error],
                                 .insn_len = (unsigned)exit->field[XRW_EXIT_insn_len]};
    if ((info & 0xff) == VECTOR_DB)
        set_reg(p, XRW_REG_dr6,
                (reg(p, XRW_REG_dr6) & ~UINT64_C(0xf)) |
                    (exit->field[XRW_EXIT_qualification] & 0x600f));
    return 0;
}

static exit_handler *const handlers[] = {
    [XRW_VMX_EXCEPTION_NMI] = handle_exception,
    [XRW_VMX_EXTERNAL_INTERRUPT] = handle_host,
    [XRW_VMX_TRIPLE_FAULT] = handle_triple_fault,
    [XRW_VMX_INTERRUPT_WINDOW] = handle_host,
    [XRW_VMX_NMI_WINDOW] = handle_host,
    [XRW_VMX_TASK_SWITCH] = handle_task_switch,
    [XRW_VMX_CPUID] = handle_cpuid,
    [XRW_VMX_GETSEC] = handle_undefined,
    [XRW_VMX_HLT] = handle_hlt,
    [XRW_VMX_INVD] = handle_skip,
    [XRW_VMX_RDTSC] = handle_rdtsc,
    [XRW_VMX_VMCALL] = handle_hypercall,
    [XRW_VMX_VMCLEAR] = handle_undefined,
    [20] = handle_undefined, /* VMLAUNCH */
    [XRW_VMX_VMPTRLD] = handle_undefined,
    [XRW_VMX_VMPTRST] = handle_undefined,
    [XRW_VMX_VMREAD] = handle_undefined,
    [24] = handle_undefined, /* VMRESUME */
    [XRW_VMX_VMWRITE] = handle_undefined,
    [26] = handle_undefined, /* VMXOFF */
    [XRW_VMX_VMXON] = handle_undefined,
    [XRW_VMX_CR_ACCESS] = handle_cr,
    [XRW_VMX_DR_ACCESS] = handle_dr,
    [XRW_VMX_IO_INSTRUCTION] = handle_io,
    [XRW_VMX_MSR_READ] = handle_rdmsr,
    [XRW_VMX_MSR_WRITE] = handle_wrmsr,
    [XRW_VMX_MWAIT] = handle_undefined,
    [XRW_VMX_MONITOR] = handle_undefined,
    [XRW_VMX_PAUSE] = handle_pause,
    [XRW_VMX_TPR_BELOW_THRESHOLD] = handle_host,
    [XRW_VMX_APIC_ACCESS] = handle_apic_access,
    [XRW_VMX_EPT_VIOLATION] = handle_ept,
    [XRW_VMX_INVEPT] = handle_undefined,
    [XRW_VMX_RDTSCP] = handle_rdtsc,
    [XRW_VMX_INVVPID] = handle_undefined,
    [XRW_VMX_WBINVD] = handle_skip,
    [XRW_VMX_XSETBV] = handle_xsetbv,
};

/* An event whose delivery was cut short by the exit is delivered again, unless handling brought
 * another. */
static void deliver_again(struct xrw_platform *p, const struct xrw_exit *exit)
{
    uint32_t info = (uint32_t)exit->field[XRW_EXIT_idt_info];

    /* What an instruction asked for, the instruction asks for again. */
    if (!exit->field_known[XRW_EXIT_idt_info] || !(info & EVENT_VALID) ||
        EVENT_TYPE(info) >= EVENT_SOFTWARE || p->next.info & EVENT_VALID ||
        xrw_exit_basic_reason(exit) == XRW_VMX_TASK_SWITCH)
        return;
    p->next = (struct injection){.info = info & (EVENT_VALID | EVENT_HAS_ERROR | 0x7ff),
                                 .error = (uint32_t)exit->field[XRW_EXIT_idt_error],
                                 .insn_len = (unsigned)exit->field[XRW_EXIT_insn_len]};
}

int xrw_platform_handle(struct xrw_platform *p, struct xrw_exit *exit, struct xrw_error *err)
{
    unsigned reason = xrw_exit_basic_reason(exit);
    exit_handler *handler = reason < sizeof handlers / sizeof *handlers ? handlers[reason] : NULL;
    int rc;

    if (!handler)
        return xrw_error_set(err, -ENOTSUP, "the virtual platform does not handle exit reason %u",
                             reason);
    p->next.info = 0;
    p->dr_granted = false;
    rc = handler(p, exit, err);
    if (rc)
        return rc;
    deliver_again(p, exit);
    xrw_machine_registers(p->machine, &exit->after);
    exit->has_after = true;
    return 0;
}

/* ---- run ---------------------------------------------------------------------- */

static uint64_t instructions_to_event(const struct xrw_platform *p)
{
    uint64_t next = platform_next_event_ns(p), now = xrw_platform_time_ns(p);

    if (next == UINT64_MAX)
        return UINT64_MAX;
    if (next <= now)
        return 1;
    return (next - now + XRW_PLATFORM_NS_PER_INSTRUCTION - 1) / XRW_PLATFORM_NS_PER_INSTRUCTION;
}

/* A timer of the platform came due: on a real host that is an external interrupt. */
static void make_timer_exit(struct xrw_platform *p, struct xrw_exit *exit)
{
    *exit = (struct xrw_exit){0};
    xrw_exit_set(exit, XRW_EXIT_reason, XRW_VMX_EXTERNAL_INTERRUPT);
    xrw_machine_registers(p->machine, &exit->before);
}

static void forget(struct xrw_exit *exit, enum xrw_exit_field field)
{
    exit->field[field] = 0;
    exit->field_known[field] = false;
}

/* What the reason does not define is not known; so is an event that was not. */
static void forget_undefined(struct xrw_exit *exit)
{
    unsigned fields;

    if (!(exit->field[XRW_EXIT_intr_info] & EVENT_VALID)) {
        forget(exit, XRW_EXIT_intr_info);
        forget(exit, XRW_EXIT_intr_error);
    }
    if (!(exit->field[XRW_EXIT_idt_info] & EVENT_VALID)) {
        forget(exit, XRW_EXIT_idt_info);
        forget(exit, XRW_EXIT_idt_error);
    }
    fields = xrw_vmx_defined_fields(
        xrw_exit_basic_reason(exit), exit->field[XRW_EXIT_qualification],
        (uint32_t)exit->field[XRW_EXIT_intr_info], (uint32_t)exit->field[XRW_EXIT_idt_info]);
    if (!(fields & XRW_VMX_HAS_QUALIFICATION))
        forget(exit, XRW_EXIT_qualification);
    if (!(fields & XRW_VMX_HAS_LINEAR))
        forget(exit, XRW_EXIT_gla);
    if (xrw_exit_basic_reason(exit) != XRW_VMX_EPT_VIOLATION)
        forget(exit, XRW_EXIT_gpa);
}

static void complete_exit(struct xrw_platform *p, struct xrw_exit *exit)
{
    exit->vcpu = 0;
    exit->has_after = false;
    forget_undefined(exit);
    xrw_exit_set(exit, XRW_EXIT_tsc, xrw_platform_time_ns(p));
    xrw_exit_set(exit, XRW_EXIT_entry_intr_info, p->current.info);
    if (p->current.info & EVENT_HAS_ERROR)
        xrw_exit_set(exit, XRW_EXIT_entry_error, p->current.error);
    xrw_exit_set(exit, XRW_EXIT_entry_tsc, p->entry_ns);
    xrw_exit_set(exit, XRW_EXIT_entry_tsc_offset, 0);
    xrw_exit_set(exit, XRW_EXIT_entries, p->entries);
}

static int take_stop(struct xrw_platform *p, const struct xrw_machine_result *result,
                     struct xrw_exit *exit, struct xrw_error *err)
{
    switch (result->stop) {
    case XRW_STOP_EXIT:
        *exit = result->exit;
        break;
    case XRW_STOP_COUNT:
        make_timer_exit(p, exit);
        break;
    case XRW_STOP_INTERRUPTED:
        return XRW_PLATFORM_INTERRUPTED;
    case XRW_STOP_UNHANDLED:
        return xrw_error_set(err, -ENOTSUP, "%s", result->text.text);
    case XRW_STOP_NO_PAGE:
        return xrw_error_set(err, result->error, "guest frame 0x%" PRIx64 " cannot be supplied",
                             result->gfn);
    default:
        return xrw_error_set(err, result->error ? result->error : -EIO, "the engine stopped: %s",
                             result->text.text);
    }
    complete_exit(p, exit);
    return XRW_PLATFORM_EXIT;
}

int xrw_platform_run(struct xrw_platform *p, const volatile int *interrupted, struct xrw_exit *exit,
                     struct xrw_error *err)
{
    struct xrw_machine_until until = {.interrupted = interrupted};
    struct xrw_machine_result result;
    uint64_t to_event;
    int rc;

    if (p->ended)
        return XRW_PLATFORM_ENDED;
    if (!p->inside && !platform_wake(p))
        return XRW_PLATFORM_IDLE;
    rc = p->inside ? 0 : platform_enter(p);
    to_event = instructions_to_event(p);
    until.instructions = to_event < SLICE ? to_event : SLICE;
    if (!rc)
        rc = xrw_machine_run(p->machine, &until, &result);
    if (rc)
        return xrw_error_set(err, rc, "the engine cannot run on");
    if (result.stop == XRW_STOP_COUNT && until.instructions != to_event)
        result.stop = XRW_STOP_INTERRUPTED;
    p->inside = result.stop == XRW_STOP_INTERRUPTED;
    return take_stop(p, &result, exit, err);
}

const char *xrw_platform_end(const struct xrw_platform *p)
{
    return p->end;
}

struct xrw_machine *xrw_platform_machine(struct xrw_platform *p)
{
    return p->machine;
}

/* ---- create -------------------------------------------------------------------- */

static void set_controls(struct xrw_platform *p)
{
    xrw_machine_controls_xen(&p->controls, p->cpu.cr4_valid, p->xen);
    p->controls.cr0_mask = UINT64_MAX; /* TS too: as Xen does in pause mode */
    p->controls.apic_page = p->apic_page;
    p->controls.apic_gfn = LAPIC_GFN;
    if (p->xen) {
        p->controls.exits |= XRW_EXITS_TPR_THRESHOLD;
        return;
    }
    p->controls.apic = XRW_APIC_NONE;
    p->controls.exits &= ~XRW_EXITS_PAUSE_LOOP; /* there is no other guest to run meanwhile */
}

static int allocate(struct xrw_platform *p, const struct xrw_platform_config *config)
{
    uint64_t pages = config->memory_bytes / XRW_PAGE_BYTES;

    p->ram_bytes = config->memory_bytes;
    p->ram = calloc(pages, XRW_PAGE_BYTES);
    p->ept = malloc(pages);
    if (!p->ram || !p->ept)
        return -ENOMEM;
    memset(p->ept, config->lazy ? 0 : XRW_EPT_ALL, pages);
    return 0;
}

static int create_machine(struct xrw_platform *p, const struct xrw_platform_config *config,
                          struct xrw_error *err)
{
    const struct load load = {.kernel = config->kernel,
                              .initrd = config->initrd,
                              .cmdline = config->cmdline,
                              .ram = p->ram,
                              .ram_bytes = p->ram_bytes};
    struct xrw_machine_config machine = {.page_ctx = p, .page = platform_page};
    struct xrw_machine_state state;
    int rc = load_guest(&load, &state, err);

    if (rc)
        return rc;
    machine.cpu = p->cpu;
    machine.controls = p->controls;
    rc = xrw_machine_create(&machine, &p->machine, err);
    return rc ? rc : xrw_machine_load(p->machine, &state, err);
}

static int check_memory(const struct xrw_platform_config *config, struct xrw_error *err)
{
    if (config->memory_bytes < XRW_PLATFORM_MEMORY_MIN ||
        config->memory_bytes > XRW_PLATFORM_MEMORY_MAX || config->memory_bytes % XRW_PAGE_BYTES)
        return xrw_error_set(err, -EINVAL, "a guest has 2 to 3072 MiB of memory");
    return 0;
}

int xrw_platform_create(const struct xrw_platform_config *config, struct xrw_platform **out,
                        struct xrw_error *err)
{
    struct xrw_platform *p;
    int rc = check_memory(config, err);

    if (rc)
        return rc;
    p = calloc(1, sizeof *p);
    if (!p)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    p->xen = config->xen;
    p->cpuid = config->cpuid;
    p->cpuid_count = config->cpuid_count;
    p->xcr0 = 1;
    p->console = config->console;
    p->console_ctx = config->ctx;
    lapic_init(&p->lapic, p->apic_page);
    pic_init(&p->pic);
    pit_init(&p->pit);
    platform_cpu(p);
    p->cpu.profile = config->profile;
    set_controls(p);
    rc = allocate(p, config);
    rc = rc ? xrw_error_set(err, rc, "out of memory") : create_machine(p, config, err);
    if (rc)
        xrw_platform_destroy(p);
    else
        *out = p;
    return rc;
}

void xrw_platform_destroy(struct xrw_platform *p)
{
    if (!p)
        return;
    xrw_machine_destroy(p->machine);
    free(p->ram);
    free(p->ept);
    free(p);
}
