"""Search: all that a space holds, what Optuna draws of it, what need not be measured further."""
