"""From load-cell readings to settled weight steps."""
