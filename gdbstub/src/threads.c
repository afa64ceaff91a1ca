/* SPDX-License-Identifier: MIT */
#include "internal.h"

#define ONLY_THREAD 1
/* Room that the longest thread id needs: ",p1.7fffffff". */
#define ID_ROOM 16u

int gs_next_thread(const struct gdbstub *stub, gdbstub_thread after, gdbstub_thread *next)
{
    gdbstub_thread found = ONLY_THREAD;
    int ret = after < ONLY_THREAD;

    if (stub->ops.next_thread)
        ret = stub->ops.next_thread(stub->ctx, after, &found);
    if (ret <= 0)
        return ret;
    /* Not growing would make every list of threads endless. */
    if (found <= after)
        return -EPROTO;

    *next = found;
    return 1;
}

bool gs_thread_exists(const struct gdbstub *stub, gdbstub_thread thread)
{
    gdbstub_thread found;

    return thread > 0 && gs_next_thread(stub, thread - 1, &found) == 1 && found == thread;
}

gdbstub_thread gs_general_thread(const struct gdbstub *stub)
{
    gdbstub_thread first;

    if (stub->general > 0)
        return stub->general;
    if (stub->stop.thread > 0)
        return stub->stop.thread;
    return gs_next_thread(stub, 0, &first) == 1 ? first : ONLY_THREAD;
}

bool gs_take_thread_suffix(const struct gdbstub *stub, struct gs_cursor *args,
                           gdbstub_thread *thread)
{
    static const char key[] = "thread:";
    struct gs_cursor at = *args;
    gdbstub_thread named = 0;

    *thread = gs_general_thread(stub);
    if (gs_left(&at) == 0)
        return true;
    gs_take(&at, ';');
    for (const char *c = key; *c != '\0'; c++) {
        if (!gs_take(&at, *c))
            return false;
    }
    if (!gs_take_thread(&at, &named))
        return false;
    gs_take(&at, ';');
    if (gs_left(&at) > 0 || !gs_thread_exists(stub, named))
        return false;
    *thread = named;
    return true;
}

void gs_put_thread(struct gdbstub *stub, struct gs_buffer *buffer, gdbstub_thread thread)
{
    if (stub->peer.multiprocess)
        gs_put_format(buffer, "p%x.", GS_PROCESS);
    gs_put_format(buffer, "%x", (unsigned)thread);
}

static enum gs_answer select_thread(struct gdbstub *stub, struct gs_cursor args,
                                    gdbstub_thread *selected)
{
    gdbstub_thread thread;

    if (!gs_take_thread(&args, &thread) || gs_left(&args) > 0)
        return gs_reply_malformed(stub);
    if (thread != 0 && !gs_thread_exists(stub, thread))
        return gs_reply_error(stub, -ESRCH, NULL);

    *selected = thread;
    return gs_reply_ok(stub);
}

enum gs_answer gs_select_general(struct gdbstub *stub, struct gs_cursor args)
{
    return select_thread(stub, args, &stub->general);
}

enum gs_answer gs_select_resumed(struct gdbstub *stub, struct gs_cursor args)
{
    return select_thread(stub, args, &stub->resumed);
}

enum gs_answer gs_thread_alive(struct gdbstub *stub, struct gs_cursor args)
{
    gdbstub_thread thread;

    if (!gs_take_thread(&args, &thread) || gs_left(&args) > 0)
        return gs_reply_malformed(stub);
    if (!gs_thread_exists(stub, thread))
        return gs_reply_strict_error(stub, -ESRCH, NULL);
    return gs_reply_ok(stub);
}

enum gs_answer gs_current_thread(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    gs_put_text(&stub->reply, "QC");
    gs_put_thread(stub, &stub->reply, gs_general_thread(stub));
    return GS_REPLY;
}

enum gs_answer gs_first_threads(struct gdbstub *stub, struct gs_cursor args)
{
    stub->listed = 0;
    return gs_more_threads(stub, args);
}

enum gs_answer gs_more_threads(struct gdbstub *stub, struct gs_cursor args)
{
    struct gs_buffer *reply = &stub->reply;
    gdbstub_thread next;

    (void)args;
    while (stub->alive && reply->capacity - reply->size > ID_ROOM &&
           gs_next_thread(stub, stub->listed, &next) == 1) {
        gs_put_text(reply, reply->size == 0 ? "m" : ",");
        gs_put_thread(stub, reply, next);
        stub->listed = next;
    }
    if (reply->size == 0)
        gs_put_text(reply, "l");
    return GS_REPLY;
}

enum gs_answer gs_thread_extra(struct gdbstub *stub, struct gs_cursor args)
{
    char text[GDBSTUB_NAME_MAX] = "";
    gdbstub_thread thread;

    if (!stub->ops.thread_extra)
        return gs_reply_empty(stub);
    if (!gs_take_thread(&args, &thread) || gs_left(&args) > 0)
        return gs_reply_malformed(stub);
    if (!gs_thread_exists(stub, thread))
        return gs_reply_strict_error(stub, -ESRCH, NULL);

    int ret = stub->ops.thread_extra(stub->ctx, thread, text);
    if (ret < 0)
        return gs_reply_strict_error(stub, ret, NULL);
    for (const char *c = text; c < text + sizeof(text) && *c != '\0'; c++)
        gs_put_hex(&stub->reply, c, 1);
    return GS_REPLY;
}
