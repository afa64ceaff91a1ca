/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "file_check.h"

#include "xrw/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Source: SQLite, "Database File Format", section "The Database Header". */
#define HEADER_BYTES 100u
#define OFFSET_PAGE_SIZE 16u
#define OFFSET_READ_VERSION 19u
#define OFFSET_CHANGE_COUNTER 24u
#define OFFSET_PAGES 28u
#define OFFSET_USER_VERSION 60u
#define OFFSET_APPLICATION_ID 68u
#define OFFSET_VERSION_VALID_FOR 92u

/* Source: the same, section "The Rollback Journal". */
#define JOURNAL_HEADER_BYTES 28u
#define JOURNAL_OFFSET_PAGES 16u

static uint32_t word(const uint8_t *header, unsigned offset)
{
    return (uint32_t)header[offset] << 24 | (uint32_t)header[offset + 1] << 16 |
           (uint32_t)header[offset + 2] << 8 | header[offset + 3];
}

/* Size in bytes that the header says the file has; 0 if it does not say. */
static uint64_t said_bytes(const uint8_t *header)
{
    uint32_t page = word(header, OFFSET_PAGE_SIZE) >> 16;

    if (word(header, OFFSET_CHANGE_COUNTER) != word(header, OFFSET_VERSION_VALID_FOR))
        return 0;
    return (uint64_t)word(header, OFFSET_PAGES) * (page == 1 ? 65536 : page);
}

/* The name of a file beside it; to be freed. */
static char *sibling(const char *path, const char *suffix)
{
    size_t bytes = strlen(path) + strlen(suffix) + 1;
    char *name = malloc(bytes);

    if (name)
        (void)snprintf(name, bytes, "%s%s", path, suffix);
    return name;
}

static uint64_t sibling_bytes(const char *path, const char *suffix)
{
    char *name = sibling(path, suffix);
    struct stat st;
    uint64_t size = 0;

    if (name && !stat(name, &st))
        size = (uint64_t)st.st_size;
    free(name);
    return size;
}

/* Whether there is a journal that takes the file back to nothing: only its making needs one. */
static bool was_being_made(const char *path)
{
    static const uint8_t magic[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    uint8_t header[JOURNAL_HEADER_BYTES];
    char *name = sibling(path, "-journal");
    int fd = name ? open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW) : -1;
    ssize_t got;

    free(name);
    if (fd < 0)
        return false;
    got = read(fd, header, sizeof header);
    close(fd);
    return got == sizeof header && !memcmp(header, magic, sizeof magic) &&
           !word(header, JOURNAL_OFFSET_PAGES);
}

static int check_header(const char *path, const uint8_t *header, uint64_t size, bool wal,
                        struct xrw_error *err)
{
    if (memcmp(header, "SQLite format 3", 16) != 0)
        return xrw_error_set(err, -EINVAL,
                             "%s: not a recording (not even an SQLite file)\n"
                             "Recordings are made by `xenrewind record`.",
                             path);
    if (word(header, OFFSET_APPLICATION_ID) != XRW_STORE_APPLICATION_ID)
        return xrw_error_set(err, -EINVAL,
                             "%s: not a recording, but another program's SQLite database\n"
                             "Recordings are made by `xenrewind record`.",
                             path);
    if (word(header, OFFSET_USER_VERSION) > XRW_STORE_FORMAT_VERSION)
        return xrw_error_set(err, -EPROTONOSUPPORT,
                             "%s: recording of format %" PRIu32 "; this program reads %d\n"
                             "Use a newer xenrewind.",
                             path, word(header, OFFSET_USER_VERSION), XRW_STORE_FORMAT_VERSION);
    if (word(header, OFFSET_USER_VERSION) != XRW_STORE_FORMAT_VERSION)
        return xrw_error_set(err, -EPROTONOSUPPORT,
                             "%s: recording of format %" PRIu32 "; this program reads %d alone\n"
                             "Record it again; the sqlite3 shell still reads the file.",
                             path, word(header, OFFSET_USER_VERSION), XRW_STORE_FORMAT_VERSION);
    /* While it is written, what the header counts may still be in the WAL. */
    if (!wal && size < said_bytes(header))
        return xrw_error_set(err, -EUCLEAN,
                             "%s: truncated: %" PRIu64 " bytes of %" PRIu64 "\n"
                             "Copy it again; `sqlite3 FILE .recover` may save a part.",
                             path, size, said_bytes(header));
    return 0;
}

static int check_open_file(int fd, const char *path, struct xrw_file_state *file,
                           struct xrw_error *err)
{
    uint8_t header[HEADER_BYTES];
    struct stat st;
    ssize_t got;

    if (fstat(fd, &st))
        return xrw_error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return xrw_error_set(err, -EISDIR, "%s: a directory, not a recording", path);
    if (!S_ISREG(st.st_mode))
        return xrw_error_set(err, -EINVAL, "%s: not a regular file", path);
    got = pread(fd, header, sizeof header, 0);
    if (got < 0)
        return xrw_error_set(err, -errno, "%s: %s", path, strerror(errno));
    if (got == 0)
        return xrw_error_set(err, -EINVAL, "%s: not a recording: the file is empty", path);
    if ((size_t)got < sizeof header)
        return xrw_error_set(err, -EINVAL, "%s: not a recording: only %zd bytes long", path, got);
    if (was_being_made(path))
        return xrw_error_set(err, -EINVAL,
                             "%s: not a recording: it is empty, as its recorder was killed when it "
                             "made it, or makes it now\n"
                             "Look again, or remove it.",
                             path);
    file->wal_mode = header[OFFSET_READ_VERSION] == 2;
    file->wal = sibling_bytes(path, "-wal") > 0;
    return check_header(path, header, (uint64_t)st.st_size, file->wal, err);
}

int xrw_file_check(const char *path, struct xrw_file_state *file, struct xrw_error *err)
{
    /* Not blocking: a FIFO would wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int ret;

    if (fd < 0) {
        ret = -errno;
        return xrw_error_set(err, ret, "%s: %s%s", path, strerror(-ret),
                             ret == -EACCES ? "; you need permission to read it" : "");
    }
    ret = check_open_file(fd, path, file, err);
    close(fd);
    return ret;
}

int xrw_file_create_error(const char *path, int system, struct xrw_error *err)
{
    static const struct {
        int system;
        const char *hint;
    } hints[] = {
        {EEXIST, "\nRecordings are not overwritten: remove it or choose another name."},
        {ENOENT, "\nThe folder must exist."},
        {EACCES, "\nYou need permission to write there."},
        {EROFS, "\nChoose a place that can be written."},
        {0, ""},
    };
    unsigned i = 0;

    while (hints[i].system && hints[i].system != system)
        i++;
    return xrw_error_set(err, -system, "%s: cannot create the recording: %s%s", path,
                         strerror(system), hints[i].hint);
}

int xrw_file_needs_folder(const char *path, struct xrw_error *err)
{
    return xrw_error_set(err, -EROFS,
                         "%s: its write-ahead log (%s-wal) cannot be read where it lies\n"
                         "Copy both into a folder that you can write, and open it there.",
                         path, path);
}

char *xrw_file_immutable_uri(const char *path)
{
    static const char prefix[] = "file:", query[] = "?immutable=1";
    size_t bytes = sizeof prefix + 3 * strlen(path) + sizeof query;
    char *uri = malloc(bytes), *end;

    if (!uri)
        return NULL;
    end = uri + snprintf(uri, bytes, "%s", prefix);
    for (const char *c = path; *c; c++)
        end += snprintf(end, 4, strchr("%?#", *c) ? "%%%02X" : "%c", (unsigned char)*c);
    (void)snprintf(end, sizeof query, "%s", query);
    return uri;
}

uint64_t xrw_file_bytes(const char *path)
{
    return sibling_bytes(path, "") + sibling_bytes(path, "-wal") + sibling_bytes(path, "-journal") +
           sibling_bytes(path, "-shm");
}

void xrw_file_clean_text(char *text)
{
    for (char *c = text; *c; c++)
        if (((unsigned char)*c < ' ' && *c != '\n') || *c == 0x7f)
            *c = '?';
}
