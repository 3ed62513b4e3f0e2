/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of verbs and options: see table.h.
 */

#include <stdio.h>
#include <string.h>

#include "table.h"

#define LU_FEATURE(bit, option, name, use) name " "
static const char features[] =
#include <xen-liveupdate/features.def>
    ;
#undef LU_FEATURE

const struct option_row option_table[NR_OPTIONS] = {
    [OPT_VERBOSE] = {"verbose", 'v', NULL, NULL, "more details"},
    [OPT_QUIET] = {"quiet", 'q', NULL, NULL, "errors only"},
    [OPT_DRY_RUN] = {"dry-run", 'n', NULL, NULL, "say what would be done, and change nothing"},
    [OPT_JSON] = {"json", 'j', NULL, NULL, "one JSON object on stdout in place of the text"},
    [OPT_HELP] = {"help", 'h', NULL, NULL, "this text"},
    [OPT_VERSION] = {"version", 'V', NULL, NULL, "the version of the tools"},
    [OPT_APPEND] = {"append", 0, "OPTIONS", NULL, "options for the target's command line"},
    [OPT_WITHOUT] = {"without", 0, "FEATURES", features,
                     "what the running Xen has and the target may lack, with commas between"},
    [OPT_TIMEOUT] = {"timeout", 0, "SECONDS", NULL,
                     "how long to wait for the outcome; 0: for ever"},
    [OPT_MAX_PAUSE] = {"max-pause", 0, "MILLISECONDS", NULL,
                       "rehearse first, and refuse an update whose pause would be longer"},
    [OPT_LAST] = {"last", 0, NULL, NULL, "the stream that the running Xen was started with"},
    [OPT_REHEARSED] = {"rehearsed", 0, NULL, NULL, "the stream of the last rehearsal"},
    [OPT_FORMAT] = {"format", 0, "FORMAT", "text json trace",
                    "text, json, or trace (Chrome's trace events)"},
};

#define O(name) (1u << OPT_##name)

const struct verb_row verb_table[] = {
    {"check", 0, 1, O(APPEND) | O(WITHOUT), true, "[TARGET]", COMPLETE_FILE,
     "can every domain be carried; does TARGET suit"},
    {"stage", 1, 1, O(APPEND) | O(WITHOUT), true, "TARGET", COMPLETE_FILE,
     "load the Xen that shall replace the running one"},
    {"unstage", 0, 0, 0, true, "", COMPLETE_NOTHING, "drop the staged target"},
    {"status", 0, 0, 0, true, "", COMPLETE_NOTHING,
     "what runs, where a target goes, what is staged"},
    {"rehearse", 0, 0, O(TIMEOUT), true, "", COMPLETE_NOTHING,
     "everything but the jump: how long, how much"},
    {"apply", 0, 0, O(TIMEOUT) | O(MAX_PAUSE), true, "", COMPLETE_NOTHING,
     "update to the staged target"},
    {"abort", 0, 0, 0, true, "", COMPLETE_NOTHING, "take back an update that has not begun"},
    {"result", 0, 0, 0, true, "", COMPLETE_NOTHING, "what became of the last attempt"},
    {"history", 0, 1, 0, false, "[ID]", COMPLETE_NOTHING,
     "all updates of this host, or all about one of them"},
    {"report", 0, 1, O(FORMAT), false, "[ID]", COMPLETE_NOTHING,
     "the time line of the last update, or of one of them"},
    {"inspect", 0, 1, O(LAST) | O(REHEARSED), false, "[FILE]", COMPLETE_FILE,
     "what is in a stream"},
    {"read-stream", 1, 1, 0, true, "FILE", COMPLETE_FILE, "save the last stream to FILE"},
    {"fault", 1, 3, 0, true, "PHASE RESOURCE [hang]|list|off", COMPLETE_FAULT,
     "tests: make the next attempt fail there"},
};

const unsigned int nr_verbs = sizeof(verb_table) / sizeof(verb_table[0]);

void verb_usage(const struct verb_row *v, char *text, unsigned int size)
{
    unsigned int n =
        snprintf(text, size, "%s%s%s", v->name, v->arguments[0] ? " " : "", v->arguments);

    for (unsigned int i = 0; i < NR_OPTIONS && n < size; i++)
        if (v->options & (1u << i))
            n += snprintf(text + n, size - n, " [--%s%s%s]", option_table[i].name,
                          option_table[i].argument ? " " : "",
                          option_table[i].argument ? option_table[i].argument : "");
}
