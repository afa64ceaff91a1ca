/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _DEFAULT_SOURCE
#include "guest_build.h"
#include "xen_compat.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/hvm/params.h>
#include <xen/hvm/save.h>

#include "guest_image.h"
#include "guest_status.h"

#define PAGE 4096ull
#define MIB (1ull << 20)
#define TSC_MODE_ALWAYS_EMULATE 1
#define TSC_MODE_NEVER_EMULATE 2
#define TIMER_MODE_NO_DELAY_FOR_MISSED_TICKS 1 /* what xl gives guests */

/* Where the boot information lies, in memory that kernels leave alone until they have read it. */
enum boot_layout {
    START_INFO = 0x1000,
    MODULES = 0x1400,
    MEMORY_MAP = 0x1800,
    CMDLINE = 0x2000,
    CMDLINE_MAX = PAGE
};

enum memory_type { TYPE_RAM = 1, TYPE_RESERVED = 2 };

int complain(int error, const char *format, ...)
{
    va_list args;

    fputs("xrw-guest: ", stderr);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    if (error)
        fprintf(stderr, ": %s", strerror(error));
    fputc('\n', stderr);
    return -1;
}

static int create_domain(xc_interface *xch, const struct guest_spec *spec, uint32_t *domid)
{
    const uint32_t pc = XEN_X86_EMU_ALL & ~XEN_X86_EMU_VPCI;
    struct xen_domctl_createdomain config = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = spec->vcpus,
        .max_evtchn_port = 1023,
        .max_grant_frames = 4,
        .max_maptrack_frames = 4,
        .arch.emulation_flags = spec->pc_timers ? pc : XEN_X86_EMU_LAPIC,
    };
    uint32_t created = 0;

    xen_compat_grants(&config);
    if (xc_domain_create(xch, &created, &config))
        return complain(errno, "cannot create a domain");
    *domid = created;
    return 0;
}

static int populate(xc_interface *xch, uint32_t domid, uint64_t pages)
{
    xen_pfn_t *gfns = calloc(pages, sizeof *gfns);
    int rc;

    if (!gfns)
        return complain(ENOMEM, "memory of the guest");
    for (uint64_t i = 0; i < pages; i++)
        gfns[i] = i;
    /* Order 0: a fork shares and copies single pages. */
    rc = xc_domain_populate_physmap_exact(xch, domid, pages, 0, 0, gfns);
    if (rc)
        complain(errno, "cannot give the domain %llu MiB",
                 (unsigned long long)(pages * PAGE / MIB));
    free(gfns);
    return rc ? -1 : 0;
}

/* The settings that must stand before the guest's first instruction; forks inherit them. */
static int configure(xc_interface *xch, uint32_t domid, const struct guest_spec *spec,
                     uint64_t pages)
{
    uint32_t tsc_mode = spec->native_tsc ? TSC_MODE_NEVER_EMULATE : TSC_MODE_ALWAYS_EMULATE;

    if (xc_domain_max_vcpus(xch, domid, spec->vcpus))
        return complain(errno, "cannot give the domain %u vCPUs", spec->vcpus);
    if (xc_domain_setmaxmem(xch, domid, (pages + 1024) * PAGE / 1024))
        return complain(errno, "cannot set the domain's memory limit");
    if (xc_domain_set_tsc_info(xch, domid, tsc_mode, 0, 0, 0))
        return complain(errno, "cannot choose whether RDTSC is emulated");
    if (xc_hvm_param_set(xch, domid, HVM_PARAM_TIMER_MODE, TIMER_MODE_NO_DELAY_FOR_MISSED_TICKS))
        return complain(errno, "cannot set the timer mode");
    if (populate(xch, domid, pages))
        return -1;
    if (xc_hvm_param_set(xch, domid, HVM_PARAM_MONITOR_RING_PFN, pages))
        return complain(errno, "cannot set the monitor ring page");
    return 0;
}

/* The initrd goes to the end of RAM. */
static int load_initrd(const char *path, uint8_t *ram, uint64_t ram_bytes, uint64_t kernel_end,
                       struct hvm_modlist_entry *module)
{
    struct image image;
    uint64_t at;

    if (image_read(path, &image))
        return -1;
    at = image.bytes < ram_bytes ? (ram_bytes - image.bytes) & ~(PAGE - 1) : 0;
    if (at < kernel_end) {
        free(image.data);
        return complain(0, "%s: does not fit into the guest's memory: give it more with --memory",
                        path);
    }
    memcpy(ram + at, image.data, image.bytes);
    *module = (struct hvm_modlist_entry){.paddr = at, .size = image.bytes};
    free(image.data);
    return 0;
}

static int write_boot_information(const struct guest_spec *spec, uint8_t *ram, uint64_t ram_bytes,
                                  uint64_t kernel_end)
{
    const struct hvm_memmap_table_entry map[] = {
        {.addr = 0, .size = GUEST_STATUS_GPA, .type = TYPE_RAM},
        {.addr = GUEST_STATUS_GPA, .size = PAGE, .type = TYPE_RESERVED},
        {.addr = MIB, .size = ram_bytes - MIB, .type = TYPE_RAM},
    };
    struct hvm_start_info info = {
        .magic = XEN_HVM_START_MAGIC_VALUE,
        .version = 1,
        .cmdline_paddr = CMDLINE,
        .memmap_paddr = MEMORY_MAP,
        .memmap_entries = sizeof map / sizeof map[0],
    };
    struct hvm_modlist_entry module;

    if (strlen(spec->cmdline) >= CMDLINE_MAX)
        return complain(0, "the command line is longer than %d characters", CMDLINE_MAX - 1);
    if (spec->initrd) {
        if (load_initrd(spec->initrd, ram, ram_bytes, kernel_end, &module))
            return -1;
        info.nr_modules = 1;
        info.modlist_paddr = MODULES;
        memcpy(ram + MODULES, &module, sizeof module);
    }
    memcpy(ram + START_INFO, &info, sizeof info);
    memcpy(ram + MEMORY_MAP, map, sizeof map);
    strcpy((char *)ram + CMDLINE, spec->cmdline);
    return 0;
}

static int load(const struct guest_spec *spec, uint8_t *ram, uint64_t ram_bytes, uint32_t *entry)
{
    struct image kernel;
    uint64_t end;
    int rc;

    if (image_read(spec->kernel, &kernel))
        return -1;
    memset(ram, 0, ram_bytes); /* Xen need not have scrubbed it */
    rc = image_load_kernel(spec->kernel, &kernel, ram, ram_bytes, entry, &end);
    free(kernel.data);
    return rc ? rc : write_boot_information(spec, ram, ram_bytes, end);
}

static int load_memory(const struct xen_handles *xen, const struct guest_spec *spec, uint32_t domid,
                       uint64_t pages, uint32_t *entry)
{
    xen_pfn_t *gfns = calloc(pages, sizeof *gfns);
    uint8_t *ram = NULL;
    int rc = -1;

    if (!gfns)
        return complain(ENOMEM, "memory of the guest");
    for (uint64_t i = 0; i < pages; i++)
        gfns[i] = i;
    ram = xenforeignmemory_map(xen->fmem, domid, PROT_READ | PROT_WRITE, pages, gfns, NULL);
    if (ram)
        rc = load(spec, ram, pages * PAGE, entry);
    else
        complain(errno, "cannot map the guest's memory");
    if (ram)
        xenforeignmemory_unmap(xen->fmem, ram, pages);
    free(gfns);
    return rc;
}

/* 32-bit protected mode without paging, flat segments, EBX = start info. */
static struct hvm_hw_cpu pvh_entry_state(uint32_t entry)
{
    struct hvm_hw_cpu cpu = {
        .rip = entry,
        .rbx = START_INFO,
        .rflags = 2,
        .cr0 = 0x11, /* PE, ET */
        .dr6 = 0xffff0ff0,
        .dr7 = 0x400,
        .cs_sel = 0x08,
        .ds_sel = 0x10,
        .cs_arbytes = 0xc9b,
        .ds_arbytes = 0xc93,
        .tr_arbytes = 0x8b,
        .cs_limit = UINT32_MAX,
        .tr_limit = 0x67,
    };

    cpu.es_sel = cpu.fs_sel = cpu.gs_sel = cpu.ss_sel = cpu.ds_sel;
    cpu.es_arbytes = cpu.fs_arbytes = cpu.gs_arbytes = cpu.ss_arbytes = cpu.ds_arbytes;
    cpu.es_limit = cpu.fs_limit = cpu.gs_limit = cpu.ss_limit = cpu.ds_limit = cpu.cs_limit;
    return cpu;
}

/* Xen loads only the records that it is given, but wants the header that it wrote itself. */
static int load_cpu(xc_interface *xch, uint32_t domid, uint32_t entry)
{
    struct {
        struct hvm_save_descriptor header_descriptor;
        HVM_SAVE_TYPE(HEADER) header;
        struct hvm_save_descriptor cpu_descriptor;
        HVM_SAVE_TYPE(CPU) cpu;
        struct hvm_save_descriptor end_descriptor;
        HVM_SAVE_TYPE(END) end;
    } records = {0};
    int bytes = xc_domain_hvm_getcontext(xch, domid, NULL, 0);
    uint8_t *context = bytes > 0 ? calloc(1, (size_t)bytes) : NULL;

    if (!context || xc_domain_hvm_getcontext(xch, domid, context, (uint32_t)bytes) < 0) {
        free(context);
        return complain(errno, "cannot read the vCPU's state");
    }
    memcpy(&records, context, sizeof records.header_descriptor + sizeof records.header);
    free(context);
    records.cpu_descriptor.typecode = HVM_SAVE_CODE(CPU);
    records.cpu_descriptor.length = HVM_SAVE_LENGTH(CPU);
    records.end_descriptor.typecode = HVM_SAVE_CODE(END);
    records.end_descriptor.length = HVM_SAVE_LENGTH(END);
    records.cpu = pvh_entry_state(entry);
    if (xc_domain_hvm_setcontext(xch, domid, (uint8_t *)&records, sizeof records))
        return complain(errno, "cannot set the vCPU's state");
    return 0;
}

int guest_create(const struct xen_handles *xen, const struct guest_spec *spec, uint32_t *domid)
{
    uint64_t pages = spec->memory_mib * MIB / PAGE;
    uint32_t created = 0, entry;

    if (create_domain(xen->xch, spec, &created))
        return -1;
    if (configure(xen->xch, created, spec, pages) ||
        load_memory(xen, spec, created, pages, &entry) || load_cpu(xen->xch, created, entry)) {
        xc_domain_destroy(xen->xch, created);
        return -1;
    }
    *domid = created;
    return 0;
}
