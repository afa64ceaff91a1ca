/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "bare.h"

#include "native_emit.h"

#include <cpuid.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define FRAME_ADDRESS 0x20000000u
#define CODE_ADDRESS 0x20010000u
#define CODE_BYTES 0x1000u

/* At FRAME_ADDRESS, so that generated code reaches all of it without a register. */
struct frame {
    uint64_t in[16], in_flags;
    uint64_t out[16], out_flags;
    uint64_t host_rsp;
    uint32_t host_mxcsr;
    int32_t fault;
    _Alignas(64) uint8_t in_area[4096];
    _Alignas(64) uint8_t out_area[4096];
    _Alignas(64) uint8_t stack[4096];
};

#define FRAME ((struct frame *)(uintptr_t)FRAME_ADDRESS)
#define FRAME_AT(member) (FRAME_ADDRESS + (uint32_t)offsetof(struct frame, member))

#define LEGACY_ST 32
#define LEGACY_XMM 160
#define HEADER 512

enum { YMM_HIGH = 2, MASKS = 5, ZMM_HIGH = 6, ZMM_16_31 = 7, COMPONENTS = 8 };

static uint32_t components, offsets[COMPONENTS];
static uint8_t *code; /* the writable mapping of CODE_ADDRESS */
static uint64_t epilogue;
static void (*enter)(void);

/* opcode with [absolute address] */
static void emit_absolute(struct emit *e, unsigned w, unsigned opcode, unsigned reg,
                          uint32_t address)
{
    emit_rex(e, w, reg, 0);
    emit1(e, opcode);
    emit1(e, 0x04 | (reg & 7) << 3);
    emit1(e, 0x25);
    emit4(e, address);
}

static void emit_area(struct emit *e, unsigned extension, uint32_t address)
{
    emit1(e, 0xb8); /* mov eax, components; xor edx, edx */
    emit4(e, components);
    emit_bytes(e, "\x31\xd2\x48\x0f\xae", 5);
    emit1(e, 0x04 | extension << 3);
    emit1(e, 0x25);
    emit4(e, address);
}

static void emit_stack(struct emit *e)
{
    emit_bytes(e, "\x48\xc7\xc4", 3); /* mov rsp, imm32 */
    emit4(e, FRAME_AT(stack) + sizeof(FRAME->stack));
}

static const uint8_t callee_saved[] = {3, 5, 12, 13, 14, 15};

static void emit_prologue(struct emit *e)
{
    for (unsigned i = 0; i < sizeof(callee_saved); i++)
        emit_push(e, callee_saved[i]);
    emit_absolute(e, 1, 0x89, 4, FRAME_AT(host_rsp));
    emit_area(e, 5, FRAME_AT(in_area)); /* xrstor64 */
    emit_stack(e);
    emit_absolute(e, 0, 0xff, 6, FRAME_AT(in_flags)); /* push; popfq */
    emit1(e, 0x9d);
    for (unsigned id = 0; id < 16; id++)
        emit_absolute(e, 1, 0x8b, id, FRAME_AT(in) + 8 * id);
}

static void emit_epilogue(struct emit *e)
{
    for (unsigned id = 0; id < 16; id++)
        emit_absolute(e, 1, 0x89, id, FRAME_AT(out) + 8 * id);
    emit_stack(e);
    emit1(e, 0x9c); /* pushfq; pop */
    emit_absolute(e, 0, 0x8f, 0, FRAME_AT(out_flags));
    emit_area(e, 4, FRAME_AT(out_area));  /* xsave64 */
    emit_bytes(e, "\xdb\xe3", 2);         /* fninit */
    emit_bytes(e, "\x0f\xae\x14\x25", 4); /* ldmxcsr */
    emit4(e, FRAME_AT(host_mxcsr));
    if (components & 4)
        emit_bytes(e, "\xc5\xf8\x77", 3);
    emit_absolute(e, 1, 0x8b, 4, FRAME_AT(host_rsp));
    for (unsigned i = sizeof(callee_saved); i-- > 0;)
        emit_pop(e, callee_saved[i]);
    emit1(e, 0xc3);
}

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    if (regs[REG_RIP] != BARE_INSN_ADDRESS) {
        dprintf(2, "unexpected signal %d at %llx, vector %lld, address %p\n", signal_number,
                (unsigned long long)regs[REG_RIP], (long long)regs[REG_TRAPNO], info->si_addr);
        signal(signal_number, SIG_DFL);
        return;
    }
    FRAME->fault = (int32_t)(NATIVE_FAULT | regs[REG_TRAPNO]);
    regs[REG_RIP] = (greg_t)epilogue;
}

static int catch_faults(void)
{
    static const int signals[] = {SIGFPE, SIGSEGV, SIGBUS, SIGILL};
    struct sigaction action = {.sa_flags = SA_SIGINFO | SA_ONSTACK};
    static uint8_t memory[256 * 1024];
    const stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};
    action.sa_sigaction = on_signal;
    if (sigaltstack(&stack, NULL) != 0)
        return -errno;
    for (unsigned i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        if (sigaction(signals[i], &action, NULL) != 0)
            return -errno;
    return 0;
}

static int map_at(uint32_t address, size_t bytes, int protection, int flags, int fd)
{
    void *wanted = (void *)(uintptr_t)address;
    return mmap(wanted, bytes, protection, flags | MAP_FIXED_NOREPLACE, fd, 0) == wanted ? 0
                                                                                         : -errno;
}

static int map_code(void)
{
    int fd = memfd_create("bare", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, CODE_BYTES) != 0)
        return -errno;
    code = mmap(NULL, CODE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    int error = code == MAP_FAILED
                    ? -errno
                    : map_at(CODE_ADDRESS, CODE_BYTES, PROT_READ | PROT_EXEC, MAP_SHARED, fd);
    close(fd);
    return error;
}

/* Source: Intel SDM, "CPUID", leaf 0DH. */
static void find_components(void)
{
    uint32_t eax, ebx, ecx, edx;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    components = eax & 0xe7;
    for (uint32_t i = 2; i < COMPONENTS; i++)
        if (components >> i & 1 && __get_cpuid_count(0xd, i, &eax, &ebx, &ecx, &edx))
            offsets[i] = ebx;
}

int bare_init(void)
{
    const int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    const uint64_t first = CODE_ADDRESS;
    int error = map_code();
    if (!error)
        error = map_at(FRAME_ADDRESS, (sizeof(struct frame) + 4095) & ~4095ul,
                       PROT_READ | PROT_WRITE, anonymous, -1);
    if (!error)
        error = map_at(BARE_DATA_ADDRESS, BARE_DATA_BYTES, PROT_READ | PROT_WRITE, anonymous, -1);
    if (!error)
        error = catch_faults();
    if (error)
        return error;
    find_components();
    FRAME->host_mxcsr = 0x1f80;
    struct emit e = {code + (BARE_INSN_ADDRESS - CODE_ADDRESS) - 512};
    struct emit measure = e;
    emit_prologue(&measure); /* twice: so that it ends where the instruction begins */
    e.at += 512 - (measure.at - e.at);
    epilogue = CODE_ADDRESS + 0x800;
    uint64_t entry = CODE_ADDRESS + (uint64_t)(e.at - code);
    memcpy(&enter, first ? &entry : &first, sizeof(enter));
    emit_prologue(&e);
    struct emit end = {code + 0x800};
    emit_epilogue(&end);
    return 0;
}

static void put_vector(unsigned id, const uint8_t *zmm)
{
    uint8_t *area = FRAME->in_area;
    if (id >= 16) {
        memcpy(area + offsets[ZMM_16_31] + 64 * (id - 16), zmm, 64);
        return;
    }
    memcpy(area + LEGACY_XMM + 16 * id, zmm, 16);
    if (components >> YMM_HIGH & 1)
        memcpy(area + offsets[YMM_HIGH] + 16 * id, zmm + 16, 16);
    if (components >> ZMM_HIGH & 1)
        memcpy(area + offsets[ZMM_HIGH] + 32 * id, zmm + 32, 32);
}

static void get_vector(unsigned id, uint8_t *zmm)
{
    const uint8_t *area = FRAME->out_area;
    if (id >= 16) {
        memcpy(zmm, area + offsets[ZMM_16_31] + 64 * (id - 16), 64);
        return;
    }
    memcpy(zmm, area + LEGACY_XMM + 16 * id, 16);
    if (components >> YMM_HIGH & 1)
        memcpy(zmm + 16, area + offsets[YMM_HIGH] + 16 * id, 16);
    if (components >> ZMM_HIGH & 1)
        memcpy(zmm + 32, area + offsets[ZMM_HIGH] + 32 * id, 32);
}

static unsigned vector_count(void)
{
    return components >> ZMM_16_31 & 1 ? 32 : 16;
}

static void put_state(const struct native_state *state)
{
    struct frame *frame = FRAME;
    uint64_t present = components;
    memcpy(frame->in, state->gpr, sizeof(frame->in));
    frame->in_flags = 0x202 | native_rflags(state);
    memcpy(frame->in_area, state->fx, LEGACY_XMM);
    memcpy(frame->in_area + 24, &state->mxcsr, 4);
    memset(frame->in_area + HEADER, 0, 64);
    memcpy(frame->in_area + HEADER, &present, sizeof(present));
    for (unsigned id = 0; id < vector_count(); id++)
        put_vector(id, state->zmm[id]);
    if (components >> MASKS & 1)
        memcpy(frame->in_area + offsets[MASKS], state->k, sizeof(state->k));
}

static void get_state(struct native_state *state)
{
    const struct frame *frame = FRAME;
    memcpy(state->gpr, frame->out, sizeof(state->gpr));
    native_set_rflags(state, frame->out_flags);
    memcpy(state->fx, frame->out_area, LEGACY_XMM);
    memcpy(&state->mxcsr, frame->out_area + 24, 4);
    for (unsigned id = 0; id < vector_count(); id++)
        get_vector(id, state->zmm[id]);
    if (components >> MASKS & 1)
        memcpy(state->k, frame->out_area + offsets[MASKS], sizeof(state->k));
}

int bare_run(const uint8_t *bytes, unsigned length, struct native_state *state)
{
    struct emit e = {code + (BARE_INSN_ADDRESS - CODE_ADDRESS)};
    emit_bytes(&e, bytes, length);
    emit1(&e, 0xe9);
    emit4(&e, (uint32_t)(epilogue - (BARE_INSN_ADDRESS + length + 5)));
    put_state(state);
    FRAME->fault = 0;
    enter();
    get_state(state);
    return FRAME->fault;
}
