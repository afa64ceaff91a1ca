/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <gdbstub.h>
#include <gdbstub_x86.h>
#include <stdio.h>
#include <string.h>

/* The least target there is: it answers one question, for a register, and prints the answer. */

static int read_register(void *ctx, gdbstub_thread thread, size_t index, void *value)
{
    (void)ctx, (void)thread;
    if (index != GDBSTUB_X86_64_RIP)
        return -ENODATA;
    memset(value, 0x5a, 8);
    return 0;
}

static int read_memory(void *ctx, gdbstub_thread thread, uint64_t address, void *bytes, size_t size,
                       size_t *got)
{
    (void)ctx, (void)thread, (void)address, (void)bytes, (void)size, (void)got;
    return -EFAULT;
}

static int print(void *ctx, const void *bytes, size_t size)
{
    (void)ctx;
    return fwrite(bytes, 1, size, stdout) == size ? 0 : -EIO;
}

int main(void)
{
    static const struct gdbstub_register registers[] = {GDBSTUB_X86_64_CORE};
    static const struct gdbstub_target_ops ops = {
        .size = sizeof(ops), .read_register = read_register, .read_memory = read_memory};
    const struct gdbstub_description description = {
        .registers = registers, .register_count = sizeof(registers) / sizeof(registers[0])};
    const struct gdbstub_config config = {
        .ops = &ops, .description = &description, .output = print};
    static const char question[] = "$p10#d1";
    struct gdbstub *stub;

    if (gdbstub_create(&config, &stub) < 0)
        return 1;
    int ret = gdbstub_feed(stub, question, strlen(question));
    gdbstub_destroy(stub);
    return ret < 0;
}
