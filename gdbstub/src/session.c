/* SPDX-License-Identifier: MIT */
#include "internal.h"

/*
 * Breakpoints, and how a session ends or starts over. Source: GDB manual, node Packets.
 */

/* ---- breakpoints ---- */

void gs_clear_breakpoints(struct gdbstub *stub)
{
    if (stub->ops.clear_breakpoints)
        stub->ops.clear_breakpoints(stub->ctx);
}

/* What follows the place of a breakpoint. */
static enum gs_answer refuse_options(struct gdbstub *stub, int error)
{
    static const struct gdbstub_reason plain_only = {"conditions and commands were not offered"};
    static const struct gdbstub_reason too_long = {"the conditions are too long"};

    if (error == -ENOTSUP)
        return gs_reply_error(stub, -EINVAL, &plain_only);
    return error == -E2BIG ? gs_reply_error(stub, error, &too_long) : gs_reply_malformed(stub);
}

/* Only an insertion has conditions, and only where they were offered. */
static int take_options(struct gdbstub *stub, struct gs_cursor *args, bool may,
                        struct gdbstub_breakpoint *breakpoint)
{
    if (gs_left(args) == 0)
        return 0;
    if (!may)
        return -ENOTSUP;
    return gs_take_conditions(args, stub->scratch, &breakpoint->conditions);
}

static enum gs_answer change_breakpoint(struct gdbstub *stub, struct gs_cursor args, bool insert)
{
    struct gdbstub_breakpoint breakpoint = {0};
    struct gdbstub_reason reason = {""};
    uint64_t type;
    int ret;

    if (!stub->ops.insert_breakpoint)
        return gs_reply_empty(stub);
    if (!gs_take_number(&args, &type) || !gs_take(&args, ',') ||
        !gs_take_number(&args, &breakpoint.address) || !gs_take(&args, ',') ||
        !gs_take_number(&args, &breakpoint.kind))
        return gs_reply_malformed(stub);
    ret = take_options(stub, &args,
                       insert && stub->ops.checks_conditions && type <= GDBSTUB_BREAK_HARDWARE,
                       &breakpoint);
    if (ret < 0)
        return refuse_options(stub, ret);
    if (type > GDBSTUB_WATCH_ACCESS)
        return gs_reply_empty(stub);
    if (type >= GDBSTUB_WATCH_WRITE &&
        (breakpoint.kind == 0 || breakpoint.kind - 1 > UINT64_MAX - breakpoint.address))
        return gs_reply_malformed(stub);

    breakpoint.type = (enum gdbstub_breakpoint_type)type;
    ret = insert ? stub->ops.insert_breakpoint(stub->ctx, &breakpoint, &reason)
                 : stub->ops.remove_breakpoint(stub->ctx, &breakpoint, &reason);
    if (ret == -ENOTSUP)
        return gs_reply_empty(stub);
    return ret < 0 ? gs_reply_error(stub, ret, &reason) : gs_reply_ok(stub);
}

enum gs_answer gs_insert(struct gdbstub *stub, struct gs_cursor args)
{
    return change_breakpoint(stub, args, true);
}

enum gs_answer gs_remove(struct gdbstub *stub, struct gs_cursor args)
{
    return change_breakpoint(stub, args, false);
}

/* ---- good-byes ---- */

/* An optional process id that must be ours. */
static bool names_us(struct gs_cursor args)
{
    uint64_t process;

    if (gs_left(&args) == 0)
        return true;
    return gs_take_number(&args, &process) && process == GS_PROCESS && gs_left(&args) == 0;
}

enum gs_answer gs_detach(struct gdbstub *stub, struct gs_cursor args)
{
    if (!names_us(args))
        return gs_reply_malformed(stub);
    gs_clear_breakpoints(stub);
    stub->state = GDBSTUB_DETACHED;
    return gs_reply_ok(stub);
}

static void kill_target(struct gdbstub *stub)
{
    gs_clear_breakpoints(stub);
    stub->alive = false;
    stub->state = GDBSTUB_KILLED;
}

/* gdb does not wait for a reply; lldb does, for one that says how the target ended. */
enum gs_answer gs_kill(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    kill_target(stub);
    if (!stub->peer.lldb)
        return GS_SILENT;
    gs_put_end(stub, 'X', GS_SIGKILL);
    return GS_REPLY;
}

enum gs_answer gs_vkill(struct gdbstub *stub, struct gs_cursor args)
{
    if (!names_us(args))
        return gs_reply_malformed(stub);
    kill_target(stub);
    return gs_reply_ok(stub);
}

/* ---- extended mode: start again ---- */

enum gs_answer gs_extended(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    if (!stub->ops.restart)
        return gs_reply_empty(stub);
    stub->extended = true;
    return gs_reply_ok(stub);
}

static int restart(struct gdbstub *stub, struct gdbstub_reason *reason)
{
    int ret = stub->ops.restart(stub->ctx, reason);

    if (ret < 0)
        return ret;
    stub->alive = true;
    stub->state = GDBSTUB_WAITING;
    stub->general = 0;
    stub->resumed = 0;
    stub->stop = (struct gdbstub_stop){0};
    return 0;
}

/* R has no reply, whatever comes of it. */
enum gs_answer gs_restart(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_reason reason = {""};

    (void)args;
    if (!stub->extended)
        return gs_reply_empty(stub);
    restart(stub, &reason);
    return GS_SILENT;
}

/* The program that vRun names is ignored: there is one, and it starts over. */
enum gs_answer gs_vrun(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_reason reason = {""};

    if (!stub->extended)
        return gs_reply_empty(stub);
    int ret = restart(stub, &reason);
    return ret < 0 ? gs_reply_error(stub, ret, &reason) : gs_status(stub, args);
}

enum gs_answer gs_vattach(struct gdbstub *stub, struct gs_cursor args)
{
    if (!stub->extended)
        return gs_reply_empty(stub);
    if (gs_left(&args) == 0 || !names_us(args) || !stub->alive)
        return gs_reply_error(stub, -ESRCH, NULL);
    stub->state = GDBSTUB_WAITING;
    return gs_status(stub, args);
}
