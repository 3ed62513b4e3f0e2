# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=sh
# To be sourced, at the top of the project: a private apt configuration, so that nothing of the machine's is changed. Its
# own apt knows the mirror, but often has no sources (deb-src) and no backports switched on.

# private_apt DIR TYPE [RELEASE]: makes it in DIR, for TYPE (deb, deb-src) in "main" of the machine's release, or of
# RELEASE: another one's name, or a suffix to the machine's own (-backports). Same mirror, same keyring.
private_apt() {
    apt=$1
    mkdir -p build/cache
    # The first "main" that is no update or security suite is the base system's.
    target=$(flock build/cache/apt.lock apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT) $(CREATED_BY)' |
        awk '$3 == "main" && $4 == "Packages" && $2 !~ /-/ { print $1, $2; exit }')
    [ -n "$target" ] || { echo "apt on this machine knows no Debian 'main' archive" >&2; return 1; }
    case ${3-} in
    "" | -*) release=${target#* }${3-} ;;
    *) release=$3 ;;
    esac
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    mkdir -p "$apt/parts" "$apt/lists/partial" "$apt/cache/archives/partial"
    {
        echo "Types: $2"
        echo "URIs: ${target% *}"
        echo "Suites: $release"
        echo "Components: main"
        [ ! -f $keyring ] || echo "Signed-By: $keyring"
    } >"$apt/parts/private.sources"
}

# with_private_apt COMMAND ARGUMENT...: apt-get or apt-cache with it.
with_private_apt() {
    quiet=-qq
    [ "${V:-}" != 1 ] || quiet=-q
    command=$1
    shift
    "$command" $quiet -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts="$apt/parts" \
        -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" "$@"
}
