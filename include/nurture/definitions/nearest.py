"""The nearest name: what a person who mistyped a word most likely meant."""

import difflib
from collections.abc import Iterable


def nearest(word: object, words: Iterable[str]) -> str | None:
    """Return the one of `words` that `word` was most likely meant to be, or None."""
    known = {known.casefold(): known for known in words}
    found = difflib.get_close_matches(str(word).casefold(), known, n=1, cutoff=0.6)
    return known[found[0]] if found else None


def instead(word: object, words: Iterable[str], what: str = "known") -> str:
    """Return the mend for an error message: `did you mean 'thanks'?`, else the words there are."""
    words = list(words)
    found = nearest(word, words)
    if found is not None:
        return f"did you mean {found!r}?"
    return f"{what}: {', '.join(words)}" if words else f"{what}: none"
