"""Which live streams have unusually many or few viewers, crawl by crawl.

Each stream of each crawl is a sample. A sample is compared with earlier ones alone: with those of
the same stream in the game within the strategy's lookback, or, of a stream that is too young or was
out of sight, with those of its channel in the game in the 24 hours before, whatever the stream
(``baseline_source``). When even those are too few, nobody can say, and the strategy's score is null
(`anomaly_strategies` says how many each needs). Samples whose viewers are unknown are no samples.

``anomaly_score`` (0–100, higher is more unusual) is that of the strategy that lies furthest beyond
its threshold, or least below it; ``strategy``, ``z``, ``baseline_viewers`` and so on are its own.
``direction``: SPIKE or DROP where that score reaches 50, else USUAL, UNKNOWN without any score.
``anomaly_count`` of ``known_count`` strategies call it an anomaly; the more agree, the surer.

A crawl belongs to the window it began in, so that no sample is judged twice. A stream that a crawl
does not show has no sample there: it may have ended, or fallen out of the hundred that are shown.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.anomaly_strategies import (
    DEFAULT_STRATEGIES,
    LONGEST_LOOKBACK,
    STRATEGIES,
    StrategySetting,
    anomaly_score,
)
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    EXACT,
    Schema,
    build_frame,
    codes_of,
    counters,
    empty_frame,
    lookup,
    microseconds,
    named,
    plain_texts,
    require_columns,
    text,
    times,
    timestamps,
    tracked_games,
    window_ends,
)

__all__ = [
    "VIEWER_ANOMALY_SCHEMA",
    "AnomalyDetector",
    "AnomalyParams",
    "AnomalyResult",
    "viewer_anomalies",
]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

VIEWER_ANOMALY_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "stream_id": "str",
    "crawl_at": "datetime64[us, UTC]",
    "user_id": "str",
    "observed_at": "datetime64[us, UTC]",
    "viewers": "Int64",
    "anomaly_score": "float64",
    "direction": "str",
    "strategy": "str",
    "z": "float64",
    "threshold": "float64",
    "baseline_viewers": "float64",
    "baseline_source": "str",
    "sample_count": "int32",
    "known_count": "int16",
    "anomaly_count": "int16",
    **{f"{name}_score": "float64" for name in STRATEGIES},
}

_STREAMS: Final = ("crawl_at", "observed_at", "game_id", "stream_id", "user_id", "viewer_count")
_GAMES: Final = ("category", "twitch_game_id")
_DIRECTIONS: Final = pd.array(["USUAL", "SPIKE", "DROP", "UNKNOWN"], dtype="str")
_USUAL, _SPIKE, _DROP, _UNKNOWN = range(4)
_SOURCES: Final = pd.array(["stream", "channel", None], dtype="str")
_STREAM, _CHANNEL, _NO_SOURCE = range(3)
_NAMES: Final = pd.array([*STRATEGIES, None], dtype="str")
_MOST_CELLS: Final = 4_000_000


@dataclass(frozen=True, slots=True)
class AnomalyParams:
    """Which strategies are asked, and how far back a channel's samples count."""

    strategies: tuple[StrategySetting, ...] = DEFAULT_STRATEGIES
    window: timedelta = timedelta(minutes=30)
    channel_lookback: timedelta = LONGEST_LOOKBACK

    def __post_init__(self) -> None:
        names = [setting.name for setting in self.strategies]
        if len(set(names)) < len(names):
            raise InvalidInputError("A strategy is set twice.", fix="Set each once.")
        if not timedelta(0) < self.channel_lookback <= LONGEST_LOOKBACK:
            raise InvalidInputError(
                f"The lookback of channels is {self.channel_lookback}.",
                fix="Set more than 0 and at most a day.",
            )


DEFAULT: Final = AnomalyParams()


@dataclass(frozen=True, slots=True)
class AnomalyResult:
    """What one strategy says of each sample that was asked about.

    Parameters
    ----------
    setting : StrategySetting
        Whose result it is.
    baseline : numpy.ndarray
        What would be usual, in viewers; NaN is unknown, as in all that follow.
    z : numpy.ndarray
        How far from it, in the strategy's own unit; above 0 is more.
    score : numpy.ndarray
        0–100, 50 at the threshold.
    is_anomaly : numpy.ndarray
        Whether the deviation reaches the threshold.
    samples : numpy.ndarray
        Earlier samples it rests on; 0 where unknown.
    source : numpy.ndarray
        0 the stream's own samples, 1 its channel's, 2 neither had enough.
    """

    setting: StrategySetting
    baseline: Floats
    z: Floats
    score: Floats
    is_anomaly: Bools
    samples: Integers
    source: Integers


@dataclass(frozen=True, slots=True)
class _Line:
    """Known samples by owner, then moment: the past of a sample is a slice."""

    viewers: Floats
    keys: Integers
    moments: Integers  # distinct ones, ascending

    @classmethod
    def of(cls, owner: Integers, moment: Integers, viewers: Floats) -> "_Line":
        moments = np.unique(moment)
        keys = owner * (moments.size + 1) + np.searchsorted(moments, moment)
        known = ~np.isnan(viewers) & (owner >= 0)
        # By value at last, so that equal moments of a channel lie in one order.
        order = np.lexsort((viewers[known], keys[known]))
        return cls(viewers[known][order], keys[known][order], moments)

    def before(
        self, owner: Integers, moment: Integers, lookback: timedelta
    ) -> tuple[Integers, Integers]:
        """Return where the samples of the lookback begin, and how many there are."""
        first = owner * (self.moments.size + 1)
        oldest = np.searchsorted(self.moments, moment - microseconds(lookback))
        begin = np.searchsorted(self.keys, first + oldest)
        end = np.searchsorted(self.keys, first + np.searchsorted(self.moments, moment))
        return begin, np.where(owner >= 0, end - begin, 0)


class AnomalyDetector:
    """Asks every enabled strategy about samples of viewers.

    Parameters
    ----------
    params : AnomalyParams
        Which strategies, and how far back.

    References
    ----------
    StreamRank 8 (#92): base, result and context; there for one stream at a time.

    Examples
    --------
    A stream of 100 viewers that has 700 at the fifth crawl; nothing is known of it at the first:

    >>> quarter = 15 * 60 * 1_000_000
    >>> moments = np.arange(5) * quarter
    >>> detector = AnomalyDetector()
    >>> found = detector.detect(np.array([100.0, 100, 100, 100, 700]), moments,
    ...                         stream=np.zeros(5, dtype=int), channel=np.zeros(5, dtype=int))
    >>> {one.setting.name: one.z.round(1).tolist() for one in found}
    {'zscore': [nan, nan, nan, 0.0, 60.0], 'percent_change': [nan, 0.0, 0.0, 0.0, 6.0], \
'moving_average': [nan, nan, nan, nan, 60.0], 'quantile': [nan, nan, nan, nan, nan]}
    >>> none = np.zeros(0, dtype=int)
    >>> detector.detect(np.zeros(0), none, stream=none, channel=none)[0].z.tolist()
    []
    """

    def __init__(self, params: AnomalyParams = DEFAULT) -> None:
        self.params = params

    def detect(
        self,
        viewers: Floats,
        moment: Integers,
        *,
        stream: Integers,
        channel: Integers,
        asked: Bools | None = None,
    ) -> list[AnomalyResult]:
        """Judge samples by those before them.

        Parameters
        ----------
        viewers : numpy.ndarray
            Finite and 0 or more; NaN is unknown.
        moment : numpy.ndarray
            When, in microseconds; at most one sample per stream and moment.
        stream, channel : numpy.ndarray
            Whose sample it is, as numbers from 0 on; below 0 nobody knows.
        asked : numpy.ndarray, optional
            Which samples to judge; all of them by default.

        Returns
        -------
        list of AnomalyResult
            One per enabled strategy, in the order of the settings; O(n log n + n · samples).
        """
        wanted = np.ones(viewers.size, dtype=np.bool_) if asked is None else asked
        now, at = viewers[wanted], moment[wanted]
        lines = [
            (_Line.of(owner, moment, viewers), owner[wanted], lookback)
            for owner, lookback in ((stream, None), (channel, self.params.channel_lookback))
        ]
        return [
            _judged(setting, now, at, lines)
            for setting in self.params.strategies
            if setting.enabled
        ]


def _judged(
    setting: StrategySetting,
    now: Floats,
    at: Integers,
    lines: list[tuple[_Line, Integers, timedelta | None]],
) -> AnomalyResult:
    strategy = STRATEGIES[setting.name]
    baseline, z = np.full(now.size, np.nan), np.full(now.size, np.nan)
    samples = np.zeros(now.size, dtype=np.int64)
    source = np.full(now.size, _NO_SOURCE)
    for number, (line, owner, lookback) in enumerate(lines):
        open_ = np.flatnonzero((source == _NO_SOURCE) & ~np.isnan(now))
        begin, count = line.before(owner[open_], at[open_], lookback or setting.lookback)
        enough = count >= strategy.min_samples
        chosen, begin, count = open_[enough], begin[enough], count[enough]
        if not chosen.size:
            continue
        source[chosen], samples[chosen] = number, count
        piece = max(1, _MOST_CELLS // int(count.max()))
        for low in range(0, chosen.size, piece):
            part = slice(low, low + piece)
            step = np.arange(int(count[part].max()))[:, None]
            place = np.minimum(begin[part] + step, line.viewers.size - 1)
            past = np.where(step < count[part], line.viewers[place], np.nan)
            baseline[chosen[part]], z[chosen[part]] = strategy.measure(now[chosen[part]], past)
    with np.errstate(invalid="ignore"):
        is_anomaly = np.abs(z) >= setting.threshold_z
    score = anomaly_score(z, setting.threshold_z)
    return AnomalyResult(setting, baseline, z, score, is_anomaly, samples, source)


def viewer_anomalies(
    streams: pd.DataFrame,
    *,
    as_of: pd.DatetimeIndex,
    games: pd.DataFrame,
    params: AnomalyParams = DEFAULT,
) -> pd.DataFrame:
    """Judge every stream of every crawl that began in one of the windows.

    Parameters
    ----------
    streams : pandas.DataFrame
        Shaped like ``collection.twitch_streams``, from 24 hours before the first window on.
    as_of : pandas.DatetimeIndex
        Ends of the windows, with time zone.
    games : pandas.DataFrame
        ``category`` and ``twitch_game_id``; streams of other games are left out.
    params : AnomalyParams
        Which strategies are asked, and how far back.

    Returns
    -------
    pandas.DataFrame
        Shaped like ``intelligence.viewer_anomalies``, ordered by window, category, stream and
        crawl. A stream that stands twice in one crawl counts with its larger number of viewers.
        O(rows · log rows + rows · samples of a day).

    Raises
    ------
    InvalidInputError
        When a column is missing, viewers are negative or infinite, an id is missing or a time has
        no zone.

    References
    ----------
    StreamRank 2.1, 4.2 and 8 (#91, #92), as settled in C39.

    Examples
    --------
    >>> crawls = pd.date_range("2026-01-10T09:00Z", periods=6, freq="15min")
    >>> rows = pd.DataFrame({"crawl_at": crawls, "observed_at": crawls, "game_id": "g1",
    ...                      "stream_id": ["old"] * 5 + ["new"], "user_id": "u1",
    ...                      "viewer_count": [100, 100, 100, 100, 900, 20]})
    >>> games = pd.DataFrame({"category": ["minecraft"], "twitch_game_id": ["g1"]})
    >>> ends = pd.DatetimeIndex(["2026-01-10T09:30Z", "2026-01-10T10:30Z"])
    >>> found = viewer_anomalies(rows, as_of=ends, games=games)
    >>> said = ["stream_id", "viewers", "direction", "strategy", "baseline_source", "sample_count"]
    >>> for row in found[said].values.tolist():
    ...     print(row)
    ['old', 100, 'UNKNOWN', nan, nan, 0]
    ['old', 100, 'USUAL', 'percent_change', 'stream', 1]
    ['new', 20, 'DROP', 'percent_change', 'channel', 5]
    ['old', 900, 'SPIKE', 'zscore', 'stream', 4]

    The channel had 260 on average, so that 20 are a thirteenth of it. A flat stream is usual, and
    what is unknown stays so:

    >>> flat = viewer_anomalies(rows.assign(viewer_count=0), as_of=ends, games=games)
    >>> flat["direction"].tolist()
    ['UNKNOWN', 'USUAL', 'USUAL', 'USUAL']
    >>> unknown = rows.assign(viewer_count=None)
    >>> viewer_anomalies(unknown, as_of=ends, games=games)["direction"].unique().tolist()
    ['UNKNOWN']
    >>> viewer_anomalies(rows.iloc[:0], as_of=ends, games=games).empty
    True
    """
    ends = window_ends(as_of)
    streams = require_columns(streams, _STREAMS, "twitch_streams")
    games = require_columns(games, _GAMES, "games")
    games = tracked_games(games).dropna(subset=["twitch_game_id"])
    if ends.size == 0 or games.empty or streams.empty:
        return empty_frame(VIEWER_ANOMALY_SCHEMA)
    crawl_at = times(streams, "crawl_at", "twitch_streams")
    window = microseconds(params.window)
    # The largest of the lookbacks; the window's own crawls reach back from its start at most.
    spans = [params.channel_lookback, *(setting.lookback for setting in params.strategies)]
    oldest = ends[0] - window - microseconds(max(spans))
    (game, own), _ = codes_of(streams["game_id"], games["twitch_game_id"])
    by_code = np.argsort(own, kind="stable")  # a game's number is its category's place
    slot = lookup(own[by_code], game)
    category = np.where(slot >= 0, by_code[np.maximum(slot, 0)], -1)
    usable = (category >= 0) & (crawl_at >= oldest) & (crawl_at < ends[-1])
    rows = streams.loc[usable]
    crawl_at, category = crawl_at[usable], category[usable]
    observed = times(rows, "observed_at", "twitch_streams")
    viewers = counters(rows, "viewer_count", "twitch_streams", most=EXACT)
    (stream,), stream_names = codes_of(rows["stream_id"])
    users = plain_texts(rows, "user_id", "twitch_streams")
    (user,), user_names = codes_of(users.where(users != ""))
    named(rows, "stream_id", stream, "twitch_streams")

    # One sample per game, stream and crawl, the one with the most viewers, in the order of the
    # result; unknown viewers come first, so that a known number is taken before them.
    order = np.lexsort(
        (user, observed, np.nan_to_num(viewers, nan=-1.0), crawl_at, stream, category)
    )
    keys = np.stack([category[order], stream[order], crawl_at[order]])
    kept = order[np.append((np.diff(keys) != 0).any(axis=0), np.ones(min(1, order.size), bool))]
    crawl_at, category, observed = crawl_at[kept], category[kept], observed[kept]
    viewers, stream, user = viewers[kept], stream[kept], user[kept]

    following = np.searchsorted(ends, crawl_at, side="right")
    asked = crawl_at >= ends[following] - window
    results = AnomalyDetector(params).detect(
        viewers,
        crawl_at,
        stream=stream * len(games) + category,
        channel=np.where(user >= 0, user * len(games) + category, -1),
        asked=asked,
    )
    start = ends[following[asked]] - window
    by_window = np.argsort(start, kind="stable")
    columns: dict[str, Any] = {
        "window_start": timestamps(start),
        "category": pd.array(games["category"].to_numpy(object), dtype="str").take(category[asked]),
        "stream_id": text(stream_names, stream[asked]),
        "crawl_at": timestamps(crawl_at[asked]),
        "user_id": _or_empty(user_names, user[asked]),
        "observed_at": timestamps(observed[asked]),
        "viewers": viewers[asked],
        **_summary(results, int(asked.sum())),
    }
    found = build_frame(VIEWER_ANOMALY_SCHEMA, columns)
    return found.iloc[by_window].reset_index(drop=True)


def _or_empty(names: Any, codes: Integers) -> Any:  # noqa: ANN401 # pandas string arrays
    """Return the names, and an empty one where there is none."""
    return pd.array([*names, ""], dtype="str").take(codes)


def _summary(results: list[AnomalyResult], rows: int) -> dict[str, Any]:
    """Return the columns that say what all strategies together found."""
    nothing = np.full(rows, np.nan)
    excess, best = np.full(rows, -np.inf), np.full(rows, -1)
    said = {name: nothing.copy() for name in ("score", "z", "threshold", "baseline")}
    samples, source = np.zeros(rows, dtype=np.int64), np.full(rows, _NO_SOURCE)
    known, called = np.zeros(rows, dtype=np.int64), np.zeros(rows, dtype=np.int64)
    scores = {f"{name}_score": nothing for name in STRATEGIES}
    order = list(STRATEGIES)
    for result in sorted(results, key=lambda one: order.index(one.setting.name)):
        setting = result.setting
        scores[f"{setting.name}_score"] = result.score
        beyond = np.where(np.isnan(result.z), -np.inf, np.abs(result.z) - setting.threshold_z)
        known += ~np.isnan(result.z)
        called += result.is_anomaly
        further = beyond > excess
        excess[further], best[further] = beyond[further], order.index(setting.name)
        for name, values in (
            ("score", result.score),
            ("z", result.z),
            ("threshold", np.full(rows, setting.threshold)),
            ("baseline", result.baseline),
        ):
            said[name][further] = values[further]
        samples[further], source[further] = result.samples[further], result.source[further]
    direction = np.where(called > 0, np.where(said["z"] > 0, _SPIKE, _DROP), _USUAL)
    direction[known == 0] = _UNKNOWN
    return {
        "anomaly_score": said["score"],
        "direction": _DIRECTIONS.take(direction),
        "strategy": _NAMES.take(np.where(best < 0, len(order), best)),
        "z": said["z"],
        "threshold": said["threshold"],
        "baseline_viewers": said["baseline"],
        "baseline_source": _SOURCES.take(source),
        "sample_count": samples,
        "known_count": known,
        "anomaly_count": called,
        **scores,
    }
