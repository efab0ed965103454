"""Make conversations of images and captions, split by whose images they are."""

import json
import zipfile

from dreg.stages import here
from dreg.stages.conversations import Example, write_conversations, write_prompt
from dreg.stages.prompts import chosen_prompt
from dreg.stages.split import by_key

# What is carried through of each image beside its caption. Change: what your captions tell.
ABOUT = ("licence", "credit", "subject")

work = here()
params = work.params["process"]


def read(archive):
    """Images and what is said about them. Change: where your archives have their captions."""
    with zipfile.ZipFile(archive) as members:
        for told in json.loads(members.read("captions.json")):
            image = members.read(f"images/{told['image']}")
            yield Example(told["image"], image, told["caption"], {key: told[key] for key in ABOUT})


prompt = chosen_prompt(work)
write_prompt(prompt, work.processed)
examples = [example for archive in sorted(work.raw.glob("*.zip")) for example in read(archive)]
# Change: images of one subject (a patient, a scene, an article) belong into one split; where each
# image is a subject of its own, `example.id` is the key.
train, test = by_key(examples, lambda example: example.about["subject"], params["test_share"])
for name, split in (("train", train), ("test", test)):
    count = write_conversations(split, work.processed / name, prompt)
    print(f"{name}: {count:,} images")
