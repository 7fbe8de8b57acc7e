"""One regular expression for hundreds of words, that looks at each character of a text a few times.

A plain alternation is tried branch by branch at every character. Words that begin alike share their
beginning here, so that a character rules out all but a few of them.
"""

import re
from collections.abc import Iterable

__all__ = ["any_of"]

# A word's further characters, each with what may follow; the empty key ends a word.
_Node = dict[str, "_Node"]


def any_of(words: Iterable[str]) -> str:
    r"""Return an expression without groups that matches any of some words, the longest first.

    What it matches at a place, and what it falls back to where more must follow, is what an
    alternation of the escaped words matches that has longer words before shorter ones. Without a
    word it matches nothing.

    Examples
    --------
    >>> any_of(["GTA", "GTA VI", "Go!"])
    'G(?:TA(?: VI)?|o\\!)'
    >>> re.findall(any_of(["a", "ab"]) + "c", "abc ac")
    ['abc', 'ac']
    >>> any_of([])
    '(?!)'
    """
    root: _Node = {}
    for word in words:
        node = root
        for character in word:
            node = node.setdefault(character, {})
        node[""] = {}
    return _expression(root) if root else "(?!)"


def _expression(node: _Node) -> str:
    ends = "" in node
    branches = []
    for literal, after in sorted(node.items()):
        if not literal:
            continue
        whole, rest = literal, after
        while len(rest) == 1 and "" not in rest:
            [(character, rest)] = rest.items()
            whole += character
        branches.append(_escaped(whole) + ("" if set(rest) == {""} else _expression(rest)))
    if not branches:
        return ""
    if len(branches) == 1 and not ends:
        return branches[0]
    return f"(?:{'|'.join(branches)})" + ("?" if ends else "")


def _escaped(text: str) -> str:
    """Escape for Postgres's and Python's regular expressions alike."""
    return re.sub(r"([^\w\s])", r"\\\1", text)
