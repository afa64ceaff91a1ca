/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An x86-64 machine of one vCPU that runs guest code in process and stops where a VM would exit.
 *
 * The caller is the hypervisor: it supplies guest-physical memory page by page, says which
 * instructions and accesses exit, handles the exits, and runs on.  Nothing is emulated beyond the
 * CPU: no devices, no interrupt controller.  Between two calls of xrw_machine_run() the machine
 * stands between two instructions (or, after an exit, as VMX leaves a guest at that exit).
 *
 * A machine belongs to one thread at a time; different machines are independent.  Whatever a guest
 * does is an outcome of xrw_machine_run(), never a crash.
 * Source for all behaviour: Intel SDM, volumes 2 and 3; exits: "VMX Non-Root Operation", "VM
 * Exits".
 */
#ifndef XRW_MACHINE_H
#define XRW_MACHINE_H

#include "xrw/error.h"
#include "xrw/exit.h"
#include "xrw/registers.h"
#include "xrw/types.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct xrw_machine;

/* Second-level (EPT) permissions of a guest page. */
#define XRW_EPT_READ 1u
#define XRW_EPT_WRITE 2u
#define XRW_EPT_EXECUTE 4u
#define XRW_EPT_ALL 7u

/*
 * Supply the page gfn, on its first use: store its 4096 bytes in content and its permissions in
 * *ept.  Returns
 *   0         the page is there (with *ept = 0: an access exits as an EPT violation),
 *   -ENODATA  what the page holds is not known: the run stops with XRW_STOP_NO_PAGE,
 *   other negative errno: the run stops with XRW_STOP_NO_PAGE and that code.
 * After an answer of *ept = 0 and after a failure the machine asks again at the next access.
 */
typedef int (*xrw_machine_page)(void *ctx, xrw_gfn gfn, uint8_t *content, unsigned *ept);

/* Which CPU the machine imitates where the architecture leaves it open, or the CPU differs. */
enum xrw_machine_profile {
    /* Undefined flags: as the CPU it runs on.  All else as the manual says. */
    XRW_PROFILE_HOST,
    /*
     * Bochs 2.7.  Undefined AF is 0; MUL and IMUL set SF, ZF and PF from the low half.  Exits by
     * EPT violation, APIC access and exception leave RFLAGS.RF as it is (but for those during the
     * delivery of a fault); a read-modify-write is called a write; accessed and dirty bits are set
     * without asking EPT permissions.
     */
    XRW_PROFILE_BOCHS,
};

/*
 * The CPU that the guest sees, and what the caller answers in its place.  A callback may be NULL:
 * then the run stops with XRW_STOP_UNHANDLED where it would be needed.  None is called for an
 * instruction that exits.
 */
struct xrw_machine_cpu {
    unsigned physical_bits; /* MAXPHYADDR: 32 to 52 */
    bool pages_1g;          /* 1 GiB pages */
    uint64_t cr4_valid;     /* bits of CR4 that the guest may set; others raise #GP */
    uint64_t efer_valid;    /* likewise */
    uint64_t xcr0_valid;    /* likewise, XCR0 */
    uint64_t xss_valid;     /* likewise, IA32_XSS */
    uint32_t mxcsr_mask;    /* of FXSAVE: 0xffff or 0x2ffff */
    bool amd;               /* AMD's behaviour where the vendors differ, instead of Intel's */
    bool save_fpu_segments; /* FXSAVE stores the FPU's CS and DS (CPUID.7.EBX[13] = 0) */
    enum xrw_machine_profile profile;

    void *ctx;
    /* CPUID: out is EAX, EBX, ECX, EDX. */
    void (*cpuid)(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
    /* An MSR that is no register of the machine.  Return 0, or any negative errno for #GP. */
    int (*rdmsr)(void *ctx, uint32_t msr, uint64_t *value);
    int (*wrmsr)(void *ctx, uint32_t msr, uint64_t value);
    /* The guest's TSC when that many instructions were run (xrw_machine_count()). */
    uint64_t (*tsc)(void *ctx, uint64_t count);
    /* RDRAND and RDSEED.  Return 0, or a negative errno for "none available" (CF = 0). */
    int (*random)(void *ctx, bool seed, uint64_t *value);
};

/* What exits beside the instructions and events that always do. */
#define XRW_EXITS_HLT (1u << 0)
#define XRW_EXITS_RDTSC (1u << 1) /* RDTSC and RDTSCP */
#define XRW_EXITS_RDPMC (1u << 2)
#define XRW_EXITS_RDRAND (1u << 3)
#define XRW_EXITS_RDSEED (1u << 4)
#define XRW_EXITS_INVLPG (1u << 5) /* INVLPG and INVPCID */
#define XRW_EXITS_MWAIT (1u << 6)
#define XRW_EXITS_MONITOR (1u << 7)
#define XRW_EXITS_PAUSE (1u << 8)
#define XRW_EXITS_WBINVD (1u << 9)
#define XRW_EXITS_MOV_DR (1u << 10)
#define XRW_EXITS_CR3_LOAD (1u << 11)
#define XRW_EXITS_CR3_STORE (1u << 12)
#define XRW_EXITS_CR8_LOAD (1u << 13)
#define XRW_EXITS_CR8_STORE (1u << 14)
#define XRW_EXITS_DESCRIPTOR_TABLES (1u << 15)
#define XRW_EXITS_INTERRUPT_WINDOW (1u << 16) /* before an instruction with IF = 1, unblocked */
#define XRW_EXITS_NMI_WINDOW (1u << 17)       /* before an instruction with NMIs unblocked */
#define XRW_EXITS_PAUSE_LOOP (1u << 18)       /* PAUSE in a loop at CPL 0: ple_gap, ple_window */
#define XRW_EXITS_CPUID (1u << 19)            /* not set: struct xrw_machine_cpu answers */
#define XRW_EXITS_VMX (1u << 20)           /* VMCALL and VMX instructions; not set: VMCALL is #UD */
#define XRW_EXITS_XSETBV (1u << 21)        /* not set: the machine sets XCR0 */
#define XRW_EXITS_INVD (1u << 22)          /* not set: ignored */
#define XRW_EXITS_TRIPLE_FAULT (1u << 23)  /* not set: XRW_STOP_SHUTDOWN */
#define XRW_EXITS_TASK_SWITCH (1u << 24)   /* not set: XRW_STOP_UNHANDLED */
#define XRW_EXITS_TPR_THRESHOLD (1u << 25) /* the TPR's bits 7:4 fall below tpr_threshold */

/* The APIC's page, as "APIC virtualization" means it. */
enum xrw_machine_apic {
    XRW_APIC_NONE,      /* memory as any other */
    XRW_APIC_ACCESS,    /* accesses exit, but for the TPR's */
    XRW_APIC_REGISTERS, /* as "APIC-register virtualization": reads of most registers do not exit,
                           writes are stored and exit after the instruction */
};

struct xrw_machine_controls {
    uint32_t exits;            /* XRW_EXITS_* */
    uint32_t exception_bitmap; /* vectors that exit */
    uint32_t pf_error_mask;  /* with bit 14 of the bitmap: #PF exits if (error & mask) == match; */
    uint32_t pf_error_match; /* with that bit clear: if it is not */
    /* Changing one of these bits exits.  The machine's registers hold what the guest reads, which
     * is VMX with a read shadow equal to the real register. */
    uint64_t cr0_mask;
    uint64_t cr4_mask;
    uint64_t cr4_mask_unpaged; /* in place of cr4_mask while CR0.PG = 0 */
    const uint8_t *io_bitmap;  /* 8192 bytes, as the VMCS's A and B; NULL: every port exits */
    const uint8_t *msr_bitmap; /* 4096 bytes, as the VMCS's; NULL: every MSR exits */
    bool io_none, msr_none;    /* no port, no MSR exits; the bitmap is not looked at.  IN and OUT
                                  stop with XRW_STOP_UNHANDLED then */
    enum xrw_machine_apic apic;
    xrw_gfn apic_gfn;      /* where the APIC's page lies, e.g. 0xfee00 */
    uint8_t *apic_page;    /* 4096 bytes, the virtual-APIC page; the TPR is at offset 0x80.  NULL:
                              CR8 is a register of the machine */
    uint8_t tpr_threshold; /* 0 to 15 */
    uint64_t ple_gap, ple_window; /* in TSC ticks, as the VMCS's */
};

/*
 * The controls that Xen 4.17 runs an HVM or PVH guest with, on hardware with EPT and unrestricted
 * guests, eager FPU, no APIC virtualization beyond the TPR; apic_page stays NULL.  The bitmaps
 * point to static storage.  cr4_valid: as in struct xrw_machine_cpu.  emulate_tsc: the domain runs
 * with an emulated TSC, so that RDTSC exits.
 * Source: Xen 4.17, xen/arch/x86/hvm/vmx/vmcs.c and vmx.c; hvm.c for the ports.
 */
void xrw_machine_controls_xen(struct xrw_machine_controls *controls, uint64_t cr4_valid,
                              bool emulate_tsc);

/* A CPU with all that this machine can do on this host, of Intel's behaviour, without callbacks. */
void xrw_machine_cpu_host(struct xrw_machine_cpu *cpu);

struct xrw_machine_config {
    void *page_ctx;
    xrw_machine_page page;
    struct xrw_machine_cpu cpu;
    struct xrw_machine_controls controls;
};

/*
 * Create a machine; its state is that of a CPU after reset, without a pending event.  config is
 * copied (not what it points to).  *out is the caller's, to be destroyed.
 * Returns 0; -EINVAL if config cannot be; -ENOTSUP if the host's CPU or kernel forbids the engine;
 * -ENOMEM.
 */
int xrw_machine_create(const struct xrw_machine_config *config, struct xrw_machine **out,
                       struct xrw_error *err);
void xrw_machine_destroy(struct xrw_machine *machine);

/* Replace the controls, between runs. */
int xrw_machine_set_controls(struct xrw_machine *machine,
                             const struct xrw_machine_controls *controls);

/*
 * Whether runs may be accelerated by translating blocks of 64-bit code (they may, at first): all
 * results are the same, but for xrw_machine_undefined_flags(), which then looks back no further
 * than the last block.  Runs with addresses or a predicate, and imitated profiles, never are.
 */
void xrw_machine_set_translator(struct xrw_machine *machine, bool on);

/* ---- State ---- */

/* Interruptibility, as the VMCS field of that name. */
#define XRW_BLOCKED_BY_STI 1u
#define XRW_BLOCKED_BY_MOV_SS 2u
#define XRW_BLOCKED_BY_NMI 8u

/* The area of XSAVE in its standard form, with PKRU at its end.
 * Source: Intel SDM, "XSAVE-Supported Features and State-Component Bitmaps". */
#define XRW_XSAVE_BYTES 2696u

/* All of the vCPU.  What memory management caches (TLB, paging structures) is no part of it. */
struct xrw_machine_state {
    struct xrw_registers regs;
    uint32_t interruptibility; /* XRW_BLOCKED_BY_* */
    uint64_t pending_debug;    /* debug exceptions pending, as the VMCS field */
    uint64_t xcr0;
    uint64_t xss;
    uint64_t cr8; /* if the controls have no apic_page */
    uint64_t pat;
    uint64_t pdpte[4];              /* PAE paging without long mode: the CPU's copies */
    uint8_t xsave[XRW_XSAVE_BYTES]; /* components whose bit in XSTATE_BV is 0 are initial */
    bool halted;                    /* waits for an event, after a HLT that did not exit */
};

/*
 * Load the whole state.  Every register of state->regs must be known.  Forgets cached
 * translations, the pending event, and the undo log.  The count of instructions goes on.
 * Returns 0; -ENODATA and the register's name in err if one is not known; -EINVAL if no CPU can be
 * in that state (then nothing is loaded).
 */
int xrw_machine_load(struct xrw_machine *machine, const struct xrw_machine_state *state,
                     struct xrw_error *err);

/* Store the whole state. */
void xrw_machine_store(const struct xrw_machine *machine, struct xrw_machine_state *state);

/* The registers alone: cheaper than xrw_machine_store(); all become known. */
void xrw_machine_registers(const struct xrw_machine *machine, struct xrw_registers *regs);

/* One register.  Setting is for handling an exit: RIP and GPRs, segments, control registers as the
 * VMCS fields (no checks, no exits).  Returns 0; -EINVAL if no CPU can hold that value. */
uint64_t xrw_machine_register(const struct xrw_machine *machine, enum xrw_register reg);
int xrw_machine_set_register(struct xrw_machine *machine, enum xrw_register reg, uint64_t value);

/* XCR0, for handling XSETBV.  Returns 0; -EINVAL. */
int xrw_machine_set_xcr0(struct xrw_machine *machine, uint64_t value);

/*
 * Go on behind an exiting instruction of that length, as a hypervisor does after emulating it: RIP
 * advances, blocking by STI and MOV SS ends, a single step (TF) becomes a pending #DB.
 */
void xrw_machine_skip(struct xrw_machine *machine, unsigned bytes);

/* Wake a halted vCPU, or set its interruptibility. */
void xrw_machine_set_halted(struct xrw_machine *machine, bool halted);
void xrw_machine_set_interruptibility(struct xrw_machine *machine, uint32_t interruptibility);

/*
 * Inject an event at the next entry, in the VMCS's encoding of VM-entry interruption information
 * (bit 31 set: valid).  insn_len counts for software interrupts and exceptions alone.
 * Returns 0; -EINVAL if VMX would refuse it.  A valid bit of 0 takes an injection back.
 */
int xrw_machine_inject(struct xrw_machine *machine, uint32_t intr_info, uint32_t error_code,
                       unsigned insn_len);

/* Whether an external interrupt could be delivered now: IF set, nothing blocks it. */
bool xrw_machine_interruptible(const struct xrw_machine *machine);

/*
 * Status flags (bits of RFLAGS) that the architecture leaves undefined at this place; they hold
 * what profile and host make of them.
 */
uint32_t xrw_machine_undefined_flags(const struct xrw_machine *machine);

/* Instructions finished since the machine was created.  One that faults, exits before it is done,
 * or is a REP instruction interrupted in between does not count; REP counts once. */
uint64_t xrw_machine_count(const struct xrw_machine *machine);

/* ---- Running ---- */

/* A range of guest-physical memory, both ends inclusive. */
struct xrw_machine_range {
    xrw_gpa first, last;
};

/* When to stop.  All zero but instructions = UINT64_MAX: at the next exit. */
struct xrw_machine_until {
    uint64_t instructions; /* finish at most that many */
    /* Before an instruction at one of these addresses; not before the run's first one. */
    const xrw_gva *addresses;
    size_t address_count;
    /* After an instruction that wrote to one of these (also page-table bits and event frames). */
    const struct xrw_machine_range *writes;
    size_t write_count;
    /* Before each instruction but the run's first one, if it says true; slow.  It may look at the
     * machine, not change it. */
    bool (*predicate)(void *ctx, const struct xrw_machine *machine);
    void *predicate_ctx;
    /* Looked at now and then: nonzero stops with XRW_STOP_INTERRUPTED.  May be NULL; may be set
     * by another thread or a signal handler. */
    const volatile int *interrupted;
};

enum xrw_machine_stop {
    XRW_STOP_COUNT,       /* so many instructions are done */
    XRW_STOP_ADDRESS,     /* at one of the addresses */
    XRW_STOP_WRITE,       /* behind an instruction that wrote there: write_gpa */
    XRW_STOP_PREDICATE,   /* it said true */
    XRW_STOP_EXIT,        /* a VM exit: exit */
    XRW_STOP_HALTED,      /* HLT without exit: waits for an event */
    XRW_STOP_SHUTDOWN,    /* a triple fault without exit */
    XRW_STOP_NO_PAGE,     /* the caller does not know the page gfn: error */
    XRW_STOP_UNHANDLED,   /* the machine does not do what the instruction at RIP asks: text */
    XRW_STOP_INTERRUPTED, /* *interrupted became nonzero */
    XRW_STOP_STUCK,       /* exceptions or one REP go on for ever, no instruction is finished */
    XRW_STOP_ERROR,       /* no memory or the like: error */
};

struct xrw_machine_result {
    enum xrw_machine_stop stop;
    uint64_t instructions; /* finished in this run */
    struct xrw_exit exit;  /* XRW_STOP_EXIT: the fields that its reason defines, and before */
    xrw_gpa write_gpa;     /* XRW_STOP_WRITE: first byte written, of those watched */
    xrw_gfn gfn;           /* XRW_STOP_NO_PAGE */
    int error;             /* XRW_STOP_NO_PAGE, XRW_STOP_ERROR: a negative errno */
    struct xrw_error text; /* XRW_STOP_UNHANDLED, XRW_STOP_ERROR: what, for a person */
};

/*
 * Run.  A pending injection is delivered first.  In the exit `before` is the state that VMX saves,
 * with the instruction not done for exits before it, done for those after it (APIC_WRITE,
 * TPR_BELOW_THRESHOLD, #DB traps).  Returns 0 with *result filled in; -EINVAL for a bad `until`.
 */
int xrw_machine_run(struct xrw_machine *machine, const struct xrw_machine_until *until,
                    struct xrw_machine_result *result);

/* ---- Memory ---- */

/*
 * Guest-physical memory, for the hypervisor: no permissions, no exits; asks the page callback for
 * pages not used before.  A write drops code cached from there, and counts as dirty.  Ranges may
 * cross pages.  Returns 0; -ENODATA or what the callback returned (then a part may have been
 * copied); -EFAULT at a page with no permissions at all.
 */
int xrw_machine_read(struct xrw_machine *machine, xrw_gpa gpa, void *buf, size_t bytes);
int xrw_machine_write(struct xrw_machine *machine, xrw_gpa gpa, const void *buf, size_t bytes);

/*
 * Linear memory, through the guest's page tables as they are, without setting any of their bits and
 * without permission checks.  Returns also -EFAULT for an address that is not mapped.
 */
int xrw_machine_read_linear(struct xrw_machine *machine, xrw_gva gva, void *buf, size_t bytes);

/* Where a linear address lies: 0 with *gpa; -EFAULT; what reading a page table returned. */
int xrw_machine_translate(struct xrw_machine *machine, xrw_gva gva, xrw_gpa *gpa);

/* Set a page's permissions and, if content is not NULL, its 4096 bytes.  ept = 0 with content NULL
 * forgets the page: the callback is asked again.  The page does not become dirty.  Returns 0 or
 * -ENOMEM. */
int xrw_machine_set_page(struct xrw_machine *machine, xrw_gfn gfn, const uint8_t *content,
                         unsigned ept);

/* The page's 4096 bytes as they are, until the machine runs or is written to; NULL if it was
 * never used. */
const uint8_t *xrw_machine_page_content(const struct xrw_machine *machine, xrw_gfn gfn);

/*
 * Pages written to since their dirty mark was cleared, in increasing order.  Call with *gfn = 0
 * at first, then with the last one plus 1.  Returns 1 with *gfn, or 0 at the end.
 */
int xrw_machine_next_dirty(const struct xrw_machine *machine, xrw_gfn *gfn);
void xrw_machine_clear_dirty(struct xrw_machine *machine);

/* Forget cached translations, as a hypervisor's INVEPT and INVVPID do. */
void xrw_machine_flush(struct xrw_machine *machine);

/* ---- Back in time ---- */

struct xrw_snapshot;

/*
 * Take the whole machine, memory included, without copying it: pages are copied when one side
 * writes to them.  A snapshot belongs to its machine and is to be destroyed before it; any number
 * may be held, and gone to in any order.  Returns 0 or -ENOMEM.
 */
int xrw_machine_snapshot(struct xrw_machine *machine, struct xrw_snapshot **out);
/* Make the machine what it was.  The snapshot stays. Returns 0 or -ENOMEM. */
int xrw_machine_restore(struct xrw_machine *machine, const struct xrw_snapshot *snapshot);
void xrw_snapshot_destroy(struct xrw_snapshot *snapshot);
uint64_t xrw_snapshot_count(const struct xrw_snapshot *snapshot); /* instructions then */

/*
 * From here on keep what is overwritten, so that xrw_machine_undo() can go back.  Uses about
 * max_bytes at most: beyond that the oldest past is forgotten.  0 stops logging and forgets.
 * Returns 0 or -ENOMEM.
 */
int xrw_machine_log(struct xrw_machine *machine, size_t max_bytes);
/* The least count that can be gone back to; UINT64_MAX if no log is kept. */
uint64_t xrw_machine_log_begin(const struct xrw_machine *machine);
/*
 * Go back to when count instructions were done.  Handling by the caller in between (registers set,
 * memory written, events injected) is undone, but not redone: going back into the middle of a
 * stretch that began with such handling is exact.  Returns 0; -ENOENT if the log does not reach
 * there (nothing changed); -EINVAL if count lies in the future.
 */
int xrw_machine_undo(struct xrw_machine *machine, uint64_t count, struct xrw_error *err);

#ifdef __cplusplus
}
#endif
#endif
