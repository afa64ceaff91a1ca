/* SPDX-License-Identifier: MIT */
#ifndef GDBSTUB_INTERNAL_H
#define GDBSTUB_INTERNAL_H

#include "gdbstub.h"

#include <errno.h>

/* The one process that a stub serves, in multiprocess thread ids. */
#define GS_PROCESS 1u

/* Signals in gdb's numbering (include/gdb/signals.def), whatever the host's numbers are. */
enum gs_signal { GS_SIGINT = 2, GS_SIGTRAP = 5, GS_SIGABRT = 6, GS_SIGKILL = 9 };

/* ---- buffer.c: text that grows up to a limit, or within a fixed block ------------------------ */

struct gs_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t limit;  /* grows by realloc up to this; equal to capacity: fixed */
    bool overflow; /* something did not fit; size is what did */
};

int gs_buffer_init(struct gs_buffer *buffer, size_t capacity, size_t limit);
void gs_buffer_deinit(struct gs_buffer *buffer);
void gs_clear(struct gs_buffer *buffer);
void gs_put(struct gs_buffer *buffer, const void *bytes, size_t size);
void gs_put_text(struct gs_buffer *buffer, const char *text);
void gs_put_format(struct gs_buffer *buffer, const char *format, ...) GDBSTUB_PRINTF(2, 3);
void gs_put_hex(struct gs_buffer *buffer, const void *bytes, size_t size);
void gs_put_xml(struct gs_buffer *buffer, const char *text);

/* ---- parse.c: a cursor over a packet; every function leaves it alone when it returns false -----
 */

struct gs_cursor {
    const uint8_t *next;
    const uint8_t *end;
};

size_t gs_left(const struct gs_cursor *cursor);
bool gs_take(struct gs_cursor *cursor, char expected);
bool gs_take_number(struct gs_cursor *cursor, uint64_t *value);
bool gs_take_thread(struct gs_cursor *cursor, gdbstub_thread *thread);
bool gs_take_signal(struct gs_cursor *cursor, int *signal);
/* Cuts off what stands before `delimiter` (all, if there is none) and steps over that. */
struct gs_cursor gs_take_until(struct gs_cursor *cursor, char delimiter);
bool gs_equals(struct gs_cursor cursor, const char *text);
/* Value of a hexadecimal digit, or -1. */
int gs_digit(uint8_t character);
/* Decodes size bytes out of 2 * size digits. */
bool gs_decode_hex(const uint8_t *digits, size_t size, uint8_t *bytes);

/* ---- the engine ------------------------------------------------------------------------------ */

/* Where the receiver stands within a packet. */
enum gs_link_state { GS_LINK_IDLE, GS_LINK_BODY, GS_LINK_SUM_HIGH, GS_LINK_SUM_LOW };

struct gs_link {
    enum gs_link_state state;
    uint8_t *packet; /* packet_size bytes */
    size_t size;
    bool too_long;
    uint8_t sum;       /* of what came in */
    int sum_high;      /* first digit of the sum that the client sent, -1: not a digit */
    bool no_ack;       /* after QStartNoAckMode */
    uint8_t *frame;    /* the last frame sent, for retransmission */
    size_t frame_size; /* 0: none, or it was acknowledged */
    unsigned resends;  /* of this frame */
    int error;         /* of the output callback: nothing goes out any more */
};

/* What the client said it understands. */
struct gs_peer {
    bool multiprocess;
    bool swbreak;
    bool hwbreak;
    bool error_message; /* takes E.text from every packet */
    bool error_text;    /* takes E.text from most */
    bool no_resumed;    /* knows the stop reply N */
    bool lldb;          /* "Exx;text in hex" is its form of errors, "xx" no word for unavailable */
    bool lists_threads; /* lldb: wants the threads in each stop reply */
};

/* A file that the client has open; its index is the client's number of it. */
struct gs_file {
    bool open;
    struct gdbstub_file file;
};

/* A memory search under way. */
struct gs_search {
    bool active;
    uint64_t address;
    uint64_t left;
    size_t pattern_size;
    uint8_t *pattern;
};

struct gdbstub {
    struct gdbstub_target_ops ops;
    void *ctx;
    const struct gdbstub_description *description;
    const struct gdbstub_command *commands;
    size_t command_count;
    int (*output)(void *output_ctx, const void *bytes, size_t size);
    void *output_ctx;
    size_t packet_size;
    size_t block_size; /* of all registers, in bytes */

    struct gs_link link;
    struct gs_peer peer;
    struct gs_search search;
    enum gdbstub_state state;
    bool extended;
    bool alive;                /* false after a kill, until a restart */
    gdbstub_thread general;    /* Hg: 0 any */
    gdbstub_thread resumed;    /* Hc: 0 any */
    gdbstub_thread listed;     /* last thread of a qfThreadInfo sequence */
    struct gdbstub_stop stop;  /* the last one */
    struct gs_buffer reply;    /* the packet being built */
    uint8_t *scratch;          /* packet_size bytes, for one handler */
    struct gs_buffer document; /* of the last qXfer */
    const char *document_of;   /* its object; NULL: none */
    struct gs_file files[GDBSTUB_FILES_MAX];
};

/* What a handler did with a packet. */
enum gs_answer { GS_REPLY, GS_SILENT };

typedef enum gs_answer (*gs_handler)(struct gdbstub *stub, struct gs_cursor args);

/* ---- link.c ---- */
int gs_link_init(struct gs_link *link, size_t packet_size);
void gs_link_deinit(struct gs_link *link);
void gs_link_reset(struct gs_link *link);
void gs_link_receive(struct gdbstub *stub, const uint8_t *bytes, size_t size);
/* Frames stub->reply and sends it. */
void gs_send(struct gdbstub *stub);

/* ---- packet.c ---- */
void gs_dispatch(struct gdbstub *stub, const uint8_t *packet, size_t size);
enum gs_answer gs_reply_ok(struct gdbstub *stub);
enum gs_answer gs_reply_empty(struct gdbstub *stub);
/* E.text or Enn for packets that always took either; reason may be NULL. */
enum gs_answer gs_reply_error(struct gdbstub *stub, int error, const struct gdbstub_reason *reason);
/* The same for packets where an old client takes E.text for data. */
enum gs_answer gs_reply_strict_error(struct gdbstub *stub, int error,
                                     const struct gdbstub_reason *reason);
enum gs_answer gs_reply_malformed(struct gdbstub *stub);

/* ---- threads.c ---- */
int gs_next_thread(const struct gdbstub *stub, gdbstub_thread after, gdbstub_thread *next);
bool gs_thread_exists(const struct gdbstub *stub, gdbstub_thread thread);
/* The thread that requests about registers and memory mean. */
gdbstub_thread gs_general_thread(const struct gdbstub *stub);
/* The same, or the one that lldb names at the end of a packet (";thread:1;"), where nothing else
 * may stand. */
bool gs_take_thread_suffix(const struct gdbstub *stub, struct gs_cursor *args,
                           gdbstub_thread *thread);
void gs_put_thread(struct gdbstub *stub, struct gs_buffer *buffer, gdbstub_thread thread);

/* ---- documents.c ---- */
typedef int (*gs_thread_text)(void *ctx, gdbstub_thread thread, char text[GDBSTUB_NAME_MAX]);
/* A text about a thread; empty when the target has none. Always terminated. */
void gs_get_text(struct gdbstub *stub, gs_thread_text get, gdbstub_thread thread,
                 char text[GDBSTUB_NAME_MAX]);

/* ---- run.c ---- */
/* The signal that a stop shows. */
unsigned gs_signal_of(const struct gdbstub_stop *stop);
void gs_interrupt(struct gdbstub *stub);
void gs_run_slice(struct gdbstub *stub);
void gs_clear_breakpoints(struct gdbstub *stub);
/* Puts the stop reply for stub->stop into stub->reply. */
void gs_put_stop(struct gdbstub *stub);

/* Says that the target is gone: 'W' with its exit status, or 'X' with a signal. */
void gs_put_end(struct gdbstub *stub, char letter, unsigned status);

/* ---- files.c ---- */
void gs_close_files(struct gdbstub *stub);

/* ---- registers.c ---- */
void gs_put_register(struct gdbstub *stub, gdbstub_thread thread, size_t index);
void gs_put_expedited(struct gdbstub *stub, gdbstub_thread thread);

/* ---- format.c: what a command prints, as C's printf does; 0 or a negative errno ---- */
int gs_print_format(const struct gdbstub_view *view, const uint8_t *format, size_t size,
                    const uint64_t *args, size_t count);

/* ---- expression.c: 0 or a negative errno; *steps is used up ---- */
int gs_evaluate(const struct gdbstub_view *view, const uint8_t *code, size_t size, unsigned *steps,
                uint64_t *value);
/* A command leaves no value; what it prints goes to view->console. */
int gs_carry_out(const struct gdbstub_view *view, const uint8_t *code, size_t size,
                 unsigned *steps);

/* ---- condition.c ---- */
/* Takes all that is left, conditions and commands, into `bytes`, of GDBSTUB_CONDITIONS_MAX.
 * Returns 0, -EINVAL or -E2BIG. */
int gs_take_conditions(struct gs_cursor *args, uint8_t *bytes,
                       struct gdbstub_conditions *conditions);

/* ---- search.c ---- */
void gs_search_slice(struct gdbstub *stub);
void gs_search_cancel(struct gdbstub *stub, int error);

/* ---- monitor.c ---- */
#define GS_CONSOLE_BLOCK 1024u
struct gdbstub_console {
    struct gdbstub *stub;
    size_t size;
    uint8_t block[GS_CONSOLE_BLOCK];
};
void gs_console_flush(struct gdbstub_console *console);

/* ---- handlers, one a packet, named after it ---- */

enum gs_answer gs_status(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_continue(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_continue_signal(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_step(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_step_signal(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_vcont(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_vcont_query(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_reverse_continue(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_reverse_step(struct gdbstub *stub, struct gs_cursor args);

enum gs_answer gs_detach(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_kill(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_vkill(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_extended(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_restart(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_vrun(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_vattach(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_insert(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_remove(struct gdbstub *stub, struct gs_cursor args);

enum gs_answer gs_read_registers(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_write_registers(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_read_register(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_write_register(struct gdbstub *stub, struct gs_cursor args);

enum gs_answer gs_read_memory(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_write_memory(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_read_memory_binary(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_write_memory_binary(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_search(struct gdbstub *stub, struct gs_cursor args);

enum gs_answer gs_select_general(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_select_resumed(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_thread_alive(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_current_thread(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_first_threads(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_more_threads(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_thread_extra(struct gdbstub *stub, struct gs_cursor args);

enum gs_answer gs_supported(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_start_no_ack(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_accepted(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_attached(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_offsets(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_monitor(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_xfer(struct gdbstub *stub, struct gs_cursor args);

enum gs_answer gs_file_set_process(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_file_open(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_file_read(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_file_status(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_file_close(struct gdbstub *stub, struct gs_cursor args);

enum gs_answer gs_error_strings(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_list_threads(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_host_info(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_process_info(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_region_info(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_threads_info(struct gdbstub *stub, struct gs_cursor args);
enum gs_answer gs_thread_stop_info(struct gdbstub *stub, struct gs_cursor args);

#endif
