"""The keys that every shipped study plans, in an environment that is fixed.

`python tests/planned.py` prints them as tests/data/keys.json holds them.
"""

import hashlib
import json
import tempfile
from itertools import islice
from pathlib import Path

from htpbench.bench.runner import Bench
from htpbench.study import space, study

SEARCHED = 40  # combinations of a space: all of its pruners and recoverers are among them
ENVIRONMENT = {"id": "fixed", "device": "a processor", "threads": 1}


def keys():
    """Study -> combination or control -> meter -> a digest of its metrics and their keys."""
    return {name: planned(name) for name in loading.names()}


def planned(name):
    """The keys of one study, trained networks with random weights in their place."""
    loaded = loading.load(name)
    if loaded.training:
        loaded = loaded.model_copy(update={"training": None, "weights": "random"})
    with tempfile.TemporaryDirectory() as folder:
        bench = Planning(loaded, Path(folder))
        found = {}
        chosen = [*loaded.parsed(), loaded.anchor()]
        chosen += islice(space.enumerated(loaded.search), SEARCHED) if loaded.search else []
        for combination in dict.fromkeys(chosen):
            pairs = {meter: bench.keys(combination, meter) for meter in loaded.meters}
            found[str(combination)] = {meter: digest(keys) for meter, keys in pairs.items() if keys}
        bench.control(None, bench.tell)
        return found | {"controls": bench.controls}


class Planning(Bench):
    """A bench in a fixed environment that measures nothing and notes the keys of controls."""

    def __init__(self, loaded, folder):
        super().__init__(loaded, folder)
        self.environment, self.machine = ENVIRONMENT, "a machine"
        self.controls, self.asked = {}, []

    def tell(self, text):
        """What is about to be measured, had `settled` not noted its keys a moment ago."""
        self.controls[text.removesuffix(": accuracy")] = {"accuracy": digest(self.asked.pop())}

    def settled(self, keys):
        self.asked.append(keys)
        return False

    def write(self, *_, **__):
        return None

    @property
    def held(self):
        return Anything()


class Anything(dict):
    """Has an answer to every key."""

    def __missing__(self, key):
        return key


def digest(keys):
    """16 hex digits of metrics and keys."""
    return hashlib.sha256(json.dumps(sorted(keys.items())).encode()).hexdigest()[:16]


if __name__ == "__main__":
    print(json.dumps(keys(), indent=1))
