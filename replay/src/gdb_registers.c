/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gdb_registers.h"

#include <errno.h>
#include <string.h>

/* gdb knows these features and wants just these registers in them, under these names.
 * Source: GDB manual, "i386 Features". */
#define CORE "org.gnu.gdb.i386.core"
#define SSE "org.gnu.gdb.i386.sse"
#define SEGMENTS "org.gnu.gdb.i386.segments"
#define SYSTEM "org.xenrewind.system"
#define EXIT "org.xenrewind.exit"
#define RESUME "org.xenrewind.resume"

/* Offsets in an FXSAVE64 image.  Source: Intel SDM, "FXSAVE". */
enum {
    FX_FCW = 0,
    FX_FSW = 2,
    FX_FTW = 4,
    FX_FOP = 6,
    FX_FIP = 8,
    FX_FIP_HIGH = 12,
    FX_FDP = 16,
    FX_FDP_HIGH = 20,
    FX_MXCSR = 24,
    FX_ST = 32,
    FX_XMM = 160,
    FX_STRIDE = 16,
};

static const char core_types[] =
    "<flags id=\"i386_eflags\" size=\"4\">"
    "<field name=\"CF\" start=\"0\" end=\"0\"/><field name=\"\" start=\"1\" end=\"1\"/>"
    "<field name=\"PF\" start=\"2\" end=\"2\"/><field name=\"AF\" start=\"4\" end=\"4\"/>"
    "<field name=\"ZF\" start=\"6\" end=\"6\"/><field name=\"SF\" start=\"7\" end=\"7\"/>"
    "<field name=\"TF\" start=\"8\" end=\"8\"/><field name=\"IF\" start=\"9\" end=\"9\"/>"
    "<field name=\"DF\" start=\"10\" end=\"10\"/><field name=\"OF\" start=\"11\" end=\"11\"/>"
    "<field name=\"NT\" start=\"14\" end=\"14\"/><field name=\"RF\" start=\"16\" end=\"16\"/>"
    "<field name=\"VM\" start=\"17\" end=\"17\"/><field name=\"AC\" start=\"18\" end=\"18\"/>"
    "<field name=\"VIF\" start=\"19\" end=\"19\"/><field name=\"VIP\" start=\"20\" end=\"20\"/>"
    "<field name=\"ID\" start=\"21\" end=\"21\"/></flags>";

static const char sse_types[] =
    "<vector id=\"v8bf16\" type=\"bfloat16\" count=\"8\"/>"
    "<vector id=\"v4f\" type=\"ieee_single\" count=\"4\"/>"
    "<vector id=\"v2d\" type=\"ieee_double\" count=\"2\"/>"
    "<vector id=\"v16i8\" type=\"int8\" count=\"16\"/>"
    "<vector id=\"v8i16\" type=\"int16\" count=\"8\"/>"
    "<vector id=\"v4i32\" type=\"int32\" count=\"4\"/>"
    "<vector id=\"v2i64\" type=\"int64\" count=\"2\"/>"
    "<union id=\"vec128\"><field name=\"v8_bfloat16\" type=\"v8bf16\"/>"
    "<field name=\"v4_float\" type=\"v4f\"/><field name=\"v2_double\" type=\"v2d\"/>"
    "<field name=\"v16_int8\" type=\"v16i8\"/><field name=\"v8_int16\" type=\"v8i16\"/>"
    "<field name=\"v4_int32\" type=\"v4i32\"/><field name=\"v2_int64\" type=\"v2i64\"/>"
    "<field name=\"uint128\" type=\"uint128\"/></union>"
    "<flags id=\"i386_mxcsr\" size=\"4\">"
    "<field name=\"IE\" start=\"0\" end=\"0\"/><field name=\"DE\" start=\"1\" end=\"1\"/>"
    "<field name=\"ZE\" start=\"2\" end=\"2\"/><field name=\"OE\" start=\"3\" end=\"3\"/>"
    "<field name=\"UE\" start=\"4\" end=\"4\"/><field name=\"PE\" start=\"5\" end=\"5\"/>"
    "<field name=\"DAZ\" start=\"6\" end=\"6\"/><field name=\"IM\" start=\"7\" end=\"7\"/>"
    "<field name=\"DM\" start=\"8\" end=\"8\"/><field name=\"ZM\" start=\"9\" end=\"9\"/>"
    "<field name=\"OM\" start=\"10\" end=\"10\"/><field name=\"UM\" start=\"11\" end=\"11\"/>"
    "<field name=\"PM\" start=\"12\" end=\"12\"/><field name=\"FZ\" start=\"15\" end=\"15\"/>"
    "</flags>";

static const struct gdbstub_feature features[] = {{CORE, core_types}, {SSE, sse_types}};

static void add(struct xrw_gdb_registers *registers, struct gdbstub_register reg,
                struct xrw_gdb_origin origin)
{
    if (registers->count == XRW_GDB_REGISTERS_MAX)
        return;
    registers->reg[registers->count] = reg;
    registers->origin[registers->count] = origin;
    registers->count++;
}

/* ---- what gdb prescribes ----------------------------------------------- */

static const struct {
    const char *name;
    enum xrw_register reg;
    uint16_t bits;
    const char *type;
    unsigned flags;
} core_table[] = {
    {"rax", XRW_REG_rax, 64, "int64", 0},
    {"rbx", XRW_REG_rbx, 64, "int64", 0},
    {"rcx", XRW_REG_rcx, 64, "int64", 0},
    {"rdx", XRW_REG_rdx, 64, "int64", 0},
    {"rsi", XRW_REG_rsi, 64, "int64", 0},
    {"rdi", XRW_REG_rdi, 64, "int64", 0},
    {"rbp", XRW_REG_rbp, 64, "data_ptr", GDBSTUB_REGISTER_EXPEDITE},
    {"rsp", XRW_REG_rsp, 64, "data_ptr", GDBSTUB_REGISTER_EXPEDITE},
    {"r8", XRW_REG_r8, 64, "int64", 0},
    {"r9", XRW_REG_r9, 64, "int64", 0},
    {"r10", XRW_REG_r10, 64, "int64", 0},
    {"r11", XRW_REG_r11, 64, "int64", 0},
    {"r12", XRW_REG_r12, 64, "int64", 0},
    {"r13", XRW_REG_r13, 64, "int64", 0},
    {"r14", XRW_REG_r14, 64, "int64", 0},
    {"r15", XRW_REG_r15, 64, "int64", 0},
    {"rip", XRW_REG_rip, 64, "code_ptr", GDBSTUB_REGISTER_EXPEDITE},
    {"eflags", XRW_REG_rflags, 32, "i386_eflags", GDBSTUB_REGISTER_EXPEDITE},
    {"cs", XRW_REG_cs, 32, "int32", 0},
    {"ss", XRW_REG_ss, 32, "int32", 0},
    {"ds", XRW_REG_ds, 32, "int32", 0},
    {"es", XRW_REG_es, 32, "int32", 0},
    {"fs", XRW_REG_fs, 32, "int32", 0},
    {"gs", XRW_REG_gs, 32, "int32", 0},
};

static void add_core(struct xrw_gdb_registers *registers)
{
    for (size_t i = 0; i < sizeof core_table / sizeof *core_table; i++)
        add(registers,
            (struct gdbstub_register){core_table[i].name, core_table[i].bits, CORE,
                                      core_table[i].type, NULL, core_table[i].flags},
            (struct xrw_gdb_origin){XRW_GDB_BEFORE, core_table[i].reg, 8});
}

/* gdb takes the upper halves of the 64-bit FPU pointers for their segments. */
static const struct {
    const char *name;
    enum xrw_gdb_source source;
    unsigned offset, bytes;
} fpu_table[] = {
    {"fctrl", XRW_GDB_FXSAVE, FX_FCW, 2},    {"fstat", XRW_GDB_FXSAVE, FX_FSW, 2},
    {"ftag", XRW_GDB_FXSAVE_TAG, FX_FTW, 2}, {"fiseg", XRW_GDB_FXSAVE, FX_FIP_HIGH, 4},
    {"fioff", XRW_GDB_FXSAVE, FX_FIP, 4},    {"foseg", XRW_GDB_FXSAVE, FX_FDP_HIGH, 4},
    {"fooff", XRW_GDB_FXSAVE, FX_FDP, 4},    {"fop", XRW_GDB_FXSAVE, FX_FOP, 2},
};

static void add_fpu(struct xrw_gdb_registers *registers)
{
    static const char *const st[] = {"st0", "st1", "st2", "st3", "st4", "st5", "st6", "st7"};
    static const char *const xmm[] = {"xmm0",  "xmm1",  "xmm2",  "xmm3", "xmm4",  "xmm5",
                                      "xmm6",  "xmm7",  "xmm8",  "xmm9", "xmm10", "xmm11",
                                      "xmm12", "xmm13", "xmm14", "xmm15"};

    for (unsigned i = 0; i < 8; i++)
        add(registers, (struct gdbstub_register){st[i], 80, CORE, "i387_ext", NULL, 0},
            (struct xrw_gdb_origin){XRW_GDB_FXSAVE, FX_ST + i * FX_STRIDE, 10});
    for (size_t i = 0; i < sizeof fpu_table / sizeof *fpu_table; i++)
        add(registers, (struct gdbstub_register){fpu_table[i].name, 32, CORE, "int", "float", 0},
            (struct xrw_gdb_origin){fpu_table[i].source, fpu_table[i].offset, fpu_table[i].bytes});
    for (unsigned i = 0; i < 16; i++)
        add(registers, (struct gdbstub_register){xmm[i], 128, SSE, "vec128", NULL, 0},
            (struct xrw_gdb_origin){XRW_GDB_FXSAVE, FX_XMM + i * FX_STRIDE, 16});
    add(registers, (struct gdbstub_register){"mxcsr", 32, SSE, "i386_mxcsr", "vector", 0},
        (struct xrw_gdb_origin){XRW_GDB_FXSAVE, FX_MXCSR, 4});
}

static void add_segments(struct xrw_gdb_registers *registers)
{
    add(registers, (struct gdbstub_register){"fs_base", 64, SEGMENTS, "int", NULL, 0},
        (struct xrw_gdb_origin){XRW_GDB_BEFORE, XRW_REG_fs_base, 8});
    add(registers, (struct gdbstub_register){"gs_base", 64, SEGMENTS, "int", NULL, 0},
        (struct xrw_gdb_origin){XRW_GDB_BEFORE, XRW_REG_gs_base, 8});
}

/* ---- what is our own --------------------------------------------------- */

static const char *uint_type(unsigned bits)
{
    return bits == 64 ? "uint64" : bits == 32 ? "uint32" : "uint16";
}

/* Pointers are shown with the symbol they point to. */
static const char *system_type(unsigned reg)
{
    switch (reg) {
    case XRW_REG_lstar:
    case XRW_REG_cstar:
    case XRW_REG_sysenter_eip:
        return "code_ptr";
    default:
        return uint_type(xrw_register_table[reg].bits);
    }
}

static bool is_listed(const struct xrw_gdb_registers *registers, unsigned reg)
{
    for (size_t i = 0; i < registers->count; i++)
        if (registers->origin[i].source == XRW_GDB_BEFORE && registers->origin[i].index == reg)
            return true;
    return false;
}

static void add_system(struct xrw_gdb_registers *registers)
{
    for (unsigned i = 0; i < XRW_REGISTER_COUNT; i++)
        if (!is_listed(registers, i))
            add(registers,
                (struct gdbstub_register){xrw_register_table[i].name,
                                          (uint16_t)xrw_register_table[i].bits, SYSTEM,
                                          system_type(i), "system", GDBSTUB_REGISTER_NO_SAVE},
                (struct xrw_gdb_origin){XRW_GDB_BEFORE, i, 8});
}

static void add_own(struct xrw_gdb_registers *registers, const char *name, unsigned bits,
                    const char *feature, const char *group, struct xrw_gdb_origin origin)
{
    add(registers,
        (struct gdbstub_register){name, (uint16_t)bits, feature, uint_type(bits), group,
                                  GDBSTUB_REGISTER_NO_SAVE},
        origin);
}

static void add_exit(struct xrw_gdb_registers *registers)
{
    static const char *const names[] = {
#define FIELD_NAME(name, bits, what) "exit_" #name,
        XRW_EXIT_FIELD_TABLE(FIELD_NAME)
#undef FIELD_NAME
    };

    add_own(registers, "exit_id", 64, EXIT, "exit", (struct xrw_gdb_origin){XRW_GDB_EXIT_ID, 0, 8});
    add_own(registers, "exit_run", 64, EXIT, "exit", (struct xrw_gdb_origin){XRW_GDB_RUN, 0, 8});
    add_own(registers, "exit_vcpu", 32, EXIT, "exit", (struct xrw_gdb_origin){XRW_GDB_VCPU, 0, 8});
    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++)
        add_own(registers, names[i], xrw_exit_field_table[i].bits, EXIT, "exit",
                (struct xrw_gdb_origin){XRW_GDB_FIELD, i, 8});
}

static void add_resume(struct xrw_gdb_registers *registers)
{
    static const char *const names[] = {
#define REGISTER_NAME(name, bits, group) "resume_" #name,
        XRW_REGISTER_TABLE(REGISTER_NAME)
#undef REGISTER_NAME
    };

    for (unsigned i = 0; i < XRW_REGISTER_COUNT; i++)
        add_own(registers, names[i], xrw_register_table[i].bits, RESUME, "resume",
                (struct xrw_gdb_origin){XRW_GDB_RESUME, i, 8});
}

void xrw_gdb_registers_init(struct xrw_gdb_registers *registers)
{
    memset(registers, 0, sizeof *registers);
    add_core(registers);
    add_fpu(registers);
    add_segments(registers);
    add_system(registers);
    add_exit(registers);
    add_resume(registers);
    registers->description = (struct gdbstub_description){
        .architecture = "i386:x86-64",
        .osabi = "none",
        .triple = "x86_64-unknown-linux",
        .registers = registers->reg,
        .register_count = registers->count,
        .features = features,
        .feature_count = sizeof features / sizeof *features,
    };
}

/* ---- values ------------------------------------------------------------ */

enum { TAG_VALID = 0, TAG_ZERO = 1, TAG_SPECIAL = 2, TAG_EMPTY = 3 };

static unsigned classify(const uint8_t st[10])
{
    unsigned exponent = (unsigned)(st[9] & 0x7f) << 8 | st[8];
    uint64_t mantissa;

    memcpy(&mantissa, st, sizeof mantissa);
    if (exponent == 0)
        return mantissa ? TAG_SPECIAL : TAG_ZERO;
    return exponent != 0x7fff && mantissa >> 63 ? TAG_VALID : TAG_SPECIAL;
}

/* The full tag word, two bits for each physical register, from the one bit that FXSAVE keeps and
 * the values.  Source: Intel SDM, "Recreating FSAVE format". */
static uint64_t full_tag(const uint8_t *fxsave)
{
    unsigned top = fxsave[FX_FSW + 1] >> 3 & 7;
    uint64_t tags = 0;

    for (unsigned i = 0; i < 8; i++) {
        unsigned tag = TAG_EMPTY;

        if (fxsave[FX_FTW] >> i & 1)
            tag = classify(fxsave + FX_ST + ((i - top) & 7) * FX_STRIDE);
        tags |= (uint64_t)tag << (2 * i);
    }
    return tags;
}

static int from_fxsave(const struct xrw_gdb_origin *origin, const uint8_t *fxsave, uint8_t *value,
                       size_t bytes)
{
    if (!fxsave)
        return -ENODATA;
    memset(value, 0, bytes);
    memcpy(value, fxsave + origin->index, origin->bytes);
    return 0;
}

static int from_registers(const struct xrw_registers *regs, unsigned reg, uint64_t *number)
{
    if (!regs->known[reg])
        return -ENODATA;
    *number = regs->value[reg];
    return 0;
}

static int number_of(const struct xrw_gdb_origin *origin, const struct xrw_exit *exit,
                     const uint8_t *fxsave, uint64_t *number)
{
    switch (origin->source) {
    case XRW_GDB_BEFORE:
        return from_registers(&exit->before, origin->index, number);
    case XRW_GDB_RESUME:
        return exit->has_after ? from_registers(&exit->after, origin->index, number) : -ENODATA;
    case XRW_GDB_FIELD:
        *number = exit->field[origin->index];
        return exit->field_known[origin->index] ? 0 : -ENODATA;
    case XRW_GDB_EXIT_ID:
        *number = exit->id;
        return 0;
    case XRW_GDB_RUN:
        *number = exit->run;
        return 0;
    case XRW_GDB_VCPU:
        *number = exit->vcpu;
        return 0;
    case XRW_GDB_FXSAVE_TAG:
        *number = fxsave ? full_tag(fxsave) : 0;
        return fxsave ? 0 : -ENODATA;
    case XRW_GDB_FXSAVE:
        break;
    }
    return -ENODATA;
}

int xrw_gdb_register_value(const struct xrw_gdb_registers *registers, size_t index,
                           const struct xrw_exit *exit, const uint8_t *fxsave, void *value)
{
    const struct xrw_gdb_origin *origin = &registers->origin[index];
    size_t bytes = registers->reg[index].bits / 8u;
    uint8_t *out = value;
    uint64_t number = 0;
    int ret;

    if (origin->source == XRW_GDB_FXSAVE)
        return from_fxsave(origin, fxsave, out, bytes);
    ret = number_of(origin, exit, fxsave, &number);
    if (ret)
        return ret;
    for (size_t i = 0; i < bytes; i++)
        out[i] = (uint8_t)(number >> (8 * i));
    return 0;
}
