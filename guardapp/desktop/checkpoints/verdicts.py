"""From a verification's result to the words, the colour and the icon of its verdict."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from guardapp.desktop.i18n import speech, tr

NAMED = 3
"""Files that the verdict itself names; the list of checks has more."""

_PASSED = "ph.shield-check-fill"
_DOUBT = "ph.shield-warning-fill"
_BROKEN = "ph.shield-slash-fill"


_ERROR = re.compile(r"(.+?): (.+)\. ([A-Z].+?)")
"""How an error is written on one line: what, why, and what to do."""


class Words(NamedTuple):
    """headline and sentence are English keys with `values`; the sentence may hold <b>, so foreign text is escaped."""

    tone: str
    icon: str
    headline: str
    sentence: str
    values: dict[str, Any]


class Print(NamedTuple):
    """What identifies the signing key: groups of four, the caption above, the note below, and all of it to copy."""

    caption: str
    groups: str
    note: str
    whole: str


def words(result: Mapping[str, Any]) -> Words:
    """The verdict; a file that is damaged inside is never called genuine."""
    state, signer = result["verdict"], result.get("signer", "")
    damaged = [check for check in result["checks"] if check["name"] in ("Whole", "Passport") and check["ok"] is False]
    if state == "changed":
        return _changed(result)
    if damaged:
        headline = "Signed, but damaged inside" if state == "genuine" else "Damaged"
        values = {"what": lambda: html.escape(evidence(damaged[0]["sentence"]))}
        return Words("danger", _BROKEN, headline, "{what}", values)
    if state == "genuine":
        text = "Signed by <b>{signer}</b>. Every byte is what was signed."
        return Words("success", _PASSED, "Genuine and unchanged", text, {"signer": signer})
    if state == "unknown-signer":
        text = "The files name this signing key. It is neither in your vault nor given, so nothing shows whose it is."
        return Words("warning", _DOUBT, "Signed by an unknown key", text, {})
    text = "There is no signature, so nobody vouches for it. What could be seen inside stands below."
    return Words("warning", _DOUBT, "Not signed", text, {})


def _changed(result: Mapping[str, Any]) -> Words:
    parts = [("Changed: {files}.", result["changed"]), ("Missing: {files}.", result["missing"])]
    parts.append(("Not signed: {files}.", result["extra"]))
    found = [(text, files) for text, files in parts if files]
    if not found:
        text = "The signature itself is not what the signer made. Do not use what is in it."
        return Words("danger", _BROKEN, "Changed since it was signed", text, {})

    def said() -> str:
        return " ".join(tr(text, files=html.escape(names(files))) for text, files in found)

    text = "{what} Do not use it; get it again from where it came."
    return Words("danger", _BROKEN, "Changed since it was signed", text, {"what": said})


def evidence(sentence: str) -> str:
    """What a check found, in the current language; where it quotes an error, each of its three sentences by itself."""
    error = _ERROR.fullmatch(sentence)
    if error is None or speech().language == "en" or tr(error[3]) == error[3]:
        return tr(sentence)
    return "{}：{}。{}".format(*map(tr, error.groups()))


def names(files: Sequence[str]) -> str:
    """The first few names, and how many more."""
    shown = ", ".join(files[:NAMED])
    return tr("{files} and {count} more", files=shown, count=len(files) - NAMED) if len(files) > NAMED else shown


def key_print(result: Mapping[str, Any]) -> Print | None:
    """The signing key's fingerprint; for an unknown key what the signature says of it; None without a signature."""
    if result.get("fingerprint"):
        groups = str(result["fingerprint"])
        return Print("Fingerprint of the signing key", groups, "Compare it with the one the signer gave you.", groups)
    key_id = str(result.get("key_id") or "")
    if not key_id:
        return None
    groups = " ".join(key_id[start : start + 4].upper() for start in range(0, 32, 4))
    return Print("Hash of the key, as the signature states it", groups + " …", "Copy gives all of it.", key_id)


def halves(groups: str, between: str = "  ") -> str:
    """A wider gap in the middle, where the eye rests, or two lines."""
    parts = groups.split()
    middle = (len(parts) + 1) // 2
    return " ".join(parts[:middle]) + between + " ".join(parts[middle:])


def passed(checks: Sequence[Mapping[str, Any]]) -> tuple[int, int]:
    """How many checks passed, of how many."""
    return sum(check["ok"] is True for check in checks), len(checks)
