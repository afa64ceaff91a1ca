/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptor tables for 64-bit mode, and what is done about each exception and interrupt. */
#include "insn.h"
#include "tour.h"

#define STUB_BYTES 16
#define STACK_BYTES 4096
#define GATE_INTERRUPT 0x8e
#define GATE_USER 0xee
#define LAZY_ADDRESS (HIGH + 0x400000)
#define RFLAGS_FIXED 2
#define RFLAGS_TF (1u << 8)
#define RFLAGS_RF (1u << 16)
#define DR6_BS (1u << 14)
#define DR6_CLEAR 0xffff0ff0u

/* A stack of its own, by number in the interrupt stack table. */
enum { IST_NONE, IST_DB, IST_NMI, IST_DF, IST_COUNT };

struct gate {
    uint16_t offset_low, selector;
    uint8_t ist, type;
    uint16_t offset_middle;
    uint32_t offset_high, reserved;
};

struct task_state {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3, io_bitmap;
} __attribute__((packed));

extern const uint8_t trap_stubs[], leave_user[];
extern uint8_t gdt[];
extern volatile uint64_t lazy_table[];

volatile struct trap_log traps;
volatile uint64_t trap_resume;

static struct gate idt[VECTORS];
static struct task_state task_state;
static uint8_t stacks[IST_COUNT][STACK_BYTES] __attribute__((aligned(16)));
static uint8_t lazy_page[4096] UNTOUCHED;

static void set_gate(unsigned vector, uint8_t type, uint8_t ist)
{
    uint64_t offset = (uint64_t)trap_stubs + vector * STUB_BYTES;

    idt[vector] = (struct gate){
        .offset_low = (uint16_t)offset,
        .selector = KERNEL_CS,
        .ist = ist,
        .type = type,
        .offset_middle = (uint16_t)(offset >> 16),
        .offset_high = (uint32_t)(offset >> 32),
    };
}

static void set_task_state_base(uint64_t base)
{
    uint8_t *entry = gdt + TASK_STATE;

    for (unsigned i = 0; i < 3; i++)
        entry[2 + i] = (uint8_t)(base >> 8 * i);
    entry[7] = (uint8_t)(base >> 24);
    *(uint32_t *)(entry + 8) = (uint32_t)(base >> 32);
}

void traps_init(void)
{
    const struct table_register gdt_register = {GDT_BYTES - 1, HIGH + (uint64_t)gdt};
    const struct table_register idt_register = {sizeof idt - 1, (uint64_t)idt};

    for (unsigned i = 0; i < VECTORS; i++)
        set_gate(i, GATE_INTERRUPT, IST_NONE);
    set_gate(DB, GATE_INTERRUPT, IST_DB);
    set_gate(NMI, GATE_INTERRUPT, IST_NMI);
    set_gate(DF, GATE_INTERRUPT, IST_DF);
    set_gate(VECTOR_LEAVE_USER, GATE_USER, IST_NONE);
    task_state.rsp[0] = (uint64_t)stacks[IST_NONE + 1];
    for (unsigned i = IST_DB; i < IST_COUNT; i++)
        task_state.ist[i - 1] = (uint64_t)(stacks[i] + STACK_BYTES);
    task_state.io_bitmap = sizeof task_state;
    set_task_state_base((uint64_t)&task_state);
    __asm__ volatile("lgdt %0" ::"m"(gdt_register));
    lidt(&idt_register);
    __asm__ volatile("ltr %w0" ::"r"(TASK_STATE));
}

static void on_debug(struct trap_frame *frame)
{
    traps.dr6 = READ_REGISTER("dr6");
    WRITE_REGISTER("dr6", DR6_CLEAR);
    if (traps.dr6 & DR6_BS)
        frame->rflags &= ~(uint64_t)RFLAGS_TF;
    frame->rflags |= RFLAGS_RF; /* an instruction breakpoint does not come again at once */
}

/* The second one comes while this one is being handled, so it has to wait for the IRET. */
static void on_nmi(void)
{
    if (traps.count[NMI] == 1)
        lapic_write(LAPIC_ICR, ICR_SELF | ICR_NMI);
}

static bool on_page_fault(void)
{
    if (traps.cr2 != LAZY_ADDRESS)
        return false;
    lazy_table[0] = ((uint64_t)lazy_page - HIGH) | PAGE_TABLE;
    return true;
}

static void on_interrupt(uint64_t vector)
{
    tour_result.interrupts++;
    if (vector != NMI)
        lapic_write(LAPIC_EOI, 0);
}

/* What a fault that nobody expected leads to: the guest says so and ends. */
static void on_fault(struct trap_frame *frame)
{
    if (!trap_resume)
        give_up(__LINE__);
    frame->rip = trap_resume;
}

void on_trap(struct trap_frame *frame)
{
    traps.count[frame->vector]++;
    traps.error = frame->error;
    traps.rip = frame->rip;
    switch (frame->vector) {
    case DB:
        on_debug(frame);
        break;
    case NMI:
        on_interrupt(NMI);
        on_nmi();
        break;
    case BP:
        break;
    case PF: /* elsewhere it is anything: Bochs does not load it at VMRUN */
        traps.cr2 = READ_REGISTER("cr2");
        if (!on_page_fault())
            on_fault(frame);
        break;
    case VECTOR_LEAVE_USER:
        frame->rip = (uint64_t)leave_user;
        frame->cs = KERNEL_CS;
        frame->rflags = RFLAGS_FIXED;
        frame->ss = KERNEL_DS;
        frame->rsp = task_state.rsp[0];
        break;
    default:
        if (frame->vector >= VECTOR_HLT)
            on_interrupt(frame->vector);
        else
            on_fault(frame);
    }
}
