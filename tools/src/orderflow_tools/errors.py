"""What can go wrong on the local platform, in words for whoever started it."""


class PlatformError(Exception):
    """Something that the platform needs is missing or fails.

    The message is a sentence for a person: it names the thing and the remedy.
    """
