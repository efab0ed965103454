"""Drawings made of characters: their words stay, their lines go."""

from __future__ import annotations

import re

LINES = "\u2500-\u259f"  # boxes and blocks
ARROWS = "\u2190-\u21ff\u25a0-\u25ff"
DRAWN = re.compile(f"[{LINES}]")
STROKES = re.compile(f"[{LINES}{ARROWS}]+")
ONLY_ARROWS = re.compile(f"[\\s{ARROWS}|v^]+")
# `+-----+---+`, as boxes are drawn in ASCII; a table's own line of dashes has no `+`.
BORDER = re.compile(r"[\s|]*\+[-=+]{2,}[\s|+=-]*")
WIDE = re.compile(r"\s{2,}")


def without_drawing(text: str) -> str:
    """The lines of a block with what boxes, trees and arrows say, and none of their strokes."""
    lines = text.splitlines()
    boxes = any(BORDER.fullmatch(line) for line in lines)
    kept = []
    for line in lines:
        if BORDER.fullmatch(line):
            continue
        if DRAWN.search(line):
            words = WIDE.sub(" ", STROKES.sub("  ", line)).strip()
        elif boxes and "|" in line:
            words = WIDE.sub(" ", line.replace("|", "  ")).strip()
        elif line.strip() and ONLY_ARROWS.fullmatch(line):
            words = ""
        else:
            kept.append(line)
            continue
        if any(map(str.isalnum, words)):
            kept.append(words)
    return "\n".join(kept).strip("\n")
