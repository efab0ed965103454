"""Sources: the files a download stage needs, and the mirrors that may give each of them.

The order of the mirrors is a preference; the checksum decides. So a mirror may be slow, private or
not trusted at all, and a release still consists of the same bytes.
"""

from dreg.core.sources.listed import REPOSITORY, parse_sources
from dreg.core.sources.mirrors import (
    Deb,
    GitHubBlob,
    GzipHeader,
    Http,
    Local,
    Mirror,
    PipelineFile,
    Script,
    Source,
    Wheel,
)

__all__ = [
    "REPOSITORY",
    "Deb",
    "GitHubBlob",
    "GzipHeader",
    "Http",
    "Local",
    "Mirror",
    "PipelineFile",
    "Script",
    "Source",
    "Wheel",
    "parse_sources",
]
