"""From frames to people on the floor and changes on shelf faces."""
