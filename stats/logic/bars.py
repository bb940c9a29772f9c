"""Small pictures of the present value: a bar with text beside it (ganeti-backend contract 12.3)."""

from __future__ import annotations

import io
from functools import lru_cache

from django.conf import settings
from PIL import Image, ImageDraw, ImageFont

from stats.logic import rrd

Color = tuple[int, int, int]
#: Colours of processor use from a percentage upwards, the highest first.
_LEVELS: tuple[tuple[float, Color], ...] = ((90, (0xFF, 0, 0)), (75, (0xDA, 0xAA, 0)))
_GREEN: Color = (0, 0xA1, 0)
_BLUE: Color = (0, 0, 0xA1)
_WHITE: Color = (0xFF, 0xFF, 0xFF)
#: White text has to be seen on every page, so that the canvas has a colour of its own.
_CANVAS: Color = (0, 0, 0)
_SCALE_STEP = 50
_TEXT_GAP = 4
_SMALLEST_TEXT = 6


def cpu(instance: str) -> bytes:
    """Return the picture of an instance's processor use, in percent."""
    percent = rrd.present_values(rrd.cpu_file(instance), until=rrd.deadline()).get("value", 0.0)
    color = next((color for least, color in _LEVELS if percent >= least), _GREEN)
    image, draw = _canvas(f"CPU: {percent:.1f}%")
    _fill(draw, percent / 100, color, top=1, bottom=settings.HEIGHT - 2)
    return _png(image)


def net(instance: str) -> bytes:
    """Return the picture of what all of an instance's interfaces send and receive, in Mbit/s."""
    until = rrd.deadline()
    found = [rrd.present_values(path, until=until) for path in rrd.interface_files(instance)]
    sent, received = (
        sum(values.get(source, 0.0) for values in found) * 8 / 1_000_000 for source in ("tx", "rx")
    )
    scale = (int(max(sent, received) / _SCALE_STEP) + 1) * _SCALE_STEP
    middle = settings.HEIGHT // 2
    image, draw = _canvas(f"TX/RX: {sent:.2f}/{received:.2f} Mbps")
    _fill(draw, sent / scale, _GREEN, top=1, bottom=middle - 1)
    _fill(draw, received / scale, _BLUE, top=middle, bottom=settings.HEIGHT - 2)
    return _png(image)


def _canvas(text: str) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """Return a picture with an empty bar and the text."""
    image = Image.new("RGB", (settings.IMAGE_WIDTH, settings.HEIGHT), _CANVAS)
    draw = ImageDraw.Draw(image)
    draw.rectangle(
        (0, 0, settings.WIDTH - 1, settings.HEIGHT - 1),
        fill=tuple(settings.BAR_BG_COLOR),
        outline=tuple(settings.BAR_BORDER_COLOR),
    )
    left = settings.WIDTH + _TEXT_GAP
    size = settings.HEIGHT
    while size > _SMALLEST_TEXT and draw.textlength(text, _font(settings.FONT, size)) > image.width - left:
        size -= 1
    draw.text((left, settings.HEIGHT / 2), text, fill=_WHITE, font=_font(settings.FONT, size), anchor="lm")
    return image, draw


def _fill(draw: ImageDraw.ImageDraw, share: float, color: Color, *, top: int, bottom: int) -> None:
    """Fill a bar's rows from *top* to *bottom* up to *share* of its width within the border."""
    width = round(min(max(share, 0.0), 1.0) * (settings.WIDTH - 2))
    if width:
        draw.rectangle((1, top, width, bottom), fill=color)


@lru_cache(maxsize=32)
def _font(name: str, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    try:
        return ImageFont.truetype(name, size)
    except OSError:
        return ImageFont.load_default(size)


def _png(image: Image.Image) -> bytes:
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()
