"""``python -m smartstore.site``, in the root of the repository: writes the JSON Schemas anew."""

import json
from pathlib import Path

from smartstore.site import catalogue_schema, store_schema

for file, schema in (
    ("configs/stores/store.schema.json", store_schema()),
    ("data/catalogues/catalogue.schema.json", catalogue_schema()),
):
    Path(file).write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")
