/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "modes_world.h"

#include "support.h"

#include <stdlib.h>
#include <unistd.h>

static void note(void *ctx, const char *text)
{
    struct world *w = ctx;

    (void)snprintf(w->notices + strlen(w->notices), sizeof w->notices - strlen(w->notices), "%s\n",
                   text);
}

int modes_setup(void **state)
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

int modes_teardown(void **state)
{
    struct world *w = *state;

    (void)xrw_store_close(w->store, NULL);
    (void)unlink(w->path);
    free(w);
    fake_xen_deinit();
    return 0;
}

void again(struct world *w, uint64_t exits)
{
    (void)xrw_store_close(w->store, NULL);
    w->store = NULL;
    w->notices[0] = '\0';
    fake_xen_deinit();
    fake_xen_init(exits);
}

void check_rules(void)
{
    if (fake_xen.broken)
        fail_msg("%s", fake_xen.broken);
    assert_false(fake_xen.enabled);
    assert_int_equal(fake_xen.answered, fake_xen.made);
}

void record(struct world *w, const char *mode, const char *stop)
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
