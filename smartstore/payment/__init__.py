"""Money leaves the store's hands here: the gateway to a payment provider."""
