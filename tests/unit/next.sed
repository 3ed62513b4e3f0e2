# SPDX-License-Identifier: MIT
# Makes the next version of the format: the fixed part of TIMER and the entries of WATCHDOG grow,
# and there is a record NEXT. See next.c.
s/^#define LU_FORMAT_VERSION 1u/#define LU_FORMAT_VERSION 2u/
/^LU_RECORD(TIMER,/s/, 1, LU_MANDATORY/, 2, LU_MANDATORY/
/^LU_ENTRIES(TIMER,/i LU_FIELD(uint64_t, added, "not known to version 1")
/^LU_RECORD(WATCHDOG,/s/, 1, LU_MANDATORY/, 2, LU_MANDATORY/
/^LU_END(WATCHDOG,/i LU_FIELD(uint64_t, added, "not known to version 1")
/^LU_RECORD(END,/i LU_RECORD(NEXT, next, 0xfff0, 1, LU_OPTIONAL, LU_SCOPE_HOST, "New")\
LU_FIELD(uint64_t, value, "a number")\
LU_ENTRIES(NEXT, next, "")\
LU_END(NEXT, next)\

