"""Which pixels matter to a network: VisualBackProp, exact gradients, Grad-CAM.

| class | what its mask shows | computed from |
| --- | --- | --- |
| `VisualBackProp` | where the convolutions of a chain are active together | the maps alone |
| `GradientSaliency` | where a small change would change an output most | the gradient by the picture |
| `GradCam` | where a convolution's maps speak for a larger output | the maps, and the gradient by them |
"""

from __future__ import annotations

from fastact.saliency.gradcam import GradCam
from fastact.saliency.gradient import GradientSaliency
from fastact.saliency.visualbackprop import VisualBackProp

__all__ = ["GradCam", "GradientSaliency", "VisualBackProp"]
