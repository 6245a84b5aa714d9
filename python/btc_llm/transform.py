"""Factors that stay in front of the Linears of a block, folded into dense weights."""

from __future__ import annotations

import numpy as np

from btc_llm.codebooks import block_prefix
from btc_llm.owner import Owner
from btc_llm.safetensors_file import SafetensorsFile

# The input of each Linear, by its name in a block.
INPUT_OF = {"self_attn.q_proj": "qkv", "self_attn.k_proj": "qkv", "self_attn.v_proj": "qkv",
            "self_attn.o_proj": "o", "mlp.gate_proj": "gate_up", "mlp.up_proj": "gate_up",
            "mlp.down_proj": "down"}
_CHUNK = 1 << 22  # weights that are worked on at once


def read_factors(file: SafetensorsFile, block: int, name: str,
                 width: int) -> tuple[np.ndarray, np.ndarray | None]:
    """P1 [a, a] and P2 [b, b], or none for the identity, of an input of this width; float32."""
    owner = Owner(file, f"{block_prefix(block)}.{name}")
    p1 = owner.square("p1", width)
    p2 = owner.square("p2", width) if owner.has("p2") else None
    product = len(p1) * (1 if p2 is None else len(p2))
    if width % product != 0 if p2 is None else width != product:
        owner.fail("p1", 0, f"factors of sizes {len(p1)} and {0 if p2 is None else len(p2)}, "
                            f"expected sizes whose product is {width}")
    return p1, p2


def fold(weights: np.ndarray, p1: np.ndarray, p2: np.ndarray | None) -> np.ndarray:
    """Q (P1 x P2)^T, float32 [n, m]; sums in float64.

    A row of Q, viewed as X [a, b], becomes P1 X P2^T.
    """
    n, m = weights.shape
    left = p1.astype(np.float64)
    right = None if p2 is None else p2.T.astype(np.float64)
    result = np.empty_like(weights)
    step = max(1, _CHUNK // m)
    for begin in range(0, n, step):
        x = weights[begin:begin + step].astype(np.float64).reshape(-1, len(left), m // len(left))
        x = np.matmul(left, x)
        if right is not None:
            x = np.matmul(x, right)
        result[begin:begin + step] = x.reshape(-1, m)
    return result
