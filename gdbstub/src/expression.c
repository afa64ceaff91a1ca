/* SPDX-License-Identifier: MIT */
#include "internal.h"

/*
 * Agent expressions: the byte code in which gdb writes down a condition. Source: GDB manual, node
 * Bytecode Descriptions; numbers are big-endian there, whatever the target's byte order is.
 */

#define STACK_MAX 64u
#define OP_END 0x27u
#define PRINTF_ARGUMENTS_MAX 32u

struct evaluation {
    const struct gdbstub_view *view;
    const uint8_t *code;
    size_t size;
    size_t next; /* offset of the next byte to execute */
    size_t depth;
    bool prints; /* a command, not a condition */
    uint64_t stack[STACK_MAX];
};

struct opcode {
    uint8_t operand; /* bytes that follow the opcode */
    uint8_t pops;
    uint8_t pushes;
    uint8_t width; /* of what is read from memory, in bytes */
    /* Finds what it pops in item[0] (the deepest) and up, and leaves there what it pushes; there is
     * room for that. Returns 0 or a negative errno: the expression cannot be evaluated. */
    int (*run)(struct evaluation *e, const struct opcode *op, uint64_t operand, uint64_t *item);
};

#define OPERATION(name)                                                                            \
    static int name(struct evaluation *e, const struct opcode *op, uint64_t operand, uint64_t *item)
#define UNUSED (void)e, (void)op, (void)operand

/* An operation on one or two items that cannot fail. */
#define PLAIN(name, value)                                                                         \
    OPERATION(name)                                                                                \
    {                                                                                              \
        UNUSED;                                                                                    \
        item[0] = (uint64_t)(value);                                                               \
        return 0;                                                                                  \
    }

/* ---- arithmetic; shifts by more than there is leave nothing but the sign ---- */

static uint64_t shift_right_signed(uint64_t value, uint64_t by)
{
    uint64_t sign = value >> 63 ? UINT64_MAX : 0;

    if (by == 0)
        return value;
    return by > 63 ? sign : value >> by | sign << (64 - by);
}

PLAIN(op_add, item[0] + item[1])
PLAIN(op_sub, item[0] - item[1])
PLAIN(op_mul, item[0] * item[1])
PLAIN(op_lsh, item[1] > 63 ? 0 : item[0] << item[1])
PLAIN(op_rsh_signed, shift_right_signed(item[0], item[1]))
PLAIN(op_rsh_unsigned, item[1] > 63 ? 0 : item[0] >> item[1])
PLAIN(op_log_not, item[0] == 0)
PLAIN(op_bit_and, item[0] & item[1])
PLAIN(op_bit_or, item[0] | item[1])
PLAIN(op_bit_xor, item[0] ^ item[1])
PLAIN(op_bit_not, ~item[0])
PLAIN(op_equal, item[0] == item[1])
PLAIN(op_less_signed, (int64_t)item[0] < (int64_t)item[1])
PLAIN(op_less_unsigned, item[0] < item[1])

OPERATION(op_div_unsigned)
{
    UNUSED;
    if (item[1] == 0)
        return -EDOM;
    item[0] /= item[1];
    return 0;
}

OPERATION(op_rem_unsigned)
{
    UNUSED;
    if (item[1] == 0)
        return -EDOM;
    item[0] %= item[1];
    return 0;
}

/* Dividing by -1 is a negation, and unlike C's division it cannot overflow. */
OPERATION(op_div_signed)
{
    UNUSED;
    if (item[1] == 0)
        return -EDOM;
    item[0] = item[1] == UINT64_MAX ? 0 - item[0] : (uint64_t)((int64_t)item[0] / (int64_t)item[1]);
    return 0;
}

OPERATION(op_rem_signed)
{
    UNUSED;
    if (item[1] == 0)
        return -EDOM;
    item[0] = item[1] == UINT64_MAX ? 0 : (uint64_t)((int64_t)item[0] % (int64_t)item[1]);
    return 0;
}

OPERATION(op_ext)
{
    UNUSED;
    if (operand == 0)
        return -EINVAL;
    if (operand < 64)
        item[0] = shift_right_signed(item[0] << (64 - operand), 64 - operand);
    return 0;
}

OPERATION(op_zero_ext)
{
    UNUSED;
    if (operand == 0)
        return -EINVAL;
    if (operand < 64)
        item[0] &= (UINT64_C(1) << operand) - 1;
    return 0;
}

/* ---- the stack, and where to go on ---- */

PLAIN(op_const, operand)

OPERATION(op_dup)
{
    UNUSED;
    item[1] = item[0];
    return 0;
}

OPERATION(op_pop)
{
    UNUSED;
    (void)item;
    return 0;
}

OPERATION(op_swap)
{
    uint64_t under = item[0];

    UNUSED;
    item[0] = item[1];
    item[1] = under;
    return 0;
}

/* a b c becomes c a b. */
OPERATION(op_rot)
{
    uint64_t top = item[2];

    UNUSED;
    item[2] = item[1];
    item[1] = item[0];
    item[0] = top;
    return 0;
}

OPERATION(op_pick)
{
    UNUSED;
    if (operand >= e->depth)
        return -EINVAL;
    item[0] = e->stack[e->depth - 1 - operand];
    return 0;
}

OPERATION(op_goto)
{
    UNUSED;
    (void)item;
    e->next = (size_t)operand;
    return 0;
}

OPERATION(op_if_goto)
{
    return item[0] != 0 ? op_goto(e, op, operand, item) : 0;
}

/* ---- the target ---- */

static uint64_t number(const struct evaluation *e, const uint8_t *bytes, size_t size)
{
    bool big = e->view->description->big_endian;
    uint64_t value = 0;

    for (size_t i = 0; i < size; i++)
        value = value << 8 | bytes[big ? i : size - 1 - i];
    return value;
}

OPERATION(op_reg)
{
    const struct gdbstub_view *view = e->view;
    uint8_t bytes[sizeof(uint64_t)];

    UNUSED;
    if (operand >= view->description->register_count)
        return -EINVAL;
    size_t bits = view->description->registers[operand].bits;
    if (bits > 64)
        return -EOVERFLOW;
    int ret = view->read_register(view->ctx, view->thread, (size_t)operand, bytes);
    if (ret < 0)
        return ret;
    item[0] = number(e, bytes, bits / 8);
    return 0;
}

OPERATION(op_ref)
{
    const struct gdbstub_view *view = e->view;
    uint8_t bytes[sizeof(uint64_t)];
    size_t got = 0;

    UNUSED;
    if (item[0] > UINT64_MAX - op->width + 1)
        return -EFAULT;
    int ret = view->read_memory(view->ctx, view->thread, item[0], bytes, op->width, &got);
    if (ret < 0)
        return ret;
    if (got < op->width)
        return -EFAULT;
    item[0] = number(e, bytes, op->width);
    return 0;
}

/* The operand is the number of arguments and the length of the format, which follows. On the stack
 * are the arguments, the first one uppermost, then a channel and a function of gdb's. */
OPERATION(op_printf)
{
    size_t count = (size_t)(operand >> 16);
    size_t length = (size_t)(operand & 0xffff);
    uint64_t args[PRINTF_ARGUMENTS_MAX];

    (void)op, (void)item;
    if (!e->prints || count > PRINTF_ARGUMENTS_MAX || length > e->size - e->next ||
        e->depth < count + 2)
        return -EINVAL;
    e->depth -= 2;
    for (size_t i = 0; i < count; i++)
        args[i] = e->stack[--e->depth];
    const uint8_t *format = e->code + e->next;
    e->next += length;
    return gs_print_format(e->view, format, length, args, count);
}

/* ---- the machine ---- */

/* By opcode. What is not here cannot be evaluated: floating point, trace state and tracing. */
static const struct opcode opcodes[] = {
    [0x02] = {0, 2, 1, 0, op_add},          [0x03] = {0, 2, 1, 0, op_sub},
    [0x04] = {0, 2, 1, 0, op_mul},          [0x05] = {0, 2, 1, 0, op_div_signed},
    [0x06] = {0, 2, 1, 0, op_div_unsigned}, [0x07] = {0, 2, 1, 0, op_rem_signed},
    [0x08] = {0, 2, 1, 0, op_rem_unsigned}, [0x09] = {0, 2, 1, 0, op_lsh},
    [0x0a] = {0, 2, 1, 0, op_rsh_signed},   [0x0b] = {0, 2, 1, 0, op_rsh_unsigned},
    [0x0e] = {0, 1, 1, 0, op_log_not},      [0x0f] = {0, 2, 1, 0, op_bit_and},
    [0x10] = {0, 2, 1, 0, op_bit_or},       [0x11] = {0, 2, 1, 0, op_bit_xor},
    [0x12] = {0, 1, 1, 0, op_bit_not},      [0x13] = {0, 2, 1, 0, op_equal},
    [0x14] = {0, 2, 1, 0, op_less_signed},  [0x15] = {0, 2, 1, 0, op_less_unsigned},
    [0x16] = {1, 1, 1, 0, op_ext},          [0x17] = {0, 1, 1, 1, op_ref},
    [0x18] = {0, 1, 1, 2, op_ref},          [0x19] = {0, 1, 1, 4, op_ref},
    [0x1a] = {0, 1, 1, 8, op_ref},          [0x20] = {2, 1, 0, 0, op_if_goto},
    [0x21] = {2, 0, 0, 0, op_goto},         [0x22] = {1, 0, 1, 0, op_const},
    [0x23] = {2, 0, 1, 0, op_const},        [0x24] = {4, 0, 1, 0, op_const},
    [0x25] = {8, 0, 1, 0, op_const},        [0x26] = {2, 0, 1, 0, op_reg},
    [0x28] = {0, 1, 2, 0, op_dup},          [0x29] = {0, 1, 0, 0, op_pop},
    [0x2a] = {1, 1, 1, 0, op_zero_ext},     [0x2b] = {0, 2, 2, 0, op_swap},
    [0x32] = {1, 0, 1, 0, op_pick},         [0x33] = {0, 3, 3, 0, op_rot},
    [0x34] = {3, 0, 0, 0, op_printf},
};

/* Executes one instruction; the opcode itself has been taken. */
static int execute(struct evaluation *e, uint8_t code)
{
    const struct opcode *op = code < sizeof(opcodes) / sizeof(opcodes[0]) ? &opcodes[code] : NULL;
    uint64_t operand = 0;

    if (!op || !op->run)
        return -ENOSYS;
    if (e->size - e->next < op->operand || e->depth < op->pops ||
        e->depth - op->pops + op->pushes > STACK_MAX)
        return -EINVAL;
    for (unsigned i = 0; i < op->operand; i++)
        operand = operand << 8 | e->code[e->next++];

    /* op_pick counts from the depth before. */
    int ret = op->run(e, op, operand, e->stack + e->depth - op->pops);
    e->depth = e->depth - op->pops + op->pushes;
    return ret;
}

/* Up to the end: 0, or a negative errno. */
static int run(struct evaluation *e, unsigned *steps)
{
    while (e->next < e->size) {
        uint8_t opcode = e->code[e->next++];
        if (opcode == OP_END)
            return 0;
        if (*steps == 0)
            return -E2BIG;
        --*steps;
        int ret = execute(e, opcode);
        if (ret < 0)
            return ret;
    }
    return -EINVAL; /* ran off its end */
}

int gs_evaluate(const struct gdbstub_view *view, const uint8_t *code, size_t size, unsigned *steps,
                uint64_t *value)
{
    struct evaluation e = {.view = view, .code = code, .size = size};
    int ret = run(&e, steps);

    if (ret < 0)
        return ret;
    if (e.depth == 0)
        return -EINVAL;
    *value = e.stack[e.depth - 1];
    return 0;
}

int gs_carry_out(const struct gdbstub_view *view, const uint8_t *code, size_t size, unsigned *steps)
{
    struct evaluation e = {.view = view, .code = code, .size = size, .prints = true};

    return run(&e, steps);
}
