"""Orders of 17 joints in which people bring 2D or 3D: how they become Human3.6M's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from htpbench.datasets.mpi3dhp import sequences

# Limbs by their two ends: thighs, shanks, upper arms, forearms.
LIMBS = ([1, 2, 4, 5, 11, 12, 14, 15], [2, 3, 5, 6, 12, 13, 15, 16])
BODY = (1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16)  # joints that all orders have


@dataclass(frozen=True)
class Order:
    """An order by name: of each of the 17 joints the rows whose middle it is."""

    name: str
    rows: tuple[tuple[int, ...], ...]

    def of(self, poses: np.ndarray) -> np.ndarray:
        """(n, 17, k) in this order as Human3.6M has it."""
        return np.stack([poses[:, list(rows)].mean(axis=1) for rows in self.rows], axis=1)


def single(name: str, *rows: int) -> Order:
    """An order that has each joint as a row."""
    return Order(name, tuple((row,) for row in rows))


ORDERS = (
    Order(
        "COCO",
        (
            *((11, 12), (12,), (14,), (16,), (11,), (13,), (15,)),
            *((5, 6, 11, 12), (5, 6), (0,), (1, 2)),
            *((5,), (7,), (9,), (6,), (8,), (10,)),
        ),
    ),
    single("MPI-INF-3DHP", *sequences.ORDER),
    Order(
        "BODY_25",
        (
            *((8,), (9,), (10,), (11,), (12,), (13,), (14,), (1, 8), (1,), (0,), (15, 16)),
            *((5,), (6,), (7,), (2,), (3,), (4,)),
        ),
    ),
    Order(
        "MPII",
        (
            *((6,), (2,), (1,), (0,), (3,), (4,), (5,), (6, 7), (7,), (8, 9), (9,)),
            *((13,), (14,), (15,), (12,), (11,), (10,)),
        ),
    ),
)
