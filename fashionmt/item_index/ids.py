"""The order of ids, and ids that are near to one that is not there."""

import difflib
from collections.abc import Sequence


def id_key(item: str) -> tuple[bool, int, str, str]:
    """To sort by: numbers by value, before all other texts."""
    if not item.isdecimal():
        return True, 0, item, item
    digits = item.lstrip("0")
    return False, len(digits), digits, item  # of two numbers the longer is the larger; 7 and 007 are two ids


def near_ids(item: str, ids: Sequence[str], count: int = 3) -> list[str]:
    """Up to `count` of `ids` that `item` may have been meant for; ids of numbers in their order, else by spelling."""
    if item.isdecimal() and (numbers := [each for each in ids if each.isdecimal()]):
        value = int(item[:18])
        return sorted(numbers, key=lambda each: (abs(int(each[:18]) - value), id_key(each)))[:count]
    return difflib.get_close_matches(item, ids, count)
