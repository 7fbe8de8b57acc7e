"""Answers with something wrong inside: a good answer goes in, a bad one comes out."""

from collections.abc import Callable
from typing import Any, Final

import orjson

from aurastream.replay.faults import Fault
from aurastream.replay.moments import HOUR, rfc3339

__all__ = ["MUTATIONS", "mutate"]

Items = list[dict[str, Any]]


def mutate(body: bytes, fault: Fault, now: float) -> bytes:
    """Return an answer's body with a fault worked into its items.

    Parameters
    ----------
    body : bytes
        JSON with ``items`` (YouTube) or ``data`` (Twitch); any other JSON stays as it is.
    fault : Fault
        Of a kind in `MUTATIONS`.
    now : float
        The virtual moment.
    """
    content = orjson.loads(body)
    name = "items" if "items" in content else "data"
    items = content.get(name)
    if not isinstance(items, list):
        return body
    content[name] = MUTATIONS[fault.kind](items, fault.options, now)
    return orjson.dumps(content)


def _malform(items: Items, options: dict[str, Any], _now: float) -> Items:
    index = options["index"]
    *parents, name = str(options["path"]).split(".")
    for item in items if index == "all" else items[int(index) : int(index) + 1]:
        target: Any = item
        for parent in parents:
            target = target.setdefault(parent, {}) if isinstance(target, dict) else None
        if not isinstance(target, dict):
            continue  # the path leads into what has no fields
        if options["drop"]:
            target.pop(name, None)
        else:
            target[name] = options["value"]
    return items


def _lower_views(items: Items, options: dict[str, Any], _now: float) -> Items:
    factor = float(options["factor"])
    for item in items:
        if "view_count" in item:
            item["view_count"] = int(item["view_count"] * factor)
        statistics = item.get("statistics", {})
        if "viewCount" in statistics:
            statistics["viewCount"] = str(int(int(statistics["viewCount"]) * factor))
    return items


def _hide_counts(items: Items, _options: dict[str, Any], _now: float) -> Items:
    for item in items:
        for name in ("likeCount", "commentCount"):
            item.get("statistics", {}).pop(name, None)
    return items


def _publish_later(items: Items, options: dict[str, Any], now: float) -> Items:
    moment = rfc3339(now + float(options["hours"]) * HOUR)
    for item in items:
        if "snippet" in item:
            item["snippet"]["publishedAt"] = moment
        for name in ("started_at", "created_at"):
            if name in item:
                item[name] = moment
    return items


def _repeat(items: Items, _options: dict[str, Any], _now: float) -> Items:
    return [*items, *items[:1]]


def _drop(items: Items, options: dict[str, Any], _now: float) -> Items:
    every = max(1, int(options["every"]))
    return [item for place, item in enumerate(items, start=1) if place % every]


def _empty(_items: Items, _options: dict[str, Any], _now: float) -> Items:
    return []


MUTATIONS: Final[dict[str, Callable[[Items, dict[str, Any], float], Items]]] = {
    "malformed_item": _malform,
    "falling_views": _lower_views,
    "hidden_counts": _hide_counts,
    "future_publish": _publish_later,
    "duplicate_items": _repeat,
    "missing_items": _drop,
    "empty_answer": _empty,
}
