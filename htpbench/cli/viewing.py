"""The verb that shows poses: a page that turns them, and a strip of them for papers."""

from __future__ import annotations

import re
from math import isfinite
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from htpbench.cli.shared import app, err, warn
from htpbench.errors import BenchError

SKELETONS = 9  # of a strip: as many as fit a page


@app.command(sort_key=6.8)
def view(
    poses: Annotated[
        str, Parameter(help="A file that lift wrote, or data as --data of other verbs names it.")
    ],
    other: Annotated[str | None, Parameter(help="Poses to show beside them.")] = None,
    *,
    clip: Annotated[str | None, Parameter(help="Of several; default: the first.")] = None,
    out: Annotated[
        Path | None, Parameter(help="The page. Default: named as POSES, in this folder.")
    ] = None,
    turn: Annotated[float, Parameter(help="Degrees by which skeletons are turned at first.")] = 0.0,
    strip: Annotated[
        Path | None,
        Parameter(help="Write skeletons in a row (.png, .svg, .pdf), and a page only with --out."),
    ] = None,
    frames: Annotated[int | None, Parameter(help="Skeletons of the strip. Default: 9.")] = None,
    window: Annotated[
        int | None, Parameter(help="Window that the strip shows. Default: the middle one.")
    ] = None,
) -> None:
    """Show poses in 3D beside their 2D, with kept frames and errors: one HTML file, or a strip."""
    from htpbench.poses.page.write import check, write_page
    from htpbench.poses.source import choose, tracks_of
    from htpbench.poses.together import curves, together

    if not isfinite(turn):
        raise BenchError(f"--turn {turn}: expected degrees")
    if strip is None and (frames is not None or window is not None):
        raise BenchError("--frames and --window are of a strip; name one with --strip FILE")
    shown = []
    for source in (poses,) if other is None else (poses, other):
        found = tracks_of(source)
        track = choose(found, source, clip, *shown[:1])
        if len(found) > 1 and clip is None and not shown:
            warn(f"{source}: {track.name} of {len(found)} clips; --clip NAME shows another")
        if len(found) > 1 and clip is None and shown and track.name != shown[0].name:
            warn(f"{source}: has no clip {shown[0].name}; {track.name} stands beside it")
        shown.append(track)
    shown = together(shown)
    page = out or beside(poses) if strip is None or out is not None else None
    if page is not None:
        check(page)  # before a strip is written
    written = []
    if strip is not None:
        from htpbench.poses.strip.draw import write_strip

        count = SKELETONS if frames is None else frames
        written.append(write_strip(strip, shown, count, window, turn))
    if page is not None:
        written.append(write_page(page, shown, turn))
    for curve in curves(shown):
        what = curve.label if curve.of is None else f"MPJPE of {curve.label}"
        said = f"{what}: {curve.values.mean():.1f} mm over {len(curve.values)} frames"
        err.print(said, highlight=False, markup=False, soft_wrap=True)
    for path in written:
        err.print(f"written: {path}", highlight=False, markup=False, soft_wrap=True)


def beside(source: str) -> Path:
    """The page of a source: its name without scheme, folders and options, in this folder."""
    path = re.sub(r"^[\w-]+:|,(?=[\w-]+=).*$", "", source)
    return Path(f"{Path(path).stem or 'poses'}.html")
