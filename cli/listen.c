/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "serve.h"

#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 4
#define PORT_DIGITS 5

static int in_use(const char *where, struct xrw_error *err)
{
    return xrw_error_set(err, -EADDRINUSE,
                         "%.200s is in use; end what listens there, or choose another with "
                         "--listen HOST:PORT or --listen unix:PATH",
                         where);
}

/* ---- Unix sockets ------------------------------------------------------ */

/* Whether a socket file is left over from a process that has gone. */
static bool is_left_over(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool left_over;

    if (fd < 0)
        return false;
    left_over =
        connect(fd, (const struct sockaddr *)address, sizeof *address) && errno == ECONNREFUSED;
    close(fd);
    return left_over;
}

static int listen_unix(const char *path, struct xrw_listener *listener, struct xrw_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct stat st;
    int fd, ret = 0;

    if (!*path || strlen(path) >= sizeof address.sun_path)
        return xrw_error_set(err, -EINVAL, "the path of a Unix socket has 1 to %zu bytes",
                             sizeof address.sun_path - 1);
    memcpy(address.sun_path, path, strlen(path) + 1);
    if (!lstat(path, &st) && !S_ISSOCK(st.st_mode))
        return xrw_error_set(err, -EEXIST, "%.200s exists and is no socket", path);
    if (is_left_over(&address))
        (void)unlink(path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, BACKLOG)) {
        ret = -errno;
        if (fd >= 0)
            close(fd);
        return ret == -EADDRINUSE
                   ? in_use(path, err)
                   : xrw_error_set(err, ret, "cannot listen at %.200s: %s", path, strerror(-ret));
    }
    listener->fd = fd;
    listener->open_to_others = false;
    (void)snprintf(listener->name, sizeof listener->name, "%s", path);
    (void)snprintf(listener->unix_path, sizeof listener->unix_path, "%s", path);
    return 0;
}

/* ---- TCP --------------------------------------------------------------- */

struct tcp_name {
    char host[256];
    char port[PORT_DIGITS + 1];
};

/* Take "HOST:PORT", "[IPv6]:PORT", ":PORT" or "PORT" apart; no host is loopback. */
static int split(const char *where, struct tcp_name *name, struct xrw_error *err)
{
    const char *colon = strrchr(where, ':'), *host = where;
    const char *port = colon ? colon + 1 : where;
    size_t bytes = colon ? (size_t)(colon - where) : 0;

    if (bytes >= 2 && host[0] == '[' && host[bytes - 1] == ']') {
        host++;
        bytes -= 2;
    }
    if (bytes >= sizeof name->host || !*port || strlen(port) > PORT_DIGITS ||
        strspn(port, "0123456789") != strlen(port) || strtoul(port, NULL, 10) > UINT16_MAX)
        return xrw_error_set(err, -EINVAL, "%.200s is not HOST:PORT, PORT or unix:PATH", where);
    (void)snprintf(name->host, sizeof name->host, "%.*s", (int)bytes, host);
    if (!bytes)
        (void)snprintf(name->host, sizeof name->host, "127.0.0.1");
    (void)snprintf(name->port, sizeof name->port, "%s", port);
    return 0;
}

static bool is_loopback(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *in6 = (const void *)address;

        return IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
    }
    return ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr) >> 24 == 127;
}

/* The name that gdb takes, with the port that was really given. */
static void name_listener(struct xrw_listener *listener)
{
    struct sockaddr_storage address = {0};
    socklen_t bytes = sizeof address;
    char host[256] = "?", port[16] = "?";
    bool v6;

    (void)getsockname(listener->fd, (struct sockaddr *)&address, &bytes);
    (void)getnameinfo((struct sockaddr *)&address, bytes, host, sizeof host, port, sizeof port,
                      NI_NUMERICHOST | NI_NUMERICSERV);
    v6 = address.ss_family == AF_INET6;
    (void)snprintf(listener->name, sizeof listener->name, "%s%s%s:%s", v6 ? "[" : "", host,
                   v6 ? "]" : "", port);
}

static int listen_tcp(const char *where, struct xrw_listener *listener, struct xrw_error *err)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found;
    struct tcp_name name;
    int fd, one = 1, ret = split(where, &name, err);

    if (ret)
        return ret;
    ret = getaddrinfo(name.host, name.port, &hints, &found);
    if (ret)
        return xrw_error_set(err, -EINVAL, "%.200s: %s", where, gai_strerror(ret));
    fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        bind(fd, found->ai_addr, found->ai_addrlen) || listen(fd, BACKLOG)) {
        ret = -errno;
        if (fd >= 0)
            close(fd);
    } else {
        listener->fd = fd;
        listener->open_to_others = !is_loopback(found->ai_addr);
        listener->unix_path[0] = '\0';
        name_listener(listener);
    }
    freeaddrinfo(found);
    if (ret == -EADDRINUSE)
        return in_use(where, err);
    return ret ? xrw_error_set(err, ret, "cannot listen at %.200s: %s", where, strerror(-ret)) : 0;
}

int xrw_listen(const char *where, struct xrw_listener *listener, struct xrw_error *err)
{
    return !strncmp(where, "unix:", 5) ? listen_unix(where + 5, listener, err)
                                       : listen_tcp(where, listener, err);
}

void xrw_listener_close(struct xrw_listener *listener)
{
    close(listener->fd);
    if (*listener->unix_path)
        (void)unlink(listener->unix_path);
}
