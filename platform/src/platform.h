/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the platform's parts share. */
#ifndef XRW_PLATFORM_INTERNAL_H
#define XRW_PLATFORM_INTERNAL_H

#include "lapic.h"
#include "load.h"
#include "pic.h"
#include "pit.h"
#include "serial.h"

#include "xrw/platform.h"

#define RFLAGS_TF (UINT64_C(1) << 8)
#define RFLAGS_IF (UINT64_C(1) << 9)

/* VM-entry interruption information. */
#define EVENT_VALID (UINT32_C(1) << 31)
#define EVENT_EXTERNAL 0u
#define EVENT_NMI (2u << 8)
#define EVENT_EXCEPTION (3u << 8)
#define EVENT_PRIVILEGED (5u << 8) /* ICEBP */
#define EVENT_HAS_ERROR (1u << 11)

enum vector {
    VECTOR_DB = 1,
    VECTOR_NMI = 2,
    VECTOR_UD = 6,
    VECTOR_GP = 13,
    VECTOR_PF = 14,
    VECTOR_AC = 17
};

/* What was injected at the entry that began this gap. */
struct injection {
    uint32_t info, error;
    unsigned insn_len;
};

struct xrw_platform {
    struct xrw_machine *machine;
    struct xrw_machine_controls controls;
    struct xrw_machine_cpu cpu;
    bool xen;
    const struct xrw_platform_cpuid *cpuid;
    size_t cpuid_count;
    uint64_t xcr0;
    void (*console)(void *ctx, const char *text, size_t bytes);
    void *console_ctx;

    uint8_t *ram; /* as loaded: a page lives in the machine once it was used */
    uint64_t ram_bytes;
    uint8_t *ept; /* a byte a page: what the guest may do with it so far */

    struct lapic lapic;
    struct pic pic;
    struct pit pit;
    struct serial serial;
    uint8_t apic_page[XRW_PAGE_BYTES]; /* the virtual-APIC page: the TPR is in it */
    uint64_t mtrr_def_type;
    uint8_t port_61, cmos_index;

    uint64_t skipped_ns; /* time that passed while the guest was idle */
    uint64_t entries, entry_ns;
    bool inside;              /* the guest goes on where it was: no entry */
    struct injection next;    /* for the next entry: an exception that handling raised */
    struct injection current; /* of the last entry */
    bool nmi_pending;
    bool halted;
    bool dr_granted; /* the next MOV DR does not exit */
    bool ended;
    char end[64];
};

static inline uint64_t reg(const struct xrw_platform *p, enum xrw_register r)
{
    return xrw_machine_register(p->machine, r);
}

static inline void set_reg(struct xrw_platform *p, enum xrw_register r, uint64_t value)
{
    (void)xrw_machine_set_register(p->machine, r, value);
}

/* Handlers of exits return 0 or a negative errno with err set. */
typedef int exit_handler(struct xrw_platform *p, const struct xrw_exit *exit,
                         struct xrw_error *err);

/* Go on behind the exiting instruction. */
void skip_instruction(struct xrw_platform *p, const struct xrw_exit *exit);

/* Have the guest take an exception at the next entry. */
void raise_exception(struct xrw_platform *p, unsigned vector, bool has_error, uint32_t error);

void guest_ends(struct xrw_platform *p, const char *how);

void platform_print(struct xrw_platform *p, char byte);

/* entry.c: enter the guest; returns what the machine does. */
int platform_enter(struct xrw_platform *p);
/* A halted vCPU goes on when an interrupt comes; time passes at once.  False if none will. */
bool platform_wake(struct xrw_platform *p);
/* When the timer is due; UINT64_MAX: never. */
uint64_t platform_next_event_ns(const struct xrw_platform *p);

/* io.c, cr.c, msr.c, memory.c, hypercall.c, task.c */
exit_handler handle_io, handle_cr, handle_rdmsr, handle_wrmsr, handle_ept, handle_apic_access,
    handle_hypercall, handle_task_switch, handle_xsetbv;

/* msr.c */
int platform_rdmsr(struct xrw_platform *p, uint32_t msr, uint64_t *value);
int platform_wrmsr(struct xrw_platform *p, uint32_t msr, uint64_t value);

/* cr.c: as MOV to the register would; -EINVAL where that is a #GP. */
int set_cr0(struct xrw_platform *p, uint64_t value);
int set_efer(struct xrw_platform *p, uint64_t value);

/* memory.c: linear memory as the handling of an exit reads and writes it.  -EFAULT if the guest has
 * nothing there. */
int read_linear(struct xrw_platform *p, xrw_gva gva, void *buf, size_t bytes);
int write_linear(struct xrw_platform *p, xrw_gva gva, const void *buf, size_t bytes);
/* What the hypervisor itself touches is there for the guest as well, with no exit.  -EFAULT: no
 * RAM. */
int touch_page(struct xrw_platform *p, xrw_gpa gpa, bool write);
int platform_page(void *ctx, xrw_gfn gfn, uint8_t *content, unsigned *ept);

/* hypercall.c: fill the page that an MSR names. */
#define XEN_HYPERCALL_MSR 0x40000000u
int write_hypercall_page(struct xrw_platform *p, uint64_t value);

/* cpuid.c */
void platform_cpuid(void *ctx, uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
void platform_cpu(struct xrw_platform *p);

#endif
