/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _POSIX_C_SOURCE 200809L
#include "hook.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define POLL_MS 100
#define PATIENCE_POLLS 10u /* for an answer once the recording is to end */

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
    int to[2], from[2], code;
    pid_t pid;

    if (pipe(to))
        return xrw_error_set(err, -errno, "pipe: %s", strerror(errno));
    if (pipe(from)) {
        code = -errno;
        close(to[0]);
        close(to[1]);
        return xrw_error_set(err, code, "pipe: %s", strerror(-code));
    }
    pid = fork();
    code = -errno;
    if (pid == 0)
        run_child(to, from, command);
    close(to[0]);
    close(from[1]);
    if (pid < 0) {
        close(to[1]);
        close(from[0]);
        return xrw_error_set(err, code, "cannot start '%s': %s", command, strerror(-code));
    }
    (void)setpgid(pid, pid); /* whoever of the two is first */
    *hook = (struct hook){.pid = pid, .to = to[1], .from = from[0]};
    return 0;
}

/* Read up to the end of a line.  0, -EPIPE at the end of the file, -EINTR. */
static int read_answer(const struct hook *hook, const volatile sig_atomic_t *interrupted)
{
    unsigned patience = PATIENCE_POLLS;

    for (;;) {
        struct pollfd fd = {.fd = hook->from, .events = POLLIN};
        int n = poll(&fd, 1, POLL_MS);
        char byte = '\0';
        ssize_t got;

        if (interrupted && *interrupted && n <= 0 && !patience--)
            return -EINTR;
        if (n <= 0)
            continue;
        got = read(hook->from, &byte, 1);
        if (got == 0 || (got < 0 && errno != EINTR))
            return -EPIPE;
        if (got == 1 && byte == '\n')
            return 0;
    }
}

int hook_tell(struct hook *hook, xrw_exit_id exit, uint32_t domain,
              const volatile sig_atomic_t *interrupted, struct xrw_error *err)
{
    int rc = -EPIPE;

    if (!hook->pid)
        return 0;
    hook->asked = true;
    if (dprintf(hook->to, "%" PRIu64 " %" PRIu32 "\n", exit, domain) > 0)
        rc = read_answer(hook, interrupted);
    if (rc == -EINTR)
        return xrw_error_set(err, rc, "the command of --each-exit did not answer at exit %" PRIu64,
                             exit);
    if (rc)
        return xrw_error_set(err, rc, "the command of --each-exit ended at exit %" PRIu64, exit);
    hook->asked = false;
    return 0;
}

int hook_stop(struct hook *hook, struct xrw_error *err)
{
    bool ended_by_us = hook->asked;
    int status = 0;

    if (!hook->pid)
        return 0;
    close(hook->to);
    close(hook->from);
    if (hook->asked)
        (void)kill(-hook->pid, SIGTERM);
    while (waitpid(hook->pid, &status, 0) < 0 && errno == EINTR) {
        ended_by_us = true;
        (void)kill(-hook->pid, SIGTERM);
    }
    *hook = (struct hook){0};
    if (status && !ended_by_us)
        return xrw_error_set(err, -ECHILD, "the command of --each-exit failed");
    return 0;
}
