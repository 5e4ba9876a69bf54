"""The contracts of the parts, the lifter that joins them, and its weights."""
