/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/insn.h"

#include <capstone/capstone.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define EFER_LMA (UINT64_C(1) << 10)
#define SEGMENT_LONG (1u << 9)
#define SEGMENT_BIG (1u << 10)

struct xrw_disassembler {
    csh handle[3]; /* 16, 32, 64 bit */
};

unsigned xrw_insn_mode(const struct xrw_registers *regs)
{
    uint64_t attr = regs->value[XRW_REG_cs_attr];

    if (!regs->known[XRW_REG_cs_attr] || !regs->known[XRW_REG_efer])
        return 64;
    if (regs->value[XRW_REG_efer] & EFER_LMA && attr & SEGMENT_LONG)
        return 64;
    return attr & SEGMENT_BIG ? 32 : 16;
}

int xrw_disassembler_create(struct xrw_disassembler **out)
{
    static const cs_mode modes[3] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    struct xrw_disassembler *d = calloc(1, sizeof *d);

    if (!d)
        return -ENOMEM;
    for (int i = 0; i < 3; i++)
        if (cs_open(CS_ARCH_X86, modes[i], &d->handle[i]) != CS_ERR_OK) {
            xrw_disassembler_destroy(d);
            return -ENOMEM;
        }
    *out = d;
    return 0;
}

void xrw_disassembler_destroy(struct xrw_disassembler *d)
{
    if (!d)
        return;
    for (int i = 0; i < 3; i++)
        if (d->handle[i])
            (void)cs_close(&d->handle[i]);
    free(d);
}

int xrw_disassemble(struct xrw_disassembler *d, unsigned mode, const uint8_t *code, size_t bytes,
                    xrw_gva rip, struct xrw_insn *insn)
{
    csh handle = d->handle[mode == 64 ? 2 : mode == 32 ? 1 : 0];
    cs_insn *found;

    if (cs_disasm(handle, code, bytes, rip, 1, &found) != 1)
        return -EILSEQ;
    insn->length = found->size;
    (void)snprintf(insn->text, sizeof insn->text, found->op_str[0] ? "%s %s" : "%s",
                   found->mnemonic, found->op_str);
    cs_free(found, 1);
    return 0;
}
