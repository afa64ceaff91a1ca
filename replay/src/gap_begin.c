/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The beginning of a gap: machine, memory and registers as the record has them. */
#include "gap.h"

#include "gap_begin.h"
#include "gap_fpu.h"
#include "hvm_context.h"

#include "xrw/platform.h" /* how fast its TSC counts */
#include "xrw/vmx.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define APIC_GFN 0xfee00u
#define APIC_TPR 0x80u
#define TPR_CLASSES 16u
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_PG (UINT64_C(1) << 31)
#define CR4_PAE (UINT64_C(1) << 5)
#define EFER_LMA (UINT64_C(1) << 10)
#define RFLAGS_TF (UINT64_C(1) << 8)
#define PENDING_BS (UINT64_C(1) << 14)
#define VECTOR_DB 1u

/* ---- what the machine asks for ------------------------------------------------ */

static int supply_page(void *ctx, xrw_gfn gfn, uint8_t *content, unsigned *ept)
{
    struct gap_engine *e = ctx;
    bool limited = e->limited && gfn == e->limited_gfn;

    *ept = limited ? e->limited_ept : XRW_EPT_ALL;
    return *ept ? xrw_store_page(e->store, e->run.id, gfn, e->at, content, NULL, NULL) : 0;
}

static uint64_t guess_tsc(void *ctx, uint64_t count)
{
    struct gap_engine *e = ctx;

    e->time_used = !e->tsc_known;
    return e->to.field[XRW_EXIT_entry_tsc] + e->to.field[XRW_EXIT_entry_tsc_offset] +
           (count - e->count_at_start) * e->tsc_per_instruction;
}

static int no_random(void *ctx, bool seed, uint64_t *value)
{
    struct gap_engine *e = ctx;

    (void)seed, (void)value;
    e->time_used = true;
    return -ENODATA;
}

static int no_rdmsr(void *ctx, uint32_t msr, uint64_t *value)
{
    struct gap_engine *e = ctx;

    (void)value;
    e->unknown_msr = msr;
    return -ENODATA;
}

static int no_wrmsr(void *ctx, uint32_t msr, uint64_t value)
{
    struct gap_engine *e = ctx;

    (void)value;
    e->unknown_msr = msr;
    return 0;
}

/* ---- create -------------------------------------------------------------------- */

static void take_context(struct gap_engine *e, const struct hvm_context *context)
{
    if (context->has_pat)
        e->state.pat = context->pat;
    if (!context->has_xsave)
        return;
    e->state.xcr0 = context->xcr0 | 1;
    gap_fpu_take(e, context->xsave, context->xsave_bytes);
}

static int read_start_context(struct gap_engine *e, struct xrw_error *err)
{
    struct hvm_context context;
    uint8_t *data;
    size_t bytes;
    int rc = xrw_store_context(e->store, e->run.base_run ? e->run.base_run : e->run.id, "hvm", 0, 0,
                               &data, &bytes, err);

    gap_fpu_forget(e);
    e->state.xcr0 = 1;
    e->state.pat = UINT64_C(0x0007040600070406);
    if (rc == -ENODATA)
        return 0;
    if (rc)
        return rc;
    hvm_context_parse(data, bytes, 0, &context);
    take_context(e, &context);
    free(data);
    return 0;
}

static int make_machine(struct gap_engine *e, struct xrw_error *err)
{
    struct xrw_machine_config config = {.page_ctx = e, .page = supply_page};

    xrw_machine_destroy(e->machine);
    e->machine = NULL;
    xrw_machine_cpu_host(&e->cpu);
    e->cpu.profile = e->profile;
    e->cpu.ctx = e;
    e->cpu.tsc = guess_tsc;
    e->cpu.random = no_random;
    e->cpu.rdmsr = no_rdmsr;
    e->cpu.wrmsr = no_wrmsr;
    xrw_machine_controls_xen(&e->controls, e->cpu.cr4_valid,
                             strstr(e->run.fitness, "RDTSC exits") != NULL);
    e->controls.exits &= ~XRW_EXITS_PAUSE_LOOP; /* falls where the TSC says */
    e->controls.apic_page = e->apic_page;
    e->controls.apic_gfn = APIC_GFN;
    config.cpu = e->cpu;
    config.controls = e->controls;
    return xrw_machine_create(&config, &e->machine, err);
}

static int check_run(const struct xrw_run *run, struct xrw_error *err)
{
    const char *why = NULL;

    if (strcmp(run->mode, "pause") != 0 && strcmp(run->mode, "machine") != 0)
        why = "registers after each exit (record with --mode pause)";
    else if (run->memory != XRW_MEMORY_EXIT)
        why = "memory at each exit (record with --memory exit)";
    else if (run->vcpus != 1)
        why = "a guest of one vCPU";
    if (!why)
        return 0;
    return xrw_error_set(err, -ENODATA, "run %" PRIu64 " cannot be re-executed: that needs %s",
                         run->id, why);
}

int gap_engine_create(struct xrw_store *store, const struct xrw_run *run,
                      enum xrw_machine_profile profile, struct gap_engine **out,
                      struct xrw_error *err)
{
    struct gap_engine *e;
    int rc = check_run(run, err);

    if (rc)
        return rc;
    e = calloc(1, sizeof *e);
    if (!e)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    e->store = store;
    e->run = *run;
    e->profile = profile;
    e->tsc_known = !strcmp(run->source, "machine");
    e->tsc_per_instruction = e->tsc_known ? XRW_PLATFORM_NS_PER_INSTRUCTION : 1;
    rc = make_machine(e, err);
    if (rc)
        gap_engine_destroy(e);
    else
        *out = e;
    return rc;
}

void gap_engine_destroy(struct gap_engine *e)
{
    if (!e)
        return;
    xrw_machine_destroy(e->machine);
    free(e);
}

/* ---- memory at the beginning ------------------------------------------------------ */

/* Make one page of the machine what was recorded as of exit e->at. */
static int reset_page(struct gap_engine *e, xrw_gfn gfn, struct xrw_error *err)
{
    uint8_t content[XRW_PAGE_BYTES];
    const uint8_t *now = xrw_machine_page_content(e->machine, gfn);
    int rc;

    if (!now)
        return 0;
    rc = xrw_store_page(e->store, e->run.id, gfn, e->at, content, NULL, err);
    if (rc == -ENODATA) /* asked for again when it is used */
        return xrw_machine_set_page(e->machine, gfn, NULL, 0);
    if (rc)
        return rc;
    if (!memcmp(now, content, sizeof content))
        return 0;
    return xrw_machine_set_page(e->machine, gfn, content, XRW_EPT_ALL);
}

static int reset_dirty(struct gap_engine *e, struct xrw_error *err)
{
    int rc = 0;

    for (xrw_gfn gfn = 0; !rc && xrw_machine_next_dirty(e->machine, &gfn) == 1; gfn++)
        rc = reset_page(e, gfn, err);
    xrw_machine_clear_dirty(e->machine);
    return rc;
}

static int reset_changed(struct gap_engine *e, struct xrw_error *err)
{
    xrw_gfn gfn = 0;
    int rc;

    while ((rc = xrw_store_next_changed_page(e->store, e->run.id, e->at, &gfn, err)) == 1) {
        rc = reset_page(e, gfn++, err);
        if (rc)
            return rc;
    }
    return rc;
}

static int lift_limit(struct gap_engine *e)
{
    if (!e->limited)
        return 0;
    e->limited = false;
    return xrw_machine_set_page(e->machine, e->limited_gfn, NULL, 0);
}

/* Memory as of exit n. */
static int position(struct gap_engine *e, xrw_exit_id n, struct xrw_error *err)
{
    bool next = e->positioned && (n == e->at || n == e->at + 1);
    int rc = lift_limit(e);

    if (!next) {
        e->at = n;
        e->positioned = true;
        return rc ? rc : make_machine(e, err);
    }
    if (!rc && n == e->at)
        return reset_dirty(e, err);
    e->at = n;
    if (!rc)
        rc = reset_dirty(e, err);
    return rc ? rc : reset_changed(e, err);
}

/* The page that the exit is about has the permissions that the exit tells of. */
static int limit(struct gap_engine *e)
{
    if (xrw_exit_basic_reason(&e->to) != XRW_VMX_EPT_VIOLATION ||
        !e->to.field_known[XRW_EXIT_gpa] || !e->to.field_known[XRW_EXIT_qualification])
        return 0;
    e->limited = true;
    e->limited_gfn = e->to.field[XRW_EXIT_gpa] / XRW_PAGE_BYTES;
    e->limited_ept = (unsigned)(e->to.field[XRW_EXIT_qualification] >> 3 & XRW_EPT_ALL);
    return xrw_machine_set_page(e->machine, e->limited_gfn, NULL, 0);
}

/* ---- state at the beginning --------------------------------------------------------- */

static void follow_xcr0(struct gap_engine *e)
{
    const struct xrw_registers *before = &e->from.before;

    if (xrw_exit_basic_reason(&e->from) == XRW_VMX_XSETBV &&
        e->from.after.value[XRW_REG_rip] != before->value[XRW_REG_rip] &&
        !(before->value[XRW_REG_rcx] & 0xffffffff))
        e->state.xcr0 = (before->value[XRW_REG_rdx] & 0xffffffff) << 32 |
                        (before->value[XRW_REG_rax] & 0xffffffff);
}

/* The last XSETBV before exit n. */
static int find_xcr0(struct gap_engine *e, xrw_exit_id n, struct xrw_error *err)
{
    const struct xrw_exit_filter filter = {.by_reason = true, .reason = XRW_VMX_XSETBV};
    xrw_exit_id at = n + 1;
    int rc = xrw_store_find_exit(e->store, &filter, at, false, e->run.first_exit, n, NULL, NULL,
                                 &at, err);

    if (rc <= 0)
        return rc;
    rc = xrw_store_exit(e->store, at, &e->from, err);
    if (!rc)
        follow_xcr0(e);
    return rc;
}

static int load_pdptes(struct gap_engine *e)
{
    const struct xrw_registers *regs = &e->from.after;

    if (!(regs->value[XRW_REG_cr0] & CR0_PG) || !(regs->value[XRW_REG_cr4] & CR4_PAE) ||
        regs->value[XRW_REG_efer] & EFER_LMA)
        return 0;
    return xrw_machine_read(e->machine, regs->value[XRW_REG_cr3] & 0xffffffe0, e->state.pdpte,
                            sizeof e->state.pdpte);
}

/* An instruction that the hypervisor completed is a step too, unless it raised #DB itself. */
static bool single_steps(const struct gap_engine *e)
{
    return e->from.after.value[XRW_REG_rflags] & RFLAGS_TF &&
           !(e->to.field[XRW_EXIT_entry_intr_info] >> 31 & 1);
}

static int load_state(struct gap_engine *e, struct xrw_error *err)
{
    const struct xrw_exit *from = &e->from;
    bool stays = from->after.value[XRW_REG_rip] == from->before.value[XRW_REG_rip];
    int rc = gap_fpu_load(e, err);

    if (rc)
        return rc;
    e->state.regs = from->after;
    e->state.interruptibility = (uint32_t)from->field[XRW_EXIT_interruptibility];
    e->state.pending_debug = !stays && single_steps(e) ? PENDING_BS : 0;
    if (!stays)
        e->state.interruptibility &= ~(XRW_BLOCKED_BY_STI | XRW_BLOCKED_BY_MOV_SS);
    rc = load_pdptes(e);
    return rc ? rc : xrw_machine_load(e->machine, &e->state, err);
}

int gap_set_controls(struct gap_engine *e, uint32_t exits)
{
    const uint32_t mine = XRW_EXITS_INTERRUPT_WINDOW | XRW_EXITS_NMI_WINDOW | XRW_EXITS_MOV_DR |
                          XRW_EXITS_TPR_THRESHOLD;
    unsigned reason = xrw_exit_basic_reason(&e->to);
    uint8_t threshold = reason == XRW_VMX_TPR_BELOW_THRESHOLD ? TPR_CLASSES - 1 : 0;
    /* Whether TS is the guest's own depends on how its FPU is loaded. */
    uint64_t cr0_mask = reason == XRW_VMX_CR_ACCESS ? UINT64_MAX : ~CR0_TS;

    /* The task priority itself is not recorded: any write is taken for one that falls below. */
    e->apic_page[APIC_TPR] = threshold ? 0xff : 0;
    exits |= threshold ? XRW_EXITS_TPR_THRESHOLD : 0;
    exits |= e->controls.exits & ~mine;
    if (exits == e->controls.exits && threshold == e->controls.tpr_threshold &&
        cr0_mask == e->controls.cr0_mask)
        return 0;
    e->controls.exits = exits;
    e->controls.tpr_threshold = threshold;
    e->controls.cr0_mask = cr0_mask;
    return xrw_machine_set_controls(e->machine, &e->controls);
}

/* What ends the gap, of that which exits only now and then. */
static uint32_t expected_exits(const struct gap_engine *e)
{
    switch (xrw_exit_basic_reason(&e->to)) {
    case XRW_VMX_INTERRUPT_WINDOW:
        return XRW_EXITS_INTERRUPT_WINDOW;
    case XRW_VMX_NMI_WINDOW:
        return XRW_EXITS_NMI_WINDOW;
    case XRW_VMX_DR_ACCESS:
        return XRW_EXITS_MOV_DR;
    default:
        return 0;
    }
}

static int inject(struct gap_engine *e)
{
    uint64_t info = e->to.field[XRW_EXIT_entry_intr_info];

    if (!e->to.field_known[XRW_EXIT_entry_intr_info] || !(info >> 31 & 1))
        return 0;
    /* The hypervisor says in DR6 why, right before the entry. */
    if ((info & 0xff) == VECTOR_DB && e->to.before.known[XRW_REG_dr6])
        (void)xrw_machine_set_register(e->machine, XRW_REG_dr6, e->to.before.value[XRW_REG_dr6]);
    return xrw_machine_inject(e->machine, (uint32_t)info,
                              (uint32_t)e->to.field[XRW_EXIT_entry_error],
                              (unsigned)e->from.field[XRW_EXIT_insn_len]);
}

int gap_begin(struct gap_engine *e, struct xrw_error *err)
{
    int rc = position(e, e->from.id, err);

    if (!rc)
        rc = load_state(e, err);
    if (!rc)
        rc = limit(e);
    if (!rc)
        rc = gap_set_controls(e, expected_exits(e));
    if (!rc)
        rc = inject(e);
    e->time_used = false;
    e->unknown_msr = 0;
    e->count_at_start = xrw_machine_count(e->machine);
    return rc;
}

/* What is carried on from gap to gap, where there is no gap before. */
static int start_at(struct gap_engine *e, xrw_exit_id n, struct xrw_error *err)
{
    int rc = read_start_context(e, err);

    if (n != e->run.first_exit)
        gap_fpu_forget(e);
    return rc ? rc : find_xcr0(e, n, err);
}

int gap_read_ends(struct gap_engine *e, xrw_exit_id n, struct xrw_error *err)
{
    bool next = e->to.id == n && e->from.id + 1 == n && n;
    int rc = 0;

    if (!next)
        rc = start_at(e, n, err);
    if (rc)
        return rc;
    if (next)
        e->from = e->to;
    else
        rc = xrw_store_exit(e->store, n, &e->from, err);
    if (!rc)
        rc = xrw_store_exit(e->store, n + 1, &e->to, err);
    if (!rc)
        follow_xcr0(e);
    return rc;
}
