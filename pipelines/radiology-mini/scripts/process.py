"""Make conversations of the two collections' images and captions, split by whose images they are."""

import csv
import json

from dreg.stages import here
from dreg.stages.conversations import Example, image_in, write_conversations, write_prompt
from dreg.stages.prompts import chosen_prompt
from dreg.stages.split import by_key

# What is carried through of each image, under these names. Empty texts say that it isn't known.
ABOUT = ("licence", "credit", "url", "doi", "caption_kind", "finding", "view", "sex", "age")

work = here()
params = work.params["process"]


def subjects():
    """Whose image each of Hannover's is, by its id."""
    with (work.raw / "open-metadata/data.csv").open(encoding="utf-8", newline="") as file:
        return {row["image_id"]: f"hannover {row['patient_id']}" for row in csv.DictReader(file)}


def read(collection):
    """The captions of a collection with the bytes of their images."""
    patients = subjects()
    folder = work.raw / collection
    for told in json.loads((folder / "captions.json").read_text(encoding="utf-8")):
        if told["finding"] in params["leave_out_findings"]:
            continue
        name = told["image"]
        about = {key: told[key] for key in ABOUT}
        # The other collection has no numbers of patients: images of one article stay together.
        about["subject"] = patients.get(name.rpartition(".")[0], told["url"])
        about["collection"] = collection
        yield Example(name, image_in(folder / "images" / name), told["caption"], about)


prompt = chosen_prompt(work)
write_prompt(prompt, work.processed)
examples = [example for name in ("open-verbatim", "open-metadata") for example in read(name)]
train, test = by_key(examples, lambda example: example.about["subject"], params["test_share"])
for name, split in (("train", train), ("test", test)):
    count = write_conversations(split, work.processed / name, prompt)
    print(f"{name}: {count:,} images of {len({one.about['subject'] for one in split}):,} subjects")
