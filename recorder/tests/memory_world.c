/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "memory_world.h"

#include "support.h"

#include "xrw/vmx.h"

#include <errno.h>
#include <stdlib.h>

int take_page(void *ctx, xrw_gfn gfn, const uint8_t *page, bool forced, struct xrw_error *err)
{
    struct world *w = ctx;

    if (w->fail_at && w->count + 1 == w->fail_at)
        return xrw_error_set(err, -ENOSPC, "the store is full");
    assert_true(w->count < sizeof w->given / sizeof *w->given);
    w->given[w->count] = (struct given){.gfn = gfn, .forced = forced};
    memcpy(&w->given[w->count++].word, page, sizeof(uint64_t));
    return w->starting && gfn < RAM_GFNS && w->given[w->count - 1].word != 1000 + gfn;
}

int memory_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);

    fake_init(&w->fake);
    w->fake.high = SPECIAL_GFN;
    for (xrw_gfn gfn = 0; gfn < RAM_GFNS; gfn++)
        fake_add_page(&w->fake, gfn, 1000 + gfn);
    fake_add_page(&w->fake, SPECIAL_GFN + 8, 5000);
    fake_copy(&w->fake, SPECIAL_GFN + 8);
    fake_write(&w->fake, SPECIAL_GFN + 8, 5001);
    w->fake.fork_pages += 3; /* that are at no guest frame */
    assert_int_equal(memory_create(&w->memory, &fake_ops, &w->fake, true), 0);
    *state = w;
    return 0;
}

int memory_teardown(void **state)
{
    struct world *w = *state;

    memory_destroy(w->memory);
    assert_int_equal(w->fake.mapped, 0);
    assert_int_equal(w->fake.mappings, 0);
    fake_deinit(&w->fake);
    free(w);
    return 0;
}

void take_base(struct world *w)
{
    struct xrw_error err = {""};

    if (memory_find(w->memory, &err) || memory_base(w->memory, take_page, w, &err))
        fail_msg("%s", err.text);
    assert_int_equal(w->count, RAM_GFNS + 1);
    w->count = 0;
}

static void exit_at(struct world *w, struct xrw_exit *exit)
{
    struct xrw_error err = {""};

    w->count = 0;
    if (memory_exit(w->memory, exit, &err) || memory_changes(w->memory, take_page, w, &err))
        fail_msg("%s", err.text);
}

void simple_exit(struct world *w, unsigned reason)
{
    struct xrw_exit exit = {.has_after = true};

    xrw_exit_set(&exit, XRW_EXIT_reason, reason);
    exit_at(w, &exit);
}

void ept_violation(struct world *w, xrw_gfn gfn, uint64_t qualification)
{
    struct xrw_exit exit = {.has_after = true};

    xrw_exit_set(&exit, XRW_EXIT_reason, XRW_VMX_EPT_VIOLATION);
    xrw_exit_set(&exit, XRW_EXIT_qualification, qualification);
    xrw_exit_set(&exit, XRW_EXIT_gpa, (gfn << XRW_PAGE_SHIFT) + 0x123);
    exit_at(w, &exit);
}

void hypercall(struct world *w, uint64_t number)
{
    struct xrw_exit exit = {.has_after = true};

    xrw_exit_set(&exit, XRW_EXIT_reason, XRW_VMX_VMCALL);
    xrw_registers_set(&exit.before, XRW_REG_rax, number);
    exit_at(w, &exit);
}

uint64_t read_word(struct world *w, xrw_gfn gfn)
{
    uint64_t word = 0;

    assert_int_equal(memory_read(w->memory, gfn << XRW_PAGE_SHIFT, &word, sizeof word), 0);
    return word;
}
