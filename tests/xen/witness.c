/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An independent reader for the tests: at each exit that the recorder announces it reads the held
 * fork through libxenctrl alone, sharing no code with the recorder, and dumps what it saw.
 *
 *     xenrewind record --each-exit 'witness FILE PAGES' ...
 *
 * On standard input: lines "EXIT DOMAIN"; answers each with a line.  FILE gets, for each exit, a
 * struct witness_exit and after it npages times a struct witness_page: the pages whose content
 * differs from what was there at the exit before (at the first one, all that exist).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xenctrl.h>
#include <xenforeignmemory.h>

#define PAGE 4096u
#define REGISTERS 23

struct witness_exit {
    uint64_t id;
    uint64_t registers[REGISTERS]; /* rax rcx rdx rbx rsp rbp rsi rdi r8-r15 rip rflags cr0 cr2
                                      cr3 cr4, last: cs selector */
    uint64_t npages;
};

struct witness_page {
    uint64_t gfn;
    uint8_t content[PAGE];
};

struct witness {
    xc_interface *xch;
    xenforeignmemory_handle *fmem;
    FILE *out;
    size_t pages;
    xen_pfn_t *gfns;
    int *errs;
    uint8_t *seen; /* content at the exit before */
    uint8_t *exists;
};

static int die(const char *what)
{
    fprintf(stderr, "witness: %s: %s\n", what, strerror(errno));
    return 1;
}

static int read_registers(struct witness *w, uint32_t domain, uint64_t *r)
{
    vcpu_guest_context_any_t any;
    const cpu_user_regs_x86_64_t *u = &any.x64.user_regs;

    if (xc_vcpu_getcontext(w->xch, domain, 0, &any))
        return die("xc_vcpu_getcontext");
    const uint64_t values[REGISTERS] = {
        u->rax,
        u->rcx,
        u->rdx,
        u->rbx,
        u->rsp,
        u->rbp,
        u->rsi,
        u->rdi,
        u->r8,
        u->r9,
        u->r10,
        u->r11,
        u->r12,
        u->r13,
        u->r14,
        u->r15,
        u->rip,
        u->rflags,
        any.x64.ctrlreg[0],
        any.x64.ctrlreg[2],
        any.x64.ctrlreg[3],
        any.x64.ctrlreg[4],
        u->cs,
    };
    memcpy(r, values, sizeof values);
    return 0;
}

/* Append the pages that differ from what was seen before; counts them first. */
static int write_exit(struct witness *w, struct witness_exit *e, const uint8_t *ram)
{
    e->npages = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < w->pages; i++) {
            const uint8_t *page = ram + i * PAGE;
            struct witness_page p = {.gfn = i};

            if (w->errs[i] || (w->exists[i] && !memcmp(w->seen + i * PAGE, page, PAGE)))
                continue;
            if (pass == 0) {
                e->npages++;
                continue;
            }
            memcpy(p.content, page, PAGE);
            memcpy(w->seen + i * PAGE, page, PAGE);
            w->exists[i] = 1;
            if (fwrite(&p, sizeof p, 1, w->out) != 1)
                return die("write");
        }
        if (pass == 0 && fwrite(e, sizeof *e, 1, w->out) != 1)
            return die("write");
    }
    return 0;
}

static int see(struct witness *w, uint64_t id, uint32_t domain)
{
    struct witness_exit e = {.id = id};
    uint8_t *ram;
    int rc;

    if (read_registers(w, domain, e.registers))
        return 1;
    ram = xenforeignmemory_map(w->fmem, domain, PROT_READ, w->pages, w->gfns, w->errs);
    if (!ram)
        return die("xenforeignmemory_map");
    rc = write_exit(w, &e, ram);
    xenforeignmemory_unmap(w->fmem, ram, w->pages);
    return rc;
}

int main(int argc, char **argv)
{
    struct witness w = {0};
    uint64_t id;
    uint32_t domain;

    if (argc != 3 || !(w.pages = strtoul(argv[2], NULL, 0))) {
        fprintf(stderr, "usage: witness FILE PAGES\n");
        return 2;
    }
    w.xch = xc_interface_open(NULL, NULL, 0);
    w.fmem = xenforeignmemory_open(NULL, 0);
    w.out = fopen(argv[1], "wb");
    w.gfns = calloc(w.pages, sizeof *w.gfns);
    w.errs = calloc(w.pages, sizeof *w.errs);
    w.seen = calloc(w.pages, PAGE);
    w.exists = calloc(w.pages, 1);
    if (!w.xch || !w.fmem || !w.out || !w.gfns || !w.errs || !w.seen || !w.exists)
        return die("start");
    for (size_t i = 0; i < w.pages; i++)
        w.gfns[i] = i;
    while (scanf("%" SCNu64 " %" SCNu32, &id, &domain) == 2) {
        if (see(&w, id, domain))
            return 1;
        puts("ok");
        fflush(stdout);
    }
    return fclose(w.out) ? die(argv[1]) : 0;
}
