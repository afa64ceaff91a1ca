/* SPDX-License-Identifier: MIT */
#ifndef GDBSTUB_H
#define GDBSTUB_H

/**
 * libgdbstub: the server side of the GDB remote serial protocol, for targets that can also run
 * backwards.
 *
 * An engine without I/O, threads or globals: the host program feeds it the bytes a client sent
 * (gdbstub_feed), it calls a table of target operations, and hands the bytes to send to an output
 * callback. An operation that the table lacks is a feature that is not advertised.
 *
 * A host loop:
 *
 *     for (;;) {
 *         wait for input, without blocking while gdbstub_state() == GDBSTUB_RUNNING;
 *         if (there are bytes) gdbstub_feed(stub, bytes, n);
 *         if (gdbstub_state(stub) == GDBSTUB_RUNNING) gdbstub_poll(stub);
 *         if (the client has gone) { gdbstub_reset(stub); accept the next one; }
 *     }
 *
 * Conventions: functions return 0 or a negative errno; iterators return 1 (item), 0 (end) or a
 * negative errno; outputs come last and are untouched on failure. Nothing here is thread safe: one
 * engine belongs to one thread. Operations are called from within gdbstub_feed, gdbstub_poll and
 * gdbstub_reset, and must not call these three.
 *
 * What a target must know about direction
 * ---------------------------------------
 * gdb relies on a few asymmetries. The engine only carries messages: the target is responsible for
 * all of these.
 *
 *  1. Forward, a breakpoint at the position where the run starts IS reported, at once and without
 *     moving, by a continue: gdb steps off a breakpoint by itself (it removes it, steps, inserts it
 *     again) before it continues. A forward *step* always executes one instruction.
 *  2. In reverse, a breakpoint at the position where the run starts is IGNORED: gdb inserts all
 *     breakpoints, also the one at the present pc, and then asks to go back. The target moves back
 *     at least one instruction before it looks. This holds for reverse step and continue.
 *  3. A breakpoint hit has the pc AT the breakpoint address, in both directions.
 *  4. A write watchpoint is reported forward with the pc AFTER the writing instruction (the new
 *     value is in memory), in reverse with the pc BEFORE it, that is at the writing instruction
 *     (the old value is in memory). gdb reads the memory again and compares.
 *  5. Where history ends, in either direction, the stop is GDBSTUB_STOP_HISTORY_BEGIN or _END;
 *     forward too, for step and continue. A step that cannot move reports it without moving.
 *     When a breakpoint stands on the very last position reached, the breakpoint is reported and
 *     the next request reports the end of history.
 *  6. By default gdb removes all breakpoints at every stop and inserts them again at every resume:
 *     insertion and removal must be cheap, and must not flush the target's caches.
 *  7. Breakpoints are matched by the target; target memory that gdb reads must never show them.
 *  8. A breakpoint at which gdbstub_breakpoint_stops says no is passed over in both directions,
 * also where a run starts, if the target asks (checks_conditions).
 *
 * Source: GDB manual, "Remote Protocol" (nodes Packets, Stop Reply Packets, General Query Packets)
 * and "Reverse Execution".
 */

#include "gdbstub_description.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define GDBSTUB_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define GDBSTUB_PRINTF(text, first)
#endif

/** Bounds and default of gdbstub_config.packet_size, in bytes. */
#define GDBSTUB_PACKET_SIZE_MIN 0x4000u
#define GDBSTUB_PACKET_SIZE_MAX 0x20000u
#define GDBSTUB_PACKET_SIZE_DEFAULT 0x10000u

/** How many files of a target a client may have open. */
#define GDBSTUB_FILES_MAX 8u

/** Capacity of names and file names that operations return, in bytes with the terminating zero. */
#define GDBSTUB_NAME_MAX 256u

/** A thread as gdb shows it (a vCPU, say): 1 and up. 0 in a request means "any". */
typedef int32_t gdbstub_thread;

/** One engine: the state of one client connection over one target. */
struct gdbstub;

/** Where the text of a monitor command goes; see gdbstub_console_print. */
struct gdbstub_console;

/**
 * Why an operation failed, as one sentence for the user. The engine passes it empty; an operation
 * that fails may fill it with gdbstub_reason_set. It travels as `E.text` to clients that take it.
 */
struct gdbstub_reason {
    char text[200];
};

/* ---- Running ------------------------------------------------------------------------------- */

enum gdbstub_direction { GDBSTUB_FORWARD, GDBSTUB_REVERSE };

enum gdbstub_action { GDBSTUB_CONTINUE, GDBSTUB_STEP };

/** What a client asked the target to do. */
struct gdbstub_resume {
    enum gdbstub_action action;
    enum gdbstub_direction direction;
    gdbstub_thread thread; /**< the thread to step; 0: any */
    bool others_run;       /**< the other threads may run meanwhile */
    int signal;           /**< signal to deliver, in gdb's numbering; 0: none (always in reverse) */
    uint64_t range_start; /**< a step may go on while the pc is within [range_start, range_end); */
    uint64_t range_end;   /**< both 0: exactly one step. A target may always do just one. */
};

/** Why the target stopped. */
enum gdbstub_stop_kind {
    GDBSTUB_STOP_STEP,          /**< a step is done */
    GDBSTUB_STOP_SWBREAK,       /**< at a software breakpoint */
    GDBSTUB_STOP_HWBREAK,       /**< at a hardware breakpoint */
    GDBSTUB_STOP_WATCH_WRITE,   /**< watchpoints: .address is the data address that was hit */
    GDBSTUB_STOP_WATCH_READ,    /**< */
    GDBSTUB_STOP_WATCH_ACCESS,  /**< */
    GDBSTUB_STOP_HISTORY_BEGIN, /**< nothing before this position */
    GDBSTUB_STOP_HISTORY_END,   /**< nothing after this position */
    GDBSTUB_STOP_INTERRUPTED,   /**< the client asked (Ctrl-C) */
    GDBSTUB_STOP_SIGNAL,        /**< the target met a fault of its own: .signal says which */
    GDBSTUB_STOP_EXITED,        /**< the target is gone: .status is its exit status */
    GDBSTUB_STOP_TERMINATED,    /**< the target is gone, through .signal */
    GDBSTUB_STOP_NO_RESUMED,    /**< no thread is left of those that were to run */
};

/** A stop. The engine passes it zeroed; the target sets what applies. */
struct gdbstub_stop {
    enum gdbstub_stop_kind kind;
    gdbstub_thread thread; /**< the thread that stopped; 0: the one that was selected */
    int signal;            /**< in gdb's numbering; 0: what is usual for the kind */
    uint64_t address;      /**< of the data, for watchpoints */
    uint8_t status;        /**< for GDBSTUB_STOP_EXITED */
};

/* ---- Breakpoints --------------------------------------------------------------------------- */

/** Types, numbered as in the packets Z0 to Z4. */
enum gdbstub_breakpoint_type {
    GDBSTUB_BREAK_SOFTWARE,
    GDBSTUB_BREAK_HARDWARE,
    GDBSTUB_WATCH_WRITE,
    GDBSTUB_WATCH_READ,
    GDBSTUB_WATCH_ACCESS,
};

/** Largest gdbstub_conditions.size, in bytes. */
#define GDBSTUB_CONDITIONS_MAX 4096u

/**
 * The conditions of a breakpoint and its commands (gdb's dprintf in agent style), as gdb wrote them
 * down (agent expressions): opaque bytes, that a target copies and gives to
 * gdbstub_breakpoint_stops at each place where the breakpoint would stop it.
 * Ownership: what an operation is given is valid during the call.
 * Source: GDB manual, "Agent Expressions", and node Packets, Z0.
 */
struct gdbstub_conditions {
    const uint8_t *bytes;
    size_t size; /**< in bytes, up to GDBSTUB_CONDITIONS_MAX; 0: none, it always stops */
};

/**
 * A breakpoint or watchpoint. Later versions append fields; a target reads the fields that it
 * knows. Identity is (type, address, kind): inserted once more, its conditions are replaced.
 */
struct gdbstub_breakpoint {
    enum gdbstub_breakpoint_type type;
    uint64_t address;
    uint64_t
        kind; /**< watchpoints: length in bytes, 1 and up; breakpoints: as the architecture says */
    struct gdbstub_conditions conditions; /**< of breakpoints; none unless checks_conditions */
};

/* ---- Memory -------------------------------------------------------------------------------- */

enum gdbstub_region_type { GDBSTUB_REGION_RAM, GDBSTUB_REGION_ROM };

/** A region of the address space that gdb reads; last is inclusive. */
struct gdbstub_region {
    uint64_t first;
    uint64_t last;
    enum gdbstub_region_type type;
};

/** What the address space looks like around an address, as a thread sees it at this position. */
struct gdbstub_mapping {
    uint64_t first;  /**< a range in which all is alike; last is inclusive */
    uint64_t last;   /**< */
    bool readable;   /**< all three false: not mapped, or not known */
    bool writable;   /**< */
    bool executable; /**< */
};

/** Where the symbol file was loaded. */
struct gdbstub_offsets {
    uint64_t
        text; /**< how far sections were moved against their link addresses; or, if segments, */
    uint64_t
        data; /**< the address of the first loaded segment, and of the second; 0: moves along */
    bool segments; /**< the file has program headers, and is moved as a whole */
};

/** What is known of a file that a client may read. */
struct gdbstub_file {
    void *handle; /**< the target's own */
    uint64_t size_bytes;
};

/* ---- The target ---------------------------------------------------------------------------- */

/**
 * The operations of a target. `size` is sizeof(struct gdbstub_target_ops) as the caller compiled
 * it: later versions append operations. Every operation gets the `ctx` of the configuration first.
 * Mandatory: read_register and read_memory. NULL elsewhere: the feature is not advertised.
 * `reason`, where there is one, is never NULL and may be left empty.
 */
struct gdbstub_target_ops {
    size_t size;

    /**
     * Reads register `index` (of the description) of a thread into `value`: bits / 8 bytes in the
     * target's byte order. Mandatory.
     * Returns 0; -ENODATA when the value is not known at this position (gdb shows <unavailable>);
     * another negative errno on failure (shown as unavailable in a block of registers).
     */
    int (*read_register)(void *ctx, gdbstub_thread thread, size_t index, void *value);

    /** Writes a register. Returns 0 or a negative errno. NULL: registers are read-only. */
    int (*write_register)(void *ctx, gdbstub_thread thread, size_t index, const void *value,
                          struct gdbstub_reason *reason);

    /**
     * Reads up to `size` bytes at `address`, as `thread` sees memory. Mandatory.
     * Returns 0 and sets *got to the number of bytes known from `address` on, which may be less
     * than `size` (the rest is unmapped or not recorded); a negative errno (-EFAULT, -ENODATA)
     * when not even the first byte is known. The protocol has no other word for unavailable
     * memory: gdb says "Cannot access memory at address". The range never wraps around.
     */
    int (*read_memory)(void *ctx, gdbstub_thread thread, uint64_t address, void *bytes, size_t size,
                       size_t *got);

    /** Writes memory, all of it or none. Returns 0 or a negative errno. NULL: read-only. */
    int (*write_memory)(void *ctx, gdbstub_thread thread, uint64_t address, const void *bytes,
                        size_t size, struct gdbstub_reason *reason);

    /**
     * Sets *next to the smallest thread id greater than `after` (0: the first).
     * Returns 1, 0 when there is none, or a negative errno. NULL: one thread, number 1.
     */
    int (*next_thread)(void *ctx, gdbstub_thread after, gdbstub_thread *next);

    /** Name of a thread ("CPU#0") into `name`, zero-terminated. Returns 0 or a negative errno. */
    int (*thread_name)(void *ctx, gdbstub_thread thread, char name[GDBSTUB_NAME_MAX]);

    /** What else `info threads` says about a thread, as thread_name. */
    int (*thread_extra)(void *ctx, gdbstub_thread thread, char text[GDBSTUB_NAME_MAX]);

    /**
     * Fills *stop with the reason why the target stands where it stands; asked when a client
     * connects. NULL: the engine repeats the last stop, at first a GDBSTUB_STOP_STEP.
     * Returns 0 or a negative errno.
     */
    int (*status)(void *ctx, struct gdbstub_stop *stop);

    /**
     * Begins to run; only prepares, does not search: `run` does the work. The request is valid
     * during the call only. Asked for GDBSTUB_REVERSE only if `can_reverse`.
     * Returns 0, or a negative errno (nothing is running then).
     */
    int (*resume)(void *ctx, const struct gdbstub_resume *request, struct gdbstub_reason *reason);

    /**
     * Runs one slice: some milliseconds at most, so that the host can look for an interrupt in
     * between. Mandatory with resume. Called once by the gdbstub_feed that resumed, so that a step
     * costs no extra turn of the host loop, then by each gdbstub_poll.
     * What it prints to `console` the client shows while it waits.
     * Returns 1 with *stop filled when the target has stopped; 0 to be called again; a negative
     * errno when it cannot go on (reported to gdb as a stop with SIGABRT).
     */
    int (*run)(void *ctx, struct gdbstub_console *console, struct gdbstub_stop *stop);

    /**
     * Ends what `resume` began, because the client asked: fills *stop, as a rule with
     * GDBSTUB_STOP_INTERRUPTED. Where the target stands then is its choice; in a reverse search
     * the place where it started is what users expect. Mandatory with resume.
     * Returns 0 or a negative errno (the stop is reported as GDBSTUB_STOP_INTERRUPTED anyway).
     */
    int (*interrupt)(void *ctx, struct gdbstub_stop *stop);

    /** Whether resume takes GDBSTUB_REVERSE. */
    bool can_reverse;

    /**
     * Inserts a breakpoint, or removes one. Both must tolerate repetition. All or none of
     * insert_breakpoint, remove_breakpoint and clear_breakpoints.
     * Return 0; -ENOTSUP when the type is not supported at all; another negative errno.
     */
    int (*insert_breakpoint)(void *ctx, const struct gdbstub_breakpoint *breakpoint,
                             struct gdbstub_reason *reason);
    int (*remove_breakpoint)(void *ctx, const struct gdbstub_breakpoint *breakpoint,
                             struct gdbstub_reason *reason);

    /** Removes all breakpoints: the client has detached, was killed or vanished. */
    void (*clear_breakpoints)(void *ctx);

    /** Goes to the start (`R`, `vRun`: gdb's `run` in extended mode). 0 or a negative errno. */
    int (*restart)(void *ctx, struct gdbstub_reason *reason);

    /**
     * Path of the symbol file, as the client should open it, zero-terminated.
     * Returns 0, or a negative errno when none is known.
     */
    int (*exec_file)(void *ctx, char path[GDBSTUB_NAME_MAX]);

    /** Where the symbol file was loaded. Returns 0, or -ENODATA when that is not known. */
    int (*offsets)(void *ctx, struct gdbstub_offsets *offsets);

    /**
     * Fills *region with the region that holds `address`, or the first one above it. gdb then
     * refuses access outside of all regions. Returns 1, 0 when there is none, or a negative errno.
     */
    int (*next_region)(void *ctx, uint64_t address, struct gdbstub_region *region);

    /**
     * Says in words where a run has stopped; called before each stop reply that ends a run, but not
     * for lldb. The client prints what goes to `console` at once, so one line at most is good
     * manners.
     */
    void (*announce)(void *ctx, const struct gdbstub_stop *stop, struct gdbstub_console *console);

    /**
     * Whether the target asks gdbstub_breakpoint_stops before it stops at a breakpoint. If not, gdb
     * evaluates conditions itself: one stop for each time that one does not hold.
     */
    bool checks_conditions;

    /**
     * Fills *mapping with the range around `address`; for lldb, and unlike next_region as of the
     * present position. Returns 0 or a negative errno. NULL: lldb is told of the regions.
     */
    int (*find_mapping)(void *ctx, gdbstub_thread thread, uint64_t address,
                        struct gdbstub_mapping *mapping);

    /**
     * Opens a file for the client to read (the one that exec_file names, as a rule: a client may
     * ask for any path). All or none of the three. At most GDBSTUB_FILES_MAX are open at a time.
     * Returns 0 with *file filled; -ENOENT, -EACCES or another negative errno.
     */
    int (*open_file)(void *ctx, const char *path, struct gdbstub_file *file);

    /** Reads up to `size` bytes; *got 0 at the end. Returns 0 or a negative errno. */
    int (*read_file)(void *ctx, const struct gdbstub_file *file, uint64_t offset, void *bytes,
                     size_t size, size_t *got);

    /** Closes a file: the client has done so, or has gone. */
    void (*close_file)(void *ctx, const struct gdbstub_file *file);
};

/**
 * A `monitor` command. `monitor help` is the engine's own: it lists the table, or what begins with
 * a word. A command may be abbreviated to a prefix that no other command shares.
 */
struct gdbstub_command {
    const char *name;  /**< one word, lower case */
    const char *usage; /**< its arguments, "[FROM [COUNT]]"; NULL: none */
    const char *help;  /**< one line */

    /**
     * Carries the command out. `args` is what followed the name, without surrounding blanks; never
     * NULL. Output goes to `console`, which is valid during the call only.
     * Returns 0 or a negative errno; `reason` is then shown to the user.
     */
    int (*run)(void *ctx, const char *args, struct gdbstub_console *console,
               struct gdbstub_reason *reason);
};

/* ---- The engine ---------------------------------------------------------------------------- */

/** What an engine is made from. What the pointers point to must outlive the engine. */
struct gdbstub_config {
    const struct gdbstub_target_ops *ops; /**< copied */
    void *ctx;                            /**< given to every operation and command */
    const struct gdbstub_description *description;
    const struct gdbstub_command *commands; /**< table of monitor commands; NULL: none */
    size_t command_count;

    /**
     * Takes `size` bytes to send to the client: all of them (the host buffers what its socket does
     * not take). Returns 0, or a negative errno when the client is gone: what follows is dropped
     * until gdbstub_reset.
     */
    int (*output)(void *output_ctx, const void *bytes, size_t size);
    void *output_ctx;

    size_t packet_size; /**< largest packet, in bytes; 0: GDBSTUB_PACKET_SIZE_DEFAULT */
};

/** What an engine is doing. */
enum gdbstub_state {
    GDBSTUB_WAITING,  /**< for a packet */
    GDBSTUB_RUNNING,  /**< the host should call gdbstub_poll in between looking for input */
    GDBSTUB_DETACHED, /**< the client has said good-bye; it will close the connection */
    GDBSTUB_KILLED,   /**< the client asked to end the target */
};

/**
 * Makes an engine for one target. All memory that it needs for packets is allocated here; documents
 * (target description, list of threads) are bounded and allocated when asked for.
 * Ownership: the caller destroys it with gdbstub_destroy.
 * Returns 0; -EINVAL for a table that lacks what is mandatory, a packet size out of bounds, or a
 * register block that does not fit in a packet; -ENOMEM.
 */
int gdbstub_create(const struct gdbstub_config *config, struct gdbstub **stub);

/** Frees an engine; no operation is called: a client's files are closed by gdbstub_reset. NULL is
 * fine. */
void gdbstub_destroy(struct gdbstub *stub);

/**
 * Feeds bytes from the client, cut in any way. Replies go to the output callback before it returns.
 * No byte sequence is fatal: what is not understood is answered as the protocol says, or dropped.
 * Returns 0, or the negative errno of the output callback.
 */
int gdbstub_feed(struct gdbstub *stub, const void *bytes, size_t size);

/**
 * Goes on with what takes long (a run, a memory search) for one slice; does nothing otherwise.
 * Returns 0, or the negative errno of the output callback.
 */
int gdbstub_poll(struct gdbstub *stub);

/** What the engine is doing now. */
enum gdbstub_state gdbstub_state(const struct gdbstub *stub);

/**
 * Forgets the client: the connection was closed, a new one may follow. A run is interrupted,
 * breakpoints are removed and files closed; the target stays where it is.
 */
void gdbstub_reset(struct gdbstub *stub);

/* ---- For operations ------------------------------------------------------------------------ */

/**
 * A place of the target at which a breakpoint is met: the two mandatory operations, or ones that
 * read at a place where the target does not stand yet. All mandatory but `ctx` and `console`.
 */
struct gdbstub_view {
    const struct gdbstub_description *description;
    int (*read_register)(void *ctx, gdbstub_thread thread, size_t index, void *value);
    int (*read_memory)(void *ctx, gdbstub_thread thread, uint64_t address, void *bytes, size_t size,
                       size_t *got);
    void *ctx;
    gdbstub_thread thread;           /**< that meets the breakpoint */
    struct gdbstub_console *console; /**< of `run`: where commands print; NULL: they are not run */
};

/**
 * Whether a breakpoint stops the target there. It does not if it has conditions and all of them are
 * 0, or if it has commands (gdb's dprintf): these are carried out, unless a condition forbids it.
 * What cannot be evaluated (what it needs is not known, it divides by zero, it is not understood)
 * stops, and leaves it to gdb. Steps, stack and output are bounded, nothing is allocated.
 */
bool gdbstub_breakpoint_stops(const struct gdbstub_conditions *conditions,
                              const struct gdbstub_view *view);

/** Sets the sentence that says why; too long a text is cut. NULL is fine. */
void gdbstub_reason_set(struct gdbstub_reason *reason, const char *format, ...)
    GDBSTUB_PRINTF(2, 3);

/**
 * Prints for the user; sent in blocks as they fill up, so that long output streams. There is no
 * limit on the length of the whole; one call formats up to 1023 bytes and cuts the rest.
 */
void gdbstub_console_print(struct gdbstub_console *console, const char *format, ...)
    GDBSTUB_PRINTF(2, 3);

/** As gdbstub_console_print, with bytes as they are and of any number. */
void gdbstub_console_write(struct gdbstub_console *console, const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif
#endif
