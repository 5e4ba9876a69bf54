"""Golden cases: each module's RUNNERS maps families to what runs one case of it."""

import pkgutil
from importlib import import_module

RUNNERS = {}
for found in pkgutil.iter_modules(__path__):
    RUNNERS |= getattr(import_module(f"{__name__}.{found.name}"), "RUNNERS", {})
