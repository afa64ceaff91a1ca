/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "pipeline.h"
#include "xen.h"

int xrw_record(const struct xrw_record_options *options, struct xrw_record_result *result,
               struct xrw_error *err)
{
    struct source source;
    int rc = xen_source_create(&source, options, err);

    if (rc)
        return rc;
    rc = pipeline_record(&source, options, result, err);
    xen_source_destroy(&source);
    return rc;
}
