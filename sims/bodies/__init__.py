"""Articulated people: a ``BodyState`` goes in; surface, colours, COCO joints and palms in store metres come out."""
