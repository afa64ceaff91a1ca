/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

/*
 * Running and stopping. Source: GDB manual, nodes Stop Reply Packets, vCont Packet, Packets (bc,
 * bs).
 */

/* The signal and the reason that a kind of stop shows; both by enum gdbstub_stop_kind. */
static const struct {
    uint8_t signal;
    const char *key; /* "" for none */
} stop_kinds[] = {
    [GDBSTUB_STOP_STEP] = {GS_SIGTRAP, ""},
    [GDBSTUB_STOP_SWBREAK] = {GS_SIGTRAP, "swbreak:;"},
    [GDBSTUB_STOP_HWBREAK] = {GS_SIGTRAP, "hwbreak:;"},
    [GDBSTUB_STOP_WATCH_WRITE] = {GS_SIGTRAP, "watch:"},
    [GDBSTUB_STOP_WATCH_READ] = {GS_SIGTRAP, "rwatch:"},
    [GDBSTUB_STOP_WATCH_ACCESS] = {GS_SIGTRAP, "awatch:"},
    [GDBSTUB_STOP_HISTORY_BEGIN] = {GS_SIGTRAP, "replaylog:begin;"},
    [GDBSTUB_STOP_HISTORY_END] = {GS_SIGTRAP, "replaylog:end;"},
    [GDBSTUB_STOP_INTERRUPTED] = {GS_SIGINT, ""},
    [GDBSTUB_STOP_SIGNAL] = {GS_SIGTRAP, ""},
    [GDBSTUB_STOP_EXITED] = {0, ""},
    [GDBSTUB_STOP_TERMINATED] = {GS_SIGABRT, ""},
    [GDBSTUB_STOP_NO_RESUMED] = {0, ""},
};

/* ---- stop replies ---- */

void gs_put_end(struct gdbstub *stub, char letter, unsigned status)
{
    gs_put_format(&stub->reply, "%c%02x", letter, status & 0xff);
    if (stub->peer.multiprocess)
        gs_put_format(&stub->reply, ";process:%x", GS_PROCESS);
}

static void put_reason(struct gdbstub *stub)
{
    const struct gdbstub_stop *stop = &stub->stop;

    switch (stop->kind) {
    case GDBSTUB_STOP_SWBREAK:
        if (!stub->peer.swbreak)
            return;
        break;
    case GDBSTUB_STOP_HWBREAK:
        if (!stub->peer.hwbreak)
            return;
        break;
    default:
        break;
    }
    gs_put_text(&stub->reply, stop_kinds[stop->kind].key);
    if (stop->kind >= GDBSTUB_STOP_WATCH_WRITE && stop->kind <= GDBSTUB_STOP_WATCH_ACCESS)
        gs_put_format(&stub->reply, "%llx;", (unsigned long long)stop->address);
}

/* lldb saves a question that way. */
static void put_thread_list(struct gdbstub *stub)
{
    gdbstub_thread thread = 0;
    const char *before = "threads:";

    while (gs_next_thread(stub, thread, &thread) == 1) {
        gs_put_text(&stub->reply, before);
        gs_put_thread(stub, &stub->reply, thread);
        before = ",";
    }
    gs_put_text(&stub->reply, ";");
}

unsigned gs_signal_of(const struct gdbstub_stop *stop)
{
    return (stop->signal > 0 ? (unsigned)stop->signal : stop_kinds[stop->kind].signal) & 0xff;
}

void gs_put_stop(struct gdbstub *stub)
{
    struct gdbstub_stop *stop = &stub->stop;
    unsigned signal = gs_signal_of(stop);

    if (stop->kind == GDBSTUB_STOP_EXITED || stop->kind == GDBSTUB_STOP_TERMINATED) {
        gs_put_end(stub, stop->kind == GDBSTUB_STOP_EXITED ? 'W' : 'X',
                stop->kind == GDBSTUB_STOP_EXITED ? stop->status : signal);
        return;
    }

    if (stop->kind == GDBSTUB_STOP_NO_RESUMED && stub->peer.no_resumed) {
        gs_put_text(&stub->reply, "N");
        return;
    }

    gdbstub_thread thread = gs_general_thread(stub);
    gs_put_format(&stub->reply, "T%02x", signal);
    gs_put_expedited(stub, thread);
    gs_put_text(&stub->reply, "thread:");
    gs_put_thread(stub, &stub->reply, thread);
    gs_put_text(&stub->reply, ";");
    if (stub->peer.lists_threads)
        put_thread_list(stub);
    put_reason(stub);
}

/* Takes over what the target said, so that nothing out of range is used as an index later. */
static void accept_stop(struct gdbstub *stub, const struct gdbstub_stop *stop)
{
    gdbstub_thread before = gs_general_thread(stub);

    stub->stop = *stop;
    if ((unsigned)stop->kind > GDBSTUB_STOP_NO_RESUMED)
        stub->stop.kind = GDBSTUB_STOP_SIGNAL;
    if (stop->thread <= 0)
        stub->stop.thread = before;
    stub->general = stub->stop.thread;
    stub->resumed = 0;
    if (stub->stop.kind == GDBSTUB_STOP_EXITED || stub->stop.kind == GDBSTUB_STOP_TERMINATED)
        stub->alive = false;
}

enum gs_answer gs_status(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_stop stop = {0};

    (void)args;
    if (!stub->alive) {
        gs_put_end(stub, 'W', 0);
        return GS_REPLY;
    }
    if (stub->ops.status && stub->ops.status(stub->ctx, &stop) == 0)
        accept_stop(stub, &stop);
    else
        accept_stop(stub, &stub->stop);
    gs_put_stop(stub);
    return GS_REPLY;
}

/* ---- running ---- */

static void end_run(struct gdbstub *stub, const struct gdbstub_stop *stop)
{
    struct gdbstub_console console = {.stub = stub};

    stub->state = GDBSTUB_WAITING;
    accept_stop(stub, stop);
    /* Who sends packets to lldb by hand reads one packet in reply. */
    if (stub->ops.announce && !stub->peer.lldb) {
        stub->ops.announce(stub->ctx, &stub->stop, &console);
        gs_console_flush(&console);
    }
    gs_clear(&stub->reply);
    gs_put_stop(stub);
    gs_send(stub);
}

void gs_run_slice(struct gdbstub *stub)
{
    struct gdbstub_console console = {.stub = stub};
    struct gdbstub_stop stop = {0};
    int ret = stub->ops.run(stub->ctx, &console, &stop);

    gs_console_flush(&console);
    if (ret == 0)
        return;
    if (ret < 0)
        stop = (struct gdbstub_stop){.kind = GDBSTUB_STOP_SIGNAL, .signal = GS_SIGABRT};
    end_run(stub, &stop);
}

void gs_interrupt(struct gdbstub *stub)
{
    struct gdbstub_stop stop = {0};

    if (stub->state != GDBSTUB_RUNNING)
        return;
    if (stub->search.active) {
        gs_search_cancel(stub, -EINTR);
        gs_send(stub);
        return;
    }
    if (stub->ops.interrupt(stub->ctx, &stop) < 0)
        stop = (struct gdbstub_stop){.kind = GDBSTUB_STOP_INTERRUPTED};
    end_run(stub, &stop);
}

static enum gs_answer resume(struct gdbstub *stub, const struct gdbstub_resume *request)
{
    struct gdbstub_reason reason = {""};

    if (!stub->ops.resume || (request->direction == GDBSTUB_REVERSE && !stub->ops.can_reverse))
        return gs_reply_empty(stub);
    if (request->thread != 0 && !gs_thread_exists(stub, request->thread))
        return gs_reply_error(stub, -ESRCH, NULL);

    int ret = stub->ops.resume(stub->ctx, request, &reason);
    if (ret < 0)
        return gs_reply_error(stub, ret, &reason);
    stub->state = GDBSTUB_RUNNING;
    gs_run_slice(stub);
    return GS_SILENT;
}

enum gs_answer gs_reverse_continue(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_resume request = {.action = GDBSTUB_CONTINUE,
                                     .direction = GDBSTUB_REVERSE,
                                     .thread = stub->resumed,
                                     .others_run = true};

    return gs_left(&args) > 0 ? gs_reply_malformed(stub) : resume(stub, &request);
}

enum gs_answer gs_reverse_step(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_resume request = {
        .action = GDBSTUB_STEP, .direction = GDBSTUB_REVERSE, .thread = stub->resumed};

    return gs_left(&args) > 0 ? gs_reply_malformed(stub) : resume(stub, &request);
}

/* c, s, C and S. An address to go on at would be a change of history under another name. */
static enum gs_answer plain_resume(struct gdbstub *stub, struct gs_cursor args,
                                   enum gdbstub_action action, bool with_signal)
{
    static const struct gdbstub_reason no_jump = {"cannot go on at another address; set the pc"};
    struct gdbstub_resume request = {
        .action = action, .thread = stub->resumed, .others_run = action == GDBSTUB_CONTINUE};

    if (with_signal && !gs_take_signal(&args, &request.signal))
        return gs_reply_malformed(stub);
    if (gs_left(&args) > 0)
        return gs_reply_error(stub, -ENOTSUP, &no_jump);
    return resume(stub, &request);
}

enum gs_answer gs_continue(struct gdbstub *stub, struct gs_cursor args)
{
    return plain_resume(stub, args, GDBSTUB_CONTINUE, false);
}

enum gs_answer gs_continue_signal(struct gdbstub *stub, struct gs_cursor args)
{
    return plain_resume(stub, args, GDBSTUB_CONTINUE, true);
}

enum gs_answer gs_step(struct gdbstub *stub, struct gs_cursor args)
{
    return plain_resume(stub, args, GDBSTUB_STEP, false);
}

enum gs_answer gs_step_signal(struct gdbstub *stub, struct gs_cursor args)
{
    return plain_resume(stub, args, GDBSTUB_STEP, true);
}

/* ---- vCont ---- */

/* One action of vCont, "s:p1.1"; a thread of 0 stands for all. */
static bool take_action(struct gs_cursor *args, struct gdbstub_resume *action)
{
    struct gs_cursor part = gs_take_until(args, ';');

    if (gs_take(&part, 'r')) {
        action->action = GDBSTUB_STEP;
        if (!gs_take_number(&part, &action->range_start) || !gs_take(&part, ',') ||
            !gs_take_number(&part, &action->range_end))
            return false;
    } else if (gs_take(&part, 's') || gs_take(&part, 'c')) {
        action->action = part.next[-1] == 's' ? GDBSTUB_STEP : GDBSTUB_CONTINUE;
    } else if (gs_take(&part, 'S') || gs_take(&part, 'C')) {
        action->action = part.next[-1] == 'S' ? GDBSTUB_STEP : GDBSTUB_CONTINUE;
        if (!gs_take_signal(&part, &action->signal))
            return false;
    } else {
        return false;
    }
    if (gs_take(&part, ':') && !gs_take_thread(&part, &action->thread))
        return false;
    return gs_left(&part) == 0;
}

enum gs_answer gs_vcont(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_resume request = {0};
    bool any = false;
    bool continues = false;

    if (gs_left(&args) == 0)
        return gs_reply_malformed(stub);
    while (gs_left(&args) > 0) {
        struct gdbstub_resume action = {0};
        if (!take_action(&args, &action))
            return gs_reply_malformed(stub);
        continues = continues || action.action == GDBSTUB_CONTINUE;
        /* The first step decides; without one, the first action. */
        if (!any || (request.action == GDBSTUB_CONTINUE && action.action == GDBSTUB_STEP))
            request = action;
        any = true;
    }
    request.others_run = continues && (request.action == GDBSTUB_STEP || request.thread == 0);
    return resume(stub, &request);
}

enum gs_answer gs_vcont_query(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    /* gdb drops vCont altogether when C and S are missing. */
    if (stub->ops.resume)
        gs_put_text(&stub->reply, "vCont;c;C;s;S;r");
    return GS_REPLY;
}
