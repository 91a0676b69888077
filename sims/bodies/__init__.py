"""Articulated people: a ``BodyState`` goes in; vertices, normals, colours, COCO joints and palms in store metres come out."""
