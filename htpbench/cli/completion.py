"""The verb that teaches a shell the others."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from htpbench.cli.shared import app


@app.command(sort_key=13)
def completion(
    shell: Annotated[
        Literal["bash", "zsh", "fish", "powershell"], Parameter(help="That shall complete.")
    ],
) -> None:
    """Print a script that completes verbs and options: `eval "$(htpbench completion bash)"`."""
    print(app.generate_completion(prog_name="htpbench", shell=shell))
