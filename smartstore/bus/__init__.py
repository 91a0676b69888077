"""Packets in, packets out: the bus carries bytes and knows nothing of what they mean."""
