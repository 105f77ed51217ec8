"""stub"""

from speed_parts.settings import Settings
from speed_parts.turns import Figure


def measure(settings: Settings) -> list[Figure]:
    return []
