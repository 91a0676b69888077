"""The contract between devices, pipeline and apps. Both sides import this package; it imports nothing of ours."""
