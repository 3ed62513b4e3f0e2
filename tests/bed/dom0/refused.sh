# SPDX-License-Identifier: GPL-2.0-only
# For the scenarios that provoke what the check refuses. Sourced by them; FILES must bring docs/carried.md
# (the reasons, made from the source) and tests/e2e/refusals.txt (which scenario provokes which).

# refusals: what the check refuses now, for the target $CHECKED if it is set, one a line: resource, domain ("null": the host),
# reason; tabs between.
refusals() {
    xen-liveupdate --json check $CHECKED 2>&1 | tee /run/bed/check.json | awk '
        function value(s) { sub(/^[^:]*: /, "", s); sub(/,$/, "", s); gsub(/^"|"$/, "", s); gsub(/\\"/, "\"", s); return s }
        /^ *"domain":/ { domain = value($0) }
        /^ *"reason":/ { reason = value($0) }
        /^ *"resource":/ { print value($0) "\t" domain "\t" reason }'
}

# pattern REASON: as a regular expression; <number> and the like stand for anything.
pattern() { echo "$1" | sed 's/[][*.^$\\]/\\&/g; s/<[a-z]*>/.*/g'; }

# What a check must leave alone: the state of the updates, and who is paused how often.
host_state() {
    xen-liveupdate status
    xl dmesg -c >/dev/null
    xl debug-keys q
    usleep 300000
    xl dmesg -c | grep -o -e 'General information for domain.*' -e ' pause_count=[0-9]*'
}

# provoked RESOURCE REASON [DOMAIN]: the check refuses with it now, says so of that domain (of the host, if
# none is named), and does nothing else.
provoked() {
    host_state >/run/bed/state.before
    refusals >/run/bed/refusals
    host_state >/run/bed/state.after
    also_provoked "$@"
    check "refused: $1: $2: nothing is paused, nothing changes" is_untouched
}

# The same of what that check has said besides.
also_provoked() {
    if grep -q "^$1	${3:-null}	$(pattern "$2")\$" /run/bed/refusals; then
        ok "refused: $1: $2"
        echo "$1: $2" >>/run/bed/provoked
    else
        not_ok "refused: $1: $2${3:+ (domain $3)}"
        sed 's/^/  | /' /run/bed/check.json
    fi
}

is_untouched() {
    diff /run/bed/state.before /run/bed/state.after || return 1
    [ -z "$DOMAINS" ] || wait_tick ${DOMAINS%% *} 30
}

nothing_refused() { [ -z "$(refusals | tee /run/bed/refusals)" ] || { cat /run/bed/refusals; false; }; }

# Every reason that the check can give: provoked by a scenario, or there is a reason why not. What is listed for
# this scenario must have been provoked.
refusals_summary() {
    touch /run/bed/provoked
    sed -n '/^## Refused by the check/,/^## Found/s/^| \([a-z0-9_]*\) | [^`]*`\(.*\)`.*/\1: \2/p' /bed/files/carried.md >/run/bed/reasons
    awk -v scenario="$1" '
        FILENAME ~ /reasons$/ { reason[$0]; next }
        FILENAME ~ /provoked$/ { provoked[$0]; next }
        /^#/ || /^$/ { next }
        /^\[/ { section = substr($0, 2, length($0) - 2); next }
        !($0 in reason) { print "not ok - no such reason any more: " $0; next }
        { where[$0] = section }
        END {
            for (r in reason) {
                if (!(r in where)) print "not ok - neither provoked nor a reason why not: " r
                else if (where[r] ~ /^not provoked/) print "# " where[r] ": " r
                else if (where[r] != scenario) print "# provoked by " where[r] ": " r
                else if (r in provoked) print "# provoked here: " r
                else print "not ok - not provoked: " r
            }
        }' /run/bed/reasons /run/bed/provoked /bed/files/refusals.txt | sort >/run/bed/summary
    while read -r line; do
        case $line in
        "not ok - "*) not_ok "${line#not ok - }" ;;
        *) report "${line#\# }" ;;
        esac
    done </run/bed/summary
    check "every refusal of the check is accounted for" sh -c '! grep "^not ok" /run/bed/summary'
}
