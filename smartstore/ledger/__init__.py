"""Carts as folds over an append-only journal, and settlement."""
