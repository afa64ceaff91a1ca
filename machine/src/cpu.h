/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine from within: the vCPU's state, and how its parts find each other. */
#ifndef XRW_MACHINE_CPU_H
#define XRW_MACHINE_CPU_H

#include "bits.h"
#include "native.h"
#include "xrw/machine.h"
#include "xrw/vmx.h"

#include <setjmp.h>

#if defined(__GNUC__)
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)
#define NOINLINE __attribute__((__noinline__))
#define NORETURN __attribute__((__noreturn__))
#else
#define LIKELY(x) (x)
#define UNLIKELY(x) (x)
#define NOINLINE
#define NORETURN
#endif

/* Segment registers in encoding order. */
enum segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_COUNT };

struct segment_register {
    uint16_t selector;
    uint16_t attr; /* as core/ packs it; not present: unusable */
    uint32_t limit;
    uint64_t base;
};

struct table_register {
    uint64_t base;
    uint16_t limit;
};

enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R11 = 11 };

/* ---- Translations ---- */

#define TLB_BITS 10
#define TLB_ENTRIES (1u << TLB_BITS)

/* Which translations hold: for the kernel, the kernel with AC (SMAP lifted), the user; one that is
 * never filled, for when every access has to be looked at. */
enum tlb_kind {
    TLB_KERNEL,
    TLB_KERNEL_AC,
    TLB_USER,
    TLB_FILLED,
    TLB_NEVER = TLB_FILLED,
    TLB_KINDS
};

struct frame;

/* A page's linear address where the access needs no more checks, else one that this entry never
 * serves.  host: linear address + host = pointer.  The same negated, for the translator: struct
 * translate_tlb. */
struct tlb_entry {
    uint64_t read, write, execute;
    uint64_t host;
    struct frame *frame;
    uint64_t gfn;
    uint64_t negative_read, negative_write;
};

struct tlb {
    struct tlb_entry entry[TLB_ENTRIES];
    bool is_filled[TLB_ENTRIES];  /* since the last flush */
    uint16_t filled[TLB_ENTRIES]; /* those */
    unsigned filled_count;
};

/* ---- Decoded code ---- */

struct insn;
struct block;
typedef void insn_op(struct xrw_machine *m, const struct insn *insn);

struct insn_raw;

/* One decoded instruction, 64 bytes.  base, index, dst and src are offsets into the machine. */
struct insn {
    insn_op *op;
    union {
        const struct native_thunk *thunk;
        uint64_t imm;
        uint64_t target;
    };
    const struct insn_raw *raw; /* if the operation wants it */
    uint64_t rip;
    int64_t disp;
    uint16_t base, index;
    uint16_t segment_base;
    uint16_t dst, src;  /* registers */
    uint16_t flags_out; /* status flags that it writes, and of these the undefined ones */
    uint16_t flags_undefined;
    uint8_t scale;   /* shift of the index */
    uint8_t segment; /* enum segment, of the memory operand */
    uint8_t bytes;   /* of the memory operand, or of what is accessed */
    uint8_t length;
    uint8_t size;    /* operand size in bytes */
    uint8_t address; /* address size in bytes */
    uint8_t modrm_reg;
    uint8_t traits;   /* INSN_* */
    uint8_t detail;   /* condition code, or what the operation wants */
    uint8_t position; /* in its block, from 0 */
};

#define INSN_MEMORY (1u << 0) /* has a memory operand */
#define INSN_LEGACY (1u << 1) /* not in 64-bit mode, or a 32-bit address: masks and limits */
#define INSN_REP (1u << 2)
#define INSN_REPNE (1u << 3)
#define INSN_WRITES (1u << 4) /* the memory operand */
#define INSN_READS (1u << 5)
#define INSN_ENDS (1u << 6) /* ends its block */

/* What rare instructions need beside: everything. */
struct insn_raw {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operand[ZYDIS_MAX_OPERAND_COUNT];
};

#define BLOCK_INSNS 32u

struct block {
    uint64_t rip, linear;
    uint32_t mode;
    uint16_t count; /* of instructions */
    uint16_t slots; /* of insn: twice that with hooks between them */
    uint16_t bytes;
    bool valid;
    struct frame *frame[2]; /* code lies in; [1] for one that crosses a page */
    struct block *next_in_frame[2];
    struct block *next_in_hash;
    struct block *link[2]; /* where its direct jump and its fall-through lead */
    struct insn insn[];    /* slots, and one more that leaves the block */
};

/* ---- Memory ---- */

/* 4096 bytes of guest memory; shared by snapshots. */
struct frame {
    uint8_t *data;
    uint32_t references;
    uint64_t code_lines; /* bit n: 64-byte line n holds decoded code */
    struct block *blocks;
    struct translate *translate; /* has code of this frame; NULL: none has */
    uint64_t logged;             /* the stretch of the undo log in which it was kept */
    struct frames *pool;
    struct frame *next_free;
};

/* ---- Events ---- */

/* As the VMCS encodes the type of an interruption. */
enum event_type {
    EVENT_EXTERNAL = 0,
    EVENT_NMI = 2,
    EVENT_HARDWARE = 3, /* exception */
    EVENT_SOFT_INT = 4,
    EVENT_ICEBP = 5,    /* INT1 */
    EVENT_SOFT_EXC = 6, /* INT3, INTO */
    EVENT_OTHER = 7,
};

struct event {
    bool valid;
    bool injected; /* at the entry: RFLAGS.RF is pushed as it is */
    uint8_t type;
    uint8_t vector;
    bool has_error;
    uint32_t error;
    uint8_t insn_len;
    uint64_t address; /* #PF: for CR2; #DB: for DR6, as the exit qualification has it */
};

/* Why the interpreter was left by longjmp. */
enum leave { LEAVE_NOT, LEAVE_EVENT, LEAVE_STOP };

#define WATCH_MAX 16u

/* What has to be looked at between two instructions. */
#define ATTENTION_EVENT (1u << 0)  /* m->event is to be delivered */
#define ATTENTION_DEBUG (1u << 1)  /* m->pending_debug */
#define ATTENTION_TRAP (1u << 2)   /* RFLAGS.TF or RF */
#define ATTENTION_SHADOW (1u << 3) /* blocking by STI or MOV SS */
#define ATTENTION_WINDOW (1u << 4) /* interrupt or NMI window exits asked for */
#define ATTENTION_BREAK (1u << 5)  /* instruction breakpoints in DR7 */
#define ATTENTION_EACH (1u << 6)   /* a predicate */
#define ATTENTION_STOP (1u << 7)   /* stop behind this instruction */
#define ATTENTION_HALTED (1u << 8)

struct code_cache;
struct translate;
struct physical;
struct undo_log;

struct xrw_machine {
    struct native_state n; /* first: what thunks work on */
    uint64_t zero;         /* a register that is not there */

    uint64_t rip;
    uint64_t rflags; /* all but the status flags, which live in n */
    struct segment_register seg[SEG_COUNT], ldtr, tr;
    struct table_register gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4, cr8, efer, xcr0, xss, pat;
    uint32_t pkru;
    uint64_t dr[4], dr6, dr7;
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base, tsc_aux;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pdpte[4];
    uint64_t xinuse;    /* components not in their initial state, as XRSTOR left them */
    uint32_t undefined; /* status flags undefined now */
    uint32_t shadow;    /* XRW_BLOCKED_BY_* */
    uint64_t pending_debug;
    bool halted;
    bool undefined_stored; /* an undefined flag went to memory since the run began */
    uint8_t cpl;

    /* Derived from the above: cpu_update(). */
    uint32_t mode;      /* MODE_* */
    struct tlb *tlb;    /* for what runs now */
    uint32_t attention; /* ATTENTION_* */
    uint64_t stack_mask;

    /* Running. */
    const struct insn *insn; /* the one that runs, if it can fault */
    struct block *block;
    int64_t left;   /* instructions of this slice not begun */
    uint64_t count; /* finished, all but those of this slice */
    uint64_t slice;
    bool may_chain;
    bool translates;          /* the translator may run until the slice's end */
    uint16_t charged;         /* instructions taken off left for what runs now */
    bool executing;           /* insn is what runs */
    bool checks, each;        /* addresses, a predicate of the caller's are to be looked at */
    bool shadow_new;          /* the instruction that runs has set shadow */
    struct insn single[2];    /* one instruction outside its block */
    uint64_t want_rip;        /* where want_link leads */
    struct block **want_link; /* to be set to the next block found */
    uint32_t apic_offset;
    bool apic_written;
    bool after_valid; /* an exit behind this instruction */
    unsigned after_reason;
    uint64_t after_qualification;
    uint32_t bounced; /* bytes in bounce to be written back */
    uint64_t bounce_linear;
    uint8_t *bounce_host[2];
    uint64_t bounce_gpa[2];
    uint8_t lanes[64]; /* a copy of an operand of which lanes are masked off */
    uint8_t *lanes_host;
    unsigned lanes_first, lanes_bytes;
    struct event event;      /* to deliver */
    struct event delivering; /* being delivered */
    jmp_buf *leave;
    struct xrw_machine_result *result;
    uint64_t watch_hit;
    bool watch_hit_valid;
    const struct xrw_machine_until *until;
    bool (*predicate)(void *ctx, const struct xrw_machine *machine);
    void *predicate_ctx;
    uint64_t ple_first, ple_last;
    uint64_t start_count, start_rip; /* of this run */
    uint64_t last;                   /* count to stop at */
    uint64_t stall_count;            /* count when it last stalled */
    unsigned stalls;                 /* since an instruction was finished */

    void *page_ctx;
    xrw_machine_page page;
    struct xrw_machine_cpu cpu;
    struct xrw_machine_controls controls;
    struct native_cache *native;
    struct code_cache *code;
    struct translate *translate; /* NULL: the host cannot */
    bool no_translator;          /* the caller wants none */
    struct physical *physical;
    struct undo_log *log; /* NULL: none kept */
    uint64_t log_stretch;
    struct tlb tlbs[TLB_KINDS];
    _Alignas(64) uint8_t bounce[2 * XRW_PAGE_BYTES]; /* used with the same offset as the page */
};

/* The mode of execution as far as it decides what bytes mean; part of a block's key. */
#define MODE_SIZE 3u /* 0: 16-bit, 1: 32-bit, 2: 64-bit */
#define MODE_16 0u
#define MODE_32 1u
#define MODE_64 2u
#define MODE_STACK32 (1u << 2)
#define MODE_PROTECTED (1u << 3) /* and not virtual-8086 */
#define MODE_V86 (1u << 4)
#define MODE_TS (1u << 5)
#define MODE_EM (1u << 6)
#define MODE_MP (1u << 7)
#define MODE_OSFXSR (1u << 8)
#define MODE_AVX (1u << 9)
#define MODE_AVX512 (1u << 10)
#define MODE_USER (1u << 11)
#define MODE_OSXSAVE (1u << 12)
#define MODE_HOOKED (1u << 13) /* the caller's predicate is asked before each instruction */
#define MODE_SINGLE (1u << 14) /* of a block: it has one instruction, for translated code */

/* Bochs 2.7 differs from the architecture in what exits say; see enum xrw_machine_profile. */
static inline bool is_bochs(const struct xrw_machine *m)
{
    return m->cpu.profile == XRW_PROFILE_BOCHS;
}

static inline bool is_long(const struct xrw_machine *m)
{
    return (m->mode & MODE_SIZE) == MODE_64;
}

/* ---- cpu.c ---- */

/* Derive what follows from control registers, CS, SS, CPL and RFLAGS. */
void cpu_update(struct xrw_machine *m);
uint64_t cpu_rflags(const struct xrw_machine *m);
/* All bits as given; the caller has masked. */
void cpu_set_rflags(struct xrw_machine *m, uint64_t rflags);
void cpu_reset(struct xrw_machine *m);
uint64_t cpu_count(const struct xrw_machine *m);
bool cpu_canonical(const struct xrw_machine *m, uint64_t address);

/* ---- physical.c ---- */

struct page {
    struct frame *frame; /* NULL: not there */
    uint8_t ept;
    bool dirty;
};

int physical_create(struct physical **out);
void physical_destroy(struct physical *physical);
/* The page for reading: 0 with *page, or what the callback answered. */
int physical_page(struct xrw_machine *m, xrw_gfn gfn, struct page **page);
/* Likewise for writing: not shared with a snapshot, and marked dirty. */
int physical_page_writable(struct xrw_machine *m, xrw_gfn gfn, struct page **page);

/* ---- undo.c ---- */

/* Keep the page before it is overwritten, if a log is kept. */
void undo_note(struct xrw_machine *m, xrw_gfn gfn, struct frame *frame);
/* Whether writes through this entry, whose page has been kept, need not be noted for now. */
bool undo_writable(struct xrw_machine *m, struct tlb_entry *entry);
/* Between two instructions: keep the state now and then. */
void undo_mark(struct xrw_machine *m);

/* How many instructions may run until the loop looks around. */
static inline uint64_t slice_limit(const struct xrw_machine *m)
{
    return m->log ? UINT64_C(1) << 17 : UINT64_C(1) << 20;
}

/* ---- mmu.c ---- */

enum access {
    ACCESS_READ = 1,
    ACCESS_WRITE = 2,
    ACCESS_EXECUTE = 4,
    ACCESS_IMPLICIT = 8, /* of the system's own: supervisor, whatever CPL */
    ACCESS_PROBE = 16,   /* no accessed bits, no exit */
};

void mmu_init(struct xrw_machine *m);
void mmu_flush(struct xrw_machine *m);
/* A frame got code: writes to it must be looked at from now on. */
void mmu_no_write(struct xrw_machine *m, const struct frame *frame);
/* Writes through this entry must be looked at from now on. */
void mmu_revoke_write(struct xrw_machine *m, struct tlb_entry *entry);
void mmu_flush_page(struct xrw_machine *m, uint64_t linear);
/* Translate for an access of the kinds, or leave by #PF, #GP, or an exit. */
struct tlb_entry *mmu_fill(struct xrw_machine *m, unsigned segment, uint64_t linear,
                           unsigned access);
struct tlb *mmu_tlb(struct xrw_machine *m, unsigned access);

/* ---- access.c ---- */

uint8_t *access_slow(struct xrw_machine *m, unsigned segment, uint64_t linear, unsigned bytes,
                     unsigned access);
void access_commit(struct xrw_machine *m);
/* Read or write for the system (descriptors, TSS), as supervisor. */
uint64_t system_read(struct xrw_machine *m, uint64_t linear, unsigned bytes);
void system_write(struct xrw_machine *m, uint64_t linear, uint64_t value, unsigned bytes);
/* Whether a write could be done, without doing it. */
void access_probe_write(struct xrw_machine *m, unsigned segment, uint64_t linear, unsigned bytes);
/* The linear address of an operand outside 64-bit mode: masked, limits checked. */
uint64_t legacy_linear(struct xrw_machine *m, unsigned segment, uint64_t offset, unsigned bytes,
                       bool write);

static inline uint8_t *access_read(struct xrw_machine *m, unsigned segment, uint64_t linear,
                                   unsigned bytes)
{
    const struct tlb_entry *e = &m->tlb->entry[linear >> XRW_PAGE_SHIFT & (TLB_ENTRIES - 1)];

    if (LIKELY((linear ^ e->read) <= XRW_PAGE_BYTES - bytes))
        return (uint8_t *)(uintptr_t)(linear + e->host);
    return access_slow(m, segment, linear, bytes, ACCESS_READ);
}

/* access: ACCESS_WRITE, with ACCESS_READ for read-modify-write.  What is bounced must be committed
 * by access_done() after it was written. */
static inline uint8_t *access_write(struct xrw_machine *m, unsigned segment, uint64_t linear,
                                    unsigned bytes, unsigned access)
{
    const struct tlb_entry *e = &m->tlb->entry[linear >> XRW_PAGE_SHIFT & (TLB_ENTRIES - 1)];

    if (LIKELY((linear ^ e->write) <= XRW_PAGE_BYTES - bytes))
        return (uint8_t *)(uintptr_t)(linear + e->host);
    return access_slow(m, segment, linear, bytes, access);
}

static inline void access_done(struct xrw_machine *m)
{
    if (UNLIKELY(m->bounced))
        access_commit(m);
}

/* ---- run.c ---- */

/* Something took its time and no instruction is finished: stop if that goes on for ever. */
void run_stalled(struct xrw_machine *m, unsigned weight);

bool watched(const struct xrw_machine *m, xrw_gfn gfn);
void watch_note(struct xrw_machine *m, uint64_t gpa, unsigned bytes);

/* ---- apic.c: the APIC's page ---- */

static inline bool is_apic(const struct xrw_machine *m, uint64_t gpa)
{
    return m->controls.apic != XRW_APIC_NONE && gpa >> XRW_PAGE_SHIFT == m->controls.apic_gfn;
}

/* An access at m->apic_offset: a buffer to read from or write to, or leave by an exit. */
uint8_t *apic_access(struct xrw_machine *m, uint64_t linear, unsigned bytes, unsigned access);
void apic_commit(struct xrw_machine *m, const uint8_t *value, unsigned bytes);
uint64_t apic_read_cr8(struct xrw_machine *m);
void apic_write_cr8(struct xrw_machine *m, uint64_t value);

/* ---- leave.c: exceptions and exits ---- */

void raise_event(struct xrw_machine *m, const struct event *event) NORETURN;
void raise_error(struct xrw_machine *m, unsigned vector, uint32_t error) NORETURN;
void raise_plain(struct xrw_machine *m, unsigned vector) NORETURN;
void raise_page_fault(struct xrw_machine *m, uint64_t linear, uint32_t error) NORETURN;
/* Exits: before the instruction; with its length; the caller fills in result->exit's fields. */
void leave_exit(struct xrw_machine *m, unsigned reason, uint64_t qualification) NORETURN;
void leave_exit_insn(struct xrw_machine *m, unsigned reason, uint64_t qualification) NORETURN;
void leave_unhandled(struct xrw_machine *m, const char *format, ...) XRW_PRINTF(2, 3) NORETURN;
void leave_stop(struct xrw_machine *m, enum xrw_machine_stop stop) NORETURN;
void leave_retry(struct xrw_machine *m) NORETURN; /* begin again at RIP */
void leave_error(struct xrw_machine *m, int error) NORETURN;
void fill_exit(struct xrw_machine *m, unsigned reason, uint64_t qualification);
/* A hardware task switch: source as in the exit qualification. */
void task_switch(struct xrw_machine *m, uint16_t selector, unsigned source) NORETURN;
/* An exit behind the instruction that runs: noted, and taken when it is done. */
void exit_after(struct xrw_machine *m, unsigned reason, uint64_t qualification);

/* ---- deliver.c ---- */

void deliver(struct xrw_machine *m, const struct event *event);

/* ---- decode.c, block.c ---- */

int code_create(struct code_cache **out);
void code_destroy(struct code_cache *code);
/* The block at RIP, decoded if need be; may leave by an exception. */
struct block *code_find(struct xrw_machine *m);
/* The instruction at RIP alone. */
struct block *code_find_single(struct xrw_machine *m);
/* Forget decoded code in those bytes of a frame. */
void code_touch(struct xrw_machine *m, struct frame *frame, unsigned offset, unsigned bytes);
void code_flush(struct xrw_machine *m);
/* For the translator: where code at RIP lies (may leave by an exception), and what it made of it.
 */
int code_fetch(void *machine, uint64_t rip, const uint8_t **code, unsigned *bytes, uint64_t *frame);
bool code_step(void *machine, void **cached);
void code_covers(void *machine, uint64_t rip, unsigned bytes, uint64_t frame);
/* Have the block that runs be left behind the instruction that runs, for ATTENTION_STOP. */
void code_interrupt(struct xrw_machine *m);
/* Memory that lives as long as the decoded code. */
void *code_alloc(struct xrw_machine *m, size_t bytes);
void frame_forget_code(struct frame *frame);
/*
 * Decode one instruction.  Returns 0, or -EAGAIN if it is not whole in these bytes, which are
 * fewer than 15.  What cannot be decoded or run becomes an instruction that says so.
 */
struct code_bytes {
    const uint8_t *data;
    unsigned bytes;
};
int decode_insn(struct xrw_machine *m, struct code_bytes code, uint64_t rip, struct insn *insn);
insn_op op_leave_block, op_hook;

#endif
