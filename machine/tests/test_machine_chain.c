/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that follow each other without end, on a host stack that is small: no instruction may
 * leave anything there.  Built with optimisation, without sanitizers: only then do blocks chain.
 */
#include "guest.h"

#include <pthread.h>

#define STACK_BYTES (256u << 10)
#define ROUNDS 50000u

/* Every kind of operation that has ever had a frame of its own. */
GUEST_ASM(loops, "1: mov edi, 0x41000\n mov esi, 0x42000\n mov ecx, 3\n rep movsb\n mov ecx, 3\n"
                 "rep stosb\n lodsb\n scasb\n cmpsb\n movsd\n mov ecx, 2\n repne scasb\n"
                 "xsave [rbx]\n xrstor [rbx]\n fxsave [rbx + 0x1000]\n fxrstor [rbx + 0x1000]\n"
                 "mov ax, 0x10\n lar ecx, ax\n lsl ecx, ax\n verr ax\n verw ax\n sldt eax\n"
                 "mov ecx, 0xc0000100\n rdmsr\n mov eax, 7\n xor edx, edx\n rdtsc\n mov eax, 7\n"
                 "xor edx, edx\n push rax\n push qword ptr [rbx + 0x2000]\n pop rcx\n pop rax\n"
                 "enter 32, 1\n leave\n pushfq\n pop rcx\n mov ecx, ds\n sgdt [rbx + 0x2100]\n"
                 "jmp 2f\n 2: dec r15d\n jnz 1b\n hlt");

static uint64_t tsc(void *ctx, uint64_t count)
{
    (void)ctx;
    return count;
}

static void *run(void *ctx)
{
    struct guest *g = ctx;
    struct xrw_machine_until until = {.instructions = UINT64_MAX};

    xrw_machine_run(g->m, &until, &g->result);
    return NULL;
}

static void nothing_stays_on_the_stack(void **state)
{
    struct guest *g = *state;
    pthread_attr_t attr;
    pthread_t thread;

    g->config.cpu.tsc = tsc;
    guest_remake(g);
    xrw_machine_set_translator(g->m, false);
    GUEST_ASM_LOAD(g, loops);
    GUEST_SET(g, rbx, GUEST_DATA + 0x4000);
    GUEST_SET(g, r15, ROUNDS);
    GUEST_SET(g, rax, 7);
    assert_int_equal(pthread_attr_init(&attr), 0);
    assert_int_equal(pthread_attr_setstacksize(&attr, STACK_BYTES), 0);
    assert_int_equal(pthread_create(&thread, &attr, run, g), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    pthread_attr_destroy(&attr);
    if (g->result.stop == XRW_STOP_UNHANDLED)
        print_error("unhandled: %s\n", g->result.text.text);
    assert_int_equal(g->result.stop, XRW_STOP_EXIT);
    assert_int_equal(xrw_exit_basic_reason(&g->result.exit), XRW_VMX_HLT);
    assert_in_range(g->result.instructions, 40 * ROUNDS, 60 * ROUNDS);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, guest_setup, guest_teardown)
    const struct CMUnitTest tests[] = {TEST(nothing_stays_on_the_stack)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
