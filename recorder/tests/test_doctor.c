/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What follows from what was found: a host that can do all, and each thing that can be wrong. */
#include "doctor.h"

#include "support.h"

#include <errno.h>

static struct doctor_facts good_host(void)
{
    return (struct doctor_facts){
        .major = 4,
        .minor = 17,
        .version = "Xen 4.17.5",
        .cpu = "A processor",
        .vendor = "GenuineIntel",
        .hvm = true,
        .hap = true,
        .free_kib = 300 * 1024,
        .sharing = -ESRCH,
        .asked = 7,
        .event = true,
        .pause = true,
        .fitness = {{FITNESS_YES, "RDTSC exits", ""},
                    {FITNESS_YES, "RDRAND hidden", ""},
                    {FITNESS_YES, "RDSEED hidden", ""},
                    {FITNESS_YES, "APICv off", ""},
                    {FITNESS_YES, "FPU loaded eagerly", ""}},
    };
}

static struct doctor_facts good_guest(void)
{
    struct doctor_facts facts = good_host();

    facts.parent = 7;
    facts.parent_kib = 4096;
    facts.stage = PARENT_DONE;
    return facts;
}

static const struct xrw_check *check_of(const struct xrw_doctor_report *report, const char *id)
{
    for (size_t i = 0; i < report->check_count; i++)
        if (!strcmp(report->checks[i].id, id))
            return &report->checks[i];
    fail_msg("there is no check %s", id);
    return NULL;
}

/* Every line says something, and what is missing has an advice. */
static void assert_complete(const struct xrw_doctor_report *report)
{
    for (size_t i = 0; i < report->check_count; i++) {
        const struct xrw_check *check = &report->checks[i];

        assert_true(*check->found != '\0');
        assert_null(strchr(check->found, '\n'));
        assert_null(strchr(check->advice, '\n'));
        assert_true(check->state != XRW_CHECK_MISSING || *check->advice != '\0');
        assert_true(check->state != XRW_CHECK_OK || *check->advice == '\0');
    }
}

static void test_all_is_well(void **state)
{
    const struct doctor_facts facts[] = {good_host(), good_guest()};
    struct xrw_doctor_report report;

    (void)state;
    for (size_t n = 0; n < 2; n++) {
        doctor_report(&facts[n], &report);
        assert_complete(&report);
        assert_true(report.xen);
        assert_int_equal(report.verdict, XRW_CHECK_OK);
        for (size_t i = 0; i < report.check_count; i++)
            assert_int_equal(report.checks[i].state, XRW_CHECK_OK);
    }
    assert_int_equal(report.check_count, 11 + 3 + FITNESS_COUNT);
}

/* ---- each thing that can be wrong ------------------------------------ */

#define CASE(name, statement)                                                                      \
    static void name(struct doctor_facts *f)                                                       \
    {                                                                                              \
        statement;                                                                                 \
    }

CASE(old_xen, (f->major = 4, f->minor = 13))
CASE(backport, (f->major = 4, f->minor = 14))
CASE(other_interface, f->control = -EACCES)
CASE(not_privileged, f->control = -EPERM)
CASE(no_answer, f->control = -EIO)
CASE(pvh_dom0, f->dom0_hvm = true)
CASE(amd, memcpy(f->vendor, "AuthenticAMD", 13))
CASE(amd_stock, (amd(f), f->pause = false))
CASE(amd_no_svm, (amd(f), f->hvm = false))
CASE(another_vendor, memcpy(f->vendor, "CentaurHauls", 13))
CASE(no_vmx, f->hvm = false)
CASE(no_hap, f->hap = false)
CASE(no_machine, f->physical = -EPERM)
CASE(no_sharing, (f->parent = 0, f->sharing = -ENOSYS))
CASE(sharing_refused, (f->parent = 0, f->sharing = -EPERM))
CASE(fork_proves_it, f->sharing = -EPERM)
CASE(nobody_to_ask, f->asked = 0)
CASE(asking_fails, f->asked_code = -EIO)
CASE(no_event, f->event = false)
CASE(no_pause, f->pause = false)
CASE(no_memory, f->free_kib = 100)
CASE(little_memory, (f->free_kib = 20000, f->parent_kib = 20001))

static void trouble(struct doctor_facts *f, enum parent_stage stage)
{
    f->stage = stage;
    (void)snprintf(f->trouble.text, sizeof f->trouble.text, "it did not work\ndo this");
}

CASE(wrong_guest, trouble(f, PARENT_CHECK))
CASE(no_fork, trouble(f, PARENT_FORK))
CASE(no_ring, trouble(f, PARENT_MONITOR))
CASE(rdrand, f->fitness[1] = ((struct fitness){FITNESS_NO, "RDRAND visible", "hide it"}))
CASE(apicv, f->fitness[3] = ((struct fitness){FITNESS_UNKNOWN, "APICv not known", "off"}))

/* The last check of that id has the state. */
static const struct {
    void (*happens)(struct doctor_facts *f);
    const char *id;
    enum xrw_check_state state, verdict;
    const char *advice; /* part of it */
} troubles[] = {
    {old_xen, "xen", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "4.17"},
    {backport, "xen", XRW_CHECK_OK, XRW_CHECK_OK, ""},
    {other_interface, "control", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "libxen-dev"},
    {not_privileged, "control", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "dom0"},
    {no_answer, "control", XRW_CHECK_UNKNOWN, XRW_CHECK_UNKNOWN, "dom0"},
    {no_answer, "dom0", XRW_CHECK_UNKNOWN, XRW_CHECK_UNKNOWN, ""},
    {pvh_dom0, "dom0", XRW_CHECK_NOTE, XRW_CHECK_OK, "dom0=pvh"},
    {amd, "processor", XRW_CHECK_OK, XRW_CHECK_OK, ""},
    {amd, "event", XRW_CHECK_OK, XRW_CHECK_OK, ""},
    {amd_stock, "processor", XRW_CHECK_OK, XRW_CHECK_MISSING, ""},
    {amd_stock, "event", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "xen-patch"},
    {amd_no_svm, "processor", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "SVM"},
    {another_vendor, "processor", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "AMD"},
    {no_vmx, "processor", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "VT-x"},
    {amd_stock, "modes", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "xen-patch"},
    {no_hap, "hap", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "hap=1"},
    {no_machine, "processor", XRW_CHECK_UNKNOWN, XRW_CHECK_UNKNOWN, "dom0"},
    {no_machine, "hap", XRW_CHECK_UNKNOWN, XRW_CHECK_UNKNOWN, "dom0"},
    {no_machine, "memory", XRW_CHECK_UNKNOWN, XRW_CHECK_UNKNOWN, "dom0"},
    {no_sharing, "forks", XRW_CHECK_MISSING, XRW_CHECK_OK, "CONFIG_MEM_SHARING"},
    {sharing_refused, "forks", XRW_CHECK_UNKNOWN, XRW_CHECK_OK, "--parent"},
    {fork_proves_it, "forks", XRW_CHECK_OK, XRW_CHECK_OK, ""},
    {nobody_to_ask, "pause", XRW_CHECK_UNKNOWN, XRW_CHECK_UNKNOWN, "--parent"},
    {nobody_to_ask, "event", XRW_CHECK_UNKNOWN, XRW_CHECK_UNKNOWN, "--parent"},
    {asking_fails, "pause", XRW_CHECK_UNKNOWN, XRW_CHECK_UNKNOWN, "--parent"},
    {no_event, "event", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "4.17"},
    {no_pause, "pause", XRW_CHECK_NOTE, XRW_CHECK_OK, "xen-patch"},
    {no_pause, "modes", XRW_CHECK_OK, XRW_CHECK_OK, ""},
    {nobody_to_ask, "modes", XRW_CHECK_UNKNOWN, XRW_CHECK_UNKNOWN, "--parent"},
    {no_event, "modes", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "4.17"},
    {no_memory, "memory", XRW_CHECK_NOTE, XRW_CHECK_OK, "dom0_mem"},
    {little_memory, "memory", XRW_CHECK_NOTE, XRW_CHECK_OK, "dom0_mem"},
    {wrong_guest, "guest", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "do this"},
    {wrong_guest, "fork", XRW_CHECK_UNKNOWN, XRW_CHECK_MISSING, ""},
    {no_fork, "guest", XRW_CHECK_OK, XRW_CHECK_MISSING, ""},
    {no_fork, "fork", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "do this"},
    {no_fork, "monitor", XRW_CHECK_UNKNOWN, XRW_CHECK_MISSING, ""},
    {no_ring, "fork", XRW_CHECK_OK, XRW_CHECK_MISSING, ""},
    {no_ring, "monitor", XRW_CHECK_MISSING, XRW_CHECK_MISSING, "do this"},
};

static void test_each_trouble(void **state)
{
    struct xrw_doctor_report report;

    (void)state;
    for (size_t i = 0; i < sizeof troubles / sizeof *troubles; i++) {
        struct doctor_facts facts = good_guest();
        const struct xrw_check *check;

        troubles[i].happens(&facts);
        doctor_report(&facts, &report);
        assert_complete(&report);
        check = check_of(&report, troubles[i].id);
        if (check->state != troubles[i].state || report.verdict != troubles[i].verdict)
            fail_msg("case %zu, %s: state %d, verdict %d", i, check->id, check->state,
                     report.verdict);
        assert_non_null(strstr(check->advice, troubles[i].advice));
    }
}

/* An unfit guest can be recorded all the same. */
static void test_fitness(void **state)
{
    struct doctor_facts facts = good_guest();
    struct xrw_doctor_report report;
    const struct xrw_check *last;

    (void)state;
    rdrand(&facts);
    apicv(&facts);
    doctor_report(&facts, &report);
    assert_int_equal(report.verdict, XRW_CHECK_OK);
    last = &report.checks[report.check_count - 1];
    assert_int_equal(last[-3].state, XRW_CHECK_MISSING);
    assert_string_equal(last[-3].advice, "hide it");
    assert_int_equal(last[-1].state, XRW_CHECK_UNKNOWN);
    wrong_guest(&facts);
    doctor_report(&facts, &report);
    assert_string_equal(report.checks[report.check_count - 1].id, "monitor");
}

static void test_no_xen(void **state)
{
    struct doctor_facts facts = {.no_xen_code = -ENOENT};
    struct xrw_doctor_report report;

    (void)state;
    doctor_report(&facts, &report);
    assert_complete(&report);
    assert_false(report.xen);
    assert_int_equal(report.check_count, 1);
    assert_int_equal(report.verdict, XRW_CHECK_MISSING);
    assert_non_null(strstr(report.checks[0].found, "cannot record, but can replay"));
    facts.no_xen_code = -EACCES;
    doctor_report(&facts, &report);
    assert_complete(&report);
    assert_non_null(strstr(report.checks[0].found, "permission"));
}

/* ---- forks of ours --------------------------------------------------- */

static void test_left_overs(void **state)
{
    struct doctor_facts facts = good_host();
    struct xrw_doctor_report report;
    const struct xrw_check *check;

    (void)state;
    facts.forks[0] = (struct xrw_fork){.domain = 9, .parent = 7, .recorder = 100};
    facts.forks[1] = (struct xrw_fork){.domain = 10, .parent = 7};
    facts.fork_count = 2;
    doctor_report(&facts, &report);
    check = check_of(&report, "left-over");
    assert_int_equal(check->state, XRW_CHECK_OK);
    assert_non_null(strstr(check->found, "1 being recorded"));
    assert_int_equal(report.fork_count, 2);
    assert_int_equal(report.forks[1].domain, 10);

    facts.forks[0].left_over = true;
    doctor_report(&facts, &report);
    check = check_of(&report, "left-over");
    assert_int_equal(check->state, XRW_CHECK_NOTE);
    assert_non_null(strstr(check->found, "1 left over"));
    assert_non_null(strstr(check->advice, "--clean"));
    assert_int_equal(report.verdict, XRW_CHECK_OK);
}

static void test_clean(void **state)
{
    const struct doctor_parent parent = {.exists = true};
    struct doctor_facts facts = good_host();
    struct xrw_doctor_report report;

    (void)state;
    facts.fork_count = 1;
    facts.forks[0] =
        (struct xrw_fork){.domain = 9, .parent = 7, .recorder = 100, .left_over = true};
    doctor_outcome(&facts.forks[0], 0, &parent);
    doctor_report(&facts, &report);
    assert_int_equal(check_of(&report, "left-over")->state, XRW_CHECK_OK);
    assert_non_null(strstr(check_of(&report, "left-over")->found, "1 removed"));
    assert_int_equal(report.verdict, XRW_CHECK_OK);

    doctor_outcome(&facts.forks[0], -EPERM, &parent);
    doctor_report(&facts, &report);
    assert_int_equal(check_of(&report, "left-over")->state, XRW_CHECK_MISSING);
    assert_int_equal(report.verdict, XRW_CHECK_MISSING);
}

static void test_outcomes(void **state)
{
    static const struct {
        int code;
        struct doctor_parent parent;
        const char *text;
    } cases[] = {
        {0, {.exists = true}, "removed; its parent, domain 7, goes on"},
        {0, {0}, "removed; its parent, domain 7, is gone"},
        {0, {.exists = true, .ended = true}, "removed; its parent, domain 7, has ended"},
        {0,
         {.exists = true, .paused = true},
         "removed; its parent, domain 7, is paused by someone else too (`xl unpause 7`)"},
        {0,
         {.exists = true, .other_fork = 8},
         "removed; its parent, domain 7, stays paused while its fork, domain 8, is there"},
        {-EPERM, {.exists = true}, "could not be removed: Operation not permitted"},
    };
    struct xrw_fork fork;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fork = (struct xrw_fork){.domain = 9, .parent = 7, .left_over = true};
        doctor_outcome(&fork, cases[i].code, &cases[i].parent);
        assert_string_equal(fork.outcome, cases[i].text);
        assert_int_equal(fork.removed, !cases[i].code);
    }
    fork = (struct xrw_fork){.domain = 9, .left_over = true};
    doctor_outcome(&fork, 0, &cases[0].parent);
    assert_string_equal(fork.outcome, "removed");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_is_well), cmocka_unit_test(test_each_trouble),
        cmocka_unit_test(test_fitness),     cmocka_unit_test(test_no_xen),
        cmocka_unit_test(test_left_overs),  cmocka_unit_test(test_clean),
        cmocka_unit_test(test_outcomes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
