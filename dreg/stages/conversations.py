"""Images that are talked about: files beside `annotations.json`, as training of vision models reads them.

    processed/train/annotations.json    one object a sample, one a line
    processed/train/images/0001.png     the bytes as they came

An object has `id`, `image` (a path beside the annotations), `conversations` of what is asked and
what is answered, and what else is known of the image, such as its licence. `prompt.json` says
what is asked of all of them.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dreg.adapters.image_files import FILE_NAME, captions_of
from dreg.adapters.written import written
from dreg.adapters.yaml_files import shown
from dreg.core.profile import Prompt
from dreg.errors import Outside

IMAGE = "<image>"  # where in the question the picture goes, as LLaVA and its like have it
PROMPT = "prompt.json"


@dataclass(frozen=True)
class Example:
    """An image, by its file name and bytes, what is said about it, and what else is known of it."""

    file: str
    image: bytes
    answer: str
    about: Mapping[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """What tells it from all others: the file's name without its ending."""
        return self.file.rpartition(".")[0]


def write_conversations(examples: Iterable[Example], folder: Path, prompt: Prompt) -> int:
    """Write images and annotations to `folder`, sorted by id; returns how many.

    Raises Outside for an example without an answer, without an image, or with the id of another.
    """
    lines: dict[str, str] = {}
    for example in examples:
        refuse_odd(example)
        if example.id in lines:
            raise Outside(f"two images are called `{example.id}`", hint="rename one of them")
        with written(folder / "images" / example.file) as file:
            file.write(example.image)
        lines[example.id] = json.dumps(annotation(example, prompt), ensure_ascii=False)
    text = ",\n".join(lines[id_] for id_ in sorted(lines))
    with written(folder / "annotations.json") as file:
        file.write(f"[\n{text}\n]\n".encode())
    return len(lines)


def annotation(example: Example, prompt: Prompt) -> dict[str, object]:
    """The example as JSON."""
    return {
        "id": example.id,
        "image": f"images/{example.file}",
        "conversations": [
            {"from": "human", "value": f"{IMAGE}\n{prompt.text}"},
            {"from": "gpt", "value": example.answer.strip()},
        ],
        **example.about,
    }


def captioned_in(archive: Path) -> Iterator[tuple[Mapping[str, Any], bytes]]:
    """What captions.json in a .zip tells of each image of images/, and the image's bytes.

    Raises Outside for an archive that is none, and for captions that don't go with the images: nothing
    that is there is left out without a word.
    """
    try:
        with zipfile.ZipFile(archive) as members:
            for told in captions_of(members):
                yield told, members.read(f"images/{told['image']}")
    except (KeyError, ValueError, zipfile.BadZipFile) as error:
        raise Outside(
            f"{archive.name} has no images with captions: {str(error).strip(chr(34))}",
            hint="each image of images/ has its caption in captions.json, and each caption its image",
        ) from error


def image_in(path: Path) -> bytes:
    """The bytes of an image file. Raises Outside when there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise Outside(
            f"there is no image `{shown(path)}`, which has a caption",
            hint="list it in params.yaml, or leave the caption out",
        ) from error


def refuse_odd(example: Example) -> None:
    """Raises Outside for an example that nothing can be learnt from."""
    if not FILE_NAME.fullmatch(example.file) or not example.id:
        raise Outside(
            f"`{example.file}` is no name for an image",
            hint="have the pipeline name it with letters, digits, `.`, `_` and `-`",
        )
    if not example.answer.strip():
        raise Outside(
            f"nothing is said about the image `{example.file}`",
            hint="add its caption, or have the pipeline leave it out",
        )
    if not example.image:
        raise Outside(f"the image `{example.file}` is empty", hint="see where it comes from")


def write_prompt(prompt: Prompt, folder: Path) -> None:
    """Keep beside the data what is asked, with its name and version."""
    with written(folder / PROMPT) as file:
        file.write(f"{json.dumps(vars(prompt), indent=2, ensure_ascii=False)}\n".encode())


def read_prompt(folder: Path) -> dict[str, object]:
    """What `write_prompt` kept, as `profile.write(prompt=...)` takes it."""
    told = json.loads((folder / PROMPT).read_bytes())
    return dict(told)
