"""Carts, prices, the journal and settled receipts."""
