"""Markdown as people read it: sections by their headings, without markup that says nothing."""

from dreg.adapters.markdown.reading import Section, sections

__all__ = ["Section", "sections"]
