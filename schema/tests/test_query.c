/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A user's SQL: it reads, within bounds, and can do nothing else. */
#include "sample.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int set_up(void **state)
{
    struct xrw_error err = {""};
    struct xrw_store *store;

    sample_make_folder();
    sample_tour(sample_path("tour.db"));
    assert_done(xrw_store_open(&store, sample_path("tour.db"), &err), err);
    *state = store;
    return 0;
}

static int tear_down(void **state)
{
    (void)xrw_store_close(*state, NULL);
    sample_remove_folder();
    return 0;
}

/* Rows as "name=value " texts, one after the other. */
static int collect(void *ctx, int columns, const char *const *names, const char *const *values)
{
    char *text = ctx;

    for (int i = 0; i < columns; i++) {
        size_t used = strlen(text);

        (void)snprintf(text + used, 1000 - used, "%s=%s ", names[i],
                       values[i] ? values[i] : "NULL");
    }
    return 0;
}

static int query(struct xrw_store *store, const char *sql, char *text)
{
    struct xrw_error err = {""};

    text[0] = '\0';
    return xrw_store_query(store, sql, 1000, 10000, collect, text, &err);
}

static void assert_answer(struct xrw_store *store, const char *sql, const char *answer)
{
    char text[1000];

    assert_int_equal(query(store, sql, text), 0);
    assert_string_equal(text, answer);
}

static void views_decode_operands(void **state)
{
    static const struct {
        const char *sql, *answer;
    } cases[] = {
        {"SELECT id, reason, rip_hex, insn FROM exits WHERE reason = 'CPUID' LIMIT 1",
         "id=1 reason=CPUID rip_hex=0xffffffff81000000 insn=cpuid "},
        {"SELECT count(*) AS n FROM exits WHERE reason = 'CPUID'"
         " AND rip BETWEEN 0xffffffff81000000 AND 0xffffffff8100000f",
         "n=2 "},
        {"SELECT leaf_hex, eax_hex, edx_hex FROM cpuid WHERE id = 2",
         "leaf_hex=0x40000000 eax_hex=0x40000005 edx_hex=0x4d4d566e "},
        {"SELECT port_hex, direction, size, value_hex, string FROM io WHERE id = 3",
         "port_hex=0xe9 direction=out size=1 value_hex=0x41 string=0 "},
        {"SELECT port_hex, direction, value_hex FROM io WHERE id = 4",
         "port_hex=0x3fd direction=in value_hex=0x60 "},
        {"SELECT direction, size, value, string, rep, count, address_hex FROM io WHERE id = 5",
         "direction=in size=2 value=NULL string=1 rep=1 count=256"
         " address_hex=0xffff888000100000 "},
        {"SELECT direction, msr_hex, value_hex FROM msr WHERE id IN (6, 7)",
         "direction=read msr_hex=0x1b value_hex=0xfee00900 "
         "direction=write msr_hex=0x1b value_hex=0xfee00900 "},
        /* RIP stayed: what the registers hold is no answer. */
        {"SELECT msr_hex, value_hex, moved FROM msr WHERE id = 24",
         "msr_hex=0xbad value_hex=NULL moved=0 "},
        {"SELECT register, access, value_hex, after_hex FROM cr_access WHERE id IN (8, 9)",
         "register=cr0 access=write value_hex=0x80050033 after_hex=0x80050033 "
         "register=cr3 access=read value_hex=0x1000 after_hex=0x1000 "},
        {"SELECT register, access, value_hex FROM dr_access",
         "register=dr7 access=write value_hex=0x400 register=dr7 access=write value_hex=0x400 "},
        {"SELECT gpa_hex, access, gla_hex, walk, gfn FROM ept_violation WHERE id IN (11, 12)",
         "gpa_hex=0x123456 access=write gla_hex=0xffff888000123456 walk=0 gfn=291 "
         "gpa_hex=0x2008 access=read gla_hex=0xffff888000200000 walk=1 gfn=2 "},
        {"SELECT name, error_code, address_hex, type FROM exception WHERE id = 13",
         "name=#PF error_code=2 address_hex=0xdead000 type=hardware exception "},
        {"SELECT name, arg1, result FROM hypercall WHERE id IN (14, 15)",
         "name=xen_version arg1=263 result=262161 name=sched_op arg1=263 result=-22 "},
        {"SELECT kind, value FROM tsc_read WHERE id = 16", "kind=rdtsc value=79619149295 "},
        {"SELECT access, offset_hex FROM apic_access WHERE id = 18",
         "access=write offset_hex=0xb0 "},
        {"SELECT selector_hex, cause FROM task_switch WHERE id = 25",
         "selector_hex=0x30 cause=iret "},
        {"SELECT kind FROM descriptor_access WHERE id = 19", "kind=lidt "},
        {"SELECT vector, type FROM injection WHERE id = 22", "vector=243 type=external interrupt "},
        {"SELECT register, before_hex, after_hex FROM registers WHERE id = 1 AND changed",
         "register=rax before_hex=0x1 after_hex=0x306c3 "
         "register=rdx before_hex=0x0 after_hex=0x1783fbff "
         "register=rip before_hex=0xffffffff81000000 after_hex=0xffffffff81000002 "},
        {"SELECT after_cr0, cr0 FROM state WHERE id = 8", "after_cr0=2147811379 cr0=276 "},
        {"SELECT gpa_hex, reason FROM memory_write WHERE id = 5",
         "gpa_hex=0x1000 reason=IO_INSTRUCTION "},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_answer(*state, cases[i].sql, cases[i].answer);
}

static void whatever_does_not_read_is_refused(void **state)
{
    static const char *const refused[] = {
        "DELETE FROM exit",
        "INSERT INTO meta VALUES('a', 'b')",
        "UPDATE run SET mode = 'x'",
        "CREATE TABLE t(a)",
        "CREATE TEMP TABLE t(a)",
        "CREATE TEMP VIEW v AS SELECT 1",
        "DROP TABLE exit",
        "ATTACH '/etc/passwd' AS p",
        "DETACH main",
        "PRAGMA journal_mode = OFF",
        "PRAGMA table_info(exit)",
        "SELECT * FROM pragma_database_list",
        "VACUUM INTO '/tmp/never'",
        "BEGIN",
        "COMMIT",
        "ROLLBACK",
        "SAVEPOINT s",
        "REINDEX",
        "ANALYZE",
        "SELECT load_extension('x')",
        "SELECT randomblob(10)",
        "SELECT sqlite_compileoption_get(1)",
        "SELECT fts3_tokenizer('a')",
    };
    char text[1000];

    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        int ret = query(*state, refused[i], text);

        if (ret != -EPERM)
            fail_msg("%s: %d", refused[i], ret);
        assert_string_equal(text, "");
    }
    assert_answer(*state, "SELECT count(*) AS n FROM exit", "n=50 ");
}

static void a_writable_store_refuses_it_too(void **state)
{
    struct xrw_error err = {""};
    struct xrw_store *store;
    char text[1000];

    (void)state;
    assert_done(xrw_store_create(&store, sample_path("new.db"), &err), err);
    assert_int_equal(query(store, "DELETE FROM exit_reason", text), -EPERM);
    assert_answer(store, "SELECT name FROM exit_reason WHERE reason = 10", "name=CPUID ");
    assert_done(xrw_store_close(store, &err), err);
}

static void wrong_sql_is_explained(void **state)
{
    struct xrw_error err = {""};
    char text[1000] = "";

    assert_int_equal(
        xrw_store_query(*state, "SELECT nosuch FROM exits", 10, 1000, collect, text, &err),
        -EINVAL);
    assert_non_null(strstr(err.text, "nosuch"));
    assert_int_equal(xrw_store_query(*state, "SELEC 1", 10, 1000, collect, text, NULL), -EINVAL);
    assert_int_equal(query(*state, "", text), -EINVAL);
    assert_int_equal(query(*state, " -- nothing", text), -EINVAL);
    assert_int_equal(query(*state, "SELECT 1; SELECT 2", text), -EINVAL);
    assert_answer(*state, "SELECT 1 AS a;  \n", "a=1 ");
}

static int stop_at_once(void *ctx, int columns, const char *const *names, const char *const *values)
{
    (void)columns;
    (void)names;
    (void)values;
    ++*(int *)ctx;
    return 42;
}

static void rows_and_time_are_bounded(void **state)
{
    static const char forever[] =
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT max(x) FROM c";
    struct xrw_error err = {""};
    char text[1000] = "";
    int calls = 0;

    assert_int_equal(xrw_store_query(*state, "SELECT id FROM exits", 3, 1000, collect, text, &err),
                     -EOVERFLOW);
    assert_string_equal(text, "id=1 id=2 id=3 ");
    text[0] = '\0';
    assert_done(
        xrw_store_query(*state, "SELECT id FROM exits LIMIT 3", 3, 1000, collect, text, &err), err);
    assert_int_equal(xrw_store_query(*state, forever, 3, 50, collect, text, &err), -ETIMEDOUT);
    assert_int_equal(
        xrw_store_query(*state, "SELECT id FROM exits", 3, 1000, stop_at_once, &calls, &err), 42);
    assert_int_equal(calls, 1);
    assert_answer(*state, "SELECT 1 AS a", "a=1 ");
}

static void a_huge_value_is_refused(void **state)
{
    char text[1000];

    assert_true(query(*state,
                      "WITH RECURSIVE c(x) AS (SELECT 'aaaaaaaa' UNION ALL SELECT x || x FROM c)"
                      " SELECT max(length(x)) FROM c",
                      text) < 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(views_decode_operands),
        cmocka_unit_test(whatever_does_not_read_is_refused),
        cmocka_unit_test(a_writable_store_refuses_it_too),
        cmocka_unit_test(wrong_sql_is_explained),
        cmocka_unit_test(rows_and_time_are_bounded),
        cmocka_unit_test(a_huge_value_is_refused),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
