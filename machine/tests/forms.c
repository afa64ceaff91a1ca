/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "forms.h"

#include <string.h>

/* splitmix64 */
uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

unsigned random_below(struct random *random, unsigned limit)
{
    return (unsigned)(random_next(random) >> 33) % limit;
}

static bool one_in(struct random *random, unsigned n)
{
    return random_below(random, n) == 0;
}

static const char *const prefixes[] = {"", "\x66", "\xf3", "\xf2", "\x66\xf2", "\xf3\x66"};
#define PREFIXES 6u

#define LEGACY_FORMS (4u * PREFIXES * 256u)
#define VEX_FORMS (3u * 4u * 2u * 2u * 256u)
#define EVEX_FORMS (5u * 4u * 3u * 2u * 256u)

unsigned forms_count(void)
{
    return LEGACY_FORMS + VEX_FORMS + EVEX_FORMS;
}

static unsigned digit(unsigned *n, unsigned base)
{
    unsigned value = *n % base;
    *n /= base;
    return value;
}

void forms_get(unsigned n, struct form *form)
{
    static const uint8_t evex_maps[] = {1, 2, 3, 5, 6};
    memset(form, 0, sizeof(*form));
    form->encoding = n < LEGACY_FORMS ? 0 : n < LEGACY_FORMS + VEX_FORMS ? 1 : 2;
    n -= form->encoding == 0 ? 0 : form->encoding == 1 ? LEGACY_FORMS : LEGACY_FORMS + VEX_FORMS;
    form->opcode = (uint8_t)digit(&n, 256);
    form->prefix = (uint8_t)digit(&n, form->encoding ? 4 : PREFIXES);
    if (form->encoding) {
        form->w = (uint8_t)digit(&n, 2);
        form->length = (uint8_t)digit(&n, form->encoding == 1 ? 2 : 3);
    }
    form->map = (uint8_t)(form->encoding == 2 ? evex_maps[n] : form->encoding ? n + 1 : n);
}

static unsigned encode_legacy(const struct form *form, struct random *random, uint8_t *bytes)
{
    static const uint8_t ignored[] = {0x26, 0x2e, 0x36, 0x3e, 0x67, 0xf0};
    unsigned n = (unsigned)strlen(prefixes[form->prefix]);
    memcpy(bytes, prefixes[form->prefix], n);
    if (one_in(random, 8))
        bytes[n++] = ignored[random_below(random, sizeof(ignored))];
    if (!one_in(random, 3))
        bytes[n++] = (uint8_t)(0x40 | random_below(random, 16));
    if (form->map)
        bytes[n++] = 0x0f;
    if (form->map >= 2)
        bytes[n++] = form->map == 2 ? 0x38 : 0x3a;
    return n;
}

static unsigned encode_vex(const struct form *form, struct random *random, uint8_t *bytes)
{
    unsigned v = one_in(random, 2) ? 15 : random_below(random, 16);
    unsigned last = v << 3 | (unsigned)form->length << 2 | form->prefix;
    if (form->map == 1 && !form->w && one_in(random, 2)) {
        bytes[0] = 0xc5;
        bytes[1] = (uint8_t)(random_below(random, 2) << 7 | last);
        return 2;
    }
    bytes[0] = 0xc4;
    bytes[1] = (uint8_t)(random_below(random, 8) << 5 | form->map);
    bytes[2] = (uint8_t)(form->w << 7 | last);
    return 3;
}

static unsigned encode_evex(const struct form *form, struct random *random, uint8_t *bytes)
{
    unsigned v = one_in(random, 2) ? 15 : random_below(random, 16);
    unsigned mask = one_in(random, 2) ? 0 : random_below(random, 8);
    bytes[0] = 0x62;
    bytes[1] = (uint8_t)(random_below(random, 16) << 4 | form->map);
    bytes[2] = (uint8_t)(form->w << 7 | v << 3 | 4u | form->prefix);
    bytes[3] = (uint8_t)((mask && one_in(random, 2)) << 7 | form->length << 5 |
                         one_in(random, 4) << 4 | (v != 15 && one_in(random, 4) ? 0u : 8u) | mask);
    return 4;
}

void forms_encode(const struct form *form, struct random *random, uint8_t bytes[15])
{
    unsigned n;
    for (unsigned i = 0; i < 15; i++)
        bytes[i] = (uint8_t)random_next(random);
    uint8_t modrm = bytes[14];
    if (form->encoding == 0)
        n = encode_legacy(form, random, bytes);
    else if (form->encoding == 1)
        n = encode_vex(form, random, bytes);
    else
        n = encode_evex(form, random, bytes);
    bytes[n++] = form->opcode;
    bytes[n] = modrm;
}

static uint64_t random_integer(struct random *random)
{
    static const uint64_t special[] = {0,
                                       1,
                                       2,
                                       0x7f,
                                       0x80,
                                       0xff,
                                       0x7fff,
                                       0x8000,
                                       0xffff,
                                       0x7fffffff,
                                       0x80000000,
                                       0xffffffff,
                                       0x7fffffffffffffff,
                                       0x8000000000000000,
                                       0xffffffffffffffff};
    switch (random_below(random, 4)) {
    case 0:
        return special[random_below(random, sizeof(special) / sizeof(special[0]))];
    case 1:
        return random_below(random, 256);
    case 2:
        return random_next(random) >> random_below(random, 64);
    default:
        return random_next(random);
    }
}

/* Sign, one of the classes of exponent, any fraction; often one whose low half is zero. */
static uint64_t random_double(struct random *random)
{
    static const uint16_t exponents[] = {0, 1, 0x3fe, 0x3ff, 0x400, 0x41e, 0x43e, 0x7fe, 0x7ff};
    uint64_t fraction = random_next(random) >> 12;
    uint64_t exponent = exponents[random_below(random, sizeof(exponents) / sizeof(exponents[0]))];
    if (one_in(random, 3))
        fraction = 0;
    if (one_in(random, 3))
        exponent = 0x3ff + random_below(random, 64) - 32;
    return (random_next(random) & 1) << 63 | exponent << 52 | fraction;
}

static uint32_t random_float(struct random *random)
{
    uint64_t wide = random_double(random);
    uint32_t exponent = (uint32_t)(wide >> 52 & 0x7ff);
    exponent = exponent == 0x7ff ? 0xff : exponent > 0x3ff + 127 ? 0xfe : exponent & 0xff;
    return (uint32_t)(wide >> 63) << 31 | exponent << 23 | (uint32_t)(wide >> 20 & 0x7fffff);
}

static void random_vector(struct random *random, uint8_t *vector, unsigned bytes)
{
    unsigned kind = random_below(random, 4);
    for (unsigned i = 0; i < bytes; i += 8) {
        uint64_t value = kind == 0   ? random_next(random)
                         : kind == 1 ? random_double(random)
                         : kind == 2 ? (uint64_t)random_float(random) << 32 | random_float(random)
                                     : random_integer(random);
        memcpy(vector + i, &value, 8);
    }
}

static void random_x87(struct random *random, uint8_t *fx)
{
    uint16_t control = (uint16_t)(0x40 | (one_in(random, 4) ? random_below(random, 64) : 0x3f) |
                                  random_below(random, 16) << 8);
    uint16_t status = (uint16_t)(random_next(random) & 0x7f00 & ~0x8000u);
    if (one_in(random, 4))
        status |= (uint16_t)(random_below(random, 64));
    memset(fx, 0, 512);
    memcpy(fx, &control, 2);
    memcpy(fx + 2, &status, 2);
    fx[4] = one_in(random, 2) ? 0xff : (uint8_t)random_next(random);
    for (unsigned i = 0; i < 8; i++) {
        uint64_t mantissa = random_next(random) >> random_below(random, 32);
        uint16_t exponent =
            (uint16_t)(one_in(random, 4)   ? random_next(random)
                       : one_in(random, 4) ? 0x7fff
                                           : 0x3fff + random_below(random, 64) - 32);
        if (!one_in(random, 4))
            mantissa |= (uint64_t)1 << 63;
        memcpy(fx + 32 + 16 * i, &mantissa, 8);
        memcpy(fx + 32 + 16 * i + 8, &exponent, 2);
    }
}

void forms_state(struct random *random, struct native_state *state)
{
    native_state_init(state);
    for (unsigned i = 0; i < 16; i++)
        state->gpr[i] = random_integer(random);
    native_set_rflags(state, random_next(random));
    for (unsigned i = 0; i < 32; i++)
        random_vector(random, state->zmm[i], 64);
    for (unsigned i = 0; i < 8; i++)
        state->k[i] = random_integer(random);
    state->mxcsr = 0x1f80 | random_below(random, 4) << 13 | one_in(random, 4) << 15 |
                   (uint32_t)one_in(random, 4) << 6;
    if (one_in(random, 4))
        state->mxcsr &= ~(random_below(random, 64) << 7);
    if (one_in(random, 4))
        state->mxcsr |= random_below(random, 64);
    random_x87(random, state->fx);
}

static int gpr_id(ZydisRegister reg)
{
    if (reg == ZYDIS_REGISTER_NONE)
        return -1;
    return ZydisRegisterGetId(ZydisRegisterGetLargestEnclosing(ZYDIS_MACHINE_MODE_LONG_64, reg));
}

static bool set_displacement(const ZydisDecodedInstruction *insn, uint64_t value, uint8_t *bytes)
{
    if (insn->raw.disp.size != 32 && insn->raw.disp.size != 64)
        return false;
    memcpy(bytes + insn->raw.disp.offset, &value, insn->raw.disp.size / 8);
    return true;
}

bool forms_aim(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *memory,
               struct random *random, uint64_t rip, uint64_t target, uint8_t *bytes,
               struct native_state *state)
{
    ZydisRegister base_register = memory->mem.base;
    int index = gpr_id(memory->mem.index);
    uint64_t upper = insn->address_width == 32 ? random_next(random) << 32 : 0;
    if (memory->mem.type != ZYDIS_MEMOP_TYPE_MEM)
        return false;
    if (base_register == ZYDIS_REGISTER_RIP || base_register == ZYDIS_REGISTER_EIP)
        return set_displacement(insn, target - (rip + insn->length), bytes);
    int base = gpr_id(base_register);
    uint64_t offset = 0;
    if (index >= 0) {
        uint64_t value = random_below(random, 16);
        state->gpr[index] = value | upper;
        offset = value * memory->mem.scale;
        if (base == index)
            return set_displacement(insn, target - offset - value, bytes);
    }
    if (base < 0)
        return set_displacement(insn, target - offset, bytes);
    state->gpr[base] = target - offset - (uint64_t)memory->mem.disp.value;
    if (insn->address_width == 32)
        state->gpr[base] = (uint32_t)state->gpr[base] | upper;
    return true;
}
