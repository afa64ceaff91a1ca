/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

/*
 * What lldb asks beyond gdb's packets; unanswered, it searches memory for a kernel and reads
 * registers one by one. Source: LLVM project, "LLDB GDB remote protocol extensions".
 */

/* ---- what it says of itself ---- */

enum gs_answer gs_error_strings(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    stub->peer.lldb = true;
    return gs_reply_ok(stub);
}

enum gs_answer gs_list_threads(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    stub->peer.lists_threads = true;
    return gs_reply_ok(stub);
}

/* ---- host and process ---- */

static void put_machine(struct gdbstub *stub)
{
    const struct gdbstub_description *description = stub->description;
    unsigned address_bytes = 8;

    for (size_t i = 0; i < description->register_count; i++) {
        const char *type = description->registers[i].type;
        if (type && strcmp(type, "code_ptr") == 0)
            address_bytes = description->registers[i].bits / 8u;
    }
    gs_put_text(&stub->reply, "triple:");
    gs_put_hex(&stub->reply, description->triple, strlen(description->triple));
    gs_put_format(&stub->reply, ";ptrsize:%u;endian:%s;", address_bytes,
                  description->big_endian ? "big" : "little");
}

enum gs_answer gs_host_info(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    if (stub->description->triple)
        put_machine(stub);
    return GS_REPLY;
}

enum gs_answer gs_process_info(struct gdbstub *stub, struct gs_cursor args)
{
    (void)args;
    if (stub->description->triple) {
        gs_put_format(&stub->reply, "pid:%x;", GS_PROCESS);
        put_machine(stub);
    }
    return GS_REPLY;
}

/* ---- memory ---- */

static void put_mapping(struct gdbstub *stub, const struct gdbstub_mapping *mapping)
{
    /* The size of the whole address space does not fit: one byte less then. */
    uint64_t size = mapping->last - mapping->first;

    size += size < UINT64_MAX;
    gs_put_format(&stub->reply, "start:%llx;size:%llx;", (unsigned long long)mapping->first,
                  (unsigned long long)size);
    if (mapping->readable || mapping->writable || mapping->executable)
        gs_put_format(&stub->reply, "permissions:%s%s%s;", mapping->readable ? "r" : "",
                      mapping->writable ? "w" : "", mapping->executable ? "x" : "");
}

/* The regions of a target that has no better to say. */
static int find_in_regions(struct gdbstub *stub, uint64_t address, struct gdbstub_mapping *mapping)
{
    struct gdbstub_region region = {0};

    if (!stub->ops.next_region)
        return -ENOTSUP;
    int ret = stub->ops.next_region(stub->ctx, address, &region);
    if (ret < 0)
        return ret;
    if (ret == 0)
        *mapping = (struct gdbstub_mapping){.first = address, .last = UINT64_MAX};
    else if (region.first > address)
        *mapping = (struct gdbstub_mapping){.first = address, .last = region.first - 1};
    else
        *mapping = (struct gdbstub_mapping){region.first, region.last, true,
                                            region.type == GDBSTUB_REGION_RAM, true};
    return 0;
}

enum gs_answer gs_region_info(struct gdbstub *stub, struct gs_cursor args)
{
    struct gdbstub_mapping mapping = {0};
    uint64_t address;
    int ret;

    if (!stub->ops.find_mapping && !stub->ops.next_region)
        return gs_reply_empty(stub);
    if (!gs_take_number(&args, &address) || gs_left(&args) > 0)
        return gs_reply_malformed(stub);
    if (stub->ops.find_mapping)
        ret = stub->ops.find_mapping(stub->ctx, gs_general_thread(stub), address, &mapping);
    else
        ret = find_in_regions(stub, address, &mapping);
    if (ret < 0)
        return gs_reply_strict_error(stub, ret, NULL);
    put_mapping(stub, &mapping);
    return GS_REPLY;
}

/* ---- threads ---- */

/* Reasons in lldb's words, by enum gdbstub_stop_kind; NULL: the signal says it. */
static const char *const reasons[] = {
    [GDBSTUB_STOP_STEP] = "trace",
    [GDBSTUB_STOP_SWBREAK] = "breakpoint",
    [GDBSTUB_STOP_HWBREAK] = "breakpoint",
    [GDBSTUB_STOP_WATCH_WRITE] = "watchpoint",
    [GDBSTUB_STOP_WATCH_READ] = "watchpoint",
    [GDBSTUB_STOP_WATCH_ACCESS] = "watchpoint",
    [GDBSTUB_STOP_NO_RESUMED] = NULL,
};

/* Text in JSON; what is not printable ASCII has no place in a name. */
static void put_json(struct gs_buffer *out, const char *text)
{
    gs_put_text(out, "\"");
    for (; *text != '\0'; text++) {
        bool plain = *text >= ' ' && *text <= '~';
        if (*text == '"' || *text == '\\')
            gs_put_text(out, "\\");
        gs_put(out, plain ? text : "?", 1);
    }
    gs_put_text(out, "\"");
}

static void put_json_reason(struct gdbstub *stub, gdbstub_thread thread)
{
    const struct gdbstub_stop *stop = &stub->stop;

    if (thread != stop->thread) {
        gs_put_text(&stub->reply, ",\"reason\":\"none\"");
        return;
    }
    if (reasons[stop->kind])
        gs_put_format(&stub->reply, ",\"reason\":\"%s\"", reasons[stop->kind]);
    gs_put_format(&stub->reply, ",\"signal\":%u", gs_signal_of(stop));
    if (stop->kind >= GDBSTUB_STOP_WATCH_WRITE && stop->kind <= GDBSTUB_STOP_WATCH_ACCESS)
        gs_put_format(&stub->reply, ",\"description\":\"%llu 0\"",
                      (unsigned long long)stop->address);
}

static void put_json_registers(struct gdbstub *stub, gdbstub_thread thread)
{
    const char *before = ",\"registers\":{";
    bool any = false;

    for (size_t i = 0; i < stub->description->register_count; i++) {
        uint8_t value[GDBSTUB_REGISTER_BITS_MAX / 8];
        const struct gdbstub_register *reg = &stub->description->registers[i];
        if (!(reg->flags & GDBSTUB_REGISTER_EXPEDITE) ||
            stub->ops.read_register(stub->ctx, thread, i, value) != 0)
            continue;
        gs_put_format(&stub->reply, "%s\"%zu\":\"", before, i);
        gs_put_hex(&stub->reply, value, reg->bits / 8u);
        gs_put_text(&stub->reply, "\"");
        before = ",";
        any = true;
    }
    if (any)
        gs_put_text(&stub->reply, "}");
}

enum gs_answer gs_threads_info(struct gdbstub *stub, struct gs_cursor args)
{
    const char *before = "[";
    gdbstub_thread thread = 0;

    (void)args;
    while (!stub->reply.overflow && gs_next_thread(stub, thread, &thread) == 1) {
        char name[GDBSTUB_NAME_MAX];
        gs_put_format(&stub->reply, "%s{\"tid\":%u", before, (unsigned)thread);
        gs_get_text(stub, stub->ops.thread_name, thread, name);
        if (name[0] != '\0') {
            gs_put_text(&stub->reply, ",\"name\":");
            put_json(&stub->reply, name);
        }
        put_json_reason(stub, thread);
        put_json_registers(stub, thread);
        gs_put_text(&stub->reply, "}");
        before = ",";
    }
    gs_put_text(&stub->reply, "]");
    return GS_REPLY;
}

/* The stop reply of one thread: of the one that stopped, or of one that just stands. */
enum gs_answer gs_thread_stop_info(struct gdbstub *stub, struct gs_cursor args)
{
    gdbstub_thread thread;

    if (!gs_take_thread(&args, &thread) || gs_left(&args) > 0 || !gs_thread_exists(stub, thread))
        return gs_reply_malformed(stub);
    if (thread == stub->stop.thread) {
        gs_put_stop(stub);
        return GS_REPLY;
    }
    gs_put_text(&stub->reply, "T00");
    gs_put_expedited(stub, thread);
    gs_put_text(&stub->reply, "thread:");
    gs_put_thread(stub, &stub->reply, thread);
    gs_put_text(&stub->reply, ";");
    return GS_REPLY;
}
