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
        {"multiprocess+", &peer->multiprocess},
        {"swbreak+", &peer->swbreak},
        {"hwbreak+", &peer->hwbreak},
        {"error-message+", &peer->error_message},
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

    *peer = (struct gs_peer){0};
    while (gs_left(&args) > 0)
        note_offer(peer, gs_take_until(&args, ';'));
    /* gdb takes E.text since version 7; lldb, which never offers swbreak, takes only Enn. */
    peer->error_text = peer->swbreak || peer->error_message;

    const struct {
        bool on;
        const char *text;
    } features[] = {
        {true, ";QStartNoAckMode+;qXfer:features:read+;qXfer:threads:read+;binary-upload+"},
        {ops->resume, ";vContSupported+"},
        {ops->resume && ops->can_reverse, ";ReverseStep+;ReverseContinue+"},
        {ops->next_region, ";qXfer:memory-map:read+"},
        {ops->exec_file, ";qXfer:exec-file:read+"},
        {peer->multiprocess, ";multiprocess+"},
        {peer->swbreak && ops->insert_breakpoint, ";swbreak+"},
        {peer->hwbreak && ops->insert_breakpoint, ";hwbreak+"},
        {ops->insert_breakpoint && ops->checks_conditions, ";ConditionalBreakpoints+"},
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

/* Nothing to do, but an empty reply would make the client think that it has to. */
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
    gs_put_format(&stub->reply, "Text=%llx;Data=%llx;Bss=%llx", (unsigned long long)offsets.text,
                  (unsigned long long)offsets.data, (unsigned long long)offsets.data);
    return GS_REPLY;
}

/* ---- what lldb asks; unanswered, it searches memory for a kernel ---- */

static void put_triple(struct gdbstub *stub)
{
    const char *triple = stub->description->triple;

    gs_put_text(&stub->reply, "triple:");
    gs_put_hex(&stub->reply, triple, strlen(triple));
    gs_put_text(&stub->reply, ";");
}

enum gs_answer gs_host_info(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    if (stub->description->triple)
        put_triple(stub);
    return GS_REPLY;
}

enum gs_answer gs_process_info(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    if (stub->description->triple) {
        gs_put_format(&stub->reply, "pid:%x;", GS_PROCESS);
        put_triple(stub);
    }
    return GS_REPLY;
}

static void put_region(struct gdbstub *stub, uint64_t first, uint64_t last, const char *permissions)
{
    /* The size of the whole address space does not fit: one byte less then. */
    uint64_t size = last - first;

    size += size < UINT64_MAX;
    gs_put_format(&stub->reply, "start:%llx;size:%llx;%s", (unsigned long long)first,
                  (unsigned long long)size, permissions);
}

enum gs_answer gs_region_info(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_region region = {0};
    uint64_t address;

    if (!stub->ops.next_region)
        return gs_reply_empty(stub);
    if (!gs_take_number(&args, &address) || gs_left(&args) > 0)
        return gs_reply_malformed(stub);

    int ret = stub->ops.next_region(stub->ctx, address, &region);
    if (ret < 0)
        return gs_reply_strict_error(stub, ret, NULL);
    if (ret == 0)
        put_region(stub, address, UINT64_MAX, "");
    else if (region.first > address)
        put_region(stub, address, region.first - 1, "");
    else
        put_region(stub, region.first, region.last,
                   region.type == GDBSTUB_REGION_ROM ? "permissions:rx;" : "permissions:rwx;");
    return GS_REPLY;
}
