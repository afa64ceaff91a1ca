/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lapic.h"

#include <string.h>

enum offset {
    ID = 0x20,
    VERSION = 0x30,
    TPR = LAPIC_TPR,
    PPR = 0xa0,
    EOI = 0xb0,
    LDR = 0xd0,
    DFR = 0xe0,
    SVR = 0xf0,
    ISR = 0x100,
    IRR = 0x200,
    ESR = 0x280,
    ICR_LOW = 0x300,
    ICR_HIGH = 0x310,
    LVT_TIMER = 0x320,
    LVT_THERMAL = 0x330,
    LVT_PERFORMANCE = 0x340,
    LVT_LINT0 = 0x350,
    LVT_LINT1 = 0x360,
    LVT_ERROR = 0x370,
    TIMER_INITIAL = 0x380,
    TIMER_CURRENT = 0x390,
    TIMER_DIVIDE = 0x3e0,
};

#define VERSION_VALUE 0x00050014u
#define LVT_MASKED (1u << 16)
#define LVT_PERIODIC (1u << 17)
#define SVR_ENABLED (1u << 8)
#define ICR_PENDING (1u << 12)
#define ICR_MODE(icr) ((icr) >> 8 & 7)
#define ICR_SHORTHAND(icr) ((icr) >> 18 & 3)
#define MODE_FIXED 0u
#define MODE_NMI 4u
#define SHORTHAND_NONE 0u
#define SHORTHAND_OTHERS 3u
#define BUS_NS 10u

static uint32_t get(const struct lapic *lapic, unsigned offset)
{
    uint32_t value;

    memcpy(&value, lapic->page + offset, sizeof value);
    return value;
}

static void put(struct lapic *lapic, unsigned offset, uint32_t value)
{
    memcpy(lapic->page + offset, &value, sizeof value);
}

void lapic_init(struct lapic *lapic, uint8_t *page)
{
    static const unsigned lvts[] = {LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE,
                                    LVT_LINT0, LVT_LINT1,   LVT_ERROR};

    memset(page, 0, 4096);
    *lapic = (struct lapic){.page = page, .bus_ns = BUS_NS};
    put(lapic, VERSION, VERSION_VALUE);
    put(lapic, DFR, UINT32_MAX);
    put(lapic, SVR, 0xff);
    for (unsigned i = 0; i < sizeof lvts / sizeof *lvts; i++)
        put(lapic, lvts[i], LVT_MASKED);
}

/* ---- requests ----------------------------------------------------------- */

static int highest(const struct lapic *lapic, unsigned base)
{
    for (int word = 7; word >= 0; word--) {
        uint32_t bits = get(lapic, base + (unsigned)word * 0x10);

        if (bits)
            return word * 32 + 31 - __builtin_clz(bits);
    }
    return -1;
}

static void change(struct lapic *lapic, unsigned base, int vector, bool set)
{
    unsigned at = base + (unsigned)vector / 32 * 0x10;
    uint32_t bit = 1u << (vector & 31);

    put(lapic, at, set ? get(lapic, at) | bit : get(lapic, at) & ~bit);
}

int lapic_highest_request(const struct lapic *lapic)
{
    return highest(lapic, IRR);
}

static uint32_t processor_priority(const struct lapic *lapic)
{
    uint32_t tpr = get(lapic, TPR) & 0xff;
    int served = highest(lapic, ISR);
    uint32_t class = served < 0 ? 0 : (uint32_t)served & 0xf0;

    return (tpr & 0xf0) >= class ? tpr : class;
}

int lapic_pending(const struct lapic *lapic)
{
    int vector = highest(lapic, IRR);

    if (!(get(lapic, SVR) & SVR_ENABLED) || vector < 0 ||
        ((uint32_t)vector & 0xf0) <= (processor_priority(lapic) & 0xf0))
        return -1;
    return vector;
}

void lapic_acknowledge(struct lapic *lapic, int vector)
{
    change(lapic, IRR, vector, false);
    change(lapic, ISR, vector, true);
}

static void request(struct lapic *lapic, uint32_t vector)
{
    if (vector >= 16)
        change(lapic, IRR, (int)vector, true);
}

/* ---- timer -------------------------------------------------------------- */

static uint64_t tick_ns(const struct lapic *lapic)
{
    static const uint8_t shift[] = {1, 2, 3, 4, 5, 6, 7, 0};
    uint32_t divide = get(lapic, TIMER_DIVIDE);

    return lapic->bus_ns << shift[(divide & 3) | (divide >> 1 & 4)];
}

static uint64_t period_ns(const struct lapic *lapic)
{
    return tick_ns(lapic) * get(lapic, TIMER_INITIAL);
}

static void start_timer(struct lapic *lapic, uint32_t value, uint64_t now_ns)
{
    put(lapic, TIMER_INITIAL, value);
    lapic->start_ns = now_ns;
    lapic->timer_running = value != 0;
}

static uint32_t timer_current(const struct lapic *lapic, uint64_t now_ns)
{
    uint64_t past;

    if (!lapic->timer_running)
        return 0;
    past = (now_ns - lapic->start_ns) / tick_ns(lapic);
    return past < get(lapic, TIMER_INITIAL) ? get(lapic, TIMER_INITIAL) - (uint32_t)past : 0;
}

uint64_t lapic_next_ns(const struct lapic *lapic)
{
    return lapic->timer_running ? lapic->start_ns + period_ns(lapic) : UINT64_MAX;
}

void lapic_advance(struct lapic *lapic, uint64_t now_ns)
{
    uint32_t lvt = get(lapic, LVT_TIMER);

    if (now_ns < lapic_next_ns(lapic))
        return;
    if (!(lvt & LVT_MASKED))
        request(lapic, lvt & 0xff);
    if (lvt & LVT_PERIODIC)
        lapic->start_ns += (now_ns - lapic->start_ns) / period_ns(lapic) * period_ns(lapic);
    else
        lapic->timer_running = false;
}

/* ---- registers ----------------------------------------------------------- */

uint32_t lapic_read(const struct lapic *lapic, uint32_t offset, uint64_t now_ns)
{
    switch (offset & 0xff0) {
    case PPR:
        return processor_priority(lapic);
    case TIMER_CURRENT:
        return timer_current(lapic, now_ns);
    case EOI:
        return 0;
    default:
        return get(lapic, offset & 0xff0);
    }
}

static void end_of_interrupt(struct lapic *lapic)
{
    int vector = highest(lapic, ISR);

    if (vector >= 0)
        change(lapic, ISR, vector, false);
}

/* Others than this CPU there are none. */
static bool send(struct lapic *lapic, uint32_t icr)
{
    bool self = ICR_SHORTHAND(icr) != SHORTHAND_OTHERS &&
                (ICR_SHORTHAND(icr) != SHORTHAND_NONE ||
                 get(lapic, ICR_HIGH) >> 24 == get(lapic, ID) >> 24);

    put(lapic, ICR_LOW, icr & ~ICR_PENDING);
    if (self && ICR_MODE(icr) == MODE_FIXED)
        request(lapic, icr & 0xff);
    return self && ICR_MODE(icr) == MODE_NMI;
}

bool lapic_write(struct lapic *lapic, uint32_t offset, uint32_t value, uint64_t now_ns)
{
    switch (offset & 0xff0) {
    case TPR:
        put(lapic, TPR, value & 0xff);
        break;
    case EOI:
        end_of_interrupt(lapic);
        break;
    case LDR:
    case ICR_HIGH:
        put(lapic, offset & 0xff0, value & 0xff000000u);
        break;
    case DFR:
        put(lapic, DFR, value | 0x0fffffffu);
        break;
    case SVR:
        put(lapic, SVR, value & 0x1ffu);
        break;
    case ESR:
        put(lapic, ESR, 0);
        break;
    case ICR_LOW:
        return send(lapic, value);
    case LVT_TIMER:
    case LVT_THERMAL:
    case LVT_PERFORMANCE:
    case LVT_LINT0:
    case LVT_LINT1:
    case LVT_ERROR:
        put(lapic, offset & 0xff0, value | (get(lapic, SVR) & SVR_ENABLED ? 0 : LVT_MASKED));
        break;
    case TIMER_INITIAL:
        start_timer(lapic, value, now_ns);
        break;
    case TIMER_DIVIDE:
        put(lapic, TIMER_DIVIDE, value & 0xbu);
        break;
    default:
        break; /* read only, or none */
    }
    return false;
}
