"""The keys that every shipped study plans, in an environment that is fixed.

`python tests/planned.py` prints them as tests/data/keys.json holds them.
"""

import hashlib
import json
from itertools import islice
from unittest.mock import patch

from htpbench.bench.controls import controls
from htpbench.bench.job import job
from htpbench.measuring.context import Context
from htpbench.study import loading, space

SEARCHED = 40  # combinations of a space: all of its pruners and recoverers are among them
ENVIRONMENT = {"id": "fixed", "device": "a processor", "threads": 1}


def keys():
    """Study -> combination or control -> meter -> a digest of its metrics and their keys."""
    return {name: planned(name) for name in loading.names()}


@patch("htpbench.engines.importlib.metadata.version", lambda name: "a release")
def planned(name):
    """The keys of one study, trained networks with random weights in their place."""
    loaded = loading.load(name)
    if loaded.training:
        loaded = loaded.model_copy(update={"training": None, "weights": "random"})
    context = Context(loaded)
    context.environment, context.machine = ENVIRONMENT, "a machine"
    context.opened["engine", loaded.engine, loaded.precision] = None  # whether it is installed
    chosen = [*loaded.parsed(), loaded.reference_combination()]
    chosen += islice(space.enumerated(loaded.search), SEARCHED) if loaded.search else []
    found = {}
    for combination in dict.fromkeys(chosen):
        pairs = {meter: job(context, combination, meter).keys for meter in loaded.meters}
        found[str(combination)] = {meter: digest(keys) for meter, keys in pairs.items() if keys}
    beside = {one.name: {one.meter: digest(one.keys)} for one, _ in controls(context)}
    return found | {"controls": beside}


def digest(keys):
    """16 hex digits of metrics and keys."""
    return hashlib.sha256(json.dumps(sorted(keys.items())).encode()).hexdigest()[:16]


if __name__ == "__main__":
    print(json.dumps(keys(), indent=1))
