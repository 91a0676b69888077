"""How devices differ from perfect ones: the keys of a scenario document that say so.

In: parts of a scenario. Out: frozen options for cameras, load cells and their links. All are drawn from streams of
their own, so that a flaw changes what devices say and not what shoppers do.
"""

from typing import Annotated, Literal

from pydantic import Field

from sims.documents import Part, Share

Light = Literal["shipped", "day", "evening", "dim", "mixed"]


class Mounting(Part):
    """How far the cameras hang from where the survey says, and their lenses from what it says: standard deviations."""

    position_m: Annotated[float, Field(ge=0.0, le=0.5)] = 0.01
    angle_deg: Annotated[float, Field(ge=0.0, le=10.0)] = 0.3
    focal_share: Annotated[float, Field(ge=0.0, le=0.1)] = 0.002
    distortion_share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0


class Sensor(Part):
    """How a camera turns light into a JPEG."""

    exposure: Annotated[float, Field(gt=0.0, le=8.0)] = 1.0
    """Brightness as a share of what is drawn; with automatic exposure only the beginning."""
    auto_exposure: Share = 0.0
    """How much of the distance to the aim is corrected; 0: fixed exposure."""
    exposure_aim: Annotated[float, Field(gt=0.0, lt=255.0)] = 112.0
    """Mean grey level that automatic exposure steers to."""
    exposure_lag_s: Annotated[float, Field(gt=0.0, le=60.0)] = 0.8
    gain_share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """Spread of brightness from camera to camera, standard deviation."""
    white_share: Annotated[float, Field(ge=0.0, le=0.5)] = 0.0
    """The same of red and blue against green."""
    shot: Annotated[float, Field(ge=0.0, le=4.0)] = 0.035
    """Variance per grey level: photons arrive one by one."""
    read: Annotated[float, Field(ge=0.0, le=25.0)] = 1.2
    """Standard deviation in the dark, in grey levels at an exposure of 1."""
    shutter_s: Annotated[float, Field(ge=0.0, le=0.2)] = 0.0
    """How long a picture is exposed: what moves meanwhile is blurred."""
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] = 88


class Link(Part):
    """How a device keeps time and how its messages travel."""

    latency_s: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    jitter_s: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Mean of what comes on top, exponentially distributed: now and then messages overtake each other."""
    drop_share: Share = 0.0
    """Share of messages that never arrive."""
    offset_s: Annotated[float, Field(ge=0.0, le=5.0)] = 0.0
    """Spread of clocks from device to device, standard deviation; ``clock_offsets_s`` comes on top."""
    drift_ppm: Annotated[float, Field(ge=0.0, le=1_000.0)] = 0.0
    """Spread of the clocks' speeds, standard deviation in millionths."""


class LoadCells(Part):
    """What load cells go through; sizes are as a recording of a real store has them."""

    noise: Annotated[float, Field(ge=0.0, le=10.0)] = 1.0
    """How much more of what they show when nothing happens: noise, hum and wandering."""
    footfalls: Annotated[float, Field(ge=0.0, le=20.0)] = 1.0
    """How much the floor passes on of people's steps; 1: a gondola with ordinary cells shakes by about 2 g."""
    hum: Share = 1.0
    """How much of the plates' noise may be vibration of the building at a few frequencies."""
    temperature: Annotated[float, Field(ge=0.0, le=20.0)] = 1.0
    """Drift with the temperature of the store; 1: some grams in ten minutes."""
    slow_lifts: Share = 0.0
    """Share of takes and put-downs that last three to six times as long as usual."""
    flicker_share: Share = 0.0
    """Share of plates that give no numbers for a while now and then."""
    flicker_s: Annotated[float, Field(gt=0.0, le=60.0)] = 0.4
    """Mean length of such a gap; one comes every half minute or so."""
    capacity_grams: Annotated[float, Field(gt=0.0, le=1_000_000.0)] = 20_000.0
    """A plate of four inches shows no more than this, a wider one more in proportion."""
