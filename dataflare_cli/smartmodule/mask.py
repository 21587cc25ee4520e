"""Secrets among parameters, kept out of what modules say.

A module may quote a parameter whole, cut off, or a line at a time, and as bytes that are no
text. So it is looked for whole, by its lines, and by every part of a few characters.
"""

from collections.abc import Mapping

from dataflare_cli.model import Secret

# What is shorter hides nothing, and stands in every other word.
CHARS_MIN = 4
# Shorter parts of a longer secret are told: they are parts of words.
PART_CHARS = 8


class Mask:
    """Takes the secrets among some parameters out of texts."""

    def __init__(self, params: Mapping[str, str]) -> None:
        secrets = [each for each in params.values() if isinstance(each, Secret)]
        forms = {form for secret in secrets for form in _forms(secret)}
        self._mark = repr(Secret())
        # Those that have others in them first.
        self._forms = sorted(forms, key=len, reverse=True)
        self._parts = {
            form[at : at + PART_CHARS] for form in forms for at in range(len(form) - PART_CHARS + 1)
        }

    def apply(self, text: str) -> str:
        """Return a text without the secrets."""
        for form in self._forms:
            text = text.replace(form, self._mark)
        return self._without_parts(text) if self._parts else text

    def _without_parts(self, text: str) -> str:
        kept: list[str] = []
        at = begin = 0
        while at <= len(text) - PART_CHARS:
            end = at
            while text[end : end + PART_CHARS] in self._parts:
                end += 1
            if end == at:
                at += 1
                continue
            kept += (text[begin:at], self._mark)
            at = begin = end + PART_CHARS - 1
        return "".join((*kept, text[begin:]))


def _forms(secret: Secret) -> list[str]:
    """Return what a secret may look like in a text."""
    data = secret.encode("utf-8", "surrogateescape")
    texts = {str(secret), data.decode(errors="replace")}
    lines = {line.strip() for text in texts for line in text.splitlines()}
    return [form for form in texts | lines if len(form) >= CHARS_MIN]
