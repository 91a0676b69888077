"""The biometric token service: it alone sees palms, and the store sees only tokens. Strangers to shopping data."""
