"""One thing that a planner should look at. In: nothing. Out: a frozen noun."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

from smartstore.site.parts import Point2


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with a layout that is sound on paper: where, what, and the way out.

    An ``error`` means that sales there cannot be told, or the law is not met; a ``warning`` that the layout is poor.
    """

    level: Literal["error", "warning"]
    rule: str
    where: str
    """Ids of what it is about."""
    at_m: Point2
    what: str
    remedy: str

    def __str__(self) -> str:
        x, y = self.at_m
        return f"{self.level}: {self.rule}: {self.where} at ({x:.1f}, {y:.1f}): {self.what}; {self.remedy}"

    def document(self) -> dict[str, Any]:
        """For JSON."""
        x, y = self.at_m
        return {**asdict(self), "at_m": [round(x, 2), round(y, 2)]}
