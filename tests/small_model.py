"""An embedding model of a few kilobytes, made here: real files, which sentence-transformers loads."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NEEDED = ("torch", "sentence_transformers")
LACKING = [name for name in NEEDED if find_spec(name) is None]
needs_torch = pytest.mark.skipif(
    bool(LACKING), reason=f"{', '.join(LACKING)} not installed: make neighbours"
)
DIMENSION = 32
WORDS = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    "the",
    "a",
    "of",
    "to",
    "is",
    "how",
    "what",
    "beans",
    "water",
    "soup",
    "spade",
    "turn",
    "soil",
]
TYPES = "sentence_transformers.models"


@cache
def files() -> dict[str, bytes]:
    """The model's files by path: a BERT of one layer with weights of chance, the same ones always."""
    import torch
    from safetensors.torch import save
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=200, hidden_size=DIMENSION, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=128, architectures=["BertModel"],
    )  # fmt: skip
    torch.manual_seed(7)
    weights = {name: value.contiguous() for name, value in BertModel(config).state_dict().items()}
    letters = [*"abcdefghijklmnopqrstuvwxyz0123456789.,?#|-"]
    vocabulary = [*WORDS, *letters, *(f"##{letter}" for letter in letters)]
    tokenizer = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": i, "content": word, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for i, word in enumerate(WORDS[:5])
        ],
        "normalizer": {"type": "BertNormalizer", "clean_text": True, "handle_chinese_chars": True,
                       "strip_accents": None, "lowercase": True},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": True},
        "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
                  "max_input_chars_per_word": 100,
                  "vocab": {word: i for i, word in enumerate(vocabulary)}},
    }  # fmt: skip
    pooling = {"word_embedding_dimension": DIMENSION, "pooling_mode_mean_tokens": True}
    kinds = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    modules = [
        {"idx": i, "name": str(i), "path": path, "type": f"{TYPES}.{kind}"}
        for i, (path, kind) in enumerate(kinds)
    ]
    told: dict[str, Any] = {
        "config.json": config.to_dict(),
        "modules.json": modules,
        "sentence_bert_config.json": {"max_seq_length": 64, "do_lower_case": False},
        "1_Pooling/config.json": pooling,
        "tokenizer.json": tokenizer,
        "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "model_max_length": 64,
                                  "pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]",
                                  "sep_token": "[SEP]", "mask_token": "[MASK]"},
    }  # fmt: skip
    texts = {path: json.dumps(value, sort_keys=True).encode() for path, value in told.items()}
    return {**texts, "model.safetensors": save(weights, metadata={"format": "pt"})}


def declared(below: str = "small-model") -> dict[str, Any]:
    """The model as params.yaml declares it; its files are below `below` in the folder DREG_MIRROR."""
    return {
        "name": "tests/small",
        "revision": "1",
        "dimension": DIMENSION,
        "files": {
            path: {
                "sha256": hashlib.sha256(content).hexdigest(),
                "size": len(content),
                "mirrors": [{"local": f"{below}/{path}"}],
            }
            for path, content in files().items()
        },
    }


def put_below(folder: Path) -> None:
    """Write the model's files where `declared` says."""
    for path, content in files().items():
        target = folder / "small-model" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
