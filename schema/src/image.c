/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Source: SQLite, "Database File Format", sections "The Database Header" and "B-tree Pages". */
#include "image.h"

#include "row.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define PAGE XRW_IMAGE_PAGE_BYTES
#define PAGES 256u /* 4 MiB */
#define ROOT 2u    /* page numbers begin with 1 */
#define FIRST_LEAF 3u
#define LEAF_HEADER 8u
#define INTERIOR_HEADER 12u
#define CELL_HEADER_MAX 18u /* size and rowid */

struct xrw_image {
    uint8_t *pages;
    uint8_t *scratch;           /* the record in the making */
    uint64_t last_rowid[PAGES]; /* of each leaf */
    unsigned leaf;              /* page number of the leaf that is being filled; 0: none */
    size_t cells, top;          /* of that leaf: number of cells, where the lowest begins */
    size_t rows;
};

static void put16(uint8_t *to, size_t value)
{
    to[0] = (uint8_t)(value >> 8);
    to[1] = (uint8_t)value;
}

static void put32(uint8_t *to, size_t value)
{
    put16(to, value >> 16);
    put16(to + 2, value & 0xffff);
}

static uint8_t *page_at(const struct xrw_image *image, unsigned number)
{
    return image->pages + (size_t)(number - 1) * PAGE;
}

/* Page 1, header and schema, as SQLite itself makes it. */
static int make_first_page(struct xrw_image *image, const char *create_table)
{
    sqlite3_int64 bytes = 0;
    unsigned char *made = NULL;
    sqlite3 *db = NULL;
    char setup[64];
    int rc = sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    (void)snprintf(setup, sizeof setup, "PRAGMA page_size = %u", PAGE);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, setup, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, create_table, NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        made = sqlite3_serialize(db, "main", &bytes, 0);
    sqlite3_close(db);
    if (!made || bytes != 2 * (sqlite3_int64)PAGE) {
        sqlite3_free(made);
        return -1;
    }
    memcpy(image->pages, made, PAGE);
    sqlite3_free(made);
    return 0;
}

struct xrw_image *xrw_image_create(const char *create_table)
{
    struct xrw_image *image = calloc(1, sizeof *image);

    if (!image)
        return NULL;
    image->pages = malloc((size_t)PAGES * PAGE);
    image->scratch = malloc(PAGE);
    if (!image->pages || !image->scratch || make_first_page(image, create_table)) {
        xrw_image_destroy(image);
        return NULL;
    }
    return image;
}

void xrw_image_destroy(struct xrw_image *image)
{
    if (!image)
        return;
    free(image->pages);
    free(image->scratch);
    free(image);
}

size_t xrw_image_rows(const struct xrw_image *image)
{
    return image->rows;
}

static void end_leaf(struct xrw_image *image)
{
    uint8_t *page = page_at(image, image->leaf);

    page[0] = 0x0d;
    put16(page + 1, 0);
    put16(page + 3, image->cells);
    put16(page + 5, image->top);
    page[7] = 0;
}

static void begin_leaf(struct xrw_image *image)
{
    image->leaf = image->leaf ? image->leaf + 1 : FIRST_LEAF;
    image->cells = 0;
    image->top = PAGE;
}

uint8_t *xrw_image_reserve(struct xrw_image *image, size_t bytes)
{
    size_t need = CELL_HEADER_MAX + bytes + 2;

    if (!image->leaf || LEAF_HEADER + 2 * image->cells + need > image->top) {
        if (image->leaf == PAGES)
            return NULL;
        if (image->leaf)
            end_leaf(image);
        begin_leaf(image);
    }
    return image->scratch;
}

void xrw_image_add(struct xrw_image *image, uint64_t rowid, size_t bytes)
{
    uint8_t header[CELL_HEADER_MAX], *page = page_at(image, image->leaf);
    size_t n = xrw_row_put_varint(header, bytes);

    n += xrw_row_put_varint(header + n, rowid);
    image->top -= n + bytes;
    memcpy(page + image->top, header, n);
    memcpy(page + image->top + n, image->scratch, bytes);
    put16(page + LEAF_HEADER + 2 * image->cells, image->top);
    image->cells++;
    image->rows++;
    image->last_rowid[image->leaf - 1] = rowid;
}

/* The root: the only leaf itself, or an interior page above all of them. */
static void make_root(struct xrw_image *image)
{
    uint8_t *root = page_at(image, ROOT);
    size_t top = PAGE;
    unsigned cells = image->leaf - FIRST_LEAF;

    if (!cells) {
        memcpy(root, page_at(image, FIRST_LEAF), PAGE);
        return;
    }
    for (unsigned i = 0; i < cells; i++) {
        uint8_t cell[13];
        size_t n = 4;

        put32(cell, FIRST_LEAF + i);
        n += xrw_row_put_varint(cell + 4, image->last_rowid[FIRST_LEAF + i - 1]);
        top -= n;
        memcpy(root + top, cell, n);
        put16(root + INTERIOR_HEADER + 2 * i, top);
    }
    root[0] = 0x05;
    put16(root + 1, 0);
    put16(root + 3, cells);
    put16(root + 5, top);
    root[7] = 0;
    put32(root + 8, image->leaf);
}

static int copy_rows(sqlite3 *db, const char *table)
{
    char sql[128];

    (void)snprintf(sql, sizeof sql, "INSERT INTO main.%s SELECT * FROM src.%s", table, table);
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

int xrw_image_flush(struct xrw_image *image, sqlite3 *db, const char *table)
{
    sqlite3_int64 bytes;
    int rc;

    if (!image->rows)
        return SQLITE_OK;
    end_leaf(image);
    make_root(image);
    bytes = (sqlite3_int64)image->leaf * PAGE;
    put32(image->pages + 28, image->leaf);
    memcpy(image->pages + 92, image->pages + 24, 4); /* the size just set is valid */
    rc = sqlite3_deserialize(db, "src", image->pages, bytes, bytes, SQLITE_DESERIALIZE_READONLY);
    if (rc == SQLITE_OK)
        rc = copy_rows(db, table);
    image->leaf = 0;
    image->rows = 0;
    return rc;
}
