/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <xenctrl.h> /* before any other of Xen's: it chooses the tools' interface */

#include <xen/sched.h>

#include "guest_build.h"
#include "guest_status.h"
#include "xen_compat.h"

enum exit_status { DONE = 0, FAILED = 1, USAGE = 2, BAD_END = 3, TIME_OUT = 4 };

static const char help[] =
    "usage: xrw-guest create [--memory MIB] [--vcpus N] [--native-tsc] [--pc-timers]\n"
    "                        [--initrd FILE] [--cmdline TEXT] KERNEL\n"
    "       xrw-guest unpause|pause|destroy|reset ID\n"
    "       xrw-guest wait [--ready] [--seconds S] ID\n"
    "       xrw-guest list\n"
    "\n"
    "Makes guests for the tests of xenrewind and looks after them, in dom0 of Xen 4.17.\n"
    "\n"
    "  create    load a PVH kernel (ELF) into a new domain, print the domain's id; it is left "
    "paused\n"
    "            before its first instruction.  --memory: 2 to 1024, default 4; --vcpus: 1 to 8,\n"
    "            default 1, the others are down.  --native-tsc: RDTSC does not exit;\n"
    "            --pc-timers: PIC, IO-APIC, PIT, HPET and RTC beside the LAPIC\n"
    "  wait      until the guest has ended; with --ready, until it says that it is in its steady\n"
    "            loop.  Prints how it stands.  --seconds: no longer than that, default 60\n"
    "  reset     bring a fork back to where it was made\n"
    "  list      a line for each domain but dom0: id, state, MiB\n"
    "\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage; of wait also 3 the guest crashed or found "
    "itself\n"
    "wrong, 4 time limit.\n";

struct options {
    struct guest_spec spec;
    bool ready;
    double seconds;
    const char *operand; /* KERNEL or ID */
};

static int parse_number(const char *text, unsigned long min, unsigned long max,
                        unsigned long *value)
{
    char *end;
    unsigned long number;

    errno = 0;
    number = strtoul(text, &end, 10);
    if (errno || end == text || *end || text[0] == '-' || number < min || number > max)
        return complain(0, "'%s' is not a number from %lu to %lu", text, min, max);
    *value = number;
    return 0;
}

static int parse_domid(const char *text, uint32_t *domid)
{
    unsigned long number;

    if (parse_number(text, 1, DOMID_FIRST_RESERVED - 1, &number))
        return -1;
    *domid = (uint32_t)number;
    return 0;
}

static int find_domain(const struct xen_handles *xen, uint32_t domid, xc_domaininfo_t *info)
{
    int found = xc_domain_getinfolist(xen->xch, domid, 1, info);

    if (found < 0 && errno != ESRCH)
        return complain(errno, "cannot ask Xen about domain %" PRIu32, domid);
    if (found != 1 || info->domain != domid)
        return complain(0, "there is no domain %" PRIu32, domid);
    return 0;
}

/* Looks at the guest's own page through a mapping that is gone again on return: Xen does not share
 * a mapped page with a fork. */
static int read_status(const struct xen_handles *xen, uint32_t domid, struct guest_status *status)
{
    const xen_pfn_t gfn = GUEST_STATUS_GPA >> XC_PAGE_SHIFT;
    void *page = xenforeignmemory_map(xen->fmem, domid, PROT_READ, 1, &gfn, NULL);

    if (!page)
        return complain(errno, "cannot read the memory of domain %" PRIu32, domid);
    memcpy(status, page, sizeof *status);
    xenforeignmemory_unmap(xen->fmem, page, 1);
    if (status->magic != GUEST_STATUS_MAGIC)
        *status = (struct guest_status){.code = GUEST_STARTED};
    return 0;
}

static bool has_shut_down(const xc_domaininfo_t *info)
{
    return info->flags & XEN_DOMINF_shutdown;
}

static unsigned shutdown_reason(const xc_domaininfo_t *info)
{
    return info->flags >> XEN_DOMINF_shutdownshift & XEN_DOMINF_shutdownmask;
}

static const char *state_name(const xc_domaininfo_t *info)
{
    static const char *const ends[] = {
        [SHUTDOWN_poweroff] = "poweroff", [SHUTDOWN_reboot] = "reboot",
        [SHUTDOWN_suspend] = "suspend",   [SHUTDOWN_crash] = "crash",
        [SHUTDOWN_watchdog] = "watchdog", [SHUTDOWN_soft_reset] = "soft-reset",
    };

    if (info->flags & XEN_DOMINF_dying)
        return "dying";
    if (has_shut_down(info))
        return shutdown_reason(info) <= SHUTDOWN_MAX ? ends[shutdown_reason(info)] : "shutdown";
    return info->flags & XEN_DOMINF_paused ? "paused" : "running";
}

static void print_status(const struct guest_status *status)
{
    static const char *const names[] = {[GUEST_STARTED] = "started",
                                        [GUEST_READY] = "ready",
                                        [GUEST_PASS] = "pass",
                                        [GUEST_FAIL] = "fail"};
    const char *name = status->code <= GUEST_FAIL ? names[status->code] : "?";

    printf(" %s value=%016" PRIx64, name, status->value);
    if (status->code == GUEST_FAIL)
        printf(" visit=%" PRIu64 " line=%" PRIu32, status->visit, status->line);
}

static int print_end(const xc_domaininfo_t *info, const struct guest_status *status)
{
    unsigned reason = shutdown_reason(info);
    /* Linux cannot switch off without ACPI. */
    bool right = reason == SHUTDOWN_poweroff
                     ? status->code != GUEST_FAIL
                     : reason == SHUTDOWN_reboot && status->code == GUEST_PASS;
    bool good = has_shut_down(info) && right;

    printf("%s", state_name(info));
    print_status(status);
    putchar('\n');
    return good ? DONE : BAD_END;
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int command_wait(const struct xen_handles *xen, const struct options *options)
{
    const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    double deadline = now_s() + options->seconds;
    struct guest_status status;
    xc_domaininfo_t info;
    uint32_t domid;

    if (parse_domid(options->operand, &domid))
        return USAGE;
    for (;;) {
        if (find_domain(xen, domid, &info) || read_status(xen, domid, &status))
            return FAILED;
        if (has_shut_down(&info) || info.flags & XEN_DOMINF_dying)
            return print_end(&info, &status);
        if (options->ready && status.code == GUEST_READY) {
            puts("ready");
            return DONE;
        }
        if (now_s() > deadline) {
            complain(0, "domain %" PRIu32 " is still %s after %g s", domid, state_name(&info),
                     options->seconds);
            return TIME_OUT;
        }
        nanosleep(&pause, NULL);
    }
}

static int command_create(const struct xen_handles *xen, const struct options *options)
{
    struct guest_spec spec = options->spec;
    uint32_t domid;

    spec.kernel = options->operand;
    if (guest_create(xen, &spec, &domid))
        return FAILED;
    printf("%" PRIu32 "\n", domid);
    return DONE;
}

static int change(const struct xen_handles *xen, const struct options *options, const char *verb,
                  int (*operation)(xc_interface *, uint32_t))
{
    xc_domaininfo_t info;
    uint32_t domid;

    if (parse_domid(options->operand, &domid))
        return USAGE;
    if (find_domain(xen, domid, &info))
        return FAILED;
    if (operation(xen->xch, domid)) {
        complain(errno, "cannot %s domain %" PRIu32, verb, domid);
        return FAILED;
    }
    return DONE;
}

static int command_unpause(const struct xen_handles *xen, const struct options *options)
{
    return change(xen, options, "unpause", xc_domain_unpause);
}

static int command_pause(const struct xen_handles *xen, const struct options *options)
{
    return change(xen, options, "pause", xc_domain_pause);
}

static int command_destroy(const struct xen_handles *xen, const struct options *options)
{
    return change(xen, options, "destroy", xc_domain_destroy);
}

static int command_reset(const struct xen_handles *xen, const struct options *options)
{
    return change(xen, options, "reset", xen_compat_fork_reset);
}

static int command_list(const struct xen_handles *xen, const struct options *options)
{
    xc_domaininfo_t info;
    uint32_t next = 1;
    int found;

    (void)options;
    while ((found = xc_domain_getinfolist(xen->xch, next, 1, &info)) == 1) {
        printf("%" PRIu16 " %s %" PRIu64 "\n", info.domain, state_name(&info),
               info.tot_pages / (1024 * 1024 / XC_PAGE_SIZE));
        next = info.domain + 1u;
    }
    if (found < 0 && errno != ESRCH) {
        complain(errno, "cannot list the domains");
        return FAILED;
    }
    return DONE;
}

static const struct command {
    const char *name;
    int (*run)(const struct xen_handles *, const struct options *);
    bool takes_operand;
} commands[] = {
    {"create", command_create, true}, {"unpause", command_unpause, true},
    {"pause", command_pause, true},   {"destroy", command_destroy, true},
    {"wait", command_wait, true},     {"list", command_list, false},
    {"reset", command_reset, true},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (!strcmp(commands[i].name, name))
            return &commands[i];
    complain(0, "there is no command '%s'; see xrw-guest --help", name);
    return NULL;
}

static int parse_option(int option, struct options *options)
{
    unsigned long number;

    switch (option) {
    case 'm':
        if (parse_number(optarg, 2, 1024, &number))
            return -1;
        options->spec.memory_mib = (unsigned)number;
        return 0;
    case 'v':
        if (parse_number(optarg, 1, 8, &number))
            return -1;
        options->spec.vcpus = (unsigned)number;
        return 0;
    case 's':
        if (parse_number(optarg, 0, 86400, &number))
            return -1;
        options->seconds = (double)number;
        return 0;
    case 'i':
        options->spec.initrd = optarg;
        return 0;
    case 'c':
        options->spec.cmdline = optarg;
        return 0;
    case 't':
        options->spec.native_tsc = true;
        return 0;
    case 'p':
        options->spec.pc_timers = true;
        return 0;
    case 'r':
        options->ready = true;
        return 0;
    default:
        return -1; /* getopt_long has said why */
    }
}

static int parse(int argc, char **argv, const struct command *command, struct options *options)
{
    static const struct option known[] = {
        {"memory", required_argument, NULL, 'm'},
        {"initrd", required_argument, NULL, 'i'},
        {"cmdline", required_argument, NULL, 'c'},
        {"seconds", required_argument, NULL, 's'},
        {"vcpus", required_argument, NULL, 'v'},
        {"native-tsc", no_argument, NULL, 't'},
        {"ready", no_argument, NULL, 'r'},
        {"pc-timers", no_argument, NULL, 'p'},
        {0},
    };
    int option;

    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1)
        if (parse_option(option, options))
            return -1;
    if (argc - optind != command->takes_operand)
        return complain(0, "%s takes %s operand; see xrw-guest --help", command->name,
                        command->takes_operand ? "one" : "no");
    options->operand = argv[optind];
    return 0;
}

static int run(const struct command *command, const struct options *options)
{
    struct xen_handles xen = {.xch = xc_interface_open(NULL, NULL, 0)};
    int status = FAILED;

    if (!xen.xch) {
        complain(errno, "cannot talk to Xen: is this dom0?");
        return FAILED;
    }
    xen.fmem = xenforeignmemory_open(NULL, 0);
    if (xen.fmem)
        status = command->run(&xen, options);
    else
        complain(errno, "cannot open Xen's foreign memory interface");
    xenforeignmemory_close(xen.fmem);
    xc_interface_close(xen.xch);
    if (fflush(stdout)) {
        complain(errno, "standard output");
        return FAILED;
    }
    return status;
}

int main(int argc, char **argv)
{
    struct options options = {.spec = {.memory_mib = 4, .vcpus = 1, .cmdline = ""}, .seconds = 60};
    const struct command *command;

    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))) {
        fputs(help, stdout);
        return DONE;
    }
    if (argc < 2) {
        fputs(help, stderr);
        return USAGE;
    }
    command = find_command(argv[1]);
    if (!command || parse(argc - 1, argv + 1, command, &options))
        return USAGE;
    return run(command, &options);
}
