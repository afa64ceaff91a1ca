/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a broken or hostile hypervisor sends, in each mode: refused or passed over, and cleaned up.
 */
#include "support.h"

#include "modes_world.h"
#include "vmexit_abi.h"

#include <errno.h>

static const struct mode {
    enum xrw_record_mode mode;
    bool patched;
    const char *name;
} modes[] = {{XRW_RECORD_MODE_PAUSE, true, "pause"},
             {XRW_RECORD_MODE_ASYNC, true, "async"},
             {XRW_RECORD_MODE_ASYNC, false, "async"},
             {XRW_RECORD_MODE_SYNC, true, "sync"},
             {XRW_RECORD_MODE_SYNC, false, "sync"}};

#define EACH_MODE(mode_)                                                                           \
    for (const struct mode *mode_ = modes; mode_ < modes + sizeof modes / sizeof *modes; mode_++)

static void far_producer(struct fake_xen *xen)
{
    uint32_t far = xen->req_prod + 9;

    if (xen->page && xen->enabled)
        memcpy(xen->page, &far, sizeof far);
}

static void test_senseless_ring(void **state)
{
    struct world *w = *state;

    EACH_MODE(mode)
    {
        again(w, 100);
        fake_xen.patched = mode->patched;
        fake_xen.before_call = far_producer;
        w->options.mode = mode->mode;
        assert_int_equal(xrw_record(&w->options, &w->result, &w->err), -EUCLEAN);
        assert_non_null(strstr(w->err.text, "makes no sense"));
        assert_false(fake_xen.enabled);
    }
}

static void unknown_version(struct fake_xen *xen, uint8_t *request)
{
    static const uint32_t version = 4711;

    (void)xen;
    memcpy(request, &version, sizeof version);
}

static void test_unknown_version(void **state)
{
    struct world *w = *state;

    EACH_MODE(mode)
    {
        again(w, 100);
        fake_xen.patched = mode->patched;
        fake_xen.request = unknown_version;
        w->options.mode = mode->mode;
        assert_int_equal(xrw_record(&w->options, &w->result, &w->err), -EUCLEAN);
        assert_non_null(strstr(w->err.text, "version 4711"));
        assert_false(fake_xen.enabled);
    }
}

static void unknown_vcpu(struct fake_xen *xen, uint8_t *request)
{
    static const uint32_t vcpu = 77;

    (void)xen;
    memcpy(request + 12, &vcpu, sizeof vcpu);
}

static void test_unknown_vcpu(void **state)
{
    struct world *w = *state;

    EACH_MODE(mode)
    {
        again(w, 100);
        fake_xen.patched = mode->patched;
        fake_xen.request = unknown_vcpu;
        w->options.mode = mode->mode;
        assert_int_equal(xrw_record(&w->options, &w->result, &w->err), -EUCLEAN);
        assert_non_null(strstr(w->err.text, "vCPU 77"));
        assert_false(fake_xen.enabled);
    }
}

/* An event of another monitor is answered, and is no exit. */
static void every_third_of_another_kind(struct fake_xen *xen, uint8_t *request)
{
    static const uint32_t kind = 10; /* VM_EVENT_REASON_CPUID */

    if (xen->made % 3 == 0)
        memcpy(request + 8, &kind, sizeof kind);
}

static void test_other_events(void **state)
{
    struct world *w = *state;

    EACH_MODE(mode)
    {
        uint64_t last = 0;

        again(w, 100);
        fake_xen.patched = mode->patched;
        fake_xen.request = every_third_of_another_kind;
        w->options.mode = mode->mode;
        record(w, mode->name, mode->mode == XRW_RECORD_MODE_SYNC ? "one-exit" : "guest-end");
        assert_int_equal(w->run.last_exit, mode->mode == XRW_RECORD_MODE_SYNC ? 1 : 67);
        for (uint64_t id = 1; id <= w->run.last_exit; id++) {
            struct xrw_exit exit;

            assert_int_equal(xrw_store_exit(w->store, id, &exit, NULL), 0);
            assert_true(exit.before.value[XRW_REG_rax] > last);
            last = exit.before.value[XRW_REG_rax];
        }
    }
}

/* All but what Xen itself needs to get along with the answer. */
static void noise(struct fake_xen *xen, uint8_t *request)
{
    uint32_t flags;

    memcpy(&flags, request + 4, sizeof flags);
    flags |= 0xfffffffe;
    memcpy(request + 4, &flags, sizeof flags);
    for (size_t i = 16; i < 400; i++) {
        xen->random = xen->random * 6364136223846793005 + 1442695040888963407;
        request[i] = (uint8_t)(xen->random >> 56);
    }
    if (xen->patched) {
        uint32_t vendor = xen->random >> 63 ? XRW_VMEXIT_VENDOR_VMX : XRW_VMEXIT_VENDOR_SVM;

        memcpy(request + XRW_REQUEST_UNION_OFFSET + offsetof(struct xrw_vmexit, vendor), &vendor,
               sizeof vendor);
    }
}

static void test_noise(void **state)
{
    struct world *w = *state;

    EACH_MODE(mode)
    {
        again(w, 300);
        fake_xen.patched = mode->patched;
        fake_xen.request = noise;
        w->options.mode = mode->mode;
        if (xrw_record(&w->options, &w->result, &w->err))
            fail_msg("%s: %s", mode->name, w->err.text);
        check_rules();
        assert_int_equal(xrw_store_open(&w->store, w->path, &w->err), 0);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, modes_setup, modes_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(senseless_ring), TEST(unknown_version), TEST(unknown_vcpu),
        TEST(other_events),   TEST(noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
