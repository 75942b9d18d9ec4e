"""Pictures of feature maps.

| function | in | out |
| --- | --- | --- |
| `mosaic` | one layer's feature maps | one picture with every filter |
| `Mosaic` | the feature maps of several layers, frame after frame | pictures of one size and layout, in milliseconds |
| `contact_sheet` | a frame and the feature maps of several layers | one page |
| `blend` | a picture, a map of strengths | the picture with the map over it, quick enough for a film |
| `overlay` | the same, with words | a page with both and a scale |
| `strip` | one layer's feature maps | its first filters in one row |
| `save_png` | a picture | a file, whole or not at all |

The views know arrays and plain strings: no model, no layer, no frame format. They draw with Pillow's built-in
font and `cmap`'s colour tables, so the same arrays give the same bytes.
"""

from __future__ import annotations

from fastact.views.colors import color_table
from fastact.views.live import Mosaic
from fastact.views.mosaic import mosaic
from fastact.views.overlay import blend, overlay
from fastact.views.png import save_png
from fastact.views.sheet import contact_sheet
from fastact.views.strip import strip
from fastact.views.style import Normalization, Style

__all__ = [
    "Mosaic",
    "Normalization",
    "Style",
    "blend",
    "color_table",
    "contact_sheet",
    "mosaic",
    "overlay",
    "save_png",
    "strip",
]
