/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "commands.h"
#include "gdb.h"
#include "serve.h"

#include "xrw/gdb_target.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_LISTEN "127.0.0.1:1234"

static const char usage_text[] =
    "usage: xenrewind replay [OPTIONS] FILE\n"
    "       xenrewind replay [--run N] --gdb FILE [-- GDB-ARGUMENTS]\n"
    "\n"
    "Serves a recording to gdb (stepi, continue, reverse-stepi, reverse-continue, break,\n"
    "watch; `monitor help' for more), or starts gdb on it.  Steps are by exit.\n"
    "\n"
    "  --listen HOST:PORT   where to listen; by default 127.0.0.1:1234\n"
    "  --listen unix:PATH   the same on a Unix socket\n"
    "  --stdio              serve on standard input and output\n"
    "  --gdb                start gdb, connected, with the recording's symbol file\n"
    "  --run N              which run of the recording, by default 1\n"
    "\n"
    "Whoever can connect can read all of the recorded guest's memory.";

struct replay {
    const char *path;
    const char *listen;
    bool stdio;
    uint64_t run;
};

/* The symbol file of the recording, if there is one that can be used. */
static void find_symbols(const struct replay *replay, struct xrw_store *store, char path[PATH_MAX])
{
    char named[1024];

    if (xrw_store_get_meta(store, "symbol_file", named, sizeof named) ||
        !xrw_symbol_file(replay->path, named, path))
        path[0] = '\0';
}

/* gdb is served without it, too.  Only who connects from elsewhere has to read it through here. */
static void use_symbols(struct xrw_gdb_target *target, const char *path, bool from_elsewhere)
{
    struct xrw_error err;

    if (*path && xrw_gdb_target_set_symbols(target, path, from_elsewhere, &err))
        (void)fprintf(stderr, "xenrewind: note: without symbols: %s\n", err.text);
}

static int serve_socket(struct xrw_gdb_target *target, const struct replay *replay,
                        const char *symbols, int signals, struct xrw_error *err)
{
    struct xrw_listener listener;
    int ret = xrw_listen(replay->listen, &listener, err);

    if (ret)
        return ret;
    if (listener.open_to_others)
        (void)fprintf(stderr,
                      "xenrewind: warning: %s can be reached from other machines; whoever connects "
                      "can read the recorded guest's memory\n",
                      listener.name);
    (void)printf("%s: listening at %s\n  gdb -ex 'target remote %s'\nCtrl-C ends it.\n",
                 replay->path, listener.name, listener.name);
    (void)fflush(stdout);
    use_symbols(target, symbols, listener.open_to_others);
    ret = xrw_serve_listener(target, &listener, signals, err);
    xrw_listener_close(&listener);
    return ret;
}

static int serve_stdio(struct xrw_gdb_target *target, const char *symbols, int signals,
                       struct xrw_error *err)
{
    use_symbols(target, symbols, false);
    return xrw_serve_stdio(target, signals, err);
}

static int serve(const struct replay *replay, struct xrw_error *err)
{
    struct xrw_gdb_target *target = NULL;
    struct xrw_store *store;
    char symbols[PATH_MAX];
    int signals = -1, ret = xrw_store_open(&store, replay->path, err);

    if (ret)
        return ret;
    find_symbols(replay, store, symbols);
    ret = xrw_gdb_target_create(store, replay->run, &target, err);
    if (!ret)
        ret = xrw_serve_signals(!replay->stdio, &signals, err);
    if (!ret)
        ret = replay->stdio ? serve_stdio(target, symbols, signals, err)
                            : serve_socket(target, replay, symbols, signals, err);
    xrw_gdb_target_destroy(target);
    (void)xrw_store_close(store, NULL);
    return ret;
}

/* Find out what is wrong with a recording before gdb runs, which would hide it. */
static int start_gdb(const struct replay *replay, char **arguments, struct xrw_error *err)
{
    struct xrw_gdb_target *target;
    struct xrw_store *store;
    char symbols[PATH_MAX] = "";
    int ret = xrw_store_open(&store, replay->path, err);

    if (ret)
        return ret;
    ret = xrw_gdb_target_create(store, replay->run, &target, err);
    if (!ret) {
        find_symbols(replay, store, symbols);
        xrw_gdb_target_destroy(target);
    }
    (void)xrw_store_close(store, NULL);
    return ret ? ret : xrw_gdb_start(replay->path, replay->run, symbols, arguments, err);
}

static const struct option options[] = {
    {"listen", required_argument, NULL, 'l'}, {"stdio", no_argument, NULL, 's'},
    {"gdb", no_argument, NULL, 'g'},          {"run", required_argument, NULL, 'r'},
    {"help", no_argument, NULL, 'h'},         {0},
};

/* Those before `--' are ours.  Returns how many. */
static int own_arguments(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], "--"))
            return i;
    return argc;
}

int xrw_cli_replay(int argc, char **argv)
{
    struct replay replay = {.run = 1};
    struct xrw_error err = {""};
    int option, own = own_arguments(argc, argv), ret;
    bool gdb = false;

    while ((option = getopt_long(own, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case 'l':
            replay.listen = optarg;
            break;
        case 's':
            replay.stdio = true;
            break;
        case 'g':
            gdb = true;
            break;
        case 'r':
            if (xrw_cli_number(optarg, &replay.run))
                return xrw_cli_usage("replay", "%.64s is not the number of a run", optarg);
            break;
        case 'h':
            (void)puts(usage_text);
            return xrw_cli_finish();
        default:
            return XRW_CLI_USAGE;
        }
    }
    if (own < argc && !gdb)
        return xrw_cli_usage("replay", "arguments after -- are gdb's: they need --gdb");
    if (gdb + replay.stdio + (replay.listen != NULL) > 1)
        return xrw_cli_usage("replay", "--listen, --stdio and --gdb exclude each other");
    replay.path = xrw_cli_file("replay", own, argv, optind);
    if (!replay.path)
        return XRW_CLI_USAGE;
    if (!replay.listen)
        replay.listen = DEFAULT_LISTEN;
    ret =
        gdb ? start_gdb(&replay, argv + (own < argc ? own + 1 : own), &err) : serve(&replay, &err);
    return ret ? xrw_cli_fail(&err) : XRW_CLI_OK;
}
