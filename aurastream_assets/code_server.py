"""Dagster's code server as the launcher starts it: a run begins as a fork of a prepared process.

Each run imports this module once more, as the program that its process descends from
(``__mp_main__``); so there is nothing at its top.
"""

__all__ = ["main"]


def main() -> None:
    """Run ``python -m aurastream_assets.code_server …``, the rest as for ``dagster api grpc``."""
    from aurastream_assets.forking import serve  # noqa: PLC0415 # see above

    serve()


if __name__ == "__main__":
    main()
