/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gen completion | gen pod FILE | gen schema: what is made from the table of verbs
 * and options, and from the messages of format/, when the tools are built.
 *
 * "pod" fills in a man page: a line "=for table synopsis" is replaced by the usage
 * of all verbs, and for each verb and option there has to be an item.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "../record/message_json.h"
#include "../record/record.h"
#include "table.h"

/* ---- completion ---- */

static void print_list(const char *variable, void (*print)(void))
{
    printf("    local %s=\"", variable);
    print();
    printf("\"\n");
}

static void print_verbs(void)
{
    for (unsigned int i = 0; i < nr_verbs; i++)
        printf("%s%s", i ? " " : "", verb_table[i].name);
}

static void print_globals(void)
{
    const char *sep = "";

    for (unsigned int i = 0; i < NR_OPTIONS; i++)
        if (option_table[i].short_name) {
            printf("%s-%c --%s", sep, option_table[i].short_name, option_table[i].name);
            sep = " ";
        }
}

static void print_verb_case(const struct verb_row *v)
{
    printf("    %s)\n        words=\"$globals", v->name);
    for (unsigned int i = 0; i < NR_OPTIONS; i++)
        if (v->options & (1u << i))
            printf(" --%s", option_table[i].name);
    if (v->complete == COMPLETE_FAULT)
        printf(" list off");
    printf("\"\n        files=%s\n        ;;\n", v->complete == COMPLETE_FILE ? "1" : "");
}

static int completion(void)
{
    printf("# SPDX-License-Identifier: GPL-2.0-only\n"
           "# bash completion for xen-liveupdate; made from its table of verbs and options.\n"
           "_xen_liveupdate()\n{\n"
           "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
           "    local verb= words= files= i\n");
    print_list("verbs", print_verbs);
    print_list("globals", print_globals);
    printf("\n    for ((i = 1; i < COMP_CWORD; i++)); do\n"
           "        [[ ${COMP_WORDS[i]} == -* ]] || { verb=${COMP_WORDS[i]}; break; }\n"
           "    done\n\n"
           "    case $prev in\n");
    for (unsigned int i = 0; i < NR_OPTIONS; i++)
        if (option_table[i].argument)
            printf("    --%s) COMPREPLY=($(compgen -W \"%s\" -- \"$cur\")); return ;;\n",
                   option_table[i].name, option_table[i].choices ? option_table[i].choices : "");
    printf("    esac\n\n    case $verb in\n");
    printf("    \"\")\n        words=\"$globals $verbs\"\n        ;;\n");
    for (unsigned int i = 0; i < nr_verbs; i++)
        print_verb_case(&verb_table[i]);
    printf("    esac\n"
           "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
           "    if [[ $files && $cur != -* ]]; then\n"
           "        COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
           "        compopt -o filenames 2>/dev/null\n"
           "    fi\n"
           "}\n"
           "complete -F _xen_liveupdate xen-liveupdate\n");

    return 0;
}

/* ---- man page ---- */

static void print_synopsis(void)
{
    char usage[256];

    for (unsigned int i = 0; i < nr_verbs; i++) {
        verb_usage(&verb_table[i], usage, sizeof(usage));
        printf("    xen-liveupdate %s\n", usage);
    }
    printf("\n");
}

static int check_items(const char *path, const char *text)
{
    char item[128];
    int missing = 0;

    for (unsigned int i = 0; i < nr_verbs; i++) {
        snprintf(item, sizeof(item), "\n=item B<%s>", verb_table[i].name);
        if (!strstr(text, item)) {
            fprintf(stderr, "%s: nothing about the verb \"%s\"\n", path, verb_table[i].name);
            missing++;
        }
    }
    for (unsigned int i = 0; i < NR_OPTIONS; i++) {
        snprintf(item, sizeof(item), "B<--%s>", option_table[i].name);
        if (!strstr(text, item)) {
            fprintf(stderr, "%s: nothing about the option \"--%s\"\n", path, option_table[i].name);
            missing++;
        }
    }

    return missing ? 1 : 0;
}

static int pod(const char *path)
{
    static char text[1 << 18];
    static const char mark[] = "=for table synopsis\n";
    FILE *f = fopen(path, "r");
    char *at;

    if (!f || !fread(text, 1, sizeof(text) - 1, f) || fclose(f)) {
        perror(path);
        return 1;
    }
    at = strstr(text, mark);
    if (!at) {
        fprintf(stderr, "%s: no line \"=for table synopsis\"\n", path);
        return 1;
    }
    fwrite(text, 1, at - text, stdout);
    print_synopsis();
    fputs(at + sizeof(mark) - 1, stdout);

    return check_items(path, text);
}

/* ---- schema ---- */

static int schema(void)
{
    static const struct {
        const char *name;
        const ProtobufCMessageDescriptor *d;
    } messages[] = {
        {"manifest", &lu__manifest__descriptor},
        {"begin", &lu__begin__descriptor},
        {"end", &lu__end__descriptor},
        {"target", &lu__target__descriptor},
        {"prediction", &lu__prediction__descriptor},
    };
    json_t *defs = json_object();
    json_t *all =
        json_pack("{s:s, s:s, s:s, s:o}", "$schema", "https://json-schema.org/draft/2020-12/schema",
                  "title", "messages of the journal", "$comment",
                  "made from format/manifest.proto and format/report.proto", "$defs", defs);

    for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++)
        json_object_set_new(defs, messages[i].name, message_schema(messages[i].d));
    json_dumpf(all, stdout, JSON_INDENT(2));
    printf("\n");
    json_decref(all);

    return 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && !strcmp(argv[1], "completion"))
        return completion();
    if (argc == 3 && !strcmp(argv[1], "pod"))
        return pod(argv[2]);
    if (argc == 2 && !strcmp(argv[1], "schema"))
        return schema();
    fprintf(stderr, "usage: gen completion | gen pod FILE | gen schema\n");

    return 1;
}
