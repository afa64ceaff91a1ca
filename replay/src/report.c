/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/report.h"

#include "xrw/reason.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static char printable(char c)
{
    return c >= ' ' && c <= '~' ? c : '?';
}

void xrw_report_text(FILE *out, const char *text)
{
    for (; *text; text++)
        (void)fputc(printable(*text), out);
}

const char *xrw_report_reason(const struct xrw_exit *exit, char text[24])
{
    unsigned reason = xrw_exit_basic_reason(exit);
    const char *name = xrw_reason_name(reason);

    if (!exit->field_known[XRW_EXIT_reason])
        return "?";
    if (name)
        return name;
    (void)snprintf(text, 24, "reason %u", reason);
    return text;
}

void xrw_report_operands(const struct xrw_exit *exit, char text[XRW_DESCRIPTION_MAX])
{
    (void)xrw_exit_describe(exit, text, XRW_DESCRIPTION_MAX);
    for (char *c = text; *c; c++)
        *c = printable(*c);
}

int xrw_report_insn(struct xrw_store *store, struct xrw_disassembler *disassembler,
                    const struct xrw_exit *exit, struct xrw_insn *insn, struct xrw_error *err)
{
    uint8_t code[XRW_INSN_MAX_BYTES];
    size_t bytes;
    int ret = xrw_store_insn(store, exit->id, code, &bytes, NULL, 0, err);

    if (ret)
        return ret;
    return xrw_disassemble(disassembler, xrw_insn_mode(&exit->before), code, bytes,
                           exit->before.value[XRW_REG_rip], insn);
}

/* The instruction, or what stands for it. */
static int insn_text(struct xrw_store *store, struct xrw_disassembler *disassembler,
                     const struct xrw_exit *exit, struct xrw_insn *insn, struct xrw_error *err)
{
    int ret = xrw_report_insn(store, disassembler, exit, insn, err);

    if (ret && ret != -ENOENT && ret != -EILSEQ)
        return ret;
    if (ret)
        (void)snprintf(insn->text, sizeof insn->text, "%s", ret == -ENOENT ? "" : "(bad)");
    return 0;
}

static void print_rip(const struct xrw_exit *exit, int width, FILE *out)
{
    char text[24] = "?";

    if (exit->before.known[XRW_REG_rip])
        (void)snprintf(text, sizeof text, "0x%" PRIx64, exit->before.value[XRW_REG_rip]);
    (void)fprintf(out, "%*s", width, text);
}

void xrw_report_line_heading(FILE *out)
{
    (void)fprintf(out, "%8s %4s %12s  %-18s %18s  %-40s %s\n", "exit", "vcpu", "time ms", "reason",
                  "rip", "instruction", "operands");
}

int xrw_report_line(struct xrw_store *store, struct xrw_disassembler *disassembler,
                    const struct xrw_exit *exit, FILE *out, struct xrw_error *err)
{
    char number[24], operands[XRW_DESCRIPTION_MAX];
    struct xrw_insn insn;
    int ret = insn_text(store, disassembler, exit, &insn, err);

    if (ret)
        return ret;
    xrw_report_operands(exit, operands);
    (void)fprintf(out, "%8" PRIu64 " %4" PRIu32 " ", exit->id, exit->vcpu);
    if (exit->field_known[XRW_EXIT_time_ns])
        (void)fprintf(out, "%12.3f", (double)exit->field[XRW_EXIT_time_ns] / 1e6);
    else
        (void)fprintf(out, "%12s", "?");
    (void)fprintf(out, "  %-18s ", xrw_report_reason(exit, number));
    print_rip(exit, 18, out);
    if (*operands)
        (void)fprintf(out, "  %-40s %s\n", insn.text, operands);
    else
        (void)fprintf(out, "  %s\n", insn.text);
    return 0;
}

void xrw_report_position(const struct xrw_timeline *timeline, char *text, size_t bytes)
{
    const struct xrw_exit *exit = xrw_timeline_exit(timeline);
    const struct xrw_run *run = xrw_timeline_run(timeline);
    char number[24], operands[XRW_DESCRIPTION_MAX], which[32] = "";

    if (run->id > 1)
        (void)snprintf(which, sizeof which, " (run %" PRIu64 ")", run->id);
    xrw_report_operands(exit, operands);
    (void)snprintf(text, bytes, "exit %" PRIu64 " of %" PRIu64 "%s: %s at 0x%" PRIx64 "%s%s",
                   exit->id, run->last_exit, which, xrw_report_reason(exit, number),
                   exit->before.value[XRW_REG_rip], *operands ? ": " : "", operands);
}

/* ---- where ------------------------------------------------------------- */

static int print_insn(struct xrw_timeline *timeline, struct xrw_disassembler *disassembler,
                      FILE *out, struct xrw_error *err)
{
    const struct xrw_exit *exit = xrw_timeline_exit(timeline);
    struct xrw_insn insn;
    int ret = insn_text(xrw_timeline_store(timeline), disassembler, exit, &insn, err);

    if (ret)
        return ret;
    (void)fputs("at:       ", out);
    print_rip(exit, 0, out);
    (void)fprintf(out, "  %s\n", insn.text[0] ? insn.text : "(instruction not recorded)");
    return 0;
}

/* What the hypervisor changed: registers before -> after. */
static void print_changes(const struct xrw_exit *exit, FILE *out)
{
    unsigned changes = 0;

    (void)fputs("handling: ", out);
    if (!exit->has_after) {
        (void)fputs("not known: the resume state was not recorded\n", out);
        return;
    }
    for (unsigned i = 0; i < XRW_REGISTER_COUNT; i++) {
        if (!exit->before.known[i] || !exit->after.known[i] ||
            exit->before.value[i] == exit->after.value[i])
            continue;
        (void)fprintf(out, "%s%s 0x%" PRIx64 " -> 0x%" PRIx64,
                      !changes      ? ""
                      : changes % 4 ? ", "
                                    : ",\n          ",
                      xrw_register_table[i].name, exit->before.value[i], exit->after.value[i]);
        changes++;
    }
    (void)fputs(changes ? "\n" : "changed no register\n", out);
}

#define PAGES_SHOWN 8u

struct page_list {
    FILE *out;
    uint64_t count;
};

static int add_page(void *ctx, int columns, const char *const *names, const char *const *values)
{
    struct page_list *list = ctx;

    (void)names;
    if (columns == 1 && values[0] && list->count < PAGES_SHOWN) {
        (void)fputs(list->count ? " " : "", list->out);
        xrw_report_text(list->out, values[0]);
    }
    list->count++;
    return 0;
}

static int print_pages(struct xrw_timeline *timeline, FILE *out, struct xrw_error *err)
{
    const struct xrw_exit *exit = xrw_timeline_exit(timeline);
    struct page_list list = {out, 0};
    char sql[160];
    int ret;

    (void)fputs("memory:   changed since the exit before: ", out);
    (void)snprintf(sql, sizeof sql,
                   "SELECT printf('0x%%x', gfn) FROM page_version WHERE exit = %" PRIu64
                   " AND run = %" PRIu64 " ORDER BY gfn",
                   exit->id, exit->run);
    ret = xrw_store_query(xrw_timeline_store(timeline), sql, 1u << 20, 5000, add_page, &list, err);
    if (ret)
        return ret;
    if (list.count > PAGES_SHOWN)
        (void)fprintf(out, " ... (%" PRIu64 " pages)\n", list.count);
    else
        (void)fputs(list.count ? " (guest frame numbers)\n" : "no page\n", out);
    return 0;
}

static void print_reason(const struct xrw_exit *exit, FILE *out)
{
    unsigned reason = xrw_exit_basic_reason(exit);
    const struct xrw_reason_info *info = xrw_reason_find(reason);
    const char *what = info && exit->field_known[XRW_EXIT_reason] ? info->what : "";
    char number[24];

    (void)fprintf(out, "reason:   %s (%u)%s%s%s\n", xrw_report_reason(exit, number), reason,
                  *what ? ": " : "", what,
                  xrw_exit_is_host(exit) ? "; the host's business, not the guest's" : "");
}

int xrw_report_where(struct xrw_timeline *timeline, struct xrw_disassembler *disassembler,
                     FILE *out, struct xrw_error *err)
{
    const struct xrw_exit *exit = xrw_timeline_exit(timeline);
    const struct xrw_run *run = xrw_timeline_run(timeline);
    char operands[XRW_DESCRIPTION_MAX];
    int ret;

    xrw_report_operands(exit, operands);
    (void)fprintf(out, "exit %" PRIu64 " of %" PRIu64 " (run %" PRIu64 "), vCPU %" PRIu32, exit->id,
                  run->last_exit, run->id, exit->vcpu);
    if (exit->field_known[XRW_EXIT_time_ns])
        (void)fprintf(out, ", %.3f ms into the run", (double)exit->field[XRW_EXIT_time_ns] / 1e6);
    (void)fputc('\n', out);
    print_reason(exit, out);
    if (*operands)
        (void)fprintf(out, "operands: %s\n", operands);
    ret = print_insn(timeline, disassembler, out, err);
    if (ret)
        return ret;
    print_changes(exit, out);
    ret = run->memory == XRW_MEMORY_NONE ? 0 : print_pages(timeline, out, err);
    if (ret)
        return ret;
    (void)fprintf(out, "          %s\n",
                  run->memory == XRW_MEMORY_EXIT && strcmp(run->mode, "sync") != 0 &&
                          xrw_exit_may_write_memory(exit)
                      ? "handling this exit may have written memory: the bytes that changed are "
                        "unavailable here"
                      : xrw_report_memory_truth(run));
    return 0;
}
