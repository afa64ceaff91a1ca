/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/runs.h"

#include "xrw/path.h"
#include "xrw/report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- comparing ------------------------------------------------------- */

/* The next exit of the run's path after *exit (id 0: the first): 1 with *exit; 0, with its id 0, if
 * there is none; or an error. */
static int next_step(struct xrw_store *store, const struct xrw_run *run, struct xrw_exit *exit,
                     struct xrw_error *err)
{
    const struct xrw_exit_filter guests = {.guest_only = true};
    xrw_exit_id at = exit->id ? exit->id : run->first_exit - 1;

    for (;;) {
        int ret = xrw_store_find_exit(store, &guests, at, true, run->first_exit, run->last_exit,
                                      NULL, NULL, &at, err);

        if (!ret)
            *exit = (struct xrw_exit){0};
        if (ret <= 0)
            return ret;
        ret = xrw_store_exit(store, at, exit, err);
        if (ret || xrw_path_counts(exit))
            return ret ? ret : 1;
    }
}

static bool register_differs(const struct xrw_exit *a, const struct xrw_exit *b, unsigned reg)
{
    return a->before.known[reg] && b->before.known[reg] &&
           a->before.value[reg] != b->before.value[reg];
}

static bool registers_differ(const struct xrw_exit *a, const struct xrw_exit *b)
{
    for (unsigned reg = 0; reg < XRW_REGISTER_COUNT; reg++)
        if (register_differs(a, b, reg))
            return true;
    return false;
}

static bool same_step(const struct xrw_exit *a, const struct xrw_exit *b)
{
    struct xrw_path_step x = xrw_path_step(a), y = xrw_path_step(b);

    return xrw_path_same_step(&x, &y);
}

/* Walk both until they part or end. */
static int walk(struct xrw_store *store, struct xrw_run_diff *diff, struct xrw_error *err)
{
    for (;;) {
        int left = next_step(store, &diff->run[0], &diff->exit[0], err), right;

        if (left < 0)
            return left;
        right = next_step(store, &diff->run[1], &diff->exit[1], err);
        if (right < 0)
            return right;
        if (!left && !right)
            return 0;
        if (!left || !right || !same_step(&diff->exit[0], &diff->exit[1])) {
            diff->parted = true;
            return 0;
        }
        diff->common++;
        if (!diff->registers_differ && registers_differ(&diff->exit[0], &diff->exit[1])) {
            diff->registers_differ = true;
            memcpy(diff->data, diff->exit, sizeof diff->data);
        }
    }
}

int xrw_run_diff(struct xrw_store *store, uint64_t a, uint64_t b, struct xrw_run_diff *out,
                 struct xrw_error *err)
{
    struct xrw_run_diff *diff = calloc(1, sizeof *diff);
    int ret = diff ? 0 : xrw_error_set(err, -ENOMEM, "out of memory");

    if (!ret)
        ret = xrw_store_run(store, a, &diff->run[0], err);
    if (!ret)
        ret = xrw_store_run(store, b, &diff->run[1], err);
    if (ret == -ENOENT)
        ret = xrw_error_set(err, ret, "there is no run %" PRIu64 "; the recording has %" PRIu64,
                            diff->run[0].id ? b : a, xrw_store_run_count(store));
    if (!ret)
        ret = walk(store, diff, err);
    if (!ret)
        *out = *diff;
    free(diff);
    return ret;
}

/* ---- printing -------------------------------------------------------- */

#define LABEL_WIDTH 16
#define COLUMN_WIDTH 44

static void print_row(FILE *out, const char *label, const char *left, const char *right)
{
    bool differ = strcmp(left, right) != 0;

    (void)fprintf(out, "%c %-*s ", differ ? '*' : ' ', LABEL_WIDTH, label);
    xrw_report_text(out, left);
    (void)fprintf(out, "%*s",
                  (int)(strlen(left) < COLUMN_WIDTH ? COLUMN_WIDTH - strlen(left) + 1 : 2), "");
    xrw_report_text(out, right);
    (void)fputc('\n', out);
}

static void number_text(char *text, size_t bytes, bool known, uint64_t value)
{
    if (known)
        (void)snprintf(text, bytes, "0x%" PRIx64, value);
    else
        (void)snprintf(text, bytes, "?");
}

/* Both may be missing, but not at once; the one that is has empty cells. */
static void print_registers(const struct xrw_exit exit[2], FILE *out)
{
    for (unsigned reg = 0; reg < XRW_REGISTER_COUNT; reg++) {
        char text[2][24] = {"", ""};

        if (reg >= XRW_HOT_COUNT &&
            (!exit[0].id || !exit[1].id || !register_differs(&exit[0], &exit[1], reg)))
            continue;
        for (unsigned i = 0; i < 2; i++)
            if (exit[i].id)
                number_text(text[i], sizeof text[i], exit[i].before.known[reg],
                            exit[i].before.value[reg]);
        print_row(out, xrw_register_table[reg].name, text[0], text[1]);
    }
}

static int insn_text(struct xrw_store *store, struct xrw_disassembler *disassembler,
                     const struct xrw_exit *exit, char *text, size_t bytes, struct xrw_error *err)
{
    struct xrw_insn insn;
    int ret = xrw_report_insn(store, disassembler, exit, &insn, err);

    if (ret && ret != -ENOENT && ret != -EILSEQ)
        return ret;
    (void)snprintf(text, bytes, "%s", !ret ? insn.text : ret == -ENOENT ? "?" : "(bad)");
    return 0;
}

/* Two exits side by side. */
static int print_pair(struct xrw_store *store, struct xrw_disassembler *disassembler,
                      const struct xrw_exit exit[2], FILE *out, struct xrw_error *err)
{
    char id[2][40] = {"none: the run has ended", "none: the run has ended"};
    char reason[2][24] = {"", ""}, operands[2][XRW_DESCRIPTION_MAX] = {"", ""};
    char insn[2][128] = {"", ""};
    int ret = 0;

    for (unsigned i = 0; i < 2 && !ret; i++) {
        char number[24];

        if (!exit[i].id)
            continue;
        (void)snprintf(id[i], sizeof id[i], "%" PRIu64, exit[i].id);
        (void)snprintf(reason[i], sizeof reason[i], "%s", xrw_report_reason(&exit[i], number));
        xrw_report_operands(&exit[i], operands[i]);
        ret = insn_text(store, disassembler, &exit[i], insn[i], sizeof insn[i], err);
    }
    if (ret)
        return ret;
    print_row(out, "exit", id[0], id[1]);
    print_row(out, "reason", reason[0], reason[1]);
    print_row(out, "operands", operands[0], operands[1]);
    print_row(out, "instruction", insn[0], insn[1]);
    print_registers(exit, out);
    return 0;
}

static int print_heading(struct xrw_store *store, const struct xrw_run_diff *diff, FILE *out,
                         struct xrw_error *err)
{
    char name[2][40], exits[2][24], stop[2][sizeof diff->run[0].stop], inputs[2][256];

    for (unsigned i = 0; i < 2; i++) {
        const struct xrw_run *run = &diff->run[i];
        int ret = xrw_runs_inputs(store, run->id, inputs[i], sizeof inputs[i], err);

        if (ret)
            return ret;
        (void)snprintf(name[i], sizeof name[i], "run %" PRIu64, run->id);
        (void)snprintf(exits[i], sizeof exits[i], "%" PRIu64, run->last_exit + 1 - run->first_exit);
        (void)snprintf(stop[i], sizeof stop[i], "%s", run->stop[0] ? run->stop : "?");
    }
    print_row(out, "", name[0], name[1]);
    if (inputs[0][0] || inputs[1][0])
        print_row(out, "input", inputs[0], inputs[1]);
    print_row(out, "exits", exits[0], exits[1]);
    print_row(out, "stopped", stop[0], stop[1]);
    return 0;
}

int xrw_run_diff_print(struct xrw_store *store, struct xrw_disassembler *disassembler,
                       const struct xrw_run_diff *diff, FILE *out, struct xrw_error *err)
{
    int ret = print_heading(store, diff, out, err);

    if (!ret && diff->registers_differ) {
        (void)fprintf(out, "\nthe first register that differs, with the path still the same\n");
        ret = print_pair(store, disassembler, diff->data, out, err);
    }
    if (ret)
        return ret;
    if (!diff->parted) {
        (void)fprintf(out, "\nboth took the same path: %" PRIu64 " exits%s\n", diff->common,
                      diff->registers_differ ? "" : ", and no register differs at them");
        return 0;
    }
    (void)fprintf(out, "\nwhere they part, after %" PRIu64 " exits of the same path\n",
                  diff->common);
    return print_pair(store, disassembler, diff->exit, out, err);
}
