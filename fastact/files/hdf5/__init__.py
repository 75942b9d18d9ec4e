"""A strict reader of the part of HDF5 that Keras's files use: no HDF5 library, no file but the one that is open.

    file.py          groups, datasets, attributes by name: what the rest of fastact sees
    objects.py       what an object is, by its header
    attributes.py    ► heap.py            strings
    groups.py        ► compact.py, dense.py   links by name
    layout.py        ► chunks.py, filters.py  where a dataset's numbers are, and undoing its filters
    types.py         shapes, and types of numbers
    headers.py       the messages of an object
    superblock.py    where it all begins
    window.py        the bytes: every read checked against the file's size, and counted
    checksums.py     lookup3, Fletcher's

By the HDF5 File Format Specification, version 3.0. What is read: superblocks 0 to 3; object headers 1 and 2; groups in
trees, in headers and in heaps; attributes in headers; data in one piece or in chunks, through deflate, shuffle and
Fletcher's checksum. What is not: soft and external links, data in other files, virtual datasets, other filters, types
of the user's, attributes in a heap, chunks that can grow by the indexes of HDF5 1.10. Each is refused by name.
"""

from .file import H5File, guarded, opened
from .objects import Dataset, Group

__all__ = ["Dataset", "Group", "H5File", "guarded", "opened"]
