"""One step per version, up and down."""
