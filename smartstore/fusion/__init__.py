"""From changes and people to who took what."""
