/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of Xen's hypercalls that needs no event channels: enough to say which version it is, to
 * print and to shut down.  Source: xen/include/public/{xen,version,sched}.h, hvm/hvm_op.h.
 */
#include "platform.h"

#include <errno.h>
#include <string.h>

enum number { XEN_VERSION = 17, CONSOLE_IO = 18, SCHED_OP = 29, HVM_OP = 34, NUMBERS = 64 };
enum { VERSION_NUMBER = 0, VERSION_EXTRA = 1 };
enum { SCHED_YIELD = 0, SCHED_SHUTDOWN = 2 };
enum { HVM_GET_PARAM = 1 };

#define VERSION_VALUE (4u << 16 | 17u)
#define EXTRA_VERSION ".5"
#define EXTRA_BYTES 16u
#define CS_LONG (1u << 9)
#define INSTRUCTION_BYTES 3u
#define STUB_BYTES 32u

struct call {
    uint64_t number, arg[3];
};

static int64_t version(struct xrw_platform *p, const struct call *call)
{
    char text[EXTRA_BYTES] = EXTRA_VERSION;

    switch (call->arg[0]) {
    case VERSION_NUMBER:
        return VERSION_VALUE;
    case VERSION_EXTRA:
        return write_linear(p, call->arg[1], text, sizeof text) ? -EFAULT : 0;
    default:
        return -ENOSYS;
    }
}

static int64_t shut_down(struct xrw_platform *p, uint64_t argument)
{
    static const char *const ends[] = {"the guest powered off",
                                       "the guest rebooted",
                                       "the guest suspended",
                                       "the guest crashed",
                                       "the guest was stopped by its watchdog",
                                       "the guest reset itself"};
    uint32_t reason;

    if (read_linear(p, argument, &reason, sizeof reason))
        return -EFAULT;
    guest_ends(p, reason < sizeof ends / sizeof *ends ? ends[reason] : "the guest shut down");
    return 0;
}

static int64_t sched(struct xrw_platform *p, const struct call *call)
{
    switch (call->arg[0]) {
    case SCHED_YIELD:
        return 0;
    case SCHED_SHUTDOWN:
        return shut_down(p, call->arg[1]);
    default:
        return -ENOSYS;
    }
}

/* All parameters are as they were at the start: zero. */
static int64_t hvm(struct xrw_platform *p, const struct call *call)
{
    struct {
        uint16_t domain, pad;
        uint32_t index;
        uint64_t value;
    } param;

    if (call->arg[0] != HVM_GET_PARAM)
        return -ENOSYS;
    if (read_linear(p, call->arg[1], &param, sizeof param))
        return -EFAULT;
    param.value = 0;
    return write_linear(p, call->arg[1], &param, sizeof param) ? -EFAULT : 0;
}

static int64_t dispatch(struct xrw_platform *p, const struct call *call)
{
    switch (call->number) {
    case XEN_VERSION:
        return version(p, call);
    case CONSOLE_IO: /* not for guests */
        return -EPERM;
    case SCHED_OP:
        return sched(p, call);
    case HVM_OP:
        return hvm(p, call);
    default:
        return -ENOSYS;
    }
}

int handle_hypercall(struct xrw_platform *p, const struct xrw_exit *exit, struct xrw_error *err)
{
    bool long_mode = reg(p, XRW_REG_cs_attr) & CS_LONG;
    struct call call = {reg(p, XRW_REG_rax),
                        {reg(p, XRW_REG_rdi), reg(p, XRW_REG_rsi), reg(p, XRW_REG_rdx)}};
    int64_t result;

    (void)err;
    if (!p->xen) {
        raise_exception(p, VECTOR_UD, false, 0);
        return 0;
    }
    if (!long_mode)
        call = (struct call){reg(p, XRW_REG_rax) & 0xffffffff,
                             {reg(p, XRW_REG_rbx), reg(p, XRW_REG_rcx), reg(p, XRW_REG_rdx)}};
    result = reg(p, XRW_REG_ss_attr) >> 5 & 3 ? -EPERM : dispatch(p, &call);
    set_reg(p, XRW_REG_rax, long_mode ? (uint64_t)result : (uint32_t)result);
    skip_instruction(p, exit);
    return 0;
}

/* A stub for each number: MOV EAX, number; VMCALL; RET. */
int write_hypercall_page(struct xrw_platform *p, uint64_t value)
{
    uint8_t page[XRW_PAGE_BYTES];
    xrw_gpa gpa = value & ~(uint64_t)(XRW_PAGE_BYTES - 1);

    if (gpa >= p->ram_bytes)
        return -EINVAL;
    memset(page, 0, sizeof page);
    for (unsigned i = 0; i < NUMBERS; i++) {
        const uint8_t stub[] = {0xb8, (uint8_t)i, 0, 0, 0, 0x0f, 0x01, 0xc1, 0xc3};

        memcpy(page + i * STUB_BYTES, stub, sizeof stub);
    }
    return xrw_machine_write(p->machine, gpa, page, sizeof page);
}
