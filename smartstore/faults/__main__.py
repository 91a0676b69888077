"""Writes the JSON Schema of fault documents anew; in the root of the repository: ``python -m smartstore.faults``."""

import json
from pathlib import Path

from smartstore.faults.document import faults_schema

if __name__ == "__main__":
    Path("configs/faults/faults.schema.json").write_text(json.dumps(faults_schema(), indent=2) + "\n", encoding="utf-8")
