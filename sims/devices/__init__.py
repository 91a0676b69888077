"""Devices of the simulated building: what they see and weigh is drawn from scenes, what they say are wire messages."""
