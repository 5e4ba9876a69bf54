"""One harness for token pruning in video pose transformers."""

__version__ = "0.1.0"
