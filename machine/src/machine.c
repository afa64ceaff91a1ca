/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Creating machines; their state in and out. */
#include "state.h"
#include "translate.h"
#include "xsave.h"

#include <errno.h>
#include <string.h>

/* ---- Creating ---- */

static int check_config(const struct xrw_machine_config *config, struct xrw_error *err)
{
    if (!config->page)
        return xrw_error_set(err, -EINVAL, "a machine needs a source of pages");
    if (config->cpu.physical_bits < 32 || config->cpu.physical_bits > 52)
        return xrw_error_set(err, -EINVAL, "physical addresses of %u bits",
                             config->cpu.physical_bits);
    return 0;
}

void xrw_machine_destroy(struct xrw_machine *m)
{
    if (!m)
        return;
    undo_destroy(m);
    code_flush_if_any(m);
    physical_destroy(m->physical);
    code_destroy(m->code);
    translate_destroy(m->translate);
    native_cache_destroy(m->native);
    native_state_free(m, sizeof *m);
}

static void choose_pause(struct xrw_machine *m)
{
    if (m->translate)
        translate_set_pause(m->translate,
                            m->controls.exits & (XRW_EXITS_PAUSE | XRW_EXITS_PAUSE_LOOP));
}

static int create_translator(struct xrw_machine *m)
{
    const struct translate_config config = {
        .cache = m->native,
        .state = &m->n,
        .rip = &m->rip,
        .left = &m->left,
        .fs_base = &m->seg[SEG_FS].base,
        .gs_base = &m->seg[SEG_GS].base,
        .tlb = {.entries = {m->tlbs[TLB_KERNEL].entry, m->tlbs[TLB_KERNEL_AC].entry,
                            m->tlbs[TLB_USER].entry},
                .index_bits = TLB_BITS,
                .read = offsetof(struct tlb_entry, negative_read),
                .write = offsetof(struct tlb_entry, negative_write),
                .host = offsetof(struct tlb_entry, host)},
        .fetch = code_fetch,
        .step = code_step,
        .covers = code_covers,
        .ctx = m,
    };
    int rc = translate_create(&config, &m->translate);

    if (!rc)
        choose_pause(m);
    return rc == -ENOTSUP ? 0 : rc;
}

void xrw_machine_set_translator(struct xrw_machine *m, bool on)
{
    m->no_translator = !on;
}

int xrw_machine_create(const struct xrw_machine_config *config, struct xrw_machine **out,
                       struct xrw_error *err)
{
    struct xrw_machine *m;
    int rc = check_config(config, err);

    if (rc)
        return rc;
    m = native_state_allocate(sizeof *m);
    if (!m)
        return xrw_error_set(err, -ENOMEM, "no memory for a machine");
    m->page_ctx = config->page_ctx;
    m->page = config->page;
    m->cpu = config->cpu;
    m->controls = config->controls;
    rc = native_cache_create(&m->native, 0);
    if (!rc)
        rc = code_create(&m->code);
    if (!rc)
        rc = physical_create(&m->physical);
    if (!rc)
        rc = create_translator(m);
    if (rc) {
        xrw_machine_destroy(m);
        return xrw_error_set(err, rc, "cannot prepare the engine: %s", strerror(-rc));
    }
    mmu_init(m);
    cpu_reset(m);
    *out = m;
    return 0;
}

int xrw_machine_set_controls(struct xrw_machine *m, const struct xrw_machine_controls *controls)
{
    bool apic = m->controls.apic != controls->apic || m->controls.apic_gfn != controls->apic_gfn;

    if (controls->apic == XRW_APIC_REGISTERS && !controls->apic_page)
        return -EINVAL;
    m->controls = *controls;
    if (apic)
        mmu_flush(m);
    choose_pause(m);
    cpu_update(m);
    return 0;
}

void xrw_machine_cpu_host(struct xrw_machine_cpu *cpu)
{
    *cpu = (struct xrw_machine_cpu){
        .physical_bits = 46,
        .pages_1g = true,
        .cr4_valid = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE |
                     CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_FSGSBASE | CR4_PCIDE |
                     CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_LA57,
        .efer_valid = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
        .xcr0_valid = native_xcr0(),
        .mxcsr_mask = 0xffff,
        .profile = XRW_PROFILE_HOST,
    };
}

/* ---- Registers ---- */

uint64_t xrw_machine_register(const struct xrw_machine *m, enum xrw_register reg)
{
    const struct segment_register *s;

    if (reg <= XRW_REG_r15)
        return m->n.gpr[reg];
    if (reg == XRW_REG_rflags)
        return cpu_rflags(m);
    if ((s = state_segment((struct xrw_machine *)m, reg)) != NULL)
        return state_segment_field(s, reg);
    if (reg == XRW_REG_gdtr_limit)
        return m->gdtr.limit;
    if (reg == XRW_REG_idtr_limit)
        return m->idtr.limit;
    return *state_register((struct xrw_machine *)m, reg);
}

void xrw_machine_registers(const struct xrw_machine *m, struct xrw_registers *regs)
{
    state_read_all(m, regs->value);
    memset(regs->known, true, sizeof regs->known);
}

/* Set one without deriving anything. */
static void set(struct xrw_machine *m, enum xrw_register reg, uint64_t value)
{
    struct segment_register *s;

    if (reg <= XRW_REG_r15) {
        m->n.gpr[reg] = value;
    } else if (reg == XRW_REG_rflags) {
        native_set_rflags(&m->n, value);
        m->rflags = (value & RFLAGS_ALL & ~RFLAGS_STATUS) | RFLAGS_FIXED;
        m->undefined = 0;
    } else if ((s = state_segment(m, reg)) != NULL) {
        state_set_segment_field(s, reg, value);
    } else if (reg == XRW_REG_gdtr_limit) {
        m->gdtr.limit = (uint16_t)value;
    } else if (reg == XRW_REG_idtr_limit) {
        m->idtr.limit = (uint16_t)value;
    } else {
        *state_register(m, reg) = value;
    }
}

static bool possible(enum xrw_register reg, uint64_t value)
{
    if (reg == XRW_REG_cr0)
        return !(value & CR0_PG) || value & CR0_PE;
    return xrw_register_table[reg].bits == 64 || value >> xrw_register_table[reg].bits == 0;
}

int xrw_machine_set_register(struct xrw_machine *m, enum xrw_register reg, uint64_t value)
{
    if (!possible(reg, value))
        return -EINVAL;
    set(m, reg, value);
    if (reg == XRW_REG_ss_attr)
        m->cpl = (uint8_t)ATTR_DPL(value);
    if (reg == XRW_REG_cr0 || reg == XRW_REG_cr3 || reg == XRW_REG_cr4 || reg == XRW_REG_efer)
        mmu_flush(m);
    cpu_update(m);
    return 0;
}

int xrw_machine_set_xcr0(struct xrw_machine *m, uint64_t value)
{
    if (!xcr0_possible(m, value))
        return -EINVAL;
    m->xcr0 = value;
    cpu_update(m);
    return 0;
}

/* ---- The whole state ---- */

static bool consistent(const struct xrw_machine_state *state)
{
    const uint64_t *v = state->regs.value;
    bool lma = v[XRW_REG_efer] & EFER_LMA;

    if (lma != (v[XRW_REG_efer] & EFER_LME && v[XRW_REG_cr0] & CR0_PG))
        return false;
    if (lma && !(v[XRW_REG_cr4] & CR4_PAE))
        return false;
    return !(v[XRW_REG_cr0] & CR0_PG) || v[XRW_REG_cr0] & CR0_PE;
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, 8);
    return value;
}

static void load_vectors(struct xrw_machine *m, const uint8_t *area)
{
    uint64_t bv = get64(area + XSAVE_HEADER);
    uint32_t mode = m->mode;

    native_state_init_vectors(&m->n);
    m->pkru = 0;
    memcpy(&m->n.mxcsr, area + 24, 4);
    m->n.mxcsr &= m->cpu.mxcsr_mask;
    m->mode = MODE_64; /* all sixteen registers */
    fxsave_load(m, area, true, bv & XCR0_X87, bv & XCR0_SSE);
    for (unsigned c = 2; c < 10; c++)
        if (bv >> c & 1 && component_bytes(c))
            component_load(m, c, area + component_offset(c));
    m->mode = mode;
}

int xrw_machine_load(struct xrw_machine *m, const struct xrw_machine_state *state,
                     struct xrw_error *err)
{
    for (unsigned i = 0; i < XRW_REGISTER_COUNT; i++) {
        if (!state->regs.known[i])
            return xrw_error_set(err, -ENODATA, "%s is not known", xrw_register_table[i].name);
        if (!possible(i, state->regs.value[i]))
            return xrw_error_set(err, -EINVAL, "%s cannot be 0x%llx", xrw_register_table[i].name,
                                 (unsigned long long)state->regs.value[i]);
    }
    if (!consistent(state))
        return xrw_error_set(err, -EINVAL, "CR0, CR4 and EFER do not fit each other");
    for (unsigned i = 0; i < XRW_REGISTER_COUNT; i++)
        set(m, i, state->regs.value[i]);
    m->shadow = state->interruptibility;
    m->pending_debug = state->pending_debug;
    m->xcr0 = state->xcr0 | XCR0_X87;
    m->xss = state->xss;
    m->cr8 = state->cr8 & 15;
    m->pat = state->pat;
    memcpy(m->pdpte, state->pdpte, sizeof m->pdpte);
    m->halted = state->halted;
    m->cpl = m->rflags & RFLAGS_VM ? 3
             : m->cr0 & CR0_PE     ? (uint8_t)ATTR_DPL(m->seg[SEG_SS].attr)
                                   : 0;
    m->event = m->delivering = (struct event){0};
    m->attention = 0;
    m->ple_first = m->ple_last = 0;
    load_vectors(m, state->xsave);
    undo_forget(m);
    mmu_flush(m);
    cpu_update(m);
    return 0;
}

void xrw_machine_store(const struct xrw_machine *m, struct xrw_machine_state *state)
{
    uint64_t bv = xsave_in_use(m) | XCR0_X87 | XCR0_SSE;

    *state = (struct xrw_machine_state){
        .interruptibility = m->shadow,
        .pending_debug = m->pending_debug,
        .xcr0 = m->xcr0,
        .xss = m->xss,
        .cr8 = m->cr8,
        .pat = m->pat,
        .halted = m->halted,
    };
    xrw_machine_registers(m, &state->regs);
    memcpy(state->pdpte, m->pdpte, sizeof m->pdpte);
    fxsave_store(m, state->xsave, true, true, true);
    memcpy(state->xsave + XSAVE_HEADER, &bv, 8);
    for (unsigned c = 2; c < 10; c++)
        if (bv >> c & 1 && component_bytes(c))
            component_store(m, c, state->xsave + component_offset(c));
}

/* ---- Handling exits ---- */

void xrw_machine_skip(struct xrw_machine *m, unsigned bytes)
{
    m->rip += bytes;
    if (!is_long(m))
        m->rip &= 0xffffffffu;
    m->shadow &= ~(uint32_t)(XRW_BLOCKED_BY_STI | XRW_BLOCKED_BY_MOV_SS);
    m->rflags &= ~RFLAGS_RF;
    if (m->rflags & RFLAGS_TF)
        m->pending_debug |= DR6_BS;
    cpu_update(m);
}

void xrw_machine_set_halted(struct xrw_machine *m, bool halted)
{
    m->halted = halted;
    cpu_update(m);
}

void xrw_machine_set_interruptibility(struct xrw_machine *m, uint32_t interruptibility)
{
    m->shadow = interruptibility;
    cpu_update(m);
}

int xrw_machine_inject(struct xrw_machine *m, uint32_t intr_info, uint32_t error_code,
                       unsigned insn_len)
{
    struct event event = {
        .valid = intr_info >> 31,
        .injected = true,
        .vector = (uint8_t)intr_info,
        .type = intr_info >> 8 & 7,
        .has_error = intr_info >> 11 & 1,
        .error = error_code,
        .insn_len = (uint8_t)insn_len,
    };

    if (event.valid && (event.type == 1 || event.type == EVENT_OTHER || insn_len > 15 ||
                        (event.type == EVENT_NMI && event.vector != VECTOR_NMI) ||
                        (event.type == EVENT_HARDWARE && event.vector > 31)))
        return -EINVAL;
    m->event = event;
    m->attention = (m->attention & ~ATTENTION_EVENT) | (event.valid ? ATTENTION_EVENT : 0);
    return 0;
}

bool xrw_machine_interruptible(const struct xrw_machine *m)
{
    return m->rflags & RFLAGS_IF && !(m->shadow & (XRW_BLOCKED_BY_STI | XRW_BLOCKED_BY_MOV_SS));
}

uint32_t xrw_machine_undefined_flags(const struct xrw_machine *m)
{
    return m->undefined;
}

uint64_t xrw_machine_count(const struct xrw_machine *m)
{
    return cpu_count(m) -
           (m->executing && m->insn ? (uint64_t)(m->charged - m->insn->position) : 0);
}

void xrw_machine_flush(struct xrw_machine *m)
{
    mmu_flush(m);
}
