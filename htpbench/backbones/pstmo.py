"""P-STMO: the strided transformer behind a residual embedding (Shan et al., ECCV 2022)."""

from __future__ import annotations

from torch import Tensor, nn

from htpbench.backbones.strided import Strided


def convolved(coordinates: int, width: int, dropout: float) -> nn.Sequential:
    """(B, 2 J, F) -> (B, C, F): a convolution over single frames, normed and leaky."""
    return nn.Sequential(
        nn.Conv1d(coordinates, width, kernel_size=1),
        nn.BatchNorm1d(width),
        nn.LeakyReLU(0.2),
        nn.Dropout(dropout),
    )


class Entrance(nn.Module):
    """A residual perceptron of twice the width, frame by frame."""

    def __init__(self, coordinates: int, width: int, dropout: float) -> None:
        super().__init__()
        hidden = 2 * width
        self.opening = convolved(coordinates, hidden, dropout)
        self.residual = nn.Sequential(
            *convolved(hidden, hidden, dropout), *convolved(hidden, hidden, dropout)
        )
        self.closing = nn.Conv1d(hidden, width, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 2 J, F) -> (B, C, F)."""
        x = self.opening(x)  # (B, 2 C, F)
        return self.closing(x + self.residual(x))


class PSTMO(Strided):
    """P-STMO's fine-tuning network: `Strided` with an embedding of its own."""

    def entered(self, coordinates: int, width: int, dropout: float) -> nn.Module:
        """See Strided."""
        return Entrance(coordinates, width, dropout)
