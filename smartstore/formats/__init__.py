"""Other people's formats, read and written. Knows wire, nouns and store document; nothing of the pipeline."""
