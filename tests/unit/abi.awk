# SPDX-License-Identifier: GPL-2.0-only
# From the header of libxenliveupdate: -v age=older, as it was before its structures grew: the last member of each is left
# out; -v age=newer, as it will be: each has one more (abi_test.c).  -v age=layout makes a program that prints
# all that callers are compiled with, and does not compile when a structure ends in padding: what is added there
# later an older library would not set.
age == "layout" && /^#define XENLU_[A-Z_]* / && !/_VERSION/ { body = body "\n    C(" $2 ")" }
age == "layout" && /^    XENLU_[A-Z_0-9]*( = [0-9]*)?,/ { sub(/,.*/, "", $1); body = body "\n    C(" $1 ")" }
/^struct xenlu_.* {$/ { name = $2 }
name != "" && /^};/ {
    body = body "\n    E(" name ", " member ")"
    if (age == "older" && name != "xenlu_error") held = ""
    if (age == "newer" && name != "xenlu_error") held = held "\n    uint64_t added[5];"
    if (held != "" && age != "layout") print held
    name = held = ""
}
name != "" && /^    [a-z}].*;/ {
    member = $0
    sub(/(\[[A-Za-z_0-9]*\])?;.*/, "", member)
    sub(/.*[ *]/, "", member)
    if (member != "reserved") body = body "\n    M(" name ", " member ")"
}
age == "layout" { next }
name != "" { if (held != "") print held; held = $0; next }
{ print }
END {
    if (age == "layout") print "#include <stdio.h>\n#include \"xenliveupdate.h\"\n" \
        "#define AT(s, m) offsetof(struct s, m)\n#define LONG(s, m) sizeof(((struct s *)0)->m)\n" \
        "#define C(c) printf(\"%s %lld\\n\", #c, (long long)(c));\n" \
        "#define M(s, m) printf(\"%s.%s %zu %zu\\n\", #s, #m, AT(s, m), LONG(s, m));\n" \
        "#define E(s, m) _Static_assert(AT(s, m) + LONG(s, m) == sizeof(struct s), #s \" ends in padding\");\n" \
        "int main(void)\n{" body "\n}"
}
