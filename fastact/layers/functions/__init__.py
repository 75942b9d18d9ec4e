"""Functions called on tensors: what Keras 2 saves as TFOpLambda and Keras 3 as operations of keras.ops.

Each is a layer class whose configuration holds the call's arguments, so that many are the layers of other families
under another name. A file each for how calls become layers, and for each family.
"""

from fastact.layers.functions import arithmetic, calls, moving, pictures

__all__ = ["arithmetic", "calls", "moving", "pictures"]
