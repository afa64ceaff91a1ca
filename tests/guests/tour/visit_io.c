/* SPDX-License-Identifier: GPL-2.0-or-later */
/* I/O ports: each size and direction, with the port in the instruction and in DX, and strings. */
#include "insn.h"
#include "tour.h"

#define CONSOLE_PORT 0xe9
#define TEXT_BYTES 16

static uint8_t string_page[4096] UNTOUCHED; /* Xen is the first to write here */

__attribute__((noinline)) static void out_byte(uint8_t byte)
{
    outb(CONSOLE_PORT, byte);
}

__attribute__((noinline)) static void out_bytes(const char *text)
{
    for (; *text; text++)
        out_byte((uint8_t)*text);
}

#define OUT_IMMEDIATE(suffix, value) __asm__ volatile("out" suffix " $0x99" ::"a"(value))
#define OUT_DX(suffix, value)                                                                      \
    __asm__ volatile("out" suffix " %%dx" ::"a"(value), "d"(NO_DEVICE_PORT))
#define IN_IMMEDIATE(suffix)                                                                       \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("in" suffix " $0x99" : "=a"(value_) : "a"(0));                            \
        value_;                                                                                    \
    })
#define IN_DX(suffix)                                                                              \
    ({                                                                                             \
        uint64_t value_;                                                                           \
        __asm__ volatile("in" suffix " %%dx" : "=a"(value_) : "a"(0), "d"(NO_DEVICE_PORT));        \
        value_;                                                                                    \
    })

uint64_t visit_ports(void)
{
    out_bytes("tour\n");
    OUT_IMMEDIATE("b", 0x11);
    OUT_IMMEDIATE("w", 0x2222);
    OUT_IMMEDIATE("l", 0x44444444);
    OUT_DX("b", 0x55);
    OUT_DX("w", 0x6666);
    OUT_DX("l", 0x77777777);
    EXPECT(IN_IMMEDIATE("b") == 0xff);
    EXPECT(IN_IMMEDIATE("w") == 0xffff);
    EXPECT(IN_IMMEDIATE("l") == 0xffffffff);
    EXPECT(IN_DX("b") == 0xff);
    EXPECT(IN_DX("w") == 0xffff);
    EXPECT(IN_DX("l") == 0xffffffff);
    return 6;
}

static void out_string(const char *instruction_memory)
{
    const void *from = instruction_memory;
    uint64_t count = TEXT_BYTES;

    __asm__ volatile("outsb" : "+S"(from) : "d"(NO_DEVICE_PORT) : "memory");
    __asm__ volatile("outsw" : "+S"(from) : "d"(NO_DEVICE_PORT) : "memory");
    __asm__ volatile("outsl" : "+S"(from) : "d"(NO_DEVICE_PORT) : "memory");
    from = instruction_memory;
    __asm__ volatile("rep outsb" : "+S"(from), "+c"(count) : "d"(NO_DEVICE_PORT) : "memory");
    EXPECT(count == 0 && from == instruction_memory + TEXT_BYTES);
    count = TEXT_BYTES;
    from = instruction_memory + TEXT_BYTES - 1;
    __asm__ volatile("std\n\trep outsb\n\tcld"
                     : "+S"(from), "+c"(count)
                     : "d"(NO_DEVICE_PORT)
                     : "memory");
    EXPECT(count == 0 && from == instruction_memory - 1);
    from = instruction_memory;
    count = TEXT_BYTES / 4;
    __asm__ volatile("rep outsl" : "+S"(from), "+c"(count) : "d"(NO_DEVICE_PORT) : "memory");
    EXPECT(count == 0);
}

static void in_string(uint8_t *to)
{
    uint64_t count = TEXT_BYTES;

    __asm__ volatile("insb" : "+D"(to) : "d"(NO_DEVICE_PORT) : "memory");
    __asm__ volatile("insw" : "+D"(to) : "d"(NO_DEVICE_PORT) : "memory");
    __asm__ volatile("insl" : "+D"(to) : "d"(NO_DEVICE_PORT) : "memory");
    __asm__ volatile("rep insb" : "+D"(to), "+c"(count) : "d"(NO_DEVICE_PORT) : "memory");
    count = TEXT_BYTES / 2;
    __asm__ volatile("rep insw" : "+D"(to), "+c"(count) : "d"(NO_DEVICE_PORT) : "memory");
    EXPECT(count == 0 && to == string_page + 7 + 2 * TEXT_BYTES);
}

uint64_t visit_string_ports(void)
{
    static const char text[TEXT_BYTES] = "0123456789abcdef";
    uint64_t digest = 0;

    out_string(text);
    in_string(string_page);
    for (size_t i = 0; i < 64; i++)
        digest = mix(digest, string_page[i]);
    EXPECT(string_page[38] == 0xff && string_page[39] == 0);
    return digest;
}
