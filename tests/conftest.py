"""Settings that all tests share."""

from hypothesis import settings

# no deadline: on a busy machine the first call of a test may take long
settings.register_profile("book", deadline=None, derandomize=True)
settings.load_profile("book")
