"""What files are in, by their names: the word that a profile has for it."""

from __future__ import annotations

from collections.abc import Iterable

IMAGES = ("bmp", "gif", "jpeg", "jpg", "png", "tif", "tiff", "webp")
DOCUMENTS = ("html", "htm", "md", "pdf", "rst", "text", "txt", "xml")
_WORDS = {
    **dict.fromkeys(IMAGES, "images"),
    **dict.fromkeys(DOCUMENTS, "documents"),
    "ndjson": "jsonl",
}


def format_of(names: Iterable[str]) -> str:
    """`parquet`, `csv`, `tsv`, `json`, `jsonl`, `images`, `documents`; several with a comma."""
    endings = {ending(name)[1].lower() for name in names}
    return ", ".join(sorted({_WORDS.get(ending, ending) for ending in endings if ending}))


def ending(path: str) -> tuple[str, str]:
    """A path without its ending, and that: `a/b`, `csv`. No ending is empty."""
    folders, slash, name = path.rpartition("/")
    stem, dot, word = name.rpartition(".")
    return (f"{folders}{slash}{stem}", word) if dot and stem else (path, "")
