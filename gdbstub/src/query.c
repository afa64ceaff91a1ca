/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

/* ---- negotiation ---- */

/* What a client may offer, and where that is kept. */
static void note_offer(struct gs_peer *peer, struct gs_cursor feature)
{
    const struct {
        const char *name;
        bool *flag;
    } offers[] = {
        {"multiprocess+", &peer->multiprocess}, {"swbreak+", &peer->swbreak},
        {"hwbreak+", &peer->hwbreak},           {"error-message+", &peer->error_message},
        {"no-resumed+", &peer->no_resumed},
    };

    for (size_t i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
        if (gs_equals(feature, offers[i].name))
            *offers[i].flag = true;
    }
}

enum gs_answer gs_supported(struct gdbstub *stub, struct gs_cursor args)
{
    const struct gdbstub_target_ops *ops = &stub->ops;
    struct gs_peer *peer = &stub->peer;

    *peer = (struct gs_peer){.lldb = peer->lldb, .lists_threads = peer->lists_threads};
    while (gs_left(&args) > 0)
        note_offer(peer, gs_take_until(&args, ';'));
    /* gdb takes E.text since version 7; lldb, which never offers swbreak, takes only Enn. */
    peer->error_text = peer->swbreak || peer->error_message;

    const struct {
        bool on;
        const char *text;
    } features[] = {
        {true, ";QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;binary-upload+"},
        {ops->resume, ";vContSupported+;QThreadEvents+"},
        {ops->resume && ops->can_reverse, ";ReverseStep+;ReverseContinue+"},
        {ops->next_region, ";qXfer:memory-map:read+"},
        {ops->exec_file, ";qXfer:exec-file:read+"},
        {peer->multiprocess, ";multiprocess+"},
        {peer->swbreak && ops->insert_breakpoint, ";swbreak+"},
        {peer->hwbreak && ops->insert_breakpoint, ";hwbreak+"},
        {ops->insert_breakpoint && ops->checks_conditions,
         ";ConditionalBreakpoints+;BreakpointCommands+"},
        {ops->resume && peer->no_resumed, ";no-resumed+"},
        {peer->error_message, ";error-message+"},
    };
    gs_put_format(&stub->reply, "PacketSize=%zx", stub->packet_size);
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        if (features[i].on)
            gs_put_text(&stub->reply, features[i].text);
    }
    return GS_REPLY;
}

enum gs_answer gs_start_no_ack(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    stub->link.no_ack = true;
    return gs_reply_ok(stub);
}

/* Nothing to do (threads come and go with the target alone, and signals are never passed on), but
 * an empty reply would make the client think that it has to. */
enum gs_answer gs_accepted(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    return gs_reply_ok(stub);
}

/* "1": the process was there before the client, which then detaches from it instead of killing. */
enum gs_answer gs_attached(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    gs_put_text(&stub->reply, "1");
    return GS_REPLY;
}

enum gs_answer gs_offsets(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_offsets offsets = {0};

    (void)args;
    if (!stub->ops.offsets || stub->ops.offsets(stub->ctx, &offsets) < 0)
        return gs_reply_empty(stub);
    unsigned long long text = offsets.text;
    unsigned long long data = offsets.data;
    if (!offsets.segments)
        gs_put_format(&stub->reply, "Text=%llx;Data=%llx;Bss=%llx", text, data, data);
    else if (data == 0)
        gs_put_format(&stub->reply, "TextSeg=%llx", text);
    else
        gs_put_format(&stub->reply, "TextSeg=%llx;DataSeg=%llx", text, data);
    return GS_REPLY;
}
