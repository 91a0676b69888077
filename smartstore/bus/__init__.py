"""Bytes on topics: in memory, over MQTT, from and to recordings."""
