/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdlib.h>
#include <string.h>

/*
 * Framing. Source: GDB manual, "Remote Protocol" nodes Overview and Packet Acknowledgment.
 */

#define INTERRUPT 0x03u
#define ESCAPE '}'
#define ESCAPE_FLIP 0x20u
#define RUN_LENGTH '*'
/* A run of n + 1 equal characters is the character, '*', and the character n + 29. */
#define RUN_BIAS 29u
#define RUN_MIN 3u
#define RUN_MAX 97u
/* A client that refuses a frame so often never takes it. */
#define RESENDS_MAX 8u
/* '$', '#' and two digits around a body that may double by escapes. */
#define FRAME_CAPACITY(packet_size) (2 * (packet_size) + 4)

int gs_link_init(struct gs_link *link, size_t packet_size)
{
    *link = (struct gs_link){0};
    link->packet = malloc(packet_size);
    link->frame = malloc(FRAME_CAPACITY(packet_size));
    return link->packet && link->frame ? 0 : -ENOMEM;
}

void gs_link_deinit(struct gs_link *link)
{
    free(link->packet);
    free(link->frame);
    *link = (struct gs_link){0};
}

void gs_link_reset(struct gs_link *link)
{
    *link = (struct gs_link){.packet = link->packet, .frame = link->frame};
}

static void put_out(struct gdbstub *stub, const void *bytes, size_t size)
{
    if (stub->link.error == 0) {
        int ret = stub->output(stub->output_ctx, bytes, size);
        stub->link.error = ret < 0 ? ret : 0;
    }
}

/* ---- sending ---- */

/* How many more characters like the one at `at` a run may stand for; 0: not worth it. */
static size_t run_after(const uint8_t *at, const uint8_t *end)
{
    size_t run = 0;

    while (run < RUN_MAX && at + run + 1 < end && at[run + 1] == *at)
        run++;
    /* Counts that would read as '#', '$', '+' or '-' upset simple clients: shorten those. */
    while (run >= RUN_MIN && strchr("#$+-", (int)(run + RUN_BIAS)))
        run--;
    return run >= RUN_MIN ? run : 0;
}

static bool needs_escape(uint8_t byte)
{
    return byte == '#' || byte == '$' || byte == ESCAPE || byte == RUN_LENGTH;
}

static size_t encode_body(const uint8_t *body, size_t size, uint8_t *out)
{
    const uint8_t *end = body + size;
    uint8_t *start = out;

    while (body < end) {
        if (needs_escape(*body)) {
            *out++ = ESCAPE;
            *out++ = *body++ ^ ESCAPE_FLIP;
            continue;
        }
        size_t run = run_after(body, end);
        *out++ = *body;
        if (run > 0) {
            *out++ = RUN_LENGTH;
            *out++ = (uint8_t)(run + RUN_BIAS);
        }
        body += run + 1;
    }
    return (size_t)(out - start);
}

void gs_send(struct gdbstub *stub)
{
    static const char digits[] = "0123456789abcdef";
    struct gs_link *link = &stub->link;
    uint8_t *frame = link->frame;
    uint8_t sum = 0;

    size_t body = encode_body(stub->reply.data, stub->reply.size, frame + 1);
    for (size_t i = 0; i < body; i++)
        sum = (uint8_t)(sum + frame[1 + i]);
    frame[0] = '$';
    frame[body + 1] = '#';
    frame[body + 2] = (uint8_t)digits[sum >> 4];
    frame[body + 3] = (uint8_t)digits[sum & 15];
    link->frame_size = body + 4;
    link->resends = 0;
    put_out(stub, frame, link->frame_size);
}

static void resend(struct gdbstub *stub)
{
    struct gs_link *link = &stub->link;

    if (link->frame_size == 0)
        return;
    if (++link->resends > RESENDS_MAX)
        link->frame_size = 0;
    else
        put_out(stub, link->frame, link->frame_size);
}

/* ---- receiving ---- */

static size_t decode_body(uint8_t *packet, size_t size)
{
    size_t out = 0;

    for (size_t in = 0; in < size; in++) {
        bool escaped = packet[in] == ESCAPE && in + 1 < size;
        packet[out++] = escaped ? packet[++in] ^ ESCAPE_FLIP : packet[in];
    }
    return out;
}

static void refuse_too_long(struct gdbstub *stub)
{
    struct gdbstub_reason reason;

    gdbstub_reason_set(&reason, "the packet is longer than %zu bytes", stub->packet_size);
    gs_clear(&stub->reply);
    gs_reply_error(stub, -E2BIG, &reason);
    gs_send(stub);
}

static void end_packet(struct gdbstub *stub, int sum_low)
{
    struct gs_link *link = &stub->link;
    bool sum_bad =
        link->sum_high < 0 || sum_low < 0 || (link->sum_high << 4 | sum_low) != link->sum;

    link->state = GS_LINK_IDLE;
    /* An all-stop client has nothing to say while it waits for a reply but an interrupt. */
    if (stub->state == GDBSTUB_RUNNING)
        return;
    if (!link->no_ack) {
        put_out(stub, sum_bad ? "-" : "+", 1);
        if (sum_bad)
            return;
        link->frame_size = 0;
    }
    if (link->too_long)
        refuse_too_long(stub);
    else
        gs_dispatch(stub, link->packet, decode_body(link->packet, link->size));
}

static void begin_packet(struct gs_link *link)
{
    link->state = GS_LINK_BODY;
    link->size = 0;
    link->sum = 0;
    link->too_long = false;
}

static void receive_idle(struct gdbstub *stub, uint8_t byte)
{
    struct gs_link *link = &stub->link;

    switch (byte) {
    case '$':
        begin_packet(link);
        break;
    case INTERRUPT:
        gs_interrupt(stub);
        break;
    case '+':
        link->frame_size = 0;
        break;
    case '-':
        if (!link->no_ack)
            resend(stub);
        break;
    default: /* noise between packets */
        break;
    }
}

static void receive_body(struct gdbstub *stub, uint8_t byte)
{
    struct gs_link *link = &stub->link;

    if (byte == '#') {
        link->state = GS_LINK_SUM_HIGH;
    } else if (byte == '$') {
        /* Never within a packet: the end of the one before was lost. */
        begin_packet(link);
    } else if (link->size == stub->packet_size) {
        link->too_long = true;
        link->sum = (uint8_t)(link->sum + byte);
    } else {
        link->packet[link->size++] = byte;
        link->sum = (uint8_t)(link->sum + byte);
    }
}

void gs_link_receive(struct gdbstub *stub, const uint8_t *bytes, size_t size)
{
    struct gs_link *link = &stub->link;

    for (size_t i = 0; i < size && link->error == 0; i++) {
        switch (link->state) {
        case GS_LINK_IDLE:
            receive_idle(stub, bytes[i]);
            break;
        case GS_LINK_BODY:
            receive_body(stub, bytes[i]);
            break;
        case GS_LINK_SUM_HIGH:
            link->sum_high = gs_digit(bytes[i]);
            link->state = GS_LINK_SUM_LOW;
            break;
        case GS_LINK_SUM_LOW:
            end_packet(stub, gs_digit(bytes[i]));
            break;
        }
    }
}
