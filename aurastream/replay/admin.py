"""The switchboard over HTTP, under ``/_replay``."""

from collections import Counter
from typing import Any, Final

import orjson

from aurastream.replay.cycles import ARCHIVE_START, EPOCH, SPAN_DAYS, cycle_at
from aurastream.replay.faults import KINDS, Fault, FaultError, Switchboard
from aurastream.replay.limits import PointsBuckets, QuotaBuckets
from aurastream.replay.moments import DAY, pacific_date, rfc3339
from aurastream.replay.quirks import QUIRKS
from aurastream.replay.tokens import TokenOffice
from aurastream.replay.wire import Answer, Request

__all__ = ["Admin"]

_SEAM: Final = (
    "The archive is replayed in passes of whole weeks. At the end of a pass it starts over: every "
    "video id, channel id and etag is re-encoded, and ids of the pass before are unknown, as if "
    "those videos had been deleted. No series continues across the seam, so no difference of "
    "counters can span it, and what compares a category as a whole with the day before is unknown "
    "for a day. Pass 0 has the real ids. Live broadcasts and Twitch are computed for any moment "
    "and have no seam."
)


class Admin:
    """Answers requests under ``/_replay``."""

    def __init__(
        self,
        switchboard: Switchboard,
        quotas: QuotaBuckets,
        points: PointsBuckets,
        tokens: TokenOffice,
        counts: Counter[str],
    ) -> None:
        self._switchboard = switchboard
        self._quotas = quotas
        self._points = points
        self._tokens = tokens
        self._counts = counts

    def answer(self, request: Request) -> Answer:
        """Answer one request; an unknown one gets a list of what there is."""
        path = request.path.removeprefix("/_replay").rstrip("/")
        if path.startswith("/faults"):
            return self._faults(request, path.removeprefix("/faults").strip("/"))
        if path == "/limits" and request.method == "PUT":
            return self._set_limits(request)
        if request.method == "GET":
            pages = {
                "/status": self._status,
                "/seam": self._seam,
                "/kinds": self._kinds,
                "/limits": self._limits,
            }
            if path in pages:
                return Answer.json(pages[path](request.now))
        return _refuse(
            404,
            "There are GET /_replay/status, /seam, /kinds; GET and PUT /_replay/limits; "
            "GET, POST, PUT and DELETE /_replay/faults and /_replay/faults/ID.",
        )

    def _faults(self, request: Request, name: str) -> Answer:
        faults = self._switchboard.faults
        number = next((each for each in faults if str(each) == name), None)
        if name and number is None:
            return _refuse(404, f"There is no fault {name:.40}.")
        if request.method == "GET":
            if number is not None:
                return Answer.json(faults[number].describe())
        elif request.method == "DELETE":
            for each in list(faults) if number is None else [number]:
                del faults[each]
        else:
            return self._set_faults(request, number)
        return Answer.json({"faults": [fault.describe() for fault in faults.values()]})

    def _set_faults(self, request: Request, number: int | None) -> Answer:
        board, method = self._switchboard, request.method
        try:
            content = orjson.loads(request.body)
            if method == "PUT" and number is None:
                faults = [self._ready(fault).describe() for fault in board.replace(content)]
                return Answer.json({"faults": faults})
            if method == "PUT" and number is not None:
                return Answer.json(self._ready(board.update(number, content)).describe())
            if method == "POST" and number is None:
                return Answer.json(self._ready(board.add(content)).describe(), 201)
        except orjson.JSONDecodeError:
            return _refuse(400, "The body is no JSON.")
        except FaultError as error:
            return _refuse(400, str(error))
        return _refuse(405, f"{method} is not for this.")

    def _ready(self, fault: Fault) -> Fault:
        """Revoke the tokens issued so far when a fault asks for it."""
        if fault.kind == "token_revoked" and not fault.generation:
            fault.generation = self._tokens.revoke_all()
        return fault

    def _status(self, now: float) -> dict[str, Any]:
        cycle, day = cycle_at(now), pacific_date(now)
        used = {
            f"{key} {bucket}": units
            for (key, bucket, at), units in self._quotas.used.items()
            if at == day
        }
        return {
            "now": rfc3339(now),
            "archive_now": rfc3339(now - cycle.shift),
            "cycle": cycle.number,
            "seam_at": rfc3339(cycle.end),
            "quota_day": day.isoformat(),
            "quota_used": used,
            "requests": dict(sorted(self._counts.items())),
            "faults": len(self._switchboard.faults),
        }

    @staticmethod
    def _seam(now: float) -> dict[str, Any]:
        cycle = cycle_at(now)
        return {
            "explanation": _SEAM,
            "archive": [rfc3339(ARCHIVE_START), rfc3339(ARCHIVE_START + SPAN_DAYS * DAY)],
            "epoch": rfc3339(EPOCH),
            "span_days": SPAN_DAYS,
            "cycle": cycle.number,
            "cycle_start": rfc3339(cycle.start),
            "cycle_end": rfc3339(cycle.end),
            "shift_days": cycle.shift // DAY,
        }

    @staticmethod
    def _kinds(_now: float) -> dict[str, Any]:
        kinds = {
            kind: {"does": does, "options": options} for kind, (does, options) in KINDS.items()
        }
        return {"kinds": kinds, "quirks": QUIRKS}

    def _limits(self, _now: float) -> dict[str, Any]:
        return {**self._quotas.limits, "points_per_minute": self._points.limit}

    def _set_limits(self, request: Request) -> Answer:
        try:
            content = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            content = None
        known = self._limits(0.0)
        if not isinstance(content, dict) or not all(
            name in known and type(value) is int and value >= 0  # true is no number
            for name, value in content.items()
        ):
            return _refuse(400, f"Send a JSON object of whole numbers for {', '.join(known)}.")
        self._points.limit = content.pop("points_per_minute", self._points.limit)
        self._quotas.limits.update(content)
        return Answer.json(self._limits(0.0))


def _refuse(status: int, message: str) -> Answer:
    return Answer.json({"error": message}, status)
