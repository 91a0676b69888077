"""Frozen nouns of a checkout-free store. Standard library and numpy only; nothing here does I/O."""
