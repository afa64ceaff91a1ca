/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine beside Unicorn, on the same user program (machine/tests/guest/work.c): millions of
 * instructions a second of processor time.
 */
#include "bench.h"
#include "flat.h"
#include "guest/work.h"

#include <stdio.h>
#include <string.h>
#include <unicorn/unicorn.h>

#define MEMORY ((uint64_t)4 << 20)
#define DATA (FLAT_BASE + 0x100000u)
#define STACK (FLAT_BASE + MEMORY - 4096)
#define SEED 7u

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

static double translator(void *ctx)
{
    struct program *program = ctx;
    struct flat *flat = flat_create(MEMORY, true);
    uint64_t done = 0;
    if (!flat)
        bench_fail("no translator on this host");
    struct work *work = (struct work *)(flat->memory + (DATA - FLAT_BASE));
    memcpy(flat->memory, program->image, program->bytes);
    work->rounds = program->rounds;
    work->seed = SEED;
    flat->rip = FLAT_BASE;
    flat->native.gpr[7] = DATA;
    flat->native.gpr[4] = STACK;
    uint64_t begin = bench_cpu_ns();
    int result = flat_run(flat, INT64_MAX, &done);
    program->instructions = done;
    double value = rate(program, begin);
    if (result != FLAT_STOPPED)
        bench_fail("the translator stopped with %d at %llx", result, (unsigned long long)flat->rip);
    check(program, work, "the translator");
    flat_destroy(flat);
    return value;
}

static void on_code(uc_engine *engine, uint64_t address, uint32_t size, void *data)
{
    (void)engine;
    (void)address;
    (void)size;
    ++*(uint64_t *)data;
}

static double unicorn(struct program *program, bool hook)
{
    static struct work results;
    uint64_t rdi = DATA, rsp = STACK, counted = 0;
    const uint32_t head[2] = {program->rounds, SEED};
    uc_engine *engine;
    uc_hook handle;
    if (uc_open(UC_ARCH_X86, UC_MODE_64, &engine) != UC_ERR_OK ||
        uc_mem_map(engine, FLAT_BASE, MEMORY, UC_PROT_ALL) != UC_ERR_OK ||
        uc_mem_write(engine, FLAT_BASE, program->image, program->bytes) != UC_ERR_OK ||
        uc_mem_write(engine, DATA, head, sizeof(head)) != UC_ERR_OK ||
        uc_reg_write(engine, UC_X86_REG_RDI, &rdi) != UC_ERR_OK ||
        uc_reg_write(engine, UC_X86_REG_RSP, &rsp) != UC_ERR_OK ||
        (hook && uc_hook_add(engine, &handle, UC_HOOK_CODE, (void *)on_code, &counted, (uint64_t)1,
                             (uint64_t)0) != UC_ERR_OK))
        bench_fail("Unicorn cannot be set up");
    uint64_t begin = bench_cpu_ns();
    uc_err error = uc_emu_start(engine, FLAT_BASE, FLAT_BASE + 5, 0, 0); /* to work_end */
    double value = rate(program, begin);
    if (error != UC_ERR_OK || uc_mem_read(engine, DATA, &results, sizeof(results)) != UC_ERR_OK)
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

int main(void)
{
    static struct program program;
    load(&program, 20);
    translator(&program); /* counts the instructions */
    bench_pairs("engine/translator/user", "MIPS", translator, "Unicorn without hooks",
                unicorn_plain, &program);
    bench_pairs("engine/translator/user/hooked", "MIPS", translator,
                "Unicorn with a hook of each instruction", unicorn_hooked, &program);
    return 0;
}
