/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test is Xen: it writes requests into a page and reads the responses. */
#include "support.h"

#include "ring.h"
#include "vmexit_abi.h"
#include "xrw/types.h"

#include <errno.h>
#include <stdlib.h>

/* Where Xen has things in the page.  Source: xen/include/public/io/ring.h. */
enum { REQ_PROD = 0, REQ_EVENT = 4, RSP_PROD = 8, RSP_EVENT = 12, SLOTS = 64 };

#define HEAD_BYTES 16u
#define BYTES XRW_REQUEST_SIZE_PATCHED
#define VERSION XRW_VM_EVENT_VERSION_PATCHED

static const struct ring_layout layouts[] = {
    {XRW_VM_EVENT_VERSION_STOCK, XRW_REQUEST_SIZE_STOCK},
    {XRW_VM_EVENT_VERSION_PATCHED, XRW_REQUEST_SIZE_PATCHED},
};

struct xen {
    uint8_t *page;
    struct ring ring;
    uint32_t version, bytes; /* of the requests it sends */
    uint32_t produced;
};

static uint32_t word(const struct xen *xen, size_t offset)
{
    uint32_t value;

    memcpy(&value, xen->page + offset, sizeof value);
    return value;
}

static void set_word(struct xen *xen, size_t offset, uint32_t value)
{
    memcpy(xen->page + offset, &value, sizeof value);
}

static size_t slot(const struct xen *xen, uint32_t number)
{
    return SLOTS + number % 8 * xen->bytes;
}

static int setup(void **state)
{
    struct xen *xen = calloc(1, sizeof *xen);

    xen->version = VERSION;
    xen->bytes = BYTES;
    xen->page = malloc(XRW_PAGE_BYTES);
    memset(xen->page, 0xee, XRW_PAGE_BYTES);
    ring_init(&xen->ring, xen->page, layouts, 2);
    *state = xen;
    return 0;
}

static int teardown(void **state)
{
    struct xen *xen = *state;

    free(xen->page);
    free(xen);
    return 0;
}

/* A ring that has seen `before' requests already. */
static void continue_at(struct xen *xen, uint32_t before)
{
    xen->ring.consumed = xen->ring.answered = xen->produced = before;
    set_word(xen, REQ_PROD, before);
    set_word(xen, RSP_PROD, before);
}

/* A request whose every word but the first tells the request and its own place. */
static void produce(struct xen *xen)
{
    set_word(xen, slot(xen, xen->produced), xen->version);
    for (uint32_t i = 4; i < xen->bytes; i += 4)
        set_word(xen, slot(xen, xen->produced) + i, xen->produced << 16 | i | 1);
    xen->produced++;
    set_word(xen, REQ_PROD, xen->produced);
}

static void check_request(const struct xen *xen, uint32_t number)
{
    for (uint32_t i = 0; i < xen->bytes; i += 4) {
        uint32_t value;

        memcpy(&value, ring_request(&xen->ring, number) + i, sizeof value);
        assert_int_equal(value, i ? number << 16 | i | 1 : xen->version);
    }
}

static void test_empty(void **state)
{
    struct xen *xen = *state;

    assert_int_equal(word(xen, REQ_PROD), 0);
    assert_int_equal(word(xen, RSP_PROD), 0);
    assert_int_equal(word(xen, REQ_EVENT), 1);
    assert_int_equal(word(xen, RSP_EVENT), 1);
    assert_int_equal(ring_take(&xen->ring, NULL), 0);
    assert_int_equal(ring_unanswered(&xen->ring), 0);
    assert_int_equal(ring_answer(&xen->ring, 8), 0);
    assert_int_equal(word(xen, RSP_PROD), 0);
}

static void test_each_request_is_answered_once(void **state)
{
    struct xen *xen = *state;

    for (uint32_t n = 0; n < 100; n++) {
        produce(xen);
        assert_int_equal(ring_take(&xen->ring, NULL), 1);
        check_request(xen, n);
        assert_int_equal(ring_unanswered(&xen->ring), 1);
        assert_int_equal(word(xen, RSP_PROD), n);
        assert_int_equal(word(xen, REQ_EVENT), n + 2);
        assert_int_equal(ring_answer(&xen->ring, 1), 1);
        assert_int_equal(word(xen, RSP_PROD), n + 1);
        assert_int_equal(ring_unanswered(&xen->ring), 0);
        assert_int_equal(ring_answer(&xen->ring, 1), 0);
        assert_int_equal(word(xen, RSP_PROD), n + 1);
        assert_int_equal(ring_take(&xen->ring, NULL), 0);
    }
}

/* Both layouts are known by the first request. */
static void test_full_ring_comes_in_order(void **state)
{
    struct xen *xen = *state;

    for (size_t l = 0; l < 2; l++) {
        xen->version = layouts[l].version;
        xen->bytes = layouts[l].request_bytes;
        xen->produced = 0;
        ring_init(&xen->ring, xen->page, layouts, 2);
        for (uint32_t n = 0; n < 8; n++)
            produce(xen);
        assert_int_equal(ring_take(&xen->ring, NULL), 8);
        for (uint32_t n = 0; n < 8; n++)
            check_request(xen, n);
        assert_int_equal(ring_answer(&xen->ring, 8), 8);
        assert_int_equal(word(xen, RSP_PROD), 8);
        assert_int_equal(ring_take(&xen->ring, NULL), 0);
    }
}

/* What is held back stays unanswered, while others come, until there is no room for more. */
static void test_held_back(void **state)
{
    struct xen *xen = *state;

    for (uint32_t n = 0; n < 5; n++)
        produce(xen);
    assert_int_equal(ring_take(&xen->ring, NULL), 5);
    assert_int_equal(ring_answer(&xen->ring, 2), 2);
    assert_int_equal(word(xen, RSP_PROD), 2);
    for (uint32_t n = 0; n < 5; n++)
        produce(xen);
    assert_int_equal(ring_take(&xen->ring, NULL), 5);
    for (uint32_t n = 2; n < 10; n++)
        check_request(xen, n);
    assert_int_equal(ring_unanswered(&xen->ring), 8);
    produce(xen); /* as no true Xen would */
    assert_int_equal(ring_take(&xen->ring, NULL), -EUCLEAN);
    assert_int_equal(ring_answer(&xen->ring, 100), 8);
    assert_int_equal(word(xen, RSP_PROD), 10);
}

static void test_unknown_version(void **state)
{
    struct xen *xen = *state;
    struct xrw_error err = {""};

    xen->version = 10;
    produce(xen);
    assert_int_equal(ring_take(&xen->ring, &err), -EUCLEAN);
    assert_non_null(strstr(err.text, "version 10"));
    assert_int_equal(ring_answer(&xen->ring, 8), 0);
    assert_int_equal(word(xen, RSP_PROD), 0);
}

static void test_response(void **state)
{
    static const uint32_t asked[] = {0, 1, 0xffffffff, 0xfffffffe};
    struct xen *xen = *state;

    for (uint32_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        uint8_t before[BYTES], after[BYTES];
        uint32_t flags;

        produce(xen);
        set_word(xen, slot(xen, i) + 4, asked[i]);
        memcpy(before, xen->page + slot(xen, i), BYTES);
        assert_int_equal(ring_take(&xen->ring, NULL), 1);
        /* What stands in the page then does not matter any more: Xen reads no more than this. */
        memset(xen->page + slot(xen, i), 0xcc, HEAD_BYTES);
        assert_int_equal(ring_answer(&xen->ring, 1), 1);
        memcpy(after, xen->page + slot(xen, i), BYTES);
        memcpy(&flags, after + 4, sizeof flags);
        assert_int_equal(flags, asked[i] & 1);
        memcpy(after + 4, before + 4, sizeof flags);
        assert_memory_equal(before, after, HEAD_BYTES);
    }
}

static void test_indexes_wrap(void **state)
{
    struct xen *xen = *state;

    continue_at(xen, UINT32_MAX - 3);
    xen->ring.layout = &layouts[1];
    for (uint32_t n = 0; n < 8; n++)
        produce(xen);
    assert_int_equal(ring_take(&xen->ring, NULL), 8);
    for (uint32_t n = 0; n < 8; n++)
        check_request(xen, UINT32_MAX - 3 + n);
    assert_int_equal(ring_answer(&xen->ring, 8), 8);
    assert_int_equal(word(xen, RSP_PROD), 4);
    assert_int_equal(ring_take(&xen->ring, NULL), 0);
}

/* Whatever the producer index says: requests within the page, or -EUCLEAN. */
static void test_senseless_producer(void **state)
{
    static const uint32_t starts[] = {0, 5, UINT32_MAX - 2};
    static const uint32_t ahead[] = {9, 10, 4096, UINT32_MAX / 2, UINT32_MAX - 1, UINT32_MAX};
    struct xen *xen = *state;

    for (size_t s = 0; s < sizeof starts / sizeof *starts; s++)
        for (size_t i = 0; i < sizeof ahead / sizeof *ahead; i++) {
            struct xrw_error err = {""};

            continue_at(xen, starts[s]);
            set_word(xen, REQ_PROD, starts[s] + ahead[i]);
            assert_int_equal(ring_take(&xen->ring, &err), -EUCLEAN);
            assert_true(err.text[0]);
            assert_int_equal(ring_unanswered(&xen->ring), 0);
            assert_int_equal(ring_answer(&xen->ring, 8), 0);
            assert_int_equal(word(xen, RSP_PROD), starts[s]);
        }
}

/* How the event is taken down: those at hand, then what came meanwhile, each once. */
static void test_drain(void **state)
{
    struct xen *xen = *state;
    uint32_t answers = 0;

    for (uint32_t n = 0; n < 5; n++)
        produce(xen);
    assert_int_equal(ring_take(&xen->ring, NULL), 5);
    produce(xen);
    do
        answers += ring_answer(&xen->ring, RING_SLOTS);
    while (ring_take(&xen->ring, NULL) > 0);
    assert_int_equal(answers, 6);
    assert_int_equal(word(xen, RSP_PROD), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_request_is_answered_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_ring_comes_in_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_held_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_version, setup, teardown),
        cmocka_unit_test_setup_teardown(test_response, setup, teardown),
        cmocka_unit_test_setup_teardown(test_indexes_wrap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_senseless_producer, setup, teardown),
        cmocka_unit_test_setup_teardown(test_drain, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
