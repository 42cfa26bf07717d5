"""What all tests share."""

from hypothesis import settings

# On a busy machine an example may take long for no reason of its own.
settings.register_profile("orderflow", deadline=None)
settings.load_profile("orderflow")
