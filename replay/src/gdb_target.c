/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "gdb_target.h"

#include "xrw/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char refusal[] = "a recording cannot be changed";

static bool is_of(const struct xrw_exit *exit, gdbstub_thread thread)
{
    return thread <= 0 || thread == xrw_gdb_thread(exit->vcpu);
}

/* Keep what cannot be told to the client by the operation itself. */
static int note_trouble(struct xrw_gdb_target *target, int ret, const struct xrw_error *err)
{
    if (ret < 0 && ret != -ENODATA && ret != -EFAULT)
        target->trouble = *err;
    return ret;
}

void xrw_gdb_target_trouble(struct xrw_gdb_target *target, struct xrw_error *trouble)
{
    *trouble = target->trouble;
    target->trouble.text[0] = '\0';
}

/* ---- registers and memory ---------------------------------------------- */

static const uint8_t *fxsave(struct xrw_gdb_target *target, const struct xrw_exit *exit)
{
    struct xrw_error err;

    if (target->fxsave_at != exit->id) {
        int ret = xrw_store_fxsave(target->store, exit->id, target->fxsave, &err);

        target->fxsave_at = exit->id;
        target->fxsave_known = !note_trouble(target, ret, &err);
    }
    return target->fxsave_known ? target->fxsave : NULL;
}

/* A recording holds of each moment the vCPU that exited; what the others had then is not known. */
static int register_at(struct xrw_gdb_target *target, const struct xrw_exit *exit,
                       gdbstub_thread thread, size_t index, void *value)
{
    enum xrw_gdb_source source;

    if (index >= target->registers.count)
        return -EINVAL;
    if (!is_of(exit, thread))
        return -ENODATA;
    source = target->registers.origin[index].source;
    return xrw_gdb_register_value(
        &target->registers, index, exit,
        source == XRW_GDB_FXSAVE || source == XRW_GDB_FXSAVE_TAG ? fxsave(target, exit) : NULL,
        value);
}

static int memory_at(struct xrw_gdb_target *target, const struct xrw_exit *exit,
                     gdbstub_thread thread, uint64_t address, void *bytes, size_t size, size_t *got)
{
    struct xrw_error err;
    int ret;

    if (target->physical)
        ret = xrw_memory_read_physical(target->memory, exit, address, bytes, size, got, &err);
    else if (is_of(exit, thread))
        ret = xrw_memory_read(target->memory, exit, address, bytes, size, got, &err);
    else
        return -ENODATA;
    return note_trouble(target, ret, &err);
}

static int read_register(void *ctx, gdbstub_thread thread, size_t index, void *value)
{
    struct xrw_gdb_target *target = ctx;

    return register_at(target, xrw_timeline_exit(target->timeline), thread, index, value);
}

static int write_register(void *ctx, gdbstub_thread thread, size_t index, const void *value,
                          struct gdbstub_reason *reason)
{
    (void)ctx, (void)thread, (void)index, (void)value;
    gdbstub_reason_set(reason, "%s", refusal);
    return -EROFS;
}

static int read_memory(void *ctx, gdbstub_thread thread, uint64_t address, void *bytes, size_t size,
                       size_t *got)
{
    struct xrw_gdb_target *target = ctx;

    return memory_at(target, xrw_timeline_exit(target->timeline), thread, address, bytes, size,
                     got);
}

static int write_memory(void *ctx, gdbstub_thread thread, uint64_t address, const void *bytes,
                        size_t size, struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;

    (void)thread, (void)address, (void)bytes, (void)size;
    gdbstub_reason_set(reason, "%s", refusal);
    /* gdb before version 16 shows no text of a failed write. */
    return xrw_error_set(&target->trouble, -EROFS, "%s", refusal);
}

/* A mapping as wide as the entry of the page table that makes it, or that is missing. */
static int find_mapping(void *ctx, gdbstub_thread thread, uint64_t address,
                        struct gdbstub_mapping *mapping)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_mapping found;
    struct xrw_error err;
    int ret;

    if (target->physical || !is_of(xrw_timeline_exit(target->timeline), thread))
        return -ENODATA;
    ret =
        xrw_memory_map(target->memory, xrw_timeline_exit(target->timeline), address, &found, &err);
    if (ret)
        return note_trouble(target, ret, &err);
    *mapping = (struct gdbstub_mapping){found.first, found.last, found.present, found.writable,
                                        found.executable};
    return 0;
}

/* ---- threads ----------------------------------------------------------- */

static int next_thread(void *ctx, gdbstub_thread after, gdbstub_thread *next)
{
    struct xrw_gdb_target *target = ctx;
    uint32_t vcpus = xrw_timeline_run(target->timeline)->vcpus;

    if (after < 0 || (uint32_t)after >= (vcpus ? vcpus : 1))
        return 0;
    *next = after + 1;
    return 1;
}

static int thread_name(void *ctx, gdbstub_thread thread, char name[GDBSTUB_NAME_MAX])
{
    (void)ctx;
    (void)snprintf(name, GDBSTUB_NAME_MAX, "vCPU %" PRId32, thread - 1);
    return 0;
}

static int thread_extra(void *ctx, gdbstub_thread thread, char text[GDBSTUB_NAME_MAX])
{
    struct xrw_gdb_target *target = ctx;

    if (is_of(xrw_timeline_exit(target->timeline), thread))
        xrw_report_position(target->timeline, text, GDBSTUB_NAME_MAX);
    else
        (void)snprintf(text, GDBSTUB_NAME_MAX, "its state is known at its own exits alone");
    return 0;
}

/* ---- running ----------------------------------------------------------- */

static int status(void *ctx, struct gdbstub_stop *stop)
{
    struct xrw_gdb_target *target = ctx;

    stop->kind = GDBSTUB_STOP_STEP;
    stop->thread = xrw_gdb_thread(xrw_timeline_exit(target->timeline)->vcpu);
    return 0;
}

static int resume(void *ctx, const struct gdbstub_resume *request, struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_search_request wanted = {.forward = request->direction == GDBSTUB_FORWARD,
                                        .step = request->action == GDBSTUB_STEP};
    struct xrw_error err;
    int ret;

    wanted.here = wanted.forward && !wanted.step && !target->moved;
    /* To step off a breakpoint gdb resumes one thread alone, and no other may stop then. */
    wanted.one_vcpu = wanted.step && request->thread > 0 && !request->others_run;
    wanted.vcpu = wanted.one_vcpu ? (uint32_t)request->thread - 1 : 0;
    wanted.range_first = request->range_start;
    wanted.range_end = request->range_end;
    ret = xrw_search_begin(target->search, &wanted, &err);
    target->moved = false;
    if (ret)
        gdbstub_reason_set(reason, "%s", err.text);
    return note_trouble(target, ret, &err);
}

static void fill_stop(const struct xrw_gdb_target *target, const struct xrw_hit *hit,
                      struct gdbstub_stop *stop)
{
    stop->thread = xrw_gdb_thread(xrw_timeline_exit(target->timeline)->vcpu);
    switch (hit->kind) {
    case XRW_HIT_STEP:
        stop->kind = GDBSTUB_STOP_STEP;
        break;
    case XRW_HIT_BREAKPOINT:
        stop->kind =
            hit->stopper.kind == XRW_STOPPER_HARDWARE ? GDBSTUB_STOP_HWBREAK : GDBSTUB_STOP_SWBREAK;
        break;
    case XRW_HIT_WATCHPOINT:
        stop->kind = GDBSTUB_STOP_WATCH_WRITE;
        stop->address = hit->stopper.address;
        break;
    case XRW_HIT_BEGIN:
    case XRW_HIT_END:
        stop->kind =
            hit->kind == XRW_HIT_BEGIN ? GDBSTUB_STOP_HISTORY_BEGIN : GDBSTUB_STOP_HISTORY_END;
        break;
    }
}

static int run(void *ctx, struct gdbstub_console *console, struct gdbstub_stop *stop)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_error err;

    target->console = console;
    int ret;

    ret = xrw_search_slice(target->search, &target->hit, &err);
    target->console = NULL;
    if (ret > 0)
        fill_stop(target, &target->hit, stop);
    if (ret < 0)
        target->trouble = err;
    return ret;
}

/* gdb says itself why it stopped; what it cannot know is which exits a change lies between, and
 * what was wrong with the recording. */
static void announce(void *ctx, const struct gdbstub_stop *stop, struct gdbstub_console *console)
{
    struct xrw_gdb_target *target = ctx;
    const struct xrw_hit *hit = &target->hit;
    xrw_exit_id at = xrw_timeline_position(target->timeline);

    if (target->trouble.text[0])
        gdbstub_console_print(console, "%s\n", target->trouble.text);
    else if (stop->kind == GDBSTUB_STOP_WATCH_WRITE)
        gdbstub_console_print(console,
                              "memory at 0x%" PRIx64 " changed after exit %" PRIu64
                              ", up to exit %" PRIu64 "; this is exit %" PRIu64 "\n",
                              hit->stopper.address, hit->older, hit->newer, at);
    else if (stop->kind == GDBSTUB_STOP_HISTORY_BEGIN || stop->kind == GDBSTUB_STOP_HISTORY_END)
        gdbstub_console_print(console, "exit %" PRIu64 " is the %s of run %" PRIu64 "\n", at,
                              stop->kind == GDBSTUB_STOP_HISTORY_BEGIN ? "first" : "last",
                              xrw_timeline_run(target->timeline)->id);
}

/* The timeline has not moved: a search moves it only when it arrives. */
static int interrupt(void *ctx, struct gdbstub_stop *stop)
{
    struct xrw_gdb_target *target = ctx;

    stop->kind = GDBSTUB_STOP_INTERRUPTED;
    stop->thread = xrw_gdb_thread(xrw_timeline_exit(target->timeline)->vcpu);
    return 0;
}

static int restart(void *ctx, struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    xrw_exit_id first = xrw_timeline_run(target->timeline)->first_exit;
    struct xrw_error err;
    int ret =
        xrw_timeline_find(target->timeline, NULL, first - 1, true, 0, NULL, NULL, &first, &err);

    if (ret >= 0)
        ret = xrw_timeline_seek(target->timeline, first, &err);
    if (ret)
        gdbstub_reason_set(reason, "%s", err.text);
    return ret;
}

/* ---- breakpoints ------------------------------------------------------- */

/* An exit where the timeline does not stand. */
struct place {
    struct xrw_gdb_target *target;
    const struct xrw_exit *exit;
};

static int register_there(void *ctx, gdbstub_thread thread, size_t index, void *value)
{
    const struct place *place = ctx;

    return register_at(place->target, place->exit, thread, index, value);
}

static int memory_there(void *ctx, gdbstub_thread thread, uint64_t address, void *bytes,
                        size_t size, size_t *got)
{
    const struct place *place = ctx;

    return memory_at(place->target, place->exit, thread, address, bytes, size, got);
}

static bool conditions_hold(void *ctx, const struct gdbstub_conditions *conditions,
                            const struct xrw_exit *exit)
{
    struct xrw_gdb_target *target = ctx;
    struct place place = {target, exit};
    const struct gdbstub_view view = {.description = &target->registers.description,
                                      .read_register = register_there,
                                      .read_memory = memory_there,
                                      .ctx = &place,
                                      .thread = xrw_gdb_thread(exit->vcpu),
                                      .console = target->console};

    return gdbstub_breakpoint_stops(conditions, &view);
}

static int stopper_kind(enum gdbstub_breakpoint_type type, enum xrw_stopper_kind *kind)
{
    switch (type) {
    case GDBSTUB_BREAK_SOFTWARE:
        *kind = XRW_STOPPER_SOFTWARE;
        return 0;
    case GDBSTUB_BREAK_HARDWARE:
        *kind = XRW_STOPPER_HARDWARE;
        return 0;
    case GDBSTUB_WATCH_WRITE:
        *kind = XRW_STOPPER_WRITE;
        return 0;
    case GDBSTUB_WATCH_READ:
    case GDBSTUB_WATCH_ACCESS:
        break;
    }
    return -ENOTSUP;
}

static int insert_breakpoint(void *ctx, const struct gdbstub_breakpoint *breakpoint,
                             struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    enum xrw_stopper_kind kind;
    int ret = stopper_kind(breakpoint->type, &kind);

    if (ret) {
        gdbstub_reason_set(reason, "reads of memory are not recorded: use a write watchpoint");
        return ret;
    }
    ret = xrw_search_insert(target->search, kind, breakpoint->address, breakpoint->kind,
                            target->physical, &breakpoint->conditions);
    if (ret == -EINVAL)
        gdbstub_reason_set(reason, "a watchpoint can be 1 to %u bytes long", XRW_WATCH_MAX_BYTES);
    if (ret == -ENOSPC)
        gdbstub_reason_set(reason, "there can be %u breakpoints at most", XRW_STOPPERS_MAX);
    return ret;
}

static int remove_breakpoint(void *ctx, const struct gdbstub_breakpoint *breakpoint,
                             struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    enum xrw_stopper_kind kind;
    int ret = stopper_kind(breakpoint->type, &kind);

    (void)reason;
    if (!ret)
        xrw_search_remove(target->search, kind, breakpoint->address, breakpoint->kind);
    return ret;
}

static void clear_breakpoints(void *ctx)
{
    struct xrw_gdb_target *target = ctx;

    xrw_search_clear(target->search);
}

/* ---- the whole --------------------------------------------------------- */

static const struct gdbstub_target_ops operations = {
    .size = sizeof operations,
    .read_register = read_register,
    .write_register = write_register,
    .read_memory = read_memory,
    .write_memory = write_memory,
    .next_thread = next_thread,
    .thread_name = thread_name,
    .thread_extra = thread_extra,
    .status = status,
    .resume = resume,
    .run = run,
    .interrupt = interrupt,
    .can_reverse = true,
    .insert_breakpoint = insert_breakpoint,
    .remove_breakpoint = remove_breakpoint,
    .clear_breakpoints = clear_breakpoints,
    .restart = restart,
    .offsets = xrw_gdb_offsets,
    .exec_file = xrw_gdb_exec_file,
    .open_file = xrw_gdb_open_file,
    .read_file = xrw_gdb_read_file,
    .close_file = xrw_gdb_close_file,
    .find_mapping = find_mapping,
    .announce = announce,
    .checks_conditions = true,
};

int xrw_gdb_target_create(struct xrw_store *store, uint64_t run_id, struct xrw_gdb_target **out,
                          struct xrw_error *err)
{
    struct xrw_gdb_target *target = calloc(1, sizeof *target);
    int ret;

    if (!target)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    target->store = store;
    xrw_gdb_registers_init(&target->registers);
    ret = xrw_timeline_create(store, run_id, &target->timeline, err);
    if (ret) {
        xrw_gdb_target_destroy(target);
        return ret;
    }
    ret = xrw_memory_create(store, xrw_timeline_run(target->timeline), &target->memory);
    if (!ret)
        ret = xrw_search_create(target->timeline, target->memory, &target->search);
    if (!ret)
        ret = xrw_disassembler_create(&target->disassembler);
    if (ret) {
        xrw_gdb_target_destroy(target);
        return xrw_error_set(err, ret, "out of memory");
    }
    xrw_search_set_conditions(target->search, conditions_hold, target);
    *out = target;
    return 0;
}

int xrw_gdb_target_set_run(struct xrw_gdb_target *target, uint64_t run, struct xrw_error *err)
{
    int ret = xrw_timeline_set_run(target->timeline, run, err);

    if (!ret)
        xrw_memory_set_run(target->memory, xrw_timeline_run(target->timeline));
    return ret;
}

void xrw_gdb_target_destroy(struct xrw_gdb_target *target)
{
    if (!target)
        return;
    xrw_disassembler_destroy(target->disassembler);
    xrw_search_destroy(target->search);
    xrw_memory_destroy(target->memory);
    xrw_timeline_destroy(target->timeline);
    xrw_elf_close(target->symbols);
    free(target->symbol_path);
    free(target);
}

void xrw_gdb_target_config(struct xrw_gdb_target *target, struct gdbstub_config *config)
{
    target->ops = operations;
    if (!target->serves_symbols) {
        target->ops.open_file = NULL;
        target->ops.read_file = NULL;
        target->ops.close_file = NULL;
    }
    config->ops = &target->ops;
    config->ctx = target;
    config->description = &target->registers.description;
    config->commands = xrw_monitor_commands;
    config->command_count = xrw_monitor_command_count;
}
