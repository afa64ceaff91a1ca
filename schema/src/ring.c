/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Positions count bytes since the beginning and never wrap.  The fast path is two atomic positions;
 * the lock is taken to sleep and to wake only.  The producer tells of what it pushed in pieces, so
 * that on one processor the two threads do not take turns for every record.
 */
#include "ring.h"

#include "ring_file.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MAX_BYTES ((size_t)64 << 20)
#define MIN_BYTES ((size_t)8 << 20)
#define IDLE_NS 50000000u
#define LINE 64

struct xrw_ring {
    uint8_t *buffer;
    size_t bytes;
    size_t enough;              /* the consumer is woken for so much */
    struct xrw_ring_file *file; /* NULL: the buffer is our own */

    /* Producer's. */
    _Alignas(LINE) _Atomic uint64_t head; /* pushed up to here */
    uint64_t known_tail;                  /* tail as last seen */
    uint64_t reserved;                    /* where the record in the making begins */
    uint64_t stalls, stall_ns;

    /* Consumer's. */
    _Alignas(LINE) _Atomic uint64_t tail; /* taken up to here */
    uint64_t taken, known_head;

    _Alignas(LINE) pthread_mutex_t lock;
    pthread_cond_t records, room;
    _Atomic bool consumer_waits, producer_waits, abandoned;
    bool settle, resting, ended; /* under the lock */
};

static uint64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

size_t xrw_ring_default_bytes(void)
{
    long pages = sysconf(_SC_PHYS_PAGES), page = sysconf(_SC_PAGESIZE);
    size_t bytes = MAX_BYTES;

    while (bytes > MIN_BYTES && pages > 0 && page > 0 && bytes > (size_t)pages / 8 * (size_t)page)
        bytes /= 2;
    return bytes;
}

static struct xrw_ring *create(uint8_t *buffer, size_t bytes, size_t enough)
{
    struct xrw_ring *ring = aligned_alloc(LINE, (sizeof *ring + LINE - 1) / LINE * LINE);
    pthread_condattr_t monotonic;

    if (!ring || !buffer) {
        free(ring);
        return NULL;
    }
    memset(ring, 0, sizeof *ring);
    ring->buffer = buffer;
    ring->bytes = bytes;
    ring->enough = enough;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&ring->lock, NULL);
    (void)pthread_cond_init(&ring->records, &monotonic);
    (void)pthread_cond_init(&ring->room, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    return ring;
}

struct xrw_ring *xrw_ring_create(size_t bytes)
{
    uint8_t *buffer = malloc(bytes);
    struct xrw_ring *ring = create(buffer, bytes, bytes / 8);

    if (!ring)
        free(buffer);
    return ring;
}

struct xrw_ring *xrw_ring_create_in(struct xrw_ring_file *file)
{
    struct xrw_ring *ring = create(file->buffer, file->bytes, file->bytes / 4 * 3);

    if (ring)
        ring->file = file;
    return ring;
}

void xrw_ring_destroy(struct xrw_ring *ring)
{
    if (!ring)
        return;
    (void)pthread_cond_destroy(&ring->records);
    (void)pthread_cond_destroy(&ring->room);
    (void)pthread_mutex_destroy(&ring->lock);
    if (!ring->file)
        free(ring->buffer);
    free(ring);
}

/* ---- producer -------------------------------------------------------- */

static void wake_consumer(struct xrw_ring *ring)
{
    (void)pthread_mutex_lock(&ring->lock);
    (void)pthread_cond_signal(&ring->records);
    (void)pthread_mutex_unlock(&ring->lock);
}

static void wait_for_room(struct xrw_ring *ring, uint64_t end)
{
    uint64_t before = now_ns();

    ring->stalls++;
    (void)pthread_mutex_lock(&ring->lock);
    atomic_store(&ring->producer_waits, true);
    (void)pthread_cond_signal(&ring->records);
    while (end - atomic_load(&ring->tail) > ring->bytes && !atomic_load(&ring->abandoned))
        (void)pthread_cond_wait(&ring->room, &ring->lock);
    atomic_store(&ring->producer_waits, false);
    (void)pthread_mutex_unlock(&ring->lock);
    ring->stall_ns += now_ns() - before;
}

/* False: there is none, and will be none. */
static bool need_room(struct xrw_ring *ring, uint64_t end)
{
    if (end - ring->known_tail <= ring->bytes)
        return true;
    ring->known_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    if (end - ring->known_tail <= ring->bytes)
        return true;
    wait_for_room(ring, end);
    ring->known_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
    return end - ring->known_tail <= ring->bytes;
}

static struct xrw_ring_record *at(const struct xrw_ring *ring, uint64_t position)
{
    return (struct xrw_ring_record *)(void *)(ring->buffer + (position & (ring->bytes - 1)));
}

void *xrw_ring_reserve(struct xrw_ring *ring, size_t bytes)
{
    uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
    size_t left = ring->bytes - (size_t)(head & (ring->bytes - 1));

    bytes = xrw_ring_room(bytes);
    if (left < bytes) {
        if (!need_room(ring, head + left + bytes))
            return NULL;
        *at(ring, head) = (struct xrw_ring_record){(uint32_t)left, XRW_RING_SKIP};
        head += left;
    } else if (!need_room(ring, head + bytes)) {
        return NULL;
    }
    ring->reserved = head;
    return at(ring, head);
}

void xrw_ring_push(struct xrw_ring *ring)
{
    xrw_ring_push_all(ring, xrw_ring_room(at(ring, ring->reserved)->bytes));
}

void xrw_ring_push_all(struct xrw_ring *ring, size_t bytes)
{
    uint64_t head = ring->reserved + bytes;

    atomic_store_explicit(&ring->head, head, memory_order_release);
    if (ring->file)
        atomic_store_explicit(&ring->file->header->head, head, memory_order_release);
    if (atomic_load_explicit(&ring->consumer_waits, memory_order_relaxed) &&
        head - ring->known_tail > ring->enough) {
        ring->known_tail = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (head - ring->known_tail > ring->enough)
            wake_consumer(ring);
    }
}

void xrw_ring_settle(struct xrw_ring *ring)
{
    (void)pthread_mutex_lock(&ring->lock);
    ring->settle = true;
    ring->resting = false;
    (void)pthread_cond_signal(&ring->records);
    while (!ring->resting)
        (void)pthread_cond_wait(&ring->room, &ring->lock);
    (void)pthread_mutex_unlock(&ring->lock);
}

void xrw_ring_end(struct xrw_ring *ring)
{
    (void)pthread_mutex_lock(&ring->lock);
    ring->ended = true;
    (void)pthread_cond_signal(&ring->records);
    (void)pthread_mutex_unlock(&ring->lock);
}

void xrw_ring_stalls(struct xrw_ring *ring, uint64_t *count, uint64_t *ns)
{
    *count = ring->stalls;
    *ns = ring->stall_ns;
}

/* ---- consumer -------------------------------------------------------- */

static bool is_empty(struct xrw_ring *ring)
{
    ring->known_head = atomic_load(&ring->head);
    return ring->known_head == ring->taken;
}

/* Whether there is nothing to be done yet. */
static bool may_sleep(struct xrw_ring *ring)
{
    if (ring->settle || ring->ended)
        return false;
    return is_empty(ring) || (ring->file && !atomic_load(&ring->producer_waits) &&
                              ring->known_head - atomic_load(&ring->tail) <= ring->enough);
}

/* Under the lock: sleep until told, or for a while. */
static void sleep_a_while(struct xrw_ring *ring)
{
    struct timespec until;

    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ring->file ? 0 : IDLE_NS;
    until.tv_sec += ring->file ? 1 : 0;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    atomic_store(&ring->consumer_waits, true);
    if (!ring->settle && !ring->ended && !atomic_load(&ring->producer_waits))
        (void)pthread_cond_timedwait(&ring->records, &ring->lock, &until);
    atomic_store(&ring->consumer_waits, false);
}

/* Under the lock: the producer knows that we rest; nothing is done until it pushes or ends. */
static void rest(struct xrw_ring *ring)
{
    while (ring->resting && is_empty(ring) && !ring->settle && !ring->ended)
        sleep_a_while(ring);
    ring->resting = false;
}

int xrw_ring_wait(struct xrw_ring *ring)
{
    int ret = XRW_RING_IDLE;

    (void)pthread_mutex_lock(&ring->lock);
    if (atomic_load(&ring->producer_waits))
        (void)pthread_cond_signal(&ring->room);
    if (may_sleep(ring))
        sleep_a_while(ring);
    if (!is_empty(ring) && !may_sleep(ring))
        ret = XRW_RING_RECORDS;
    else if (ring->settle)
        ret = XRW_RING_SETTLE;
    else if (ring->ended)
        ret = XRW_RING_ENDED;
    (void)pthread_mutex_unlock(&ring->lock);
    return ret;
}

const struct xrw_ring_record *xrw_ring_peek(struct xrw_ring *ring)
{
    for (;;) {
        const struct xrw_ring_record *record = at(ring, ring->taken);

        if (ring->taken == ring->known_head) {
            ring->known_head = atomic_load_explicit(&ring->head, memory_order_acquire);
            if (ring->taken == ring->known_head)
                return NULL;
        }
        if (record->type != XRW_RING_SKIP)
            return record;
        ring->taken += record->bytes;
    }
}

/* The producer that waits looks again when there is room for more than one record. */
static void make_room(struct xrw_ring *ring)
{
    atomic_store_explicit(&ring->tail, ring->taken, memory_order_release);
    if (atomic_load_explicit(&ring->producer_waits, memory_order_relaxed) &&
        (ring->taken == ring->known_head || ring->known_head - ring->taken < ring->bytes / 2)) {
        (void)pthread_mutex_lock(&ring->lock);
        (void)pthread_cond_signal(&ring->room);
        (void)pthread_mutex_unlock(&ring->lock);
    }
}

void xrw_ring_pop(struct xrw_ring *ring)
{
    ring->taken += xrw_ring_room(at(ring, ring->taken)->bytes);
    if (!ring->file)
        make_room(ring);
}

void xrw_ring_release(struct xrw_ring *ring)
{
    if (ring->file)
        make_room(ring);
}

void xrw_ring_abandon(struct xrw_ring *ring)
{
    (void)pthread_mutex_lock(&ring->lock);
    atomic_store(&ring->abandoned, true);
    (void)pthread_cond_signal(&ring->room);
    (void)pthread_mutex_unlock(&ring->lock);
}

bool xrw_ring_is_kept(const struct xrw_ring *ring)
{
    return ring->file != NULL;
}

uint64_t xrw_ring_taken(const struct xrw_ring *ring)
{
    return ring->taken;
}

uint64_t xrw_ring_unreleased(const struct xrw_ring *ring)
{
    return ring->taken - atomic_load_explicit(&ring->tail, memory_order_relaxed);
}

void xrw_ring_settled(struct xrw_ring *ring)
{
    (void)pthread_mutex_lock(&ring->lock);
    ring->settle = false;
    ring->resting = true;
    (void)pthread_cond_signal(&ring->room);
    rest(ring);
    (void)pthread_mutex_unlock(&ring->lock);
}
