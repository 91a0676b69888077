"""The test bench: puts the building and the product together over MQTT and scores the result."""
