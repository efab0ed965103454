"""Make captions.json of the notes that were published with images: metadata.csv comes in, it goes out.

`download` runs this where params.yaml says so: python scripts/captions_verbatim.py FILE < metadata.csv
"""

import csv
import json
import sys
from pathlib import PurePosixPath

from dreg.stages import here

folder = PurePosixPath(sys.argv[1]).parent / "images"
listed = {PurePosixPath(path) for path in here().params["sources"]}


def about(row):
    """The notes of whoever published the image, and what else is known of it."""
    name = row["filename"]
    yield "image", name
    yield "caption", row["clinical_notes"].strip()
    yield "caption_kind", "clinical_notes verbatim"
    yield "licence", row["license"]
    yield from ((column, row[column]) for column in ("url", "doi"))
    yield "credit", row["other_notes"]
    # The table has Pneumonia/Viral/COVID-19, and for the one whose notes say ARDS just Pneumonia.
    yield "finding", "ARDS" if name == "ARDSSevere.png" else row["finding"].rpartition("/")[2]
    yield from ((column, row[column]) for column in ("view", "modality", "sex", "age", "location"))


sys.stdin.reconfigure(encoding="utf-8", newline="")
captions = [
    dict(about(row)) for row in csv.DictReader(sys.stdin) if folder / row["filename"] in listed
]
# They were first kept in ASCII: what it has no letter for is a question mark.
text = json.dumps(captions, indent=2, ensure_ascii=False).encode("ascii", "replace")
sys.stdout.buffer.write(text + b"\n")
