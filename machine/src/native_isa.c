/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of what is proved harmless; everything else is denied. */
#include "native_internal.h"

#include <cpuid.h>
#include <errno.h>

enum feature {
    SSE3,
    PCLMUL,
    SSSE3,
    FMA,
    CX16,
    SSE41,
    SSE42,
    MOVBE,
    POPCNT,
    AES,
    AVX,
    F16C,
    BMI1,
    AVX2,
    BMI2,
    AVX512F,
    AVX512DQ,
    ADX,
    IFMA,
    AVX512CD,
    SHA,
    AVX512BW,
    AVX512VL,
    VBMI,
    VBMI2,
    GFNI,
    VAES,
    VPCLMUL,
    VNNI,
    BITALG,
    VPOPCNT,
    MOVDIRI,
    FP16,
    AVX_VNNI,
    BF16,
    LAHF,
    LZCNT,
};

enum cpuid_register { EAX, EBX, ECX, EDX };

/* Source: Intel SDM, "CPUID - CPU Identification". */
static const struct {
    uint32_t leaf, subleaf;
    uint8_t reg, bit;
} feature_bits[] = {
    [SSE3] = {1, 0, ECX, 0},           [PCLMUL] = {1, 0, ECX, 1},
    [SSSE3] = {1, 0, ECX, 9},          [FMA] = {1, 0, ECX, 12},
    [CX16] = {1, 0, ECX, 13},          [SSE41] = {1, 0, ECX, 19},
    [SSE42] = {1, 0, ECX, 20},         [MOVBE] = {1, 0, ECX, 22},
    [POPCNT] = {1, 0, ECX, 23},        [AES] = {1, 0, ECX, 25},
    [AVX] = {1, 0, ECX, 28},           [F16C] = {1, 0, ECX, 29},
    [BMI1] = {7, 0, EBX, 3},           [AVX2] = {7, 0, EBX, 5},
    [BMI2] = {7, 0, EBX, 8},           [AVX512F] = {7, 0, EBX, 16},
    [AVX512DQ] = {7, 0, EBX, 17},      [ADX] = {7, 0, EBX, 19},
    [IFMA] = {7, 0, EBX, 21},          [AVX512CD] = {7, 0, EBX, 28},
    [SHA] = {7, 0, EBX, 29},           [AVX512BW] = {7, 0, EBX, 30},
    [AVX512VL] = {7, 0, EBX, 31},      [VBMI] = {7, 0, ECX, 1},
    [VBMI2] = {7, 0, ECX, 6},          [GFNI] = {7, 0, ECX, 8},
    [VAES] = {7, 0, ECX, 9},           [VPCLMUL] = {7, 0, ECX, 10},
    [VNNI] = {7, 0, ECX, 11},          [BITALG] = {7, 0, ECX, 12},
    [VPOPCNT] = {7, 0, ECX, 14},       [MOVDIRI] = {7, 0, ECX, 27},
    [FP16] = {7, 0, EDX, 23},          [AVX_VNNI] = {7, 1, EAX, 4},
    [BF16] = {7, 1, EAX, 5},           [LAHF] = {0x80000001, 0, ECX, 0},
    [LZCNT] = {0x80000001, 0, ECX, 5},
};

#define BIT(feature) ((uint64_t)1 << (feature))
#define ALL_AVX512 (BIT(AVX512F) | BIT(AVX512BW) | BIT(AVX512VL) | BIT(AVX512DQ))
/* Features that mean nothing before the system has enabled their registers in XCR0. */
#define AVX_FEATURES                                                                               \
    (BIT(AVX) | BIT(AVX2) | BIT(FMA) | BIT(F16C) | BIT(VAES) | BIT(VPCLMUL) | BIT(AVX_VNNI))

static uint64_t enabled_features(void)
{
    uint32_t eax, ebx, ecx, edx;
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & 1u << 27))
        return 0;
    __asm__ volatile("xgetbv" : "=a"(eax), "=d"(edx) : "c"(0));
    return eax;
}

uint64_t native_host_features(void)
{
    uint64_t features = 0, xcr0 = enabled_features();
    for (unsigned i = 0; i < sizeof(feature_bits) / sizeof(feature_bits[0]); i++) {
        uint32_t reg[4];
        if (__get_cpuid_count(feature_bits[i].leaf, feature_bits[i].subleaf, &reg[EAX], &reg[EBX],
                              &reg[ECX], &reg[EDX]) &&
            reg[feature_bits[i].reg] >> feature_bits[i].bit & 1)
            features |= BIT(i);
    }
    if ((xcr0 & 6) != 6)
        features &= ~AVX_FEATURES;
    if ((xcr0 & 0xe6) == 0xe6 && (features & ALL_AVX512) == ALL_AVX512)
        features |= NATIVE_HOST_AVX512;
    return features;
}

/* One mnemonic a bit would be too many: a set is either harmless as a whole, less the mnemonics
 * denied below, or only in the mnemonics listed. */
enum extent { WHOLE, LISTED };

struct isa_rule {
    uint16_t set;
    uint8_t needs, extent;
    uint64_t features;
};

#define RULE(set, needs, extent, features)                                                         \
    {                                                                                              \
        ZYDIS_ISA_SET_##set, NATIVE_NEEDS_##needs, extent, features                                \
    }
#define AVX512_RULE(set, feature) RULE(set, AVX512, WHOLE, NATIVE_HOST_AVX512 | BIT(feature))
#define AVX512_RULES(set, feature)                                                                 \
    AVX512_RULE(set##_128, feature), AVX512_RULE(set##_256, feature),                              \
        AVX512_RULE(set##_512, feature)

static const struct isa_rule isa_rules[] = {
    RULE(I86, NOTHING, LISTED, 0),
    RULE(I186, NOTHING, LISTED, 0),
    RULE(I386, NOTHING, LISTED, 0),
    RULE(I486REAL, NOTHING, LISTED, 0),
    RULE(PENTIUMREAL, NOTHING, LISTED, 0),
    RULE(LONGMODE, NOTHING, LISTED, 0),
    RULE(LAHF, NOTHING, LISTED, BIT(LAHF)),
    RULE(PPRO, X87, LISTED, 0),
    RULE(CMOV, NOTHING, WHOLE, 0),
    RULE(CMPXCHG16B, NOTHING, WHOLE, BIT(CX16)),
    RULE(ADOX_ADCX, NOTHING, WHOLE, BIT(ADX)),
    RULE(BMI1, NOTHING, WHOLE, BIT(BMI1)),
    RULE(BMI2, NOTHING, WHOLE, BIT(BMI2)),
    RULE(LZCNT, NOTHING, WHOLE, BIT(LZCNT)),
    RULE(POPCNT, NOTHING, WHOLE, BIT(POPCNT)),
    RULE(MOVBE, NOTHING, WHOLE, BIT(MOVBE)),
    RULE(MOVDIR, NOTHING, LISTED, BIT(MOVDIRI)),
    RULE(X87, X87, WHOLE, 0),
    RULE(FCMOV, X87, WHOLE, 0),
    RULE(SSE3X87, X87, WHOLE, BIT(SSE3)),
    RULE(PENTIUMMMX, MMX, WHOLE, 0),
    RULE(SSE2MMX, MMX, WHOLE, 0),
    RULE(SSSE3MMX, MMX, WHOLE, BIT(SSSE3)),
    RULE(SSE, SSE, WHOLE, 0),
    RULE(SSE2, SSE, WHOLE, 0),
    RULE(SSE3, SSE, WHOLE, BIT(SSE3)),
    RULE(SSSE3, SSE, WHOLE, BIT(SSSE3)),
    RULE(SSE4, SSE, WHOLE, BIT(SSE41)),
    RULE(SSE42, SSE, WHOLE, BIT(SSE42)),
    RULE(AES, SSE, WHOLE, BIT(AES)),
    RULE(PCLMULQDQ, SSE, WHOLE, BIT(PCLMUL)),
    RULE(SHA, SSE, WHOLE, BIT(SHA)),
    RULE(GFNI, SSE, WHOLE, BIT(GFNI)),
    RULE(AVX, AVX, WHOLE, BIT(AVX)),
    RULE(AVX2, AVX, WHOLE, BIT(AVX2)),
    RULE(FMA, AVX, WHOLE, BIT(FMA)),
    RULE(F16C, AVX, WHOLE, BIT(F16C)),
    RULE(AVXAES, AVX, WHOLE, BIT(AES) | BIT(AVX)),
    RULE(AVX_GFNI, AVX, WHOLE, BIT(GFNI) | BIT(AVX)),
    RULE(AVX_VNNI, AVX, WHOLE, BIT(AVX_VNNI)),
    RULE(VAES, AVX, WHOLE, BIT(VAES)),
    RULE(VPCLMULQDQ, AVX, WHOLE, BIT(VPCLMUL)),
    AVX512_RULES(AVX512F, AVX512F),
    AVX512_RULES(AVX512BW, AVX512BW),
    AVX512_RULES(AVX512DQ, AVX512DQ),
    AVX512_RULES(AVX512CD, AVX512CD),
    AVX512_RULES(AVX512_VBMI, VBMI),
    AVX512_RULES(AVX512_VBMI2, VBMI2),
    AVX512_RULES(AVX512_IFMA, IFMA),
    AVX512_RULES(AVX512_VNNI, VNNI),
    AVX512_RULES(AVX512_BITALG, BITALG),
    AVX512_RULES(AVX512_VPOPCNTDQ, VPOPCNT),
    AVX512_RULES(AVX512_GFNI, GFNI),
    AVX512_RULES(AVX512_VAES, VAES),
    AVX512_RULES(AVX512_VPCLMULQDQ, VPCLMUL),
    AVX512_RULES(AVX512_BF16, BF16),
    AVX512_RULES(AVX512_FP16, FP16),
    AVX512_RULE(AVX512F_128N, AVX512F),
    AVX512_RULE(AVX512F_SCALAR, AVX512F),
    AVX512_RULE(AVX512F_KOP, AVX512F),
    AVX512_RULE(AVX512BW_128N, AVX512BW),
    AVX512_RULE(AVX512BW_KOP, AVX512BW),
    AVX512_RULE(AVX512DQ_128N, AVX512DQ),
    AVX512_RULE(AVX512DQ_SCALAR, AVX512DQ),
    AVX512_RULE(AVX512DQ_KOP, AVX512DQ),
    AVX512_RULE(AVX512_FP16_128N, FP16),
    AVX512_RULE(AVX512_FP16_SCALAR, FP16),
};

#define M(name) ZYDIS_MNEMONIC_##name

static const uint16_t listed_mnemonics[] = {
    M(ADC),     M(ADD),    M(AND),     M(BSF),   M(BSR),    M(BSWAP),   M(BT),        M(BTC),
    M(BTR),     M(BTS),    M(CBW),     M(CDQ),   M(CDQE),   M(CLC),     M(CMC),       M(CMP),
    M(CQO),     M(CWD),    M(CWDE),    M(DEC),   M(DIV),    M(CMPXCHG), M(CMPXCHG8B), M(FCOMI),
    M(FCOMIP),  M(FUCOMI), M(FUCOMIP), M(IDIV),  M(IMUL),   M(INC),     M(LAHF),      M(MOV),
    M(MOVDIRI), M(MOVSX),  M(MOVSXD),  M(MOVZX), M(MUL),    M(NEG),     M(NOT),       M(OR),
    M(RCL),     M(RCR),    M(ROL),     M(ROR),   M(SAHF),   M(SAR),     M(SBB),       M(SETB),
    M(SETBE),   M(SETL),   M(SETLE),   M(SETNB), M(SETNBE), M(SETNL),   M(SETNLE),    M(SETNO),
    M(SETNP),   M(SETNS),  M(SETNZ),   M(SETO),  M(SETP),   M(SETS),    M(SETZ),      M(SHL),
    M(SHLD),    M(SHR),    M(SHRD),    M(STC),   M(SUB),    M(TEST),    M(XADD),      M(XCHG),
    M(XOR),
};

/* Of whole sets: state that does not live where a thunk looks (MXCSR, all vector registers at
 * once), implied memory operands, and what computes nothing. */
static const uint16_t denied_mnemonics[] = {
    M(LDMXCSR),  M(STMXCSR),    M(VLDMXCSR),    M(VSTMXCSR), M(VZEROALL), M(VZEROUPPER),
    M(MASKMOVQ), M(MASKMOVDQU), M(VMASKMOVDQU), M(LFENCE),   M(MFENCE),   M(SFENCE),
};

static bool is_in(const uint16_t *list, size_t count, uint16_t mnemonic)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] == mnemonic)
            return true;
    return false;
}

#define IS_IN(list, mnemonic) is_in(list, sizeof(list) / sizeof((list)[0]), (uint16_t)(mnemonic))

int native_isa_check(const ZydisDecodedInstruction *insn, uint64_t features, uint8_t *needs)
{
    for (size_t i = 0; i < sizeof(isa_rules) / sizeof(isa_rules[0]); i++) {
        const struct isa_rule *rule = &isa_rules[i];
        if (rule->set != insn->meta.isa_set)
            continue;
        if ((features & rule->features) != rule->features ||
            (rule->extent == LISTED && !IS_IN(listed_mnemonics, insn->mnemonic)) ||
            IS_IN(denied_mnemonics, insn->mnemonic))
            return -ENOTSUP;
        *needs = rule->needs;
        return 0;
    }
    return -ENOTSUP;
}
