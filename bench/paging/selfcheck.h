/* SPDX-License-Identifier: MIT */
/* selfcheck.h - is the workload the one that it says it is? */
#ifndef QUIRE_BENCH_PAGING_SELFCHECK_H
#define QUIRE_BENCH_PAGING_SELFCHECK_H

#include "bench/paging/options.h"

/* Prints what was found; 0 where all of it holds, else 1. */
int qr_selfcheck_run(const struct bench_options *options);

#endif
