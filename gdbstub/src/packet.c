/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

/*
 * The table of packets. Source: GDB manual, nodes Packets, vCont Packet, General Query Packets;
 * lldb's own ones: docs/resources/lldbgdbremote.md of the LLVM project.
 */

struct packet {
    const char *name;
    gs_handler handler;
    bool needs_life; /* refused after a kill */
};

/* To add a packet, add a row. A name is followed by the end of the packet or one of ":;,". */
static const struct packet words[] = {
    {"!", gs_extended, false},
    {"?", gs_status, false},
    {"D", gs_detach, false},
    {"QEnableErrorStrings", gs_error_strings, false},
    {"QListThreadsInStopReply", gs_list_threads, false},
    {"QPassSignals", gs_accepted, false},
    {"QStartNoAckMode", gs_start_no_ack, false},
    {"QThreadEvents", gs_accepted, false},
    {"QThreadSuffixSupported", gs_accepted, false},
    {"bc", gs_reverse_continue, true},
    {"bs", gs_reverse_step, true},
    {"g", gs_read_registers, true},
    {"jThreadsInfo", gs_threads_info, true},
    {"k", gs_kill, false},
    {"qAttached", gs_attached, false},
    {"qC", gs_current_thread, true},
    {"qHostInfo", gs_host_info, false},
    {"qMemoryRegionInfo", gs_region_info, true},
    {"qOffsets", gs_offsets, true},
    {"qProcessInfo", gs_process_info, true},
    {"qRcmd", gs_monitor, false},
    {"qSearch:memory", gs_search, true},
    {"qSupported", gs_supported, false},
    {"qSymbol", gs_accepted, false},
    {"qThreadExtraInfo", gs_thread_extra, true},
    {"qXfer", gs_xfer, true},
    {"qfThreadInfo", gs_first_threads, false},
    {"qsThreadInfo", gs_more_threads, false},
    {"vAttach", gs_vattach, false},
    {"vCont", gs_vcont, true},
    {"vCont?", gs_vcont_query, false},
    {"vFile:close", gs_file_close, false},
    {"vFile:fstat", gs_file_status, false},
    {"vFile:open", gs_file_open, false},
    {"vFile:pread", gs_file_read, false},
    {"vFile:setfs", gs_file_set_process, false},
    {"vKill", gs_vkill, false},
    {"vRun", gs_vrun, false},
};

/* Names that the arguments follow at once. */
static const struct packet prefixes[] = {
    {"C", gs_continue_signal, true},
    {"G", gs_write_registers, true},
    {"Hc", gs_select_resumed, true},
    {"Hg", gs_select_general, true},
    {"M", gs_write_memory, true},
    {"P", gs_write_register, true},
    {"R", gs_restart, false},
    {"S", gs_step_signal, true},
    {"T", gs_thread_alive, true},
    {"X", gs_write_memory_binary, true},
    {"Z", gs_insert, true},
    {"c", gs_continue, true},
    {"m", gs_read_memory, true},
    {"p", gs_read_register, true},
    {"qThreadStopInfo", gs_thread_stop_info, true},
    {"s", gs_step, true},
    {"x", gs_read_memory_binary, true},
    {"z", gs_remove, true},
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static bool starts_with(const struct gs_cursor *packet, const char *name, size_t size)
{
    return gs_left(packet) >= size && memcmp(packet->next, name, size) == 0;
}

/* Finds the row of a packet and steps over its name and the separator after it. */
static const struct packet *find(struct gs_cursor *packet)
{
    for (size_t i = 0; i < COUNT(words); i++) {
        size_t size = strlen(words[i].name);
        if (!starts_with(packet, words[i].name, size))
            continue;
        struct gs_cursor rest = {packet->next + size, packet->end};
        if (gs_left(&rest) > 0 && !gs_take(&rest, ':') && !gs_take(&rest, ';') &&
            !gs_take(&rest, ','))
            continue;
        *packet = rest;
        return &words[i];
    }
    for (size_t i = 0; i < COUNT(prefixes); i++) {
        size_t size = strlen(prefixes[i].name);
        if (starts_with(packet, prefixes[i].name, size)) {
            packet->next += size;
            return &prefixes[i];
        }
    }
    return NULL;
}

void gs_dispatch(struct gdbstub *stub, const uint8_t *packet, size_t size)
{
    static const struct gdbstub_reason gone = {"the target was killed"};
    struct gs_cursor args = {packet, packet + size};
    enum gs_answer answer;

    gs_clear(&stub->reply);
    const struct packet *row = find(&args);
    if (!row)
        answer = gs_reply_empty(stub);
    else if (row->needs_life && !stub->alive)
        answer = gs_reply_strict_error(stub, -ESRCH, &gone);
    else
        answer = row->handler(stub, args);

    if (answer == GS_SILENT)
        return;
    if (stub->reply.overflow)
        gs_reply_strict_error(stub, -E2BIG, NULL);
    gs_send(stub);
}

enum gs_answer gs_reply_empty(struct gdbstub *stub)
{
    gs_clear(&stub->reply);
    return GS_REPLY;
}

enum gs_answer gs_reply_ok(struct gdbstub *stub)
{
    gs_clear(&stub->reply);
    gs_put_text(&stub->reply, "OK");
    return GS_REPLY;
}

static enum gs_answer reply_error(struct gdbstub *stub, bool text, int error,
                                  const struct gdbstub_reason *reason)
{
    unsigned number = (unsigned)(error < 0 ? -error : error);

    bool why = reason && reason->text[0] != '\0';

    gs_clear(&stub->reply);
    if (text && why) {
        gs_put_text(&stub->reply, "E.");
        gs_put_text(&stub->reply, reason->text);
        return GS_REPLY;
    }
    gs_put_format(&stub->reply, "E%02x", number > 0 && number <= UINT8_MAX ? number : 1);
    if (why && stub->peer.lldb) {
        gs_put_text(&stub->reply, ";");
        gs_put_hex(&stub->reply, reason->text, strlen(reason->text));
    }
    return GS_REPLY;
}

enum gs_answer gs_reply_error(struct gdbstub *stub, int error, const struct gdbstub_reason *reason)
{
    return reply_error(stub, stub->peer.error_text, error, reason);
}

enum gs_answer gs_reply_strict_error(struct gdbstub *stub, int error,
                                     const struct gdbstub_reason *reason)
{
    return reply_error(stub, stub->peer.error_message, error, reason);
}

enum gs_answer gs_reply_malformed(struct gdbstub *stub)
{
    static const struct gdbstub_reason malformed = {"malformed packet"};

    return gs_reply_strict_error(stub, -EINVAL, &malformed);
}
