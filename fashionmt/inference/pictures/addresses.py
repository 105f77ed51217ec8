"""Which addresses a picture is fetched from: those of the public internet.

A catalogue may come from anyone. What it names is fetched from where fashionmt runs, and must not reach what only that
machine can reach: itself, its neighbours, or the credentials that a cloud hands to its machines.
"""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

Address = IPv4Address | IPv6Address
Policy = Callable[[Address, int], str | None]
"""Why a port of an address may not be dialled, or None."""

PORTS = (80, 443)
GLOBAL_UNICAST = IPv6Network("2000::/3")  # all that was ever given out; IPv4 addresses written as IPv6 are not in it
NAT64 = IPv6Network("64:ff9b::/96")
PUBLIC_IN_NAME = (
    IPv4Network("192.0.0.0/24"),  # older versions of Python take it for public; clouds answer there
    IPv4Network("168.63.129.16/32"),  # Azure's own services, inside of Azure
)


def public_web(address: Address, port: int) -> str | None:
    """The policy: the web's two ports, of public addresses."""
    if port not in PORTS:
        return f"port {port}; only 80 and 443 are fetched from"
    return None if is_public(address) else f"{address} is no public address"


def is_public(address: Address) -> bool:
    """Whether an address can be reached from anywhere, and so tells nothing about where it is dialled."""
    if isinstance(address, IPv6Address):
        inner = _embedded(address)
        if inner is not None:
            return is_public(inner)
        if address not in GLOBAL_UNICAST:
            return False
    special = address.is_multicast or any(address in network for network in PUBLIC_IN_NAME)
    return address.is_global and not special


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that is dialled in the end, where `address` stands for one."""
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour
