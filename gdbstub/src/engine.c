/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/* A client may make the stub write a document, but not without end. */
#define DOCUMENT_LIMIT ((size_t)4 << 20)
#define REGISTERS_MAX 4096u
/* What a stop reply needs beside the digits: a number, ':' and ';' a register, and the reason. */
#define EXPEDITE_ROOM 8u
#define STOP_ROOM 512u

static bool registers_valid(const struct gdbstub_description *description, size_t *block_size)
{
    size_t size = 0;

    if (!description || description->register_count == 0 ||
        description->register_count > REGISTERS_MAX)
        return false;
    for (size_t i = 0; i < description->register_count; i++) {
        const struct gdbstub_register *reg = &description->registers[i];
        if (!reg->name || !reg->feature || reg->bits == 0 || reg->bits % 8 != 0 ||
            reg->bits > GDBSTUB_REGISTER_BITS_MAX)
            return false;
        size += reg->bits / 8u;
    }
    *block_size = size;
    return true;
}

static bool ops_valid(const struct gdbstub_target_ops *ops)
{
    bool runs = ops->resume != NULL;
    bool breaks = ops->insert_breakpoint != NULL;
    bool files = ops->open_file != NULL;

    return ops->read_register && ops->read_memory && (ops->run != NULL) == runs &&
           (ops->interrupt != NULL) == runs && (runs || !ops->can_reverse) &&
           (ops->remove_breakpoint != NULL) == breaks &&
           (ops->clear_breakpoints != NULL) == breaks && (ops->read_file != NULL) == files &&
           (ops->close_file != NULL) == files;
}

static bool commands_valid(const struct gdbstub_config *config)
{
    for (size_t i = 0; i < config->command_count; i++) {
        const struct gdbstub_command *command = &config->commands[i];
        if (!command->name || command->name[0] == '\0' || !command->help || !command->run)
            return false;
    }
    return true;
}

/* Copies what the caller's version of the table has; what it lacks is NULL. */
static bool copy_ops(const struct gdbstub_target_ops *ops, struct gdbstub_target_ops *copy)
{
    if (!ops || ops->size < sizeof(ops->size))
        return false;
    memset(copy, 0, sizeof(*copy));
    memcpy(copy, ops, ops->size < sizeof(*copy) ? ops->size : sizeof(*copy));
    return true;
}

static int configure(struct gdbstub *stub, const struct gdbstub_config *config)
{
    size_t packet_size = config->packet_size ? config->packet_size : GDBSTUB_PACKET_SIZE_DEFAULT;

    if (packet_size < GDBSTUB_PACKET_SIZE_MIN || packet_size > GDBSTUB_PACKET_SIZE_MAX ||
        !config->output || !copy_ops(config->ops, &stub->ops) || !ops_valid(&stub->ops) ||
        !registers_valid(config->description, &stub->block_size) || !commands_valid(config))
        return -EINVAL;
    if (2 * stub->block_size + EXPEDITE_ROOM * config->description->register_count + STOP_ROOM >
        packet_size)
        return -EINVAL;

    stub->ctx = config->ctx;
    stub->description = config->description;
    stub->commands = config->commands;
    stub->command_count = config->command_count;
    stub->output = config->output;
    stub->output_ctx = config->output_ctx;
    stub->packet_size = packet_size;
    stub->alive = true;
    return 0;
}

static int allocate(struct gdbstub *stub)
{
    if (gs_link_init(&stub->link, stub->packet_size) < 0 ||
        gs_buffer_init(&stub->reply, stub->packet_size, stub->packet_size) < 0 ||
        gs_buffer_init(&stub->document, 0, DOCUMENT_LIMIT) < 0)
        return -ENOMEM;
    stub->scratch = malloc(stub->packet_size);
    return stub->scratch ? 0 : -ENOMEM;
}

int gdbstub_create(const struct gdbstub_config *config, struct gdbstub **stub)
{
    struct gdbstub *made = calloc(1, sizeof(*made));

    if (!made)
        return -ENOMEM;
    int ret = configure(made, config);
    if (ret == 0)
        ret = allocate(made);
    if (ret < 0) {
        gdbstub_destroy(made);
        return ret;
    }
    *stub = made;
    return 0;
}

void gdbstub_destroy(struct gdbstub *stub)
{
    if (!stub)
        return;
    gs_link_deinit(&stub->link);
    gs_buffer_deinit(&stub->reply);
    gs_buffer_deinit(&stub->document);
    free(stub->search.pattern);
    free(stub->scratch);
    free(stub);
}

int gdbstub_feed(struct gdbstub *stub, const void *bytes, size_t size)
{
    gs_link_receive(stub, bytes, size);
    return stub->link.error;
}

int gdbstub_poll(struct gdbstub *stub)
{
    if (stub->state != GDBSTUB_RUNNING || stub->link.error != 0)
        return stub->link.error;
    if (stub->search.active)
        gs_search_slice(stub);
    else
        gs_run_slice(stub);
    return stub->link.error;
}

enum gdbstub_state gdbstub_state(const struct gdbstub *stub)
{
    return stub->state;
}

void gdbstub_reset(struct gdbstub *stub)
{
    struct gdbstub_stop stop = {0};

    if (stub->search.active)
        gs_search_cancel(stub, -EINTR);
    else if (stub->state == GDBSTUB_RUNNING && stub->ops.interrupt(stub->ctx, &stop) == 0)
        stub->stop = stop;
    gs_clear_breakpoints(stub);
    gs_close_files(stub);
    gs_link_reset(&stub->link);
    gs_clear(&stub->reply);
    stub->peer = (struct gs_peer){0};
    stub->state = GDBSTUB_WAITING;
    stub->extended = false;
    stub->alive = true;
    stub->general = 0;
    stub->resumed = 0;
    stub->listed = 0;
    stub->document_of = NULL;
}
