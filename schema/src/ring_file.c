/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ring_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEADER_BYTES ((size_t)4096)
#define MAX_BYTES ((size_t)1 << 30)

static const char magic[8] = "XRWRING2";

static char *path_of(const char *recording)
{
    size_t bytes = strlen(recording) + sizeof "-ring";
    char *path = malloc(bytes);

    if (path)
        (void)snprintf(path, bytes, "%s-ring", recording);
    return path;
}

/* Another at every boot; empty if it is not known. */
static void read_boot(char *boot, size_t bytes)
{
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? 0 : read(fd, boot, bytes - 1);

    memset(boot + (got > 0 ? got : 0), 0, bytes - (size_t)(got > 0 ? got : 0));
    if (fd >= 0)
        close(fd);
}

static int refuse(const struct xrw_ring_file *file, int error, const char *doing,
                  struct xrw_error *err)
{
    return xrw_error_set(err, -error, "%s: cannot %s: %s", file->path, doing, strerror(error));
}

/* ---- close ----------------------------------------------------------- */

void xrw_ring_file_close(struct xrw_ring_file *file)
{
    if (file->header)
        (void)munmap(file->header, HEADER_BYTES + file->bytes);
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    *file = (struct xrw_ring_file){.fd = -1};
}

void xrw_ring_file_remove(struct xrw_ring_file *file)
{
    if (file->fd >= 0)
        (void)unlink(file->path);
    xrw_ring_file_close(file);
}

/* ---- create ---------------------------------------------------------- */

static int map(struct xrw_ring_file *file, struct xrw_error *err)
{
    /* Room for all of it now: a write to a mapping cannot fail later, it can only kill. */
    int error = posix_fallocate(file->fd, 0, (off_t)(HEADER_BYTES + file->bytes));
    uint8_t *mapped;

    if (error)
        return refuse(file, error, "make room for it", err);
    mapped = mmap(NULL, HEADER_BYTES + file->bytes, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_POPULATE, file->fd, 0);
    if (mapped == MAP_FAILED)
        return refuse(file, errno, "map it", err);
    file->header = (struct xrw_ring_header *)(void *)mapped;
    file->buffer = mapped + HEADER_BYTES;
    return 0;
}

int xrw_ring_file_create(struct xrw_ring_file *file, const char *recording, const char *id,
                         size_t bytes, struct xrw_error *err)
{
    int ret;

    *file = (struct xrw_ring_file){.fd = -1, .path = path_of(recording), .bytes = bytes};
    if (!file->path)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    (void)unlink(file->path);
    file->fd = open(file->path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0666);
    if (file->fd < 0 || flock(file->fd, LOCK_EX | LOCK_NB)) {
        ret = refuse(file, errno, "create it", err);
        xrw_ring_file_close(file);
        return ret;
    }
    ret = map(file, err);
    if (ret) {
        xrw_ring_file_remove(file);
        return ret;
    }
    memcpy(file->header->magic, magic, sizeof magic);
    file->header->bytes = bytes;
    read_boot(file->header->boot, sizeof file->header->boot);
    (void)snprintf(file->header->id, sizeof file->header->id, "%s", id);
    atomic_store(&file->header->head, 0);
    return 0;
}

/* ---- open ------------------------------------------------------------ */

static bool read_all(int fd, uint8_t *to, size_t bytes)
{
    while (bytes) {
        ssize_t got = read(fd, to, bytes);

        if (got <= 0)
            return false;
        to += got;
        bytes -= (size_t)got;
    }
    return true;
}

static bool is_ours(const struct xrw_ring_file *file)
{
    const struct xrw_ring_header *header = file->header;
    char boot[sizeof header->boot];

    read_boot(boot, sizeof boot);
    return !memcmp(header->magic, magic, sizeof magic) && header->bytes == file->bytes && boot[0] &&
           !memcmp(header->boot, boot, sizeof boot) && memchr(header->id, '\0', sizeof header->id);
}

static int read_file(struct xrw_ring_file *file, struct xrw_error *err)
{
    struct stat st;
    uint8_t *content;

    errno = 0;
    if (fstat(file->fd, &st))
        return refuse(file, errno, "look at it", err);
    file->bytes = (size_t)st.st_size - HEADER_BYTES;
    if (!S_ISREG(st.st_mode) || (size_t)st.st_size <= HEADER_BYTES || file->bytes > MAX_BYTES ||
        file->bytes & (file->bytes - 1))
        return -ESTALE;
    /* Copied: a mapping of a file that someone shortens would kill us. */
    content = mmap(NULL, HEADER_BYTES + file->bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (content == MAP_FAILED)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    file->header = (struct xrw_ring_header *)(void *)content;
    file->buffer = content + HEADER_BYTES;
    if (!read_all(file->fd, content, HEADER_BYTES + file->bytes))
        return refuse(file, errno ? errno : EIO, "read it", err);
    return is_ours(file) ? 0 : -ESTALE;
}

/* One that we may not write: its recorder is at work, or rows would have to be made of it. */
static int cannot_open(const struct xrw_ring_file *file, int error, struct xrw_error *err)
{
    int fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool busy = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) && errno == EWOULDBLOCK;

    if (fd >= 0)
        close(fd);
    if (busy)
        return -EBUSY;
    return xrw_error_set(err, -error,
                         "%s: cannot open it to make rows of what it has: %s\n"
                         "Copy it and the recording to where you can write, and open that; or "
                         "remove it, to go on without its exits.",
                         file->path, strerror(error));
}

int xrw_ring_file_open(struct xrw_ring_file *file, const char *recording, struct xrw_error *err)
{
    int ret = 0;

    *file = (struct xrw_ring_file){.fd = -1, .path = path_of(recording)};
    if (!file->path)
        return xrw_error_set(err, -ENOMEM, "out of memory");
    /* Not blocking: a FIFO would wait for a writer. */
    file->fd = open(file->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (file->fd < 0)
        ret = errno == ENOENT ? -ENOENT : cannot_open(file, errno, err);
    else if (flock(file->fd, LOCK_EX | LOCK_NB))
        ret = errno == EWOULDBLOCK ? -EBUSY : refuse(file, errno, "lock it", err);
    else
        ret = read_file(file, err);
    if (ret)
        xrw_ring_file_close(file);
    return ret;
}

int xrw_ring_file_peek(const char *recording, char *id, uint64_t *head)
{
    char *path = path_of(recording);
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    struct xrw_ring_header header;
    bool read;

    free(path);
    if (fd < 0)
        return -ENOENT;
    read = read_all(fd, (uint8_t *)&header, sizeof header);
    close(fd);
    if (!read || memcmp(header.magic, magic, sizeof magic) != 0 ||
        !memchr(header.id, '\0', sizeof header.id))
        return -ESTALE;
    memcpy(id, header.id, sizeof header.id);
    *head = atomic_load(&header.head);
    return 0;
}
