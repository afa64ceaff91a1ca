/* SPDX-License-Identifier: MIT */
#include "client.h"
#include "fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What a configuration must have, and what happens when memory runs out. */

/* The linker sends the library's allocations here (-Wl,--wrap). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *block, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);

static int allocations_left = -1; /* -1: no limit */

static bool may_allocate(void)
{
    if (allocations_left < 0)
        return true;
    if (allocations_left == 0)
        return false;
    allocations_left--;
    return true;
}

void *__wrap_malloc(size_t size)
{
    return may_allocate() ? __real_malloc(size) : NULL;
}

void *__wrap_calloc(size_t count, size_t size)
{
    return may_allocate() ? __real_calloc(count, size) : NULL;
}

void *__wrap_realloc(void *block, size_t size)
{
    return may_allocate() ? __real_realloc(block, size) : NULL;
}

static struct fake fake;
static struct client client;

static int create(void)
{
    struct gdbstub *stub = (struct gdbstub *)&fake;

    fake.config.output = wire_output;
    fake.config.output_ctx = &client.wire;
    int ret = gdbstub_create(&fake.config, &stub);
    if (ret < 0)
        assert_ptr_equal(stub, &fake); /* untouched */
    else
        gdbstub_destroy(stub);
    return ret;
}

static int fresh(void **state)
{
    (void)state;
    fake_init(&fake);
    allocations_left = -1;
    return 0;
}

static void takes_a_whole_configuration(void **state)
{
    (void)state;
    assert_int_equal(create(), 0);
    fake.config.packet_size = GDBSTUB_PACKET_SIZE_MIN;
    assert_int_equal(create(), 0);
    fake.config.packet_size = GDBSTUB_PACKET_SIZE_MAX;
    assert_int_equal(create(), 0);
    gdbstub_destroy(NULL);
}

static void refuses_bad_sizes(void **state)
{
    (void)state;
    fake.config.packet_size = GDBSTUB_PACKET_SIZE_MIN - 1;
    assert_int_equal(create(), -EINVAL);
    fake.config.packet_size = GDBSTUB_PACKET_SIZE_MAX + 1;
    assert_int_equal(create(), -EINVAL);
}

static void refuses_a_table_with_holes(void **state)
{
    (void)state;
#define REFUSED_WITHOUT(operation)                                                                 \
    do {                                                                                           \
        fake_init(&fake);                                                                          \
        fake.ops.operation = 0;                                                                    \
        assert_int_equal(create(), -EINVAL);                                                       \
    } while (0)
    REFUSED_WITHOUT(size);
    REFUSED_WITHOUT(read_register);
    REFUSED_WITHOUT(read_memory);
    REFUSED_WITHOUT(resume);
    REFUSED_WITHOUT(run);
    REFUSED_WITHOUT(interrupt);
    REFUSED_WITHOUT(insert_breakpoint);
    REFUSED_WITHOUT(remove_breakpoint);
    REFUSED_WITHOUT(clear_breakpoints);
}

static void takes_a_table_of_an_older_caller(void **state)
{
    (void)state;
    fake.ops.size = offsetof(struct gdbstub_target_ops, restart);
    fake.ops.announce = (void (*)(void *, const struct gdbstub_stop *, struct gdbstub_console *))(
        uintptr_t)1; /* not its to call */
    client_open(&client, &fake.config);
    assert_reply(&client, "!", "");
    assert_int_equal(*client_ask(&client, "c"), 'T');
    client_close(&client);
}

static void refuses_bad_registers(void **state)
{
    struct gdbstub_register reg = {"r", 64, "f", NULL, NULL, 0};
    struct gdbstub_register many[600];

    (void)state;
    fake.config.description = NULL;
    assert_int_equal(create(), -EINVAL);
    fake.config.description = &fake.description;
    fake.description.registers = &reg;
    fake.description.register_count = 0;
    assert_int_equal(create(), -EINVAL);
    fake.description.register_count = 4097;
    assert_int_equal(create(), -EINVAL);
    fake.description.register_count = 1;
    assert_int_equal(create(), 0);
    static const uint16_t bad[] = {0, 1, 7, 63, GDBSTUB_REGISTER_BITS_MAX + 8, UINT16_MAX};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        reg.bits = bad[i];
        assert_int_equal(create(), -EINVAL);
    }
    reg = (struct gdbstub_register){NULL, 64, "f", NULL, NULL, 0};
    assert_int_equal(create(), -EINVAL);
    reg = (struct gdbstub_register){"r", 64, NULL, NULL, NULL, 0};
    assert_int_equal(create(), -EINVAL);

    /* A block of registers that does not fit in a packet. */
    for (size_t i = 0; i < 600; i++)
        many[i] = (struct gdbstub_register){"r", 512, "f", NULL, NULL, 0};
    fake.description.registers = many;
    fake.description.register_count = 600;
    assert_int_equal(create(), -EINVAL);
    fake.config.packet_size = GDBSTUB_PACKET_SIZE_MAX;
    assert_int_equal(create(), 0);
}

static void refuses_bad_commands(void **state)
{
    struct gdbstub_command command = fake.config.commands[0];

    (void)state;
    fake.config.commands = &command;
    fake.config.command_count = 1;
    assert_int_equal(create(), 0);
    command.run = NULL;
    assert_int_equal(create(), -EINVAL);
}

static void survives_every_failed_allocation(void **state)
{
    int ret = -ENOMEM;
    int limit;

    (void)state;
    for (limit = 0; limit < 100 && ret == -ENOMEM; limit++) {
        allocations_left = limit;
        ret = create();
    }
    assert_int_equal(ret, 0);
    assert_in_range(limit, 4, 20);
}

static void packets_survive_failed_allocations(void **state)
{
    static const char search[] = "$qSearch:memory:10000;10;a#fd";
    static const char document[] = "$qXfer:threads:read::0,1000#92";

    (void)state;
    client_open(&client, &fake.config);
    allocations_left = 0;
    client_raw(&client, search, strlen(search));
    assert_memory_equal(client.wire.raw, "+$E0c#d8", 8);
    client_raw(&client, document, strlen(document));
    assert_memory_equal(client.wire.raw, "+$E0c#d8", 8);
    allocations_left = -1;
    client_raw(&client, document, strlen(document));
    assert_memory_equal(client.wire.raw, "+$l<?xml", 8);
    client_close(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(takes_a_whole_configuration, fresh),
        cmocka_unit_test_setup(refuses_bad_sizes, fresh),
        cmocka_unit_test_setup(refuses_a_table_with_holes, fresh),
        cmocka_unit_test_setup(takes_a_table_of_an_older_caller, fresh),
        cmocka_unit_test_setup(refuses_bad_registers, fresh),
        cmocka_unit_test_setup(refuses_bad_commands, fresh),
        cmocka_unit_test_setup(survives_every_failed_allocation, fresh),
        cmocka_unit_test_setup(packets_survive_failed_allocations, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
