/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The texts of the .sql files of schema, which the build puts in. */
#ifndef XRW_SCHEMA_SQL_H
#define XRW_SCHEMA_SQL_H

extern const char xrw_sql_schema[];     /* tables */
extern const char xrw_sql_views[];      /* views */
extern const char xrw_sql_temp_views[]; /* the same as TEMP views, which hide the file's */
extern const char xrw_sql_indexes[];    /* indexes, built when it is closed */

#endif
