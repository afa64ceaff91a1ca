/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine beside Unicorn, on the same user program (machine/tests/guest/work.c): millions of
 * instructions a second of processor time.
 */
#include "bench.h"
#include "work_machine.h"
#include "xrw/platform.h"

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unicorn/unicorn.h>

#define STACK 0x600000u
#define SEED 7u
#define LOG_BYTES ((size_t)1 << 30)

struct program {
    uint8_t image[65536];
    size_t bytes;
    uint32_t rounds;
    uint64_t instructions; /* of all rounds */
    struct work expected;
};

static void load(struct program *program, uint32_t rounds)
{
    FILE *file = fopen(WORK_BINARY, "rb");
    if (!file)
        bench_fail("cannot open %s", WORK_BINARY);
    program->bytes = fread(program->image, 1, sizeof(program->image), file);
    fclose(file);
    program->rounds = rounds;
    program->expected.rounds = rounds;
    program->expected.seed = SEED;
    work_all(&program->expected);
}

static double rate(const struct program *program, uint64_t begin)
{
    return (double)program->instructions / ((double)(bench_cpu_ns() - begin) / 1e9) / 1e6;
}

static void check(const struct program *program, const struct work *results, const char *who)
{
    if (memcmp(results->results, program->expected.results, sizeof(results->results)) != 0)
        bench_fail("%s computed wrong results", who);
}

enum way { INTERPRETER, INTERPRETER_LOG, TRANSLATOR, TRANSLATOR_LOG };

static double engine(struct program *program, enum way way)
{
    static struct work results;
    const struct xrw_machine_until until = {.instructions = UINT64_MAX};
    struct xrw_machine_result result;
    struct xrw_machine *m =
        work_machine_create(program->image, program->bytes, program->rounds, SEED);
    if (!m)
        bench_fail("no engine on this host");
    xrw_machine_set_translator(m, way >= TRANSLATOR);
    if ((way == INTERPRETER_LOG || way == TRANSLATOR_LOG) && xrw_machine_log(m, LOG_BYTES) != 0)
        bench_fail("no memory for the log");
    uint64_t begin = bench_cpu_ns();
    if (xrw_machine_run(m, &until, &result) != 0 || result.stop != XRW_STOP_EXIT)
        bench_fail("the engine stopped with %d", (int)result.stop);
    program->instructions = result.instructions;
    double value = rate(program, begin);
    if (xrw_machine_read(m, WORK_DATA, &results, sizeof results) != 0)
        bench_fail("the results cannot be read");
    check(program, &results, "the engine");
    xrw_machine_destroy(m);
    return value;
}

static double interpreter(void *ctx)
{
    return engine(ctx, INTERPRETER);
}

static double interpreter_log(void *ctx)
{
    return engine(ctx, INTERPRETER_LOG);
}

static double translator(void *ctx)
{
    return engine(ctx, TRANSLATOR);
}

static double translator_log(void *ctx)
{
    return engine(ctx, TRANSLATOR_LOG);
}

static void on_code(uc_engine *engine, uint64_t address, uint32_t size, void *data)
{
    (void)engine;
    (void)address;
    (void)size;
    ++*(uint64_t *)data;
}

static double unicorn(const struct program *program, bool hook)
{
    static struct work results;
    uc_engine *engine;
    uint64_t rdi = WORK_DATA, rsp = STACK, counted = 0;
    const uint32_t head[2] = {program->rounds, SEED};
    uc_hook handle;
    if (uc_open(UC_ARCH_X86, UC_MODE_64, &engine) != UC_ERR_OK ||
        uc_mem_map(engine, WORK_USER, WORK_BYTES - WORK_USER, UC_PROT_ALL) != UC_ERR_OK ||
        uc_mem_write(engine, WORK_USER, program->image, program->bytes) != UC_ERR_OK ||
        uc_mem_write(engine, WORK_DATA, head, sizeof(head)) != UC_ERR_OK ||
        uc_reg_write(engine, UC_X86_REG_RDI, &rdi) != UC_ERR_OK ||
        uc_reg_write(engine, UC_X86_REG_RSP, &rsp) != UC_ERR_OK ||
        (hook && uc_hook_add(engine, &handle, UC_HOOK_CODE, (void *)on_code, &counted, (uint64_t)1,
                             (uint64_t)0) != UC_ERR_OK))
        bench_fail("Unicorn cannot be set up");
    uint64_t begin = bench_cpu_ns();
    uc_err error = uc_emu_start(engine, WORK_USER, WORK_USER + 5, 0, 0); /* to work_end */
    double value = rate(program, begin);
    if (error != UC_ERR_OK ||
        uc_mem_read(engine, WORK_DATA, &results, sizeof(results)) != UC_ERR_OK)
        bench_fail("Unicorn: %s", uc_strerror(error));
    check(program, &results, "Unicorn");
    uc_close(engine);
    return value;
}

static double unicorn_plain(void *ctx)
{
    return unicorn(ctx, false);
}

static double unicorn_hooked(void *ctx)
{
    return unicorn(ctx, true);
}

/* ---- A Linux boot ---- */

#define BOOT_BYTES (UINT64_C(256) << 20)

static double boot(const char *kernel, bool translator)
{
    const struct xrw_platform_config config = {
        .kernel = kernel, .cmdline = "console=ttyS0 panic=-1", .memory_bytes = BOOT_BYTES};
    struct xrw_platform *platform;
    struct xrw_error err = {0};
    static struct xrw_exit exit_record;
    int result;
    if (xrw_platform_create(&config, &platform, &err) != 0)
        bench_fail("%s: %s", kernel, err.text);
    struct xrw_machine *m = xrw_platform_machine(platform);
    xrw_machine_set_translator(m, translator);
    uint64_t begin = bench_cpu_ns();
    do {
        result = xrw_platform_run(platform, NULL, &exit_record, &err);
        if (result == XRW_PLATFORM_EXIT && xrw_platform_handle(platform, &exit_record, &err) != 0)
            result = -1;
    } while (result == XRW_PLATFORM_EXIT || result == XRW_PLATFORM_INTERRUPTED);
    double seconds = (double)(bench_cpu_ns() - begin) / 1e9;
    if (result != XRW_PLATFORM_ENDED && result != XRW_PLATFORM_IDLE)
        bench_fail("the kernel stopped: %s", err.text);
    double value = (double)xrw_machine_count(m) / seconds / 1e6;
    xrw_platform_destroy(platform);
    return value;
}

static double boot_interpreted(void *kernel)
{
    return boot(kernel, false);
}

static double boot_translated(void *kernel)
{
    return boot(kernel, true);
}

/* The first file in the tests' cache that matches; the caller frees it.  NULL: there is none. */
static char *cached(const char *what)
{
    char pattern[512];
    glob_t found = {0};
    const char *home = getenv("HOME");
    char *path = NULL;
    snprintf(pattern, sizeof(pattern), "%s/.cache/xenrewind/%s", home ? home : "", what);
    if (glob(pattern, 0, NULL, &found) == 0)
        path = strdup(found.gl_pathv[0]);
    globfree(&found);
    return path;
}

static void bench_boot(const char *name, char *kernel)
{
    if (kernel)
        bench_pairs(name, "MIPS", boot_translated, "the interpreter", boot_interpreted, kernel);
    else
        fprintf(stderr, "%s: no kernel to boot: ./run test gets one\n", name);
    free(kernel);
}

/* Debian's kernel, 1.3 billion instructions, or the one that XENREWIND_BENCH_KERNEL names; and the
 * testbed's small one, most of whose 21 million run once. */
static void bench_boots(void)
{
    const char *named = getenv("XENREWIND_BENCH_KERNEL");
    bench_boot("engine/translator/boot",
               named ? strdup(named) : cached("source-linux-image-*/vmlinux"));
    bench_boot("engine/translator/boot/short", cached("linux-*/vmlinux-boot"));
}

int main(void)
{
    static struct program program;
    load(&program, 20);
    translator(&program); /* counts the instructions */
    bench_pairs("engine/interpreter/user", "MIPS", interpreter, "Unicorn without hooks",
                unicorn_plain, &program);
    bench_pairs("engine/interpreter/user/hooked", "MIPS", interpreter,
                "Unicorn with a hook of each instruction", unicorn_hooked, &program);
    bench_pairs("engine/interpreter/user/log", "MIPS", interpreter_log,
                "the interpreter without an undo log", interpreter, &program);
    bench_pairs("engine/translator/user", "MIPS", translator, "Unicorn without hooks",
                unicorn_plain, &program);
    bench_pairs("engine/translator/user/log", "MIPS", translator_log,
                "the translator without an undo log", translator, &program);
    bench_boots();
    return 0;
}
