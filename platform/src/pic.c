/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pic.h"

#include <string.h>

#define CASCADE 2u
#define NONE 8u
#define SPURIOUS 7u
#define ICW1 0x10u
#define ICW1_NEEDS_ICW4 0x01u
#define ICW4_AUTO_EOI 0x02u
#define OCW3 0x08u

void pic_init(struct pic *pic)
{
    memset(pic, 0, sizeof *pic);
    pic->chip[0].imr = pic->chip[1].imr = 0xff;
}

static unsigned lowest(uint8_t bits)
{
    return bits ? (unsigned)__builtin_ctz(bits) : NONE;
}

/* The line to serve next, by fixed priority; NONE. */
static unsigned candidate(const struct pic_chip *chip)
{
    unsigned irq = lowest(chip->irr & (uint8_t)~chip->imr);

    return irq < lowest(chip->isr) ? irq : NONE;
}

static void set_line(struct pic_chip *chip, unsigned line, bool level)
{
    uint8_t bit = (uint8_t)(1u << line);

    if (level && !(chip->level & bit))
        chip->irr |= bit;
    if (!level)
        chip->irr &= (uint8_t)~bit;
    chip->level = (uint8_t)(level ? chip->level | bit : chip->level & ~bit);
}

static void cascade(struct pic *pic)
{
    set_line(&pic->chip[0], CASCADE, candidate(&pic->chip[1]) != NONE);
}

void pic_line(struct pic *pic, unsigned irq, bool level)
{
    set_line(&pic->chip[irq / 8 & 1], irq % 8, level);
    cascade(pic);
}

bool pic_pending(const struct pic *pic)
{
    return candidate(&pic->chip[0]) != NONE;
}

static uint8_t acknowledge(struct pic_chip *chip)
{
    unsigned line = candidate(chip);

    if (line == NONE)
        return (uint8_t)(chip->base + SPURIOUS);
    chip->irr &= (uint8_t) ~(1u << line);
    if (!chip->auto_eoi)
        chip->isr |= (uint8_t)(1u << line);
    return (uint8_t)(chip->base + line);
}

uint8_t pic_acknowledge(struct pic *pic)
{
    bool second = candidate(&pic->chip[0]) == CASCADE;
    uint8_t vector = acknowledge(&pic->chip[0]);

    if (second)
        vector = acknowledge(&pic->chip[1]);
    cascade(pic);
    return vector;
}

static void start_initialisation(struct pic_chip *chip, uint8_t value)
{
    uint8_t level = chip->level;

    *chip = (struct pic_chip){
        .level = level, .step = 2, .wants_icw4 = value & ICW1_NEEDS_ICW4, .base = chip->base};
}

static void end_of_interrupt(struct pic_chip *chip, uint8_t value)
{
    unsigned line = value & 0x40u ? value & 7u : lowest(chip->isr);

    if (value & 0x20u && line < NONE)
        chip->isr &= (uint8_t) ~(1u << line);
}

static void write_command(struct pic_chip *chip, uint8_t value)
{
    if (value & ICW1)
        start_initialisation(chip, value);
    else if (value & OCW3)
        chip->read_isr = value & 2u ? value & 1u : chip->read_isr;
    else
        end_of_interrupt(chip, value);
}

static void write_data(struct pic_chip *chip, uint8_t value)
{
    switch (chip->step) {
    case 2:
        chip->base = value & 0xf8u;
        chip->step = 3;
        break;
    case 3:
        chip->step = chip->wants_icw4 ? 4 : 0;
        break;
    case 4:
        chip->auto_eoi = value & ICW4_AUTO_EOI;
        chip->step = 0;
        break;
    default:
        chip->imr = value;
    }
}

void pic_write(struct pic *pic, uint16_t port, uint8_t value)
{
    struct pic_chip *chip = &pic->chip[port >> 7 & 1];

    if (port & 1)
        write_data(chip, value);
    else
        write_command(chip, value);
    cascade(pic);
}

uint8_t pic_read(const struct pic *pic, uint16_t port)
{
    const struct pic_chip *chip = &pic->chip[port >> 7 & 1];

    if (port & 1)
        return chip->imr;
    return chip->read_isr ? chip->isr : chip->irr;
}
