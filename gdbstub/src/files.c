/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <string.h>

/*
 * Files of the target that a client may read, such as the symbol file. Source: GDB manual, nodes
 * Host I/O Packets, File-I/O Remote Protocol Extension (Errno Values, struct stat, Open Flags).
 */

/* Numbers of the protocol, whatever the host's are. */
enum { FILE_BAD_NUMBER = 9, FILE_READ_ONLY = 30, FILE_UNKNOWN_ERROR = 9999 };

#define OPEN_WAYS 3u        /* O_RDONLY is 0, O_WRONLY 1, O_RDWR 2 */
#define OPEN_CHANGES 0xe08u /* O_APPEND, O_CREAT, O_TRUNC, O_EXCL */
#define MODE_FILE 0100444u
#define STATUS_SIZE 64u
#define BLOCK 512u

static unsigned protocol_error(int error)
{
    static const struct {
        int here;
        unsigned there;
    } errors[] = {
        {EPERM, 1},   {ENOENT, 2},  {EINTR, 4},    {EBADF, 9},         {EACCES, 13}, {EFAULT, 14},
        {EBUSY, 16},  {ENODEV, 19}, {ENOTDIR, 20}, {EISDIR, 21},       {EINVAL, 22}, {ENFILE, 23},
        {EMFILE, 24}, {EFBIG, 27},  {EROFS, 30},   {ENAMETOOLONG, 91},
    };

    for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
        if (errors[i].here == -error)
            return errors[i].there;
    }
    return FILE_UNKNOWN_ERROR;
}

static enum gs_answer fail(struct gdbstub *stub, unsigned error)
{
    gs_clear(&stub->reply);
    gs_put_format(&stub->reply, "F-1,%x", error);
    return GS_REPLY;
}

static enum gs_answer succeed(struct gdbstub *stub, uint64_t result)
{
    gs_put_format(&stub->reply, "F%llx", (unsigned long long)result);
    return GS_REPLY;
}

/* There is one file system, whichever process the client thinks of. */
enum gs_answer gs_file_set_process(struct gdbstub *stub, struct gs_cursor args)
{
    uint64_t process;

    if (!stub->ops.open_file)
        return gs_reply_empty(stub);
    if (!gs_take_number(&args, &process) || gs_left(&args) > 0)
        return fail(stub, protocol_error(-EINVAL));
    return process <= GS_PROCESS ? succeed(stub, 0) : fail(stub, protocol_error(-ENOENT));
}

static size_t free_number(const struct gdbstub *stub)
{
    size_t number = 0;

    while (number < GDBSTUB_FILES_MAX && stub->files[number].open)
        number++;
    return number;
}

enum gs_answer gs_file_open(struct gdbstub *stub, struct gs_cursor args)
{
    struct gs_cursor digits = gs_take_until(&args, ',');
    char *path = (char *)stub->scratch;
    size_t size = gs_left(&digits) / 2;
    uint64_t flags;
    uint64_t mode;

    if (!stub->ops.open_file)
        return gs_reply_empty(stub);
    /* Half a packet: the terminating zero fits. */
    if (size == 0 || gs_left(&digits) % 2 != 0 ||
        !gs_decode_hex(digits.next, size, stub->scratch) || memchr(path, '\0', size) ||
        !gs_take_number(&args, &flags) || !gs_take(&args, ',') || !gs_take_number(&args, &mode) ||
        gs_left(&args) > 0)
        return fail(stub, protocol_error(-EINVAL));
    path[size] = '\0';
    if (flags & (OPEN_WAYS | OPEN_CHANGES))
        return fail(stub, FILE_READ_ONLY);

    size_t number = free_number(stub);
    if (number == GDBSTUB_FILES_MAX)
        return fail(stub, protocol_error(-EMFILE));
    struct gdbstub_file file = {0};
    int ret = stub->ops.open_file(stub->ctx, path, &file);
    if (ret < 0)
        return fail(stub, protocol_error(ret));
    stub->files[number] = (struct gs_file){true, file};
    return succeed(stub, number);
}

/* The open file whose number comes next; NULL: there is none. */
static struct gs_file *take_file(struct gdbstub *stub, struct gs_cursor *args)
{
    uint64_t number;

    if (!gs_take_number(args, &number) || number >= GDBSTUB_FILES_MAX || !stub->files[number].open)
        return NULL;
    return &stub->files[number];
}

enum gs_answer gs_file_read(struct gdbstub *stub, struct gs_cursor args)
{
    const struct gs_file *file = take_file(stub, &args);
    size_t most = stub->packet_size / 2 - 32; /* every byte may have to be escaped */
    uint64_t size;
    uint64_t offset;
    size_t got = 0;

    if (!stub->ops.open_file)
        return gs_reply_empty(stub);
    if (!file)
        return fail(stub, FILE_BAD_NUMBER);
    if (!gs_take(&args, ',') || !gs_take_number(&args, &size) || !gs_take(&args, ',') ||
        !gs_take_number(&args, &offset) || gs_left(&args) > 0)
        return fail(stub, protocol_error(-EINVAL));

    most = size < most ? (size_t)size : most;
    int ret = stub->ops.read_file(stub->ctx, &file->file, offset, stub->scratch, most, &got);
    if (ret < 0)
        return fail(stub, protocol_error(ret));
    got = got < most ? got : most;
    gs_put_format(&stub->reply, "F%zx;", got);
    gs_put(&stub->reply, stub->scratch, got);
    return GS_REPLY;
}

/* Big-endian, as all of this structure. */
static void put_number(uint8_t *at, uint64_t value, size_t size)
{
    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
}

enum gs_answer gs_file_status(struct gdbstub *stub, struct gs_cursor args)
{
    const struct gs_file *file = take_file(stub, &args);
    uint8_t status[STATUS_SIZE] = {0};

    if (!stub->ops.open_file)
        return gs_reply_empty(stub);
    if (!file)
        return fail(stub, FILE_BAD_NUMBER);
    put_number(status + 8, MODE_FILE, 4); /* after device and inode */
    put_number(status + 12, 1, 4);        /* links */
    put_number(status + 28, file->file.size_bytes, 8);
    put_number(status + 36, BLOCK, 8);
    put_number(status + 44, file->file.size_bytes / BLOCK + 1, 8);
    gs_put_format(&stub->reply, "F%x;", STATUS_SIZE);
    gs_put(&stub->reply, status, sizeof(status));
    return GS_REPLY;
}

static void close_file(struct gdbstub *stub, struct gs_file *file)
{
    stub->ops.close_file(stub->ctx, &file->file);
    *file = (struct gs_file){0};
}

enum gs_answer gs_file_close(struct gdbstub *stub, struct gs_cursor args)
{
    struct gs_file *file = take_file(stub, &args);

    if (!stub->ops.open_file)
        return gs_reply_empty(stub);
    if (!file || gs_left(&args) > 0)
        return fail(stub, FILE_BAD_NUMBER);
    close_file(stub, file);
    return succeed(stub, 0);
}

void gs_close_files(struct gdbstub *stub)
{
    for (size_t i = 0; i < GDBSTUB_FILES_MAX; i++) {
        if (stub->files[i].open)
            close_file(stub, &stub->files[i]);
    }
}
