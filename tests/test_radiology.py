"""The dataset `radiology-mini`: images with their captions as conversations."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dreg.errors import Outside
from tests.measured import image
from tests.shipped import Shipped

HANNOVER = "https://github.com/ml-workgroup/covid-19-image-repository"


def caption(file: str, **more: str) -> dict[str, str]:
    told = {
        "image": file, "caption": f"A picture of {file}.", "caption_kind": "clinical_notes verbatim",
        "licence": "CC BY 4.0", "url": "https://example.org/article", "doi": "", "credit": "Ada",
        "finding": "COVID-19", "view": "PA", "modality": "X-ray", "sex": "F", "age": "", "location": "",
    }  # fmt: skip
    return told | more


class Ward:
    """A few small images of both collections: Hannover has three of each patient."""

    def __init__(self, dataset: Shipped) -> None:
        self.dataset = dataset
        self.articles = [
            caption("b.jpg"),
            caption("a.png", licence="CC BY-SA", url="https://a.org"),
        ]
        self.patients: list[dict[str, str]] = []
        self.numbers = ["patient_id,image_id"]
        for patient in range(12):
            self.admit(patient)

    def admit(self, patient: int, images: int = 3) -> None:
        for i in range(images):
            self.numbers.append(f"p{patient},x{patient}-{i}")
            told = caption(f"x{patient}-{i}.png", licence="CC BY 3.0", url=HANNOVER)
            self.patients.append(told)

    def process(self) -> None:
        number = 0
        for name, told in (("open-verbatim", self.articles), ("open-metadata", self.patients)):
            folder = self.dataset.raw / name
            (folder / "images").mkdir(parents=True, exist_ok=True)
            (folder / "captions.json").write_text(json.dumps(told))
            for one in told:
                number += 1
                (folder / "images" / one["image"]).write_bytes(image(colour=(number, 0, 0)))
        (self.dataset.raw / "open-metadata/data.csv").write_text("\n".join(self.numbers))
        self.dataset.stage("process")

    def annotations(self, split: str) -> list[dict[str, Any]]:
        path = self.dataset.data / f"processed/{split}/annotations.json"
        return list(json.loads(path.read_text()))

    def split_of(self) -> dict[str, str]:
        return {one["id"]: name for name in ("train", "test") for one in self.annotations(name)}


@pytest.fixture
def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ward:
    dataset = Shipped("radiology-mini", tmp_path, monkeypatch)
    dataset.change("dataset.yaml", gates={})
    return Ward(dataset)


def test_an_image_is_asked_about_and_its_caption_answers(ward):
    ward.process()
    told = {one["id"]: one for name in ("train", "test") for one in ward.annotations(name)}
    question = "<image>\nDescribe this chest X-ray: the view, and what it shows."
    assert told["b"]["conversations"] == [
        {"from": "human", "value": question},
        {"from": "gpt", "value": "A picture of b.jpg."},
    ]


def test_images_keep_their_bytes_and_lie_beside_their_annotations(ward):
    ward.process()
    data = ward.dataset.data
    for name in ("train", "test"):
        for one in ward.annotations(name):
            raw = data / "raw" / one["collection"] / one["image"]
            assert (data / "processed" / name / one["image"]).read_bytes() == raw.read_bytes()


def test_each_image_carries_its_own_licence(ward):
    ward.process()
    told = {one["id"]: one for name in ("train", "test") for one in ward.annotations(name)}
    assert [told[id_]["licence"] for id_ in ("a", "b", "x3-0")] == [
        "CC BY-SA", "CC BY 4.0", "CC BY 3.0",
    ]  # fmt: skip


def test_the_images_of_a_patient_are_in_one_split(ward):
    ward.process()
    split_of = ward.split_of()
    for patient in range(12):
        assert len({split_of[f"x{patient}-{i}"] for i in range(3)}) == 1
    assert set(split_of.values()) == {"train", "test"}


def test_patients_who_come_later_move_nobody(ward):
    ward.process()
    before = ward.split_of()
    for patient in range(12, 30):
        ward.admit(patient, images=1)
    ward.process()
    after = ward.split_of()
    assert {id_: after[id_] for id_ in before} == before
    assert len(after) == len(before) + 18


def test_images_without_a_finding_are_left_out(ward):
    ward.patients[4]["finding"] = "todo"
    ward.process()
    assert ward.patients[4]["image"].removesuffix(".png") not in ward.split_of()


def test_the_prompt_is_in_the_metadata_with_name_and_version(ward):
    ward.process()
    ward.dataset.stage("analyze")
    assert ward.dataset.metadata["prompt"] == {
        "name": "radiology-caption",
        "version": "1",
        "text": "Describe this chest X-ray: the view, and what it shows.",
    }


def test_an_image_without_a_caption_is_named(ward):
    ward.articles[1]["caption"] = "  "
    with pytest.raises(Outside, match=r"nothing is said about the image `a\.png`"):
        ward.process()


def test_a_caption_without_an_image_is_named(ward, monkeypatch):
    ward.process()
    (ward.dataset.raw / "open-verbatim/images/a.png").unlink()
    with pytest.raises(Outside, match=r"there is no image `.*/images/a.png`, which has a caption"):
        ward.dataset.stage("process")


def test_an_image_of_another_collection_with_the_same_name_is_refused(ward):
    ward.articles.append(caption("x3-1.png", url=HANNOVER))
    ward.numbers.append("p3,x3-1")
    with pytest.raises(Outside, match="two images are called `x3-1`"):
        ward.process()


def test_an_image_that_does_not_decode_is_named(ward):
    ward.process()
    [broken] = (ward.dataset.data / "processed").glob("*/images/x5-1.png")
    broken.write_bytes(broken.read_bytes()[:50])
    with pytest.raises(Outside, match=r"images/x5-1.png"):
        ward.dataset.stage("analyze")


def captions(dataset: Shipped, script: str, collection: str, table: str) -> list[dict[str, str]]:
    """What a script makes of a publisher's table."""
    done = subprocess.run(
        [sys.executable, f"scripts/{script}.py", f"{collection}/captions.json"],
        input=table.encode(), capture_output=True, check=True, cwd=dataset.pipeline,
    )  # fmt: skip
    return list(json.loads(done.stdout))


def test_published_notes_are_captions_word_for_word_in_ascii(tmp_path, monkeypatch):
    dataset = Shipped("radiology-mini", tmp_path, monkeypatch)
    table = (
        "finding,view,modality,sex,age,location,filename,doi,url,license,clinical_notes,other_notes,\n"
        "Pneumonia,PA,X-ray,,,,ARDSSevere.png,,https://a.org,CC BY-SA, Severe ARDS. ,,\n"
        "Pneumonia,PA,X-ray,,,,another.png,,https://b.org,CC BY,Not in the list.,,\n"
        "Pneumonia/Viral/COVID-19,PA,X-ray,M,34,Médico,12941_2020_358_Fig1_HTML.jpg,10.1,https://c.org,"
        'CC BY 4.0,"39 ℃, 9 × 10,\nand ""so on""",Ada,\n'
    )
    first, second = captions(dataset, "captions_verbatim", "open-verbatim", table)
    assert first == caption(
        "ARDSSevere.png", caption="Severe ARDS.", licence="CC BY-SA", url="https://a.org", credit="",
        finding="ARDS", sex="",
    )  # fmt: skip
    assert second == caption(
        "12941_2020_358_Fig1_HTML.jpg", caption='39 ?, 9 ? 10,\nand "so on"', url="https://c.org",
        doi="10.1", sex="M", age="34", location="M?dico",
    )  # fmt: skip


def test_captions_without_published_words_are_composed_of_columns(tmp_path, monkeypatch):
    dataset = Shipped("radiology-mini", tmp_path, monkeypatch)
    table = (
        "patient_id,image_id,sex,age,admission_offset,modality,projection\n"
        "p1,b343e657,m,,0,CR,ap\np1,ffffffff,m,,1,CR,ap\np2,2c35005f,f,,23,CR,pa\n"
        "p3,6646071b,m,,-52,CR,ap\np4,a4318ac9,m,,10,CR,ap\n"
    )
    told = captions(dataset, "captions_composed", "open-metadata", table)
    assert [one["image"][:-4] for one in told] == ["b343e657", "2c35005f", "6646071b", "a4318ac9"]
    assert [one["finding"] for one in told] == ["COVID-19", "No Finding", "todo", "Unknown"]
    assert [one["caption"] for one in told[:2]] == [
        "Chest X-ray, AP Supine view, of a man; labelled finding: COVID-19. "
        "Day 0 relative to the reference date.",
        "Chest X-ray, PA view, of a woman; labelled finding: no finding. "
        "Day -23 relative to the reference date.",
    ]


def test_the_real_images_give_the_committed_bytes(tmp_path, monkeypatch):
    dataset = Shipped("radiology-mini", tmp_path, monkeypatch)
    dataset.from_mirror()
    dataset.holds_what_is_committed()
    splits = dataset.metadata["splits"]
    assert {name: split["num_samples"] for name, split in splits.items()} == {
        "train": 53,
        "test": 12,
    }
