/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which part of the engine does each instruction of a kernel or program: decodes the executable
 * sections of an ELF file, and asks the engine's own tables for each form.
 *
 *   machine_coverage [--forms] FILE...
 *
 * Exits with 0 if no instruction is left over.
 */
#include "coverage.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A mnemonic with the kinds and sizes of its operands. */
struct form {
    char text[88];
    enum coverage_class class;
    const char *why;
    uint64_t count, first; /* address of the first one */
};

struct forms {
    struct form *items;
    size_t count, room;
    uint32_t *slots; /* open addressing: number + 1 */
    size_t slot_count;
};

struct totals {
    uint64_t instructions[COVERAGE_CLASSES], padding, undecodable;
    uint64_t forms[COVERAGE_CLASSES];
};

static const char *operand_kind(const ZydisDecodedOperand *operand)
{
    switch (operand->type) {
    case ZYDIS_OPERAND_TYPE_IMMEDIATE:
        return operand->imm.is_relative ? "rel" : "imm";
    case ZYDIS_OPERAND_TYPE_POINTER:
        return "far";
    case ZYDIS_OPERAND_TYPE_MEMORY:
        return operand->mem.type == ZYDIS_MEMOP_TYPE_VSIB ? "vmem" : "mem";
    default:
        break;
    }
    switch (ZydisRegisterGetClass(operand->reg.value)) {
    case ZYDIS_REGCLASS_GPR8:
    case ZYDIS_REGCLASS_GPR16:
    case ZYDIS_REGCLASS_GPR32:
    case ZYDIS_REGCLASS_GPR64:
        return "reg";
    case ZYDIS_REGCLASS_XMM:
    case ZYDIS_REGCLASS_YMM:
    case ZYDIS_REGCLASS_ZMM:
        return "vec";
    case ZYDIS_REGCLASS_MASK:
        return "k";
    case ZYDIS_REGCLASS_SEGMENT:
        return "seg";
    case ZYDIS_REGCLASS_X87:
        return "st";
    case ZYDIS_REGCLASS_MMX:
        return "mm";
    default:
        return ZydisRegisterGetString(operand->reg.value);
    }
}

static void form_text(const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                      char *text, size_t room)
{
    const char *lock = insn->attributes & ZYDIS_ATTRIB_HAS_LOCK ? "lock " : "";
    const char *rep =
        insn->attributes & (ZYDIS_ATTRIB_HAS_REP | ZYDIS_ATTRIB_HAS_REPE | ZYDIS_ATTRIB_HAS_REPNE)
            ? "rep "
            : "";
    int at = snprintf(text, room, "%s%s%s", lock, rep, ZydisMnemonicGetString(insn->mnemonic));
    for (unsigned i = 0; i < insn->operand_count_visible && at > 0 && (size_t)at < room; i++)
        at += snprintf(text + at, room - (size_t)at, "%s%s%u", i ? ", " : " ",
                       operand_kind(&operands[i]), operands[i].size);
}

static size_t hash(const char *text)
{
    uint64_t value = 0xcbf29ce484222325u;
    while (*text)
        value = (value ^ (uint8_t)*text++) * 0x100000001b3u;
    return (size_t)(value ^ value >> 29);
}

static void *checked(void *memory)
{
    if (!memory) {
        fprintf(stderr, "machine_coverage: no memory\n");
        exit(2);
    }
    return memory;
}

static uint32_t *find(const struct forms *forms, const char *text)
{
    size_t at = hash(text) & (forms->slot_count - 1);
    while (forms->slots[at] && strcmp(forms->items[forms->slots[at] - 1].text, text) != 0)
        at = (at + 1) & (forms->slot_count - 1);
    return &forms->slots[at];
}

static void grow(struct forms *forms)
{
    forms->room = forms->room ? forms->room * 2 : 4096;
    forms->items = checked(realloc(forms->items, forms->room * sizeof(*forms->items)));
    free(forms->slots);
    forms->slot_count = forms->room * 4;
    forms->slots = checked(calloc(forms->slot_count, sizeof(*forms->slots)));
    for (size_t i = 0; i < forms->count; i++)
        *find(forms, forms->items[i].text) = (uint32_t)i + 1;
}

static void count_insn(struct coverage *coverage, struct forms *forms,
                       const ZydisDecodedInstruction *insn, const ZydisDecodedOperand *operands,
                       const uint8_t *bytes, uint64_t address)
{
    struct form form = {.first = address};
    form.class = coverage_classify(coverage, insn, operands, bytes, &form.why);
    form_text(insn, operands, form.text, sizeof(form.text) - 4);
    /* One text may stand for forms of several classes (a prefix that matters, an address). */
    snprintf(form.text + strlen(form.text), 4, "#%u", (unsigned)form.class);
    if (forms->count == forms->room)
        grow(forms);
    uint32_t *slot = find(forms, form.text);
    if (!*slot) {
        forms->items[forms->count++] = form;
        *slot = (uint32_t)forms->count;
    }
    forms->items[*slot - 1].count++;
}

static void read_code(struct coverage *coverage, struct forms *forms, struct totals *totals,
                      const uint8_t *code, size_t bytes, uint64_t address)
{
    ZydisDecoder decoder;
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
    for (size_t at = 0; at < bytes;) {
        ZydisDecodedInstruction insn;
        ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
        if (code[at] == 0xcc ||
            !ZYAN_SUCCESS(native_decode(&decoder, code + at, bytes - at, &insn, operands))) {
            if (code[at] == 0xcc)
                totals->padding++;
            else
                totals->undecodable++;
            at++;
            continue;
        }
        count_insn(coverage, forms, &insn, operands, code + at, address + at);
        at += insn.length;
    }
}

static const Elf64_Shdr *sections(const uint8_t *file, size_t bytes, unsigned *count)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
    if (bytes < sizeof(*header) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
        header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_machine != EM_X86_64 ||
        header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shoff > bytes ||
        (bytes - header->e_shoff) / sizeof(Elf64_Shdr) < header->e_shnum)
        return NULL;
    *count = header->e_shnum;
    return (const Elf64_Shdr *)(file + header->e_shoff);
}

static int read_file(struct coverage *coverage, struct forms *forms, struct totals *totals,
                     const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0 || fstat(fd, &status) != 0 || status.st_size == 0) {
        fprintf(stderr, "machine_coverage: %s: %s\n", path, strerror(errno ? errno : ENODATA));
        return -1;
    }
    size_t bytes = (size_t)status.st_size;
    uint8_t *file = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE, fd, 0);
    unsigned count = 0;
    close(fd);
    const Elf64_Shdr *section = file == MAP_FAILED ? NULL : sections(file, bytes, &count);
    for (unsigned i = 0; section && i < count; i++)
        if (section[i].sh_type == SHT_PROGBITS && section[i].sh_flags & SHF_EXECINSTR &&
            section[i].sh_offset <= bytes && bytes - section[i].sh_offset >= section[i].sh_size)
            read_code(coverage, forms, totals, file + section[i].sh_offset, section[i].sh_size,
                      section[i].sh_addr);
    if (file != MAP_FAILED)
        munmap(file, bytes);
    if (!section)
        fprintf(stderr, "machine_coverage: %s is no x86-64 ELF file\n", path);
    return section ? 0 : -1;
}

static int by_class_and_count(const void *a, const void *b)
{
    const struct form *x = a, *y = b;
    if (x->class != y->class)
        return x->class < y->class ? -1 : 1;
    return x->count < y->count ? 1 : x->count > y->count ? -1 : strcmp(x->text, y->text);
}

static void print_form(const struct form *form)
{
    printf("  %10llu  %-52.*s first at %llx%s%s\n", (unsigned long long)form->count,
           (int)(strlen(form->text) - 2), form->text, (unsigned long long)form->first,
           form->why ? ": " : "", form->why ? form->why : "");
}

static void print(struct forms *forms, struct totals *totals, bool all)
{
    uint64_t sum = 0;
    qsort(forms->items, forms->count, sizeof(*forms->items), by_class_and_count);
    for (size_t i = 0; i < forms->count; i++) {
        totals->instructions[forms->items[i].class] += forms->items[i].count;
        totals->forms[forms->items[i].class]++;
        sum += forms->items[i].count;
    }
    printf("%llu instructions, %llu bytes of padding (INT3), %llu bytes that are no instruction\n",
           (unsigned long long)sum, (unsigned long long)totals->padding,
           (unsigned long long)totals->undecodable);
    for (unsigned class = 0; class < COVERAGE_CLASSES; class ++) {
        bool list = all || class == COVERAGE_UNHANDLED;
        printf("%-44s %10llu instructions %6.3f %%  %6llu forms\n", coverage_class_name(class),
               (unsigned long long)totals->instructions[class],
               sum ? 100.0 * (double)totals->instructions[class] / (double)sum : 0,
               (unsigned long long)totals->forms[class]);
        for (size_t i = 0; list && i < forms->count; i++)
            if (forms->items[i].class == class)
                print_form(&forms->items[i]);
    }
}

int main(int argc, char **argv)
{
    struct forms forms = {0};
    struct totals totals = {0};
    struct coverage *coverage;
    bool all = argc > 1 && strcmp(argv[1], "--forms") == 0;
    int first = all ? 2 : 1;
    if (argc <= first) {
        fprintf(stderr, "usage: machine_coverage [--forms] FILE...\n"
                        "Which part of the engine does each instruction of these ELF files.\n");
        return 2;
    }
    int error = coverage_create(&coverage);
    if (error) {
        fprintf(stderr, "machine_coverage: %s\n", strerror(-error));
        return 2;
    }
    for (int i = first; i < argc && !error; i++)
        error = read_file(coverage, &forms, &totals, argv[i]);
    if (!error)
        print(&forms, &totals, all);
    coverage_destroy(coverage);
    free(forms.items);
    free(forms.slots);
    return error ? 2 : totals.instructions[COVERAGE_UNHANDLED] ? 1 : 0;
}
