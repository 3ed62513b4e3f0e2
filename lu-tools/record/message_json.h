/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The messages of format/manifest.proto and report.proto as JSON.  For the command line: the library has no use for it.
 */
#ifndef MESSAGE_JSON_H
#define MESSAGE_JSON_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

/* Any message as JSON: bytes as hexadecimal digits, enumerations in lower case, -1 as null. */
json_t *message_json(const ProtobufCMessage *m);
/* The JSON Schema of what message_json() makes of messages of this kind. */
json_t *message_schema(const ProtobufCMessageDescriptor *d);

#endif /* MESSAGE_JSON_H */
