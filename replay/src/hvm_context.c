/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hvm_context.h"

#include <string.h>

enum typecode { END = 0, MTRR = 14, CPU_XSAVE = 16 };

struct descriptor {
    uint16_t typecode, instance;
    uint32_t length;
};

#define XSAVE_XCR0 8u  /* behind the feature mask */
#define XSAVE_AREA 24u /* behind xcr0_accum */

static uint64_t get64(const uint8_t *data)
{
    uint64_t value;

    memcpy(&value, data, sizeof value);
    return value;
}

static void take(const struct descriptor *descriptor, const uint8_t *record,
                 struct hvm_context *out)
{
    if (descriptor->typecode == MTRR && descriptor->length >= sizeof(uint64_t)) {
        out->has_pat = true;
        out->pat = get64(record);
    }
    if (descriptor->typecode == CPU_XSAVE && descriptor->length > XSAVE_AREA) {
        out->has_xsave = true;
        out->xcr0 = get64(record + XSAVE_XCR0);
        out->xsave = record + XSAVE_AREA;
        out->xsave_bytes = descriptor->length - XSAVE_AREA;
    }
}

void hvm_context_parse(const uint8_t *data, size_t bytes, unsigned vcpu, struct hvm_context *out)
{
    struct descriptor descriptor;

    *out = (struct hvm_context){0};
    while (bytes >= sizeof descriptor) {
        memcpy(&descriptor, data, sizeof descriptor);
        data += sizeof descriptor;
        bytes -= sizeof descriptor;
        if (descriptor.typecode == END || descriptor.length > bytes)
            return;
        if (descriptor.instance == vcpu)
            take(&descriptor, data, out);
        data += descriptor.length;
        bytes -= descriptor.length;
    }
}
