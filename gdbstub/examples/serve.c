/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "target.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* A host loop for one client at a time, over standard input and output or a Unix socket. */

#define SLOW_MS 10

struct connection {
    int in;
    int out;
    int rest_ms; /* between slices of a run */
};

static int send_all(void *ctx, const void *bytes, size_t size)
{
    const struct connection *connection = ctx;
    const char *next = bytes;

    while (size > 0) {
        ssize_t sent = write(connection->out, next, size);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return -errno;
        next += sent;
        size -= (size_t)sent;
    }
    return 0;
}

/* Serves a client until it closes the connection or has nothing more to ask. */
static int serve(struct gdbstub *stub, const struct connection *connection)
{
    static const int forever = -1;
    int ret = 0;

    while (ret == 0 && gdbstub_state(stub) != GDBSTUB_KILLED) {
        struct pollfd fd = {.fd = connection->in, .events = POLLIN};
        char bytes[4096];
        int ready = poll(&fd, 1, gdbstub_state(stub) == GDBSTUB_RUNNING ? connection->rest_ms : forever);

        if (ready < 0 && errno != EINTR)
            break;
        if (ready > 0) {
            ssize_t got = read(connection->in, bytes, sizeof(bytes));
            if (got <= 0)
                break;
            ret = gdbstub_feed(stub, bytes, (size_t)got);
        }
        if (ret == 0)
            ret = gdbstub_poll(stub);
    }
    gdbstub_reset(stub);
    return 0;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 1) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int serve_socket(struct gdbstub *stub, struct connection *connection, const char *path)
{
    int fd = listen_at(path);

    if (fd < 0) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return 1;
    }
    for (;;) {
        int client = accept(fd, NULL, NULL);
        if (client < 0 && errno == EINTR)
            continue;
        if (client < 0)
            break;
        connection->in = connection->out = client;
        serve(stub, connection);
        close(client);
    }
    close(fd);
    return 1;
}

int main(int argc, char **argv)
{
    struct connection connection = {STDIN_FILENO, STDOUT_FILENO, 0};
    struct gdbstub_config config = {.output = send_all, .output_ctx = &connection};
    struct target *target = NULL;
    struct gdbstub *stub = NULL;
    bool slow = argc == 3 && strcmp(argv[2], "--slow") == 0;
    int status = 1;

    if (argc != 2 + slow || argv[1][0] == '\0' || strcmp(argv[1], "--help") == 0) {
        fprintf(stderr,
                "Usage: %s --stdio | PATH-OF-A-NEW-SOCKET [--slow]\n"
                "In gdb: target remote | %s --stdio\n"
                "--slow: a hundred instructions a second, so that a run can be interrupted\n",
                argv[0], argv[0]);
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    target = malloc(sizeof(*target));
    if (target) {
        target_init(target, &config);
        if (slow) {
            target->steps_per_slice = 1;
            connection.rest_ms = SLOW_MS;
        }
        if (gdbstub_create(&config, &stub) == 0)
            status = strcmp(argv[1], "--stdio") == 0 ? serve(stub, &connection)
                                                     : serve_socket(stub, &connection, argv[1]);
    }
    gdbstub_destroy(stub);
    free(target);
    return status;
}
