"""Recorded feeds: described, cut, merged, mended, and played again as if they were live."""
