"""What a worker refuses before it spends anything on it. In: a JPEG and what is known of its camera. Out: its size
and colours from its head, or the reason why it is left.
"""

from dataclasses import dataclass

_START, _END = b"\xff\xd8", b"\xff\xd9"
_PADDING = 64
"""Bytes that some cameras put behind the end of a picture, at most."""
_NO_LENGTH = frozenset({0x01, *range(0xD0, 0xDA)})
"""Markers that stand alone (ITU T.81, table B.1)."""
_SIZES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers of the frame header, for all ways of coding."""


@dataclass(frozen=True, slots=True)
class JpegHead:
    """What the frame header of a JPEG says; ``components`` is 1 for a grey picture and 3 for a coloured one."""

    width_px: int
    height_px: int
    components: int


def jpeg_head(jpeg: bytes) -> JpegHead | None:
    """The frame header, found without decoding (ITU T.81, annex B); None where there is none or the end is missing."""
    if jpeg[:2] != _START or _END not in jpeg[-_PADDING:]:
        return None
    at = 2
    while at + 9 < len(jpeg):
        if jpeg[at] != 0xFF:
            return None
        marker = jpeg[at + 1]
        if marker in _SIZES:
            height, width = int.from_bytes(jpeg[at + 5 : at + 7]), int.from_bytes(jpeg[at + 7 : at + 9])
            return JpegHead(width, height, jpeg[at + 9])
        if marker == 0xFF:
            at += 1
        elif marker in _NO_LENGTH:
            at += 2
        else:
            at += 2 + int.from_bytes(jpeg[at + 2 : at + 4])
    return None


def size_fault(surveyed: tuple[int, int], said: tuple[int, int], head: JpegHead | None) -> tuple[str, str] | None:
    """Why a picture does not fit its camera, as the name of a count and a phrase; None where it fits.

    ``surveyed`` and ``said`` are (width, height) in the store document and on the message, in pixels.
    """
    if said != surveyed:
        return (
            "frame_of_wrong_size",
            f"it is said to be {said[0]} × {said[1]}, surveyed is {surveyed[0]} × {surveyed[1]}",
        )
    if head is None:
        return "frame_unreadable", "it is not a whole JPEG"
    if (head.width_px, head.height_px) != surveyed:
        text = f"it is {head.width_px} × {head.height_px}, surveyed is {surveyed[0]} × {surveyed[1]}"
        return "frame_of_wrong_size", text
    return None
