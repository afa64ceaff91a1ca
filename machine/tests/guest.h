/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small machine for tests: 64-bit kernel mode, and handlers that say which vector came. */
#ifndef XRW_TEST_GUEST_H
#define XRW_TEST_GUEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "xrw/machine.h"
#include "xrw/vmx.h"

#include <string.h>

/* Where things lie, guest-physical and linear alike. */
#define GUEST_PML4 0x1000u
#define GUEST_PDPT 0x2000u
#define GUEST_PD 0x3000u
#define GUEST_PT 0x4000u /* the first 2 MiB in pages of 4 KiB */
#define GUEST_GDT 0x5000u
#define GUEST_IDT 0x6000u
#define GUEST_TSS 0x7000u
#define GUEST_HANDLERS 0x8000u /* 16 bytes a vector: HLT */
#define GUEST_CODE 0x10000u
#define GUEST_STACK 0x20000u /* grows down from here */
#define GUEST_IST1 0x22000u
#define GUEST_RSP0 0x24000u
#define GUEST_USER 0x30000u   /* code and stack of CPL 3: to 0x3ffff */
#define GUEST_DATA 0x40000u   /* to 0x7ffff */
#define GUEST_ABSENT 0x80000u /* mapped by the guest, not there: an EPT violation; to 0x8ffff */
#define GUEST_UNMAPPED 0x90000u
#define GUEST_BYTES 0x100000u

#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_CODE32 0x18
#define SEL_USER_DATA 0x23
#define SEL_USER_CODE 0x2b
#define SEL_TSS 0x30

struct guest {
    struct xrw_machine *m;
    struct xrw_machine_result result;
    struct xrw_machine_config config;
    unsigned pages_asked;
};

/* Create and destroy, as cmocka's set-up and tear-down. */
int guest_setup(void **state);
int guest_teardown(void **state);

/* Make the machine anew, by g->config as it is now. */
void guest_remake(struct guest *g);

/* Put code at GUEST_CODE (guest_load) or elsewhere, with RIP there. */
void guest_load(struct guest *g, const void *code, size_t bytes);
void guest_put(struct guest *g, uint64_t gpa, const void *data, size_t bytes);
void guest_put64(struct guest *g, uint64_t gpa, uint64_t value);
uint64_t guest_get64(struct guest *g, uint64_t gpa);

/* Run to the next stop, at most 100000 instructions. */
enum xrw_machine_stop guest_run(struct guest *g);
enum xrw_machine_stop guest_run_count(struct guest *g, uint64_t instructions);
/* Run and expect an exit of that reason; its qualification. */
uint64_t guest_expect_exit(struct guest *g, unsigned reason);
/* Run and expect the handler of a vector to be reached, through its gate. */
void guest_expect_vector(struct guest *g, unsigned vector);
/* Enter user mode at GUEST_USER with a stack. */
void guest_enter_user(struct guest *g);

uint64_t guest_field(const struct guest *g, enum xrw_exit_field field);

#define GUEST_REG(g, name) xrw_machine_register((g)->m, XRW_REG_##name)
#define GUEST_SET(g, name, value)                                                                  \
    assert_int_equal(xrw_machine_set_register((g)->m, XRW_REG_##name, (value)), 0)

/* Code given as bytes. */
#define GUEST_BYTES_LOAD(g, ...)                                                                   \
    do {                                                                                           \
        static const uint8_t bytes_[] = {__VA_ARGS__};                                             \
        guest_load((g), bytes_, sizeof bytes_);                                                    \
    } while (0)

/* Code assembled into this program: XRW_GUEST(name, "instructions") defines name and name_end. */
#define GUEST_ASM(name, text)                                                                      \
    extern const uint8_t name[], name##_end[];                                                     \
    __asm__(".pushsection .rodata\n" #name ":\n.intel_syntax noprefix\n" text                      \
            "\n.att_syntax prefix\n" #name "_end:\n.popsection\n")
#define GUEST_ASM_LOAD(g, name) guest_load((g), name, (size_t)(name##_end - name))

#endif
