"""The contract between devices, pipeline and apps. Both sides import this package; of ours it imports nothing but the
door to Numba."""
