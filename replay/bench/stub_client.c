/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "stub_client.h"

#include "bench.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define CONNECT_TRIES 500

static int connect_to(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    for (int i = 0; fd >= 0 && i < CONNECT_TRIES; i++) {
        if (!connect(fd, (const struct sockaddr *)&address, sizeof address))
            return fd;
        (void)usleep(20000);
    }
    return -1;
}

int stub_start(struct stub_client *client, const char *socket, char *const *argv)
{
    int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    (void)snprintf(client->socket, sizeof client->socket, "%s", socket);
    client->child = fork();
    if (client->child < 0)
        return -1;
    if (!client->child) {
        (void)dup2(nothing, 0);
        (void)dup2(nothing, 1);
        (void)dup2(nothing, 2);
        (void)execvp(argv[0], argv);
        _exit(127);
    }
    close(nothing);
    client->fd = connect_to(socket);
    if (client->fd < 0) {
        stub_stop(client);
        return -1;
    }
    stub_ask(client, "qSupported:swbreak+;hwbreak+;vContSupported+");
    stub_ask(client, "QStartNoAckMode");
    return 0;
}

void stub_stop(struct stub_client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    (void)kill(client->child, SIGTERM);
    (void)waitpid(client->child, NULL, 0);
    (void)unlink(client->socket);
}

static char next_byte(struct stub_client *client)
{
    static char buffer[65536];
    static size_t at, end;

    if (at == end) {
        ssize_t n = read(client->fd, buffer, sizeof buffer);

        if (n <= 0)
            bench_fail("the stub at %s has gone", client->socket);
        at = 0;
        end = (size_t)n;
    }
    return buffer[at++];
}

static void send_packet(struct stub_client *client, const char *body)
{
    char frame[256];
    unsigned sum = 0;
    int n;

    for (const char *c = body; *c; c++)
        sum += (unsigned char)*c;
    n = snprintf(frame, sizeof frame, "$%s#%02x", body, sum & 255);
    if (write(client->fd, frame, (size_t)n) != n)
        bench_fail("the stub at %s does not read", client->socket);
}

void stub_ask(struct stub_client *client, const char *body)
{
    bool output;

    send_packet(client, body);
    do {
        while (next_byte(client) != '$')
            ;
        char first = next_byte(client);

        output = first == 'O';
        for (char c = first; c != '#'; c = next_byte(client))
            output = output && c != 'K'; /* OK is a reply */
        (void)next_byte(client);
        (void)next_byte(client);
        /* Taken by who wants it, noise to who does not. */
        if (write(client->fd, "+", 1) != 1)
            bench_fail("the stub at %s does not read", client->socket);
    } while (output);
}
