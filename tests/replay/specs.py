"""The platforms' own API descriptions as JSON schemas."""

import gzip
import json
from typing import Any

import jsonschema
import pytest

from tests.replay.conftest import DATA

_DATE_TIME = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$"
_FORMATS = {
    "uint64": {"pattern": r"^\d+$"},
    "int64": {"pattern": r"^-?\d+$"},
    "date-time": {"pattern": _DATE_TIME},
    "google-datetime": {"pattern": _DATE_TIME},
    "google-duration": {"pattern": r"^\d+(\.\d+)?s$"},
    "uint32": {"minimum": 0, "maximum": 2**32 - 1},
    "int32": {"minimum": -(2**31), "maximum": 2**31 - 1},
}


def _load(name: str) -> dict[str, Any]:
    path = DATA / "specs" / name
    if not path.is_file():
        pytest.skip(f"the API description is not at hand: {path.name} in shared data")
    return dict(json.loads(gzip.decompress(path.read_bytes())))


def _schema(node: Any, prefix: str) -> Any:
    """Translate one node: references, formats, ``nullable`` and Google's ``any``."""
    if isinstance(node, list):
        return [_schema(each, prefix) for each in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        return {"$ref": "#/$defs/" + reference.removeprefix(prefix)}
    out = {
        name: _schema(node[name], prefix)
        for name in ("type", "enum", "required", "items", "additionalProperties")
        if name in node and not (name == "required" and not isinstance(node[name], list))
    }
    if "properties" in node:
        out["properties"] = {
            name: _schema(each, prefix) for name, each in node["properties"].items()
        }
    if out.get("type") == "any":
        del out["type"]
    out |= _FORMATS.get(node.get("format", ""), {})
    if node.get("nullable"):
        out["type"] = [out["type"], "null"]
        if "enum" in out:
            out["enum"] = [*out["enum"], None]
    return out


def _validator(schemas: dict[str, Any], prefix: str, name: str) -> jsonschema.Draft202012Validator:
    definitions = {each: _schema(schema, prefix) for each, schema in schemas.items()}
    return jsonschema.Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions})


def google(name: str) -> jsonschema.Draft202012Validator:
    """Return the validator of a schema of Google's discovery document."""
    return _validator(_load("youtube.v3.discovery.json.gz")["schemas"], "", name)


def helix(name: str) -> jsonschema.Draft202012Validator:
    """Return the validator of a schema of the Helix OpenAPI document."""
    schemas = _load("helix.openapi.json.gz")["components"]["schemas"]
    return _validator(schemas, "#/components/schemas/", name)


def keys(content: Any, prefix: str = "") -> set[str]:
    """Return the dotted names of all members, list positions left out."""
    if isinstance(content, dict):
        out = set()
        for name, value in content.items():
            out |= {prefix + name} | keys(value, f"{prefix}{name}.")
        return out
    if isinstance(content, list):
        return set().union(*(keys(each, prefix) for each in content))
    return set()


def recorded(*path: str) -> Any:
    """Return a recorded answer, or skip where the recordings are absent."""
    file = DATA.joinpath(*path)
    if not file.is_file():
        pytest.skip(f"the recorded answer is not at hand: {file.name} in shared data")
    return json.loads(file.read_text(encoding="utf-8"))
