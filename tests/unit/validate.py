#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""validate.py [NAME=]FILE...: is the JSON in each FILE what its schema says? NAME is the schema's name; without
one that of the verb which the document names. Without files: are the schemas sound themselves?

The system's Python, whatever else comes first in the path: the package jsonschema is Debian's."""
import copy
import json
import sys
from pathlib import Path

import jsonschema

TOP = Path(__file__).resolve().parents[2]
SCHEMA = TOP / "lu-tools/schema"


def load():
    """All schemas by their names, those included that are made when the tools are built."""
    return {f.stem: json.loads(f.read_text())
            for d in (SCHEMA, TOP / "build/lu-tools") for f in d.glob("*.json")}


def resolve(node, name, store):
    """The same without references: each is replaced by what it refers to."""
    if isinstance(node, list):
        return [resolve(n, name, store) for n in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        file, path = node["$ref"].split("#/$defs/")
        other = Path(file).stem if file else name
        return resolve(copy.deepcopy(store[other]["$defs"][path]), other, store)
    return {k: resolve(v, name, store) for k, v in node.items()}


def validator(name, store):
    schema = resolve(store[name], name, store)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def trouble(document, name=None):
    """What is wrong with it, or None."""
    name = name or document["verb"] or "usage"
    error = jsonschema.exceptions.best_match(validator(name, load()).iter_errors(document))
    return error and f"{name}.json: {error.message[:300]} (at {'/'.join(map(str, error.absolute_path))})"


def verbs():
    return {f.stem for f in SCHEMA.glob("*.json")} - {"common", "usage"}


def main():
    failed = False
    for name in load():
        validator(name, load())
    for arg in sys.argv[1:]:
        name, _, file = arg.rpartition("=")
        document = json.loads(Path(file).read_text())
        wrong = trouble(document, name)
        # What nobody has described is an error, or the schemas would be worth nothing.
        if not wrong and not name and not (trouble({**document, "surprise": 1}) and
                                           trouble({**document, "exit_code": 9})):
            wrong = f"the schema of {document['verb']} takes anything"
        if wrong:
            print(f"{file}: {wrong}", file=sys.stderr)
            failed = True
    sys.exit(failed)


if __name__ == "__main__":
    main()
