/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdio.h>
#include <string.h>

/*
 * qXfer: documents that a client reads in pieces. Source: GDB manual, nodes Target Descriptions,
 * Thread List Format, Memory Map Format, General Query Packets (qXfer).
 */

/* ---- the target description ---- */

static void put_attribute(struct gs_buffer *out, const char *name, const char *value)
{
    gs_put_text(out, " ");
    gs_put_text(out, name);
    gs_put_text(out, "=\"");
    gs_put_xml(out, value);
    gs_put_text(out, "\"");
}

static void put_element(struct gs_buffer *out, const char *name, const char *text)
{
    if (!text)
        return;
    gs_put_format(out, "<%s>", name);
    gs_put_xml(out, text);
    gs_put_format(out, "</%s>\n", name);
}

static void put_register(struct gs_buffer *out, const struct gdbstub_register *reg, size_t number)
{
    gs_put_text(out, "<reg");
    put_attribute(out, "name", reg->name);
    gs_put_format(out, " bitsize=\"%u\" regnum=\"%zu\"", (unsigned)reg->bits, number);
    if (reg->type)
        put_attribute(out, "type", reg->type);
    if (reg->group)
        put_attribute(out, "group", reg->group);
    if (reg->flags & GDBSTUB_REGISTER_NO_SAVE)
        put_attribute(out, "save-restore", "no");
    gs_put_text(out, "/>\n");
}

/* A feature is one element, wherever its registers stand in the table. */
static void put_feature(struct gs_buffer *out, const struct gdbstub_description *description,
                        const char *name)
{
    gs_put_text(out, "<feature");
    put_attribute(out, "name", name);
    gs_put_text(out, ">\n");
    for (size_t i = 0; i < description->feature_count; i++) {
        const struct gdbstub_feature *feature = &description->features[i];
        if (strcmp(feature->name, name) == 0 && feature->types)
            gs_put_text(out, feature->types);
    }
    for (size_t i = 0; i < description->register_count; i++) {
        if (strcmp(description->registers[i].feature, name) == 0)
            put_register(out, &description->registers[i], i);
    }
    gs_put_text(out, "</feature>\n");
}

static bool feature_seen(const struct gdbstub_description *description, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(description->registers[i].feature, description->registers[index].feature) == 0)
            return true;
    }
    return false;
}

static int put_target(struct gdbstub *stub, struct gs_buffer *out)
{
    const struct gdbstub_description *description = stub->description;

    gs_put_text(out, "<?xml version=\"1.0\"?>\n<!DOCTYPE target SYSTEM \"gdb-target.dtd\">\n"
                     "<target version=\"1.0\">\n");
    put_element(out, "architecture", description->architecture);
    put_element(out, "osabi", description->osabi);
    for (size_t i = 0; i < description->register_count; i++) {
        if (!feature_seen(description, i))
            put_feature(out, description, description->registers[i].feature);
    }
    gs_put_text(out, "</target>\n");
    return 0;
}

/* ---- threads ---- */

void gs_get_text(struct gdbstub *stub, gs_thread_text get, gdbstub_thread thread,
                 char text[GDBSTUB_NAME_MAX])
{
    text[0] = '\0';
    if (get && get(stub->ctx, thread, text) < 0)
        text[0] = '\0';
    text[GDBSTUB_NAME_MAX - 1] = '\0';
}

static int put_threads(struct gdbstub *stub, struct gs_buffer *out)
{
    char text[GDBSTUB_NAME_MAX];
    gdbstub_thread thread = 0;

    gs_put_text(out, "<?xml version=\"1.0\"?>\n<threads>\n");
    while (!out->overflow && gs_next_thread(stub, thread, &thread) == 1) {
        gs_put_text(out, "<thread id=\"");
        gs_put_thread(stub, out, thread);
        gs_put_text(out, "\"");
        gs_get_text(stub, stub->ops.thread_name, thread, text);
        if (text[0] != '\0')
            put_attribute(out, "name", text);
        gs_put_text(out, ">");
        gs_get_text(stub, stub->ops.thread_extra, thread, text);
        gs_put_xml(out, text);
        gs_put_text(out, "</thread>\n");
    }
    gs_put_text(out, "</threads>\n");
    return 0;
}

/* ---- memory map ---- */

static int put_memory_map(struct gdbstub *stub, struct gs_buffer *out)
{
    struct gdbstub_region region;
    uint64_t address = 0;

    if (!stub->ops.next_region)
        return -ENOTSUP;
    gs_put_text(out, "<?xml version=\"1.0\"?>\n<memory-map>\n");
    while (!out->overflow) {
        int ret = stub->ops.next_region(stub->ctx, address, &region);
        if (ret < 0)
            return ret;
        if (ret == 0 || region.last < region.first || region.last < address)
            break;
        /* 2^64 bytes cannot be said: the last byte of the address space is left out then. */
        uint64_t length = region.last - region.first;
        length += length < UINT64_MAX;
        gs_put_format(out, "<memory type=\"%s\" start=\"0x%llx\" length=\"0x%llx\"/>\n",
                      region.type == GDBSTUB_REGION_ROM ? "rom" : "ram",
                      (unsigned long long)region.first, (unsigned long long)length);
        if (region.last == UINT64_MAX)
            break;
        address = region.last + 1;
    }
    gs_put_text(out, "</memory-map>\n");
    return 0;
}

static int put_exec_file(struct gdbstub *stub, struct gs_buffer *out)
{
    char path[GDBSTUB_NAME_MAX] = "";

    if (!stub->ops.exec_file)
        return -ENOTSUP;
    int ret = stub->ops.exec_file(stub->ctx, path);
    if (ret < 0)
        return ret;
    path[sizeof(path) - 1] = '\0';
    gs_put_text(out, path);
    return 0;
}

/* ---- the packet ---- */

/* To add a document, add a row, and its name to gs_supported. */
static const struct {
    const char *object;
    const char *annex; /* NULL: any */
    int (*put)(struct gdbstub *stub, struct gs_buffer *out);
} documents[] = {
    {"features", "target.xml", put_target},
    {"threads", "", put_threads},
    {"memory-map", "", put_memory_map},
    {"exec-file", NULL, put_exec_file},
};

#define DOCUMENT_COUNT (sizeof(documents) / sizeof(documents[0]))

/* Writes the document anew into stub->document. -ENOTSUP: no such object here. */
static int write_document(struct gdbstub *stub, struct gs_cursor object, struct gs_cursor annex)
{
    for (size_t i = 0; i < DOCUMENT_COUNT; i++) {
        if (!gs_equals(object, documents[i].object))
            continue;
        if (documents[i].annex && !gs_equals(annex, documents[i].annex))
            return -ENOENT;
        gs_clear(&stub->document);
        stub->document_of = documents[i].object;
        int ret = documents[i].put(stub, &stub->document);
        if (ret == 0 && stub->document.overflow)
            ret = -ENOMEM;
        if (ret < 0)
            stub->document_of = NULL;
        return ret;
    }
    return -ENOTSUP;
}

enum gs_answer gs_xfer(struct gdbstub *stub, struct gs_cursor args)
{
    struct gs_cursor object = gs_take_until(&args, ':');
    struct gs_cursor verb = gs_take_until(&args, ':');
    struct gs_cursor annex = gs_take_until(&args, ':');
    uint64_t offset;
    uint64_t length;

    if (!gs_equals(verb, "read"))
        return gs_reply_empty(stub);
    if (!gs_take_number(&args, &offset) || !gs_take(&args, ',') ||
        !gs_take_number(&args, &length) || gs_left(&args) > 0)
        return gs_reply_malformed(stub);

    /* Later pieces come from the same text as the first, whatever has changed meanwhile. */
    if (offset == 0 || !stub->document_of || !gs_equals(object, stub->document_of)) {
        int ret = write_document(stub, object, annex);
        if (ret == -ENOTSUP)
            return gs_reply_empty(stub);
        if (ret < 0)
            return gs_reply_strict_error(stub, ret, NULL);
    }
    if (offset > stub->document.size)
        return gs_reply_strict_error(stub, -EINVAL, NULL);

    size_t left = stub->document.size - (size_t)offset;
    /* Half a packet leaves room for every byte being escaped. */
    size_t piece = stub->packet_size / 2 - 1;
    piece = length < piece ? (size_t)length : piece;
    gs_put_text(&stub->reply, left > piece ? "m" : "l");
    if (left > 0)
        gs_put(&stub->reply, stub->document.data + offset, left > piece ? piece : left);
    return GS_REPLY;
}
