"""The payment gateway protocol and a stub provider."""
