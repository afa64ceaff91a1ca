/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine_source.h"
#include "pipeline.h"
#include "xen.h"

int xrw_record(const struct xrw_record_options *options, struct xrw_record_result *result,
               struct xrw_error *err)
{
    bool machine = options->machine.kernel != NULL;
    struct source source;
    int rc = machine ? machine_source_create(&source, options, err)
                     : xen_source_create(&source, options, err);

    if (rc)
        return rc;
    rc = pipeline_record(&source, options, result, err);
    if (machine)
        machine_source_destroy(&source);
    else
        xen_source_destroy(&source);
    return rc;
}
