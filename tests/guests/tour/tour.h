/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel that visits every kind of VM exit once, in a fixed order, and checks what comes of it.
 */
#ifndef XENREWIND_TOUR_H
#define XENREWIND_TOUR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../guest_status.h"
#include "layout.h"

#define UNTOUCHED __attribute__((section(".untouched"), aligned(4096)))

/* Exceptions by number. */
enum vector { DE = 0, DB = 1, NMI = 2, BP = 3, UD = 6, DF = 8, GP = 13, PF = 14, AC = 17 };

/* What the interrupted code ran with, as trap_common stores it. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

struct trap_log {
    uint64_t count[VECTORS]; /* how often each vector came */
    uint64_t error;          /* of the last one: error code, RIP, CR2, DR6 (of #DB) */
    uint64_t rip;
    uint64_t cr2;
    uint64_t dr6;
};

/* The guest's own account of itself; watch it. */
struct tour_result {
    uint64_t magic; /* TOUR_RUNNING, then TOUR_PASS or TOUR_FAIL */
    uint32_t visits;
    uint32_t failures;
    uint32_t first_failed_line;
    uint32_t interrupts; /* delivered: 0 in a fork that blocks them */
    uint64_t first_failed_visit;
    uint64_t checksum; /* over trail[] */
};

#define TOUR_RUNNING 0x474e494e4e5552ull /* "RUNNING" */
#define TOUR_PASS 0x5353415052554f54ull  /* "TOURPASS" */
#define TOUR_FAIL 0x4c49414652554f54ull  /* "TOURFAIL" */

extern struct tour_result tour_result;
extern volatile uint64_t progress; /* number of the visit that runs, from 1 */
extern volatile struct trap_log traps;
extern volatile uint64_t trap_resume; /* where a fault is to be left to; 0: a fault is a failure */
extern uint32_t task_switches;

/* What each visit saw. */
struct step {
    const char *name;
    uint64_t digest;
};

extern struct step trail[];

void tour_main(uint32_t start_info);
void check(bool ok, uint32_t line);
#define EXPECT(condition) check((condition), __LINE__)

/* Tell dom0 how far it is. */
void report(enum guest_status_code code);

/* Report failure and end. */
void give_up(uint32_t line);
void power_off(void);

/* No interrupt table: the fault, the double fault and the shutdown follow each other. */
void triple_fault(void);

/* Wait for input, and do what it says. */
void obey_input(void);

/* Tell dom0 that a fork may be taken, and return in the fork. */
void wait_for_fork(void);

/* In a fork: report how long a fixed piece of work takes, by three clocks, and end. */
void measure_clocks(void);

/* A number that is the same in every run, mixed into @p digest. */
uint64_t mix(uint64_t digest, uint64_t value);

void traps_init(void);
void on_trap(struct trap_frame *frame);

/* Each returns a digest of what it saw; what differs from run to run is not in it. */
uint64_t visit_cpuid(void);
uint64_t visit_rdtsc(void);
uint64_t visit_caches(void);
uint64_t visit_monitor_mwait(void);
uint64_t visit_pause(void);
uint64_t visit_vmx(void);
uint64_t visit_svm(void);
uint64_t visit_vmcall(void);
uint64_t visit_msrs(void);
uint64_t visit_cr0(void);
uint64_t visit_cr4(void);
uint64_t visit_xsetbv(void);
uint64_t visit_fpu(void);
uint64_t visit_drs(void);
uint64_t visit_silent(void);
uint64_t visit_ports(void);
uint64_t visit_string_ports(void);
uint64_t visit_ept_read(void);
uint64_t visit_ept_write(void);
uint64_t visit_ept_fetch(void);
uint64_t visit_mmio(void);
uint64_t visit_page_fault(void);
uint64_t visit_lapic(void);
uint64_t visit_debug_traps(void);
uint64_t visit_user_mode(void);
uint64_t visit_hlt(void);
uint64_t visit_interrupt_window(void);
uint64_t visit_tpr_threshold(void);
uint64_t visit_nmi_window(void);

/* LAPIC */
uint32_t lapic_read(uint32_t offset);
void lapic_write(uint32_t offset, uint32_t value);
#define LAPIC_TPR 0x80
#define LAPIC_EOI 0xb0
#define LAPIC_ICR 0x300
#define ICR_SELF (1u << 18)
#define ICR_NMI (4u << 8)

extern bool is_amd;          /* known after the first hypercall */
extern uint32_t xen_release; /* major number above bit 16, minor below; known after visit_vmcall */
uint64_t hypercall(uint64_t number, uint64_t arg1, uint64_t arg2, uint64_t arg3);
#define HYPERCALL_XEN_VERSION 17
#define HYPERCALL_CONSOLE_IO 18
#define HYPERCALL_VCPU_OP 24
#define HYPERCALL_SCHED_OP 29
#define HYPERCALL_HVM_OP 34

#endif
