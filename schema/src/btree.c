/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nothing in a page is trusted: an offset or a size that leads out of it ends the search.
 * Source: SQLite, "Database File Format", sections "B-tree Pages" and "Record Format".
 */
#include "btree.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>

#define PAGE 4096u
#define INTERIOR 5u /* kinds of page */
#define LEAF 13u
#define INTERIOR_HEADER 12u
#define LEAF_HEADER 8u
#define LEAF_PAYLOAD_MAX (PAGE - 35u) /* what is longer goes on in other pages */
#define DEPTH_MAX 20u
#define TYPE_MAX 9u /* serial types above are no integers; neither is 7 */

/* Pages read last.  Interior ones have room of their own: they are few, and each look-up needs
 * some; ten million exits have 460.  More leaves would save little: exits are asked for at random.
 */
#define INTERIORS 512u
#define LEAVES 1024u

/* Room for a page, once it was needed. */
struct slot {
    uint32_t number; /* 0: free */
    uint8_t *page;
};

struct xrw_btree {
    sqlite3 *db;
    sqlite3_file *file;
    uint32_t root[XRW_BTREE_TABLES]; /* first page */
    struct slot interior[INTERIORS], leaf[LEAVES];
};

/* ---- pages ----------------------------------------------------------- */

static size_t get16(const uint8_t *at)
{
    return (size_t)at[0] << 8 | at[1];
}

static uint32_t get32(const uint8_t *at)
{
    return (uint32_t)get16(at) << 16 | (uint32_t)get16(at + 2);
}

static bool read_page(struct xrw_btree *tree, uint32_t number, struct slot *slot)
{
    if (!slot->page)
        slot->page = malloc(PAGE);
    slot->number = 0;
    if (!slot->page || tree->file->pMethods->xRead(tree->file, slot->page, PAGE,
                                                   (sqlite3_int64)(number - 1) * PAGE) != SQLITE_OK)
        return false;
    slot->number = number;
    return true;
}

/* A page, valid until the next is asked for; NULL if it cannot be read. */
static const uint8_t *load(struct xrw_btree *tree, uint32_t number)
{
    struct slot *interior = &tree->interior[number % INTERIORS];
    struct slot *leaf = &tree->leaf[number % LEAVES], read;

    if (number < 2) /* 1 is no table's of ours */
        return NULL;
    if (interior->number == number)
        return interior->page;
    if (leaf->number == number)
        return leaf->page;
    if (!read_page(tree, number, leaf))
        return NULL;
    if (leaf->page[0] != INTERIOR)
        return leaf->page;
    read = *leaf;
    *leaf = *interior;
    *interior = read;
    leaf->number = 0;
    return interior->page;
}

/* Take a variable-length integer; where it ends, or 0 if that is not within the page. */
static size_t take_varint(const uint8_t *page, size_t at, uint64_t *value)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < 8 && at < PAGE; i++, at++) {
        v = v << 7 | (page[at] & 0x7f);
        if (!(page[at] & 0x80)) {
            *value = v;
            return at + 1;
        }
    }
    if (at >= PAGE)
        return 0;
    *value = v << 8 | page[at];
    return at + 1;
}

/* A page of a table, taken apart so far. */
struct node {
    const uint8_t *page;
    size_t header; /* bytes, before the places of the cells */
    size_t cells;
};

static bool open_node(const uint8_t *page, struct node *node)
{
    if (!page || (page[0] != LEAF && page[0] != INTERIOR))
        return false;
    node->page = page;
    node->header = page[0] == LEAF ? LEAF_HEADER : INTERIOR_HEADER;
    node->cells = get16(page + 3);
    return node->header + 2 * node->cells <= PAGE;
}

/* Key of a cell, and where it ends; 0 if that is not within the page.  payload: of a leaf. */
static size_t take_key(const struct node *node, size_t cell, uint64_t *key, uint64_t *payload)
{
    size_t at = get16(node->page + node->header + 2 * cell);

    if (at < node->header + 2 * node->cells)
        return 0;
    at = node->page[0] == LEAF ? take_varint(node->page, at, payload) : at + 4;
    return at ? take_varint(node->page, at, key) : 0;
}

/* The first cell whose key is not below id, or the number of cells. */
static bool search(const struct node *node, uint64_t id, size_t *cell)
{
    size_t low = 0, high = node->cells;

    while (low < high) {
        size_t middle = (low + high) / 2;
        uint64_t key, payload;

        if (!take_key(node, middle, &key, &payload))
            return false;
        if ((int64_t)key < (int64_t)id)
            low = middle + 1;
        else
            high = middle;
    }
    *cell = low;
    return true;
}

static uint32_t child_of(const struct node *node, size_t cell)
{
    size_t at = cell < node->cells ? get16(node->page + node->header + 2 * cell) : 8;

    return at <= PAGE - 4 ? get32(node->page + at) : 0;
}

/* ---- records --------------------------------------------------------- */

/* The integer of so many bytes, at least 1, that ends there; before it there are 8 bytes. */
static int64_t integer_before(const uint8_t *end, unsigned bytes)
{
    uint64_t big;

    memcpy(&big, end - sizeof big, sizeof big);
    return (int64_t)(be64toh(big) << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

/* The record in page[at..end). */
static bool take_record(const uint8_t *page, size_t at, size_t end, unsigned columns,
                        int64_t *value, bool *null)
{
    static const uint8_t bytes_of_type[TYPE_MAX + 1] = {0, 1, 2, 3, 4, 6, 8, 0, 0, 0};
    size_t header_end = at + page[at], body = header_end;

    /* Its size is a byte, and the id, which is not stored in it, a NULL. */
    if (page[at] < 2 || page[at] > 127 || header_end > end || page[at + 1] != 0)
        return false;
    at += 2;
    for (unsigned i = 0; i < columns && at < header_end; i++, at++) {
        unsigned type = page[at];

        if (type > TYPE_MAX || type == 7)
            return false;
        body += bytes_of_type[type];
        if (body > end)
            return false;
        null[i] = type == 0;
        if (bytes_of_type[type])
            value[i] = integer_before(page + body, bytes_of_type[type]);
        else
            value[i] = type == 9;
    }
    return true;
}

bool xrw_btree_row(struct xrw_btree *tree, enum xrw_btree_table table, uint64_t id,
                   unsigned columns, int64_t *value, bool *null)
{
    uint64_t key, payload;
    struct node node;
    uint32_t number;
    size_t cell, at;

    /* A transaction that an error has ended holds nothing any more. */
    if (!tree || sqlite3_get_autocommit(tree->db))
        return false;
    number = tree->root[table];
    for (unsigned depth = 0;; depth++) {
        if (depth == DEPTH_MAX || !open_node(load(tree, number), &node) ||
            !search(&node, id, &cell))
            return false;
        if (node.page[0] == LEAF)
            break;
        number = child_of(&node, cell);
    }
    if (cell == node.cells)
        return false;
    at = take_key(&node, cell, &key, &payload);
    return at && key == id && payload >= 2 && payload <= LEAF_PAYLOAD_MAX && at + payload <= PAGE &&
           take_record(node.page, at, at + payload, columns, value, null);
}

/* ---- create ---------------------------------------------------------- */

/* The first pages of the tables; those that are not there are left at 0. */
static bool find_roots(sqlite3 *db, uint32_t *root)
{
    static const char *const names[XRW_BTREE_TABLES] = {
        [XRW_BTREE_EXIT] = "exit",
        [XRW_BTREE_BLOCK] = "block",
        [XRW_BTREE_KEPT] = "kept",
        [XRW_BTREE_WORK] = "work",
    };
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(
        db, "SELECT rootpage FROM sqlite_schema WHERE type = 'table' AND name = ?", -1, &stmt,
        NULL);

    for (unsigned i = 0; i < XRW_BTREE_TABLES && rc == SQLITE_OK; i++) {
        rc = sqlite3_bind_text(stmt, 1, names[i], -1, SQLITE_STATIC);
        if (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW)
            root[i] = (uint32_t)sqlite3_column_int64(stmt, 0);
        if (rc == SQLITE_OK)
            rc = sqlite3_reset(stmt);
    }
    sqlite3_finalize(stmt);
    return rc == SQLITE_OK;
}

/* Whether what SQLite reads comes from the file alone. */
static bool has_no_wal(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    bool none = sqlite3_prepare_v2(db, "PRAGMA main.journal_mode", -1, &stmt, NULL) == SQLITE_OK &&
                sqlite3_step(stmt) == SQLITE_ROW &&
                sqlite3_stricmp((const char *)sqlite3_column_text(stmt, 0), "wal") != 0;

    sqlite3_finalize(stmt);
    return none;
}

/* Whether the header of the file says what this reads: pages of 4096 bytes without a rest that is
 * not used, and no WAL. */
static bool is_plain(sqlite3_file *file)
{
    static const uint8_t expected[] = {PAGE >> 8, PAGE & 0xff, 1, 1, 0};
    uint8_t header[100];

    return file && file->pMethods &&
           file->pMethods->xRead(file, header, sizeof header, 0) == SQLITE_OK &&
           memcmp(header + 16, expected, sizeof expected) == 0;
}

struct xrw_btree *xrw_btree_create(struct sqlite3 *db)
{
    struct xrw_btree *tree = calloc(1, sizeof *tree);

    /* What the caller's transaction reads first takes the lock that keeps the file as it is. */
    if (tree && find_roots(db, tree->root) && has_no_wal(db) &&
        sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &tree->file) == SQLITE_OK &&
        is_plain(tree->file)) {
        tree->db = db;
        return tree;
    }
    free(tree);
    return NULL;
}

void xrw_btree_destroy(struct xrw_btree *tree)
{
    if (!tree)
        return;
    for (unsigned i = 0; i < INTERIORS; i++)
        free(tree->interior[i].page);
    for (unsigned i = 0; i < LEAVES; i++)
        free(tree->leaf[i].page);
    free(tree);
}
