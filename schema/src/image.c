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
    sqlite3 *db;
    char table[16];
    uint64_t first_id, last_id; /* of the rows in it */
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

/* ---- tables ---------------------------------------------------------- */

/* The columns of a table, and what else its declaration says, without a key. */
#define COLUMNS "replace(substr(sql, instr(sql, '(')), ' PRIMARY KEY', '')"

/* Execute SQL with the name of a table put into it. */
static int exec_for(sqlite3 *db, const char *format, const char *table)
{
    char *sql = sqlite3_mprintf(format, table);
    int rc = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;

    sqlite3_free(sql);
    return rc;
}

/* Declare the aliases, have this connection read that, and take it back. */
static int declare_aliases(sqlite3 *db, const char *const *tables, unsigned count)
{
    int rc = sqlite3_exec(db, "PRAGMA writable_schema = ON", NULL, NULL, NULL), off;

    for (unsigned i = 0; rc == SQLITE_OK && i < count; i++)
        rc = exec_for(db,
                      "INSERT INTO main.sqlite_schema"
                      " SELECT type, name || '_by_order', tbl_name || '_by_order', rootpage,"
                      " 'CREATE TABLE ' || name || '_by_order ' || " COLUMNS
                      " FROM main.sqlite_schema WHERE type = 'table' AND name = '%q'",
                      tables[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "PRAGMA writable_schema = RESET", NULL, NULL, NULL);
    for (unsigned i = 0; rc == SQLITE_OK && i < count; i++)
        rc = exec_for(db, "SELECT id FROM main.%s_by_order LIMIT 0", tables[i]);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(
            db,
            "PRAGMA writable_schema = ON;"
            "DELETE FROM main.sqlite_schema WHERE name LIKE '%\\_by\\_order' ESCAPE '\\'",
            NULL, NULL, NULL);
    off = sqlite3_exec(db, "PRAGMA writable_schema = OFF", NULL, NULL, NULL);
    return rc == SQLITE_OK ? off : rc;
}

int xrw_image_prepare(sqlite3 *db, const char *const *tables, unsigned count, bool *made)
{
    int rc = sqlite3_exec(db, "SAVEPOINT aliases", NULL, NULL, NULL);

    *made = rc == SQLITE_OK && declare_aliases(db, tables, count) == SQLITE_OK;
    if (rc == SQLITE_OK && !*made)
        rc = sqlite3_exec(db, "ROLLBACK TO aliases", NULL, NULL, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(db, "RELEASE aliases", NULL, NULL, NULL);
    return rc;
}

/* ---- image ----------------------------------------------------------- */

/* The declaration of the table in the image; to be freed with sqlite3_free(). */
static char *declaration(const struct xrw_image *image)
{
    sqlite3_stmt *stmt = NULL;
    char *sql = NULL;

    if (sqlite3_prepare_v2(image->db,
                           "SELECT " COLUMNS
                           " FROM main.sqlite_schema WHERE type = 'table' AND name = ?",
                           -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_bind_text(stmt, 1, image->table, -1, SQLITE_STATIC) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW)
        sql = sqlite3_mprintf("PRAGMA page_size = %u; CREATE TABLE %s %s", PAGE, image->table,
                              (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    return sql;
}

/* Page 1, header and schema, as SQLite itself makes it. */
static bool make_first_page(struct xrw_image *image)
{
    char *sql = declaration(image);
    sqlite3_int64 bytes = 0;
    unsigned char *made = NULL;
    sqlite3 *db = NULL;
    int rc = sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
    bool fits;

    if (sql && rc == SQLITE_OK && sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
        made = sqlite3_serialize(db, "main", &bytes, 0);
    sqlite3_close(db);
    sqlite3_free(sql);
    fits = made && bytes == 2 * (sqlite3_int64)PAGE;
    if (fits)
        memcpy(image->pages, made, PAGE);
    sqlite3_free(made);
    return fits;
}

struct xrw_image *xrw_image_create(sqlite3 *db, const char *table)
{
    struct xrw_image *image = calloc(1, sizeof *image);

    if (!image)
        return NULL;
    image->db = db;
    (void)snprintf(image->table, sizeof image->table, "%s", table);
    image->pages = malloc((size_t)PAGES * PAGE);
    image->scratch = malloc(PAGE);
    if (!image->pages || !image->scratch || !make_first_page(image)) {
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

/* ---- rows ------------------------------------------------------------ */

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
    image->first_id = image->rows ? image->first_id : rowid;
    image->last_id = rowid;
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

/* If the alias is gone, because something else changed the structure, by the table itself: the
 * image has no ids to give, so each row gets the one after the highest there, too. */
static int copy_rows(const struct xrw_image *image)
{
    char sql[128];
    int rc;

    (void)snprintf(sql, sizeof sql, "INSERT INTO main.%s_by_order SELECT * FROM src.%s",
                   image->table, image->table);
    rc = sqlite3_exec(image->db, sql, NULL, NULL, NULL);
    if (rc != SQLITE_ERROR)
        return rc;
    (void)snprintf(sql, sizeof sql, "INSERT INTO main.%s SELECT * FROM src.%s", image->table,
                   image->table);
    return sqlite3_exec(image->db, sql, NULL, NULL, NULL);
}

static int copy(struct xrw_image *image)
{
    sqlite3_int64 bytes = (sqlite3_int64)image->leaf * PAGE;
    int rc;

    if (image->last_id - image->first_id != image->rows - 1)
        return XRW_IMAGE_OUT_OF_ORDER;
    end_leaf(image);
    make_root(image);
    put32(image->pages + 28, image->leaf);
    memcpy(image->pages + 92, image->pages + 24, 4); /* the size just set is valid */
    rc = sqlite3_deserialize(image->db, "src", image->pages, bytes, bytes,
                             SQLITE_DESERIALIZE_READONLY);
    if (rc == SQLITE_OK)
        rc = copy_rows(image);
    if (rc == SQLITE_OK && ((uint64_t)sqlite3_last_insert_rowid(image->db) != image->last_id ||
                            (uint64_t)sqlite3_changes64(image->db) != image->rows))
        return XRW_IMAGE_OUT_OF_ORDER;
    return rc;
}

int xrw_image_flush(struct xrw_image *image)
{
    int rc = image->rows ? copy(image) : SQLITE_OK;

    image->leaf = 0;
    image->rows = 0;
    return rc;
}
