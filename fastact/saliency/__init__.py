"""Which pixels matter to a network: VisualBackProp, exact gradients, Grad-CAM.

| class | what it gives | from |
| --- | --- | --- |
| `VisualBackProp` | where the convolutions of a chain are active together | the maps alone |
"""

from __future__ import annotations

from fastact.saliency.visualbackprop import VisualBackProp

__all__ = ["VisualBackProp"]
