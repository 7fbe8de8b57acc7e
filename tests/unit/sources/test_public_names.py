"""Widening the public surface of the clients is a decision, so it is written down here."""

import doctest
import importlib

import pytest

PUBLIC = {
    "bounded_network": ["BoundedBackend"],
    "bounds": ["BodyTooLargeError", "bounded", "left", "read_body", "within"],
    "breaker": ["CircuitBreakers"],
    "decode": ["DecodedFile", "decode_stored"],
    "errors": [
        "CircuitOpenError",
        "ConfigError",
        "GoneError",
        "InvalidCursorError",
        "KeyInvalidError",
        "LedgerUnavailableError",
        "MalformedError",
        "PermanentError",
        "PermissionDeniedError",
        "QuotaExhaustedError",
        "RateLimitedError",
        "RetryableError",
        "SourceError",
        "TransientError",
    ],
    "etags": ["SharedEtags"],
    "gemini": ["COMPOSITIONS", "GEMINI_URL", "GeminiVision", "VisionAnswer", "gemini_vision"],
    "limiter": ["TWITCH_LIMIT", "SharedRateLimiter"],
    "paging": ["Ending", "Gathering", "batches", "fetch_page", "follow_ids", "follow_pages"],
    "ports": [
        "Breaker",
        "Clock",
        "Columns",
        "Crawl",
        "FetchRecord",
        "NoLimiter",
        "OpenGate",
        "Page",
        "Platform",
        "QuotaGate",
        "RateLimiter",
        "Rejected",
        "SystemClock",
        "TwitchSource",
        "YouTubeSource",
    ],
    "thumbnails": [
        "PLATFORM_HOSTS",
        "ThumbnailClient",
        "ThumbnailFile",
        "UnfetchedThumbnailError",
    ],
    "token": ["AppToken"],
    "transport": [
        "Answer",
        "Auth",
        "EtagCache",
        "Etags",
        "Fault",
        "RetryPolicy",
        "Transport",
        "clean_credential",
        "http_client",
    ],
    "twitch": ["TwitchClient"],
    "vision": [
        "LocalVision",
        "ReaderUnavailableError",
        "TextReader",
        "VisionProvider",
        "installed_reader",
    ],
    "wire.faults": ["answered_at", "twitch_fault", "youtube_fault"],
    "wire.frames": ["to_frame"],
    "wire.pages": ["DecodedPage", "PageDecoder", "printable"],
    "wire.values": [
        "MAX_COUNTER",
        "is_believable",
        "iso_duration_s",
        "may_hold_nul",
        "parse_instant",
        "refuse_nul",
        "refuse_wild_instants",
        "twitch_duration_s",
    ],
    "youtube": ["YouTubeClient"],
}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_module_exports_exactly_its_public_names(name: str) -> None:
    module = importlib.import_module(f"aurastream.sources.{name}")
    assert module.__all__ == PUBLIC[name]
    assert all(hasattr(module, public) for public in module.__all__)


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_every_example_in_a_docstring_holds(name: str) -> None:
    module = importlib.import_module(f"aurastream.sources.{name}")
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


@pytest.mark.parametrize(
    ("client", "port"), [("YouTubeClient", "YouTubeSource"), ("TwitchClient", "TwitchSource")]
)
def test_a_client_fits_its_port(client: str, port: str) -> None:
    ports = importlib.import_module("aurastream.sources.ports")
    module = importlib.import_module(f"aurastream.sources.{client[:-6].lower()}")
    wanted = {name for name in vars(getattr(ports, port)) if not name.startswith("_")}
    assert wanted <= set(dir(getattr(module, client)))
