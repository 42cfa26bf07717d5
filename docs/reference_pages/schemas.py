"""JSON Schemas as people read them: the type of a value, and the fields of an object."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from reference_pages.markdown import code, prose, table

Schema = Mapping[str, Any]
Link = Callable[[str], str]
"""Writes the name of another schema, as a link or not."""

_NAMES = {"date-time": "time (RFC 3339)", "path": "path", "ipvanynetwork": "address or network"}
_BOUNDS = (
    ("minimum", "at least {}"),
    ("ge", "at least {}"),
    ("exclusiveMinimum", "more than {}"),
    ("maximum", "at most {}"),
    ("le", "at most {}"),
    ("exclusiveMaximum", "less than {}"),
    ("minItems", "at least {} entries"),
    ("maxItems", "at most {} entries"),
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
)
HIGHEST_64_BIT = 2**63 - 1
_UNREMARKABLE = {("minLength", 1), ("maximum", HIGHEST_64_BIT)}


def type_of(schema: Schema, link: Link = code) -> str:
    """Describe which values a schema accepts."""
    if "$ref" in schema:
        return link(str(schema["$ref"]).rpartition("/")[2])
    if "const" in schema:
        return code(schema["const"])
    if "enum" in schema:
        return ", ".join(code(value) for value in schema["enum"])
    if "anyOf" in schema or "oneOf" in schema:
        options = schema.get("anyOf") or schema["oneOf"]
        return " or ".join(type_of(option, link) for option in options)
    return ", ".join([_kind(schema, link), *_bounds(schema)])


def fields_of(schema: Schema, link: Link = code) -> str:
    """Return a table of an object's fields."""
    required = set(schema.get("required", ()))
    rows = [
        (code(name), type_of(field, link), "yes" if name in required else "no")
        for name, field in schema.get("properties", {}).items()
    ]
    return table(("Field", "Value", "Required"), rows)


def text_of(schema: Schema) -> str:
    """Return a schema's description; line breaks within a paragraph are undone."""
    paragraphs = str(schema.get("description", "")).split("\n\n")
    return "\n\n".join(map(prose, paragraphs))


def objects_of(schemas: Schema) -> Iterator[str]:
    """Describe each of the schemas that others refer to, under a heading of its own."""
    for name, schema in sorted(schemas.items()):
        yield f"### {name}"
        yield text_of(schema)
        has_fields = "properties" in schema
        yield fields_of(schema, link_to) if has_fields else f"One of {type_of(schema)}."


def link_to(name: str) -> str:
    """Link to what `objects_of` has written on the same page."""
    return f"[{name}](#{name.lower()})"


def _kind(schema: Schema, link: Link) -> str:
    kind = str(schema.get("type", "any JSON value"))
    if kind == "array":
        return f"list of {type_of(schema.get('items', {}), link)}"
    if kind == "object":
        return "object"
    if kind == "string" and schema.get("format") in _NAMES:
        return _NAMES[str(schema["format"])]
    return kind


def _bounds(schema: Schema) -> list[str]:
    if "minimum" in schema and "maximum" in schema and schema["maximum"] < HIGHEST_64_BIT:
        return [f"{schema['minimum']:,} to {schema['maximum']:,}"]
    known = ((key, schema[key], text) for key, text in _BOUNDS if key in schema)
    bounds = [text.format(value) for key, value, text in known if (key, value) not in _UNREMARKABLE]
    pattern = str(schema.get("pattern", ""))
    if pattern and "\\x00" not in pattern:  # the pattern of printable text would not help a reader
        bounds.append(f"matches {code(pattern)}")
    return bounds
