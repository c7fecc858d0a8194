"""Numbers, sizes, durations and moments as a person reads them, in the current language."""

from __future__ import annotations

from datetime import datetime

from guardapp.desktop.i18n import speech, tr

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def number(value: float, digits: int | None = None) -> str:
    """48211 → "48,211"; with `digits`, that many after the point."""
    if digits is not None:
        return f"{value:,.{digits}f}"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.6g}"


def percent(share: float, digits: int = 0) -> str:
    """A share 0 … 1 as "53 %"."""
    return f"{100 * share:.{digits}f} %"


def size(count: float) -> str:
    """Bytes, decimal units: 22_700_000 → "22.7 MB"."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 100 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def duration(seconds: float) -> str:
    """A rounded estimate: "8 min", "20 s", "1 h 5 min"."""
    whole = max(1, round(seconds))
    if whole < 60:
        return tr("{n} s", n=whole)
    if whole < 3600:
        return tr("{n} min", n=round(whole / 60))
    hours, minutes = divmod(round(whole / 60), 60)
    return tr("{h} h {m} min", h=hours, m=minutes) if minutes else tr("{h} h", h=hours)


def exact_duration(seconds: float) -> str:
    """How long something took: "6 min 12 s", "1.9 s"."""
    if seconds < 10:
        return tr("{n} s", n=f"{seconds:.1f}")
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return tr("{n} s", n=rest)
    return tr("{m} min {s} s", m=minutes, s=rest) if minutes < 60 else duration(seconds)


def moment(when: datetime, now: datetime | None = None) -> str:
    """ "Today 14:32", "Yesterday", "Mon 17 Nov", "12 Nov 2025": as near as it needs to be. Local time."""
    now = now or datetime.now(when.tzinfo)
    days = (now.date() - when.date()).days
    if days == 0:
        return tr("Today {time}", time=when.strftime("%H:%M"))
    if days == 1:
        return tr("Yesterday")
    if 0 < days < 7:
        return _weekday(when)
    return date(when)


def _weekday(when: datetime) -> str:
    if speech().language == "zh":
        return f"{when.month} 月 {when.day} 日 周{'一二三四五六日'[when.weekday()]}"
    return f"{_DAYS[when.weekday()]} {when.day} {_MONTHS[when.month - 1]}"


def date(when: datetime) -> str:
    """ "12 Nov 2025", in Chinese "2025 年 11 月 12 日"."""
    if speech().language == "zh":
        return f"{when.year} 年 {when.month} 月 {when.day} 日"
    return f"{when.day} {_MONTHS[when.month - 1]} {when.year}"
