"""Avro files of records of numbers, as wristbands write them."""

import io
import json
import zlib

from ._common import Expansion, import_library, read_file

_MAGIC = b"Obj\x01"
_SYNC = 16  # bytes
_NUMBERS = ("int", "long", "float", "double")
_SIMPLE = (*_NUMBERS, "null", "boolean", "string", "bytes")
_MOST_FIELDS = 1000
_META = {"type": "map", "values": "bytes"}


def _count_fields(schema, known):
    """Return the number of fields of a schema; raise if a file could make it endless or huge.

    Lists hold numbers, each of a byte or more, and records hold no record that is not complete:
    nothing of the file takes no bytes and repeats.
    """
    if isinstance(schema, list):
        return sum(_count_fields(each, known) for each in schema)
    kind = schema["type"] if isinstance(schema, dict) else schema
    if kind == "record":
        count = sum(_count_fields(field["type"], known) for field in schema["fields"])
        known[schema["name"]] = count
        return count
    if isinstance(kind, (dict, list)):
        return _count_fields(kind, known)
    if kind in _SIMPLE or (kind == "array" and schema["items"] in _NUMBERS):
        return 1
    if kind in known:
        return known[kind]
    raise ValueError(f"its schema must be records of numbers, texts and lists, got {kind!r:.60}")


def _parse_schema(text):
    schema = import_library("fastavro").parse_schema(json.loads(text))
    if (count := _count_fields(schema, {})) > _MOST_FIELDS:
        raise ValueError(f"its schema must have at most {_MOST_FIELDS} fields, got {count}")
    return schema


def _read(data, schema):
    return import_library("fastavro").schemaless_reader(data, schema, None)


def _read_block(data, codec, sync, expansion):
    """Return the number of records of the next block, and their bytes."""
    count, size = _read(data, "long"), _read(data, "long")
    block = data.read(max(size, 0))
    if count < 0 or size < 0 or len(block) != size or data.read(_SYNC) != sync:
        raise ValueError(f"it is cut off or damaged, before byte {data.tell()}")
    if codec == "deflate":
        return count, bytes(expansion.inflate(block, -zlib.MAX_WBITS))
    return count, expansion.count(block)


def read_avro(path):
    """Return the records of an Avro file as dicts.

    What is decompressed is limited by ``file_limits``. Compression is none or deflate.
    """
    data = read_file(path)
    if data[:4] != _MAGIC:
        raise ValueError(f"it must start with {_MAGIC}, got {data[:4]}")
    data = io.BytesIO(data[4:])
    meta = _read(data, _META)
    sync, codec = data.read(_SYNC), meta.get("avro.codec", b"null").decode()
    if codec not in ("null", "deflate"):
        raise ValueError(f"its compression must be null or deflate, got {codec!r:.60}")
    schema, expansion, records = _parse_schema(meta["avro.schema"]), Expansion(path), []
    while data.tell() < len(data.getbuffer()):
        count, block = _read_block(data, codec, sync, expansion)
        block = io.BytesIO(block)
        for _ in range(count):
            if block.tell() == len(block.getbuffer()):
                raise ValueError(f"a block must hold {count} records, got fewer")
            records.append(_read(block, schema))
    return records
