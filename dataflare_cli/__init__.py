"""dataflare: durable, partitioned topics on one machine, without a server."""

__version__ = "0.1.0"
