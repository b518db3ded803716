"""What all tests share: hypothesis without deadlines, because machines are busy."""

from hypothesis import settings

# The same examples each time: one system in some thousands, whose vCPUs spin and give way to each
# other, never ends, and no run of the tests may hang on it.
settings.register_profile("virtperf", deadline=None, derandomize=True)
settings.load_profile("virtperf")
