"""What is named, without its code: combinations, cards, registries, shipped data."""
