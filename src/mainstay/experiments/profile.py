"""How much is done: enough to notice within minutes, or enough to rely on."""

from msgspec import Struct


class Profile(Struct, frozen=True):
    """Sizes of the experiments; seconds and requests."""

    name: str
    before: float  # of steady load before a fault
    hold: float  # a fault lasts
    requests: int  # of the steady load, for a claim about errors
    peak: float  # seconds at peak load
    longest_watch: float | None  # seconds after a fault; None: as long as the service's own timeouts ask for
    soak: float  # seconds


QUICK = Profile(name="quick", before=1.5, hold=3.0, requests=3000, peak=8.0, longest_watch=12.0, soak=0.0)
FULL = Profile(name="full", before=4.0, hold=5.0, requests=6000, peak=30.0, longest_watch=None, soak=120.0)
SHORT = Profile(  # for the project's own tests: every experiment is done, and few of them can conclude
    name="short", before=1.5, hold=2.0, requests=150, peak=2.0, longest_watch=8.0, soak=4.0
)
PROFILES = {profile.name: profile for profile in (QUICK, FULL, SHORT)}
