/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Steps over the remote protocol, on a recording of a million exits: from packet in to packet out
 * inside the process, and over a Unix socket beside a forward step of QEMU over its own stub.
 * bench_gdb XENREWIND
 */
#include "bench.h"
#include "stub_client.h"

#include "gdbstub.h"
#include "xrw/gdb_target.h"
#include "xrw/store.h"
#include "xrw/vmx.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXITS UINT64_C(1000000)
#define SITES 1000u
#define STEPS 20000u
#define STEPS_OF_A_RUN 3000u

/* ---- the recording ----------------------------------------------------- */

static void check(int ret, const struct xrw_error *err)
{
    if (ret)
        bench_fail("%s (%d)", err->text, ret);
}

static void fill(struct xrw_exit *exit, xrw_exit_id id)
{
    *exit = (struct xrw_exit){.id = id, .run = 1, .has_after = true};
    for (unsigned i = 0; i < XRW_HOT_COUNT; i++)
        xrw_registers_set(&exit->before, i, id * (i % 5 + 1));
    xrw_registers_set(&exit->before, XRW_REG_rip, 0xffffffff81000000 + id % SITES * 16);
    xrw_registers_set(&exit->before, XRW_REG_cr3, 0x1000 + (id / 4096 % 8) * 0x1000);
    exit->after = exit->before;
    xrw_registers_set(&exit->after, XRW_REG_rip, exit->before.value[XRW_REG_rip] + 2);
    xrw_exit_set(exit, XRW_EXIT_reason, id % 3 ? XRW_VMX_CPUID : XRW_VMX_IO_INSTRUCTION);
    xrw_exit_set(exit, XRW_EXIT_insn_len, 2);
    xrw_exit_set(exit, XRW_EXIT_time_ns, id * 1000);
}

static void make_recording(const char *path)
{
    struct xrw_run run = {.id = 1, .vcpus = 1, .first_exit = 1, .memory = XRW_MEMORY_NONE};
    struct xrw_store *store;
    struct xrw_error err;

    (void)fprintf(stderr, "gdb: making a recording of %llu exits\n", (unsigned long long)EXITS);
    check(xrw_store_create(&store, path, &err), &err);
    check(xrw_store_begin_run(store, &run, &err), &err);
    for (xrw_exit_id id = 1; id <= EXITS; id++) {
        struct xrw_exit exit;

        fill(&exit, id);
        check(xrw_store_add_exit(store, &exit, &err), &err);
    }
    run.last_exit = EXITS;
    check(xrw_store_end_run(store, &run, &err), &err);
    check(xrw_store_close(store, &err), &err);
}

/* ---- in the process ---------------------------------------------------- */

struct stub {
    struct gdbstub *engine;
    size_t sent;
};

static int count(void *ctx, const void *bytes, size_t size)
{
    (void)bytes;
    ((struct stub *)ctx)->sent += size;
    return 0;
}

/* Nanoseconds from a packet to its whole reply. */
static uint64_t ask(struct stub *stub, const char *body)
{
    char frame[128];
    unsigned sum = 0;
    uint64_t begun;

    for (const char *c = body; *c; c++)
        sum += (unsigned char)*c;
    (void)snprintf(frame, sizeof frame, "+$%s#%02x", body, sum & 255);
    stub->sent = 0;
    begun = bench_now_ns();
    (void)gdbstub_feed(stub->engine, frame, strlen(frame));
    while (gdbstub_state(stub->engine) == GDBSTUB_RUNNING)
        (void)gdbstub_poll(stub->engine);
    begun = bench_now_ns() - begun;
    if (!stub->sent)
        bench_fail("%s was not answered", body);
    return begun;
}

static void measure_steps(struct stub *stub, const char *name, const char *body)
{
    static double took[STEPS];
    char label[64];

    for (unsigned i = 0; i < STEPS; i++)
        took[i] = (double)ask(stub, body) / 1000;
    (void)snprintf(label, sizeof label, "gdb/%s median", name);
    bench_report(label, bench_median(took, STEPS), "us");
    (void)snprintf(label, sizeof label, "gdb/%s 99 of 100", name);
    bench_report(label, bench_quantile(took, STEPS, 0.99), "us");
}

static void measure_process(const char *path)
{
    struct stub stub = {0};
    struct gdbstub_config config = {.output = count, .output_ctx = &stub};
    struct xrw_gdb_target *target;
    struct xrw_store *store;
    struct xrw_error err;

    check(xrw_store_open(&store, path, &err), &err);
    check(xrw_gdb_target_create(store, 1, &target, &err), &err);
    xrw_gdb_target_config(target, &config);
    if (gdbstub_create(&config, &stub.engine))
        bench_fail("no engine");
    (void)ask(&stub, "qSupported:multiprocess+;swbreak+;hwbreak+;vContSupported+");
    (void)ask(&stub, "QStartNoAckMode");
    (void)ask(&stub, "vCont;c"); /* to the end */
    measure_steps(&stub, "reverse step", "bs");
    measure_steps(&stub, "step", "vCont;s:p1.1");
    (void)ask(&stub, "Z0,ffffffff81000100,1"); /* met once in SITES exits */
    measure_steps(&stub, "reverse continue to a breakpoint", "bc");
    gdbstub_reset(stub.engine);
    gdbstub_destroy(stub.engine);
    xrw_gdb_target_destroy(target);
    (void)xrw_store_close(store, NULL);
}

/* ---- over a socket, beside QEMU ---------------------------------------- */

struct pair {
    struct stub_client ours, qemu;
};

static double steps_a_second(struct stub_client *client, const char *body)
{
    uint64_t begun = bench_now_ns();

    for (unsigned i = 0; i < STEPS_OF_A_RUN; i++)
        stub_ask(client, body);
    return STEPS_OF_A_RUN * 1e9 / (double)(bench_now_ns() - begun);
}

static double ours(void *ctx)
{
    return steps_a_second(&((struct pair *)ctx)->ours, "bs");
}

static double qemu(void *ctx)
{
    return steps_a_second(&((struct pair *)ctx)->qemu, "s");
}

static int start_qemu(struct stub_client *client, const char *folder)
{
    char socket[64], device[128];
    char *argv[] = {
        "qemu-system-x86_64", "-S",   "-display", "none",        "-nodefaults", "-accel", "tcg",
        "-chardev",           device, "-gdb",     "chardev:gdb", NULL};

    (void)snprintf(socket, sizeof socket, "%s/qemu", folder);
    (void)snprintf(device, sizeof device, "socket,id=gdb,path=%s,server=on,wait=off", socket);
    return stub_start(client, socket, argv);
}

static void measure_sockets(char *program, char *recording, const char *folder)
{
    char socket[64], listen[80];
    char *argv[] = {program, "replay", "--listen", listen, recording, NULL};
    struct pair pair;

    (void)snprintf(socket, sizeof socket, "%s/ours", folder);
    (void)snprintf(listen, sizeof listen, "unix:%s", socket);
    if (stub_start(&pair.ours, socket, argv))
        bench_fail("%s does not start", program);
    stub_ask(&pair.ours, "vCont;c");
    if (start_qemu(&pair.qemu, folder)) {
        (void)fprintf(stderr, "gdb: no qemu-system-x86_64 to compare with\n");
        bench_report("gdb/reverse steps over a socket", ours(&pair), "steps/s");
    } else {
        (void)bench_pairs("gdb/reverse steps over a socket", "steps/s", ours, "QEMU, forward steps",
                          qemu, &pair);
        stub_stop(&pair.qemu);
    }
    stub_stop(&pair.ours);
}

int main(int argc, char **argv)
{
    char folder[] = "/tmp/xenrewind-bench-XXXXXX", recording[64];

    if (argc != 2)
        bench_fail("usage: bench_gdb XENREWIND");
    if (!mkdtemp(folder))
        bench_fail("cannot make a folder in /tmp");
    (void)snprintf(recording, sizeof recording, "%s/million.db", folder);
    make_recording(recording);
    measure_process(recording);
    measure_sockets(argv[1], recording, folder);
    (void)unlink(recording);
    (void)rmdir(folder);
    return 0;
}
