"""Make captions.json of what Hannover recorded, which published no words: data.csv comes in, it goes out.

`download` runs this where params.yaml says so: python scripts/captions_composed.py FILE < data.csv
"""

import csv
import json
import sys
from pathlib import PurePosixPath

from dreg.stages import here

folder = PurePosixPath(sys.argv[1]).parent / "images"
listed = {PurePosixPath(path) for path in here().params["sources"]}

# The labels are another collection's (ieee8023/covid-chestxray-dataset): COVID-19, and those.
TODO = [
    *("6646071b", "5359825d", "0cd9fcb6", "ce09cfab", "b0500187", "40f355ec", "e6eaadf0"),
    *("34d999a9", "fbb18dc0", "54d57e77", "a7e0a141", "d806f9a1", "19a01707"),
]
LABELS = dict.fromkeys(TODO, "todo") | {"a4318ac9": "Unknown", "2c35005f": "No Finding"}
WORDS = {"Unknown": "finding not stated", "No Finding": "no finding"}
VIEWS = {"ap": "AP Supine", "pa": "PA"}
WHO = {"m": "man", "f": "woman"}
ALL = {
    "caption_kind": "composed from metadata columns (not written by a radiologist)",
    "licence": "CC BY 3.0",
    "url": "https://github.com/ml-workgroup/covid-19-image-repository",
    "doi": "10.6084/m9.figshare.12275009",
    "credit": "Institute for Diagnostic and Interventional Radiology, Hannover Medical School",
}


def about(row):
    """A sentence of the columns, and the columns."""
    finding, view = LABELS.get(row["image_id"], "COVID-19"), VIEWS[row["projection"]]
    caption = (
        f"Chest X-ray, {view} view, of a {WHO[row['sex']]}; "
        f"labelled finding: {WORDS.get(finding, finding)}. "
        f"Day {-int(row['admission_offset'])} relative to the reference date."
    )
    place = {"location": "Hannover Medical School, Hannover, Germany"}
    who = {"sex": row["sex"].upper(), "age": row["age"]}
    image = {"image": f"{row['image_id']}.png", "caption": caption}
    return image | ALL | {"finding": finding, "view": view, "modality": "X-ray"} | who | place


sys.stdin.reconfigure(encoding="utf-8", newline="")
rows = [row for row in csv.DictReader(sys.stdin) if folder / f"{row['image_id']}.png" in listed]
print(json.dumps([about(row) for row in rows], indent=2))
