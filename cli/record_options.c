/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "record_arguments.h"
#include "record_machine.h"

#include "xrw/reason.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_EVERY_MAX_MS UINT64_C(86400000)

static const char usage_text[] =
    "usage: xenrewind record --parent DOMAIN [OPTIONS] [-o FILE]\n"
    "       xenrewind record --domain DOMAIN [--parent DOMAIN] [OPTIONS] [-o FILE]\n"
    "       xenrewind record --source machine [OPTIONS] [-o FILE] KERNEL\n"
    "\n"
    "Forks a Xen domain and records every VM exit of the fork: registers before and after, and\n"
    "memory.  The parent is frozen meanwhile; afterwards the fork is gone and the parent goes on.\n"
    "Needs dom0 of Xen 4.17 or later, or of 4.14 with the patches in xen-patch/, which make it\n"
    "exact.\n"
    "\n"
    "what to record\n"
    "  --parent DOMAIN        fork this domain, given by number or name\n"
    "  --domain DOMAIN        record this domain itself, be it a fork made by another tool or "
    "not;\n"
    "                         afterwards it is paused or goes on, as before.  Of a fork, with\n"
    "                         --parent, memory that it has not touched yet is read from there;\n"
    "                         else it is brought in first\n"
    "  --mode auto            the first of these modes that this Xen can do (the default):\n"
    "  --mode pause           hold the guest after each exit was handled; patched Xen only\n"
    "  --mode async           let it go on at once: much faster.  Registers after the exits, and\n"
    "                         memory, are known where it is held for memory\n"
    "  --mode sync            stop at the first exit that Xen would have to handle\n"
    "  --allow-interrupts     let interrupts into the fork (blocked otherwise)\n"
    "  --memory exit          memory as of every exit (the default, but in async mode)\n"
    "  --memory every=N       ... of every N-th exit, and the last one\n"
    "  --memory every=Tms     ... of an exit every T milliseconds, and the last one\n"
    "  --memory end|start     ... of the last one; of the start only\n"
    "  --memory none          no memory (the default in async mode)\n"
    "  --base full|touched    of memory at the start all (the default), or what the run reaches\n"
    "\n"
    "a guest of the embedded engine (--source machine): no Xen, no KVM, no root needed\n"
    "  KERNEL                 an ELF file, entered by the PVH protocol or at its entry point\n"
    "  --initrd FILE, --cmdline TEXT\n"
    "  --guest-memory MIB     2 to 3072 (default 64)\n"
    "  --platform pc|xen      a PC with serial port, PIC and PIT (the default); or like a fork of\n"
    "                         a Xen domain: local APIC, few hypercalls, memory page by page\n"
    "  --cpu-of RECORDING     answer CPUID as it was answered there\n"
    "  --undefined-flags host|bochs\n"
    "                         whose flags to imitate where the architecture leaves them undefined\n"
    "  --console FILE         what the guest prints, on port 0xe9 too; -: standard output\n"
    "\n"
    "runs\n"
    "  --runs N               record N runs: the fork is reset between them\n"
    "  --input gva=ADDR,file=PATH\n"
    "  --input gpa=ADDR,file=PATH\n"
    "                         write the file's bytes to that linear (as the guest has it mapped\n"
    "                         where the runs begin) or guest-physical address before each run;\n"
    "                         repeatable\n"
    "  --inputs DIR           make a run for each file there, by name; it goes to where an "
    "--input\n"
    "                         says file=@\n"
    "\n"
    "when to stop a run (at the first that holds; also when the guest ends; Ctrl-C ends them all)\n"
    "  --exits N              after N exits\n"
    "  --seconds S            at the first exit after S seconds\n"
    "  --until-rip ADDR       at an exit with this instruction pointer; nothing makes the guest\n"
    "                         exit there\n"
    "  --until-reason NAME    at an exit for this reason, e.g. VMCALL\n"
    "  --idle-seconds S       when the guest has waited for an interrupt for S seconds (default\n"
    "                         5); 0: never\n"
    "\n"
    "where to\n"
    "  -o, --output FILE      the recording (default recording.db)\n"
    "  --force                replace FILE if it exists\n"
    "  --symbols FILE         name the guest's symbol file in the recording, for gdb\n"
    "  --guest-name TEXT      name the guest in the recording\n"
    "  --keep                 leave the fork there, paused\n"
    "  --durable              sync every batch to the disk: power loss loses no more than a kill\n"
    "  --rows now|later       make the recording's rows while the guest runs, or afterwards, "
    "which\n"
    "                         disturbs it less (the default where both have one processor):\n"
    "                         what was recorded lies in FILE-ring till then\n"
    "  --each-exit COMMAND    a shell command that gets a line `EXIT DOMAIN' on its input at each\n"
    "                         exit, while the guest is held, and answers with a line\n"
    "  --quiet                no progress, no summary\n"
    "  --json                 the summary as one JSON object on standard output";

enum option_id {
    OPT_PARENT = 256,
    OPT_DOMAIN,
    OPT_INTERRUPTS,
    OPT_MODE,
    OPT_MEMORY,
    OPT_BASE,
    OPT_RUNS,
    OPT_INPUT,
    OPT_INPUTS,
    OPT_EXITS,
    OPT_SECONDS,
    OPT_RIP,
    OPT_REASON,
    OPT_IDLE,
    OPT_FORCE,
    OPT_SYMBOLS,
    OPT_NAME,
    OPT_KEEP,
    OPT_DURABLE,
    OPT_ROWS,
    OPT_EACH,
    OPT_QUIET,
    OPT_JSON,
    OPT_MACHINE, /* an option of record_machine.h, known by its name */
};

static const struct option long_options[] = {
    {"parent", required_argument, NULL, OPT_PARENT},
    {"domain", required_argument, NULL, OPT_DOMAIN},
    {"allow-interrupts", no_argument, NULL, OPT_INTERRUPTS},
    {"mode", required_argument, NULL, OPT_MODE},
    {"memory", required_argument, NULL, OPT_MEMORY},
    {"base", required_argument, NULL, OPT_BASE},
    {"runs", required_argument, NULL, OPT_RUNS},
    {"input", required_argument, NULL, OPT_INPUT},
    {"inputs", required_argument, NULL, OPT_INPUTS},
    {"exits", required_argument, NULL, OPT_EXITS},
    {"seconds", required_argument, NULL, OPT_SECONDS},
    {"until-rip", required_argument, NULL, OPT_RIP},
    {"until-reason", required_argument, NULL, OPT_REASON},
    {"idle-seconds", required_argument, NULL, OPT_IDLE},
    {"output", required_argument, NULL, 'o'},
    {"force", no_argument, NULL, OPT_FORCE},
    {"symbols", required_argument, NULL, OPT_SYMBOLS},
    {"guest-name", required_argument, NULL, OPT_NAME},
    {"keep", no_argument, NULL, OPT_KEEP},
    {"durable", no_argument, NULL, OPT_DURABLE},
    {"rows", required_argument, NULL, OPT_ROWS},
    {"each-exit", required_argument, NULL, OPT_EACH},
    {"quiet", no_argument, NULL, OPT_QUIET},
    {"json", no_argument, NULL, OPT_JSON},
    {"source", required_argument, NULL, OPT_MACHINE},
    {"initrd", required_argument, NULL, OPT_MACHINE},
    {"cmdline", required_argument, NULL, OPT_MACHINE},
    {"guest-memory", required_argument, NULL, OPT_MACHINE},
    {"platform", required_argument, NULL, OPT_MACHINE},
    {"console", required_argument, NULL, OPT_MACHINE},
    {"cpu-of", required_argument, NULL, OPT_MACHINE},
    {"undefined-flags", required_argument, NULL, OPT_MACHINE},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};

static int parse_positive(const char *option, const char *text, uint64_t *number)
{
    if (xrw_cli_number(text, number) || *number == 0)
        return xrw_cli_usage("record", "--%s takes a whole number from 1 on, not %s", option, text);
    return 0;
}

static int parse_seconds(const char *option, const char *text, double *seconds)
{
    char *end;

    *seconds = strtod(text, &end);
    if (end == text || *end || !(*seconds >= 0 && *seconds < 1e9))
        return xrw_cli_usage("record", "--%s takes a number of seconds, not %s", option, text);
    return 0;
}

/* N exits, or T milliseconds. */
static int parse_every(const char *text, struct xrw_record_options *options)
{
    char number[24];
    size_t length = strlen(text);
    uint64_t ms;

    options->memory_every = options->memory_every_ns = 0;
    if (length < 3 || length >= sizeof number || strcmp(text + length - 2, "ms") != 0)
        return parse_positive("memory every", text, &options->memory_every);
    (void)snprintf(number, sizeof number, "%.*s", (int)length - 2, text);
    if (parse_positive("memory every", number, &ms))
        return XRW_CLI_USAGE;
    if (ms > MEMORY_EVERY_MAX_MS)
        return xrw_cli_usage("record", "--memory every=%s is too long", text);
    options->memory_every_ns = ms * 1000000;
    return 0;
}

static int parse_memory(const char *text, struct xrw_record_options *options)
{
    static const struct {
        const char *name;
        enum xrw_record_memory memory;
    } names[] = {{"exit", XRW_RECORD_MEMORY_EXIT},
                 {"end", XRW_RECORD_MEMORY_END},
                 {"start", XRW_RECORD_MEMORY_START},
                 {"none", XRW_RECORD_MEMORY_NONE}};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!strcmp(text, names[i].name)) {
            options->memory = names[i].memory;
            return 0;
        }
    options->memory = XRW_RECORD_MEMORY_EVERY;
    if (!strncmp(text, "every=", 6))
        return parse_every(text + 6, options);
    return xrw_cli_usage(
        "record", "--memory takes exit, every=N, every=Tms, end, start or none, not %s", text);
}

static int parse_base(const char *text, struct xrw_record_options *options)
{
    options->base_touched = !strcmp(text, "touched");
    if (!options->base_touched && strcmp(text, "full") != 0)
        return xrw_cli_usage("record", "--base takes full or touched, not %s", text);
    return 0;
}

static int parse_rows(const char *text, struct xrw_record_options *options)
{
    options->rows = strcmp(text, "later") ? XRW_RECORD_ROWS_NOW : XRW_RECORD_ROWS_LATER;
    if (strcmp(text, "later") != 0 && strcmp(text, "now") != 0)
        return xrw_cli_usage("record", "--rows takes now or later, not %s", text);
    return 0;
}

static int parse_mode(const char *text, struct xrw_record_options *options)
{
    for (int mode = 0; mode < XRW_RECORD_MODES; mode++)
        if (!strcmp(text, xrw_record_mode_names[mode])) {
            options->mode = mode;
            return 0;
        }
    return xrw_cli_usage("record", "--mode takes auto, pause, async or sync, not %s", text);
}

static int parse_rip(const char *text, struct xrw_record_options *options)
{
    if (xrw_cli_number(text, &options->rip))
        return xrw_cli_usage("record", "--until-rip takes an address, not %s", text);
    options->until_rip = true;
    return 0;
}

static int parse_reason(const char *text, struct xrw_record_options *options)
{
    options->until_reason = xrw_reason_by_name(text);
    if (options->until_reason < 0)
        return xrw_cli_usage("record", "%s is no exit reason (CPUID, VMCALL, EPT_VIOLATION, ...)",
                             text);
    return 0;
}

/* Options that take a value; 0 or an exit code. */
static int parse_value(int id, char *value, struct record_arguments *args)
{
    struct xrw_record_options *o = &args->options;

    switch (id) {
    case OPT_RUNS:
        return parse_positive("runs", value, &o->runs);
    case OPT_INPUT:
        return xrw_cli_add_input(&args->inputs, value);
    case OPT_INPUTS:
        args->inputs.folder = value;
        return 0;
    case OPT_PARENT:
        return xrw_cli_domain("record", value, &o->parent);
    case OPT_DOMAIN:
        return xrw_cli_domain("record", value, &o->fork);
    case OPT_MODE:
        return parse_mode(value, o);
    case OPT_ROWS:
        return parse_rows(value, o);
    case OPT_MEMORY:
        return parse_memory(value, o);
    case OPT_BASE:
        return parse_base(value, o);
    case OPT_EXITS:
        return parse_positive("exits", value, &o->max_exits);
    case OPT_SECONDS:
        return parse_seconds("seconds", value, &o->max_seconds);
    case OPT_RIP:
        return parse_rip(value, o);
    case OPT_REASON:
        return parse_reason(value, o);
    case OPT_IDLE:
        return parse_seconds("idle-seconds", value, &o->idle_seconds);
    case OPT_SYMBOLS:
        o->symbol_file = value;
        return 0;
    case OPT_NAME:
        o->guest_name = value;
        return 0;
    case OPT_EACH:
        o->each_exit = value;
        return 0;
    default:
        o->path = value;
        return 0;
    }
}

static void set_flag(int id, struct record_arguments *args)
{
    switch (id) {
    case OPT_INTERRUPTS:
        args->options.allow_interrupts = true;
        break;
    case OPT_FORCE:
        args->options.overwrite = true;
        break;
    case OPT_KEEP:
        args->options.keep = true;
        break;
    case OPT_DURABLE:
        args->options.durable = true;
        break;
    case OPT_QUIET:
        args->quiet = true;
        break;
    default:
        args->json = true;
    }
}

int record_parse(int argc, char **argv, struct record_arguments *args, bool *done)
{
    struct record_machine machine = {.asked_for = false};
    int id, index = 0, rc = 0;

    optind = 0; /* start anew, whatever was parsed before */
    while (!rc && (id = getopt_long(argc, argv, "o:h", long_options, &index)) != -1) {
        if (id == 'h') {
            *done = true;
            (void)puts(usage_text);
            return xrw_cli_finish();
        }
        if (id == '?')
            rc = xrw_cli_usage("record", "an option is not understood");
        else if (id == OPT_MACHINE)
            rc = record_machine_option(&machine, long_options[index].name, optarg);
        else if (id == 'o' || long_options[index].has_arg == required_argument)
            rc = parse_value(id, optarg, args);
        else
            set_flag(id, args);
    }
    if (!rc)
        rc = record_machine_finish(&machine, argv + optind, argc - optind, &args->options);
    if (rc || args->options.machine.kernel)
        return rc;
    if (!args->options.parent && !args->options.fork)
        rc = xrw_cli_usage("record", "which domain? give --parent DOMAIN or --domain DOMAIN");
    if (!rc && args->options.parent == args->options.fork)
        rc = xrw_cli_usage("record", "--domain is the fork, --parent the domain it was made from");
    if (!rc && args->options.fork && (args->options.keep || args->options.allow_interrupts))
        rc = xrw_cli_usage("record", "--keep and --allow-interrupts are for forks made here, not "
                                     "for one given by --domain");
    return rc ? rc : xrw_cli_take_inputs(&args->inputs, &args->options);
}
