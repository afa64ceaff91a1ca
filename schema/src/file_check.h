/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can be said of a file before SQLite sees it, in words. */
#ifndef XRW_SCHEMA_FILE_CHECK_H
#define XRW_SCHEMA_FILE_CHECK_H

#include "xrw/error.h"

#include <stdbool.h>
#include <stdint.h>

struct xrw_store;

struct xrw_file_state {
    bool wal_mode; /* being recorded, or cut off: others may write */
    bool wal;      /* a write-ahead log with something in it lies beside it */
};

/* Check that path is a readable recording of this format and whole, and in which state it is. */
int xrw_file_check(const char *path, struct xrw_file_state *file, struct xrw_error *err);

/* Why a recording could not be created; returns -system. */
int xrw_file_create_error(const char *path, int system, struct xrw_error *err);

/* Say that a recording with a WAL cannot be opened where it lies; returns -EROFS. */
int xrw_file_needs_folder(const char *path, struct xrw_error *err);

/* URI that opens path as a file that nobody changes; to be freed; NULL: no memory. */
char *xrw_file_immutable_uri(const char *path);

/* Bytes of the file and its journals. */
uint64_t xrw_file_bytes(const char *path);

/* Replace control characters: a hostile file must not reach the terminal through its texts. */
void xrw_file_clean_text(char *text);

/* Add the page of zeros, which is page 0. */
int xrw_page_add_zero(struct xrw_store *store, struct xrw_error *err);

#endif
