"""What all tests share: hypothesis without deadlines, because machines are busy."""

from hypothesis import settings

settings.register_profile("virtperf", deadline=None)
settings.load_profile("virtperf")
