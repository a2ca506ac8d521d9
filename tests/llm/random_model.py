"""A language model of random weights, written as a GGUF file in a few milliseconds: two layers of 64, one token a byte.

It knows nothing, so whatever it says in the form of a schema is the server's doing. The format is the public one of
llama.cpp (GGUF version 3): key-values, tensor infos, then the tensors, each at a multiple of 32 bytes.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

WIDTH, LAYERS, HEADS, INNER = 64, 2, 4, 128
CONTEXT = 32_768
ALIGNMENT = 32
UNSIGNED, FLOAT, STRING, ARRAY, INTEGER = 4, 6, 8, 9, 5
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
LIKINGS = {0.7: '"]}:', 0.2: "1", -0.6: "023456789", -0.9: " \t\r\n\\eE-+."}
TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


def write_random_model(path: Path, seed: int = 1) -> Path:
    """Writes the model to ``path`` (about half a megabyte)."""
    # Bytes from 0x80 up are control tokens, which no grammar lets through: what comes out is ASCII, so always UTF-8.
    tokens = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    kinds = [UNKNOWN, CONTROL, CONTROL, *(BYTE if byte < 0x80 else CONTROL for byte in range(256))]
    head = {
        "general.architecture": "llama",
        "general.name": "random",
        "llama.context_length": CONTEXT,
        "llama.embedding_length": WIDTH,
        "llama.block_count": LAYERS,
        "llama.feed_forward_length": INNER,
        "llama.attention.head_count": HEADS,
        "llama.attention.layer_norm_rms_epsilon": 1e-5,
        "llama.rope.dimension_count": WIDTH // HEADS,
        "tokenizer.ggml.model": "llama",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.scores": [0.0] * len(tokens),
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.bos_token_id": 1,
        "tokenizer.ggml.eos_token_id": 2,
        "tokenizer.ggml.unknown_token_id": 0,
        "tokenizer.chat_template": TEMPLATE,
    }
    shapes: dict[str, tuple[int, ...]] = {
        "token_embd.weight": (len(tokens), WIDTH),
        "output_norm.weight": (WIDTH,),
        "output.weight": (len(tokens), WIDTH),
    }
    for layer in range(LAYERS):
        shapes |= {
            f"blk.{layer}.attn_norm.weight": (WIDTH,),
            **{f"blk.{layer}.attn_{name}.weight": (WIDTH, WIDTH) for name in ("q", "k", "v", "output")},
            f"blk.{layer}.ffn_norm.weight": (WIDTH,),
            f"blk.{layer}.ffn_gate.weight": (INNER, WIDTH),
            f"blk.{layer}.ffn_up.weight": (INNER, WIDTH),
            f"blk.{layer}.ffn_down.weight": (WIDTH, INNER),
        }
    chance = np.random.default_rng(seed)
    infos, data = b"", b""
    for name, shape in shapes.items():
        weights = np.ones(shape) if len(shape) == 1 else chance.normal(0, 0.08, shape)
        # The first dimension is the same for every token, so what the output gives it is a liking for that token:
        # for what ends a text or a list, against what goes on for ever.
        if name == "token_embd.weight":
            weights[:, 0] = 1.0
        elif name == "output.weight":
            weights[:, 0] = 0.0
            for liking, characters in LIKINGS.items():
                for character in characters:
                    weights[3 + ord(character), 0] = liking
        infos += _text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *reversed(shape))
        infos += struct.pack("<IQ", 0, len(data))
        data += weights.astype("<f4").tobytes()
        data += b"\0" * (-len(data) % ALIGNMENT)
    body = b"GGUF" + struct.pack("<IQQ", 3, len(shapes), len(head))
    body += b"".join(_text(key) + _value(value) for key, value in head.items()) + infos
    path.write_bytes(body + b"\0" * (-len(body) % ALIGNMENT) + data)
    return path


def _text(text: str) -> bytes:
    encoded = text.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", STRING) + _text(value)
    if isinstance(value, float):
        return struct.pack("<If", FLOAT, value)
    if isinstance(value, int):
        return struct.pack("<II", UNSIGNED, value)
    head = struct.pack("<I", ARRAY)
    if isinstance(value[0], str):
        return head + struct.pack("<IQ", STRING, len(value)) + b"".join(_text(item) for item in value)
    kind, code = (FLOAT, "f") if isinstance(value[0], float) else (INTEGER, "i")
    return head + struct.pack("<IQ", kind, len(value)) + struct.pack(f"<{len(value)}{code}", *value)
