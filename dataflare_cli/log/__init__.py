"""The partitioned log. See `facade` for its promises."""

from dataflare_cli.log.append import Appended
from dataflare_cli.log.bells import Bells
from dataflare_cli.log.facade import Admitted, Log
from dataflare_cli.log.read import RUN_BYTES_MAX
from dataflare_cli.log.verify import Finding

__all__ = ["RUN_BYTES_MAX", "Admitted", "Appended", "Bells", "Finding", "Log"]
