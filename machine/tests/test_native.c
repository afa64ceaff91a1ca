/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "native.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct guest_insn {
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    uint8_t bytes[16];
};

/* Decode hexadecimal bytes as code of 64, 32 or 16 bits. */
static void decode(unsigned bits, const char *hex, struct guest_insn *out)
{
    ZydisDecoder decoder;
    unsigned n = 0, byte;
    memset(out->bytes, 0, sizeof(out->bytes));
    for (; n < 15 && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        out->bytes[n] = (uint8_t)byte;
    ZydisDecoderInit(&decoder,
                     bits == 64   ? ZYDIS_MACHINE_MODE_LONG_64
                     : bits == 32 ? ZYDIS_MACHINE_MODE_LONG_COMPAT_32
                                  : ZYDIS_MACHINE_MODE_REAL_16,
                     bits == 64   ? ZYDIS_STACK_WIDTH_64
                     : bits == 32 ? ZYDIS_STACK_WIDTH_32
                                  : ZYDIS_STACK_WIDTH_16);
    assert_true(ZYAN_SUCCESS(native_decode(&decoder, out->bytes, n, &out->insn, out->operands)));
    assert_int_equal(out->insn.length, n);
}

static int compile(struct native_cache *cache, unsigned bits, const char *hex,
                   const struct native_thunk **thunk)
{
    struct guest_insn guest;
    decode(bits, hex, &guest);
    return native_compile(cache, &guest.insn, guest.operands, guest.bytes, thunk);
}

/* cmocka sets signal handlers of its own for each test: so claim the cache for each run. */
static int run(struct native_cache *cache, const struct native_thunk *thunk,
               struct native_state *cpu, void *memory)
{
    assert_int_equal(native_enter(cache), 0);
    int result = native_run(thunk, cpu, memory);
    native_leave(cache);
    return result;
}

static const struct native_thunk *thunk_of(struct native_cache *cache, unsigned bits,
                                           const char *hex)
{
    const struct native_thunk *thunk = NULL;
    int error = compile(cache, bits, hex, &thunk);
    if (error)
        fail_msg("%s: %d", hex, error);
    return thunk;
}

static int setup(void **state)
{
    struct native_cache *cache;
    if (native_cache_create(&cache, 0) != 0)
        return -1;
    *state = cache;
    return 0;
}

static int teardown(void **state)
{
    native_cache_destroy(*state);
    return 0;
}

static const char *const denied[] = {
    "50",           /* push rax */
    "5c",           /* pop rsp */
    "ff33",         /* push [rbx] */
    "c3",           /* ret */
    "e800000000",   /* call */
    "ffe0",         /* jmp rax */
    "7400",         /* jz */
    "8d03",         /* lea */
    "0f05",         /* syscall */
    "0f34",         /* sysenter */
    "cd80",         /* int 80 */
    "cc",           /* int3 */
    "f4",           /* hlt */
    "fa",           /* cli */
    "fd",           /* std */
    "9d",           /* popf */
    "9c",           /* pushf */
    "0fa2",         /* cpuid */
    "0f31",         /* rdtsc */
    "0f01f9",       /* rdtscp */
    "0fc7f0",       /* rdrand */
    "0f30",         /* wrmsr */
    "0f20c0",       /* mov rax, cr0 */
    "0f23c0",       /* mov dr0, rax */
    "8ed8",         /* mov ds, ax */
    "8cd8",         /* mov ax, ds */
    "e4ff",         /* in al, ff */
    "ee",           /* out dx, al */
    "a4",           /* movsb */
    "f3aa",         /* rep stosb */
    "d7",           /* xlat */
    "0f0103",       /* sgdt */
    "0f00c0",       /* sldt */
    "0f01d0",       /* xgetbv */
    "0f01d1",       /* xsetbv */
    "0fae03",       /* fxsave */
    "0fae23",       /* xsave */
    "0fae13",       /* ldmxcsr */
    "0fae1b",       /* stmxcsr */
    "660ff7c1",     /* maskmovdqu */
    "0ff7c1",       /* maskmovq */
    "f3480faec0",   /* rdfsbase */
    "f3480faed8",   /* wrgsbase */
    "0faef0",       /* mfence */
    "c5f877",       /* vzeroupper */
    "c5fc77",       /* vzeroall */
    "c4e26990040a", /* vpgatherdd */
    "0f01ee",       /* rdpkru */
    "c7f800000000", /* xbegin */
    "0f0b",         /* ud2 */
    "c8000000",     /* enter */
    "c9",           /* leave */
    "0f0d0b",       /* prefetchw */
};

static void harmful_instructions_are_denied(void **state)
{
    const struct native_thunk *thunk = NULL;
    for (unsigned i = 0; i < sizeof(denied) / sizeof(denied[0]); i++)
        if (compile(*state, 64, denied[i], &thunk) != -ENOTSUP)
            fail_msg("%s is not denied", denied[i]);
    assert_null(thunk);
}

static void addresses_do_not_matter(void **state)
{
    const struct native_thunk *thunk = thunk_of(*state, 64, "480303"); /* add rax, [rbx] */
    assert_int_equal(thunk->access, NATIVE_READS);
    assert_int_equal(thunk->bytes, 8);
    assert_ptr_equal(thunk, thunk_of(*state, 64, "4803848800010000")); /* [rax+rcx*4+100] */
    assert_ptr_equal(thunk, thunk_of(*state, 64, "65490301"));         /* gs:[r9] */
    assert_ptr_equal(thunk, thunk_of(*state, 64, "67480303"));         /* [ebx] */
    assert_ptr_equal(thunk, thunk_of(*state, 64, "48030500000000"));   /* [rip+0] */
    assert_ptr_not_equal(thunk, thunk_of(*state, 64, "0303"));         /* add eax, [rbx] */
    assert_ptr_not_equal(thunk, thunk_of(*state, 64, "48030b"));       /* add rcx, [rbx] */
    /* RSP and the register that stands for it are not the same. */
    assert_ptr_not_equal(thunk_of(*state, 64, "89e0"), thunk_of(*state, 64, "89d0"));
}

/* The same instruction in 64-bit code, and in 32- or 16-bit code. */
static void narrow_code_shares_thunks(void **state)
{
    static const struct {
        unsigned bits;
        const char *narrow, *wide;
    } pairs[] = {
        {32, "01d8", "01d8"},         /* add eax, ebx */
        {32, "6601d8", "6601d8"},     /* add ax, bx */
        {16, "01d8", "6601d8"},       /* add ax, bx */
        {16, "6601d8", "01d8"},       /* add eax, ebx */
        {16, "00d8", "00d8"},         /* add al, bl */
        {32, "40", "ffc0"},           /* inc eax */
        {16, "49", "66ffc9"},         /* dec cx */
        {16, "6649", "ffc9"},         /* dec ecx */
        {32, "a178563412", "8b00"},   /* mov eax, [12345678] */
        {16, "a27856", "8800"},       /* mov [5678], al */
        {16, "0f58c1", "0f58c1"},     /* addps xmm0, xmm1 */
        {16, "660f58c1", "660f58c1"}, /* addpd */
        {16, "f30f58c1", "f30f58c1"}, /* addss */
        {16, "660fbec1", "0fbec1"},   /* movsx eax, cl */
        {16, "053412", "66053412"},   /* add ax, 1234 */
        {32, "8b4408fc", "8b440bfc"}, /* mov eax, [eax+ecx-4] */
        {16, "8b40fc", "668b00"},     /* mov ax, [bx+si-4] */
        {32, "c5f158c2", "c5f158c2"}, /* vaddpd xmm0, xmm1, xmm2 */
        {32, "d9c0", "d9c0"},         /* fld st0 */
    };
    for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
        if (thunk_of(*state, pairs[i].bits, pairs[i].narrow) != thunk_of(*state, 64, pairs[i].wide))
            fail_msg("%u-bit %s is not %s", pairs[i].bits, pairs[i].narrow, pairs[i].wide);
}

static void the_stack_pointer_is_a_register(void **state)
{
    struct native_state cpu;
    native_state_init(&cpu);
    cpu.gpr[4] = 0x1000;
    cpu.gpr[1] = 0x20;
    assert_int_equal(run(*state, thunk_of(*state, 64, "4801cc"), &cpu, NULL), 0); /* add rsp, rcx */
    assert_int_equal(cpu.gpr[4], 0x1020);
    assert_int_equal(run(*state, thunk_of(*state, 64, "4889e0"), &cpu, NULL), 0); /* mov rax, rsp */
    assert_int_equal(cpu.gpr[0], 0x1020);
    assert_int_equal(cpu.gpr[1], 0x20);
    assert_int_equal(run(*state, thunk_of(*state, 64, "00cc"), &cpu, NULL), 0); /* add ah, cl */
    assert_int_equal(cpu.gpr[0], 0x3020);
    assert_int_equal(run(*state, thunk_of(*state, 64, "4000cc"), &cpu, NULL), 0); /* add spl, cl */
    assert_int_equal(cpu.gpr[4], 0x1040);
}

static void faults_are_reported_and_change_nothing(void **state)
{
    _Alignas(64) uint8_t data[80] = {1};
    struct native_state cpu, before;
    native_state_init(&cpu);
    cpu.gpr[0] = 5;
    cpu.gpr[2] = 1;
    before = cpu;
    assert_int_equal(run(*state, thunk_of(*state, 64, "f7f1"), &cpu, NULL), NATIVE_FAULT | 0);
    const struct native_thunk *aligned = thunk_of(*state, 64, "0f2803"); /* movaps xmm0, [rbx] */
    assert_int_equal(aligned->align, 16);
    assert_int_equal(run(*state, aligned, &cpu, data + 8), NATIVE_FAULT | 13);
    assert_memory_equal(&cpu, &before, sizeof(cpu));
    cpu.mxcsr = before.mxcsr = 0x1d80; /* division by zero not masked */
    memcpy(cpu.zmm[1], "\0\0\x80\x3f", 4);
    before = cpu;
    before.mxcsr |= 4;
    assert_int_equal(run(*state, thunk_of(*state, 64, "f30f5ec8"), &cpu, NULL), NATIVE_FAULT | 19);
    assert_memory_equal(&cpu, &before, sizeof(cpu));
    assert_int_equal(__builtin_ia32_stmxcsr() & 0xffc0, 0x1f80); /* the host's own */
}

/* An unmasked x87 exception shows at the next waiting instruction. */
static void x87_exceptions_are_deferred(void **state)
{
    struct native_state cpu;
    native_state_init(&cpu);
    cpu.fx[0] = 0x7b; /* zero-divide not masked */
    assert_int_equal(run(*state, thunk_of(*state, 64, "d9e8"), &cpu, NULL), 0); /* fld1 */
    assert_int_equal(run(*state, thunk_of(*state, 64, "d9ee"), &cpu, NULL), 0); /* fldz */
    const struct native_thunk *divide = thunk_of(*state, 64, "def9");           /* fdivp */
    assert_true(divide->x87);
    assert_int_equal(run(*state, divide, &cpu, NULL), 0);
    native_x87_note(*state, &cpu, NULL, 0x123456789a, 0);
    uint64_t fip;
    memcpy(&fip, cpu.fx + 8, sizeof(fip));
    assert_int_equal(fip, 0x123456789a);
    assert_int_equal(run(*state, thunk_of(*state, 64, "d9e8"), &cpu, NULL), NATIVE_FAULT | 16);
    assert_int_equal(run(*state, thunk_of(*state, 64, "dbe2"), &cpu, NULL), 0); /* fnclex */
    assert_int_equal(run(*state, thunk_of(*state, 64, "d9e8"), &cpu, NULL), 0);
}

static void nothing_is_writable_and_executable(void **state)
{
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    unsigned executable = 0;
    (void)state;
    assert_non_null(maps);
    while (fgets(line, sizeof(line), maps)) {
        char protection[8] = "";
        assert_int_equal(sscanf(line, "%*s %7s", protection), 1);
        executable += strchr(protection, 'x') && strstr(line, "xenrewind-code");
        assert_false(strchr(protection, 'w') && strchr(protection, 'x'));
    }
    fclose(maps);
    assert_int_equal(executable, 1);
}

static void a_full_cache_says_so_and_can_be_reset(void **state)
{
    struct native_cache *cache;
    const struct native_thunk *thunk;
    char hex[32];
    int error = 0;
    (void)state;
    assert_int_equal(native_cache_create(&cache, 8192), 0);
    for (unsigned i = 0; i < 1000 && !error; i++) {
        snprintf(hex, sizeof(hex), "05%02x%02x0000", i & 255, i >> 8); /* add eax, i */
        error = compile(cache, 64, hex, &thunk);
    }
    assert_int_equal(error, -ENOSPC);
    assert_int_equal(compile(cache, 64, hex, &thunk), -ENOSPC);
    assert_int_equal(compile(cache, 64, "0500000000", &thunk), 0); /* still there */
    native_cache_reset(cache);
    assert_int_equal(compile(cache, 64, hex, &thunk), 0);
    native_cache_destroy(cache);
}

static uint32_t undefined(const char *hex, uint64_t count)
{
    struct guest_insn guest;
    struct native_state cpu;
    decode(64, hex, &guest);
    native_state_init(&cpu);
    cpu.gpr[1] = count;
    return native_undefined_flags(&guest.insn, guest.operands, &cpu);
}

static void undefined_flags_follow_the_manual(void **state)
{
    (void)state;
    assert_int_equal(undefined("01d8", 0), 0);          /* add */
    assert_int_equal(undefined("21d8", 0), 0x10);       /* and: AF */
    assert_int_equal(undefined("f7e1", 0), 0xd4);       /* mul: SF ZF AF PF */
    assert_int_equal(undefined("f7f1", 0), 0x8d5);      /* div: all */
    assert_int_equal(undefined("0fbcc1", 0), 0x895);    /* bsf: all but ZF */
    assert_int_equal(undefined("0fa3c1", 0), 0x894);    /* bt: OF SF AF PF */
    assert_int_equal(undefined("d3e0", 0), 0);          /* shl eax, cl: not shifted */
    assert_int_equal(undefined("d3e0", 32), 0);         /* nor by 32 */
    assert_int_equal(undefined("d3e0", 1), 0x10);       /* AF */
    assert_int_equal(undefined("d3e0", 2), 0x810);      /* OF AF */
    assert_int_equal(undefined("48d3e0", 33), 0x810);   /* 64 bits */
    assert_int_equal(undefined("d2e0", 9), 0x811);      /* shl al, 9: CF too */
    assert_int_equal(undefined("c0f809", 0), 0x810);    /* sar al, 9 */
    assert_int_equal(undefined("d1e0", 0), 0x10);       /* shl eax, 1 */
    assert_int_equal(undefined("c1c005", 0), 0x800);    /* rol eax, 5 */
    assert_int_equal(undefined("660fa5c3", 17), 0x8d5); /* shld bx, ax, 17: everything */
    assert_int_equal(undefined("0fa5c3", 17), 0x810);
}

static void bit_offsets_move_the_address(void **state)
{
    struct guest_insn guest;
    struct native_state cpu;
    decode(64, "480fab03", &guest); /* bts [rbx], rax */
    const struct native_thunk *thunk = thunk_of(*state, 64, "480fab03");
    assert_int_equal(thunk->bit_register, 0);
    native_state_init(&cpu);
    cpu.gpr[0] = 63;
    assert_int_equal(native_bit_displacement(&guest.insn, 0, &cpu), 0);
    cpu.gpr[0] = 64;
    assert_int_equal(native_bit_displacement(&guest.insn, 0, &cpu), 8);
    cpu.gpr[0] = (uint64_t)-1;
    assert_int_equal(native_bit_displacement(&guest.insn, 0, &cpu), -8);
    decode(64, "660fab03", &guest); /* bts [rbx], ax */
    cpu.gpr[0] = 0x1fff0;
    assert_int_equal(native_bit_displacement(&guest.insn, 0, &cpu), -2);
    assert_int_equal(thunk_of(*state, 64, "480fba2b05")->bit_register, -1);
}

static uint64_t lanes(const char *hex, uint64_t k1)
{
    struct guest_insn guest;
    struct native_state cpu;
    decode(64, hex, &guest);
    native_state_init(&cpu);
    cpu.k[1] = k1;
    memcpy(cpu.zmm[2], "\0\0\0\x80\0\0\0\0\xff\xff\xff\xff\x7f\xff\xff\x7f", 16);
    return native_lanes(&guest.insn, guest.operands, &cpu);
}

static void masked_lanes_are_not_touched(void **state)
{
    (void)state;
    assert_int_equal(lanes("c4e2692c03", 0), 0x0f0f);  /* vmaskmovps xmm0, xmm2, [rbx] */
    assert_int_equal(lanes("62f17e496f03", 5), 0xf0f); /* vmovdqu32 zmm0{k1}, [rbx] */
    assert_int_equal(lanes("62f17e496f03", 0), 0);
    assert_true(lanes("62f17e496f03", ~0ull) == ~0ull);
    assert_int_equal(lanes("62f27d498803", 0xf0), 0xffff); /* vexpandps: packed */
    assert_int_equal(lanes("62f17c595803", 0x8000), 0xf);  /* vaddps {1to16} */
    assert_int_equal(lanes("62f27d491803", 0), 0);         /* vbroadcastss */
    assert_int_equal(lanes("62f27d491803", 2), 0xf);
    assert_int_equal(lanes("62f27d492103", 3), 3); /* vpmovsxbd: bytes to dwords */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(harmful_instructions_are_denied, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses_do_not_matter, setup, teardown),
        cmocka_unit_test_setup_teardown(narrow_code_shares_thunks, setup, teardown),
        cmocka_unit_test_setup_teardown(the_stack_pointer_is_a_register, setup, teardown),
        cmocka_unit_test_setup_teardown(faults_are_reported_and_change_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(x87_exceptions_are_deferred, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_writable_and_executable, setup, teardown),
        cmocka_unit_test(a_full_cache_says_so_and_can_be_reset),
        cmocka_unit_test(undefined_flags_follow_the_manual),
        cmocka_unit_test_setup_teardown(bit_offsets_move_the_address, setup, teardown),
        cmocka_unit_test(masked_lanes_are_not_touched),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
