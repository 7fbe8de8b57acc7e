"""What numpy should know of this machine and its neighbours before it is imported.

The sort of numpy picks AVX-512 wherever there is any. On AMD's Zen 4 the instruction it rests on
(``vpcompress`` to memory) is microcode, and the sort takes two to six times as long as with AVX2.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

__all__ = ["faster_sort", "one_thread"]

_CHOICE: Final = "NPY_DISABLE_CPU_FEATURES"
_WIDE: Final = "X86_V4 AVX512_ICL AVX512_SPR"
_THREADS: Final = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS")


def faster_sort(
    environment: Mapping[str, str] = os.environ, cpuinfo: Path = Path("/proc/cpuinfo")
) -> dict[str, str]:
    """Return the environment that makes numpy sort fast here, for processes not started yet.

    Parameters
    ----------
    environment : Mapping
        The present environment; whoever has chosen there is not overruled.
    cpuinfo : pathlib.Path
        What Linux says of its processors; elsewhere there is none, and nothing to mend.

    Returns
    -------
    dict
        Variables to add; empty where numpy chooses well.

    Examples
    --------
    >>> faster_sort({}, Path("there is no such file"))
    {}
    """
    try:
        text = cpuinfo.read_text(encoding="ascii", errors="replace")
    except OSError:
        return {}
    first, _, _ = text.partition("\n\n")
    facts = {
        name.strip(): value.strip()
        for name, colon, value in (line.partition(":") for line in first.splitlines())
        if colon
    }
    is_zen_4 = (
        facts.get("vendor_id") == "AuthenticAMD"
        and facts.get("cpu family") == "25"
        and "avx512f" in facts.get("flags", "").split()
    )
    return {_CHOICE: _WIDE} if is_zen_4 and _CHOICE not in environment else {}


def one_thread(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment that keeps each process's linear algebra on one thread.

    Several runs go at a time, one for each processor. Threads of OpenBLAS and OpenMP that wait for
    one another while another run has their processor make small products 20 times as slow.

    Parameters
    ----------
    environment : Mapping
        The present environment; whoever has chosen there is not overruled.

    Returns
    -------
    dict
        Variables to add.

    Examples
    --------
    >>> one_thread({"OMP_NUM_THREADS": "4"})
    {'OPENBLAS_NUM_THREADS': '1'}
    """
    return {name: "1" for name in _THREADS if name not in environment}
