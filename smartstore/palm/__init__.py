"""The biometric token service: enrols and matches palms, issues visit tokens, knows nothing of shopping."""
