/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Forks of ours: told from others' domains, and from those whose recorder was killed. */
#include "fork_handle.h"

#include "support.h"

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

static void test_written_and_read(void **state)
{
    const struct fork_owner owner = {.parent = 0x7fef, .recorder = 4194304, .started = 0xfedc};
    uint8_t handle[FORK_HANDLE_BYTES];
    struct fork_owner read;

    (void)state;
    fork_handle_write(handle, &owner);
    assert_true(fork_handle_read(handle, &read));
    assert_int_equal(read.parent, owner.parent);
    assert_int_equal(read.recorder, owner.recorder);
    assert_int_equal(read.started, owner.started);
}

static void test_domains_of_others(void **state)
{
    const struct fork_owner owner = {.parent = 1, .recorder = 1};
    uint8_t handle[FORK_HANDLE_BYTES] = {0};
    struct fork_owner read = {.parent = 42};

    (void)state;
    assert_false(fork_handle_read(handle, &read));
    for (unsigned i = 0; i < 8; i++) {
        fork_handle_write(handle, &owner);
        handle[i] ^= 1;
        assert_false(fork_handle_read(handle, &read));
    }
    assert_int_equal(read.parent, 42);
}

static void test_this_process_runs(void **state)
{
    struct fork_owner owner = fork_owner_self(7);

    (void)state;
    assert_int_equal(owner.parent, 7);
    assert_int_equal(owner.recorder, getpid());
    assert_false(fork_is_left_over(&owner));
}

static void test_a_kept_fork_is_nobodys(void **state)
{
    const struct fork_owner owner = {.parent = 7};

    (void)state;
    assert_false(fork_is_left_over(&owner));
}

static void test_the_number_is_used_again(void **state)
{
    struct fork_owner owner = fork_owner_self(7);

    (void)state;
    owner.started++;
    assert_true(fork_is_left_over(&owner));
}

/* A recorder, killed: first a zombie, then gone. */
static void test_killed(void **state)
{
    struct fork_owner owner;
    siginfo_t info;
    int pipes[2];
    pid_t child;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    child = fork();
    assert_true(child >= 0);
    if (!child) {
        owner = fork_owner_self(7);
        (void)!write(pipes[1], &owner, sizeof owner);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(pipes[0], &owner, sizeof owner), sizeof owner);
    assert_int_equal(owner.recorder, child);
    assert_false(fork_is_left_over(&owner));
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    assert_true(fork_is_left_over(&owner));
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_true(fork_is_left_over(&owner));
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_domains_of_others),
        cmocka_unit_test(test_this_process_runs),
        cmocka_unit_test(test_a_kept_fork_is_nobodys),
        cmocka_unit_test(test_the_number_is_used_again),
        cmocka_unit_test(test_killed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
