/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef XRW_RECORDER_PIPELINE_H
#define XRW_RECORDER_PIPELINE_H

#include "source.h"
#include "xrw/recorder.h"

/* As xrw_record(), from any source. */
int pipeline_record(const struct source *source, const struct xrw_record_options *options,
                    struct xrw_record_result *result, struct xrw_error *err);

#endif
