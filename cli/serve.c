/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve.h"

#include "gdbstub.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_BYTES 16384

/* A client being served. */
struct client {
    int in, out;
    int listener; /* others that knock meanwhile are turned away; -1: none can */
    int signals;  /* becomes readable when this program is to end */
    struct gdbstub *stub;
    struct xrw_gdb_target *target;
};

enum served { CLIENT_GONE, TOLD_TO_END };

/* ---- output ------------------------------------------------------------ */

/* Waiting here is waiting for a client that does not read: a signal ends that too. */
static int wait_writable(const struct client *client)
{
    struct pollfd fds[2] = {{client->out, POLLOUT, 0}, {client->signals, POLLIN, 0}};

    while (poll(fds, 2, -1) < 0)
        if (errno != EINTR)
            return -errno;
    return fds[1].revents ? -EINTR : 0;
}

static int output(void *ctx, const void *bytes, size_t size)
{
    const struct client *client = ctx;
    const char *from = bytes;

    while (size) {
        ssize_t n = write(client->out, from, size);
        int ret = n < 0 ? -errno : 0;

        if (ret == -EAGAIN)
            ret = wait_writable(client);
        else if (ret == -EINTR)
            ret = 0;
        if (ret)
            return ret;
        if (n > 0) {
            from += n;
            size -= (size_t)n;
        }
    }
    return 0;
}

static void report_trouble(struct client *client)
{
    struct xrw_error trouble;

    xrw_gdb_target_trouble(client->target, &trouble);
    if (trouble.text[0])
        (void)fprintf(stderr, "xenrewind: %s\n", trouble.text);
}

/* ---- one client -------------------------------------------------------- */

/* Take in what has come.  Returns 1, 0 when the client has gone, or a negative errno. */
static int take_input(struct client *client)
{
    char bytes[READ_BYTES];
    ssize_t n = read(client->in, bytes, sizeof bytes);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 1 : 0;
    return n && !gdbstub_feed(client->stub, bytes, (size_t)n);
}

/* One client at a time. Who has just gone and comes again must not be taken for another: first see
 * what the present client has to say. */
static void turn_away(const struct client *client)
{
    struct pollfd present = {client->in, POLLIN, 0};
    int fd;

    if (poll(&present, 1, 0))
        return;
    fd = accept(client->listener, NULL, NULL);
    if (fd < 0)
        return;
    close(fd);
    (void)fputs("xenrewind: turned a second client away: one at a time\n", stderr);
}

static enum served serve_client(struct client *client)
{
    for (;;) {
        struct pollfd fds[3] = {
            {client->in, POLLIN, 0}, {client->signals, POLLIN, 0}, {client->listener, POLLIN, 0}};
        bool running = gdbstub_state(client->stub) == GDBSTUB_RUNNING;
        int ready = poll(fds, 3, running ? 0 : -1);

        if (ready < 0 && errno != EINTR)
            return CLIENT_GONE;
        if (ready > 0 && fds[1].revents)
            return TOLD_TO_END;
        if (ready > 0 && fds[0].revents && !take_input(client))
            return CLIENT_GONE;
        if (ready > 0 && fds[2].revents)
            turn_away(client);
        if (gdbstub_state(client->stub) == GDBSTUB_RUNNING && gdbstub_poll(client->stub))
            return CLIENT_GONE;
        report_trouble(client);
    }
}

static int create_stub(struct client *client, struct xrw_error *err)
{
    struct gdbstub_config config = {.output = output, .output_ctx = client};
    int ret;

    xrw_gdb_target_config(client->target, &config);
    ret = gdbstub_create(&config, &client->stub);
    return ret ? xrw_error_set(err, ret, "cannot start the gdb stub: %s", strerror(-ret)) : 0;
}

/* ---- serving ----------------------------------------------------------- */

int xrw_serve_signals(bool interrupts, int *fd, struct xrw_error *err)
{
    sigset_t set;

    (void)signal(SIGPIPE, SIG_IGN); /* a client may go at any time */
    if (!interrupts)
        (void)signal(SIGINT, SIG_IGN);
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (interrupts)
        sigaddset(&set, SIGINT);
    if (sigprocmask(SIG_BLOCK, &set, NULL))
        return xrw_error_set(err, -errno, "cannot block signals: %s", strerror(errno));
    *fd = signalfd(-1, &set, SFD_CLOEXEC);
    return *fd < 0 ? xrw_error_set(err, -errno, "cannot take signals: %s", strerror(errno)) : 0;
}

/* Wait for a client: its socket, -EINTR when told to end, or another negative errno. */
static int wait_client(int listener, int signals)
{
    struct pollfd fds[2] = {{listener, POLLIN, 0}, {signals, POLLIN, 0}};
    int fd, one = 1;

    for (;;) {
        if (poll(fds, 2, -1) < 0) {
            if (errno != EINTR)
                return -errno;
            continue;
        }
        if (fds[1].revents)
            return -EINTR;
        fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) {
            /* Packets are small and answered one by one. Fails on Unix sockets, which is fine. */
            (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            return fd;
        }
        if (errno != ECONNABORTED && errno != EINTR)
            return -errno;
    }
}

int xrw_serve_listener(struct xrw_gdb_target *target, const struct xrw_listener *listener,
                       int signals, struct xrw_error *err)
{
    struct client client = {.target = target, .listener = listener->fd, .signals = signals};
    enum served served = CLIENT_GONE;
    int ret = create_stub(&client, err);

    while (!ret && served == CLIENT_GONE) {
        int fd = wait_client(listener->fd, signals);

        if (fd == -EINTR)
            break;
        if (fd < 0) {
            ret = xrw_error_set(err, fd, "cannot accept a client: %s", strerror(-fd));
            break;
        }
        client.in = client.out = fd;
        served = serve_client(&client);
        gdbstub_reset(client.stub);
        close(fd);
    }
    gdbstub_destroy(client.stub);
    return ret;
}

int xrw_serve_stdio(struct xrw_gdb_target *target, int signals, struct xrw_error *err)
{
    struct client client = {.target = target,
                            .listener = -1,
                            .signals = signals,
                            .in = STDIN_FILENO,
                            .out = STDOUT_FILENO};
    int ret = create_stub(&client, err);

    if (!ret)
        (void)serve_client(&client);
    if (client.stub)
        gdbstub_reset(client.stub);
    gdbstub_destroy(client.stub);
    return ret;
}
