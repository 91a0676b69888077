"""Whether a camera's calibration can be true. In: a surveyed camera. Out: what is wrong with it, in one phrase."""

import numpy as np

from smartstore.site.parts import SurveyedCamera


def calibration_fault(camera: SurveyedCamera) -> str | None:
    """What makes the calibration of ``camera`` impossible; None where nothing does.

    A rotation that mirrors, a lens that turns the picture inside out and a ceiling camera that looks up all put people
    where nobody is, without an error anywhere else.
    """
    model = camera.model
    numbers = (model.k, model.distortion, model.rotation, model.position_m)
    if not all(np.all(np.isfinite(part)) for part in numbers):
        return "it holds numbers that are not finite"
    if not (model.k[0, 0] > 0 and model.k[1, 1] > 0):
        return f"its focal lengths {model.k[0, 0]:g} and {model.k[1, 1]:g} px are not both positive"
    if not np.allclose(model.rotation @ model.rotation.T, np.eye(3), atol=1e-3):
        return "its rotation is none"
    if np.linalg.det(model.rotation) < 0:
        return "its rotation mirrors the room"
    if camera.kind == "ceiling" and model.rotation[2, 2] >= 0:
        return "it looks up"
    return None
