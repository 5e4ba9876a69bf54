"""Sweeps: what Optuna draws, where its trials are kept, what need not be measured further."""
