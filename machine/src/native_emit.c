/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "native_emit.h"

static void emit_movups(struct emit *e, bool store, unsigned reg, unsigned base, int32_t disp)
{
    emit_rex(e, 0, reg, base);
    emit1(e, 0x0f);
    emit1(e, store ? 0x11 : 0x10);
    emit_address(e, reg, base, disp);
}

/* C4, then inverted R X B with the opcode map, then W vvvv L pp. */
static void emit_vex(struct emit *e, unsigned reg, unsigned base, unsigned map, unsigned last)
{
    emit1(e, 0xc4);
    emit1(e, ((reg >> 3 & 1) ^ 1) << 7 | 1u << 6 | ((base >> 3 & 1) ^ 1) << 5 | map);
    emit1(e, last);
}

static void emit_vmovdqu(struct emit *e, bool store, unsigned reg, unsigned base, int32_t disp)
{
    emit_vex(e, reg, base, 1, 0x7e); /* W0, no vvvv, 256 bits, F3 */
    emit1(e, store ? 0x7f : 0x6f);
    emit_address(e, reg, base, disp);
}

/* The displacement is always 32 bits wide: EVEX scales those of 8. */
static void emit_vmovdqu64(struct emit *e, bool store, unsigned reg, unsigned base, int32_t disp)
{
    emit1(e, 0x62);
    emit1(e, ((reg >> 3 & 1) ^ 1) << 7 | 1u << 6 | ((base >> 3 & 1) ^ 1) << 5 |
                 ((reg >> 4 & 1) ^ 1) << 4 | 1);
    emit1(e, 0xfe); /* W1, no vvvv, F3 */
    emit1(e, 0x48); /* 512 bits, no mask */
    emit1(e, store ? 0x7f : 0x6f);
    emit1(e, 0x80 | (reg & 7) << 3 | (base & 7));
    if ((base & 7) == 4)
        emit1(e, 0x24);
    emit4(e, (uint32_t)disp);
}

void emit_vector(struct emit *e, unsigned bytes, bool store, unsigned reg, unsigned base,
                 int32_t disp)
{
    if (bytes == 64)
        emit_vmovdqu64(e, store, reg, base, disp);
    else if (bytes == 32)
        emit_vmovdqu(e, store, reg, base, disp);
    else
        emit_movups(e, store, reg, base, disp);
}

void emit_mask(struct emit *e, bool store, unsigned reg, unsigned base, int32_t disp)
{
    emit_vex(e, reg, base, 1, 0xf8); /* W1, no vvvv, L0, no prefix */
    emit1(e, store ? 0x91 : 0x90);
    emit_address(e, reg, base, disp);
}
