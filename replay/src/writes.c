/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/writes.h"

#include "search.h"
#include "xrw/report.h"
#include "xrw/reason.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct listing {
    struct xrw_store *store;
    const struct xrw_writes_query *query;
    struct xrw_timeline *timeline;
    struct xrw_memory *memory;
    struct xrw_search *search;
};

/* The value at an exit, and whether all of it is known. */
static int value_at(const struct listing *listing, const struct xrw_exit *exit, uint8_t *value,
                    bool *known, struct xrw_error *err)
{
    const struct xrw_writes_query *query = listing->query;
    size_t got = 0;
    int ret = query->physical ? xrw_memory_read_physical(listing->memory, exit, query->address,
                                                         value, query->bytes, &got, err)
                              : xrw_memory_read(listing->memory, exit, query->address, value,
                                                query->bytes, &got, err);

    *known = !ret && got == query->bytes;
    return ret == -ENODATA || ret == -EFAULT ? 0 : ret;
}

/* The hypervisor handled the exits from `older` on, and may have written by that. */
static int look_for_hypervisor(const struct listing *listing, struct xrw_write *write,
                               struct xrw_error *err)
{
    struct xrw_exit exit;
    int ret = 0;

    write->by_hypervisor = xrw_exit_may_write_memory(&write->exit);
    for (xrw_exit_id id = write->older; !ret && id < write->newer && !write->by_hypervisor; id++) {
        ret = xrw_store_exit(listing->store, id, &exit, err);
        write->by_hypervisor = !ret && xrw_exit_may_write_memory(&exit);
    }
    return ret;
}

static int tell(const struct listing *listing, const struct xrw_hit *hit, struct xrw_error *err)
{
    struct xrw_write write = {
        .older = hit->older, .newer = hit->newer, .bytes = listing->query->bytes};
    int ret = xrw_store_exit(listing->store, hit->older, &write.before, err);

    if (!ret)
        ret = xrw_store_exit(listing->store, hit->newer, &write.exit, err);
    if (!ret)
        ret = value_at(listing, &write.before, write.old_value, &write.old_known, err);
    if (!ret)
        ret = value_at(listing, &write.exit, write.new_value, &write.new_known, err);
    if (!ret)
        ret = look_for_hypervisor(listing, &write, err);
    return ret ? ret : listing->query->change(listing->query->ctx, &write);
}

static int list(const struct listing *listing, struct xrw_error *err)
{
    const struct xrw_search_request forward = {.forward = true};
    struct xrw_hit hit = {.kind = XRW_HIT_WATCHPOINT};
    uint64_t told = 0;
    int ret = 0;

    while (!ret && (!listing->query->max || told < listing->query->max)) {
        ret = xrw_search_begin(listing->search, &forward, err);
        while (!ret && !(ret = xrw_search_slice(listing->search, &hit, err)))
            if (listing->query->interrupted && listing->query->interrupted(listing->query->ctx))
                ret = xrw_error_set(err, -EINTR, "interrupted");
        if (ret <= 0 || hit.kind != XRW_HIT_WATCHPOINT)
            break;
        ret = tell(listing, &hit, err);
        told++;
    }
    return ret > 0 && hit.kind != XRW_HIT_WATCHPOINT ? 0 : ret;
}

static int open_listing(struct listing *listing, struct xrw_error *err)
{
    const struct xrw_writes_query *query = listing->query;
    int ret = xrw_timeline_create(listing->store, query->run, &listing->timeline, err);

    if (ret)
        return ret;
    /* The host's own exits too: they say more closely when it was. */
    xrw_timeline_show_host_exits(listing->timeline, true);
    ret =
        xrw_timeline_seek(listing->timeline, xrw_timeline_run(listing->timeline)->first_exit, err);
    if (!ret)
        ret = xrw_memory_create(listing->store, xrw_timeline_run(listing->timeline),
                                &listing->memory);
    if (!ret)
        ret = xrw_search_create(listing->timeline, listing->memory, &listing->search);
    if (!ret)
        ret = xrw_search_insert(listing->search, XRW_STOPPER_WRITE, query->address, query->bytes,
                                query->physical, NULL);
    return ret == -ENOMEM   ? xrw_error_set(err, ret, "out of memory")
           : ret == -EINVAL ? xrw_error_set(err, ret, "no such range of memory")
                            : ret;
}

int xrw_writes_list(struct xrw_store *store, const struct xrw_writes_query *query,
                    struct xrw_error *err)
{
    struct listing listing = {.store = store, .query = query};
    int ret;

    if (!query->bytes || query->bytes > XRW_WRITES_MAX_BYTES)
        return xrw_error_set(err, -EINVAL, "1 to %u bytes can be followed", XRW_WRITES_MAX_BYTES);
    ret = open_listing(&listing, err);
    if (!ret)
        ret = list(&listing, err);
    xrw_search_destroy(listing.search);
    xrw_memory_destroy(listing.memory);
    xrw_timeline_destroy(listing.timeline);
    return ret;
}

/* ---- in words ---------------------------------------------------------- */

/* The bytes as a number where that is what they look like, else one by one. */
static void print_value(FILE *out, const uint8_t *value, size_t bytes, bool known)
{
    bool number = bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8;

    if (!known) {
        (void)fputs("not known", out);
        return;
    }
    (void)fputs(number ? "0x" : "", out);
    for (size_t i = 0; i < bytes; i++)
        (void)fprintf(out, "%02x", value[number ? bytes - 1 - i : i]);
}

void xrw_report_write(FILE *out, const struct xrw_write *write)
{
    const struct xrw_registers *from =
        write->before.has_after ? &write->before.after : &write->before.before;
    char number[24];

    (void)fprintf(out, "exit %" PRIu64 " to %" PRIu64 ": ", write->older, write->newer);
    print_value(out, write->old_value, write->bytes, write->old_known);
    (void)fputs(" -> ", out);
    print_value(out, write->new_value, write->bytes, write->new_known);
    (void)fprintf(out, "; by the guest%s, ",
                  write->by_hypervisor ? " or the hypervisor's handling" : "");
    if (from->known[XRW_REG_rip] && write->exit.before.known[XRW_REG_rip])
        (void)fprintf(out, "between %#" PRIx64 " and %#" PRIx64 " (%s)\n", from->value[XRW_REG_rip],
                      write->exit.before.value[XRW_REG_rip],
                      xrw_report_reason(&write->exit, number));
    else
        (void)fprintf(out, "before %s\n", xrw_report_reason(&write->exit, number));
}
