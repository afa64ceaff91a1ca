/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

struct random random_seed(void)
{
    const char *given = getenv("XRW_TEST_SEED");
    struct random random = {given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL)};

    print_message("XRW_TEST_SEED=%" PRIu64 "\n", random.state);
    return random;
}

/* SplitMix64. */
uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

uint64_t random_below(struct random *random, uint64_t limit)
{
    return random_next(random) % limit;
}

struct xrw_exit exit_of(uint32_t reason, const struct setting *settings)
{
    struct xrw_exit exit = {.id = 1, .run = 1};

    xrw_exit_set(&exit, XRW_EXIT_reason, reason);
    for (; settings->where != END; settings++) {
        if (settings->where == FIELD)
            xrw_exit_set(&exit, settings->which, settings->value);
        else
            xrw_registers_set(settings->where == AFTER ? &exit.after : &exit.before,
                              settings->which, settings->value);
        exit.has_after = exit.has_after || settings->where == AFTER;
    }
    return exit;
}

static void random_registers(struct random *random, struct xrw_registers *regs)
{
    for (unsigned i = 0; i < XRW_REGISTER_COUNT; i++) {
        regs->value[i] = random_next(random) >> random_below(random, 64);
        regs->known[i] = random_below(random, 8) != 0;
    }
}

void random_exit(struct random *random, uint32_t basic_reason, struct xrw_exit *exit)
{
    *exit = (struct xrw_exit){.id = 1, .run = 1};
    for (unsigned i = 0; i < XRW_EXIT_FIELD_COUNT; i++) {
        exit->field[i] = random_next(random);
        exit->field_known[i] = random_below(random, 8) != 0;
    }
    exit->field[XRW_EXIT_reason] = (random_next(random) & 0xffff0000u) | basic_reason;
    exit->field_known[XRW_EXIT_reason] = true;
    random_registers(random, &exit->before);
    random_registers(random, &exit->after);
    if (random_below(random, 4) == 0)
        exit->after.value[XRW_REG_rip] = exit->before.value[XRW_REG_rip];
    exit->has_after = random_below(random, 2);
}
