"""The error of the tools, worded for the user."""


class PlatformError(Exception):
    """Something that the platform needs is missing or has failed.

    The message is a sentence for the user that names the problem and the remedy.
    """
