"""Whether data is what it is taken for: one verdict a fault, with the number that proves it."""
