/* SPDX-License-Identifier: MIT */
#include "setup.h"

#include <stdlib.h>

int open_setup_unacquainted(void **state)
{
    struct setup *setup = malloc(sizeof(*setup));

    assert_non_null(setup);
    fake_init(&setup->fake);
    client_open(&setup->client, &setup->fake.config);
    *state = setup;
    return 0;
}

int open_setup(void **state)
{
    open_setup_unacquainted(state);
    client_hello(&((struct setup *)*state)->client);
    return 0;
}

int close_setup(void **state)
{
    struct setup *setup = *state;

    client_close(&setup->client);
    free(setup);
    return 0;
}

void reopen(struct setup *setup)
{
    client_close(&setup->client);
    client_open(&setup->client, &setup->fake.config);
    client_hello(&setup->client);
}
