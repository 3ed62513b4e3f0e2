/* SPDX-License-Identifier: GPL-2.0-only */
/* What the compiler wants to have, and formatting of text. */
#include "guest.h"

void *memset(void *s, int c, size_t n)
{
    void *p = s;

    asm volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(c) : "memory");
    return s;
}

void *memcpy(void *to, const void *from, size_t n)
{
    void *p = to;

    asm volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(n) : : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;

    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n])
        n++;
    return n;
}

struct out {
    char *buf;
    size_t size, used;
};

static void add(struct out *o, char c)
{
    if (o->used + 1 < o->size)
        o->buf[o->used] = c;
    o->used++;
}

static void add_text(struct out *o, const char *s)
{
    while (*s)
        add(o, *s++);
}

static void add_number(struct out *o, uint64_t value, unsigned int base)
{
    char digits[24];
    unsigned int n = 0;

    do
        digits[n++] = "0123456789abcdef"[value % base];
    while (value /= base);
    while (n)
        add(o, digits[--n]);
}

/* One conversion: %s %c %d %u %x %p, with l, ll, z, and # for 0x. No widths. */
static const char *convert(struct out *o, const char *fmt, va_list *ap)
{
    bool wide = false, prefix = false;

    for (;; fmt++) {
        if (*fmt == 'l' || *fmt == 'z')
            wide = true;
        else if (*fmt == '#')
            prefix = true;
        else
            break;
    }

    switch (*fmt) {
    case 's': add_text(o, va_arg(*ap, const char *)); break;
    case 'c': add(o, va_arg(*ap, int)); break;
    case 'd': {
        int64_t v = wide ? va_arg(*ap, int64_t) : va_arg(*ap, int);

        if (v < 0)
            add(o, '-');
        add_number(o, v < 0 ? -(uint64_t)v : (uint64_t)v, 10);
        break;
    }
    case 'u': add_number(o, wide ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned int), 10); break;
    case 'p':
    case 'x':
        if (prefix || *fmt == 'p')
            add_text(o, "0x");
        add_number(o, wide || *fmt == 'p' ? va_arg(*ap, uint64_t) : va_arg(*ap, unsigned int), 16);
        break;
    default: add(o, *fmt);
    }
    return *fmt ? fmt + 1 : fmt;
}

int format(char *buf, size_t size, const char *fmt, va_list ap)
{
    struct out o = {.buf = buf, .size = size};
    va_list args;

    va_copy(args, ap);
    while (*fmt) {
        if (*fmt == '%')
            fmt = convert(&o, fmt + 1, &args);
        else
            add(&o, *fmt++);
    }
    va_end(args);
    if (size)
        buf[o.used < size ? o.used : size - 1] = 0;
    return o.used;
}
