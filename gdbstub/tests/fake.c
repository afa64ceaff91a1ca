/* SPDX-License-Identifier: MIT */
#include "fake.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct gdbstub_register registers[] = {
    {"pc", 64, "org.example.core", "code_ptr", "general", GDBSTUB_REGISTER_EXPEDITE},
    {"sp", 64, "org.example.core", "data_ptr", "general", GDBSTUB_REGISTER_EXPEDITE},
    {"flags", 32, "org.example.system", "my<flags>", "system", 0},
    {"wide", 80, "org.example.core", NULL, NULL, GDBSTUB_REGISTER_NO_SAVE},
    {"lost", 16, "org.example.system", NULL, NULL, GDBSTUB_REGISTER_EXPEDITE},
};
static const size_t starts[] = {0, 8, 16, 20, 30};

static const struct gdbstub_feature features[] = {{"org.example.system", "<flags/>"}};

static int refuse(const struct fake *fake, struct gdbstub_reason *reason)
{
    if (!fake->refusal)
        return 0;
    gdbstub_reason_set(reason, "%s", fake->refusal);
    return -EPERM;
}

static int fake_read_register(void *ctx, gdbstub_thread thread, size_t index, void *value)
{
    const struct fake *fake = ctx;

    if (index == FAKE_LOST)
        return -ENODATA;
    memcpy(value, fake->registers[thread - 1] + starts[index], registers[index].bits / 8u);
    return 0;
}

static int fake_write_register(void *ctx, gdbstub_thread thread, size_t index, const void *value,
                               struct gdbstub_reason *reason)
{
    struct fake *fake = ctx;

    if (refuse(fake, reason) < 0)
        return -EPERM;
    memcpy(fake->registers[thread - 1] + starts[index], value, registers[index].bits / 8u);
    return 0;
}

static int fake_read_memory(void *ctx, gdbstub_thread thread, uint64_t address, void *bytes,
                            size_t size, size_t *got)
{
    const struct fake *fake = ctx;
    uint64_t offset = address - FAKE_MEMORY;

    (void)thread;
    if (offset >= FAKE_MEMORY_SIZE)
        return -EFAULT;
    *got = size < FAKE_MEMORY_SIZE - offset ? size : FAKE_MEMORY_SIZE - offset;
    memcpy(bytes, fake->memory + offset, *got);
    return 0;
}

static int fake_write_memory(void *ctx, gdbstub_thread thread, uint64_t address, const void *bytes,
                             size_t size, struct gdbstub_reason *reason)
{
    struct fake *fake = ctx;
    uint64_t offset = address - FAKE_MEMORY;

    (void)thread;
    if (refuse(fake, reason) < 0)
        return -EPERM;
    if (offset >= FAKE_MEMORY_SIZE || size > FAKE_MEMORY_SIZE - offset)
        return -EFAULT;
    memcpy(fake->memory + offset, bytes, size);
    return 0;
}

static int fake_next_thread(void *ctx, gdbstub_thread after, gdbstub_thread *next)
{
    (void)ctx;
    if (after >= 2)
        return 0;
    *next = after < 1 ? 1 : after + 1;
    return 1;
}

static int fake_thread_name(void *ctx, gdbstub_thread thread, char name[GDBSTUB_NAME_MAX])
{
    (void)ctx;
    snprintf(name, GDBSTUB_NAME_MAX, "CPU#%d<&\"", (int)thread - 1);
    return 0;
}

static int fake_thread_extra(void *ctx, gdbstub_thread thread, char text[GDBSTUB_NAME_MAX])
{
    (void)ctx;
    snprintf(text, GDBSTUB_NAME_MAX, "vCPU %d", (int)thread - 1);
    return 0;
}

static int fake_status(void *ctx, struct gdbstub_stop *stop)
{
    const struct fake *fake = ctx;

    *stop = fake->stop;
    return 0;
}

static int fake_resume(void *ctx, const struct gdbstub_resume *request,
                       struct gdbstub_reason *reason)
{
    struct fake *fake = ctx;

    fake->resumes++;
    fake->request = *request;
    return refuse(fake, reason);
}

static int fake_run(void *ctx, struct gdbstub_console *console, struct gdbstub_stop *stop)
{
    struct fake *fake = ctx;

    if (fake->chatter)
        gdbstub_console_print(console, "%s", fake->chatter);

    fake->runs++;
    if (fake->run_error)
        return fake->run_error;
    if (fake->runs != fake->runs_needed)
        return 0;
    *stop = fake->stop;
    return 1;
}

static int fake_interrupt(void *ctx, struct gdbstub_stop *stop)
{
    struct fake *fake = ctx;

    fake->interrupts++;
    stop->kind = GDBSTUB_STOP_INTERRUPTED;
    return 0;
}

static int fake_insert(void *ctx, const struct gdbstub_breakpoint *breakpoint,
                       struct gdbstub_reason *reason)
{
    struct fake *fake = ctx;

    if (breakpoint->type == GDBSTUB_WATCH_READ)
        return -ENOTSUP;
    fake->inserts++;
    fake->breakpoint = *breakpoint;
    fake->breakpoint.conditions.bytes = fake->conditions;
    if (breakpoint->conditions.size > 0)
        memcpy(fake->conditions, breakpoint->conditions.bytes, breakpoint->conditions.size);
    return refuse(fake, reason);
}

static int fake_remove(void *ctx, const struct gdbstub_breakpoint *breakpoint,
                       struct gdbstub_reason *reason)
{
    struct fake *fake = ctx;

    fake->removes++;
    fake->breakpoint = *breakpoint;
    return refuse(fake, reason);
}

static void fake_clear(void *ctx)
{
    struct fake *fake = ctx;

    fake->clears++;
}

static int fake_restart(void *ctx, struct gdbstub_reason *reason)
{
    struct fake *fake = ctx;

    fake->restarts++;
    return refuse(fake, reason);
}

static int fake_exec_file(void *ctx, char path[GDBSTUB_NAME_MAX])
{
    (void)ctx;
    snprintf(path, GDBSTUB_NAME_MAX, "/boot/vmlinux");
    return 0;
}

static int fake_offsets(void *ctx, struct gdbstub_offsets *offsets)
{
    (void)ctx;
    *offsets = (struct gdbstub_offsets){.text = 0xffffffff00000000, .data = 0x1000};
    return 0;
}

static int fake_next_region(void *ctx, uint64_t address, struct gdbstub_region *region)
{
    static const struct gdbstub_region regions[] = {
        {0x1000, 0x1fff, GDBSTUB_REGION_ROM},
        {FAKE_MEMORY, UINT64_MAX, GDBSTUB_REGION_RAM},
    };

    (void)ctx;
    for (size_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
        if (address <= regions[i].last) {
            *region = regions[i];
            return 1;
        }
    }
    return 0;
}

static int fake_find_mapping(void *ctx, gdbstub_thread thread, uint64_t address,
                             struct gdbstub_mapping *mapping)
{
    (void)ctx, (void)thread;
    if (address == 0xbad)
        return -EIO;
    *mapping = (struct gdbstub_mapping){address & ~UINT64_C(0xfff), address | 0xfff, true, false,
                                        address < 0x10000};
    return 0;
}

static int fake_open_file(void *ctx, const char *path, struct gdbstub_file *file)
{
    struct fake *fake = ctx;

    if (strcmp(path, "/boot/vmlinux") != 0)
        return -ENOENT;
    fake->files_open++;
    *file = (struct gdbstub_file){fake, FAKE_FILE_SIZE};
    return 0;
}

static int fake_read_file(void *ctx, const struct gdbstub_file *file, uint64_t offset, void *bytes,
                          size_t size, size_t *got)
{
    if (file->handle != ctx)
        return -EBADF;
    *got = 0;
    for (; *got < size && offset < FAKE_FILE_SIZE; ++*got)
        ((uint8_t *)bytes)[*got] = (uint8_t)(offset++ * 3);
    return 0;
}

static void fake_close_file(void *ctx, const struct gdbstub_file *file)
{
    struct fake *fake = ctx;

    (void)file;
    fake->files_open--;
}

void fake_announce(void *ctx, const struct gdbstub_stop *stop, struct gdbstub_console *console)
{
    struct fake *fake = ctx;

    fake->announces++;
    gdbstub_console_print(console, "stop %d\n", (int)stop->kind);
}

static int command_echo(void *ctx, const char *args, struct gdbstub_console *console,
                        struct gdbstub_reason *reason)
{
    struct fake *fake = ctx;

    (void)reason;
    snprintf(fake->monitor_args, sizeof(fake->monitor_args), "%s", args);
    gdbstub_console_print(console, "[%s]\n", args);
    return 0;
}

static int command_flood(void *ctx, const char *args, struct gdbstub_console *console,
                         struct gdbstub_reason *reason)
{
    struct fake *fake = ctx;

    (void)args, (void)reason;
    for (size_t i = 0; i < fake->monitor_bytes; i++)
        gdbstub_console_write(console, i % 64 == 63 ? "\n" : "y", 1);
    return 0;
}

static int command_fail(void *ctx, const char *args, struct gdbstub_console *console,
                        struct gdbstub_reason *reason)
{
    (void)ctx, (void)console;
    if (*args)
        gdbstub_reason_set(reason, "no exit %s", args);
    return -ENOENT;
}

static const struct gdbstub_command commands[] = {
    {"echo", "[TEXT]", "print the text", command_echo},
    {"flood", NULL, "print a lot", command_flood},
    {"fail", "[WHY]", "fail", command_fail},
};

struct gdbstub_view fake_view(struct fake *fake)
{
    return (struct gdbstub_view){.description = &fake->description,
                                 .read_register = fake_read_register,
                                 .read_memory = fake_read_memory,
                                 .ctx = fake,
                                 .thread = 1};
}

void fake_init(struct fake *fake)
{
    memset(fake, 0, sizeof(*fake));
    fake->ops = (struct gdbstub_target_ops){
        .size = sizeof(fake->ops),
        .read_register = fake_read_register,
        .write_register = fake_write_register,
        .read_memory = fake_read_memory,
        .write_memory = fake_write_memory,
        .next_thread = fake_next_thread,
        .thread_name = fake_thread_name,
        .thread_extra = fake_thread_extra,
        .status = fake_status,
        .resume = fake_resume,
        .run = fake_run,
        .interrupt = fake_interrupt,
        .can_reverse = true,
        .insert_breakpoint = fake_insert,
        .remove_breakpoint = fake_remove,
        .clear_breakpoints = fake_clear,
        .restart = fake_restart,
        .exec_file = fake_exec_file,
        .offsets = fake_offsets,
        .next_region = fake_next_region,
        .find_mapping = fake_find_mapping,
        .open_file = fake_open_file,
        .read_file = fake_read_file,
        .close_file = fake_close_file,
    };
    fake->description = (struct gdbstub_description){
        .architecture = "i386:x86-64",
        .triple = "x86_64-unknown-linux",
        .registers = registers,
        .register_count = sizeof(registers) / sizeof(registers[0]),
        .features = features,
        .feature_count = sizeof(features) / sizeof(features[0]),
    };
    fake->config = (struct gdbstub_config){
        .ops = &fake->ops,
        .ctx = fake,
        .description = &fake->description,
        .commands = commands,
        .command_count = sizeof(commands) / sizeof(commands[0]),
    };
    fake->runs_needed = 1;
    for (size_t i = 0; i < sizeof(fake->registers[0]); i++) {
        fake->registers[0][i] = (uint8_t)(i + 1);
        fake->registers[1][i] = (uint8_t)(i + 0x81);
    }
    for (size_t i = 0; i < sizeof(fake->memory); i++)
        fake->memory[i] = (uint8_t)(i * 7 + i / 256);
}
