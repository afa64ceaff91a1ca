/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "xrw/reason.h"

#include "xrw/svm.h"
#include "xrw/vmx.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

const struct xrw_reason_info *xrw_reason_at(size_t i)
{
    return i < xrw_vmx_reason_count ? &xrw_vmx_reason_table[i]
                                    : &xrw_svm_reason_table[i - xrw_vmx_reason_count];
}

size_t xrw_reason_count(void)
{
    return xrw_vmx_reason_count + xrw_svm_reason_count;
}

static bool is_svm(unsigned basic_reason)
{
    return basic_reason & XRW_SVM_REASON;
}

const struct xrw_reason_info *xrw_reason_find(unsigned basic_reason)
{
    for (size_t i = 0; i < xrw_reason_count(); i++)
        if (xrw_reason_at(i)->reason == basic_reason)
            return xrw_reason_at(i);
    return NULL;
}

const char *xrw_reason_name(unsigned basic_reason)
{
    const struct xrw_reason_info *info = xrw_reason_find(basic_reason);

    return info ? info->name : NULL;
}

const char *xrw_reason_vendor(unsigned basic_reason)
{
    return is_svm(basic_reason) ? "SVM" : "VMX";
}

int xrw_reason_by_name(const char *name)
{
    char *end;
    unsigned long number;

    for (size_t i = 0; i < xrw_reason_count(); i++)
        if (!strcasecmp(xrw_reason_at(i)->name, name))
            return (int)xrw_reason_at(i)->reason;
    if (*name < '0' || *name > '9')
        return -ENOENT;
    errno = 0;
    number = strtoul(name, &end, 10);
    return errno || *end || number > 0xffff ? -ENOENT : (int)number;
}

unsigned xrw_reason_twin(unsigned basic_reason)
{
    static const uint16_t twins[][2] = {
        {XRW_VMX_INIT, XRW_SVM_INIT},       {XRW_VMX_TASK_SWITCH, XRW_SVM_TASK_SWITCH},
        {XRW_VMX_CPUID, XRW_SVM_CPUID},     {XRW_VMX_HLT, XRW_SVM_HLT},
        {XRW_VMX_INVD, XRW_SVM_INVD},       {XRW_VMX_INVLPG, XRW_SVM_INVLPG},
        {XRW_VMX_RDPMC, XRW_SVM_RDPMC},     {XRW_VMX_RDTSC, XRW_SVM_RDTSC},
        {XRW_VMX_RSM, XRW_SVM_RSM},         {XRW_VMX_RDTSCP, XRW_SVM_RDTSCP},
        {XRW_VMX_WBINVD, XRW_SVM_WBINVD},   {XRW_VMX_XSETBV, XRW_SVM_XSETBV},
        {XRW_VMX_INVPCID, XRW_SVM_INVPCID},
    };

    for (size_t i = 0; i < sizeof twins / sizeof *twins; i++)
        for (unsigned side = 0; side < 2; side++)
            if (twins[i][side] == basic_reason)
                return twins[i][!side];
    return basic_reason;
}

size_t xrw_exit_describe(const struct xrw_exit *exit, char *text, size_t bytes)
{
    return is_svm(xrw_exit_basic_reason(exit)) ? xrw_svm_describe(exit, text, bytes)
                                               : xrw_vmx_describe(exit, text, bytes);
}

bool xrw_exit_is_host(const struct xrw_exit *exit)
{
    return is_svm(xrw_exit_basic_reason(exit)) ? xrw_svm_is_host_exit(exit)
                                               : xrw_vmx_is_host_exit(exit);
}

bool xrw_exit_may_write_memory(const struct xrw_exit *exit)
{
    return is_svm(xrw_exit_basic_reason(exit)) ? xrw_svm_may_write_memory(exit)
                                               : xrw_vmx_may_write_memory(exit);
}
