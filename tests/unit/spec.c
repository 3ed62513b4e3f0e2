/* SPDX-License-Identifier: MIT */
/*
 * spec SPEC.md FILE...: prints SPEC.md with the tables between its markers made
 * anew: the records from lu_records[], the constants from the text of the headers
 * and .def files, which is where their meaning is written.
 */

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen-liveupdate/stream.h>

#define BEGIN_RECORDS   "<!-- records -->"
#define BEGIN_CONSTANTS "<!-- constants -->"
#define END             "<!-- end -->"

static const char *type_name(enum lu_kind kind)
{
    static const char *const names[] = {
        [LU_KIND_u8] = "u8",   [LU_KIND_u16] = "u16", [LU_KIND_u32] = "u32",
        [LU_KIND_u64] = "u64", [LU_KIND_s64] = "s64", [LU_KIND_chars] = "text",
    };

    return names[kind];
}

/* A bar would end the cell. */
static void print_cell(const char *text)
{
    for (; *text; text++)
        printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_fields(const struct lu_field_desc *f, unsigned int nr)
{
    unsigned int i, offset = 0;

    printf("| offset | type | field | meaning |\n|---:|---|---|---|\n");
    for (i = 0; i < nr; offset += f[i++].size) {
        printf("| %u | %s", offset, type_name(f[i].kind));
        if (f[i].count > 1)
            printf("[%u]", f[i].count);
        printf(" | `%s` | ", f[i].name);
        print_cell(f[i].doc);
        printf(" |\n");
    }
    printf("\n");
}

static void print_record(const struct lu_record_desc *desc)
{
    static const char *const scopes[] = {
        [LU_SCOPE_HOST] = "host",
        [LU_SCOPE_DOMAIN] = "domain",
        [LU_SCOPE_VCPU] = "vCPU",
    };

    printf("#### %s\n\n%s.\n\n", desc->name, desc->doc);
    printf("Type %#06x, version %u, %s, scope: %s; fixed part %u bytes, ", desc->type,
           desc->version, desc->flags & LU_MANDATORY ? "mandatory" : "optional",
           scopes[desc->scope], desc->fixed_len);
    if (desc->entry_len)
        printf("entries of %u %s.\n\n", desc->entry_len, desc->entry_len == 1 ? "byte" : "bytes");
    else
        printf("no entries.\n\n");

    if (desc->nr_fixed)
        print_fields(desc->fixed, desc->nr_fixed);
    if (desc->nr_entry) {
        printf("Each entry: %s.\n\n", desc->entry_doc);
        print_fields(desc->entry, desc->nr_entry);
    }
}

static void print_records(void)
{
    unsigned int i;

    printf("\n");
    for (i = 0; i < lu_nr_records; i++)
        print_record(&lu_records[i]);
}

/* ---- constants ---- */

static char *trim(char *s)
{
    char *end = s + strlen(s);

    while (isspace((unsigned char)*s))
        s++;
    while (end > s && isspace((unsigned char)end[-1]))
        *--end = 0;

    return s;
}

/* The text of a one-line comment in @line, which is cut off before it; or NULL. */
static char *comment_of(char *line)
{
    char *start = strstr(line, "/*"), *end = start ? strstr(start, "*/") : NULL;

    if (!end)
        return NULL;
    *start = *end = 0;

    return trim(start + 2);
}

/* "#define LU_X 0x1u" or, in an enum, "LU_X = 1,". */
static bool constant_of(char *line, char **name, char **value)
{
    char *p = trim(line);
    size_t len;

    if (!strncmp(p, "#define ", 8)) {
        *name = trim(p + 8);
        len = strcspn(*name, " (");
        if ((*name)[len] != ' ')
            return false;
        *value = trim(*name + len);
    } else {
        *name = p;
        len = strcspn(p, " ");
        if (strncmp(p + len, " = ", 3))
            return false;
        *value = p + len + 3;
    }
    (*name)[len] = 0;
    (*value)[strspn(*value, "0123456789abcdefABCDEFx")] = 0;

    return !strncmp(*name, "LU_", 3) && isdigit((unsigned char)**value);
}

/* Each run of constants with the comment, or the enum, above it. */
static void print_constants_of(const char *path)
{
    char line[1024], heading[1024] = "";
    bool table = false;
    FILE *f = fopen(path, "r");

    if (!f) {
        perror(path);
        exit(EXIT_FAILURE);
    }

    while (fgets(line, sizeof(line), f)) {
        char copy[1024], *comment, *name, *value;

        memcpy(copy, line, sizeof(copy));
        comment = comment_of(copy);
        if (*trim(copy) && constant_of(copy, &name, &value)) {
            if (*heading)
                printf("\n%s:\n\n| constant | value | meaning |\n|---|---:|---|\n", heading);
            else if (!table)
                printf("\n| constant | value | meaning |\n|---|---:|---|\n");
            *heading = 0;
            table = true;
            printf("| `%s` | %s | ", name, value);
            print_cell(comment ? comment : "");
            printf(" |\n");
            continue;
        }

        table = false;
        if (comment && !*trim(copy)) {
            snprintf(heading, sizeof(heading), "%s", comment);
            *heading = toupper((unsigned char)*heading);
            if (*heading && heading[strlen(heading) - 1] == '.')
                heading[strlen(heading) - 1] = 0;
        } else if (strncmp(trim(line), "enum ", 5)) {
            *heading = 0;
        }
    }
    fclose(f);
}

static void print_constants(char **paths, int nr)
{
    int i;

    for (i = 0; i < nr; i++)
        print_constants_of(paths[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    bool skip = false;
    char line[4096];
    FILE *f;

    if (argc < 2 || !(f = fopen(argv[1], "r"))) {
        fprintf(stderr, "usage: spec SPEC.md FILE...\n");
        return 2;
    }

    while (fgets(line, sizeof(line), f)) {
        if (!strncmp(line, END, strlen(END)))
            skip = false;
        if (skip)
            continue;
        fputs(line, stdout);
        if (!strncmp(line, BEGIN_RECORDS, strlen(BEGIN_RECORDS))) {
            print_records();
            skip = true;
        } else if (!strncmp(line, BEGIN_CONSTANTS, strlen(BEGIN_CONSTANTS))) {
            print_constants(argv + 2, argc - 2);
            skip = true;
        }
    }
    fclose(f);

    return EXIT_SUCCESS;
}
