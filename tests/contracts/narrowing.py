"""Finds what a newer JSON Schema no longer accepts of what an older one accepted."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

Schema = Mapping[str, Any]

LOWER: Final = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
UPPER: Final = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
EXACT: Final = ("pattern", "format", "multipleOf", "uniqueItems")
NESTED: Final = ("items", "additionalProperties", "propertyNames")


@dataclass(frozen=True)
class Node:
    """A schema within a document, in which its references are found."""

    schema: Schema
    document: Schema

    def resolved(self) -> "Node":
        """Follow a reference."""
        reference = self.schema.get("$ref")
        if reference is None:
            return self
        return self.of(self.document["$defs"][reference.rpartition("/")[2]]).resolved()

    def of(self, schema: Any) -> "Node":
        """Return another schema of the same document; a missing one accepts everything."""
        return Node({} if schema in (None, True) else schema, self.document)


def narrowed(old: Schema, new: Schema) -> list[str]:
    """Return where and how a message's new schema breaks its old one.

    Fields may be added if they are optional, and types may accept more. What is removed, renamed,
    made required or restricted is found, and so is a required field that became optional, because
    consumers rely on it.
    """
    return list(_narrowed(Node(old, old), Node(new, new), "message"))


def _narrowed(old: Node, new: Node, path: str) -> Iterator[str]:
    old, new = old.resolved(), new.resolved()
    if old.schema == new.schema and old.document == new.document:
        return
    if "anyOf" in old.schema or "anyOf" in new.schema:
        yield from _options(old, new, path)
        return
    yield from _type(old.schema, new.schema, path)
    yield from _values(old.schema, new.schema, path)
    yield from _bounds(old.schema, new.schema, path)
    yield from _fields(old, new, path)
    for key in NESTED:
        if key in new.schema:
            below = old.of(old.schema.get(key)), new.of(new.schema[key])
            yield from _narrowed(*below, f"{path}.{key}")


def _options(old: Node, new: Node, path: str) -> Iterator[str]:
    """Each option of the old schema must be accepted by one of the new schema."""
    options = [new.of(each) for each in new.schema.get("anyOf", [new.schema])]
    for each in old.schema.get("anyOf", [old.schema]):
        if all(list(_narrowed(old.of(each), option, path)) for option in options):
            yield f"{path}: {each} is no longer accepted"


def _type(old: Schema, new: Schema, path: str) -> Iterator[str]:
    wider = {(None, None), ("integer", "number")}
    before, now = old.get("type"), new.get("type")
    if now not in (None, before) and (before, now) not in wider:
        yield f"{path}: was {before or 'any value'}, is {now}"


def _values(old: Schema, new: Schema, path: str) -> Iterator[str]:
    before, now = _allowed(old), _allowed(new)
    if now is None:
        return
    if before is None:
        yield f"{path}: is now limited to {now}"
    elif lost := [value for value in before if value not in now]:
        yield f"{path}: {lost} is no longer accepted"


def _allowed(schema: Schema) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for key in (*LOWER, *UPPER, *EXACT):
        before, now = old.get(key), new.get(key)
        if now is None or now == before:
            continue
        loosened = before is not None and (
            (key in LOWER and now < before) or (key in UPPER and now > before)
        )
        if not loosened:
            yield f"{path}: {key} was {before}, is {now}"


def _fields(old: Node, new: Node, path: str) -> Iterator[str]:
    before, now = old.schema.get("properties", {}), new.schema.get("properties", {})
    for name, field in before.items():
        if name in now:
            yield from _narrowed(old.of(field), new.of(now[name]), f"{path}.{name}")
        else:
            yield f"{path}.{name}: was removed"
    required_before = set(old.schema.get("required", ()))
    required_now = set(new.schema.get("required", ()))
    for name in sorted(required_now - required_before):
        yield f"{path}.{name}: is now required"
    for name in sorted(required_before - required_now):
        if name in now:
            yield f"{path}.{name}: is no longer required"
