/* SPDX-License-Identifier: MIT */
/*
 * Fixed-width types for the stream format, wherever it is compiled: inside the
 * hypervisor they come from Xen, everywhere else from the C library.
 */
#ifndef XEN_LIVEUPDATE_TYPES_H
#define XEN_LIVEUPDATE_TYPES_H

#ifdef __XEN__
#include <xen/types.h>
#include <xen/lib.h>
#include <xen/liveupdate-compat.h>
#include <xen/string.h>
#else
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#endif

#endif /* XEN_LIVEUPDATE_TYPES_H */
