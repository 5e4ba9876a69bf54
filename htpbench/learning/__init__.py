"""How networks learn: recipes as data, losses, rates, and one step of an optimiser."""
