"""What goes wrong with files."""


class FormatError(ValueError):
    """A file is damaged, incomplete, of another version, or no packed model at all.

    The message names the file, the tensor and the byte of the file where that is known, what was
    found and what was expected.
    """
