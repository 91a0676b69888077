"""The software of a checkout-free store: from sensor messages on MQTT to settled receipts."""
