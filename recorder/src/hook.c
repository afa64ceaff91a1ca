/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include "hook.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void run_child(const int to[2], const int from[2], const char *command)
{
    if (dup2(to[0], STDIN_FILENO) < 0 || dup2(from[1], STDOUT_FILENO) < 0)
        _exit(127);
    close(to[0]);
    close(to[1]);
    close(from[0]);
    close(from[1]);
    /* A Ctrl-C is for the recorder, which ends this command by closing its input. */
    (void)setpgid(0, 0);
    (void)signal(SIGPIPE, SIG_DFL);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

int hook_start(struct hook *hook, const char *command, struct xrw_error *err)
{
    int to[2], from[2];

    if (pipe(to))
        return xrw_error_set(err, -errno, "pipe: %s", strerror(errno));
    if (pipe(from)) {
        close(to[0]);
        close(to[1]);
        return xrw_error_set(err, -errno, "pipe: %s", strerror(errno));
    }
    hook->pid = fork();
    if (hook->pid == 0)
        run_child(to, from, command);
    close(to[0]);
    close(from[1]);
    hook->to = fdopen(to[1], "w");
    hook->from = fdopen(from[0], "r");
    if (hook->pid > 0 && hook->to && hook->from)
        return 0;
    return xrw_error_set(err, -EAGAIN, "cannot start '%s'", command);
}

int hook_tell(struct hook *hook, xrw_exit_id exit, uint32_t domain, struct xrw_error *err)
{
    char line[256];

    if (!hook->to)
        return 0;
    if (fprintf(hook->to, "%" PRIu64 " %" PRIu32 "\n", exit, domain) < 0 || fflush(hook->to) ||
        !fgets(line, sizeof line, hook->from))
        return xrw_error_set(err, -EPIPE, "the command of --each-exit ended at exit %" PRIu64,
                             exit);
    return 0;
}

int hook_stop(struct hook *hook, struct xrw_error *err)
{
    int status = 0;

    if (hook->to)
        fclose(hook->to);
    if (hook->from)
        fclose(hook->from);
    if (hook->pid > 0)
        while (waitpid(hook->pid, &status, 0) < 0 && errno == EINTR)
            ;
    *hook = (struct hook){0};
    if (status)
        return xrw_error_set(err, -ECHILD, "the command of --each-exit failed");
    return 0;
}
