"""The one door to Panda3D: opens a way to draw, holds meshes, draws them as a pinhole camera sees them.

In: vertices with their colours already lit, textures, camera poses. Out: pictures and depths as arrays. It draws on a
GPU, over headless EGL on the CPU, or with Panda3D's own software renderer where there is no GL at all; nothing needs
a display. Light is computed before, per vertex, so all three draw the same.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from panda3d import core as p3d

from sims.devices.look import Floats, Picture
from sims.optics import Array

FORCE = "SMARTSTORE_RENDERER"
"""Environment variable that forces ``egl`` (or a GPU behind it) or ``software``."""
NEAR_M, FAR_M = 0.08, 30.0
VERTEX = np.dtype([("point", "<f4", 3), ("colour", "u1", 4), ("uv", "<f4", 2)])
PIPES = {"p3headlessgl": "eglGraphicsPipe", "p3tinydisplay": "TinyOffscreenGraphicsPipe"}
SOFTWARE_NAMES = ("llvmpipe", "softpipe", "swrast", "software")
SETTINGS = """
window-type offscreen
audio-library-name null
notify-level fatal
textures-power-2 none
sync-video 0
"""


class RendererError(Exception):
    """No way to draw on this machine, or a picture that cannot be drawn: one line."""


@dataclass(frozen=True, slots=True, eq=False)
class Door:
    """An open way to draw: the engine and a context that all buffers share."""

    engine: Any
    pipe: Any
    gsg: Any
    host: Any
    kind: str
    """``gpu``, ``egl`` (drawn on the CPU by Mesa) or ``software``."""
    detail: str


@lru_cache(maxsize=1)
def open_door() -> Door:
    """The best way to draw on this machine; raises :class:`RendererError`."""
    p3d.load_prc_file_data("smartstore", SETTINGS)
    forced = os.environ.get(FORCE, "")
    choices = {
        "": ("p3headlessgl", "p3tinydisplay"),
        "gpu": ("p3headlessgl",),
        "egl": ("p3headlessgl",),
        "software": ("p3tinydisplay",),
    }
    if forced not in choices:
        raise RendererError(f"{FORCE}={forced}: no such renderer; leave it unset or use egl or software")
    for module in choices[forced]:
        pipe = _pipe(module)
        if pipe is None or not pipe.is_valid():
            continue
        engine = p3d.GraphicsEngine()
        host = _buffer(engine, pipe, None, None, 64, 64)
        if host is None:
            continue
        engine.render_frame()
        name = str(host.get_gsg().get_driver_renderer() or module)
        soft = any(word in name.lower() for word in SOFTWARE_NAMES)
        kind = "software" if module == "p3tinydisplay" else "egl" if soft else "gpu"
        host.set_active(False)
        return Door(engine, pipe, host.get_gsg(), host, kind, name)
    raise RendererError(f"no renderer: {' and '.join(choices[forced])} did not open; install libegl1 or unset {FORCE}")


def _pipe(module: str) -> Any:
    """The pipe of a module that needs no display; None where it does not load."""
    selection = p3d.GraphicsPipeSelection.get_global_ptr()
    return selection.make_pipe(PIPES[module], module)


def _buffer(engine: Any, pipe: Any, gsg: Any, host: Any, width: int, height: int, samples: int = 0) -> Any:
    wanted = p3d.FrameBufferProperties()
    wanted.set_multisamples(samples)
    wanted.set_rgba_bits(8, 8, 8, 8)
    wanted.set_depth_bits(24)
    size = p3d.WindowProperties.size(width, height)
    args = (pipe, f"view-{width}x{height}", 0, wanted, size, p3d.GraphicsPipe.BF_refuse_window)
    return engine.make_output(*args, gsg, host) if gsg else engine.make_output(*args)


class Node:
    """A mesh in the scene, in store metres; its points and colours can be overwritten."""

    def __init__(
        self, parent: Any, points: Floats, colours: NDArray[np.uint8], uv: Floats | None, faces: NDArray[np.int32],
        texture: Any = None,
    ) -> None:  # fmt: skip
        self._vertices = np.zeros(len(points), VERTEX)
        if uv is not None:
            self._vertices["uv"] = uv
        self._data = p3d.GeomVertexData("mesh", p3d.GeomVertexFormat.get_v3c4t2(), p3d.Geom.UH_dynamic)
        self._data.unclean_set_num_rows(len(points))
        triangles = p3d.GeomTriangles(p3d.Geom.UH_static)
        triangles.set_index_type(p3d.Geom.NT_uint32)
        index = triangles.modify_vertices()
        index.unclean_set_num_rows(faces.size)
        memoryview(index).cast("B")[:] = np.ascontiguousarray(faces, np.uint32).tobytes()
        geom = p3d.Geom(self._data)
        geom.add_primitive(triangles)
        self._node = p3d.GeomNode("mesh")
        self._node.add_geom(geom)
        self._path = parent.attach_new_node(self._node)
        if texture is not None:
            self._path.set_texture(texture)
        self.write(points, colours)

    def write(self, points: Floats, colours: NDArray[np.uint8]) -> None:
        """New places (n, 3) and lit colours (n, 4) for the same vertices."""
        self._vertices["point"], self._vertices["colour"] = points, colours
        data = self._node.modify_geom(0).modify_vertex_data()
        memoryview(data.modify_array(0)).cast("B")[:] = self._vertices.tobytes()

    def fade(self) -> None:
        """Draws by the colours' opacity (colours are already multiplied with it), after everything solid."""
        self._path.set_transparency(p3d.TransparencyAttrib.M_premultiplied_alpha)
        self._path.set_bin("background", 2)
        if open_door().kind == "software":  # which does not know this kind of opacity
            self._path.hide()
        self._path.set_tag("id", "none")

    def name(self, number: int) -> None:
        """Sets the number that the mesh is painted with in a picture of numbers."""
        self._path.set_tag("id", str(number))

    def remove(self) -> None:
        """Takes the mesh out of the scene."""
        self._path.remove_node()


class Veil:
    """A dark sheet on the floor whose opacity is a picture that can be overwritten."""

    def __init__(self, parent: Any, low_m: Array, high_m: Array, width: int, height: int) -> None:
        (x0, y0), (x1, y1), z = low_m, high_m, 0.006
        points = np.array([(x0, y0, z), (x1, y0, z), (x1, y1, z), (x0, y1, z)], np.float32)
        uv = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], np.float32)
        faces = np.array([(0, 1, 2), (0, 2, 3)], np.int32)
        self._texture = p3d.Texture("veil")
        self._texture.setup_2d_texture(width, height, p3d.Texture.T_unsigned_byte, p3d.Texture.F_rgba)
        self._texture.set_minfilter(p3d.SamplerState.FT_linear)
        self._texture.set_magfilter(p3d.SamplerState.FT_linear)
        self._texture.set_wrap_u(p3d.SamplerState.WM_clamp)
        self._texture.set_wrap_v(p3d.SamplerState.WM_clamp)
        self._bytes = np.zeros((height, width, 4), np.uint8)
        self.write(self._bytes[:, :, 3].copy())
        node = Node(parent, points, np.full((4, 4), 255, np.uint8), uv, faces, self._texture)
        node.fade()

    def write(self, opacity: Picture) -> None:
        """New opacities (height, width), 255 being black; the first row lies at the low corner."""
        self._bytes[:, :, 3] = opacity
        self._texture.set_ram_image(self._bytes.tobytes())


class Stage:
    """What can be drawn: what stays, what moves, glass, and textures."""

    def __init__(self) -> None:
        self.root: Any = p3d.NodePath("store")
        self.still: Any = self.root.attach_new_node("still")
        self.moving: Any = self.root.attach_new_node("moving")
        self.glass: Any = self.root.attach_new_node("glass")
        self.textures: dict[str, Any] = {}
        # Drawn in the order of arrival: left to itself the engine sorts by address, and no two runs are quite the same.
        self.still.set_bin("background", 0)
        self.moving.set_bin("background", 1)
        self.glass.set_bin("background", 2)

    def add_texture(self, name: str, picture: Picture, repeats: bool) -> None:
        """Makes a square RGB picture available by name."""
        texture = p3d.Texture(name)
        size = picture.shape[0]
        texture.setup_2d_texture(size, picture.shape[1], p3d.Texture.T_unsigned_byte, p3d.Texture.F_rgb)
        texture.set_ram_image(np.ascontiguousarray(picture[::-1, :, ::-1]).tobytes())
        wrap = p3d.SamplerState.WM_repeat if repeats else p3d.SamplerState.WM_clamp
        texture.set_wrap_u(wrap)
        texture.set_wrap_v(wrap)
        texture.set_minfilter(p3d.SamplerState.FT_linear_mipmap_nearest)
        texture.set_magfilter(p3d.SamplerState.FT_linear)
        self.textures[name] = texture

    def close(self, door: Door) -> None:
        """Lets all of it go, and what ``door`` made of it to draw with, which would stay as long as the process."""
        prepared = door.gsg.get_prepared_objects()
        for texture in self.textures.values():
            texture.release_all()
        self.root.remove_node()
        prepared.release_all()
        door.engine.render_frame()


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """Where a pinhole stands and looks: ``rotation`` is world to camera (x right, y down, z forward)."""

    rotation: Array
    position_m: tuple[float, float, float]
    focal_px: float


class View:
    """An offscreen buffer of one size with a camera that is re-posed for every picture."""

    def __init__(self, door: Door, stage: Stage, width: int, height: int, samples: int = 0) -> None:
        self._door, self._stage = door, stage
        buffer = _buffer(door.engine, door.pipe, door.gsg, door.host, width, height, samples)
        if buffer is None:
            raise RendererError(f"no buffer of {width}x{height} pixels could be opened; use smaller cameras")
        self._buffer = buffer
        self._colour, self._depth = p3d.Texture(), p3d.Texture()
        mode = p3d.GraphicsOutput.RTM_copy_ram
        buffer.add_render_texture(self._colour, mode, p3d.GraphicsOutput.RTP_color)
        if door.kind != "software" and not samples:
            self._depth.set_format(p3d.Texture.F_depth_component)
            self._depth.set_component_type(p3d.Texture.T_float)
            buffer.add_render_texture(self._depth, mode, p3d.GraphicsOutput.RTP_depth)
        self._lens = p3d.PerspectiveLens()
        self._lens.set_near_far(NEAR_M, FAR_M)
        self._node = p3d.Camera("camera", self._lens)
        self._node.set_initial_state(_smooth())
        self._camera = stage.root.attach_new_node(self._node)
        buffer.make_display_region().set_camera(self._camera)
        buffer.set_active(False)
        self.width, self.height = width, height

    def draw(self, pose: Pose, scene: Any, clear: Sequence[float] = (0, 0, 0, 0)) -> None:
        """Draws ``scene`` (the stage's root, or what stays, or what moves) over the colour ``clear`` (with opacity)."""
        self._lens.set_film_size(self.width, self.height)
        self._lens.set_focal_length(pose.focal_px)
        right, down, forward = pose.rotation
        rows = [*right, 0, *forward, 0, *(-down), 0, *pose.position_m, 1]
        self._camera.set_mat(p3d.LMatrix4(*(float(value) for value in rows)))
        self._node.set_scene(scene)
        self._buffer.set_clear_color(p3d.LColor(*(float(c) for c in clear)))
        self._buffer.set_active(True)
        self._door.engine.render_frame()
        self._buffer.set_active(False)

    def draw_numbers(self, pose: Pose, scene: Any, last: int) -> None:
        """The same with every mesh painted flat in its number from 1 to ``last`` (red channel), all others 0."""
        for number in range(last + 1):
            self._node.set_tag_state(str(number), _flat(number))
        self._node.set_tag_state("none", p3d.RenderState.make(p3d.ColorWriteAttrib.make(0), 200))
        self._node.set_tag_state_key("id")
        self._node.set_initial_state(_flat(0, 50))
        self.draw(pose, scene)
        self._node.clear_tag_states()
        self._node.set_initial_state(_smooth())

    def picture(self) -> Picture:
        """The last picture (h, w, 4), BGRA, LAST row on top; valid until the next one is drawn."""
        data = np.frombuffer(memoryview(self._colour.get_ram_image()), np.uint8)
        return data.reshape(self.height, self.width, 4)

    def raw_depth(self) -> Floats:
        """Depth (h, w) as the renderer keeps it, growing up to 1, LAST row on top; not with several samples."""
        raw = np.frombuffer(memoryview(self._depth.get_ram_image()), np.float32)
        return raw.reshape(self.height, self.width)

    def close(self) -> None:
        """Gives the buffer back."""
        self._door.engine.remove_window(self._buffer)
        self._camera.remove_node()


def metres(raw: Floats) -> Floats:
    """Distance along the optical axis of raw depths."""
    return np.asarray(NEAR_M * FAR_M / (FAR_M - raw * (FAR_M - NEAR_M)), np.float32)


def _smooth() -> Any:
    """Uses all samples of a buffer; unless told so, only its first picture does."""
    return p3d.RenderState.make(p3d.AntialiasAttrib.make(p3d.AntialiasAttrib.M_multisample))


def _flat(number: int, priority: int = 100) -> Any:
    """One colour without texture; some renderers round to the next byte, others cut, hence the 0.4."""
    colour = p3d.ColorAttrib.make_flat(p3d.LColor((number + 0.4) / 255, 0, 0, 1))
    return p3d.RenderState.make(colour, p3d.TextureAttrib.make_all_off(), priority)
