/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The Xen source in each mode, on a hypervisor in the test program. */
#include "support.h"

#include "fake_xen.h"
#include "vmexit_abi.h"
#include "xrw/recorder.h"
#include "xrw/store.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

struct world {
    char path[64];
    struct xrw_record_options options;
    struct xrw_record_result result;
    struct xrw_error err;
    struct xrw_store *store;
    struct xrw_run run;
    char notices[1024];
};

static void note(void *ctx, const char *text)
{
    struct world *w = ctx;

    (void)snprintf(w->notices + strlen(w->notices), sizeof w->notices - strlen(w->notices), "%s\n",
                   text);
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    (void)snprintf(w->path, sizeof w->path, "/tmp/xenrewind-modes-%d.db", (int)getpid());
    w->options = (struct xrw_record_options){.path = w->path,
                                             .overwrite = true,
                                             .fork = FAKE_XEN_PARENT,
                                             .until_reason = -1,
                                             .notice = note,
                                             .ctx = w};
    fake_xen_init(100);
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;

    (void)xrw_store_close(w->store, NULL);
    (void)unlink(w->path);
    free(w);
    fake_xen_deinit();
    return 0;
}

/* Begin again in the same test. */
static void again(struct world *w, uint64_t exits)
{
    (void)xrw_store_close(w->store, NULL);
    w->store = NULL;
    w->notices[0] = '\0';
    fake_xen_deinit();
    fake_xen_init(exits);
}

/* Whatever Xen did, its rules were kept, and all is as it was before. */
static void check_rules(void)
{
    if (fake_xen.broken)
        fail_msg("%s", fake_xen.broken);
    assert_false(fake_xen.enabled);
    assert_int_equal(fake_xen.answered, fake_xen.made);
}

static void record(struct world *w, const char *mode, const char *stop)
{
    if (xrw_record(&w->options, &w->result, &w->err))
        fail_msg("%s", w->err.text);
    check_rules();
    assert_string_equal(w->result.stop, stop);
    if (xrw_store_open(&w->store, w->path, &w->err) || xrw_store_run(w->store, 1, &w->run, &w->err))
        fail_msg("%s", w->err.text);
    assert_string_equal(w->run.mode, mode);
    assert_int_equal(w->run.vcpus, fake_xen.vcpus);
}

static uint64_t word_at(struct world *w, uint32_t vcpu, uint64_t exit, uint64_t own)
{
    uint8_t page[XRW_PAGE_BYTES];
    uint64_t word;

    assert_int_equal(xrw_store_page(w->store, 1, vcpu + 1, exit, page, NULL, NULL), 0);
    memcpy(&word, page + 8 * (own % 16), sizeof word);
    return word;
}

static int found(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)columns;
    (void)names;
    (void)values;
    *(bool *)ctx = true;
    return 0;
}

static bool is_frame(struct world *w, uint64_t exit)
{
    bool is = w->run.memory == XRW_MEMORY_EXIT;
    char sql[80];

    (void)snprintf(sql, sizeof sql, "SELECT 1 FROM memory_frame WHERE exit = %d", (int)exit);
    assert_int_equal(xrw_store_query(w->store, sql, 1, 10000, found, &is, NULL), 0);
    return is;
}

/* Where the FPU's state is known it is the initial one, not what lay in its image before. */
static void check_fpu(struct world *w, uint64_t id)
{
    uint8_t fxsave[XRW_FXSAVE_BYTES];

    if (xrw_store_fxsave(w->store, id, fxsave, NULL))
        return;
    assert_int_equal(fxsave[0], 0x7f);
    assert_int_equal(fxsave[1], 0x03);
}

/* Every exit once, in its vCPU's order; where the guest was held, what it was then. */
static uint64_t check_exits(struct world *w, bool handled)
{
    uint64_t own[FAKE_XEN_VCPUS] = {0}, held = 0;

    for (uint64_t id = 1; id <= w->run.last_exit; id++) {
        struct xrw_exit exit;

        assert_int_equal(xrw_store_exit(w->store, id, &exit, NULL), 0);
        check_fpu(w, id);
        assert_true(exit.vcpu < fake_xen.vcpus);
        assert_int_equal(exit.before.value[XRW_REG_rax], ++own[exit.vcpu]);
        if (handled && !exit.has_after)
            continue;
        held++;
        assert_int_equal(exit.has_after, handled);
        if (handled)
            assert_int_equal(exit.after.value[XRW_REG_rax], 2 * own[exit.vcpu]);
        if (xrw_exit_basic_reason(&exit) != XRW_VMX_EPT_VIOLATION && is_frame(w, id))
            assert_int_equal(word_at(w, exit.vcpu, id, own[exit.vcpu]),
                             fake_xen_word(exit.vcpu, own[exit.vcpu]));
    }
    return held;
}

/* ---- what is taken, and how ------------------------------------------ */

static void test_auto(void **state)
{
    struct world *w = *state;

    record(w, "async", "guest-end");
    assert_non_null(strstr(w->notices, "mode async: this Xen lacks the patches"));
    again(w, 100);
    fake_xen.patched = true;
    record(w, "pause", "guest-end");
    assert_non_null(strstr(w->notices, "mode pause: this Xen is patched"));
    again(w, 100);
    w->options.mode = XRW_RECORD_MODE_PAUSE;
    assert_int_equal(xrw_record(&w->options, &w->result, &w->err), -EOPNOTSUPP);
    assert_non_null(strstr(w->err.text, "xen-patch"));
    assert_false(fake_xen.enabled);
}

static void test_pause(void **state)
{
    struct world *w = *state;

    fake_xen.patched = true;
    record(w, "pause", "guest-end");
    assert_int_equal(w->run.last_exit, 100);
    assert_int_equal(check_exits(w, true), 100);
    assert_int_equal(w->run.memory, XRW_MEMORY_EXIT);
}

/* Which parts of Xen's FPU image are current is not told before the first XSETBV. */
static void test_fpu_not_known(void **state)
{
    struct world *w = *state;
    uint8_t fxsave[XRW_FXSAVE_BYTES];

    fake_xen.patched = true;
    fake_xen.xsetbv = 40;
    record(w, "pause", "guest-end");
    for (uint64_t id = 1; id <= 100; id++)
        assert_int_equal(xrw_store_fxsave(w->store, id, fxsave, NULL), id < 40 ? -ENODATA : 0);
    assert_int_equal(check_exits(w, true), 100);
}

static void test_async(void **state)
{
    struct world *w = *state;

    for (unsigned patched = 0; patched < 2; patched++) {
        again(w, 5000);
        fake_xen.patched = patched;
        w->options.mode = XRW_RECORD_MODE_ASYNC;
        record(w, "async", "guest-end");
        assert_int_equal(w->run.last_exit, 5000);
        assert_int_equal(check_exits(w, true), 0);
        assert_int_equal(w->run.memory, XRW_MEMORY_NONE);
        /* Answers go out together. */
        assert_in_range(fake_xen.notifications, 5000 / 8, 5000 / 2);
        assert_int_equal(fake_xen.contexts, 0);
    }
}

static void test_async_frames(void **state)
{
    static const uint64_t every[] = {1, 2, 3, 7, 8, 9, 50};
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_EVERY;
    for (size_t i = 0; i < sizeof every / sizeof *every; i++) {
        struct xrw_exit exit;

        again(w, 400);
        w->options.memory_every = every[i];
        w->options.max_exits = 301;
        record(w, "async", "exits");
        assert_int_equal(w->run.last_exit, 301);
        /* Just there, and at the end; but the ring cannot be full before the eighth, which takes
         * the place of those before. */
        for (uint64_t id = 1; id <= 301; id++) {
            bool due = id == 301 || (id == 8 && every[i] < 8) || (id >= 8 && id % every[i] == 0);

            assert_int_equal(xrw_store_exit(w->store, id, &exit, NULL), 0);
            assert_int_equal(exit.has_after, due);
            assert_int_equal(is_frame(w, id), due);
        }
        assert_true(check_exits(w, true) > 0);
    }
}

static void test_async_late_frame(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_END;
    w->options.until_rip = true;
    w->options.rip = 0x1000 + 2 * 15;
    record(w, "async", "until-rip");
    assert_in_range(w->run.last_exit, 16, 31);
    assert_int_equal(check_exits(w, true), 1);
}

/* Xen hands debug registers out by letting MOV DR execute again; held there for ever, it would for
 * ever. */
static void test_async_repeated(void **state)
{
    struct world *w = *state;

    w->options.memory = XRW_RECORD_MEMORY_EXIT;
    fake_xen.reason = XRW_VMX_DR_ACCESS;
    fake_xen.stays = true;
    record(w, "async", "guest-end");
    assert_int_equal(w->run.last_exit, 100);
    assert_in_range(check_exits(w, true), 45, 55);
}

static void test_sync(void **state)
{
    struct world *w = *state;

    w->options.mode = XRW_RECORD_MODE_SYNC;
    record(w, "sync", "one-exit");
    assert_int_equal(w->run.last_exit, 1);
    assert_int_equal(check_exits(w, false), 1);
    assert_non_null(strstr(w->notices, "is no fork"));
}

/* A fork's missing pages are brought in, and do not end it; exits of the host do not either. */
static void test_sync_fork(void **state)
{
    struct world *w = *state;

    for (unsigned patched = 0; patched < 2; patched++) {
        again(w, 100);
        fake_xen.patched = patched;
        w->options.mode = XRW_RECORD_MODE_SYNC;
        w->options.fork = 0;
        w->options.parent = FAKE_XEN_PARENT;
        record(w, "sync", "one-exit");
        /* Stock events do not tell which page it is: all were brought in. */
        assert_int_equal(w->run.last_exit, patched ? 2 : 1);
        assert_int_equal(fake_xen.ept_exits, patched);
        assert_int_equal(check_exits(w, false), w->run.last_exit);
        assert_true(fake_xen.destroyed);
    }
}

/* An external interrupt was seen to before it is sent; an interrupt window would come for ever. */
static void test_sync_host_exits(void **state)
{
    struct world *w = *state;

    w->options.mode = XRW_RECORD_MODE_SYNC;
    fake_xen.reason = XRW_VMX_EXTERNAL_INTERRUPT;
    record(w, "sync", "guest-end");
    assert_int_equal(w->run.last_exit, 100);
    again(w, 100);
    fake_xen.reason = XRW_VMX_INTERRUPT_WINDOW;
    record(w, "sync", "one-exit");
    assert_int_equal(w->run.last_exit, 1);
}

static void test_fork(void **state)
{
    struct world *w = *state;

    w->options.fork = 0;
    w->options.parent = FAKE_XEN_PARENT;
    w->options.memory = XRW_RECORD_MEMORY_EVERY;
    w->options.memory_every = 5;
    record(w, "async", "guest-end");
    assert_int_equal(check_exits(w, true), 20);
    assert_int_equal(fake_xen.ept_exits, 1);
    assert_true(fake_xen.destroyed);
}

static void test_several_vcpus(void **state)
{
    struct world *w = *state;

    for (unsigned patched = 0; patched < 2; patched++)
        for (unsigned vcpus = 2; vcpus <= FAKE_XEN_VCPUS; vcpus++) {
            again(w, 600);
            fake_xen.patched = patched;
            fake_xen.vcpus = vcpus;
            w->options.mode = XRW_RECORD_MODE_ASYNC;
            w->options.memory = XRW_RECORD_MEMORY_NONE;
            record(w, "async", "guest-end");
            assert_int_equal(w->run.last_exit, 600);
            assert_int_equal(check_exits(w, true), 0);
            again(w, 600);
            fake_xen.patched = patched;
            fake_xen.vcpus = vcpus;
            w->options.mode = XRW_RECORD_MODE_AUTO;
            w->options.memory = XRW_RECORD_MEMORY_EVERY;
            w->options.memory_every = 10;
            record(w, patched ? "pause" : "async", "guest-end");
            assert_int_equal(w->run.last_exit, 600);
            if (patched)
                assert_int_equal(check_exits(w, true), 600);
            else
                assert_in_range(check_exits(w, true), 35, 60);
            assert_non_null(strstr(w->notices, "several vCPUs"));
        }
}

/* ---- what is spoiled ------------------------------------------------- */

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

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(auto),
        TEST(pause),
        TEST(fpu_not_known),
        TEST(async),
        TEST(async_frames),
        TEST(async_late_frame),
        TEST(async_repeated),
        TEST(sync),
        TEST(sync_fork),
        TEST(sync_host_exits),
        TEST(fork),
        TEST(several_vcpus),
        TEST(senseless_ring),
        TEST(unknown_version),
        TEST(unknown_vcpu),
        TEST(other_events),
        TEST(noise),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
