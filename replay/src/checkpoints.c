/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Places to come back to, by number, as gdb's own checkpoints are; they last as long as the server.
 */
#include "gdb_target.h"

#include "monitor_args.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static struct xrw_checkpoint *find_checkpoint(struct xrw_gdb_target *target, const char *args,
                                              struct gdbstub_reason *reason)
{
    uint64_t number;

    if (xrw_parse_number(args, &number)) {
        gdbstub_reason_set(reason, "which checkpoint? see \"monitor checkpoints\"");
        return NULL;
    }
    for (size_t i = 0; i < target->checkpoint_count; i++)
        if (target->checkpoint[i].number == number)
            return &target->checkpoint[i];
    gdbstub_reason_set(reason, "there is no checkpoint %" PRIu64, number);
    return NULL;
}

static void print_checkpoint(const struct xrw_checkpoint *checkpoint,
                             struct gdbstub_console *console)
{
    gdbstub_console_print(console,
                          "checkpoint %" PRIu64 ": exit %" PRIu64 " (run %" PRIu64 ")%s%s\n",
                          checkpoint->number, checkpoint->exit, checkpoint->run,
                          *checkpoint->note ? " " : "", checkpoint->note);
}

int xrw_monitor_checkpoint(void *ctx, const char *args, struct gdbstub_console *console,
                           struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_checkpoint *made = &target->checkpoint[target->checkpoint_count];

    if (target->checkpoint_count == XRW_CHECKPOINTS_MAX) {
        gdbstub_reason_set(reason, "there can be %u checkpoints at most", XRW_CHECKPOINTS_MAX);
        return -ENOSPC;
    }
    *made = (struct xrw_checkpoint){.number = ++target->checkpoint_last,
                                    .run = xrw_timeline_run(target->timeline)->id,
                                    .exit = xrw_timeline_position(target->timeline)};
    (void)snprintf(made->note, sizeof made->note, "%s", args);
    for (char *c = made->note; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
    target->checkpoint_count++;
    print_checkpoint(made, console);
    return 0;
}

int xrw_monitor_checkpoints(void *ctx, const char *args, struct gdbstub_console *console,
                            struct gdbstub_reason *reason)
{
    const struct xrw_gdb_target *target = ctx;

    (void)args, (void)reason;
    for (size_t i = 0; i < target->checkpoint_count; i++)
        print_checkpoint(&target->checkpoint[i], console);
    if (!target->checkpoint_count)
        gdbstub_console_print(console, "no checkpoints\n");
    return 0;
}

int xrw_monitor_restart(void *ctx, const char *args, struct gdbstub_console *console,
                        struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    const struct xrw_checkpoint *checkpoint = find_checkpoint(target, args, reason);
    struct xrw_error err;
    int ret = 0;

    if (!checkpoint)
        return -ENOENT;
    if (checkpoint->run != xrw_timeline_run(target->timeline)->id)
        ret = xrw_gdb_target_set_run(target, checkpoint->run, &err);
    if (!ret)
        ret = xrw_timeline_seek(target->timeline, checkpoint->exit, &err);
    if (ret) {
        gdbstub_reason_set(reason, "%s", err.text);
        return ret;
    }
    return xrw_monitor_show_arrival(target, console);
}

int xrw_monitor_drop(void *ctx, const char *args, struct gdbstub_console *console,
                     struct gdbstub_reason *reason)
{
    struct xrw_gdb_target *target = ctx;
    struct xrw_checkpoint *checkpoint = find_checkpoint(target, args, reason);

    (void)console;
    if (!checkpoint)
        return -ENOENT;
    size_t after = (size_t)(target->checkpoint + --target->checkpoint_count - checkpoint);
    memmove(checkpoint, checkpoint + 1, after * sizeof *checkpoint);
    return 0;
}
