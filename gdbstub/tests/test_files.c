/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <stdio.h>
#include <string.h>

/* vFile: the client reads a file of the target. Paths are in hex; this is /boot/vmlinux. */

#define VMLINUX "2f626f6f742f766d6c696e7578"

static void a_file_is_opened_read_and_closed(void **state)
{
    struct setup *setup = *state;
    struct client *client = &setup->client;

    assert_reply(client, "vFile:setfs:0", "F0");
    assert_reply(client, "vFile:setfs:1", "F0");
    assert_reply(client, "vFile:open:" VMLINUX ",0,0", "F0");
    assert_int_equal(setup->fake.files_open, 1);

    client_ask(client, "vFile:pread:0,10,100");
    assert_int_equal(client->reply_size, 4 + 16);
    assert_memory_equal(client->reply, "F10;", 4);
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal((uint8_t)client->reply[4 + i], (uint8_t)((0x100 + i) * 3));
    assert_reply(client, "vFile:pread:0,10,12345", "F0;");
    assert_reply(client, "vFile:pread:0,0,0", "F0;");
    assert_reply(client, "vFile:pread:0,ffffffffffffffff,ffffffffffffffff", "F0;");

    assert_reply(client, "vFile:close:0", "F0");
    assert_int_equal(setup->fake.files_open, 0);
    assert_reply(client, "vFile:close:0", "F-1,9");
    assert_reply(client, "vFile:pread:0,1,0", "F-1,9");
    assert_reply(client, "vFile:fstat:0", "F-1,9");
}

static void a_long_read_fits_the_packet(void **state)
{
    struct client *client = &((struct setup *)*state)->client;
    unsigned size = 0;

    client_ask(client, "vFile:open:" VMLINUX ",0,1b6");
    client_ask(client, "vFile:pread:0,12345,0");
    assert_int_equal(sscanf(client->reply, "F%x;", &size), 1);
    assert_true(size > 0x4000 && size < 0x8000);
    assert_int_equal(client->reply_size, strcspn(client->reply, ";") + 1 + size);
}

static void its_status_is_known(void **state)
{
    struct client *client = &((struct setup *)*state)->client;
    const uint8_t *status;

    client_ask(client, "vFile:open:" VMLINUX ",0,0");
    client_ask(client, "vFile:fstat:0");
    assert_memory_equal(client->reply, "F40;", 4);
    assert_int_equal(client->reply_size, 4 + 64);
    status = (const uint8_t *)client->reply + 4;
    assert_memory_equal(status + 8, "\0\0\x81\x24", 4); /* a file, readable */
    assert_memory_equal(status + 28, "\0\0\0\0\0\x01\x23\x45", 8);
}

static void only_reading_is_possible(void **state)
{
    static const struct {
        const char *body;
        const char *reply;
    } cases[] = {
        {"vFile:open:" VMLINUX ",1,0", "F-1,1e"},   /* O_WRONLY */
        {"vFile:open:" VMLINUX ",2,0", "F-1,1e"},   /* O_RDWR */
        {"vFile:open:" VMLINUX ",200,0", "F-1,1e"}, /* O_CREAT */
        {"vFile:open:" VMLINUX ",400,0", "F-1,1e"}, /* O_TRUNC */
        {"vFile:open:2f62,0,0", "F-1,2"},
        {"vFile:open:" VMLINUX "00,0,0", "F-1,16"}, /* a name has no zero byte */
        {"vFile:open:,0,0", "F-1,16"},
        {"vFile:open:2,0,0", "F-1,16"},
        {"vFile:open:zz,0,0", "F-1,16"},
        {"vFile:open:" VMLINUX, "F-1,16"},
        {"vFile:open:" VMLINUX ",0", "F-1,16"},
        {"vFile:open:" VMLINUX ",0,0x", "F-1,16"},
        {"vFile:open", "F-1,16"},
        {"vFile:setfs:2", "F-1,2"},
        {"vFile:setfs:", "F-1,16"},
        {"vFile:pread:", "F-1,9"},
        {"vFile:pread:8,1,1", "F-1,9"},
        {"vFile:pread:ffffffffffffffff,1,1", "F-1,9"},
        {"vFile:close:", "F-1,9"},
        {"vFile:unlink:" VMLINUX, ""},
        {"vFile:pwrite:0,0,x", ""},
        {"vFile:", ""},
        {"vFile", ""},
    };
    struct setup *setup = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_reply(&setup->client, cases[i].body, cases[i].reply);
    assert_int_equal(setup->fake.files_open, 0);
}

static void few_are_open_and_none_outlives_the_client(void **state)
{
    struct setup *setup = *state;
    char expected[8];

    for (unsigned i = 0; i < GDBSTUB_FILES_MAX; i++) {
        snprintf(expected, sizeof(expected), "F%x", i);
        assert_reply(&setup->client, "vFile:open:" VMLINUX ",0,0", expected);
    }
    assert_reply(&setup->client, "vFile:open:" VMLINUX ",0,0", "F-1,18");
    assert_reply(&setup->client, "vFile:close:3", "F0");
    assert_reply(&setup->client, "vFile:open:" VMLINUX ",0,0", "F3");
    gdbstub_reset(setup->client.stub);
    assert_int_equal(setup->fake.files_open, 0);
}

static void a_target_without_files_says_so(void **state)
{
    struct setup *setup = *state;

    setup->fake.ops.open_file = NULL;
    setup->fake.ops.read_file = NULL;
    setup->fake.ops.close_file = NULL;
    reopen(setup);
    assert_reply(&setup->client, "vFile:setfs:0", "");
    assert_reply(&setup->client, "vFile:open:" VMLINUX ",0,0", "");
    assert_reply(&setup->client, "vFile:pread:0,1,1", "");
    assert_reply(&setup->client, "vFile:fstat:0", "");
    assert_reply(&setup->client, "vFile:close:0", "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_setup, close_setup)
    const struct CMUnitTest tests[] = {
        TEST(a_file_is_opened_read_and_closed),
        TEST(a_long_read_fits_the_packet),
        TEST(its_status_is_known),
        TEST(only_reading_is_possible),
        TEST(few_are_open_and_none_outlives_the_client),
        TEST(a_target_without_files_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
