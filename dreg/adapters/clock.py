"""How far the clock here is from a server's: S3 refuses signatures that are fifteen minutes off."""

from __future__ import annotations

import urllib.error
import urllib.request
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

SECONDS = 5
MOST_SKEW = 300.0  # seconds; the strictest server takes five minutes


def ahead_of(url: str) -> float | None:
    """Seconds that the clock here is ahead of the web server's at `url`; None if it does not say."""
    if urlsplit(url).scheme not in ("http", "https"):
        return None
    request = urllib.request.Request(url, method="HEAD")  # noqa: S310 (its scheme was just looked at)
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            said = answer.headers.get("Date")
    except urllib.error.HTTPError as error:  # who may not look is told the time as well
        said = error.headers.get("Date")
    except OSError:
        return None
    try:
        return (datetime.now(UTC) - parsedate_to_datetime(said)).total_seconds() if said else None
    except (TypeError, ValueError):
        return None
